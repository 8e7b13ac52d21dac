/* Loading: one at a time in a process, and among processes when there is a remote part. */
#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cache/cache_private.h"
#include "cache/remote.h"

/* How often something is loaded again because it was invalidated while it was loaded; and how often who waited for such
 * a load looks again. */
enum { LOADS_MAX = 3, ROUNDS_MAX = 3 };

static void count(struct cache *cache, enum cache_load_outcome outcome)
{
    metric_add(cache->loads[outcome], 1);
}

/* ---- one load ---- */

static void set_until(const struct cache_request *request, const struct cache_value *value, int64_t now_ns,
                      struct cache_remote_record *record)
{
    record->version = value->version;
    record->group = value->group;
    record->left_ns = value->until_ns ? value->until_ns - now_ns : 0;
    record->lifetime_ns = request->lifetimes.fresh_ns + request->lifetimes.stale_ns;
}

/* Asks the source, and tells the others by way of the claim, when there is one. False: to be loaded again. */
static bool load_once(struct cache *cache, const struct cache_request *request, struct cache_remote_claim *claim,
                      struct cache_value *value, int64_t mark, enum err *ret)
{
    int64_t began_ns = clock_now_ns();
    value->group = TEXT_NONE;
    value->version = 0;
    value->until_ns = 0;
    *ret = request->load(request->context, value);
    int64_t now_ns = clock_now_ns();
    struct cache_remote_record record = {.value = {value->data, value->length}, .age_ns = now_ns - began_ns};
    const struct cache_note_opts opts = {
        .mark = mark, .loaded_ns = began_ns, .checked_ns = now_ns, .cost_ns = now_ns - began_ns};
    if (*ret && *ret != ERR_NOT_FOUND) {
        count(cache, LOAD_FAILED);
        return true;
    }
    if (*ret == ERR_NOT_FOUND) {
        count(cache, LOAD_ABSENT);
        cache_put_absent(cache, request->key, mark, began_ns);
        return cache_holds(cache, request->key, mark);
    }
    count(cache, LOAD_LOADED);
    bool kept = cache_keep(cache, request->key, value, &opts);
    set_until(request, value, now_ns, &record);
    if (kept && claim->held)
        kept = cache_remote_put(cache->opts.remote, cache->opts.name, request->key, claim, &record) != ERR_CONFLICT;
    return kept;
}

/* ---- with others, by the remote part ---- */

/* Whether the remote part has it, fresh, and from after all that was invalidated here: it may not have heard yet. */
static bool take_shared(struct cache *cache, const struct cache_request *request, struct cache_value *value)
{
    struct cache_remote_record record;
    int64_t asked_ns = clock_now_ns();
    enum err err = cache_remote_get(cache->opts.remote, cache->opts.name, request->key, value, &record);
    if (err || record.age_ns >= request->lifetimes.fresh_ns)
        return false;
    int64_t loaded_ns = asked_ns - record.age_ns;
    const struct cache_note_opts opts = {
        .mark = loaded_ns, .loaded_ns = loaded_ns, .checked_ns = clock_now_ns(), .cost_ns = record.cost_ns};
    value->version = record.version;
    value->group = record.group;
    value->until_ns = record.left_ns ? asked_ns + record.left_ns : 0;
    if (!cache_keep(cache, request->key, value, &opts))
        return false;
    count(cache, LOAD_SHARED);
    return true;
}

/* Another may have put it there and given its claim back between the look and the claim. */
static bool was_put_before(struct cache *cache, const struct cache_request *request, struct cache_value *value,
                           struct cache_remote_claim *claim)
{
    if (!claim->held || !take_shared(cache, request, value))
        return false;
    cache_remote_release(cache->opts.remote, cache->opts.name, request->key, claim);
    return true;
}

/* Until it is there, or this process is the one to load it: then the claim is held, or the remote part is away. */
static bool await_shared(struct cache *cache, const struct cache_request *request, struct cache_value *value,
                         struct cache_remote_claim *claim)
{
    struct cache_remote_wait wait;
    cache_remote_wait_init(cache->opts.remote, request->deadline_ns, &wait);
    do {
        if (take_shared(cache, request, value))
            return true;
        if (cache_remote_claim(cache->opts.remote, cache->opts.name, request->key, claim) != ERR_BUSY)
            return was_put_before(cache, request, value, claim);
    } while (cache_remote_wait(&wait));
    return false;
}

enum err cache_fetch(struct cache *cache, const struct cache_request *request, struct cache_value *value,
                     int64_t *ret_mark)
{
    enum err err = ERR_NONE;
    assert(value->capacity >= cache->opts.value_max_bytes);
    for (unsigned i = 0; i < LOADS_MAX; i++) {
        struct cache_remote_claim claim = {.held = false};
        int64_t mark = cache_mark();
        if (ret_mark)
            *ret_mark = mark;
        if (cache->opts.remote && await_shared(cache, request, value, &claim))
            return ERR_NONE;
        bool is_last = load_once(cache, request, &claim, value, mark, &err);
        if (claim.held)
            cache_remote_release(cache->opts.remote, cache->opts.name, request->key, &claim);
        if (is_last)
            return err;
    }
    /* It changes faster than it can be loaded: this one is of now, and nobody else's. */
    count(cache, LOAD_UNKEPT);
    return err;
}

