/*
 * The consumer: takes a group's events from the bus and applies each exactly once.
 *
 * An event's id (the inbox) and its effect commit in one transaction, so that a repeat has no second effect; the bus
 * is told only after that commit. An event whose handler fails is set aside in the same transaction, with the later
 * events of its subject behind it, so that one poisoned event holds up no other subject; it is tried again with growing
 * pauses, and after attempts_max it is a dead letter, which stays until an operator sends it again or drops it.
 *
 * It subscribes to every version of the types it handles. A version that it has no handler for is passed over: it has
 * no effect, holds up nothing, and is counted and told of, since a newer sender may mean something by it.
 *
 * What the broker itself has given up (struct bus_delivery) becomes a dead letter like the others, unless its id is in
 * the inbox already.
 *
 * Of several processes with one database one consumes (events/lease.h), and another takes over when that one has ended
 * or lost its lease. Only that one subscribes.
 */
#ifndef TANDEM_EVENTS_CONSUMER_H
#define TANDEM_EVENTS_CONSUMER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "events/bus.h"
#include "state/db.h"
#include "state/migrate.h"

/** Applies an event, in the writer's transaction; may add to the outbox. An error undoes what it did and is retried. */
typedef enum err event_work(struct db_connection *connection, const struct event *event, void *context);

struct event_handler {
    const char *type;          /* "stock.reserved.v1" */
    event_work *work;
};

struct consumer_opts {
    struct db *db;
    struct bus *bus;
    const char *group;                          /* the service's name */
    const struct event_handler *handlers;
    size_t handler_count;
    void *context;
    unsigned batch_max;
    unsigned attempts_max;
    unsigned retry_first_ms, retry_max_ms;      /* the pause doubles from first to max, with jitter; when all of the bus
                                                   or the database fails, it stays below two seconds */
    unsigned inbox_retention_s;                 /* ids are remembered this long; swept in small steps */
    /* Told of each failure, with err_cause(): of a handler on this event, from the writer's thread; or, without an
     * event, of the bus or the database, from the consumer's. Both are tried again. Must not block; may be NULL. */
    void (*failed)(void *context, const struct event *event, enum err err);
    /* Told of each event that was applied, once that is durable, from the consumer's thread. Its data may be missing.
     * May be NULL. */
    void (*applied)(void *context, const struct event *event);
    /* Told of an event that was passed over: of its type for the first time, of the first CONSUMER_UNKNOWN_TOLD such
     * types, from the consumer's thread. May be NULL. */
    void (*unknown)(void *context, const struct event *event);
};

enum { CONSUMER_UNKNOWN_TOLD = 32 };

struct consumer_stats {
    uint64_t handled, repeated, retried, dead, passed_over;
};

struct consumer;

enum err must_check consumer_new(const struct consumer_opts *opts, struct consumer **ret);
enum err must_check consumer_start(struct consumer *consumer);
void consumer_stop(struct consumer *consumer);
void consumer_free(struct consumer *consumer);
void consumer_stats(const struct consumer *consumer, struct consumer_stats *ret);
enum err must_check consumer_lag(struct consumer *consumer, struct bus_lag *ret);

/** The tables of outbox, inbox, set-aside events and dead letters, for migrate(). */
extern const struct migration_set events_migrations;

#endif
