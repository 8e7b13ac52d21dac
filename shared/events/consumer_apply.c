#include "config.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "events/backoff.h"
#include "events/consumer_private.h"
#include "events/failure.h"
#include "events/parked.h"
#include "telemetry/log.h"
#include "telemetry/trace.h"

enum { CAUSE_SIZE = 512, SWEEP_ROWS = 16 };

static const char savepoint_sql[] = "SAVEPOINT event";
static const char undo_sql[] = "ROLLBACK TO event";
static const char release_sql[] = "RELEASE event";
static const char receive_sql[] =
    "INSERT INTO inbox (consumer_group, event_id, received_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
static const char oldest_sql[] = "SELECT number, received_us FROM inbox ORDER BY number LIMIT 1";
static const char sweep_sql[] = "DELETE FROM inbox WHERE number < $1 AND received_us < $2";

static enum err run(struct db_connection *connection, const char *sql)
{
    return db_run(db_query(connection, sql), NULL);
}

const struct event_handler *consumer_handler(const struct consumer *consumer, struct text type)
{
    for (size_t i = 0; i < consumer->opts.handler_count; i++)
        if (text_equal_string(type, consumer->opts.handlers[i].type))
            return &consumer->opts.handlers[i];
    return NULL;
}

/* Writes the event down in the inbox; *ret_is_new is false when it stands there already. */
static enum err receive(struct db_connection *connection, const char *group, const struct event *event,
                        bool *ret_is_new)
{
    int64_t changes;
    struct db_statement *insert = db_query(connection, receive_sql);
    db_bind_string(insert, 1, group);
    db_bind_text(insert, 2, event->id);
    db_bind_int(insert, 3, clock_wall_us());
    enum err err = db_run(insert, &changes);
    if (!err)
        err = fault_at(FAULT_INBOX_AFTER_RECEIVE);
    if (!err)
        *ret_is_new = changes > 0;
    return err;
}

/* Forgets the oldest ids, of the first `rows`, when they are past their age. */
static enum err sweep_inbox(struct db_connection *connection, int64_t rows, int64_t before_us)
{
    struct db_statement *query = db_query(connection, oldest_sql);
    bool is_due = db_next(query) && db_int(query, 1) < before_us;
    int64_t oldest = db_int(query, 0);
    enum err err = db_done(query);
    if (err || !is_due)
        return err;
    struct db_statement *statement = db_query(connection, sweep_sql);
    db_bind_int(statement, 1, oldest + rows);
    db_bind_int(statement, 2, before_us);
    return db_run(statement, NULL);
}

struct handling {
    const struct event_handler *handler;
    const struct event *event;
    const struct event *kept;      /* the same, as it outlives the transaction; NULL without memory */
    unsigned attempts;             /* with this one */
};

/* What is logged meanwhile is logged as of the request that the event goes back to. */
static enum err handle(struct db_connection *connection, struct consumer *consumer, const struct handling *handling,
                       char cause[static CAUSE_SIZE])
{
    const struct event *event = handling->event;
    struct consumer_trace *trace =
        handling->kept ? consumer_trace_begin(consumer, handling->kept, handling->attempts) : NULL;
    struct log_context context = {.request_id = event->request_id};
    trace_enter(trace ? &trace->part : NULL);
    if (!trace)
        context.trace_id = traceparent_trace_id(event->traceparent);
    log_context_set(&context);
    err_clear();
    enum err outcome = fault_at(FAULT_EVENT_HANDLER);
    if (!outcome)
        outcome = handling->handler->work(connection, event, consumer->opts.context);
    if (outcome) {
        snprintf(cause, CAUSE_SIZE, "%s: %s", err_name(outcome), err_cause());
        if (consumer->opts.failed)
            consumer->opts.failed(consumer->opts.context, event, outcome);
    }
    log_context_set(NULL);
    trace_enter(NULL);
    consumer_trace_handled(trace, outcome);
    return outcome;
}

