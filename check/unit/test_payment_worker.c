#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apps/order/payment_record.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/payment_fixture.h"
#include "telemetry/log.h"

static void test_outcomes(void)
{
    char approved[ID_SIZE], declined[ID_SIZE], once[ID_SIZE], unasked[ID_SIZE];
    fixture_begin();
    payments_start(2, 4);
    payments_reserve(NULL, unasked);
    payments_reserve("sandbox_approve", approved);
    payments_reserve("sandbox_decline", declined);
    payments_reserve("sandbox_timeout_once", once);
    payments_expect(unasked, "paid", "approved");
    payments_expect(approved, "paid", "approved");
    payments_expect(declined, "cancelled", "declined");
    payments_expect(once, "paid", "approved");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT cause FROM order_history WHERE order_id = $1 AND version = 3",
                                        declined),
                           "payment declined");
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", once), 1);
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", NULL), 3);
    CU_ASSERT_EQUAL(fixture_emitted("order.cancelled.v1", declined), 1);
    CU_ASSERT_EQUAL(payments_ledger(PAYMENTS_APPROVED), 3);
    payments_stop();
    fixture_end();
}

/* What follows from a payment goes back to the request that placed the order, through the database and a restart. */
static void expect_origin(const char *type, const char *order_id)
{
    const struct fixture_event *event = fixture_find(type, order_id);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_STRING_EQUAL(event->request_id, FIXTURE_REQUEST_ID);
    CU_ASSERT_STRING_EQUAL(event->traceparent, FIXTURE_TRACEPARENT);
}

static void test_origin(void)
{
    char paid[ID_SIZE], declined[ID_SIZE], nobodys[ID_SIZE];
    fixture_begin();
    payments_reserve("sandbox_timeout_once", paid);
    payments_reserve("sandbox_decline", declined);
    fixture_reopen();
    payments_reserve("sandbox_approve", nobodys);
    CU_ASSERT_EQUAL(scratch_script(fixture.db, "UPDATE payment SET request_id = NULL, traceparent = NULL"
                                               " WHERE order_id = (SELECT max(order_id) FROM payment)"), ERR_NONE);
    payments_start(1, 4);
    payments_expect(paid, "paid", "approved");
    payments_expect(declined, "cancelled", "declined");
    payments_expect(nobodys, "paid", "approved");
    payments_stop();
    expect_origin("order.paid.v1", paid);
    expect_origin("order.cancelled.v1", declined);
    CU_ASSERT_STRING_EQUAL(fixture_find("order.paid.v1", nobodys)->request_id, "");
    CU_ASSERT_STRING_EQUAL(fixture_find("order.paid.v1", nobodys)->traceparent, "");
    fixture_end();
}

static bool has_been_asked_often(void *context)
{
    struct payment_worker_stats stats;
    (void)context;
    payment_worker_stats(payments.worker, &stats);
    return stats.unknown >= 10;
}

static void test_timeouts_are_asked_again(void)
{
    char id[ID_SIZE];
    fixture_begin();
    payments_start(1, 4);
    payments_reserve("sandbox_timeout", id);
    CU_ASSERT_TRUE(scratch_eventually(has_been_asked_often, NULL));
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "reserved");
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "due");
    payments_stop();
    CU_ASSERT_EQUAL(payments_ledger(PAYMENTS_APPROVED), 0);
    CU_ASSERT_TRUE(payments_ledger("SELECT tries FROM charge") >= 10);
    CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge"), 1);
    fixture_end();
}

/* ---- steps taken by hand, so that the race and the crash come exactly where they are meant to ---- */

struct taking {
    struct payment_due due[4];
    size_t count;
    int64_t next_us;
};

static enum err take_work(struct db_connection *db, void *context)
{
    struct taking *taking = context;
    return payment_store_take(db, clock_wall_us(), INT64_C(3600) * US_PER_S, taking->due, 4, &taking->count,
                              &taking->next_us);
}

static enum err record_work(struct db_connection *db, void *context)
{
    return payment_record(db, context);
}

static void record_answer(const struct payment_due *due, const struct payment_answer *answer)
{
    struct payment_record what = {due, answer, clock_wall_us(), clock_wall_us(), fixture_emit, NULL};
    CU_ASSERT_EQUAL(db_write(fixture.db, record_work, &what), ERR_NONE);
}

static void record(const struct payment_due *due, enum payment_outcome outcome)
{
    record_answer(due, &(struct payment_answer){.outcome = outcome});
}

