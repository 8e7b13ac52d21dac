/* The system with its state on PostgreSQL, two processes of each service: what dies and what is away. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/control.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { WORKERS = 2, TAKE_OVER_MS = 10000, AT_ONCE_MS = 3000, BACK_MS = 15000 };

static int64_t patience(void)
{
    return system_is_slow() ? 10 : 1;
}

static void place_and_await(const char *sku, int64_t limit_ms)
{
    struct http_client *client = variant_customer();
    char id[STEP_ID_SIZE];
    int64_t begun_ns = clock_now_ns();
    struct http_answer *order = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(order, 201);
    snprintf(id, sizeof id, "%s", http_json_text(order, "/id"));
    step_await(client, id, "paid");
    int64_t took_ms = (clock_now_ns() - begun_ns) / NS_PER_MS;
    printf("# paid after %lld ms\n", (long long)took_ms);
    CU_ASSERT(took_ms < limit_ms * patience());
}

/* Whoever leads is among those that are killed, each of which has time to be taken over from. */
static void test_take_over(void)
{
    static const enum system_service services[] = {SYSTEM_ORDER, SYSTEM_INVENTORY};
    char sku[STEP_ID_SIZE];
    step_item(100, sku);
    place_and_await(sku, TAKE_OVER_MS);
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        pid_t workers[WORKERS];
        CU_ASSERT_EQUAL_FATAL(system_workers(variant_system(), services[i], workers, WORKERS), WORKERS);
        for (int j = 0; j < WORKERS; j++) {
            kill(workers[j], SIGKILL);
            place_and_await(sku, TAKE_OVER_MS);
        }
    }
    step_await_stock(sku, 95, 0);
}

static bool is_healthy(void *context)
{
    struct http_client *client = context;
    return http_get(client, "/order/healthz")->status == 200 && http_get(client, "/inventory/healthz")->status == 200 &&
           http_get(client, "/user/healthz")->status == 200;
}

static void expect_refused(struct http_answer *answer)
{
    EXPECT_STATUS(answer, 503);
    CU_ASSERT(answer->took_ns < AT_ONCE_MS * patience() * NS_PER_MS);
}

static void test_server_away(void)
{
    struct http_client *client = variant_customer(), *anonymous = variant_anonymous();
    char sku[STEP_ID_SIZE], key[STEP_ID_SIZE], body[128], id[STEP_ID_SIZE];
    step_item(10, sku);
    EXPECT_STATUS(http_get(client, "/v1/orders"), 200);   /* who is asking is known from here on */
    snprintf(key, sizeof key, "away-%u", step_number());
    snprintf(body, sizeof body, "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", sku);

    postgres_killed(system_postgres(variant_system()));
    for (int i = 0; i < 3; i++) {
        http_with(client, "Idempotency-Key: %s", key);
        expect_refused(http_send(client, "POST", "/v1/orders", "%s", body));
        expect_refused(http_get(anonymous, "/v1/items"));
    }
    EXPECT_STATUS(http_get(anonymous, "/order/healthz"), 503);
    EXPECT_STATUS(http_get(anonymous, "/order/ping"), 200);
    struct http_answer *metrics = http_get(anonymous, "/order/metrics");
    EXPECT_STATUS(metrics, 200);

    CU_ASSERT_EQUAL_FATAL(postgres_up(system_postgres(variant_system())), ERR_NONE);
    CU_ASSERT(process_until(is_healthy, anonymous, BACK_MS * (unsigned)patience()));
    http_with(client, "Idempotency-Key: %s", key);
    struct http_answer *order = http_send(client, "POST", "/v1/orders", "%s", body);
    EXPECT_STATUS(order, 201);
    snprintf(id, sizeof id, "%s", http_json_text(order, "/id"));
    step_await(client, id, "paid");
    step_await_stock(sku, 9, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(http_get(anonymous, "/order/metrics")->body, "tandem_db_reconnects_total"));
    CU_ASSERT_PTR_NOT_NULL(strstr(http_get(anonymous, "/order/metrics")->body, "tandem_db_size_bytes"));
}

static void test_commands(void)
{
    CU_ASSERT(CONTROL("db", "check"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "schema up to date"));
    CU_ASSERT(CONTROL("events", "dead", "list"));
    CU_ASSERT_FALSE(CONTROL("db", "backup", "--to", "/nonexistent/backup"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "pg_dump"));
    CU_ASSERT_FALSE(CONTROL("db", "vacuum"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "autovacuum"));
}

static const struct suite_case cases[] = {
    {"another process goes on when the one that leads is killed", test_take_over},
    {"while the server is away requests are refused at once, and all goes on when it is back", test_server_away},
    {"the operator's commands know databases on a server", test_commands},
};

int main(void)
{
    static const char *const settings[] = {"log.level=warning", "health.cache_ms=0", NULL};
    return variants_main_on_postgresql("postgresql", cases, sizeof cases / sizeof cases[0], settings, WORKERS);
}
