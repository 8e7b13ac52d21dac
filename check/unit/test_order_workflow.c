#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/harness/suite.h"
#include "check/unit/order_fixture.h"

/* The way to each state, as events from ORDER_PLACED on. */
static const struct {
    enum order_state state;
    enum order_event events[3];
    size_t count;
} ways[] = {
    {ORDER_PLACED, {0}, 0},
    {ORDER_RESERVED, {ORDER_STOCK_RESERVED}, 1},
    {ORDER_PAID, {ORDER_STOCK_RESERVED, ORDER_PAYMENT_APPROVED}, 2},
    {ORDER_SHIPPED, {ORDER_STOCK_RESERVED, ORDER_PAYMENT_APPROVED, ORDER_SHIP}, 3},
    {ORDER_REJECTED, {ORDER_STOCK_REJECTED}, 1},
    {ORDER_CANCELLED, {ORDER_CANCEL}, 1},
};

/* What is to hold, written down apart from the table under test. */
static const struct {
    enum order_state from;
    enum order_event event;
    enum order_state next;
    const char *emits;             /* NULL: nothing */
    const char *payment;           /* its state afterwards; "": there is none */
} rows[] = {
    {ORDER_PLACED, ORDER_STOCK_RESERVED, ORDER_RESERVED, NULL, "due"},
    {ORDER_PLACED, ORDER_STOCK_REJECTED, ORDER_REJECTED, "order.rejected.v1", ""},
    {ORDER_PLACED, ORDER_CANCEL, ORDER_CANCELLED, "order.cancelled.v1", ""},
    {ORDER_RESERVED, ORDER_CANCEL, ORDER_CANCELLED, "order.cancelled.v1", "voided"},
    {ORDER_RESERVED, ORDER_PAYMENT_APPROVED, ORDER_PAID, "order.paid.v1", "due"},
    {ORDER_RESERVED, ORDER_PAYMENT_DECLINED, ORDER_CANCELLED, "order.cancelled.v1", "due"},
    {ORDER_PAID, ORDER_SHIP, ORDER_SHIPPED, NULL, "due"},
    {ORDER_CANCELLED, ORDER_PAYMENT_APPROVED, ORDER_CANCELLED, NULL, ""},
    {ORDER_PLACED, ORDER_EXPIRE, ORDER_CANCELLED, "order.cancelled.v1", ""},
    {ORDER_RESERVED, ORDER_EXPIRE, ORDER_CANCELLED, "order.cancelled.v1", "voided"},
    {ORDER_PAID, ORDER_EXPIRE, ORDER_PAID, "order.paid.v1", "due"},
    {ORDER_SHIPPED, ORDER_EXPIRE, ORDER_SHIPPED, "order.paid.v1", "due"},
    {ORDER_CANCELLED, ORDER_EXPIRE, ORDER_CANCELLED, "order.cancelled.v1", ""},
    {ORDER_PLACED, ORDER_NUDGE, ORDER_PLACED, "order.placed.v1", ""},
    {ORDER_RESERVED, ORDER_NUDGE, ORDER_RESERVED, NULL, "due"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void order_in(enum order_state state, char out[static ID_SIZE])
{
    fixture_place(NULL, "tea", 2, out);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (size_t j = 0; ways[i].state == state && j < ways[i].count; j++)
            CU_ASSERT_TRUE_FATAL(fixture_apply(out, ways[i].events[j], "on the way"));
    }
    CU_ASSERT_STRING_EQUAL(fixture_status(out), order_state_name(state));
}

static long long number(const char *sql, const char *order_id)
{
    long long value = -1;
    sscanf(fixture_text(sql, order_id), "%lld", &value);
    return value;
}

static const char STORED_VERSION[] = "SELECT CAST(version AS TEXT) FROM orders WHERE id = $1";
static const char STEPS[] = "SELECT CAST(count(*) AS TEXT) FROM order_history WHERE order_id = $1";
static const char LAST_STEP[] =
    "SELECT from_status || '>' || to_status || ':' || cause FROM order_history WHERE order_id = $1"
    " ORDER BY version DESC LIMIT 1";

static void check_row(size_t at)
{
    char id[ID_SIZE], step[128];
    order_in(rows[at].from, id);
    long long version = number(STORED_VERSION, id), steps = number(STEPS, id);
    size_t events = fixture.event_count;
    CU_ASSERT_TRUE(fixture_apply(id, rows[at].event, "because"));
    CU_ASSERT_STRING_EQUAL(fixture_status(id), order_state_name(rows[at].next));
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), rows[at].payment);
    CU_ASSERT_EQUAL(number(STORED_VERSION, id), version + 1);
    CU_ASSERT_EQUAL(number(STEPS, id), steps + 1);
    snprintf(step, sizeof step, "%s>%s:because", order_state_name(rows[at].from), order_state_name(rows[at].next));
    CU_ASSERT_STRING_EQUAL(fixture_text(LAST_STEP, id), step);
    CU_ASSERT_EQUAL(fixture.event_count, events + (rows[at].emits != NULL));
    if (rows[at].emits)
        CU_ASSERT_STRING_EQUAL(fixture.events[fixture.event_count - 1].type, rows[at].emits);
}

