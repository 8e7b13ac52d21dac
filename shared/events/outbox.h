/*
 * The outbox: events that commit in the same transaction as the change that caused them, and the relay that
 * publishes them afterwards, in the order they were added.
 *
 * The relay is one thread, and of several processes one at a time publishes: it reads what waits, publishes a batch,
 * and takes it out of the outbox only when the bus has confirmed. A crash in between publishes the batch again;
 * consumers drop repeats (events/consumer.h). When the bus fails, it tries again with a growing pause, for ever.
 */
#ifndef TANDEM_EVENTS_OUTBOX_H
#define TANDEM_EVENTS_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "events/bus.h"
#include "events/event.h"
#include "state/db.h"

/** Adds an event to the transaction under way. An absent id or a zero time is filled in. The writer's thread.
 *  ERR_INVALID for what event_check() refuses. */
enum err must_check outbox_add(struct db_connection *connection, const struct event *event);

struct relay;

struct relay_opts {
    struct db *db;                 /* before db_start(): the relay listens for commits */
    struct bus *bus;
    unsigned batch_max;
    unsigned retry_max_ms;         /* the longest pause between tries */
    void (*failed)(void *context, enum err err);   /* after each failed try, on the relay's thread, with err_cause();
                                                      may be NULL; must not block */
    void *context;
};

enum err must_check relay_new(const struct relay_opts *opts, struct relay **ret);

/** Starts the thread; after db_start(). */
enum err must_check relay_start(struct relay *relay);

/** Publishes what waits, for at most timeout_ms, and ends the thread. */
void relay_stop(struct relay *relay, unsigned timeout_ms);
void relay_free(struct relay *relay);

/** How many events wait, and the wall time of the oldest (0: none). Any reading connection. */
enum err must_check outbox_backlog(struct db_connection *connection, uint64_t *ret_count, int64_t *ret_oldest_us);

#endif
