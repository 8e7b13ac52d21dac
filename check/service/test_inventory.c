/* The inventory service's whole API, through a real front. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/service/steps.h"
#include "check/service/variants.h"

#define TEA "{\"name\":\"Tea\",\"price\":{\"amount_minor\":450,\"currency\":\"EUR\"}}"

static void new_path(char out[static STEP_ID_SIZE])
{
    snprintf(out, STEP_ID_SIZE, "/v1/items/inv-%u", step_number());
}

static struct http_answer *move_stock(struct http_client *client, const char *path, long long delta)
{
    char stock[STEP_ID_SIZE + 16];
    snprintf(stock, sizeof stock, "%s/stock", path);
    http_with(client, "Idempotency-Key: move-%u", step_number());
    return http_send(client, "POST", stock, "{\"delta\":%lld,\"reason\":\"count\"}", delta);
}

static void test_put(void)
{
    struct http_client *admin = variant_admin();
    char path[STEP_ID_SIZE];
    new_path(path);
    EXPECT_PROBLEM(http_get(admin, path), 404, "not-found");
    struct http_answer *answer = http_send(admin, "PUT", path, TEA);
    EXPECT_STATUS(answer, 201);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Location"), path);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "ETag"), "\"1\"");
    CU_ASSERT_EQUAL(http_json_integer(answer, "/stock/available"), 0);
    CU_ASSERT_EQUAL(http_json_integer(answer, "/price/amount_minor"), 450);
    EXPECT_STATUS(http_send(admin, "PUT", path, TEA), 200);
    answer = http_get(variant_anonymous(), path);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/name"), "Tea");
}

static void test_who_may_put(void)
{
    char path[STEP_ID_SIZE];
    new_path(path);
    EXPECT_PROBLEM(http_send(variant_anonymous(), "PUT", path, TEA), 401, "unauthenticated");
    EXPECT_PROBLEM(http_send(variant_customer(), "PUT", path, TEA), 403, "forbidden");
    EXPECT_PROBLEM(http_send(variant_service(), "PUT", path, TEA), 403, "forbidden");
    EXPECT_PROBLEM(move_stock(variant_customer(), path, 1), 403, "forbidden");
}

static void test_put_faults(void)
{
    static const char *const bodies[] = {
        "{}",
        "{\"name\":\"Tea\",\"price\":{\"amount_minor\":-1,\"currency\":\"EUR\"}}",
        "{\"name\":\"Tea\",\"price\":{\"amount_minor\":1.5,\"currency\":\"EUR\"}}",
        "{\"name\":\"Tea\",\"price\":{\"amount_minor\":1,\"currency\":\"XXQ\"}}",
        "{\"name\":\"\",\"price\":{\"amount_minor\":1,\"currency\":\"EUR\"}}",
        "{\"name\":\"Tea\",\"price\":450}",
        "{\"name\":\"Tea\",\"price\":{\"amount_minor\":\"450\",\"currency\":\"EUR\"}}",
        "{\"name\":\"Tea\",\"price\":{\"amount_minor\":1,\"currency\":\"EUR\"},\"other\":true}",
    };
    struct http_client *admin = variant_admin();
    char path[STEP_ID_SIZE];
    new_path(path);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct http_answer *answer = http_send(admin, "PUT", path, "%s", bodies[i]);
        EXPECT_PROBLEM(answer, 422, "invalid");
        CU_ASSERT(http_json_length(answer, "/errors") >= 1);
    }
    EXPECT_PROBLEM(http_send(admin, "PUT", "/v1/items/not%20a%20sku", TEA), 422, "sku-malformed");
    EXPECT_PROBLEM(http_get(admin, path), 404, "not-found");
}

static void test_stock(void)
{
    struct http_client *admin = variant_admin();
    char path[STEP_ID_SIZE];
    new_path(path);
    EXPECT_PROBLEM(move_stock(admin, path, 5), 404, "not-found");
    EXPECT_STATUS(http_send(admin, "PUT", path, TEA), 201);
    struct http_answer *answer = move_stock(admin, path, 5);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_EQUAL(http_json_integer(answer, "/stock/on_hand"), 5);
    EXPECT_PROBLEM(move_stock(admin, path, -6), 409, "insufficient-stock");
    EXPECT_STATUS(move_stock(admin, path, -5), 200);
    EXPECT_PROBLEM(move_stock(admin, path, 0), 422, "invalid");
    CU_ASSERT_EQUAL(http_json_integer(http_get(admin, path), "/stock/on_hand"), 0);
}

static void test_stock_repeat(void)
{
    struct http_client *admin = variant_admin();
    char path[STEP_ID_SIZE], stock[STEP_ID_SIZE + 16];
    const char *body = "{\"delta\":7,\"reason\":\"delivery\"}";
    new_path(path);
    snprintf(stock, sizeof stock, "%s/stock", path);
    EXPECT_STATUS(http_send(admin, "PUT", path, TEA), 201);
    for (int i = 0; i < 3; i++) {
        http_with(admin, "Idempotency-Key: repeat%s", strrchr(path, '-'));
        struct http_answer *answer = http_send(admin, "POST", stock, "%s", body);
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_EQUAL(http_json_integer(answer, "/stock/on_hand"), 7);
    }
    http_with(admin, "Idempotency-Key: repeat%s", strrchr(path, '-'));
    EXPECT_STATUS(http_send(admin, "POST", stock, "{\"delta\":8,\"reason\":\"delivery\"}"), 422);
    EXPECT_PROBLEM(http_send(admin, "POST", stock, "%s", body), 400, "idempotency-key-missing");
    CU_ASSERT_EQUAL(http_json_integer(http_get(admin, path), "/stock/on_hand"), 7);
}

static void test_pages(void)
{
    struct http_client *admin = variant_admin(), *client = variant_anonymous();
    char path[512], last[STEP_ID_SIZE] = "";
    int count = 0, pages = 0;
    for (int i = 0; i < 5; i++) {
        new_path(path);
        EXPECT_STATUS(http_send(admin, "PUT", path, TEA), 201);
    }
    snprintf(path, sizeof path, "/v1/items?limit=3");
    while (*path && pages++ < 30) {
        struct http_answer *answer = http_get(client, path);
        EXPECT_STATUS(answer, 200);
        int rows = http_json_length(answer, "/items");
        for (int i = 0; i < rows; i++, count++) {
            char pointer[32];
            snprintf(pointer, sizeof pointer, "/items/%d/sku", i);
            CU_ASSERT(strcmp(http_json_text(answer, pointer), last) > 0);
            snprintf(last, sizeof last, "%s", http_json_text(answer, pointer));
        }
        const char *cursor = http_json_text(answer, "/next_cursor");
        snprintf(path, sizeof path, *cursor ? "/v1/items?limit=3&cursor=%s" : "%s", cursor);
    }
    CU_ASSERT(count >= 5);
    CU_ASSERT_STRING_EQUAL(path, "");
}

static const struct suite_case cases[] = {
    {"an item is made and changed by putting it", test_put},
    {"only admins change items and stock", test_who_may_put},
    {"each fault of an item is told", test_put_faults},
    {"stock never goes below zero", test_stock},
    {"a repeated movement of stock counts once", test_stock_repeat},
    {"pages hold every item once, in order", test_pages},
};

int main(void)
{
    return variants_main("inventory", cases, sizeof cases / sizeof cases[0], NULL);
}
