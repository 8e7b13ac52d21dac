/*
 * What the outbox and its relay share.
 */
#ifndef TANDEM_EVENTS_OUTBOX_PRIVATE_H
#define TANDEM_EVENTS_OUTBOX_PRIVATE_H

#include "base/arena.h"
#include "events/outbox.h"

/* What db_notify() is told when the outbox grows. */
extern const char outbox_topic[];

/** The oldest events and their positions, up to max, copied into arena; fewer when arena is full. ERR_MEMORY when not
 *  even one fits. */
enum err must_check outbox_oldest(struct db_connection *connection, struct arena *arena, struct event *events,
                                  int64_t *positions, size_t max, size_t *ret_count);

/** Takes these out. Both are compared, as a position may be given again once the outbox was empty. */
enum err must_check outbox_remove(struct db_connection *connection, const struct event *events,
                                  const int64_t *positions, size_t count);

#endif