/* ---- many who ask ---- */

struct waiter {
    struct flight_guest guest;
    struct cache_value *value;
    pthread_mutex_t lock;
    pthread_cond_t told_cond;
    bool told;
    enum err err;                  /* ERR_AGAIN: to look again */
};

#define WAITER_OF(parked) ((struct waiter *)((char *)(parked) - offsetof(struct waiter, guest)))

static void tell(struct waiter *waiter, enum err err, const struct cache_value *value)
{
    if (!err) {
        memcpy(waiter->value->data, value->data, value->length);
        waiter->value->length = value->length;
        waiter->value->version = value->version;
    }
    pthread_mutex_lock(&waiter->lock);
    waiter->err = err;
    waiter->told = true;
    pthread_cond_signal(&waiter->told_cond);
    pthread_mutex_unlock(&waiter->lock);
}

/* Who came after an invalidation is not to have what was loaded before it. */
static void land(struct cache *cache, const struct cache_request *request, enum err err,
                 const struct cache_value *value, int64_t mark)
{
    struct flight_guest *guest = flights_land(cache->flights, request->key);
    bool is_theirs = err && err != ERR_NOT_FOUND ? err != ERR_DEADLINE : cache_holds(cache, request->key, mark);
    while (guest) {
        struct waiter *waiter = WAITER_OF(guest);
        guest = guest->next;
        tell(waiter, is_theirs ? err : ERR_AGAIN, value);
    }
}

static enum err lead(struct cache *cache, const struct cache_request *request, struct cache_value *value)
{
    int64_t mark = 0;
    enum err err = cache_fetch(cache, request, value, &mark);
    land(cache, request, err, value, mark);
    return err;
}

/* Another may have landed with it between the look and the boarding. */
static bool was_loaded_before(struct cache *cache, const struct cache_request *request, struct cache_value *value)
{
    int64_t mark = cache_mark();
    if (cache_get(cache, request->key, &request->lifetimes, mark, value) != CACHE_FRESH)
        return false;
    land(cache, request, ERR_NONE, value, mark);
    return true;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

/* Until it is told or its time is over; whichever comes, it is in no flight any more. */
static enum err wait_told(struct cache *cache, const struct cache_request *request, struct waiter *waiter)
{
    struct timespec deadline = timespec_of(request->deadline_ns);
    bool overdue = false;
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->told && !overdue)
        overdue = pthread_cond_clockwait(&waiter->told_cond, &waiter->lock, CLOCK_MONOTONIC, &deadline) != 0;
    pthread_mutex_unlock(&waiter->lock);
    if (overdue && flights_leave(cache->flights, request->key, &waiter->guest))
        return err_because(ERR_DEADLINE, "what another loads has not come in time");
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->told)   /* it is about to be */
        pthread_cond_wait(&waiter->told_cond, &waiter->lock);
    pthread_mutex_unlock(&waiter->lock);
    return waiter->err;
}

static enum err board(struct cache *cache, const struct cache_request *request, struct cache_value *value)
{
    struct waiter waiter = {
        .guest.deadline_ns = request->deadline_ns,
        .value = value,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .told_cond = PTHREAD_COND_INITIALIZER,
    };
    bool leads = false, is_earliest;
    enum err err = flights_board(cache->flights, request->key, &waiter.guest, &leads, &is_earliest);
    if (err) {
        count(cache, LOAD_REFUSED);
        return err;
    }
    if (!leads)
        err = wait_told(cache, request, &waiter);
    else if (!was_loaded_before(cache, request, value))
        err = lead(cache, request, value);
    pthread_cond_destroy(&waiter.told_cond);
    pthread_mutex_destroy(&waiter.lock);
    if (err && !leads && err != ERR_AGAIN && err != ERR_DEADLINE)
        return err_because(err, "what another was loading failed");
    return err;
}

/* The value in hand may be served, so this one loads it anew only when nobody does. */
static enum err renew(struct cache *cache, const struct cache_request *request, struct cache_value *value)
{
    if (!flights_lead(cache->flights, request->key) || was_loaded_before(cache, request, value))
        return ERR_NONE;
    enum err err = lead(cache, request, value);
    if (!err || err == ERR_NOT_FOUND)
        return err;
    enum cache_found found = cache_get(cache, request->key, &request->lifetimes, clock_now_ns(), value);
    return found == CACHE_NOTHING ? err : found == CACHE_ABSENT ? ERR_NOT_FOUND : ERR_NONE;
}

enum err cache_get_or_load(struct cache *cache, const struct cache_request *request, struct cache_value *value)
{
    enum err err = ERR_AGAIN;
    for (unsigned i = 0; i < ROUNDS_MAX && err == ERR_AGAIN; i++) {
        enum cache_found found =
            cache_get(cache, request->key, &request->lifetimes, clock_now_ns(), value);
        if (found == CACHE_FRESH)
            return ERR_NONE;
        if (found == CACHE_ABSENT)
            return ERR_NOT_FOUND;
        err = found == CACHE_NOTHING ? board(cache, request, value) : renew(cache, request, value);
    }
    if (err == ERR_AGAIN)
        return err_because(ERR_BUSY, "it changes faster than it can be loaded");
    return err;
}
