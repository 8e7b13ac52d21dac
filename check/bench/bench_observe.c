/*
 * What it costs to be seen: processor time of the services for a request, with metrics, access log and tracing off,
 * with all of them on and one trace in ten kept, and with every trace kept.
 *
 * Three systems run side by side, one in each of these modes, and have their turns within the same moments: what else
 * the machine does is the same for all. Since two systems differ by as much as what is measured, the modes go round,
 * and each system has each of them for a third of the time: the ratio of two modes is the geometric mean of the three.
 *
 *     make bench-observe [OBSERVE_ROUNDS=100]
 */
#include "config.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "check/bench/bench_orders.h"
#include "check/bench/load.h"
#include "check/bench/turns.h"
#include "check/harness/process.h"
#include "check/harness/system.h"

enum { MODES = 3, SYSTEMS = MODES, FILE_MAX = 8192, PATH_SIZE = 512, SETTLED_MS = 60000 };
enum { GET_TURN_MS = 10, GET_TURNS = 8, POST_TURN_ORDERS = 128, POST_TURNS = 4, WARM_UP_ROUNDS = 2 };
enum { ROUNDS_IN_A_ROW = 5 };

static const char everything[] = "trace = { sampler = \"parentbased_traceidratio\"; ratio = \"%s\"; };\n";
static const char nothing[] = "metrics = { enabled = \"off\"; };\n"
                              "log = { level_net = \"warning\"; level_events = \"warning\"; };\n"
                              "trace = { enabled = \"off\"; };\n";

static const struct {
    const char *name, *settings, *ratio;
    double most;                  /* as a ratio to the first */
} modes[MODES] = {
    {"all off", nothing, "", 1},
    {"on, traces at 10%", everything, "0.1", 1.05},
    {"on, traces at 100%", everything, "1", 1.15},
};

/* One that is measured, its settings without those of a mode, and where its requests go. */
struct measured {
    struct system *system;
    struct http_client *client;   /* a customer's */
    struct turns *turns;
    char original[FILE_MAX], order_path[PATH_SIZE];
    double used_us;               /* of the processor, at the end of the last round */
    long requests;                /* in this round */
};

static struct measured all[SYSTEMS];

/* ---- what is asked for ---- */

static void get_request(void *context, char out[static TURNS_REQUEST_MAX])
{
    const struct measured *one = context;
    snprintf(out, TURNS_REQUEST_MAX, "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n",
             one->order_path, system_customer(one->system));
}

