/*
 * Dead letters: events that failed attempts_max times, for an operator to read, send again, or drop.
 *
 * Later events of a dead letter's subject do not wait for it. Those of them that are set aside when it is sent again
 * wait behind it then, as they happened after it. What is decided is written down; the latest
 * DEAD_LETTER_DECISIONS_KEPT decisions are kept.
 *
 * Reading takes any connection; changes are work for db_write(), also from another process than the service's: its
 * consumer looks each second.
 */
#ifndef TANDEM_EVENTS_DEAD_LETTER_H
#define TANDEM_EVENTS_DEAD_LETTER_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "state/db.h"

enum { DEAD_LETTER_DECISIONS_KEPT = 1000 };

struct dead_letter {
    int64_t number;
    struct text consumer_group, subject, event_id, type, envelope, cause;   /* valid during the call */
    unsigned attempts;
    int64_t parked_us, died_us;    /* wall time of the first and of the last failure */
    uint64_t waiting;              /* events of its subject that are set aside now */
};

/** Calls take for each with a number above after, in order, at most limit. An error of take ends it and is returned. */
enum err must_check dead_letter_each(struct db_connection *connection, int64_t after, unsigned limit,
                                     enum err (*take)(const struct dead_letter *letter, void *context), void *context);

/** How many there are. */
enum err must_check dead_letter_count(struct db_connection *connection, uint64_t *ret);

/* An event that is set aside. */
struct dead_letter_waiting {
    struct text event_id, type, cause;    /* valid during the call; without a cause it was never tried */
    unsigned attempts;
    int64_t parked_us;
};

/** Calls take for what is set aside of a subject, in the order in which it will be applied. */
enum err must_check dead_letter_waiting(struct db_connection *connection, struct text group, struct text subject,
                                        enum err (*take)(const struct dead_letter_waiting *waiting, void *context),
                                        void *context);

/* ---- deciding ---- */

/* Who decides about which, and why. */
struct dead_letter_act {
    int64_t number;
    struct text event_id;          /* of that number: a number is given again once its letter is gone. Absent: any */
    struct text by;
    struct text reason;            /* may be absent */
};

/** Has it tried again as if new, before what is set aside of its subject; within a second. ERR_NOT_FOUND. */
enum err must_check dead_letter_redrive(struct db_connection *connection, const struct dead_letter_act *act);

/** Removes it, but for what the decision keeps. ERR_NOT_FOUND. */
enum err must_check dead_letter_discard(struct db_connection *connection, const struct dead_letter_act *act);

struct dead_letter_decision {
    struct dead_letter letter;     /* as it was; without an envelope when it was sent again */
    struct text decision;          /* "redriven", "discarded" */
    struct text by, reason;
    int64_t decided_us;
};

/** Calls take for the newest decisions, at most limit, the oldest of them first; about one event, or (absent) any. */
enum err must_check dead_letter_decisions(struct db_connection *connection, struct text event_id, unsigned limit,
                                          enum err (*take)(const struct dead_letter_decision *decision, void *context),
                                          void *context);

#endif
