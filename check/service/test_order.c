/* Orders from placed to their end, through a real front, with events between the services. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/service/control.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

static void keep_id(const struct http_answer *order, char out[static STEP_ID_SIZE])
{
    snprintf(out, STEP_ID_SIZE, "%s", http_json_text(order, "/id"));
}

/* Whether the order's history went through these states, "placed reserved paid". */
static bool went_through(struct http_client *client, const char *id, const char *states)
{
    char path[128], went[128] = "", pointer[32];
    snprintf(path, sizeof path, "/v1/orders/%s/history", id);
    struct http_answer *answer = http_get(client, path);
    int steps = http_json_length(answer, "/items");
    for (int i = 0; i < steps; i++) {
        size_t length = strlen(went);
        snprintf(pointer, sizeof pointer, "/items/%d/to", i);
        snprintf(went + length, sizeof went - length, "%s%s", i ? " " : "", http_json_text(answer, pointer));
        snprintf(pointer, sizeof pointer, "/items/%d/cause", i);
        if (!*http_json_text(answer, pointer))
            return false;
        snprintf(pointer, sizeof pointer, "/items/%d/at", i);
        if (!strchr(http_json_text(answer, pointer), 'T'))
            return false;
    }
    return strcmp(went, states) == 0;
}

/* ---- the story ---- */

static void test_story(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], location[128];
    step_item(10, sku);
    struct http_answer *order = step_order(client, sku, 3, NULL);
    EXPECT_STATUS(order, 201);
    keep_id(order, id);
    snprintf(location, sizeof location, "/v1/orders/%s", id);
    CU_ASSERT_STRING_EQUAL(http_answer_header(order, "Location"), location);
    CU_ASSERT_STRING_EQUAL(http_answer_header(order, "ETag"), "\"1\"");
    CU_ASSERT_STRING_EQUAL(http_json_text(order, "/status"), "placed");
    CU_ASSERT_EQUAL(http_json_integer(order, "/lines/0/unit_price/amount_minor"), 1250);
    CU_ASSERT_EQUAL(http_json_integer(order, "/lines/0/total/amount_minor"), 3750);
    CU_ASSERT_EQUAL(http_json_integer(order, "/total/amount_minor"), 3750);
    CU_ASSERT_STRING_EQUAL(http_json_text(order, "/total/currency"), "EUR");
    step_await(client, id, "paid");
    CU_ASSERT(went_through(client, id, "placed reserved paid"));
    step_await_stock(sku, 7, 0);
}

static void test_rejected(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    step_item(2, sku);
    struct http_answer *order = step_order(client, sku, 3, NULL);
    EXPECT_STATUS(order, 201);
    keep_id(order, id);
    step_await(client, id, "rejected");
    CU_ASSERT(went_through(client, id, "placed rejected"));
    step_await_stock(sku, 2, 0);
}

static void test_declined(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    step_item(5, sku);
    struct http_answer *order = step_order(client, sku, 5, "sandbox_decline");
    EXPECT_STATUS(order, 201);
    keep_id(order, id);
    step_await(client, id, "cancelled");
    CU_ASSERT(went_through(client, id, "placed reserved cancelled"));
    step_await_stock(sku, 5, 0);
}

static void test_gateway_silent_once(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    step_item(1, sku);
    struct http_answer *order = step_order(client, sku, 1, "sandbox_timeout_once");
    EXPECT_STATUS(order, 201);
    keep_id(order, id);
    step_await(client, id, "paid");
    step_await_stock(sku, 0, 0);
}

static void test_cancel(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], path[128];
    step_item(4, sku);
    struct http_answer *order = step_order(client, sku, 4, "sandbox_timeout");
    EXPECT_STATUS(order, 201);
    keep_id(order, id);
    step_await(client, id, "reserved");
    step_await_stock(sku, 4, 4);
    snprintf(path, sizeof path, "/v1/orders/%s/cancel", id);
    EXPECT_PROBLEM(http_send_nothing(variant_new_customer(), "POST", path), 404, "not-found");
    struct http_answer *answer = http_send_nothing(client, "POST", path);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/status"), "cancelled");
    step_await_stock(sku, 4, 0);
    EXPECT_PROBLEM(http_send_nothing(client, "POST", path), 409, "not-cancellable");
    CU_ASSERT(went_through(client, id, "placed reserved cancelled"));
}

