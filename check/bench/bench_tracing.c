/*
 * Processor time of the order service, a request, with tracing off, at a tenth, and of all: three systems side by side,
 * asked in turn. Figures, never a test.
 *
 *     make bench-tracing [BENCH_ROUNDS=5] [BENCH_REQUESTS=8000]
 */
#include "config.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "check/bench/load.h"
#include "check/harness/process.h"
#include "check/harness/system.h"

enum { ROUNDS_MAX = 100, CONNECTIONS = 8, PATIENCE_MS = 20000, PATH_SIZE = 128 };

enum kind { READ, CHANGE, KINDS };

static const char *const kinds[KINDS] = {"GET /v1/orders/{id}", "POST /v1/orders"};

struct subject {
    const char *name;
    const char *settings[8];
    struct system *system;
    char path[PATH_SIZE];              /* of an order */
    double cpu_us[KINDS][ROUNDS_MAX];
};

static struct subject subjects[] = {
    {.name = "off", .settings = {"log.level=warning", "trace.enabled=off", NULL}},
    {.name = "10%", .settings = {"log.level=warning", "trace.sampler=traceidratio", "trace.ratio=0.1", NULL}},
    {.name = "100%", .settings = {"log.level=warning", "trace.sampler=always_on", NULL}},
};

enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

static unsigned setting(const char *name, unsigned otherwise, unsigned most)
{
    const char *given = getenv(name);
    unsigned long value = given ? strtoul(given, NULL, 10) : 0;
    return value == 0 ? otherwise : value > most ? most : (unsigned)value;
}

/* ---- load ---- */

struct run {
    struct subject *subject;
    enum kind kind;
    unsigned requests;
    atomic_uint next, failed;
};

static struct http_answer *place(struct http_client *client)
{
    char key[ID_SIZE];
    http_with(client, "Idempotency-Key: %s", id_new(key));
    return http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"bench\",\"quantity\":1}]}");
}

/* A client keeps its answers, so each thread has a new one now and then. */
static void *connection_main(void *argument)
{
    struct run *run = argument;
    enum { ANSWERS = 500 };
    struct http_client *client = NULL;
    for (unsigned i = 0; atomic_fetch_add(&run->next, 1) < run->requests; i++) {
        if (i % ANSWERS == 0) {
            http_client_free(client);
            client = system_client(run->subject->system);
            http_client_token(client, system_customer(run->subject->system));
        }
        int status = run->kind == READ ? http_get(client, run->subject->path)->status : place(client)->status;
        if (status != (run->kind == READ ? 200 : 201))
            atomic_fetch_add(&run->failed, 1);
    }
    http_client_free(client);
    return NULL;
}

static double cpu_us(const struct subject *subject)
{
    static const char name[] = "\nprocess_cpu_seconds_total ";
    struct http_client *client = system_client(subject->system);
    const char *at = strstr(http_get(client, "/order/metrics")->body, name);
    double cpu = at ? strtod(at + strlen(name), NULL) * 1e6 : 0;
    http_client_free(client);
    return cpu;
}

static bool measure(struct subject *subject, enum kind kind, unsigned requests, double *ret)
{
    struct run run = {.subject = subject, .kind = kind, .requests = requests};
    pthread_t threads[CONNECTIONS];
    unsigned started = 0;
    double before_us = cpu_us(subject);
    while (started < CONNECTIONS && pthread_create(&threads[started], NULL, connection_main, &run) == 0)
        started++;
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    *ret = (cpu_us(subject) - before_us) / requests;
    return started == CONNECTIONS && run.failed == 0;
}

/* ---- a system with an order ---- */

static bool has_order(void *context)
{
    struct subject *subject = context;
    struct http_client *client = system_client(subject->system);
    http_client_token(client, system_customer(subject->system));
    struct http_answer *order = place(client);
    if (order->status == 201)
        snprintf(subject->path, sizeof subject->path, "/v1/orders/%s", http_json_text(order, "/id"));
    http_client_free(client);
    return *subject->path != '\0';
}

static bool start(struct subject *subject)
{
    const struct system_opts opts = {.front = "nginx", .transport = "native", .settings = subject->settings};
    if (system_start(&opts, &subject->system)) {
        fprintf(stderr, "bench_tracing: %s\n", err_cause());
        return false;
    }
    struct http_client *client = system_client(subject->system);
    http_client_token(client, system_admin(subject->system));
    http_send(client, "PUT", "/v1/items/bench",
              "{\"name\":\"Bench\",\"price\":{\"amount_minor\":100,\"currency\":\"EUR\"}}");
    http_client_free(client);
    return process_until(has_order, subject, PATIENCE_MS);
}

static bool run_rounds(unsigned rounds, unsigned requests)
{
    for (unsigned round = 0; round < rounds; round++)
        for (enum kind kind = 0; kind < KINDS; kind++)
            for (size_t i = 0; i < SUBJECTS; i++)
                if (!measure(&subjects[i], kind, requests, &subjects[i].cpu_us[kind][round])) {
                    fprintf(stderr, "bench_tracing: not every request was answered well\n");
                    return false;
                }
    return true;
}

static void report(unsigned rounds)
{
    printf("processor time of the order service, medians of %u interleaved rounds\n", rounds);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        double off_us = load_median(subjects[0].cpu_us[kind], rounds);
        for (size_t i = 0; i < SUBJECTS; i++) {
            double us = load_median(subjects[i].cpu_us[kind], rounds);
            printf("%-24s %-6s %8.2f us  %+6.1f%%\n", kinds[kind], subjects[i].name, us, (us / off_us - 1) * 100);
        }
    }
}

int main(void)
{
    unsigned rounds = setting("BENCH_ROUNDS", 5, ROUNDS_MAX), requests = setting("BENCH_REQUESTS", 8000, 1000000);
    bool well = sodium_init() >= 0;
    for (size_t i = 0; i < SUBJECTS && well; i++)
        well = start(&subjects[i]);
    well = well && run_rounds(rounds, requests);
    if (well)
        report(rounds);
    for (size_t i = 0; i < SUBJECTS; i++)
        well = system_stop(subjects[i].system) == ERR_NONE && well;
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
