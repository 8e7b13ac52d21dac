/*
 * Which instance of a service the next call goes to.
 *
 * Of two that are drawn by chance the better one is taken ("power of two choices"): the one with the smaller product of
 * calls under way and recent latency, for its weight. Latency is a moving average that also fades while nobody asks, so
 * that one that was slow is tried again some time. Who is drawn from:
 *
 *   - instances of the own zone, as long as half of those there are at least are well; else those of all zones;
 *   - one that has come to others gets its part little by little, over slow_start_ms (never less than a tenth);
 *   - one that has failed breaker.failures_max times in a row is out for a while, which doubles each time (it is what a
 *     circuit breaker does, net/breaker.h, and each instance has one). Then it is on probation: breaker.probes_max
 *     calls at once that may be sent twice go there first; the first answer brings it back, the first failure puts it
 *     out;
 *   - not the one that a call has just failed at, as long as there is another.
 *
 * It knows no clock and no chance of its own, so that tests need not wait: times are clock_now_ns() of whoever asks.
 * A fixed balancer has one instance for good, whose URL may be anything, and costs its breaker only. Any thread.
 */
#ifndef TANDEM_NET_BALANCER_H
#define TANDEM_NET_BALANCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/breaker.h"
#include "net/instances.h"

struct balancer_opts {
    const char *zone;                  /* of this process; NULL, "": none is preferred. Copied */
    unsigned slow_start_ms;            /* 0: newcomers get their whole part at once */
    struct breaker_opts breaker;
    uint32_t (*random)(uint32_t below);    /* NULL: random_below() */
};

struct balancer;
struct balancer_member;

/* A call on its way: made by balancer_choose(), ended by balancer_report(). */
struct balancer_choice {
    struct balancer_member *member;
    const char *url;                   /* of the instance; valid until balancer_report() */
    struct breaker_pass pass;
    int64_t begun_ns;
};

/** Of no instances yet. ERR_MEMORY; ERR_INVALID for a zone that is too long. */
enum err must_check balancer_new(const struct balancer_opts *opts, struct balancer **ret);

/** A fixed one. url is copied. ERR_MEMORY. */
enum err must_check balancer_new_fixed(const char *url, const struct breaker_opts *breaker, struct balancer **ret);

/** No call may be on its way. NULL is fine. */
void balancer_free(struct balancer *balancer);

/** These are the instances from now on. What is known of those that stay is kept: their id, and where they are, tell.
 *  Those that are there at first are no newcomers. ERR_MEMORY: it stays as it was. Not for a fixed one. */
enum err must_check balancer_update(struct balancer *balancer, const struct instances *instances, int64_t now_ns);

/** Chooses for a call that may be sent twice, or not; failed is the member that it has just failed at, or NULL. False
 *  when there is nobody to call. Else balancer_report() has to follow, whatever becomes of the call. */
bool balancer_choose(struct balancer *balancer, int64_t now_ns, bool may_repeat, const struct balancer_member *failed,
                     struct balancer_choice *ret);
void balancer_report(struct balancer *balancer, const struct balancer_choice *choice, enum breaker_outcome outcome,
                     int64_t now_ns);

/** Whether there is another than this to call now. */
bool balancer_has_other(struct balancer *balancer, const struct balancer_member *member, int64_t now_ns);

/** Whether it has no instances. */
bool balancer_is_empty(struct balancer *balancer);

/** 0 when there is somebody to call now, else about how long until there is. */
int64_t balancer_wait_ns(struct balancer *balancer, int64_t now_ns);

/** Of the instance that is best off; BREAKER_OPEN when there is none. */
enum breaker_state balancer_state(struct balancer *balancer);

/* ---- for people ---- */

/** Adds to each number how many instances are in that state. A fixed one has one. */
void balancer_count(struct balancer *balancer, unsigned counts[static BREAKER_STATES]);

struct balancer_view {
    struct instance instance;
    enum breaker_state state;          /* closed: it is in; open: it is out; half open: on probation */
    int64_t wait_ns;                   /* until its probation, or the end of it */
    unsigned failures;                 /* in a row */
    unsigned outstanding;
    unsigned share_percent;            /* of what it will get in the end: below 100 during its slow start */
    int64_t latency_us;                /* recent; 0: not known */
    bool is_preferred;                 /* of the own zone, while that is preferred */
};

/** The instances as they are now, up to max; returns how many. None of a fixed one. */
size_t balancer_view(struct balancer *balancer, int64_t now_ns, struct balancer_view *ret_views, size_t max);

#endif
