/* One order's trace as an OTLP receiver gets it, which decodes it by the public schema. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/otlp_receiver.h"
#include "check/harness/process.h"
#include "check/harness/trace_tree.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

#ifndef TEST_PROTOCOL
#define TEST_PROTOCOL "http/protobuf"
#endif

enum { PATIENCE_MS = 30000 };

static struct otlp_receiver *receiver;
static char endpoint[128];
static const char *const settings[] = {
    endpoint, "trace.otlp_protocol=" TEST_PROTOCOL, "trace.otlp_batch_delay_ms=20", "trace.slow_ms=0", NULL,
};

static const char *const names[] = {
    "POST /v1/orders", "task", "transaction", "POST /v1/sessions/introspect", "query", "produce order.placed.v1",
    "publish order.placed.v1", "consume order.placed.v1", "produce stock.reserved.v1", "publish stock.reserved.v1",
    "consume stock.reserved.v1", "payment", "charge", "produce order.paid.v1", "publish order.paid.v1",
    "consume order.paid.v1",
};

static const char *const services[] = {"tandem-user", "tandem-inventory", "tandem-order", NULL};

struct wanted {
    char trace_id[33];
    struct received received;
    const char *missing;
};

static bool has(const struct wanted *wanted, const char *name)
{
    for (size_t i = 0; i < wanted->received.count; i++)
        if (strcasecmp(wanted->received.spans[i].trace_id, wanted->trace_id) == 0 &&
            strcmp(wanted->received.spans[i].name, name) == 0)
            return true;
    return false;
}

static bool is_whole(void *context)
{
    struct wanted *wanted = context;
    received_fini(&wanted->received);
    wanted->received = (struct received){NULL, 0, NULL, 0};
    wanted->missing = "everything";
    if (!otlp_receiver_spans(receiver, &wanted->received))
        return false;
    wanted->missing = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !wanted->missing; i++)
        wanted->missing = has(wanted, names[i]) ? NULL : names[i];
    return !wanted->missing;
}

struct listing {
    struct http_client *client;
    const char *path;
    struct http_answer *latest;
};

static bool is_listed(void *context)
{
    struct listing *listing = context;
    listing->latest = http_get(listing->client, listing->path);
    return strlen(http_json_text(listing->latest, "/traces/0/trace_id")) == 32;
}

static void fail_unless(bool holds, const char *what)
{
    char said[768];
    snprintf(said, sizeof said, "%s: %s", what ? what : "", err_cause());
    CU_assertImplementation(holds, __LINE__, said, __FILE__, "", CU_TRUE);
}

/* The receiver keeps what it got, so that each variant adds to it. */
static void test_one_tree(void)
{
    struct http_client *client = variant_new_customer(), *anonymous = variant_anonymous();
    struct wanted wanted = {.missing = NULL};
    char sku[STEP_ID_SIZE], path[160];
    if (strcmp(TEST_PROTOCOL, "http/protobuf") == 0 && !otlp_can_decode_protobuf())
        return;
    step_item(5, sku);
    struct http_answer *order = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(order, 201);
    step_await(client, http_json_text(order, "/id"), "paid");
    snprintf(path, sizeof path, "/order/traces?of=%s", http_json_text(order, "/id"));
    struct listing listing = {anonymous, path, NULL};
    fail_unless(process_until(is_listed, &listing, PATIENCE_MS), "the order's trace is not listed");
    snprintf(wanted.trace_id, sizeof wanted.trace_id, "%s", http_json_text(listing.latest, "/traces/0/trace_id"));
    bool is_there = process_until(is_whole, &wanted, PATIENCE_MS);
    fail_unless(is_there, wanted.missing);
    const struct trace_tree_rules rules = {.services = services};
    fail_unless(receiver_tree_check(&wanted.received, wanted.trace_id, &rules), "the tree");
    received_fini(&wanted.received);
}

static void test_metrics(void)
{
    struct http_answer *answer = http_get(variant_anonymous(), "/order/metrics");
    const char *exported = strstr(answer->body, "\ntandem_trace_exported_spans_total ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(exported);
    CU_ASSERT(strtol(exported + strlen("\ntandem_trace_exported_spans_total "), NULL, 10) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, "\ntandem_trace_spans_dropped_total{reason=\"refused\"} 0\n"));
}

static const struct suite_case cases[] = {
    {"a receiver gets an order as one tree, with correct parents, times and status", test_one_tree},
    {"what was sent is counted", test_metrics},
};

int main(void)
{
    receiver = otlp_receiver_new();
    snprintf(endpoint, sizeof endpoint, "trace.otlp_endpoint=%s", otlp_receiver_url(receiver));
    int status = variants_main("trace otlp, " TEST_PROTOCOL, cases, sizeof cases / sizeof cases[0], settings);
    otlp_receiver_free(receiver);
    return status;
}
