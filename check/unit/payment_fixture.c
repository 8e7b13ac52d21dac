#include "config.h"

#include <string.h>

#include "check/harness/suite.h"
#include "check/unit/payment_fixture.h"

struct payments payments = {.emit = fixture_emit};

struct payment_opts payments_opts(void)
{
    return (struct payment_opts){.driver = "sandbox",
                                 .sandbox_file = scratch_path(&fixture.scratch, "payments.db"),
                                 .busy_timeout_ms = 1000};
}

void payments_start(unsigned threads, unsigned batch_max)
{
    struct payment_opts opts = payments_opts();
    CU_ASSERT_EQUAL_FATAL(payment_open(&opts, &payments.payment), ERR_NONE);
    struct payment_worker_opts worker_opts = {
        .db = fixture.db,
        .payment = payments.payment,
        .threads = threads,
        .batch_max = batch_max,
        .retry_first_ms = 1,
        .retry_max_ms = 8,
        .emit = payments.emit,
    };
    CU_ASSERT_EQUAL_FATAL(payment_worker_start(&worker_opts, &payments.worker), ERR_NONE);
}

void payments_stop(void)
{
    payment_worker_stop(payments.worker);
    payment_close(payments.payment);
    payments.worker = NULL;
    payments.payment = NULL;
}

int64_t payments_ledger(const char *sql)
{
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "payments.db"));
    struct db *db;
    opts.url = NULL;   /* a file, whatever the service's engine is */
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    int64_t value = scratch_number(db, sql);
    db_close(db);
    return value;
}

struct expectation {
    const char *order_id, *status, *payment;
};

static bool holds(void *context)
{
    const struct expectation *expected = context;
    return strcmp(fixture_status(expected->order_id), expected->status) == 0 &&
           strcmp(fixture_payment(expected->order_id), expected->payment) == 0;
}

void payments_expect(const char *order_id, const char *status, const char *payment_state)
{
    struct expectation expected = {order_id, status, payment_state};
    CU_ASSERT_TRUE(scratch_eventually(holds, &expected));
    CU_ASSERT_STRING_EQUAL(fixture_status(order_id), status);
    CU_ASSERT_STRING_EQUAL(fixture_payment(order_id), payment_state);
}

void payments_reserve(const char *method, char id[static ID_SIZE])
{
    fixture_place(method, "tea", 2, id);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_STOCK_RESERVED, "stock reserved"));
}
