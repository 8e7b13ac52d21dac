/* Four processes of each service behind one socket, on one database: they are one service to whoever asks. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

/* WAIT_MAX_MS is a bound for a machine that does other things as well; the figure that counts is printed. */
enum { WORKERS = 4, GANG = 32, LOAD_MS = 2000, WAIT_MAX_MS = 1000, TAKE_OVER_MS = 5000, SALE_PIECES = 40 };

static const char *const settings[] = {"log.level=warning", NULL};

static int64_t patience(void)
{
    return system_is_slow() ? 10 : 1;
}

/* ---- many at once ---- */

struct gang {
    char sku[STEP_ID_SIZE], key[STEP_ID_SIZE];
    int64_t until_ns;
    atomic_uint next, good, bad;
    pthread_mutex_t lock;                /* of what follows */
    int64_t worst_ns;
    char id[STEP_ID_SIZE], other[256];   /* of the first answer; of one that differs */
};

static void run_gang(struct gang *gang, void *(*member)(void *))
{
    pthread_t threads[GANG];
    unsigned started = 0;
    pthread_mutex_init(&gang->lock, NULL);
    while (started < GANG && pthread_create(&threads[started], NULL, member, gang) == 0)
        started++;
    CU_ASSERT_EQUAL(started, GANG);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&gang->lock);
}

static struct http_client *member_client(const char *token)
{
    struct http_client *client = system_client(variant_system());
    http_client_token(client, token);
    return client;
}

/* ---- full write load ---- */

static void *write_member(void *argument)
{
    struct gang *gang = argument;
    struct http_client *client = member_client(system_admin(variant_system()));
    char path[128];
    snprintf(path, sizeof path, "/v1/items/%s/stock", gang->sku);
    int64_t worst_ns = 0;
    http_get(client, "/v1/orders");   /* who is asking is known from here on, and the connection is open */
    while (clock_now_ns() < gang->until_ns) {
        http_with(client, "Idempotency-Key: %s-%u", gang->sku, atomic_fetch_add(&gang->next, 1));
        struct http_answer *answer = http_send(client, "POST", path, "{\"delta\":1,\"reason\":\"delivery\"}");
        atomic_fetch_add(answer->status == 200 ? &gang->good : &gang->bad, 1);
        worst_ns = answer->took_ns > worst_ns ? answer->took_ns : worst_ns;
    }
    pthread_mutex_lock(&gang->lock);
    gang->worst_ns = worst_ns > gang->worst_ns ? worst_ns : gang->worst_ns;
    pthread_mutex_unlock(&gang->lock);
    http_client_free(client);
    return NULL;
}

static void test_writers_take_turns(void)
{
    struct gang gang = {.sku = ""};
    step_item(1, gang.sku);
    gang.until_ns = clock_now_ns() + LOAD_MS * NS_PER_MS;
    run_gang(&gang, write_member);
    printf("# %s: %d processes, %d connections: %u changes in %d ms, the slowest took %.1f ms\n", variant_now()->name,
           WORKERS, GANG, gang.good, LOAD_MS, (double)gang.worst_ns / NS_PER_MS);
    CU_ASSERT_EQUAL(gang.bad, 0);
    CU_ASSERT(gang.worst_ns < WAIT_MAX_MS * NS_PER_MS * patience());
    step_await_stock(gang.sku, 1 + gang.good, 0);
}

/* ---- one key, many processes ---- */

static void *key_member(void *argument)
{
    struct gang *gang = argument;
    struct http_client *client = member_client(system_customer(variant_system()));
    http_with(client, "Idempotency-Key: %s", gang->key);
    struct http_answer *answer = http_send(client, "POST", "/v1/orders",
                                           "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", gang->sku);
    const char *id = http_json_text(answer, "/id");
    pthread_mutex_lock(&gang->lock);
    if (!*gang->id)
        snprintf(gang->id, sizeof gang->id, "%s", id);
    if (answer->status != 201 || strcmp(gang->id, id) != 0)
        snprintf(gang->other, sizeof gang->other, "%d %.200s", answer->status, answer->body);
    pthread_mutex_unlock(&gang->lock);
    http_client_free(client);
    return NULL;
}

