/*
 * What a log that nobody reads costs: the same load on one service, whose log goes into a full pipe and to /dev/null in
 * turn. It is one service because two differ by more than what is measured; SIGUSR1 has it change over.
 *
 *     make bench-log [BENCH_ROUNDS=5] [BENCH_SECONDS=3]
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/bench/load.h"
#include "check/harness/process.h"
#include "check/harness/system.h"

enum { SINKS = 2, PATH_SIZE = 256, SWITCH_MS = 10000 };

#define DROPPED "\ntandem_log_lines_dropped_total "

struct side {
    const char *name, *target;    /* what the log's name stands for */
    double requests_s[LOAD_ROUNDS_MAX], cpu_us[LOAD_ROUNDS_MAX], dropped;
};

static struct {
    struct system *system;
    char link[PATH_SIZE], staged[PATH_SIZE], pipe[PATH_SIZE], file_setting[PATH_SIZE + 16];
    const char *now;
    int reader;
} bench = {.now = "/dev/null"};

static double metric(const char *name)
{
    struct http_client *client = system_client(bench.system);
    const char *at = strstr(http_get(client, "/user/metrics")->body, name);
    double value = at ? strtod(at + strlen(name), NULL) : -1;
    http_client_free(client);
    return value;
}

static double cpu_us(void)
{
    return metric("\nprocess_cpu_seconds_total ") * 1e6;
}

/* ---- one service, whose log is now this and now that ---- */

static bool is_open(void *context)
{
    struct pollfd poll_fd = {.fd = bench.reader, .events = POLLIN};
    (void)context;
    metric("");                   /* something to log */
    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLIN);
}

/* Reads what waits, so that the service comes to the end of it. */
static bool is_closed(void *context)
{
    static char waste[65536];
    (void)context;
    while (read(bench.reader, waste, sizeof waste) > 0)
        continue;
    struct pollfd poll_fd = {.fd = bench.reader, .events = POLLIN};
    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLIN | POLLHUP)) == POLLHUP;
}

static enum err point_at(const char *target)
{
    if (symlink(target, bench.staged) != 0 || rename(bench.staged, bench.link) != 0)
        return err_because(ERR_IO, "no link at %s", bench.link);
    return ERR_NONE;
}

static enum err switch_to(const char *target)
{
    bool is_pipe = strcmp(target, bench.pipe) == 0;
    if (strcmp(target, bench.now) == 0)
        return ERR_NONE;
    bench.now = target;
    enum err err = point_at(target);
    if (err)
        return err;
    system_service_signal(bench.system, SYSTEM_USER, SIGUSR1);
    return process_until(is_pipe ? is_open : is_closed, NULL, SWITCH_MS)
               ? ERR_NONE : err_because(ERR_DEADLINE, "the log was not opened anew");
}

static enum err run_round(struct side *side, unsigned round, unsigned seconds)
{
    char url[PATH_SIZE];
    struct load_result result;
    snprintf(url, sizeof url, "%s/user/ping", system_url(bench.system));
    enum err err = switch_to(side->target);
    double before_us = cpu_us(), dropped = metric(DROPPED);
    if (!err)
        err = load_run(url, NULL, seconds, system_folder(bench.system), &result);
    if (err)
        return err;
    side->cpu_us[round] = (cpu_us() - before_us) / (double)result.requests;
    side->requests_s[round] = result.requests_per_s;
    side->dropped += metric(DROPPED) - dropped;
    return ERR_NONE;
}

/* Each in turn, and the one that was last goes first in the next round. */
static enum err measure(struct side *sides, unsigned rounds, unsigned seconds)
{
    enum err err = ERR_NONE;
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < SINKS && !err; i++)
            err = run_round(&sides[round % 2 ? SINKS - 1 - i : i], round, seconds);
    return err;
}

static void report(struct side *sides, unsigned rounds)
{
    double throughput = load_median_ratio(sides[0].requests_s, sides[1].requests_s, rounds);
    double processor = load_median_ratio(sides[0].cpu_us, sides[1].cpu_us, rounds);
    printf("medians of %u interleaved rounds, %d kept connections, behind nginx, GET /user/ping\n", rounds,
           LOAD_CONNECTIONS);
    for (int i = 0; i < SINKS; i++) {
        printf("log to %-20s %10.0f /s %8.2f us of processor time a request, %.0f lines dropped\n", sides[i].name,
               load_median(sides[i].requests_s, rounds), load_median(sides[i].cpu_us, rounds), sides[i].dropped);
    }
    printf("full pipe to /dev/null: throughput %.3f (at least 0.95), processor time %.3f\n",
           throughput, processor);
}

static enum err start(const char *folder)
{
    const char *settings[] = {"log.sink=file", bench.file_setting, NULL};
    const struct system_opts opts = {.front = "nginx", .transport = "native", .settings = settings};
    snprintf(bench.link, sizeof bench.link, "%s/log", folder);
    snprintf(bench.staged, sizeof bench.staged, "%s/log.new", folder);
    snprintf(bench.pipe, sizeof bench.pipe, "%s/pipe", folder);
    snprintf(bench.file_setting, sizeof bench.file_setting, "log.file=%s", bench.link);
    bench.reader = mkfifo(bench.pipe, 0600) == 0 ? open(bench.pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    enum err err = bench.reader < 0 ? err_because(ERR_IO, "no pipe at %s", bench.pipe) : point_at("/dev/null");
    return err ? err : system_start(&opts, &bench.system);
}

int main(void)
{
    static struct side sides[SINKS] = {{.name = "a full pipe", .target = bench.pipe},
                                       {.name = "/dev/null", .target = "/dev/null"}};
    unsigned rounds = load_setting("BENCH_ROUNDS", 5, LOAD_ROUNDS_MAX), seconds = load_setting("BENCH_SECONDS", 3, 600);
    char *folder = process_folder();
    if (!folder || sodium_init() < 0)
        return EXIT_FAILURE;
    enum err err = start(folder);
    if (!err)
        err = measure(sides, rounds, seconds);
    if (err)
        fprintf(stderr, "bench: %s\n", err_cause());
    else
        report(sides, rounds);
    if (system_stop(bench.system))
        err = ERR_INTERNAL;
    process_remove(folder);
    free(folder);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