static void test_each_row(void)
{
    fixture_begin();
    for (size_t i = 0; i < ROWS; i++)
        check_row(i);
    CU_ASSERT_EQUAL(order_transition_count, ROWS + 1);   /* and the one that places */
    fixture_end();
}

static bool has_row(enum order_state from, enum order_event event)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].from == from && rows[i].event == event)
            return true;
    }
    return false;
}

static void test_all_others_change_nothing(void)
{
    size_t pairs = 0;
    fixture_begin();
    for (unsigned from = ORDER_PLACED; from < ORDER_STATES; from++) {
        char id[ID_SIZE];
        order_in((enum order_state)from, id);
        for (unsigned event = ORDER_PLACE; event < ORDER_EVENTS; event++) {
            if (has_row((enum order_state)from, (enum order_event)event))
                continue;
            long long version = number(STORED_VERSION, id), steps = number(STEPS, id);
            size_t events = fixture.event_count;
            CU_ASSERT_FALSE(fixture_apply(id, (enum order_event)event, "no reason"));
            CU_ASSERT_STRING_EQUAL(fixture_status(id), order_state_name((enum order_state)from));
            CU_ASSERT_EQUAL(number(STORED_VERSION, id), version);
            CU_ASSERT_EQUAL(number(STEPS, id), steps);
            CU_ASSERT_EQUAL(fixture.event_count, events);
            pairs++;
        }
    }
    CU_ASSERT_EQUAL(pairs, 6 * ORDER_EVENTS - ROWS);
    fixture_end();
}

static void test_placing(void)
{
    char id[ID_SIZE], expected[512];
    fixture_begin();
    fixture_place("sandbox_decline", "tea", 3, id);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "placed");
    CU_ASSERT_EQUAL(number(STORED_VERSION, id), 1);
    CU_ASSERT_EQUAL(number(STEPS, id), 1);
    CU_ASSERT_EQUAL_FATAL(fixture.event_count, 1);
    snprintf(expected, sizeof expected,
             "{\"order_id\":\"%s\",\"user_id\":\"0190a000-0000-7000-8000-000000000001\","
             "\"lines\":[{\"sku\":\"tea\",\"quantity\":3}]}", id);
    CU_ASSERT_STRING_EQUAL(fixture.events[0].type, "order.placed.v1");
    CU_ASSERT_STRING_EQUAL(fixture.events[0].subject, id);
    CU_ASSERT_STRING_EQUAL(fixture.events[0].data, expected);
    fixture_end();
}

static void test_reasons_are_told(void)
{
    char id[ID_SIZE], expected[512];
    fixture_begin();
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_STOCK_REJECTED, "insufficient stock: tea"));
    snprintf(expected, sizeof expected, "{\"order_id\":\"%s\",\"reason\":\"insufficient stock: tea\"}", id);
    CU_ASSERT_STRING_EQUAL(fixture.events[fixture.event_count - 1].data, expected);
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_PAYMENT_APPROVED, "payment approved"));
    snprintf(expected, sizeof expected, "{\"order_id\":\"%s\"}", id);
    CU_ASSERT_STRING_EQUAL(fixture.events[fixture.event_count - 1].data, expected);
    fixture_end();
}

static const struct suite_case cases[] = {
    {"placing stores the order, its first step and an event with its lines", test_placing},
    {"each row of the table moves the order, keeps a step, and does what it says", test_each_row},
    {"an event without a row for the state changes nothing", test_all_others_change_nothing},
    {"rejection and cancellation tell their reason, payment has none", test_reasons_are_told},
};

int main(void)
{
    return suite_main("order_workflow", cases, sizeof cases / sizeof cases[0]);
}
