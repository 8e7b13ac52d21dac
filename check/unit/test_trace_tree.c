/* The checker of whole traces, itself: a good one passes, and each fault that is planted in it is found. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "check/harness/suite.h"
#include "check/harness/trace_tree.h"
#include "telemetry/span.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"

enum { REMOTE = 0x300, LOCAL = 0x100 };

/* An order that is placed, paid and shipped, in what it is made of. Times are in nanoseconds from the order's. */
static const struct received_span good[] = {
    {TRACE, "0000000000000001", "", "order", "POST /v1/orders", "", "", SPAN_SERVER, SPAN_UNSET, LOCAL, 1000, 9000,
     NULL},
    {TRACE, "0000000000000002", "0000000000000001", "order", "POST", "", "", SPAN_CLIENT, SPAN_UNSET, LOCAL, 1500, 4000,
     NULL},
    {TRACE, "0000000000000003", "0000000000000002", "user", "POST /v1/sessions/introspect", "", "", SPAN_SERVER,
     SPAN_UNSET, REMOTE, 1600, 3900, NULL},
    {TRACE, "0000000000000004", "0000000000000001", "order", "transaction", "", "", SPAN_INTERNAL, SPAN_UNSET, LOCAL,
     4000, 9000, NULL},
    {TRACE, "0000000000000005", "0000000000000001", "order", "publish order.placed", "", "", SPAN_PRODUCER, SPAN_UNSET,
     LOCAL, 9500, 9900, NULL},
    {TRACE, "0000000000000006", "0000000000000005", "inventory", "process order.placed", "", "", SPAN_CONSUMER,
     SPAN_UNSET, REMOTE, 12000, 15000, NULL},
    {"11111111111111111111111111111111", "0000000000000001", "", "user", "another trace", "", "", SPAN_SERVER,
     SPAN_ERROR, LOCAL, 1, 2, NULL},
};

enum { SPANS = sizeof good / sizeof good[0] };
enum { SERVER = 0, CLIENT = 1, CALLED = 2, INSIDE = 3, PRODUCED = 4, CONSUMED = 5 };

static struct received_span spans[SPANS];
static struct received received;
static const char *const services[] = {"user", "order", "inventory", NULL};
static struct trace_tree_rules rules;

static void begin(void)
{
    memcpy(spans, good, sizeof good);
    received = (struct received){.spans = spans, .count = SPANS};
    rules = (struct trace_tree_rules){.services = services};
    err_clear();
}

static bool holds(void)
{
    bool is_good = receiver_tree_check(&received, TRACE, &rules);
    if (!is_good)
        printf("# %s\n", err_cause());
    return is_good;
}

static void test_good(void)
{
    begin();
    CU_ASSERT(holds());
    spans[CONSUMED].status = SPAN_ERROR;
    spans[CONSUMED].status_message = "declined";
    rules.errors_allowed = true;
    CU_ASSERT(holds());
    CU_ASSERT_PTR_EQUAL(receiver_tree_find(&received, TRACE, "0000000000000005"), &spans[PRODUCED]);
    CU_ASSERT_PTR_NULL(receiver_tree_find(&received, TRACE, "0000000000000009"));
}

/* The microsecond that clocks are read to. */
static void test_clock(void)
{
    begin();
    spans[CALLED].start_ns = spans[CLIENT].start_ns - 1000;
    CU_ASSERT(holds());
    spans[CALLED].start_ns--;
    CU_ASSERT_FALSE(holds());
}

static void plant_second_root(void)
{
    spans[CONSUMED].parent_id[0] = '\0';
}

static void plant_no_root(void)
{
    snprintf(spans[SERVER].parent_id, sizeof spans[SERVER].parent_id, "0000000000000004");
    snprintf(spans[SERVER].trace_id, sizeof spans[SERVER].trace_id, "22222222222222222222222222222222");
}

static void plant_orphan(void)
{
    snprintf(spans[PRODUCED].parent_id, sizeof spans[PRODUCED].parent_id, "00000000000000ff");
}

