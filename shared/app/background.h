/*
 * The background: what one process of a service does every so often for all of them, in small steps, on a thread of its
 * own. Of several processes the one that leads (events/lease.h) does it, and another takes over when it has ended; or
 * each does it for itself.
 */
#ifndef TANDEM_APP_BACKGROUND_H
#define TANDEM_APP_BACKGROUND_H

#include <stdbool.h>

#include "base/err.h"
#include "state/db.h"

struct background;

struct background_opts {
    struct db *db;
    const char *what;             /* "expiring reservations", for the log */
    unsigned interval_ms;
    bool in_each;                 /* by each process */
    /* A step; again at once while *ret_more, else after the interval, as after an error. reader is the thread's own, to
     * find out whether there is anything to do; what there is, it has the writer do, and waits for that. */
    enum err (*step)(void *context, struct db_connection *reader, bool *ret_more);
    void *context;
};

/** Starts the thread; the first step comes after an interval. ERR_MEMORY, or
 *  what db_reader_open() may. */
enum err must_check background_start(const struct background_opts *opts, struct background **ret);

/** Has the next step come now. Any thread; does not block. */
void background_hurry(struct background *background);

/** Finishes the step under way, ends the thread and frees it; before the database is closed. NULL is fine. */
void background_stop(struct background *background);

#endif