static void post_request(void *context, char out[static TURNS_REQUEST_MAX])
{
    const struct measured *one = context;
    char key[ID_SIZE];
    snprintf(out, TURNS_REQUEST_MAX, "POST /v1/orders HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
             "Idempotency-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             system_customer(one->system), id_new(key), strlen(BENCH_ORDER), BENCH_ORDER);
}

/* An order is done when it is paid: what it brings about in the three services belongs to it. */
static bool is_settled(void *context)
{
    const struct measured *one = context;
    return http_json_length(http_get(one->client, "/v1/orders?status=placed&limit=1"), "/items") == 0 &&
           http_json_length(http_get(one->client, "/v1/orders?status=reserved&limit=1"), "/items") == 0;
}

static bool is_answered(void *context)
{
    (void)context;
    return true;
}

static const struct {
    const char *name;
    turns_request *request;
    bool (*is_done)(void *context);
    int status;
    long requests;
    unsigned ms, turns;           /* of one turn; and turns a round, to and fro */
} kinds[] = {
    {"GET /v1/orders/{id}", get_request, is_answered, 200, 0, GET_TURN_MS, GET_TURNS},
    {"POST /v1/orders", post_request, is_settled, 201, POST_TURN_ORDERS, 0, POST_TURNS},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Processor time of a request; by the mode that the first system has, the mode, and the round. */
static double request_us[KINDS][MODES][MODES][LOAD_ROUNDS_MAX];

/* ---- modes ---- */

static const char *settings_path(const struct measured *one)
{
    static char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/tandem.conf", system_folder(one->system));
    return path;
}

static enum err read_original(struct measured *one)
{
    FILE *file = fopen(settings_path(one), "re");
    if (!file)
        return err_because(ERR_IO, "no settings at %s", settings_path(one));
    one->original[fread(one->original, 1, sizeof one->original - 1, file)] = '\0';
    fclose(file);
    return ERR_NONE;
}

struct change {
    struct measured *one;
    char before[SYSTEM_SERVICES][PATH_SIZE];   /* digests of what the three were running with */
};

static const char *digest_of(struct measured *one, enum system_service service)
{
    char path[64];
    snprintf(path, sizeof path, "/%s/version", system_service_name(service));
    return http_json_text(http_get(one->client, path), "/settings/digest");
}

static bool have_all_changed(void *context)
{
    const struct change *change = context;
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        const char *now = digest_of(change->one, i);
        if (!*now || strcmp(now, change->before[i]) == 0)
            return false;
    }
    return true;
}

static enum err switch_to(struct measured *one, int mode)
{
    struct change change = {.one = one};
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        snprintf(change.before[i], sizeof change.before[i], "%s", digest_of(one, i));
    FILE *file = fopen(settings_path(one), "we");
    bool is_written = file && fputs(one->original, file) >= 0 &&
                      fprintf(file, modes[mode].settings, modes[mode].ratio) >= 0;
    if ((file && fclose(file) != 0) || !is_written)
        return err_because(ERR_IO, "the settings cannot be written");
    return process_until(have_all_changed, &change, SETTLED_MS)
               ? ERR_NONE : err_because(ERR_DEADLINE, "the settings of \"%s\" are not taken up", modes[mode].name);
}

/* ---- measuring ---- */

static double services_cpu_us(const struct measured *one)
{
    double sum_us = 0;
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        clockid_t id;
        struct timespec used = {0, 0};
        if (clock_getcpuclockid(system_service_pid(one->system, i), &id) == 0)
            clock_gettime(id, &used);
        sum_us += (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
    }
    return sum_us;
}

static enum err take_turn(struct measured *one, int kind)
{
    const struct turn turn = {kinds[kind].request, one, kinds[kind].status, kinds[kind].requests, kinds[kind].ms};
    long requests = 0;
    enum err err = turns_run(one->turns, &turn, &requests);
    one->requests += requests;
    return err;
}

/* What is done later, on threads that gather, belongs to the next round: no time is in none. */
static double used_since_us(struct measured *one)
{
    double before_us = one->used_us;
    one->used_us = services_cpu_us(one);
    return one->used_us - before_us;
}

/* All have their turns, to and fro; ret_us is by system. */
static enum err run_round(int kind, double ret_us[static SYSTEMS])
{
    enum err err = ERR_NONE;
    for (int i = 0; i < SYSTEMS; i++)
        all[i].requests = 0;
    for (unsigned turn = 0; turn < kinds[kind].turns; turn++)
        for (int i = 0; i < SYSTEMS && !err; i++)
            err = take_turn(&all[turn % 2 ? SYSTEMS - 1 - i : i], kind);
    for (int i = 0; i < SYSTEMS && !err; i++)
        if (!process_until(kinds[kind].is_done, &all[i], SETTLED_MS))
            err = err_because(ERR_DEADLINE, "the requests do not come to their end");
    for (int i = 0; i < SYSTEMS && !err; i++)
        ret_us[i] = used_since_us(&all[i]) / (double)all[i].requests;
    return err;
}

/* The modes of the systems are those from `first` on. */
static enum err measure_with(int first, unsigned from_round, unsigned to_round)
{
    enum err err = ERR_NONE;
    double us[SYSTEMS];
    for (int i = 0; i < SYSTEMS && !err; i++)
        err = switch_to(&all[i], (first + i) % MODES);
    for (int kind = 0; kind < KINDS; kind++) {
        for (unsigned round = 0; round < WARM_UP_ROUNDS && !err; round++)
            err = run_round(kind, us);
        for (unsigned round = from_round; round < to_round && !err; round++) {
            err = run_round(kind, us);
            for (int i = 0; i < SYSTEMS; i++)
                request_us[kind][first][(first + i) % MODES][round] = us[i];
        }
    }
    return err;
}

/* All rounds, the modes having gone round every few of them, as long as nothing of the machine's has changed much. */
static enum err measure(unsigned rounds)
{
    enum err err = ERR_NONE;
    for (unsigned from = 0, to; from < rounds && !err; from = to) {
        to = from + ROUNDS_IN_A_ROW < rounds ? from + ROUNDS_IN_A_ROW : rounds;
        for (int first = 0; first < SYSTEMS && !err; first++)
            err = measure_with(first, from, to);
    }
    return err;
}

static double ratio_of(int kind, int mode, unsigned rounds)
{
    double product = 1;
    for (int first = 0; first < SYSTEMS; first++)
        product *= load_median_ratio(request_us[kind][first][mode], request_us[kind][first][0], rounds);
    return cbrt(product);
}

static void report(unsigned rounds)
{
    printf("processor time of the three services, medians of %d times %u interleaved rounds, %d kept connections\n",
           SYSTEMS, rounds, LOAD_CONNECTIONS);
    for (int kind = 0; kind < KINDS; kind++)
        for (int mode = 0; mode < MODES; mode++)
            printf("%-22s %-20s ratio %.3f (at most %.2f)\n", kinds[kind].name, modes[mode].name,
                   ratio_of(kind, mode, rounds), modes[mode].most);
    for (int kind = 0; kind < KINDS; kind++)
        for (int mode = 0; mode < MODES; mode++) {
            double sum_us = 0;
            for (int first = 0; first < SYSTEMS; first++)
                sum_us += load_median(request_us[kind][first][mode], rounds);
            printf("%-22s %-20s %8.2f us a request\n", kinds[kind].name, modes[mode].name, sum_us / SYSTEMS);
        }
}

/* ---- the whole ---- */

static enum err find_order(struct measured *one)
{
    const char *id = http_json_text(http_get(one->client, "/v1/orders?limit=1"), "/items/0/id");
    snprintf(one->order_path, sizeof one->order_path, "/v1/orders/%s", id);
    return *id ? ERR_NONE : err_because(ERR_INTERNAL, "there is no order to read");
}

static enum err prepare(struct measured *one)
{
    static const char *const settings[] = {"log.sink=file", "log.file=/dev/null", "log.repeat_burst=0", NULL};
    const struct system_opts opts = {.front = "nginx", .transport = "native", .settings = settings};
    enum err err = system_start(&opts, &one->system);
    if (err)
        return err;
    one->client = system_client(one->system);
    http_client_token(one->client, system_customer(one->system));
    err = bench_orders_prepare(one->system);
    if (!err)
        err = turns_open(system_port(one->system), LOAD_CONNECTIONS, &one->turns);
    if (!err)
        err = read_original(one);
    return err ? err : find_order(one);
}

static enum err finish(struct measured *one)
{
    turns_close(one->turns);
    http_client_free(one->client);
    return system_stop(one->system);
}

int main(void)
{
    unsigned rounds = load_setting("OBSERVE_ROUNDS", 100, LOAD_ROUNDS_MAX);
    enum err err = ERR_NONE;
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    for (int i = 0; i < SYSTEMS && !err; i++)
        err = prepare(&all[i]);
    if (!err)
        err = measure(rounds);
    if (err)
        fprintf(stderr, "bench: %s\n", err_cause());
    else
        report(rounds);
    for (int i = 0; i < SYSTEMS; i++)
        if (finish(&all[i]) && !err) {
            fprintf(stderr, "bench: %s\n", err_cause());
            err = ERR_INTERNAL;
        }
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