static void charge_approved(const char *id, struct money amount)
{
    struct payment_opts opts = payments_opts();
    struct payment_request request = {
        .key = text_of(id), .method = secret_of(TEXT("sandbox_approve")), .amount = amount};
    struct payment_answer answer;
    CU_ASSERT_EQUAL_FATAL(payment_open(&opts, &payments.payment), ERR_NONE);
    payment_charge(payments.payment, &request, &answer);
    CU_ASSERT_EQUAL(answer.outcome, PAYMENT_APPROVED);
    payment_close(payments.payment);
}

static void test_cancel_before_the_charge(void)
{
    char id[ID_SIZE];
    struct taking taking = {.count = 0};
    fixture_begin();
    payments_reserve(NULL, id);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "voided");
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    CU_ASSERT_EQUAL(taking.count, 0);
    CU_ASSERT_EQUAL(taking.next_us, INT64_MAX);
    fixture_end();
}

static void test_cancel_during_the_charge(void)
{
    char id[ID_SIZE];
    struct taking taking = {.count = 0};
    fixture_begin();
    payments_reserve("sandbox_approve", id);
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(taking.count, 1);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "due");

    charge_approved(id, taking.due[0].amount);
    record(&taking.due[0], PAYMENT_APPROVED);
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "refund_due");

    payments_start(1, 4);
    payments_expect(id, "cancelled", "refunded");
    payments_stop();
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", id), 0);
    CU_ASSERT_EQUAL(fixture_emitted("order.cancelled.v1", id), 1);
    CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge WHERE state = 'refunded'"), 1);
    fixture_end();
}

static void test_cancel_during_a_timeout(void)
{
    char id[ID_SIZE];
    struct taking taking = {.count = 0};
    fixture_begin();
    payments_reserve("sandbox_timeout_once", id);
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    charge_approved(id, taking.due[0].amount);   /* and the answer is lost */
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    record(&taking.due[0], PAYMENT_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "due");
    payments_start(1, 4);
    payments_expect(id, "cancelled", "refunded");
    payments_stop();
    CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge WHERE state = 'refunded'"), 1);
    fixture_end();
}

/* Nobody wants the charge any more, so finding out makes none. */
static void test_cancel_before_the_gateway_heard(void)
{
    char id[ID_SIZE];
    struct taking taking = {.count = 0};
    fixture_begin();
    payments_reserve("sandbox_approve", id);
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    CU_ASSERT_FALSE(taking.due[0].only_find_out);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    record(&taking.due[0], PAYMENT_UNKNOWN);
    payments_start(1, 4);
    payments_expect(id, "cancelled", "declined");
    payments_stop();
    CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge WHERE state IN ('approved', 'refunded')"), 0);
    fixture_end();
}

static void test_restart_between_charge_and_record(void)
{
    char id[ID_SIZE];
    struct taking taking = {.count = 0};
    fixture_begin();
    payments_reserve("sandbox_approve", id);
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    charge_approved(id, taking.due[0].amount);

    fixture_reopen();
    payments_start(2, 4);
    payments_expect(id, "paid", "approved");
    payments_stop();
    CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge"), 1);
    CU_ASSERT_EQUAL(payments_ledger("SELECT tries FROM charge"), 2);
    CU_ASSERT_EQUAL(payments_ledger("SELECT sum(amount_minor) FROM charge WHERE state = 'approved'"), 2500);
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", id), 1);
    fixture_end();
}

static void test_outcome_recorded_twice(void)
{
    char id[ID_SIZE];
    struct taking taking = {.count = 0};
    fixture_begin();
    payments_reserve(NULL, id);
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    record(&taking.due[0], PAYMENT_APPROVED);
    record(&taking.due[0], PAYMENT_APPROVED);
    record(&taking.due[0], PAYMENT_UNKNOWN);
    record(&taking.due[0], PAYMENT_DECLINED);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "paid");
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "approved");
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", id), 1);
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
    CU_ASSERT_EQUAL(taking.count, 0);
    fixture_end();
}

static void test_reason(void)
{
    static const struct {
        enum payment_reason reason;
        const char *cause;
    } rows[] = {
        {PAYMENT_REASON_NONE, "payment declined"},
        {PAYMENT_REASON_INSUFFICIENT_FUNDS, "payment declined: insufficient_funds"},
        {PAYMENT_REASON_CARD_EXPIRED, "payment declined: card_expired"},
        {PAYMENT_REASON_AUTHENTICATION_REQUIRED, "payment declined: authentication_required"},
    };
    fixture_begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct payment_answer answer = {.outcome = PAYMENT_DECLINED, .reason = rows[i].reason};
        struct taking taking = {.count = 0};
        char id[ID_SIZE];
        payments_reserve("sandbox_approve", id);
        CU_ASSERT_EQUAL(db_write(fixture.db, take_work, &taking), ERR_NONE);
        record_answer(&taking.due[0], &answer);
        CU_ASSERT_STRING_EQUAL(fixture_status(id), "cancelled");
        CU_ASSERT_STRING_EQUAL(fixture_text("SELECT cause FROM order_history WHERE order_id = $1 AND version = 3", id),
                               rows[i].cause);
        CU_ASSERT_PTR_NOT_NULL_FATAL(fixture_find("order.cancelled.v1", id));
        CU_ASSERT_PTR_NOT_NULL(strstr(fixture_find("order.cancelled.v1", id)->data, rows[i].cause));
    }
    for (unsigned i = 0; i < PAYMENT_REASONS; i++)
        CU_ASSERT_PTR_NOT_NULL(payment_reason_name((enum payment_reason)i));
    fixture_end();
}

