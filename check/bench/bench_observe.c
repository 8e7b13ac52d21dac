/*
 * What it costs to be seen: processor time of the services for a request, with metrics, access log and tracing off,
 * with all of them on and one trace in ten kept, and with every trace kept. It is one system that changes over, live,
 * in interleaved rounds, because two systems differ by more than what is measured.
 *
 *     make bench-observe [BENCH_ROUNDS=32] [BENCH_SECONDS=1]
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "check/bench/bench_orders.h"
#include "check/bench/load.h"
#include "check/harness/process.h"
#include "check/harness/system.h"

enum { MODES = 3, REQUESTS = 2, ORDER_ROUNDS = 5, FILE_MAX = 8192, PATH_SIZE = 512, SETTLED_MS = 60000 };

static const struct {
    const char *name, *settings;
    double most[REQUESTS];        /* as ratios to the first */
} modes[MODES] = {
    {"all off", "metrics = { enabled = \"off\"; };\n"
                "log = { level_net = \"warning\"; level_events = \"warning\"; };\n"
                "trace = { enabled = \"off\"; };\n", {1, 1}},
    {"on, traces at 10%", "trace = { sampler = \"parentbased_traceidratio\"; ratio = \"0.1\"; };\n", {1.05, 1.05}},
    {"on, traces at 100%", "trace = { sampler = \"parentbased_traceidratio\"; ratio = \"1\"; };\n", {1.15, 1.15}},
};

static const char *const request_names[REQUESTS] = {"GET /v1/orders/{id}", "POST /v1/orders"};

static struct {
    struct system *system;
    struct http_client *client;   /* a customer's */
    char original[FILE_MAX], order_url[PATH_SIZE];
    double cpu_us[REQUESTS][MODES][LOAD_ROUNDS_MAX];
} bench;

/* ---- one system, whose settings are now these and now those ---- */

static const char *settings_path(void)
{
    static char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/tandem.conf", system_folder(bench.system));
    return path;
}

static enum err read_original(void)
{
    FILE *file = fopen(settings_path(), "re");
    if (!file)
        return err_because(ERR_IO, "no settings at %s", settings_path());
    bench.original[fread(bench.original, 1, sizeof bench.original - 1, file)] = '\0';
    fclose(file);
    return ERR_NONE;
}

/* The digests of what the three are running with, one after the other. */
static void read_digests(char out[static PATH_SIZE])
{
    size_t length = 0;
    out[0] = '\0';
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        char path[64];
        snprintf(path, sizeof path, "/%s/version", system_service_name(i));
        length += (size_t)snprintf(out + length, PATH_SIZE - length, "%s\n",
                                   http_json_text(http_get(bench.client, path), "/settings/digest"));
    }
}

static bool have_all_changed(void *before)
{
    char now[PATH_SIZE], *rest = now, *was = before;
    read_digests(now);
    for (int i = 0; i < SYSTEM_SERVICES; i++) {
        size_t length = strcspn(rest, "\n"), was_length = strcspn(was, "\n");
        if (length == 0 || (length == was_length && strncmp(rest, was, length) == 0))
            return false;
        rest += length + 1;
        was += was_length + 1;
    }
    return true;
}

static enum err switch_to(int mode)
{
    char before[PATH_SIZE];
    static int now = -1;
    if (mode == now)
        return ERR_NONE;
    read_digests(before);
    FILE *file = fopen(settings_path(), "we");
    if (!file || fprintf(file, "%s%s", bench.original, modes[mode].settings) < 0 || fclose(file) != 0)
        return err_because(ERR_IO, "the settings cannot be written");
    now = mode;
    return process_until(have_all_changed, before, SETTLED_MS)
               ? ERR_NONE : err_because(ERR_DEADLINE, "the settings of \"%s\" are not taken up", modes[mode].name);
}

/* ---- measuring ---- */

static double services_cpu_us(void)
{
    double sum_us = 0;
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        clockid_t id;
        struct timespec used = {0, 0};
        if (clock_getcpuclockid(system_service_pid(bench.system, i), &id) == 0)
            clock_gettime(id, &used);
        sum_us += (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
    }
    return sum_us;
}

static bool is_settled(void *context)
{
    (void)context;
    return http_json_length(http_get(bench.client, "/v1/orders?status=placed&limit=1"), "/items") == 0 &&
           http_json_length(http_get(bench.client, "/v1/orders?status=reserved&limit=1"), "/items") == 0;
}

