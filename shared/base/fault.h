/*
 * Faults on demand: at named points of a program something goes wrong, since an operator rehearses it, or a test walks
 * every point. Off unless a plan is armed; a point then costs the load of one flag.
 *
 * A plan is a text: rules with commas between them, each a point, an action, and when:
 *     relay-before-mark kill nth=3, client-call delay=200 probability=0.1 count=5
 *
 *   delay=MS        the thread waits so long
 *   error           what would have been done fails, with the error of the table below
 *   drop            it was done, and its answer is lost: told as the same kind of error
 *   kill            SIGKILL to this process
 *
 *   nth=N           from the N-th time on that the point is reached, counted since the plan was armed; once, unless
 *                   count says more
 *   count=N         at most so often
 *   probability=P   each time with this chance, 0.000001 to 1
 *
 * Any thread. A point may be reached by many threads at once; they are counted in one order.
 */
#ifndef TANDEM_BASE_FAULT_H
#define TANDEM_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum { FAULT_RULES_MAX = 32, FAULT_DELAY_MAX_MS = 600000 };

/* What may be asked for at a point; kill and delay may at each. */
enum fault_action { FAULT_DELAY = 1, FAULT_KILL = 2, FAULT_ERROR = 4, FAULT_DROP = 8 };

/* id, name, what it can be beside delay and kill, the error, where it is */
#define FAULT_TABLE(ROW)                                                                                              \
    ROW(FAULT_MIGRATE_BEFORE_COMMIT, "migrate-before-commit", FAULT_ERROR, ERR_STORAGE,                               \
        "a migration has run and is not committed")                                                                   \
    ROW(FAULT_REQUEST, "request", FAULT_ERROR, ERR_UNAVAILABLE, "a request is whole; nothing was done about it")      \
    ROW(FAULT_DB_READ, "db-read", FAULT_ERROR, ERR_STORAGE, "a query is about to read the database")                  \
    ROW(FAULT_BEFORE_COMMIT, "before-commit", FAULT_ERROR, ERR_STORAGE,                                               \
        "a transaction is whole and not committed; counts those of all databases of the process, bus and sandbox too")\
    ROW(FAULT_AFTER_COMMIT, "after-commit", FAULT_DROP, ERR_UNAVAILABLE,                                              \
        "a transaction is durable, and nobody knows yet")                                                             \
    ROW(FAULT_AFTER_COMMIT_BEFORE_ANSWER, "after-commit-before-answer", FAULT_DROP, ERR_UNAVAILABLE,                  \
        "a request's change is durable, and its answer not sent")                                                     \
    ROW(FAULT_RELAY_BEFORE_PUBLISH, "relay-before-publish", FAULT_ERROR, ERR_UNAVAILABLE,                             \
        "events of the outbox are about to be published")                                                             \
    ROW(FAULT_RELAY_AFTER_PUBLISH, "relay-after-publish", FAULT_DROP, ERR_UNAVAILABLE,                                \
        "the bus has confirmed events")                                                                               \
    ROW(FAULT_RELAY_BEFORE_MARK, "relay-before-mark", FAULT_ERROR, ERR_STORAGE,                                       \
        "events that the bus has are about to leave the outbox")                                                      \
    ROW(FAULT_CONSUMER_BEFORE_FETCH, "consumer-before-fetch", FAULT_ERROR, ERR_UNAVAILABLE,                           \
        "events are about to be fetched from the bus")                                                                \
    ROW(FAULT_INBOX_AFTER_RECEIVE, "inbox-after-receive", FAULT_ERROR, ERR_STORAGE,                                   \
        "an event is in the inbox and has had no effect")                                                             \
    ROW(FAULT_EVENT_HANDLER, "event-handler", FAULT_ERROR, ERR_INTERNAL,                                              \
        "an event is about to be handled; an error sets it aside")                                                    \
    ROW(FAULT_CONSUMER_AFTER_COMMIT_BEFORE_ACK, "consumer-after-commit-before-ack", FAULT_ERROR, ERR_UNAVAILABLE,     \
        "the effect of events is durable, and the bus not told")                                                      \
    ROW(FAULT_BEFORE_CHARGE, "before-charge", FAULT_ERROR, ERR_UNAVAILABLE,                                           \
        "the gateway is about to be asked for a charge or a refund; an error is an unknown outcome")                  \
    ROW(FAULT_AFTER_CHARGE_BEFORE_COMMIT, "after-charge-before-commit", FAULT_DROP, ERR_UNAVAILABLE,                  \
        "the gateway has answered, and nothing is recorded; a lost answer is an unknown outcome")                     \
    ROW(FAULT_CLIENT_CALL, "client-call", FAULT_ERROR, ERR_UNAVAILABLE, "another service is about to be called")      \
    ROW(FAULT_CLIENT_ANSWER, "client-answer", FAULT_DROP, ERR_UNAVAILABLE, "another service has answered")            \
    ROW(FAULT_LOG_WRITE, "log-write", 0, ERR_NONE, "lines are about to be written to the log's sink")

enum fault_point {
#define FAULT_POINT(id, ...) id,
    FAULT_TABLE(FAULT_POINT)
#undef FAULT_POINT
    FAULT_POINTS,
};

struct fault_row {
    const char *name;
    unsigned actions;          /* of enum fault_action */
    enum err err;              /* of error and drop */
    const char *help;
};

extern const struct fault_row fault_table[FAULT_POINTS];

/** "delay", by action. */
const char *fault_action_name(enum fault_action action);

/** Whether a text is a plan. ERR_CONFIG with a cause that says what is wrong, and what there is instead. */
enum err must_check fault_check(struct text plan);

/** Arms a plan, in place of the one before; an empty one disarms. The same text again changes nothing, so that what was
 *  counted stays counted. ERR_CONFIG, and the old plan stays. */
enum err must_check fault_arm(struct text plan);

/** How often something went wrong at a point since the process began. */
uint64_t fault_count(enum fault_point point);

/* ---- at the points ---- */

extern atomic_bool fault_armed;

/** The slow half of the two below. */
enum err must_check fault_meet(enum fault_point point);

/** The point is reached. An error is to be taken as that of what stands next. */
static inline enum err must_check fault_at(enum fault_point point)
{
    bool armed = atomic_load_explicit(&fault_armed, memory_order_relaxed);
    return __builtin_expect(armed, 0) ? fault_meet(point) : ERR_NONE;
}

/** The same for a point that has neither error nor drop. */
static inline void fault_pass(enum fault_point point)
{
    enum err none = fault_at(point);
    (void)none;
}

#endif
