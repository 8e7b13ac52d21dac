/*
 * What stands between client_call() and the wire: which of a target's instances is called, each behind its circuit
 * breaker, the target's budget for retries, and its metrics.
 *
 * One guard a client, shared by its threads; a struct client_course is one client_call() on its way through the guard.
 * For client.c.
 */
#ifndef TANDEM_NET_CLIENT_GUARD_H
#define TANDEM_NET_CLIENT_GUARD_H

#include "net/balancer.h"
#include "net/client.h"
#include "net/retry.h"
#include "telemetry/metric.h"

/* How a whole call ended, for its metric. */
enum client_outcome {
    CLIENT_ANSWERED,       /* whatever it said below 500, but for 429 */
    CLIENT_THROTTLED,      /* 429 */
    CLIENT_FAILED,         /* 5xx */
    CLIENT_UNREACHABLE,
    CLIENT_TIMEOUT,
    CLIENT_PROTOCOL,       /* no HTTP, cut off, or too large */
    CLIENT_REFUSED,        /* by the open breaker: nothing was sent */
    CLIENT_UNSENT,         /* what was to be sent cannot be, or there is no memory */
    CLIENT_OUTCOMES,
};

struct client_guard {
    struct balancer *balancer;
    const char *name;              /* of the target, for a cause: its URL, or what it is called in metrics */
    char *url;
    struct retry_budget budget;
    unsigned retries_max, retry_first_ms, retry_max_ms;
    struct metric_series outcomes[CLIENT_OUTCOMES], retries, state, instances[BREAKER_STATES];
};

struct client_course {
    int64_t end_ns;                /* of the whole call */
    unsigned timeout_ms;           /* that the caller meant for it */
    unsigned left_ms;              /* of it, when the try under way began */
    unsigned try_ms;               /* what that try has; less than what is left when it may be tried elsewhere */
    unsigned tries;
    bool may_repeat;
    bool refused;                  /* by the breaker */
    struct balancer_choice choice; /* of the try under way, or the latest; its url is where to send it */
    const struct balancer_member *failed;   /* where the latest try has failed; only to be compared */
};

/** ERR_MEMORY, ERR_INVALID; then nothing is to be given back. */
enum err must_check client_guard_init(struct client_guard *guard, const struct client_opts *opts);
void client_guard_fini(struct client_guard *guard);

/** Tells how many instances are in which state. */
void client_guard_measure(struct client_guard *guard);

/** A call begins. */
void client_course_begin(struct client_guard *guard, const struct client_request *request,
                         struct client_course *ret);

/** Before each try: where it goes, and how much time it has, in course->try_ms. ERR_DEADLINE when none is left,
 *  ERR_UNAVAILABLE when there is nobody to call; then nothing is to be reported. */
enum err must_check client_course_admit(struct client_guard *guard, struct client_course *course);

/** After each try that was admitted: how it ended, status and retry_after_s being the answer's when there was one.
 *  True after a pause, when it is to be tried again. */
bool client_course_again(struct client_guard *guard, struct client_course *course, enum err err, int status,
                         unsigned retry_after_s);

/** The call ends like this. */
void client_course_end(struct client_guard *guard, const struct client_course *course, enum err err, int status);

#endif
