#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/service/steps.h"

enum { PATIENCE_MS = 20000 };

unsigned step_number(void)
{
    static unsigned number;
    return ++number;
}

/* ---- waiting ---- */

struct wanted {
    struct http_client *client;
    char path[128];
    const char *status;
    int64_t on_hand, reserved;
    struct http_answer *latest;
};

static bool has_status(void *context)
{
    struct wanted *wanted = context;
    wanted->latest = http_get(wanted->client, wanted->path);
    return strcmp(http_json_text(wanted->latest, "/status"), wanted->status) == 0;
}

static bool has_stock(void *context)
{
    struct wanted *wanted = context;
    wanted->latest = http_get(wanted->client, wanted->path);
    return http_json_integer(wanted->latest, "/stock/on_hand") == wanted->on_hand &&
           http_json_integer(wanted->latest, "/stock/reserved") == wanted->reserved;
}

static void await(struct wanted *wanted, bool (*holds)(void *), const char *what)
{
    char said[512];
    if (process_until(holds, wanted, PATIENCE_MS))
        return;
    snprintf(said, sizeof said, "%s did not get %s: %.150s", wanted->path, what, wanted->latest->body);
    CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_TRUE);
}

void step_await(struct http_client *client, const char *order_id, const char *status)
{
    struct wanted wanted = {.client = client, .status = status};
    snprintf(wanted.path, sizeof wanted.path, "/v1/orders/%s", order_id);
    await(&wanted, has_status, status);
}

void step_await_stock(const char *sku, int64_t on_hand, int64_t reserved)
{
    struct wanted wanted = {.client = variant_anonymous(), .on_hand = on_hand, .reserved = reserved};
    char what[64];
    snprintf(what, sizeof what, "%lld on hand, %lld reserved", (long long)on_hand, (long long)reserved);
    snprintf(wanted.path, sizeof wanted.path, "/v1/items/%s", sku);
    await(&wanted, has_stock, what);
}

/* ---- items and orders ---- */

struct http_answer *step_order(struct http_client *client, const char *sku, int64_t quantity, const char *method)
{
    http_with(client, "Idempotency-Key: key-%u", step_number());
    return http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":%lld}]%s%s%s}", sku,
                     (long long)quantity, method ? ",\"payment_method\":\"" : "", method ? method : "",
                     method ? "\"" : "");
}

/* Order knows an item once its event came: until then it says so. Nothing is ordered, since that many cannot be. */
static bool is_known(void *context)
{
    struct wanted *wanted = context;
    http_with(wanted->client, "Idempotency-Key: probe-%u", step_number());
    wanted->latest = http_send(
        wanted->client, "POST", "/v1/orders",
        "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1},{\"sku\":\"no-such-item\",\"quantity\":1}]}", wanted->path);
    return wanted->latest->status == 422 && http_json_length(wanted->latest, "/errors") == 1;
}

void step_item(int64_t pieces, char ret_sku[static STEP_ID_SIZE])
{
    struct http_client *admin = variant_admin();
    struct wanted wanted = {.client = variant_customer()};
    char path[128];
    snprintf(ret_sku, STEP_ID_SIZE, "item-%u", step_number());
    snprintf(path, sizeof path, "/v1/items/%s", ret_sku);
    struct http_answer *answer = http_send(
        admin, "PUT", path, "{\"name\":\"An item\",\"price\":{\"amount_minor\":1250,\"currency\":\"EUR\"}}");
    EXPECT_STATUS(answer, 201);
    if (pieces > 0) {
        snprintf(path, sizeof path, "/v1/items/%s/stock", ret_sku);
        http_with(admin, "Idempotency-Key: stock-%s", ret_sku);
        answer = http_send(admin, "POST", path, "{\"delta\":%lld,\"reason\":\"delivery\"}", (long long)pieces);
        EXPECT_STATUS(answer, 200);
    }
    snprintf(wanted.path, sizeof wanted.path, "%s", ret_sku);
    await(&wanted, is_known, "known to order");
}

long long step_metric(const char *series)
{
    char line[128];
    snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(http_get(variant_anonymous(), "/order/metrics")->body, line);
    return at ? strtoll(at + strlen(line), NULL, 10) : -1;
}
