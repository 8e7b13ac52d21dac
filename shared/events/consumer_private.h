/*
 * The consumer's two halves: consumer.c has the thread, consumer_apply.c what happens inside the transactions.
 */
#ifndef TANDEM_EVENTS_CONSUMER_PRIVATE_H
#define TANDEM_EVENTS_CONSUMER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "events/consumer.h"
#include "events/event_trace.h"
#include "events/wakeup.h"
#include "telemetry/trace.h"

/* An event that was handled: its part of its trace. */
struct consumer_trace {
    struct trace_part part;
    struct trace_span *transaction;
    struct event_consumption consumption;
};

enum { CONSUMER_TRACE_ATTRIBUTES = 3 };   /* that all transactions of a consumer have in common */

struct consumer {
    struct consumer_opts opts;
    const char **types;                /* of the handlers, with a NULL at the end; those with a version as families */
    char (*unknown)[EVENT_MAX_ATTRIBUTE_BYTES + 1];   /* the types that it has told of */
    size_t unknown_count;
    struct arena types_arena;
    struct bus_subscription *subscription;      /* the thread's, while it leads; changed under the lock */
    pthread_mutex_t subscription_lock;
    struct db_connection *reader;
    struct bus_delivery *deliveries;
    struct arena arena;                /* of the batch under way; the writer's while it runs a retry */
    const struct event **applied;      /* in this transaction; the writer's while one is under way */
    size_t applied_count;
    struct consumer_trace *traces;     /* of what was handled in this transaction; the writer's, likewise */
    size_t trace_count;
    struct span_attribute transaction[CONSUMER_TRACE_ATTRIBUTES];
    struct arena applied_arena;        /* of the traces, and of the applied events that were retried */
    struct wakeup wakeup;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    atomic_uint_fast64_t handled, repeated, retried, dead, passed_over;
};

/* A transaction's work; stats are this run's, and count only when it has committed. */
struct consumer_work {
    struct consumer *consumer;
    size_t count;                      /* of consumer->deliveries */
    struct consumer_stats stats;
};

/* ---- consumer_trace.c ---- */

/** Fills consumer->transaction, once. */
void consumer_trace_init(struct consumer *consumer);

/** Begins the part of an event that is about to be handled, and that outlives the transaction; NULL when it is not
 *  recorded. */
struct consumer_trace *consumer_trace_begin(struct consumer *consumer, const struct event *event, unsigned attempts);

/** How the handling went. What it began is undone with an error. NULL is fine. */
void consumer_trace_handled(struct consumer_trace *trace, enum err outcome);

/** Ends all parts, whose transaction has committed. */
void consumer_trace_end(struct consumer *consumer, const struct db_committed *committed);

/* ---- consumer_unknown.c ---- */

/** Fills consumer->types: a family for each type that has a version, once. The texts are in consumer->types_arena. */
enum err must_check consumer_families(struct consumer *consumer);

/** Counts what of the deliveries has no handler, and tells of it. The consumer's thread, once they are dealt with. */
void consumer_pass_over(struct consumer *consumer, size_t count);

/* ---- consumer_apply.c ---- */

/** NULL when there is none. */
const struct event_handler *consumer_handler(const struct consumer *consumer, struct text type);

/** A db_work on a struct consumer_work: takes charge of the deliveries. */
enum err consumer_apply(struct db_connection *connection, void *context);

/** A db_work on a struct consumer_work: tries what is due again, at most batch_max of it. */
enum err consumer_retry(struct db_connection *connection, void *context);

#endif
