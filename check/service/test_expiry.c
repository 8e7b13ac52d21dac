/* Orders that nobody brings on: a reservation expires, and what is stuck is nudged and shown. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/service/control.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { PATIENCE_MS = 20000 };

static const char *const settings[] = {"stock.reservation_ttl_s=1", "order.stuck_after_s=1", "log.level=error", NULL};

/* What a service's metrics say of one series; -1 when it is not there. */
static long long metric(const char *service, const char *series)
{
    char path[64], sample[128];
    struct http_client *client = system_client(variant_system());
    snprintf(path, sizeof path, "/%s/metrics", service);
    snprintf(sample, sizeof sample, "\n%s ", series);
    struct http_answer *answer = http_get(client, path);
    const char *found = strstr(answer->body, sample);
    long long value = found ? strtoll(found + strlen(sample), NULL, 10) : -1;
    http_client_free(client);
    return value;
}

static void keep_id(const struct http_answer *order, char out[static STEP_ID_SIZE])
{
    EXPECT_STATUS(order, 201);
    snprintf(out, STEP_ID_SIZE, "%s", http_json_text(order, "/id"));
}

/* A payment whose outcome never comes. */
static void test_reservation_expires(void)
{
    struct http_client *client = variant_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], path[128], pointer[32];
    step_item(3, sku);
    keep_id(step_order(client, sku, 2, "sandbox_timeout"), id);
    step_await(client, id, "cancelled");
    step_await_stock(sku, 3, 0);
    snprintf(path, sizeof path, "/v1/orders/%s/history", id);
    struct http_answer *history = http_get(client, path);
    bool told = false;
    for (int i = 0; i < http_json_length(history, "/items"); i++) {
        snprintf(pointer, sizeof pointer, "/items/%d/to", i);
        if (strcmp(http_json_text(history, pointer), "cancelled") != 0)
            continue;
        snprintf(pointer, sizeof pointer, "/items/%d/cause", i);
        told = strcmp(http_json_text(history, pointer), "reservation expired") == 0;
    }
    CU_ASSERT_TRUE(told);
    CU_ASSERT(metric("inventory", "tandem_reservations_expired_total") >= 1);
}

static void test_paid_ones_do_not(void)
{
    struct http_client *client = variant_customer();
    char sku[STEP_ID_SIZE], paid[STEP_ID_SIZE], expires[STEP_ID_SIZE];
    step_item(2, sku);
    keep_id(step_order(client, sku, 1, NULL), paid);
    step_await(client, paid, "paid");
    keep_id(step_order(client, sku, 1, "sandbox_timeout"), expires);
    step_await(client, expires, "cancelled");   /* by when the other would have expired as well */
    step_await(client, paid, "paid");
    step_await_stock(sku, 1, 0);
}

static bool is_stuck(void *context)
{
    (void)context;
    return metric("order", "tandem_orders_stuck{status=\"placed\"}") == 1;
}

static bool is_nudged(void *before)
{
    return metric("order", "tandem_order_nudges_total{status=\"placed\"}") > *(long long *)before;
}

static bool none_is_stuck(void *context)
{
    return !is_stuck(context);
}

static void test_stuck_order(void)
{
    struct http_client *client = variant_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    step_item(1, sku);
    long long nudges = metric("order", "tandem_order_nudges_total{status=\"placed\"}");
    CU_ASSERT_EQUAL_FATAL(system_service_down(variant_system(), SYSTEM_INVENTORY), ERR_NONE);
    keep_id(step_order(client, sku, 1, NULL), id);
    CU_ASSERT_TRUE(process_until(is_stuck, NULL, PATIENCE_MS));
    CU_ASSERT_TRUE(process_until(is_nudged, &nudges, PATIENCE_MS));
    CU_ASSERT_EQUAL_FATAL(system_service_up(variant_system(), SYSTEM_INVENTORY), ERR_NONE);
    step_await(client, id, "paid");
    step_await_stock(sku, 0, 0);
    CU_ASSERT_TRUE(process_until(none_is_stuck, NULL, PATIENCE_MS));
}

static void test_schemas(void)
{
    static const char *const types[] = {"stock.expiring.v1", "order.cancelled.v1", "stock.released.v1", NULL};
    control_validate_events(types);
}

static const struct suite_case cases[] = {
    {"a reservation that nobody confirms expires: the order is cancelled, its stock given back",
     test_reservation_expires},
    {"one that is paid does not", test_paid_ones_do_not},
    {"an order that is stuck is shown, nudged, and goes on once it can", test_stuck_order},
    {"its events are as their schemas say", test_schemas},
};

int main(void)
{
    return variants_main("expiry", cases, sizeof cases / sizeof cases[0], settings);
}
