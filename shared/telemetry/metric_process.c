#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "telemetry/metric_process.h"

static struct {
    struct metric_series cpu, memory, fds, start, lines, dropped;
} series;

static int64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = -1;   /* the one that reads the folder */

    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* proc(5): the 22nd field of stat, counted after the command's closing parenthesis, in ticks since boot. */
static int64_t start_wall_ns(void)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    const char *rest = NULL;
    unsigned long long ticks = 0;
    struct timespec boot;

    if (!file)
        return 0;
    if (fgets(line, sizeof line, file))
        rest = strrchr(line, ')');
    fclose(file);
    if (!rest || sscanf(rest + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                        &ticks) != 1)
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    int64_t age_ns = boot.tv_sec * NS_PER_S + boot.tv_nsec - (int64_t)ticks * (NS_PER_S / sysconf(_SC_CLK_TCK));
    return clock_wall_us() * 1000 - age_ns;
}

static void collect(void *context)
{
    struct log_stats log;

    (void)context;
    log_stats(&log);
    metric_set(series.cpu, clock_cpu_ns());
    metric_set(series.memory, resident_bytes());
    metric_set(series.fds, open_fds());
    metric_set(series.lines, (int64_t)log.written);
    metric_set(series.dropped, (int64_t)log.dropped);
}

void metric_process_open(void)
{
    series.cpu = metric_series(METRIC_PROCESS_CPU);
    series.memory = metric_series(METRIC_PROCESS_MEMORY);
    series.fds = metric_series(METRIC_PROCESS_FDS);
    series.start = metric_series(METRIC_PROCESS_START);
    series.lines = metric_series(METRIC_LOG_LINES);
    series.dropped = metric_series(METRIC_LOG_DROPPED);
    metric_set(series.start, start_wall_ns());
    if (metric_collect(collect, &series))
        return;   /* the first collector always has room */
}