/* ---- what the gateway tells by itself ---- */

struct nudging {
    const char *order_id;
    struct text reference;
    bool is_open;
};

static enum err nudge_work(struct db_connection *db, void *context)
{
    struct nudging *nudging = context;
    return payment_store_nudge(db, text_of(nudging->order_id), nudging->reference, clock_wall_us(), &nudging->is_open);
}

static bool nudge(const char *order_id, struct text reference)
{
    struct nudging nudging = {order_id, reference, false};
    CU_ASSERT_EQUAL(db_write(fixture.db, nudge_work, &nudging), ERR_NONE);
    return nudging.is_open;
}

static size_t take(struct taking *taking)
{
    taking->count = 0;
    CU_ASSERT_EQUAL(db_write(fixture.db, take_work, taking), ERR_NONE);
    return taking->count;
}

static void postpone(const struct payment_due *due, const char *reference)
{
    struct payment_answer answer = {.outcome = PAYMENT_UNKNOWN};
    snprintf(answer.reference, sizeof answer.reference, "%s", reference);
    struct payment_record what = {due, &answer, clock_wall_us(), clock_wall_us() + 3600 * US_PER_S, fixture_emit, NULL};
    CU_ASSERT_EQUAL(db_write(fixture.db, record_work, &what), ERR_NONE);
}

static void test_news(void)
{
    char id[ID_SIZE];
    struct taking taking;
    fixture_begin();
    CU_ASSERT_FALSE(nudge("0190a000-0000-7000-8000-00000000ffff", TEXT("pi_1")));
    payments_reserve(NULL, id);
    CU_ASSERT_EQUAL_FATAL(take(&taking), 1);
    CU_ASSERT_EQUAL(taking.due[0].asked_us, 0);
    CU_ASSERT_STRING_EQUAL(taking.due[0].reference, "");
    postpone(&taking.due[0], "");
    CU_ASSERT_EQUAL(take(&taking), 0);
    CU_ASSERT_TRUE(nudge(id, TEXT("pi_1")));                       /* while it waits: due at once */
    CU_ASSERT_EQUAL_FATAL(take(&taking), 1);
    CU_ASSERT_TRUE(taking.due[0].asked_us > 0);
    CU_ASSERT_EQUAL(taking.due[0].attempts, 2);
    CU_ASSERT_STRING_EQUAL(taking.due[0].reference, "pi_1");
    int64_t asked_us = taking.due[0].asked_us;
    CU_ASSERT_TRUE(nudge(id, TEXT("pi_other")));                   /* while it is being asked: not twice at once … */
    CU_ASSERT_EQUAL(take(&taking), 0);
    postpone(&taking.due[0], "");
    CU_ASSERT_EQUAL_FATAL(take(&taking), 1);                       /* … but again after */
    CU_ASSERT_EQUAL(taking.due[0].asked_us, asked_us);
    CU_ASSERT_STRING_EQUAL(taking.due[0].reference, "pi_1");
    postpone(&taking.due[0], "pi_2");                              /* the gateway itself knows best */
    CU_ASSERT_EQUAL(take(&taking), 0);
    CU_ASSERT_TRUE(nudge(id, TEXT_NONE));
    CU_ASSERT_EQUAL_FATAL(take(&taking), 1);
    CU_ASSERT_STRING_EQUAL(taking.due[0].reference, "pi_2");
    record(&taking.due[0], PAYMENT_APPROVED);
    CU_ASSERT_FALSE(nudge(id, TEXT("pi_3")));
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "paid");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT reference FROM payment WHERE order_id = $1", id), "pi_2");
    CU_ASSERT_EQUAL(take(&taking), 0);
    fixture_end();
}

