#include "config.h"

#include <stdio.h>

#include "apps/order/payment_store.h"
#include "base/clock.h"

static const char PAYMENT_ADD[] =
    "INSERT INTO payment (due_us, updated_us, order_id, state, attempts, request_id, traceparent, tracestate)"
    " VALUES ($1, $1, $2, 'due', 0, $3, $4, $5)";
static const char PAYMENT_VOID[] =
    "UPDATE payment SET state = 'voided', due_us = NULL, updated_us = $1"
    " WHERE order_id = $2 AND state = 'due' AND attempts = 0";
static const char PAYMENT_HASTEN[] =
    "INSERT INTO payment (due_us, updated_us, order_id, state, attempts) VALUES ($1, $1, $2, 'due', 0)"
    " ON CONFLICT (order_id) DO UPDATE SET due_us = excluded.due_us"
    " WHERE payment.state = 'due' AND payment.updated_us < $3 AND coalesce(payment.due_us, $4 + 1) > $4";
static const char PAYMENT_REFUND[] =
    "UPDATE payment SET state = 'refund_due', attempts = 0, asking = 0, asked_us = NULL, due_us = $1, updated_us = $1"
    " WHERE order_id = $2 AND state = 'approved'";
static const char PAYMENT_RESUME[] = "UPDATE payment SET due_us = $1, asking = 0 WHERE due_us > $1";
static const char PAYMENT_DUE[] =
    "SELECT p.order_id, o.payment_method, o.total_minor, o.currency, p.state, p.attempts,"
    " p.request_id, p.traceparent, p.asked_us, p.reference, o.status = 'cancelled', p.tracestate"
    " FROM payment p JOIN orders o ON o.id = p.order_id WHERE p.due_us <= $1 ORDER BY p.due_us LIMIT $2";
static const char PAYMENT_LEASE[] =
    "UPDATE payment SET attempts = attempts + 1, asking = 1, asked_us = coalesce(asked_us, $2), due_us = $1,"
    " updated_us = $2 WHERE order_id = $3";
static const char PAYMENT_NEXT[] = "SELECT due_us FROM payment WHERE due_us IS NOT NULL ORDER BY due_us LIMIT 1";
static const char PAYMENT_POSTPONE[] =
    "UPDATE payment SET due_us = CASE WHEN asking = 2 THEN $1 ELSE $2 END, asking = 0,"
    " reference = coalesce($3, reference) WHERE order_id = $4 AND due_us IS NOT NULL RETURNING due_us";
static const char PAYMENT_SETTLE[] =
    "UPDATE payment SET state = $1, due_us = NULL, asking = 0, reference = coalesce($2, reference), updated_us = $3"
    " WHERE order_id = $4 AND state = $5";
static const char PAYMENT_NUDGE[] =
    "UPDATE payment SET due_us = CASE WHEN asking = 0 THEN $1 ELSE due_us END,"
    " asking = CASE WHEN asking = 0 THEN 0 ELSE 2 END, reference = coalesce(reference, $2)"
    " WHERE order_id = $3 AND due_us IS NOT NULL";

const char payment_due_topic[] = "payment due";

static enum err run(struct db_connection *db, const char *sql, struct text order_id, int64_t at_us)
{
    struct db_statement *change = db_query(db, sql);
    db_bind_int(change, 1, at_us);
    db_bind_text(change, 2, order_id);
    return db_run(change, NULL);
}

enum err payment_store_add(struct db_connection *db, struct text order_id, const struct order_origin *origin,
                           int64_t now_us)
{
    struct db_statement *insert = db_query(db, PAYMENT_ADD);
    db_notify(db, payment_due_topic);
    db_bind_int(insert, 1, now_us);
    db_bind_text(insert, 2, order_id);
    db_bind_text(insert, 3, origin->request_id);
    db_bind_text(insert, 4, origin->traceparent);
    db_bind_text(insert, 5, origin->tracestate);
    return db_run(insert, NULL);
}

enum err payment_store_void(struct db_connection *db, struct text order_id, int64_t now_us)
{
    return run(db, PAYMENT_VOID, order_id, now_us);
}

enum err payment_store_hasten(struct db_connection *db, struct text order_id, int64_t now_us)
{
    struct db_statement *change = db_query(db, PAYMENT_HASTEN);
    db_notify(db, payment_due_topic);
    db_bind_int(change, 1, now_us);
    db_bind_text(change, 2, order_id);
    db_bind_int(change, 3, now_us - PAYMENT_IDLE_S * US_PER_S);
    db_bind_int(change, 4, now_us + PAYMENT_FAR_S * US_PER_S);
    return db_run(change, NULL);
}

enum err payment_store_refund(struct db_connection *db, struct text order_id, int64_t now_us)
{
    db_notify(db, payment_due_topic);
    return run(db, PAYMENT_REFUND, order_id, now_us);
}

enum err payment_store_resume(struct db_connection *db, int64_t now_us)
{
    struct db_statement *change = db_query(db, PAYMENT_RESUME);
    db_notify(db, payment_due_topic);
    db_bind_int(change, 1, now_us);
    return db_run(change, NULL);
}

