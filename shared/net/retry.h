/*
 * Trying again: for how long to wait before, and for how many of all requests it is allowed at all.
 *
 * The budget keeps retries from multiplying the load on a target that fails because of its load. Each request pays in
 * percent/100 of a retry, each second per_s retries; a retry takes one out. At most RETRY_BURST, or what a second pays
 * in when that is more, can be saved up. So all retries together stay below percent of the requests and per_s a second.
 *
 * Times are clock_now_ns() of whoever asks. Any thread.
 */
#ifndef TANDEM_NET_RETRY_H
#define TANDEM_NET_RETRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { RETRY_BURST = 10 };

struct retry_budget_opts {
    unsigned percent, per_s;       /* both 0: nothing is tried again */
};

struct retry_budget {
    pthread_mutex_t lock;
    struct retry_budget_opts opts;
    int64_t saved, saved_max;      /* in billionths of a retry */
    int64_t at_ns;                 /* up to when the seconds have paid in */
};

/** Full: RETRY_BURST or more are saved, unless nothing is ever paid in. */
void retry_budget_init(struct retry_budget *budget, const struct retry_budget_opts *opts, int64_t now_ns);
void retry_budget_fini(struct retry_budget *budget);

/** A request has begun. */
void retry_budget_pay_in(struct retry_budget *budget, int64_t now_ns);

/** Whether one may be tried again; then it is taken out. */
bool retry_budget_take(struct retry_budget *budget, int64_t now_ns);

/** The pause after so many failed tries (from 1): anything from 0 to a ceiling that doubles from first_ms to max_ms
 *  ("full jitter"). */
unsigned retry_pause_ms(unsigned failed, unsigned first_ms, unsigned max_ms);

#endif