static enum err get_round(unsigned seconds, double *ret_us)
{
    struct load_result result;
    double before_us = services_cpu_us();
    enum err err = load_run(bench.order_url, system_customer(bench.system), seconds, system_folder(bench.system),
                            &result);
    if (!err && result.failed)
        err = err_because(ERR_INTERNAL, "%ld requests were not answered 200", result.failed);
    if (!err)
        *ret_us = (services_cpu_us() - before_us) / (double)result.requests;
    return err;
}

/* With all that an order brings about in the three services, up to its being paid. */
static enum err post_round(double *ret_us)
{
    double seconds, before_us = services_cpu_us();
    for (int i = 0; i < ORDER_ROUNDS; i++) {
        enum err err = bench_orders_round(bench.system, &seconds);
        if (err)
            return err;
    }
    if (!process_until(is_settled, NULL, SETTLED_MS))
        return err_because(ERR_DEADLINE, "the orders do not come to their end");
    *ret_us = (services_cpu_us() - before_us) / (ORDER_ROUNDS * BENCH_ORDERS);
    return ERR_NONE;
}

/* Each mode in turn, and the one that was last goes first in the next round. */
static enum err measure(unsigned rounds, unsigned seconds)
{
    enum err err = ERR_NONE;
    for (unsigned round = 0; round < rounds; round++)
        for (int i = 0; i < MODES && !err; i++) {
            int mode = round % 2 ? MODES - 1 - i : i;
            err = switch_to(mode);
            if (!err)
                err = get_round(seconds, &bench.cpu_us[0][mode][round]);
            if (!err)
                err = post_round(&bench.cpu_us[1][mode][round]);
        }
    return err;
}

static void report(unsigned rounds)
{
    printf("processor time of the three services, medians of %u interleaved rounds, %d kept connections, nginx\n",
           rounds, LOAD_CONNECTIONS);
    for (int request = 0; request < REQUESTS; request++)
        for (int mode = 0; mode < MODES; mode++) {
            double (*row)[LOAD_ROUNDS_MAX] = bench.cpu_us[request];
            double ratio = load_median_ratio(row[mode], row[0], rounds);
            printf("%-22s %-20s ratio %.3f (at most %.2f)\n", request_names[request], modes[mode].name, ratio,
                   modes[mode].most[request]);
        }
    for (int request = 0; request < REQUESTS; request++)
        for (int mode = 0; mode < MODES; mode++)
            printf("%-22s %-20s %8.2f us a request\n", request_names[request], modes[mode].name,
                   load_median(bench.cpu_us[request][mode], rounds));
}

/* ---- the whole ---- */

static enum err prepare(void)
{
    enum err err = bench_orders_prepare(bench.system);
    if (err)
        return err;
    bench.client = system_client(bench.system);
    http_client_token(bench.client, system_customer(bench.system));
    err = read_original();
    double seconds;
    if (!err)
        err = bench_orders_round(bench.system, &seconds);
    if (err)
        return err;
    const char *id = http_json_text(http_get(bench.client, "/v1/orders?limit=1"), "/items/0/id");
    if (!*id)
        return err_because(ERR_INTERNAL, "there is no order to read");
    snprintf(bench.order_url, sizeof bench.order_url, "%s/v1/orders/%s", system_url(bench.system), id);
    return ERR_NONE;
}

int main(void)
{
    const char *settings[] = {"log.sink=file", "log.file=/dev/null", "log.repeat_burst=0", NULL};
    const struct system_opts opts = {.front = "nginx", .transport = "native", .settings = settings};
    unsigned rounds = load_setting("BENCH_ROUNDS", 32, LOAD_ROUNDS_MAX);
    unsigned seconds = load_setting("BENCH_SECONDS", 1, 600);
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    enum err err = system_start(&opts, &bench.system);
    if (!err)
        err = prepare();
    if (!err)
        err = measure(rounds, seconds);
    if (err)
        fprintf(stderr, "bench: %s\n", err_cause());
    else
        report(rounds);
    http_client_free(bench.client);
    if (system_stop(bench.system)) {
        fprintf(stderr, "bench: %s\n", err_cause());
        err = ERR_INTERNAL;
    }
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
