#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/http_client.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/service/machines.h"
#include "check/service/scale_load.h"

enum { KEPT_REQUESTS = 300, SETTLE_MS = 1500, CALM_MS = 1000, KNOWN_MS = 20000 };

static struct {
    char sku[64];
    pthread_t threads[SCALE_LOAD_CONNECTIONS];
    atomic_bool over;
    atomic_uint requests, failed, failed_late;
    _Atomic int64_t calm_from_ns;          /* failures from then on are late */
    pthread_mutex_t lock;                  /* of the first failure */
    char first[512];
} load = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- load ---- */

static void note_failure(const struct http_answer *answer, const char *what)
{
    atomic_fetch_add(&load.failed, 1);
    if (clock_now_ns() >= load.calm_from_ns)
        atomic_fetch_add(&load.failed_late, 1);
    pthread_mutex_lock(&load.lock);
    if (!*load.first)
        snprintf(load.first, sizeof load.first, "%s: %d %.300s", what, answer->status, answer->body);
    pthread_mutex_unlock(&load.lock);
}

static void expect(const struct http_answer *answer, int status, const char *what)
{
    atomic_fetch_add(&load.requests, 1);
    if (answer->status != status)
        note_failure(answer, what);
}

static void ask_each(struct http_client *client)
{
    char token[TOKEN_SIZE], key[ID_SIZE];
    http_client_token(client, token_new(token));
    expect(http_get(client, "/v1/orders"), 401, "a token of nobody at order");
    expect(http_get(client, "/v1/users/me"), 401, "a token of nobody at user");
    http_client_token(client, machines_customer());
    expect(http_get(client, "/v1/users/me"), 200, "who am I");
    http_with(client, "Idempotency-Key: %s", id_new(key));
    expect(http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", load.sku), 201,
           "an order");
    expect(http_get(client, "/v1/items?limit=2"), 200, "items");
}

static void *run_load(void *context)
{
    (void)context;
    while (!load.over) {
        struct http_client *client = http_client_new(machines_url());
        for (int i = 0; i < KEPT_REQUESTS && !load.over; i += 5)
            ask_each(client);
        http_client_free(client);
    }
    return NULL;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

/* The load goes on meanwhile, which is all there is to see. */
void scale_load_wait_ms(unsigned ms)
{
    process_until(never, NULL, ms);
}

void scale_load_begin(void)
{
    load.over = false;
    load.requests = load.failed = load.failed_late = 0;
    load.calm_from_ns = INT64_MAX;
    load.first[0] = '\0';
    for (size_t i = 0; i < SCALE_LOAD_CONNECTIONS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&load.threads[i], NULL, run_load, NULL), 0);
    scale_load_wait_ms(SETTLE_MS);
    CU_ASSERT_EQUAL(load.failed, 0);
}

/* What has just happened may be felt for a moment. */
void scale_load_calm_soon(void)
{
    load.calm_from_ns = clock_now_ns() + CALM_MS * NS_PER_MS;
}

void scale_load_end(const char *what, unsigned failed_max)
{
    load.over = true;
    for (size_t i = 0; i < SCALE_LOAD_CONNECTIONS; i++)
        pthread_join(load.threads[i], NULL);
    printf("# %s: %u requests, %u failed, %u of them after %d ms%s%s\n", what, load.requests, load.failed,
           load.failed_late, CALM_MS, *load.first ? "; first: " : "", load.first);
    CU_ASSERT(load.failed <= failed_max);
    CU_ASSERT_EQUAL(load.failed_late, 0);
}

/* ---- what is ordered ---- */

/* The orders' service has heard of it. */
static bool is_known(void *context)
{
    char key[ID_SIZE];
    http_with(context, "Idempotency-Key: %s", id_new(key));
    return http_send(context, "POST", "/v1/orders",
                     "{\"lines\":[{\"sku\":\"scale-out\",\"quantity\":1}]}")->status == 201;
}

enum err scale_load_prepare(void)
{
    struct http_client *client = http_client_new(machines_url());
    snprintf(load.sku, sizeof load.sku, "scale-out");
    http_client_token(client, machines_admin());
    int put = http_send(client, "PUT", "/v1/items/scale-out",
                        "{\"name\":\"A thing\",\"price\":{\"amount_minor\":100,\"currency\":\"EUR\"}}")->status;
    http_with(client, "Idempotency-Key: scale-out");
    int stock = http_send(client, "POST", "/v1/items/scale-out/stock",
                          "{\"delta\":1000000,\"reason\":\"delivery\"}")->status;
    http_client_token(client, machines_customer());
    bool can_be_ordered = process_until(is_known, client, KNOWN_MS);
    http_client_free(client);
    return put < 300 && stock == 200 && can_be_ordered ? ERR_NONE
                                                       : err_because(ERR_INTERNAL, "no item: %d, %d", put, stock);
}