static void test_cancel_too_late(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], path[128];
    step_item(1, sku);
    keep_id(step_order(client, sku, 1, NULL), id);
    step_await(client, id, "paid");
    snprintf(path, sizeof path, "/v1/orders/%s/cancel", id);
    EXPECT_PROBLEM(http_send_nothing(client, "POST", path), 409, "not-cancellable");
}

/* ---- the same request again ---- */

static void test_repeat(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE] = "";
    step_item(10, sku);
    for (int i = 0; i < 4; i++) {
        http_with(client, "Idempotency-Key: the-same");
        struct http_answer *answer =
            http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", sku);
        EXPECT_STATUS(answer, 201);
        if (i == 0)
            keep_id(answer, id);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/id"), id);
        CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "ETag"), "\"1\"");
        CU_ASSERT_STRING_NOT_EQUAL(http_answer_header(answer, "Location"), "");
    }
    CU_ASSERT_EQUAL(http_json_length(http_get(client, "/v1/orders"), "/items"), 1);
    http_with(client, "Idempotency-Key: the-same");
    EXPECT_STATUS(http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":2}]}", sku), 422);
    struct http_client *other = variant_new_customer();
    http_with(other, "Idempotency-Key: the-same");
    struct http_answer *theirs =
        http_send(other, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", sku);
    EXPECT_STATUS(theirs, 201);
    CU_ASSERT_STRING_NOT_EQUAL(http_json_text(theirs, "/id"), id);
}

/* ---- what is refused ---- */

static void test_faults(void)
{
    static const char *const bodies[] = {
        "{}",
        "{\"lines\":[]}",
        "{\"lines\":[{\"sku\":\"no-such-item\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"a\",\"quantity\":0}]}",
        "{\"lines\":[{\"sku\":\"a\",\"quantity\":-1}]}",
        "{\"lines\":[{\"sku\":\"a\",\"quantity\":1.5}]}",
        "{\"lines\":[{\"sku\":\"a\",\"quantity\":10001}]}",
        "{\"lines\":[{\"sku\":\"a\",\"quantity\":1},{\"sku\":\"a\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"a\"}]}",
        "{\"lines\":[1]}",
        "{\"lines\":\"a\"}",
        "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"payment_method\":\"with spaces\"}",
    };
    struct http_client *client = variant_customer();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        http_with(client, "Idempotency-Key: fault-%u", step_number());
        struct http_answer *answer = http_send(client, "POST", "/v1/orders", "%s", bodies[i]);
        EXPECT_PROBLEM(answer, 422, "invalid");
        CU_ASSERT(http_json_length(answer, "/errors") >= 1);
    }
    EXPECT_PROBLEM(http_send(client, "POST", "/v1/orders", "%s", bodies[0]), 422, "invalid");
    EXPECT_PROBLEM(http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}]}"), 400,
                   "idempotency-key-missing");
}

static void test_whose(void)
{
    struct http_client *owner = variant_new_customer(), *other = variant_new_customer(), *admin = variant_admin();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], path[128], history[160];
    step_item(1, sku);
    keep_id(step_order(owner, sku, 1, NULL), id);
    snprintf(path, sizeof path, "/v1/orders/%s", id);
    snprintf(history, sizeof history, "%s/history", path);
    EXPECT_STATUS(http_get(owner, path), 200);
    EXPECT_PROBLEM(http_get(other, path), 404, "not-found");
    EXPECT_PROBLEM(http_get(other, history), 404, "not-found");
    EXPECT_PROBLEM(http_get(variant_anonymous(), path), 401, "unauthenticated");
    EXPECT_STATUS(http_get(admin, path), 200);
    EXPECT_PROBLEM(http_get(admin, "/v1/orders/none"), 404, "not-found");
    CU_ASSERT_EQUAL(http_json_length(http_get(other, "/v1/orders"), "/items"), 0);
}