/* Runs the handler in a savepoint of its own. How that went is in *ret_outcome, and why in cause; the return value is
 * an error only when the transaction itself cannot go on. */
static enum err attempt(struct db_connection *connection, struct consumer *consumer, const struct handling *handling,
                        enum err *ret_outcome, char cause[static CAUSE_SIZE])
{
    enum err err = run(connection, savepoint_sql);
    if (err)
        return err;
    enum err outcome = handle(connection, consumer, handling, cause);
    if (outcome && run(connection, undo_sql))
        return err_because(outcome, "%s", cause);
    err = run(connection, release_sql);
    if (!err)
        *ret_outcome = outcome;
    return err;
}

/* Without its data; NULL when there is no room for all else. */
static const struct event *keep_head(struct arena *arena, const struct event *event)
{
    struct event *head = arena_calloc(arena, 1, sizeof *head);
    if (!head)
        return NULL;
    head->time_us = event->time_us;
    bool is_whole = arena_keep(arena, event->id, &head->id) && arena_keep(arena, event->type, &head->type)
                 && arena_keep(arena, event->source, &head->source)
                 && arena_keep(arena, event->subject, &head->subject)
                 && arena_keep(arena, event->traceparent, &head->traceparent)
                 && arena_keep(arena, event->tracestate, &head->tracestate)
                 && arena_keep(arena, event->request_id, &head->request_id);
    return is_whole ? head : NULL;
}

/* For who is to be told; where there is no room for that, nothing is lost but the telling. */
static void note_applied(struct consumer_work *work, const struct event *kept)
{
    struct consumer *consumer = work->consumer;
    work->stats.handled++;
    if (kept && consumer->opts.applied && consumer->applied_count < consumer->opts.batch_max)
        consumer->applied[consumer->applied_count++] = kept;
}

/* Its transaction may be run again. */
static void begin_work(struct consumer_work *work)
{
    work->stats = (struct consumer_stats){.handled = 0};
    work->consumer->applied_count = work->consumer->trace_count = 0;
    arena_reset(&work->consumer->applied_arena);
}

static int64_t next_try_us(const struct consumer *consumer, unsigned attempts)
{
    return clock_wall_us()
         + backoff_ms(attempts, consumer->opts.retry_first_ms, consumer->opts.retry_max_ms) * INT64_C(1000);
}

static enum err bury_or_postpone(struct db_connection *connection, struct consumer_work *work,
                                 const struct parked *parked, const char *cause, bool is_hopeless)
{
    const struct consumer_opts *opts = &work->consumer->opts;
    unsigned attempts = parked->attempts + 1;
    struct event_failure failure = {attempts, clock_wall_us(), text_of(cause)};
    enum err err = failure_add(connection, opts->group, parked->event_id, &failure);
    if (err)
        return err;
    if (is_hopeless || attempts >= opts->attempts_max) {
        work->stats.dead++;
        return parked_bury(connection, opts->group, parked, cause, clock_wall_us());
    }
    return parked_postpone(connection, parked, next_try_us(work->consumer, attempts), cause);
}

/* ---- what the bus delivers ---- */

/* An event that is hopeless, or had its only attempt, passes through the table to become a dead letter. */
static enum err set_aside(struct db_connection *connection, struct consumer_work *work, const struct event *event,
                          const char *cause, bool is_hopeless)
{
    const struct consumer_opts *opts = &work->consumer->opts;
    bool is_dead = is_hopeless || opts->attempts_max <= 1;
    struct parked parked = {.event_id = event->id, .subject = event->subject};
    struct event_failure failure = {1, clock_wall_us(), text_of(cause)};
    enum err err = parked_add(connection, opts->group, event, is_dead ? 0 : 1, next_try_us(work->consumer, 1), cause,
                              &parked.number);
    if (!err && is_dead)
        return bury_or_postpone(connection, work, &parked, cause, true);
    return err ? err : failure_add(connection, opts->group, event->id, &failure);
}