static void plant_circle(void)
{
    spans[INSIDE].kind = spans[PRODUCED].kind = SPAN_PRODUCER;
    spans[INSIDE].start_ns = spans[PRODUCED].start_ns;
    spans[INSIDE].end_ns = spans[PRODUCED].end_ns;
    snprintf(spans[INSIDE].parent_id, sizeof spans[INSIDE].parent_id, "0000000000000005");
    snprintf(spans[PRODUCED].parent_id, sizeof spans[PRODUCED].parent_id, "0000000000000004");
}

static void plant_same_id(void)
{
    snprintf(spans[CONSUMED].span_id, sizeof spans[CONSUMED].span_id, "0000000000000004");
}

static void plant_zero_id(void)
{
    snprintf(spans[CONSUMED].span_id, sizeof spans[CONSUMED].span_id, "0000000000000000");
}

static void plant_ends_before(void)
{
    spans[CONSUMED].end_ns = spans[CONSUMED].start_ns - 1;
}

static void plant_ends_after_parent(void)
{
    spans[INSIDE].end_ns = spans[SERVER].end_ns + 1;
}

static void plant_begins_before_parent(void)
{
    spans[PRODUCED].start_ns = spans[SERVER].start_ns - 1;
}

static void plant_answers_after_caller(void)
{
    spans[CALLED].end_ns = spans[CLIENT].end_ns + 1001;
}

static void plant_consumed_before(void)
{
    spans[CONSUMED].start_ns = spans[PRODUCED].start_ns - 1001;
}

static void plant_kind(void)
{
    spans[CONSUMED].kind = 0;
}

static void plant_status(void)
{
    spans[CONSUMED].status = 3;
}

static void plant_error(void)
{
    spans[CONSUMED].status = SPAN_ERROR;
}

static void plant_message(void)
{
    spans[CONSUMED].status_message = "well";
}

static void plant_not_remote(void)
{
    spans[CONSUMED].flags = LOCAL;
}

static void plant_remote_inside(void)
{
    spans[INSIDE].flags = REMOTE;
}

static void plant_flags(void)
{
    spans[CONSUMED].flags = 1;
}

static void plant_no_name(void)
{
    spans[CONSUMED].name = "";
}

static void plant_no_service(void)
{
    spans[CONSUMED].service = "";
}

static void plant_absent_service(void)
{
    spans[CONSUMED].service = "order";
}

static void plant_nothing_left(void)
{
    received.count = 0;
}

static void test_faults(void)
{
    static const struct {
        void (*plant)(void);
        const char *found;
    } rows[] = {
        {plant_second_root, "a second root"}, {plant_no_root, "parent that is not there"},
        {plant_orphan, "parent that is not there"}, {plant_circle, "own ancestor"},
        {plant_same_id, "id of another span"}, {plant_zero_id, "all zero"},
        {plant_ends_before, "ends before it begins"}, {plant_ends_after_parent, "not within the time"},
        {plant_begins_before_parent, "begins before its parent"}, {plant_answers_after_caller, "not within the time"},
        {plant_consumed_before, "begins before its parent"}, {plant_kind, "a kind"}, {plant_status, "a status"},
        {plant_error, "is an error"}, {plant_message, "a message"}, {plant_not_remote, "not marked as remote"},
        {plant_remote_inside, "marked as remote"}, {plant_flags, "flags"}, {plant_no_name, "no name"},
        {plant_no_service, "no service"}, {plant_absent_service, "inventory has no part"},
        {plant_nothing_left, "no root"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        rows[i].plant();
        CU_ASSERT_FALSE(receiver_tree_check(&received, TRACE, &rules));
        if (!strstr(err_cause(), rows[i].found))
            printf("# row %zu: %s\n", i, err_cause());
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), rows[i].found));
    }
}

static const struct suite_case cases[] = {
    {"a trace as it ought to be passes", test_good},
    {"clocks of services may differ by what they are read to", test_clock},
    {"every fault is found", test_faults},
};

int main(void)
{
    return suite_main("trace_tree", cases, sizeof cases / sizeof cases[0]);
}