static void test_one_key(void)
{
    for (int i = 0; i < 5; i++) {
        struct gang gang = {.sku = ""};
        step_item(10, gang.sku);
        snprintf(gang.key, sizeof gang.key, "one-%u", step_number());
        run_gang(&gang, key_member);
        CU_ASSERT_STRING_EQUAL(gang.other, "");
        step_await(variant_customer(), gang.id, "paid");
        step_await_stock(gang.sku, 9, 0);
    }
}

/* ---- nothing is sold twice ---- */

static void *sale_member(void *argument)
{
    struct gang *gang = argument;
    struct http_client *client = member_client(system_customer(variant_system()));
    for (int i = 0; i < 4; i++) {
        http_with(client, "Idempotency-Key: %s-%u", gang->sku, atomic_fetch_add(&gang->next, 1));
        struct http_answer *answer = http_send(client, "POST", "/v1/orders",
                                               "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", gang->sku);
        atomic_fetch_add(answer->status == 201 ? &gang->good : &gang->bad, 1);
    }
    http_client_free(client);
    return NULL;
}

static void test_sale(void)
{
    struct gang gang = {.sku = ""};
    step_item(SALE_PIECES, gang.sku);
    run_gang(&gang, sale_member);
    CU_ASSERT_EQUAL(gang.good, 4 * GANG);
    CU_ASSERT_EQUAL(gang.bad, 0);
    step_await_stock(gang.sku, 0, 0);
}

/* ---- who does the work for all is killed ---- */

static bool has_workers(void *service)
{
    pid_t pids[2 * WORKERS];
    return system_workers(variant_system(), *(enum system_service *)service, pids, 2 * WORKERS) == WORKERS;
}

/* From the death of one of them to the end of an order that was placed after it. */
static double order_after_death(pid_t pid, const char *sku)
{
    struct http_client *client = variant_customer();
    kill(pid, SIGKILL);
    int64_t from_ns = clock_now_ns();
    struct http_answer *answer = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(answer, 201);
    step_await(client, http_json_text(answer, "/id"), "paid");
    return (double)(clock_now_ns() - from_ns) / NS_PER_MS;
}

static void check_take_over(enum system_service service)
{
    pid_t pids[WORKERS];
    char sku[STEP_ID_SIZE];
    double worst_ms = 0;
    step_item(WORKERS, sku);
    CU_ASSERT_EQUAL_FATAL(system_workers(variant_system(), service, pids, WORKERS), WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        double ms = order_after_death(pids[i], sku);
        worst_ms = ms > worst_ms ? ms : worst_ms;
        CU_ASSERT_TRUE(process_until(has_workers, &service, 20000));
        CU_ASSERT_TRUE(system_ready(variant_system(), service));
    }
    printf("# %s: with each process of %s killed in turn, an order took at most %.0f ms to be paid\n",
           variant_now()->name, system_service_name(service), worst_ms);
    CU_ASSERT(worst_ms < (double)(TAKE_OVER_MS * patience()));
}

static void test_order_killed(void) { check_take_over(SYSTEM_ORDER); }
static void test_inventory_killed(void) { check_take_over(SYSTEM_INVENTORY); }

static const struct suite_case cases[] = {
    {"under full write load no command waits long", test_writers_take_turns},
    {"a key given to all processes at once has one effect", test_one_key},
    {"nothing is sold twice", test_sale},
    {"another process of order takes over from one that was killed", test_order_killed},
    {"another process of inventory takes over from one that was killed", test_inventory_killed},
};

int main(void)
{
    return variants_main_supervised("scaled", cases, sizeof cases / sizeof cases[0], settings, WORKERS);
}
