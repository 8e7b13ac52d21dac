/*
 * The benchmarks: figures as ratios to what the same nginx does by itself, in interleaved rounds on one machine.
 *
 *     make bench [BENCH_ROUNDS=5] [BENCH_SECONDS=3]
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/bench/bench_front.h"
#include "check/bench/bench_orders.h"
#include "check/bench/load.h"
#include "check/harness/system.h"

struct figures {
    double yardstick[LOAD_ROUNDS_MAX], ping[LOAD_ROUNDS_MAX], ratio[LOAD_ROUNDS_MAX], cpu_us[LOAD_ROUNDS_MAX],
        orders_s[LOAD_ROUNDS_MAX];
    long failed;
    size_t rounds;
};

/* Processor time of the user service so far, by its own account. */
static double service_cpu_us(struct http_client *client)
{
    static const char name[] = "\nprocess_cpu_seconds_total ";
    const char *at = strstr(http_get(client, "/user/metrics")->body, name);
    return at ? strtod(at + strlen(name), NULL) * 1e6 : -1;
}

static enum err ping_round(struct system *system, struct bench_front *front, unsigned seconds, struct figures *figures)
{
    char url[128];
    struct load_result yardstick, ping;
    struct http_client *client = system_client(system);
    size_t at = figures->rounds;
    enum err err = load_run(front->url, NULL, seconds, system_folder(system), &yardstick);
    double before_us = service_cpu_us(client);
    snprintf(url, sizeof url, "%s/user/ping", system_url(system));
    if (!err)
        err = load_run(url, NULL, seconds, system_folder(system), &ping);
    double after_us = service_cpu_us(client);
    http_client_free(client);
    if (err)
        return err;
    figures->yardstick[at] = yardstick.requests_per_s;
    figures->ping[at] = ping.requests_per_s;
    figures->ratio[at] = ping.requests_per_s / yardstick.requests_per_s;
    figures->cpu_us[at] = (after_us - before_us) / (double)ping.requests;
    figures->failed += yardstick.failed + ping.failed;
    return ERR_NONE;
}

static enum err measure(struct system *system, struct bench_front *front, struct figures *figures)
{
    unsigned rounds = load_setting("BENCH_ROUNDS", 5, LOAD_ROUNDS_MAX), seconds = load_setting("BENCH_SECONDS", 3, 600);
    enum err err = bench_orders_prepare(system);
    for (unsigned i = 0; i < rounds && !err; i++) {
        err = ping_round(system, front, seconds, figures);
        if (!err)
            err = bench_orders_round(system, &figures->orders_s[figures->rounds]);
        if (!err)
            figures->rounds++;
    }
    return err;
}

static void report(struct figures *figures)
{
    size_t rounds = figures->rounds;
    double orders_s = load_median(figures->orders_s, rounds);
    printf("medians of %zu interleaved rounds, %d kept connections, behind nginx\n", rounds, LOAD_CONNECTIONS);
    printf("%-44s %12.0f /s\n", "nginx return 200", load_median(figures->yardstick, rounds));
    printf("%-44s %12.0f /s\n", "GET /user/ping", load_median(figures->ping, rounds));
    printf("%-44s %12.2f    (at least 0.33)\n", "  ratio to nginx", load_median(figures->ratio, rounds));
    printf("%-44s %12.2f us\n", "  processor time of the service, a request", load_median(figures->cpu_us, rounds));
    printf("%-44s %12ld    (0)\n", "  requests without an answer", figures->failed);
    printf("%-44s %12.3f s  (under 1)\n", "1,000 durable orders", orders_s);
    printf("%-44s %12.0f /s\n", "  orders", BENCH_ORDERS / orders_s);
}

int main(void)
{
    const struct system_opts opts = {.front = "nginx", .transport = "native"};
    static struct figures figures;
    struct bench_front front = {.url = ""};
    struct system *system = NULL;
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    enum err err = system_start(&opts, &system);
    if (!err)
        err = bench_front_start(system_folder(system), &front);
    if (!err)
        err = measure(system, &front, &figures);
    if (err)
        fprintf(stderr, "bench: %s\n", err_cause());
    else
        report(&figures);
    bench_front_stop(&front);
    enum err stopped = system_stop(system);
    if (stopped)
        fprintf(stderr, "bench: %s\n", err_cause());
    return err || stopped ? EXIT_FAILURE : EXIT_SUCCESS;
}
