#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "telemetry/log_writer.h"
#include "telemetry/metric_private.h"

enum { PATH_SIZE = 64, LINE_SIZE = 1024 };

/* What is read of each process that lives, by the one that is scraped. */
static struct {
    struct metric_series cpu, memory, fds, max_fds, start, processes;
} series;

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "re");
}

static int64_t resident_bytes(pid_t pid)
{
    FILE *file = open_proc(pid, "statm");
    long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_fds(pid_t pid)
{
    char path[PATH_SIZE];
    int64_t count = pid == getpid() ? -1 : 0;   /* the one that reads the folder */

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int64_t max_fds(pid_t pid)
{
    FILE *file = open_proc(pid, "limits");
    char line[LINE_SIZE];
    long long most = 0;

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Max open files %lld", &most) == 1)
            break;
    fclose(file);
    return most;
}

/* proc(5): the 22nd field of stat, counted after the command's closing parenthesis, in ticks since boot. */
static int64_t start_wall_ns(pid_t pid)
{
    FILE *file = open_proc(pid, "stat");
    char line[LINE_SIZE];
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

static int64_t cpu_ns(pid_t pid)
{
    clockid_t id;
    struct timespec used;

    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &used) != 0)
        return 0;
    return used.tv_sec * NS_PER_S + used.tv_nsec;
}

static void set_if_known(_Atomic int64_t *slots, struct metric_series which, int64_t value)
{
    if (value > 0)
        metric_set_in(slots, which, value);
}

/* Reckoned once: of two clocks that are not read at the same instant, it would be a little different each time, which
 * looks like another process. */
static void set_start(_Atomic int64_t *slots, pid_t pid)
{
    if (!atomic_load_explicit(slots + series.start.slot, memory_order_relaxed))
        set_if_known(slots, series.start, start_wall_ns(pid));
}

/* A process that ends meanwhile keeps what was known of it. */
static void look_at(void *context, pid_t pid, _Atomic int64_t *slots)
{
    int64_t *processes = context;

    ++*processes;
    set_if_known(slots, series.cpu, cpu_ns(pid));
    set_if_known(slots, series.memory, resident_bytes(pid));
    set_if_known(slots, series.fds, open_fds(pid));
    set_if_known(slots, series.max_fds, max_fds(pid));
    set_start(slots, pid);
}

static void collect(void *context)
{
    int64_t processes = 0;

    (void)context;
    metric_store_each(metric_the_store(), look_at, &processes);
    metric_set(series.processes, processes);
}

void metric_process_open(void)
{
    series.cpu = metric_series(METRIC_PROCESS_CPU);
    series.memory = metric_series(METRIC_PROCESS_MEMORY);
    series.fds = metric_series(METRIC_PROCESS_FDS);
    series.max_fds = metric_series(METRIC_PROCESS_MAX_FDS);
    series.start = metric_series(METRIC_PROCESS_START);
    series.processes = metric_series(METRIC_PROCESSES);
    log_writer_count_in(metric_series(METRIC_LOG_LINES), metric_series(METRIC_LOG_DROPPED));
    if (metric_collect(collect, &series))
        return;   /* the first collector always has room */
}
