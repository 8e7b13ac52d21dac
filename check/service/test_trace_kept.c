/* Where hardly any trace is sampled, what fails and what is slow is kept all the same; nothing else is. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { PATIENCE_MS = 20000, SLOW_MS = 100 };

/* So many passes over so much memory take far longer than what is slow here, and everything else less. */
static const char *const settings[] = {
    "trace.sampler=parentbased_traceidratio", "trace.ratio=0", "trace.slow_ms=100",
    "password.passes=100", "password.memory_kib=19456", NULL,
};

struct wanted {
    struct http_client *client;
    const char *path, *root;
    struct http_answer *latest;
    int at;
};

static bool is_listed(void *context)
{
    struct wanted *wanted = context;
    char pointer[64];
    wanted->latest = http_get(wanted->client, wanted->path);
    int count = http_json_length(wanted->latest, "/traces");
    for (int i = 0; i < count; i++) {
        snprintf(pointer, sizeof pointer, "/traces/%d/root", i);
        wanted->at = i;
        if (strcmp(http_json_text(wanted->latest, pointer), wanted->root) == 0)
            return true;
    }
    return false;
}

static void test_slow(void)
{
    struct wanted wanted = {variant_anonymous(), "/user/traces?limit=200", "POST /v1/users", NULL, 0};
    char pointer[64];
    variant_new_customer();
    CU_ASSERT_FATAL(process_until(is_listed, &wanted, PATIENCE_MS));
    snprintf(pointer, sizeof pointer, "/traces/%d/status", wanted.at);
    CU_ASSERT_STRING_EQUAL(http_json_text(wanted.latest, pointer), "ok");
}

/* Its parts in the order service are quick, unless this machine does something else; then they say so. */
static void test_quick(void)
{
    struct http_client *client = variant_customer(), *anonymous = variant_anonymous();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    step_item(5, sku);
    struct http_answer *order = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(order, 201);
    snprintf(id, sizeof id, "%s", http_json_text(order, "/id"));
    step_await(client, id, "paid");
    struct http_answer *list = http_get(anonymous, "/order/traces?limit=200");
    int count = http_json_length(list, "/traces");
    for (int i = 0; i < count; i++) {
        char pointer[64], trace_path[96];
        snprintf(pointer, sizeof pointer, "/traces/%d/trace_id", i);
        snprintf(trace_path, sizeof trace_path, "/order/traces/%s", http_json_text(list, pointer));
        snprintf(pointer, sizeof pointer, "/traces/%d/status", i);
        if (strcmp(http_json_text(list, pointer), "error") == 0)
            continue;
        static const char span[] = "/resourceSpans/0/scopeSpans/0/spans/0";
        struct http_answer *trace = http_get(anonymous, trace_path);
        snprintf(pointer, sizeof pointer, "%s/startTimeUnixNano", span);
        int64_t start_ns = strtoll(http_json_text(trace, pointer), NULL, 10);
        snprintf(pointer, sizeof pointer, "%s/endTimeUnixNano", span);
        CU_ASSERT(strtoll(http_json_text(trace, pointer), NULL, 10) - start_ns > (int64_t)SLOW_MS * 1000000);
    }
}

/* A sampled parent is followed, whatever the ratio. */
static void test_parent(void)
{
    struct wanted wanted = {variant_anonymous(), "/inventory/traces?limit=200", "GET /v1/items", NULL, 0};
    http_with(wanted.client, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_STATUS(http_get(wanted.client, "/v1/items"), 200);
    http_with(wanted.client, "traceparent: 00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00");
    EXPECT_STATUS(http_get(wanted.client, "/v1/items"), 200);
    CU_ASSERT_FATAL(process_until(is_listed, &wanted, PATIENCE_MS));
    CU_ASSERT_PTR_NOT_NULL(strstr(wanted.latest->body, "0af7651916cd43dd8448eb211c80319c"));
    CU_ASSERT_PTR_NULL(strstr(wanted.latest->body, "0af7651916cd43dd8448eb211c80319d"));
}

/* Nobody knows whose this token is while the user service is away. */
static void test_error(void)
{
    struct wanted wanted = {variant_anonymous(), "/order/traces?limit=200", "GET /v1/orders", NULL, 0};
    struct http_client *client = variant_new_customer();
    char pointer[64];
    CU_ASSERT_EQUAL_FATAL(system_service_down(variant_system(), SYSTEM_USER), ERR_NONE);
    EXPECT_STATUS(http_get(client, "/v1/orders"), 503);
    CU_ASSERT_EQUAL_FATAL(system_service_up(variant_system(), SYSTEM_USER), ERR_NONE);
    CU_ASSERT_FATAL(process_until(is_listed, &wanted, PATIENCE_MS));
    snprintf(pointer, sizeof pointer, "/traces/%d/status", wanted.at);
    CU_ASSERT_STRING_EQUAL(http_json_text(wanted.latest, pointer), "error");
}

/* What was kept, by the first case, is in a file beside the database, so another process knows of it. */
static void test_restart(void)
{
    struct wanted wanted = {variant_anonymous(), "/user/traces?limit=200", "POST /v1/users", NULL, 0};
    CU_ASSERT_FATAL(process_until(is_listed, &wanted, PATIENCE_MS));
    system_service_killed(variant_system(), SYSTEM_USER);
    CU_ASSERT_EQUAL_FATAL(system_service_up(variant_system(), SYSTEM_USER), ERR_NONE);
    CU_ASSERT_TRUE(is_listed(&wanted));
}

static const struct suite_case cases[] = {
    {"a slow request is kept at ratio 0", test_slow},
    {"a quick one is not", test_quick},
    {"a sampled caller is followed", test_parent},
    {"a failure is kept at ratio 0", test_error},
    {"recent traces outlive a process that was killed", test_restart},
};

int main(void)
{
    return variants_main("trace kept", cases, sizeof cases / sizeof cases[0], settings);
}
