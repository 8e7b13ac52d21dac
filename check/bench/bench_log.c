/*
 * What a log that nobody reads costs: the same load on two systems, whose logs go to /dev/null and into a full pipe, in
 * interleaved rounds. Both do the same work but for the sink.
 *
 *     make bench-log [BENCH_ROUNDS=5] [BENCH_SECONDS=3]
 */
#include "config.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/bench/load.h"
#include "check/harness/process.h"
#include "check/harness/system.h"

enum { ROUNDS_MAX = 100, SINKS = 2, PATH_SIZE = 256 };

struct side {
    const char *name;
    char file_setting[PATH_SIZE + 16];
    struct system *system;
    double requests_s[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
};

static unsigned setting(const char *name, unsigned otherwise, unsigned most)
{
    const char *given = getenv(name);
    unsigned long value = given ? strtoul(given, NULL, 10) : 0;
    return value == 0 ? otherwise : value > most ? most : (unsigned)value;
}

static double metric(struct system *system, const char *name)
{
    struct http_client *client = system_client(system);
    const char *at = strstr(http_get(client, "/user/metrics")->body, name);
    double value = at ? strtod(at + strlen(name), NULL) : -1;
    http_client_free(client);
    return value;
}

static double cpu_us(struct system *system)
{
    return metric(system, "\nprocess_cpu_seconds_total ") * 1e6;
}

static enum err run_round(struct side *side, unsigned round, unsigned seconds)
{
    char url[PATH_SIZE];
    struct load_result result;
    snprintf(url, sizeof url, "%s/user/ping", system_url(side->system));
    double before_us = cpu_us(side->system);
    enum err err = load_run(url, seconds, system_folder(side->system), &result);
    if (err)
        return err;
    side->cpu_us[round] = (cpu_us(side->system) - before_us) / (double)result.requests;
    side->requests_s[round] = result.requests_per_s;
    return ERR_NONE;
}

/* In turn, and the other one first in every second round. */
static enum err measure(struct side *sides, unsigned rounds, unsigned seconds)
{
    enum err err = ERR_NONE;
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < SINKS && !err; i++)
            err = run_round(&sides[(i + round) % SINKS], round, seconds);
    return err;
}

static void report(struct side *sides, unsigned rounds)
{
    double requests_s[SINKS], cpu[SINKS];
    printf("medians of %u interleaved rounds, %d kept connections, behind nginx, GET /user/ping\n", rounds,
           LOAD_CONNECTIONS);
    for (int i = 0; i < SINKS; i++) {
        requests_s[i] = load_median(sides[i].requests_s, rounds);
        cpu[i] = load_median(sides[i].cpu_us, rounds);
        printf("log to %-20s %10.0f /s %8.2f us of processor time a request, %.0f lines dropped\n", sides[i].name,
               requests_s[i], cpu[i], metric(sides[i].system, "\ntandem_log_lines_dropped_total "));
    }
    printf("full pipe to /dev/null: throughput %.3f (at least 0.95), processor time %.3f\n",
           requests_s[1] / requests_s[0], cpu[1] / cpu[0]);
}

static enum err start(struct side *side)
{
    const char *settings[] = {"log.sink=file", side->file_setting, NULL};
    const struct system_opts opts = {.front = "nginx", .transport = "native", .settings = settings};
    return system_start(&opts, &side->system);
}

int main(void)
{
    static struct side sides[SINKS] = {{.name = "/dev/null", .file_setting = "log.file=/dev/null"},
                                       {.name = "a full pipe"}};
    unsigned rounds = setting("BENCH_ROUNDS", 5, ROUNDS_MAX), seconds = setting("BENCH_SECONDS", 3, 600);
    char pipe_path[PATH_SIZE];
    char *folder = process_folder();
    if (!folder || sodium_init() < 0)
        return EXIT_FAILURE;
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
    snprintf(sides[1].file_setting, sizeof sides[1].file_setting, "log.file=%s", pipe_path);
    int reader = mkfifo(pipe_path, 0600) == 0 ? open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    enum err err = reader < 0 ? err_because(ERR_IO, "no pipe at %s", pipe_path) : ERR_NONE;
    for (int i = 0; i < SINKS && !err; i++)
        err = start(&sides[i]);
    if (!err)
        err = measure(sides, rounds, seconds);
    if (err)
        fprintf(stderr, "bench: %s\n", err_cause());
    else
        report(sides, rounds);
    for (int i = 0; i < SINKS; i++)
        if (system_stop(sides[i].system))
            err = ERR_INTERNAL;
    process_remove(folder);
    free(folder);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
