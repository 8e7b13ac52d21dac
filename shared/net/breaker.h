/*
 * A circuit breaker: whoever fails again and again is left alone for a moment, and then asked carefully.
 *
 * Closed: everybody is let through. After failures_max failures in a row it opens: nobody is let through for open_ms,
 * and up to a half more by chance, so that those who gave up together do not come back together. Then it is half open:
 * probes_max calls at once are let through; the first that succeeds closes it, the first that fails opens it again,
 * for twice as long as before where open_max_ms allows that.
 *
 * It knows no clock of its own: times are clock_now_ns() of whoever asks, so that tests need not wait. Any thread.
 */
#ifndef TANDEM_NET_BREAKER_H
#define TANDEM_NET_BREAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN, BREAKER_STATES };

struct breaker_opts {
    unsigned failures_max;         /* in a row; 0: it never opens */
    unsigned open_ms;
    unsigned probes_max;           /* 0 is 1 */
    unsigned open_max_ms;          /* less than open_ms: it is always open for that */
};

/* How a call went that was let through. UNTOLD: it says nothing of the target, as when it was never sent. */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_UNTOLD };

struct breaker {
    pthread_mutex_t lock;
    struct breaker_opts opts;
    enum breaker_state state;
    unsigned failures, probes;     /* in a row; under way */
    unsigned openings;             /* since it was closed */
    uint64_t generation;           /* rises with each change of state: what was let through before tells nothing now */
    int64_t until_ns;              /* when an open one lets probes through */
};

/* What a call that was let through shows when it reports. */
struct breaker_pass {
    uint64_t generation;
};

void breaker_init(struct breaker *breaker, const struct breaker_opts *opts);
void breaker_fini(struct breaker *breaker);

/** Whether a call may be made. If so, breaker_report() has to follow, once, whatever becomes of the call. */
bool breaker_admit(struct breaker *breaker, int64_t now_ns, struct breaker_pass *ret);
void breaker_report(struct breaker *breaker, struct breaker_pass pass, enum breaker_outcome outcome, int64_t now_ns);

/** 0 when a call would be let through now, else about how long until one will be. */
int64_t breaker_wait_ns(struct breaker *breaker, int64_t now_ns);

enum breaker_state breaker_state(struct breaker *breaker);

/** In a row, of a closed one. */
unsigned breaker_failures(struct breaker *breaker);

#endif