static enum err read_due(struct db_statement *row, struct payment_due *due)
{
    *due = (struct payment_due){
        .amount = {db_int(row, 2), currency_find(db_text(row, 3))},
        .is_refund = text_equal_string(db_text(row, 4), "refund_due"),
        .only_find_out = db_int(row, 10) != 0,
        .attempts = db_int(row, 5) + 1,
        .asked_us = db_int(row, 8),
    };
    snprintf(due->order_id, sizeof due->order_id, "%.*s", TEXT_ARGS(db_text(row, 0)));
    snprintf(due->method, sizeof due->method, "%.*s", TEXT_ARGS(db_text(row, 1)));
    snprintf(due->request_id, sizeof due->request_id, "%.*s", TEXT_ARGS(db_text(row, 6)));
    snprintf(due->traceparent, sizeof due->traceparent, "%.*s", TEXT_ARGS(db_text(row, 7)));
    snprintf(due->tracestate, sizeof due->tracestate, "%.*s", TEXT_ARGS(db_text(row, 11)));
    snprintf(due->reference, sizeof due->reference, "%.*s", TEXT_ARGS(db_text(row, 9)));
    if (!due->amount.currency)
        return err_because(ERR_STORAGE, "order %s has an unknown currency", due->order_id);
    return ERR_NONE;
}

static struct text given(const char *string)
{
    return *string ? text_of(string) : TEXT_NONE;
}

struct order_origin payment_due_origin(const struct payment_due *due)
{
    return (struct order_origin){given(due->request_id), given(due->traceparent), given(due->tracestate)};
}

static enum err lease(struct db_connection *db, const struct payment_due *due, int64_t now_us, int64_t lease_us)
{
    struct db_statement *change = db_query(db, PAYMENT_LEASE);
    db_bind_int(change, 1, now_us + lease_us);
    db_bind_int(change, 2, now_us);
    db_bind_string(change, 3, due->order_id);
    return db_run(change, NULL);
}

static enum err find_next(struct db_connection *db, int64_t *ret_next_us)
{
    struct db_statement *row = db_query(db, PAYMENT_NEXT);
    int64_t next_us = INT64_MAX;
    while (db_next(row))
        next_us = db_int(row, 0);
    enum err err = db_done(row);
    if (!err)
        *ret_next_us = next_us;
    return err;
}

enum err payment_store_take(struct db_connection *db, int64_t now_us, int64_t lease_us, struct payment_due *due,
                            size_t max, size_t *ret_count, int64_t *ret_next_us)
{
    struct db_statement *row = db_query(db, PAYMENT_DUE);
    size_t count = 0;
    enum err err = ERR_NONE;
    db_bind_int(row, 1, now_us);
    db_bind_int(row, 2, (int64_t)max);
    while (!err && count < max && db_next(row))
        err = read_due(row, &due[count++]);
    enum err done = db_done(row);
    if (!err)
        err = done;
    for (size_t i = 0; i < count && !err; i++)
        err = lease(db, &due[i], now_us, lease_us);
    if (!err)
        err = find_next(db, ret_next_us);
    if (!err)
        *ret_count = count;
    return err;
}

/* An absent text is NULL, which leaves what is there. */
static struct text unless_empty(struct text text)
{
    return text.length > 0 ? text : TEXT_NONE;
}

enum err payment_store_nudge(struct db_connection *db, struct text order_id, struct text reference, int64_t now_us,
                             bool *ret_open)
{
    struct db_statement *change = db_query(db, PAYMENT_NUDGE);
    int64_t changes = 0;
    db_notify(db, payment_due_topic);
    db_bind_int(change, 1, now_us);
    db_bind_text(change, 2, unless_empty(reference));
    db_bind_text(change, 3, order_id);
    enum err err = db_run(change, &changes);
    if (!err)
        *ret_open = changes > 0;
    return err;
}

enum err payment_store_postpone(struct db_connection *db, struct text order_id, struct text reference, int64_t now_us,
                                int64_t due_us)
{
    struct db_statement *row = db_query(db, PAYMENT_POSTPONE);
    bool is_due = false;
    db_bind_int(row, 1, now_us);
    db_bind_int(row, 2, due_us);
    db_bind_text(row, 3, unless_empty(reference));
    db_bind_text(row, 4, order_id);
    while (db_next(row))
        is_due = db_int(row, 0) < due_us;
    if (is_due)
        db_notify(db, payment_due_topic);
    return db_done(row);
}

enum err payment_store_settle(struct db_connection *db, struct text order_id, const struct payment_settling *settling,
                              bool *ret_settled)
{
    struct db_statement *change = db_query(db, PAYMENT_SETTLE);
    int64_t changes = 0;
    db_bind_string(change, 1, settling->to);
    db_bind_text(change, 2, unless_empty(settling->reference));
    db_bind_int(change, 3, settling->now_us);
    db_bind_text(change, 4, order_id);
    db_bind_string(change, 5, settling->from);
    enum err err = db_run(change, &changes);
    if (!err)
        *ret_settled = changes > 0;
    return err;
}
