/*
 * Stuck orders: finds those that have been open for longer than order.stuck_after_s, and has each nudged
 * (ORDER_NUDGE).
 *
 * Orders come to their end by events, which are not lost; what is stuck is so for a reason that nobody has thought
 * of, or because somebody is away. So it is helped on seldom: when it is that old, twice that, four times, and so
 * on, as long as there are levels, and after a start once. How far that has come is a cursor for each state and
 * level, over ids, which rise with time; nothing is stored.
 *
 * One process of the service does it, in the background (app/background.h), STUCK_STEP_MAX orders in each
 * STUCK_INTERVAL_MS at the most.
 */
#ifndef TANDEM_ORDER_STUCK_H
#define TANDEM_ORDER_STUCK_H

#include "app/service.h"
#include "apps/order/workflow.h"
#include "base/err.h"
#include "base/id.h"

enum { STUCK_INTERVAL_MS = 1000, STUCK_STEP_MAX = 32, STUCK_LEVELS = 16, STUCK_STATES = 2 };

struct stuck {
    struct db *db;
    order_emit *emit;                                /* of what follows from a nudge */
    void *emitter;
    bool begun;
    char passed[STUCK_STATES][STUCK_LEVELS][ID_SIZE]; /* up to which order each state and age has been looked at */
};

/** One step: nudges those that came to an age of after_us, or of a level above, by now_us. What is left over comes with
 *  the next one. *ret_nudged is how many. */
enum err must_check stuck_step(struct stuck *stuck, struct db_connection *reader, int64_t after_us, int64_t now_us,
                               unsigned *ret_nudged);

#endif