static void test_list(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], last[STEP_ID_SIZE] = "", path[512] = "/v1/orders?status=paid&limit=2";
    int count = 0, pages = 0;
    step_item(5, sku);
    for (int i = 0; i < 5; i++) {
        keep_id(step_order(client, sku, 1, NULL), id);
        step_await(client, id, "paid");
    }
    while (*path && pages++ < 10) {
        struct http_answer *answer = http_get(client, path);
        EXPECT_STATUS(answer, 200);
        for (int i = 0; i < http_json_length(answer, "/items"); i++, count++) {
            char pointer[32];
            snprintf(pointer, sizeof pointer, "/items/%d/id", i);
            CU_ASSERT_STRING_NOT_EQUAL(http_json_text(answer, pointer), last);
            snprintf(last, sizeof last, "%s", http_json_text(answer, pointer));
        }
        const char *cursor = http_json_text(answer, "/next_cursor");
        snprintf(path, sizeof path, *cursor ? "/v1/orders?status=paid&limit=2&cursor=%s" : "%s", cursor);
    }
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT_EQUAL(pages, 3);
    CU_ASSERT_EQUAL(http_json_length(http_get(client, "/v1/orders?status=rejected"), "/items"), 0);
    EXPECT_PROBLEM(http_get(client, "/v1/orders?status=lost"), 422, "invalid");
}

static void test_price_at_placing(void)
{
    struct http_client *client = variant_new_customer(), *admin = variant_admin();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], path[128];
    step_item(1, sku);
    keep_id(step_order(client, sku, 1, NULL), id);
    snprintf(path, sizeof path, "/v1/items/%s", sku);
    EXPECT_STATUS(http_send(admin, "PUT", path,
                            "{\"name\":\"Dearer\",\"price\":{\"amount_minor\":9900,\"currency\":\"EUR\"}}"), 200);
    step_await(client, id, "paid");
    snprintf(path, sizeof path, "/v1/orders/%s", id);
    struct http_answer *answer = http_get(client, path);
    CU_ASSERT_EQUAL(http_json_integer(answer, "/total/amount_minor"), 1250);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/lines/0/name"), "An item");
}

/* Where there is no gateway that could tell anything. */
static void test_no_payment_events(void)
{
    EXPECT_PROBLEM(http_send(variant_anonymous(), "POST", "/v1/payments/events", "{}"), 404, "not-found");
    EXPECT_PROBLEM(http_send(variant_admin(), "POST", "/v1/payments/events", "{}"), 404, "not-found");
}

static void test_schemas(void)
{
    static const char *const types[] = {"item.changed.v1", "order.placed.v1", "order.paid.v1", "order.rejected.v1",
                                        "order.cancelled.v1", "stock.reserved.v1", "stock.rejected.v1",
                                        "stock.released.v1", NULL};
    control_validate_events(types);
}

static const struct suite_case cases[] = {
    {"an order goes from placed by reserved to paid", test_story},
    {"without enough stock it is rejected", test_rejected},
    {"the sandbox tells nothing by itself", test_no_payment_events},
    {"a declined payment cancels it and gives the stock back", test_declined},
    {"a gateway that is silent once is asked again", test_gateway_silent_once},
    {"cancelling gives the stock back, once", test_cancel},
    {"a paid order cannot be cancelled", test_cancel_too_late},
    {"the same key is the same order", test_repeat},
    {"each fault of an order is told", test_faults},
    {"an order is its owner's", test_whose},
    {"pages hold every order of a status once", test_list},
    {"name and price stay as they were when it was placed", test_price_at_placing},
    {"every event that all this has brought about is as its schema says", test_schemas},
};

int main(void)
{
#ifdef ON_POSTGRESQL
    return variants_main_on_postgresql("order_postgresql", cases, sizeof cases / sizeof cases[0], NULL, 2);
#endif
    return variants_main("order", cases, sizeof cases / sizeof cases[0], NULL);
}
