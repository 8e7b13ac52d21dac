#include "config.h"

#include <stdio.h>

#include "apps/order/store.h"
#include "apps/order/stuck.h"
#include "apps/order/tally.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/order_fixture.h"
#include "telemetry/metric.h"

#define AFTER_US (60 * US_PER_S)

static struct stuck stuck;
static struct db_connection *reader;
static int64_t placed_us;                /* when the orders of a case were placed, about */

static void begin(void)
{
    CU_ASSERT_EQUAL(metric_open("order", NULL), ERR_NONE);
    fixture_begin();
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &reader), ERR_NONE);
    stuck = (struct stuck){.db = fixture.db, .emit = fixture_emit};
    placed_us = clock_wall_us();
}

static void end(void)
{
    db_reader_close(reader);
    fixture_end();
    metric_close();
}

/* A step when the orders are so old; how many were nudged. */
static unsigned step_at(int64_t age_us)
{
    unsigned nudged = 1000;
    CU_ASSERT_EQUAL(stuck_step(&stuck, reader, AFTER_US, placed_us + age_us, &nudged), ERR_NONE);
    return nudged;
}

static void test_growing_ages(void)
{
    char id[ID_SIZE];
    unsigned nudged = 0;
    begin();
    CU_ASSERT_EQUAL(step_at(0), 0);
    fixture_place(NULL, "tea", 2, id);
    for (int64_t s = 1; s <= 1000; s++)
        nudged += step_at(s * US_PER_S);
    CU_ASSERT_EQUAL(nudged, 5);              /* after 1, 2, 4, 8, 16 minutes */
    CU_ASSERT_EQUAL(fixture_emitted("order.placed.v1", id), 6);
    CU_ASSERT_STRING_EQUAL(fixture.events[0].data, fixture.events[5].data);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "placed");
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_ORDER_NUDGES, "placed")), 5);
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT cause FROM order_history WHERE order_id = $1 AND version = 6", id),
                           "stuck");
    end();
}

static void test_final_ones_are_left_alone(void)
{
    char id[4][ID_SIZE];
    begin();
    for (size_t i = 0; i < 4; i++)
        fixture_place(NULL, "tea", 1, id[i]);
    CU_ASSERT_TRUE(fixture_apply(id[0], ORDER_CANCEL, "cancelled by customer"));
    CU_ASSERT_TRUE(fixture_apply(id[1], ORDER_STOCK_REJECTED, "insufficient stock"));
    CU_ASSERT_TRUE(fixture_apply(id[2], ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(id[2], ORDER_PAYMENT_APPROVED, "payment approved"));
    CU_ASSERT_EQUAL(step_at(2 * AFTER_US), 1);
    CU_ASSERT_EQUAL(fixture_emitted("order.placed.v1", id[3]), 2);
    end();
}

static const char DUE[] = "SELECT CAST(due_us AS TEXT) FROM payment WHERE order_id = $1";

static long long due_us(const char *id)
{
    long long value = -1;
    sscanf(fixture_text(DUE, id), "%lld", &value);
    return value;
}

static void test_payments_become_due(void)
{
    char far[ID_SIZE], gone[ID_SIZE], soon[ID_SIZE];
    begin();
    fixture_place(NULL, "tea", 1, far);
    fixture_place(NULL, "tea", 1, gone);
    fixture_place(NULL, "tea", 1, soon);
    CU_ASSERT_TRUE(fixture_apply(far, ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(gone, ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(soon, ORDER_STOCK_RESERVED, "stock reserved"));
    char sql[512];
    snprintf(sql, sizeof sql,
             "UPDATE payment SET attempts = 3, due_us = 9000000000000000 WHERE order_id = '%s';"
             "UPDATE payment SET attempts = 3, due_us = 8000000000000000, updated_us = 7000000000000000"
             " WHERE order_id = '%s'; DELETE FROM payment WHERE order_id = '%s'", far, soon, gone);
    CU_ASSERT_EQUAL(scratch_script(fixture.db, sql), ERR_NONE);
    CU_ASSERT_EQUAL(step_at(10 * AFTER_US), 3);
    CU_ASSERT_EQUAL(due_us(far), placed_us + 10 * AFTER_US);
    CU_ASSERT_EQUAL(due_us(gone), placed_us + 10 * AFTER_US);
    CU_ASSERT_EQUAL(due_us(soon), 8000000000000000);   /* it was asked for a moment ago */
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_ORDER_NUDGES, "reserved")), 3);
    CU_ASSERT_STRING_EQUAL(fixture_payment(gone), "due");
    end();
}

static void test_small_steps(void)
{
    enum { COUNT = 3 * STUCK_STEP_MAX + 5 };
    static char ids[COUNT][ID_SIZE];
    unsigned steps = 0, nudged = 0, now;
    begin();
    for (size_t i = 0; i < COUNT; i++)
        fixture_place(NULL, "tea", 1, ids[i]);
    while ((now = step_at(2 * AFTER_US)) > 0) {
        CU_ASSERT_TRUE(now <= STUCK_STEP_MAX);
        nudged += now;
        steps++;
    }
    CU_ASSERT_EQUAL(steps, 4);
    CU_ASSERT_EQUAL(nudged, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(fixture_emitted("order.placed.v1", ids[i]), 2);
    end();
}

/* Another process takes over, and knows nothing of what was done: each is nudged once, however old. */
static void test_taking_over(void)
{
    char id[ID_SIZE];
    begin();
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_EQUAL(step_at(1000 * AFTER_US), 1);
    CU_ASSERT_EQUAL(step_at(1000 * AFTER_US), 0);
    stuck.begun = false;
    CU_ASSERT_EQUAL(step_at(1000 * AFTER_US), 1);
    CU_ASSERT_EQUAL(step_at(1000 * AFTER_US), 0);
    end();
}

static void test_gauge(void)
{
    char id[3][ID_SIZE];
    begin();
    for (size_t i = 0; i < 3; i++)
        fixture_place(NULL, "tea", 1, id[i]);
    CU_ASSERT_TRUE(fixture_apply(id[0], ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_EQUAL(tally_measure(reader, placed_us - US_PER_S), ERR_NONE);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_ORDERS_STUCK, "placed")), 0);
    CU_ASSERT_EQUAL(tally_measure(reader, clock_wall_us() + US_PER_S), ERR_NONE);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_ORDERS_STUCK, "placed")), 2);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_ORDERS_STUCK, "reserved")), 1);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_ORDERS_OPEN, "placed")), 2);
    end();
}

static const struct suite_case cases[] = {
    {"an order that stays placed is announced again, less often as it grows old", test_growing_ages},
    {"an order that came to its end is left alone", test_final_ones_are_left_alone},
    {"a reserved order's payment becomes due, unless it was asked for a moment ago", test_payments_become_due},
    {"many are nudged in small steps", test_small_steps},
    {"who takes over nudges each once", test_taking_over},
    {"how many are stuck is told", test_gauge},
};

int main(void)
{
    return engines_main("order_stuck", cases, sizeof cases / sizeof cases[0]);
}
