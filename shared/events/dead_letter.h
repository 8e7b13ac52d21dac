/*
 * Dead letters: events that failed attempts_max times, for an operator to read, send again, or drop.
 *
 * Reading takes any connection; changes are work for db_write().
 */
#ifndef TANDEM_EVENTS_DEAD_LETTER_H
#define TANDEM_EVENTS_DEAD_LETTER_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "state/db.h"

struct dead_letter {
    int64_t number;
    struct text consumer_group, subject, event_id, type, envelope, cause;   /* valid during the call */
    unsigned attempts;
    int64_t parked_us, died_us;    /* wall time of the first and of the last failure */
};

/** Calls take for each with a number above after, in order, at most limit. An error of take ends it and is returned. */
enum err must_check dead_letter_each(struct db_connection *connection, int64_t after, unsigned limit,
                                     enum err (*take)(const struct dead_letter *letter, void *context), void *context);

/** How many there are. */
enum err must_check dead_letter_count(struct db_connection *connection, uint64_t *ret);

/** Has it tried again as if new, behind what waits of its subject; within a second. ERR_NOT_FOUND. */
enum err must_check dead_letter_retry(struct db_connection *connection, int64_t number);

/** Removes it for good. ERR_NOT_FOUND. */
enum err must_check dead_letter_drop(struct db_connection *connection, int64_t number);

#endif
