/*
 * The history of an event that cannot be applied: when each attempt failed, and of what. The latest FAILURES_KEPT of
 * each event are kept, through its death and its being sent again, until it is through or discarded.
 *
 * Reading takes any connection; the rest is for the writer's thread.
 */
#ifndef TANDEM_EVENTS_FAILURE_H
#define TANDEM_EVENTS_FAILURE_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "state/db.h"

enum { FAILURES_KEPT = 20 };

struct event_failure {
    unsigned attempt;              /* from 1; anew after it was sent again */
    int64_t failed_us;             /* wall time */
    struct text cause;             /* valid during the call */
};

enum err must_check failure_add(struct db_connection *connection, const char *group, struct text event_id,
                                const struct event_failure *failure);
enum err must_check failure_forget(struct db_connection *connection, struct text group, struct text event_id);

/** Calls take for each, the oldest first. An error of take ends it and is returned. */
enum err must_check failure_each(struct db_connection *connection, struct text group, struct text event_id,
                                 enum err (*take)(const struct event_failure *failure, void *context), void *context);

#endif