static enum err apply_one(struct db_connection *connection, struct consumer_work *work,
                          const struct bus_delivery *delivery)
{
    const struct consumer_opts *opts = &work->consumer->opts;
    const struct event *event = &delivery->event;
    const struct event_handler *handler = consumer_handler(work->consumer, event->type);
    bool is_new = false, must_wait = false;
    char cause[CAUSE_SIZE];
    enum err outcome = ERR_NONE;
    if (!handler && !delivery->dead.at)
        return ERR_NONE;
    enum err err = receive(connection, opts->group, event, &is_new);
    if (err)
        return err;
    if (!is_new) {
        work->stats.repeated++;
        return ERR_NONE;
    }
    if (delivery->dead.at) {
        snprintf(cause, sizeof cause, "the broker gave it up: %.*s", TEXT_ARGS(delivery->dead));
        return set_aside(connection, work, event, cause, true);
    }
    err = parked_has_subject(connection, opts->group, event->subject, &must_wait);
    if (err)
        return err;
    if (must_wait)
        return parked_add(connection, opts->group, event, 0, 0, NULL, &(int64_t){0});
    err = attempt(connection, work->consumer, &(struct handling){handler, event, event, 1}, &outcome, cause);
    if (!err && outcome)
        return set_aside(connection, work, event, cause, false);
    if (!err)
        note_applied(work, event);
    return err;
}

enum err consumer_apply(struct db_connection *connection, void *context)
{
    struct consumer_work *work = context;
    const struct consumer *consumer = work->consumer;
    begin_work(work);
    enum err err = sweep_inbox(connection, SWEEP_ROWS + 2 * (int64_t)work->count,
                               clock_wall_us() - consumer->opts.inbox_retention_s * US_PER_S);
    for (size_t i = 0; !err && i < work->count; i++)
        err = apply_one(connection, work, &consumer->deliveries[i]);
    return err;
}

/* ---- what was set aside ---- */

static enum err retry_one(struct db_connection *connection, struct consumer_work *work, const struct parked *parked)
{
    struct consumer *consumer = work->consumer;
    struct event event;
    char cause[CAUSE_SIZE];
    enum err outcome = ERR_NONE;
    enum err err = event_read(parked->envelope, &consumer->arena, &event);
    if (err == ERR_MALFORMED) {
        snprintf(cause, sizeof cause, "%s", err_cause());
        return bury_or_postpone(connection, work, parked, cause, true);
    }
    if (err)
        return err;
    const struct event_handler *handler = consumer_handler(consumer, event.type);
    if (!handler)
        return bury_or_postpone(connection, work, parked, "this program has no handler for it any more", true);

    work->stats.retried++;
    const struct event *kept = keep_head(&consumer->applied_arena, &event);
    err = attempt(connection, consumer, &(struct handling){handler, &event, kept, parked->attempts + 1}, &outcome,
                  cause);
    if (err)
        return err;
    if (outcome)
        return bury_or_postpone(connection, work, parked, cause, false);
    note_applied(work, kept);
    err = failure_forget(connection, text_of(consumer->opts.group), parked->event_id);
    return err ? err : parked_remove(connection, consumer->opts.group, parked, clock_wall_us());
}

enum err consumer_retry(struct db_connection *connection, void *context)
{
    struct consumer_work *work = context;
    struct consumer *consumer = work->consumer;
    begin_work(work);
    enum err err = ERR_NONE;
    for (unsigned i = 0; !err && i < consumer->opts.batch_max; i++) {
        struct parked parked;
        arena_reset(&consumer->arena);
        err = parked_due(connection, consumer->opts.group, clock_wall_us(), &consumer->arena, &parked);
        if (err || parked.number == 0)
            break;
        err = retry_one(connection, work, &parked);
    }
    return err;
}