/* A refund is another question: asked for the first time, of the same charge. */
static void test_refund_has_the_reference(void)
{
    char id[ID_SIZE];
    struct taking taking;
    fixture_begin();
    payments_reserve(NULL, id);
    CU_ASSERT_EQUAL_FATAL(take(&taking), 1);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    CU_ASSERT_TRUE(nudge(id, TEXT_NONE));
    struct payment_answer answer = {.outcome = PAYMENT_APPROVED, .reference = "pi_1"};
    record_answer(&taking.due[0], &answer);
    CU_ASSERT_EQUAL_FATAL(take(&taking), 1);
    CU_ASSERT_TRUE(taking.due[0].is_refund);
    CU_ASSERT_EQUAL(taking.due[0].asked_us, 0);
    CU_ASSERT_EQUAL(taking.due[0].attempts, 1);
    CU_ASSERT_STRING_EQUAL(taking.due[0].reference, "pi_1");
    record(&taking.due[0], PAYMENT_APPROVED);
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "refunded");
    fixture_end();
}

static bool has_been_asked(void *context)
{
    struct payment_worker_stats stats;
    (void)context;
    payment_worker_stats(payments.worker, &stats);
    return stats.unknown > 0;
}

/* It would not be asked again for an hour. */
static void test_news_wake_the_worker(void)
{
    char id[ID_SIZE];
    fixture_begin();
    payments_start(1, 4);
    payment_worker_retry(payments.worker, 3600000, 3600000);
    payments_reserve("sandbox_timeout_once", id);
    CU_ASSERT_TRUE(scratch_eventually(has_been_asked, NULL));
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "reserved");
    CU_ASSERT_TRUE(nudge(id, TEXT_NONE));
    payments_expect(id, "paid", "approved");
    payments_stop();
    fixture_end();
}

/* One of two processes makes a payment due, and ends before it has asked. */
/* ---- many at once ---- */

enum { MANY = 1000 };

static bool all_settled(void *context)
{
    (void)context;
    return scratch_number(fixture.db, "SELECT count(*) FROM payment WHERE due_us IS NOT NULL") == 0;
}

static void test_many(void)
{
    fixture_begin();
    for (int i = 0; i < MANY; i++) {
        char id[ID_SIZE];
        payments_reserve(i % 10 == 0 ? "sandbox_decline" : i % 10 == 1 ? "sandbox_timeout_once" : NULL, id);
    }
    int64_t started_ns = clock_now_ns();
    payments_start(4, 16);
    CU_ASSERT_TRUE(scratch_eventually(all_settled, NULL));
    printf("# %d payments in %lld ms\n", MANY, (long long)((clock_now_ns() - started_ns) / NS_PER_MS));
    payments_stop();
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM orders WHERE status = 'paid'"), MANY * 9 / 10);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM orders WHERE status = 'cancelled'"), MANY / 10);
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", NULL), MANY * 9 / 10);
    CU_ASSERT_EQUAL(payments_ledger(PAYMENTS_APPROVED), MANY * 9 / 10);
    fixture_end();
}

static void test_started_before_the_writer(void)
{
    char id[ID_SIZE];
    fixture_begin();
    payments_reserve(NULL, id);
    db_close(fixture.db);
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "order.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    payments_start(1, 1);
    payments_stop();                 /* the writer never ran: nothing is waited for */
    payments_start(1, 1);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
    payments_expect(id, "paid", "approved");
    payments_stop();
    payment_worker_stop(NULL);
    fixture_end();
}

static const struct suite_case cases[] = {
    {"approved is paid, declined is cancelled, a timeout is asked again until it is known", test_outcomes},
    {"what follows from a payment carries the request it goes back to", test_origin},
    {"why a payment was declined is in the history and in the event", test_reason},
    {"news of a payment have it asked about at once, and once", test_news},
    {"a refund is of the charge that was made", test_refund_has_the_reference},
    {"news wake the worker", test_news_wake_the_worker},
    {"a gateway that never answers is asked for ever, with one key, and the order stays reserved",
     test_timeouts_are_asked_again},
    {"a payment that was never tried is voided by a cancellation", test_cancel_before_the_charge},
    {"a charge that lost the race with a cancellation is given back", test_cancel_during_the_charge},
    {"a charge that is unknown at a cancellation is found out and given back", test_cancel_during_a_timeout},
    {"a payment that the gateway never heard of is not made for an order that was cancelled",
     test_cancel_before_the_gateway_heard},
    {"a restart between charge and record charges exactly once", test_restart_between_charge_and_record},
    {"an outcome that is recorded already changes nothing", test_outcome_recorded_twice},
    {"a thousand payments flow", test_many},
    {"a worker may be started, and stopped, before the writer runs", test_started_before_the_writer},
};

int main(void)
{
    log_level_set(LOG_CRITICAL);
    return engines_main("payment_worker", cases, sizeof cases / sizeof cases[0]);
}
