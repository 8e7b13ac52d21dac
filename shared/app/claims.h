/*
 * Claims: which idempotency keys are under way in this process, and who waits for which.
 *
 * The first call with a key and caller has the claim to it until it is answered. Others that come meanwhile are parked,
 * holding no thread, and go on when it is; they find its answer stored then, or have the effect themselves where it
 * failed. Who is parked past its deadline is answered 409 with Retry-After. That an effect is had once does not hang on
 * any of this, which knows one process, but on the transaction (idempotency.h).
 *
 * How many are parked is bounded by server.requests_max; nothing is allocated.
 */
#ifndef TANDEM_APP_CLAIMS_H
#define TANDEM_APP_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

struct claims;

/* A part of its call, and that call's until it is parked. */
struct claim {
    char lookup[TOKEN_DIGEST_SIZE];       /* the digest of caller and key, in hexadecimal */
    bool held;
    int64_t deadline_ns;
    struct claim *next;                   /* in its bucket, among who waits, or in what was given back */
    struct claim *first_waiting, **last_waiting;
};

/** overdue is called for each that was parked for too long, on a thread of its own. */
enum err must_check claims_start(void (*overdue)(struct claim *claim), struct claims **ret);

/** Nobody may be parked any more. NULL is fine. */
void claims_stop(struct claims *claims);

/** True: it is held, and the call goes on. Else parking was called, and then it was parked; it is somebody else's now.
 *  Any thread; never blocks. */
bool claims_take(struct claims *claims, struct claim *claim, void (*parking)(struct claim *claim));

/** Gives back one that is held; returns who waited for it, in the order they came, linked by next. Any thread. */
struct claim *claims_release(struct claims *claims, struct claim *claim);

#endif
