#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/claims.h"
#include "base/clock.h"
#include "base/hex.h"
#include "events/wakeup.h"
#include "state/thread.h"

enum { BUCKETS = 256, IDLE_MS = 60000 };

struct claims {
    void (*overdue)(struct claim *claim);
    pthread_mutex_t lock;                 /* of the next two */
    struct claim *buckets[BUCKETS];       /* those that are held */
    int64_t expected_ns;                  /* when the thread looks again; 0: not before it is told */
    struct wakeup wakeup;
    pthread_t thread;
    atomic_bool stopping;
};

/* ---- with the lock ---- */

static struct claim **bucket_of(struct claims *claims, const struct claim *claim)
{
    return &claims->buckets[(unsigned)(hex_digit(claim->lookup[0]) << 4 | hex_digit(claim->lookup[1])) % BUCKETS];
}

static struct claim *find(struct claims *claims, const struct claim *claim)
{
    struct claim *held = *bucket_of(claims, claim);
    while (held && strcmp(held->lookup, claim->lookup) != 0)
        held = held->next;
    return held;
}

static void hold(struct claims *claims, struct claim *claim)
{
    struct claim **bucket = bucket_of(claims, claim);
    claim->held = true;
    claim->first_waiting = NULL;
    claim->last_waiting = &claim->first_waiting;
    claim->next = *bucket;
    *bucket = claim;
}

/* Whether the thread has to be told that one is due before it looks again. */
static bool park(struct claims *claims, struct claim *held, struct claim *claim)
{
    bool is_earliest = !claims->expected_ns || claim->deadline_ns < claims->expected_ns;
    claim->next = NULL;
    *held->last_waiting = claim;
    held->last_waiting = &claim->next;
    if (is_earliest)
        claims->expected_ns = claim->deadline_ns;
    return is_earliest;
}

/* Moves who is overdue to the end of *overdue, and returns that end; *next_ns becomes the earliest of the others. */
static struct claim **take_overdue(struct claim *held, int64_t now_ns, struct claim **overdue, int64_t *next_ns)
{
    struct claim **at = &held->first_waiting;
    while (*at) {
        struct claim *claim = *at;
        if (claim->deadline_ns > now_ns) {
            if (!*next_ns || claim->deadline_ns < *next_ns)
                *next_ns = claim->deadline_ns;
            at = &claim->next;
            continue;
        }
        *at = claim->next;
        claim->next = NULL;
        *overdue = claim;
        overdue = &claim->next;
    }
    held->last_waiting = at;
    return overdue;
}

/* ---- from outside ---- */

bool claims_take(struct claims *claims, struct claim *claim, void (*parking)(struct claim *claim))
{
    bool tell = false;
    pthread_mutex_lock(&claims->lock);
    struct claim *held = find(claims, claim);
    if (held) {
        parking(claim);
        tell = park(claims, held, claim);
    } else {
        hold(claims, claim);
    }
    pthread_mutex_unlock(&claims->lock);
    if (tell)
        wakeup_signal(&claims->wakeup);
    return !held;
}

struct claim *claims_release(struct claims *claims, struct claim *claim)
{
    assert(claim->held);
    pthread_mutex_lock(&claims->lock);
    struct claim **at = bucket_of(claims, claim);
    while (*at != claim)
        at = &(*at)->next;
    *at = claim->next;
    struct claim *waiting = claim->first_waiting;
    claim->held = false;
    pthread_mutex_unlock(&claims->lock);
    return waiting;
}

/* ---- the thread ---- */

/* Ends who is overdue; returns when the next is, 0 for never. */
static int64_t end_overdue(struct claims *claims)
{
    struct claim *overdue = NULL, **last = &overdue;
    int64_t now_ns = clock_now_ns(), next_ns = 0;
    pthread_mutex_lock(&claims->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct claim *held = claims->buckets[i]; held; held = held->next)
            last = take_overdue(held, now_ns, last, &next_ns);
    }
    claims->expected_ns = next_ns;
    pthread_mutex_unlock(&claims->lock);
    while (overdue) {
        struct claim *claim = overdue;
        overdue = claim->next;
        claims->overdue(claim);
    }
    return next_ns;
}

static unsigned wait_ms(int64_t until_ns)
{
    int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS + 1;
    return !until_ns || left_ms > IDLE_MS ? IDLE_MS : left_ms < 0 ? 0 : (unsigned)left_ms;
}

static void *run(void *context)
{
    struct claims *claims = context;
    while (!atomic_load(&claims->stopping))
        wakeup_wait(&claims->wakeup, wait_ms(end_overdue(claims)));
    return NULL;
}

enum err claims_start(void (*overdue)(struct claim *claim), struct claims **ret)
{
    struct claims *claims = calloc(1, sizeof *claims);
    if (!claims)
        return err_because(ERR_MEMORY, "no memory for idempotency keys");
    claims->overdue = overdue;
    pthread_mutex_init(&claims->lock, NULL);
    wakeup_init(&claims->wakeup);
    enum err err = thread_start(&claims->thread, "keys", run, claims);
    if (err) {
        wakeup_fini(&claims->wakeup);
        pthread_mutex_destroy(&claims->lock);
        free(claims);
        return err;
    }
    *ret = claims;
    return ERR_NONE;
}

void claims_stop(struct claims *claims)
{
    if (!claims)
        return;
    atomic_store(&claims->stopping, true);
    wakeup_signal(&claims->wakeup);
    pthread_join(claims->thread, NULL);
    wakeup_fini(&claims->wakeup);
    pthread_mutex_destroy(&claims->lock);
    free(claims);
}
