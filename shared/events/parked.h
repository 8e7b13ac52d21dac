/*
 * Events that were set aside: the table event_parked, and how one leaves it.
 *
 * Of each subject only the first waits for its next try; the others wait behind it, so that a subject's events are
 * applied in order. The numbers are that order: those of dead letters that were sent again are below all others. When
 * the first is through, or dead, the next is due at once. All on the writer's thread, but
 * parked_next_try().
 */
#ifndef TANDEM_EVENTS_PARKED_H
#define TANDEM_EVENTS_PARKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "events/event.h"
#include "state/db.h"

/* A row that is due. */
struct parked {
    int64_t number;
    struct text event_id;
    struct text subject;
    struct text envelope;
    unsigned attempts;
};

/** Whether anything of this subject is set aside. */
enum err must_check parked_has_subject(struct db_connection *connection, const char *group, struct text subject,
                                       bool *ret);

/** Sets an event aside; next_try_us 0 is for those that wait behind another. */
enum err must_check parked_add(struct db_connection *connection, const char *group, const struct event *event,
                               unsigned attempts, int64_t next_try_us, const char *cause, int64_t *ret_number);

/** The row that has been due longest, copied into arena; number is 0 when none is due. */
enum err must_check parked_due(struct db_connection *connection, const char *group, int64_t now_us,
                               struct arena *arena, struct parked *ret);

/** Failed again: the row waits until then. */
enum err must_check parked_postpone(struct db_connection *connection, const struct parked *parked, int64_t next_try_us,
                                    const char *cause);

/** Through: the row goes, and the next of its subject is due. */
enum err must_check parked_remove(struct db_connection *connection, const char *group, const struct parked *parked,
                                  int64_t now_us);

/** Given up: the row becomes a dead letter, and the next of its subject is due. */
enum err must_check parked_bury(struct db_connection *connection, const char *group, const struct parked *parked,
                                const char *cause, int64_t now_us);

/** When the next row is due, 0 when none waits. Any reading connection. */
enum err must_check parked_next_try(struct db_connection *connection, const char *group, int64_t *ret_next_us);

#endif
