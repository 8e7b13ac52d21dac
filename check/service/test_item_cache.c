/*
 * Items are answered from the memory of several processes, and whoever has been told of a change sees it in each of
 * them: after every change every process is asked, as good as surely, since connections are shared out as they come.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/service/steps.h"
#include "check/service/variants.h"

enum { WORKERS = 3, CHANGES = 10, ASKED = 8 };

/* A lifetime that no run of this test outlives. */
static const char *const settings[] = {"log.level=warning", "cache.item_ttl_ms=3600000",
                                       "cache.item_absent_ttl_ms=3600000", NULL};

static char path[96], sku[STEP_ID_SIZE];

static int64_t on_hand(void)
{
    struct http_client *client = system_client(variant_system());
    struct http_answer *answer = http_get(client, path);
    int64_t number = answer->status == 200 ? http_json_integer(answer, "/stock/on_hand") : -answer->status;
    http_client_free(client);
    return number;
}

static void expect_everywhere(int64_t wanted)
{
    for (int i = 0; i < ASKED; i++)
        CU_ASSERT_EQUAL(on_hand(), wanted);
}

static void put_item(unsigned price)
{
    struct http_answer *answer = http_send(variant_admin(), "PUT", path, "{\"name\":\"Tea\",\"price\":"
                                           "{\"amount_minor\":%u,\"currency\":\"EUR\"}}", price);
    CU_ASSERT(answer->status == 200 || answer->status == 201);
}

static void move(int delta)
{
    struct http_client *admin = variant_admin();
    char stock[128];
    snprintf(stock, sizeof stock, "%s/stock", path);
    http_with(admin, "Idempotency-Key: move-%u", step_number());
    EXPECT_STATUS(http_send(admin, "POST", stock, "{\"delta\":%d,\"reason\":\"delivery\"}", delta), 200);
}

static void begin(void)
{
    snprintf(sku, sizeof sku, "cached-%u", step_number());
    snprintf(path, sizeof path, "/v1/items/%s", sku);
}

static void test_made(void)
{
    begin();
    expect_everywhere(-404);
    put_item(100);
    expect_everywhere(0);
}

static void test_changed(void)
{
    begin();
    put_item(100);
    for (int i = 1; i <= CHANGES; i++) {
        move(1);
        expect_everywhere(i);
    }
}

/* What an order has sold: from when one process says so, all do. */
static void test_by_event(void)
{
    step_item(10, sku);
    snprintf(path, sizeof path, "/v1/items/%s", sku);
    expect_everywhere(10);
    EXPECT_STATUS(step_order(variant_customer(), sku, 3, NULL), 201);
    step_await_stock(sku, 7, 0);
    expect_everywhere(7);
}

static const struct suite_case cases[] = {
    {"an item that was not there is seen by every process when it is made", test_made},
    {"a change is seen by every process once it is told", test_changed},
    {"a change by an event is seen by every process", test_by_event},
};

int main(void)
{
    return variants_main_supervised("item_cache", cases, sizeof cases / sizeof cases[0], settings, WORKERS);
}
