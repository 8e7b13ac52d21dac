/*
 * A thread that keeps the map of the cluster, and tells Redis what was invalidated: at once as a rule, else again and
 * again until it is told or what is there has lived out its time anyway.
 */
#include "config.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cache/remote_private.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_STATE

enum {
    MAP_MIN_AGE_MS = 50,           /* it is not asked for more often … */
    MAP_MAX_AGE_MS = 10000,        /* … nor less */
    RETRY_MS = 20,
};

/* ---- with the lock ---- */

static bool take_one(struct keeper *keeper, struct owed *ret)
{
    if (keeper->count == 0)
        return false;
    *ret = keeper->ring[keeper->first];
    keeper->first = (keeper->first + 1) % keeper->size;
    keeper->count--;
    return true;
}

/* What is older than a value may be there needs no telling. */
static void add(struct keeper *keeper, const struct owed *owed)
{
    bool is_over = clock_now_ns() - owed->since_ns > REMOTE_LIFETIME_MAX_MS * NS_PER_MS;
    if (is_over || keeper->count == keeper->size) {
        metric_add(keeper->lost, 1);
        return;
    }
    keeper->ring[(keeper->first + keeper->count++) % keeper->size] = *owed;
}

static void wait_until(struct keeper *keeper, int64_t ns)
{
    const struct timespec until = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    pthread_cond_clockwait(&keeper->work, &keeper->lock, CLOCK_MONOTONIC, &until);
}

static int64_t map_due_ns(const struct keeper *keeper)
{
    return keeper->map_asked_ns + (keeper->map_wanted ? MAP_MIN_AGE_MS : MAP_MAX_AGE_MS) * NS_PER_MS;
}

/* ---- the thread ---- */

/* Told once each way. */
static void note(struct keeper *keeper, enum err err)
{
    if (err && !keeper->failing)
        log_event(LOG_WARNING, "the shared cache is away; requests go on without it", LOG_ERR(err));
    else if (!err && keeper->failing)
        log_event(LOG_INFO, "the shared cache is there again");
    keeper->failing = err != ERR_NONE;
    metric_set(keeper->away, keeper->failing);
}

/* Called with the lock, which it lets go meanwhile. */
static void refresh_map(struct cache_remote *remote)
{
    struct keeper *keeper = &remote->keeper;
    keeper->map_wanted = false;
    keeper->map_asked_ns = clock_now_ns();
    pthread_mutex_unlock(&keeper->lock);
    enum err err = redis_map_refresh(remote->map);
    note(keeper, err);
    pthread_mutex_lock(&keeper->lock);
    keeper->map_wanted |= err != ERR_NONE;
}

/* The same. False when something is still owed of what it has tried. */
static bool send_owed(struct cache_remote *remote)
{
    struct keeper *keeper = &remote->keeper;
    struct owed owed[REDIS_PIPELINE_MAX];
    bool told[REDIS_PIPELINE_MAX], all = true;
    size_t count = 0;
    while (count < REDIS_PIPELINE_MAX && take_one(keeper, &owed[count]))
        count++;
    if (count == 0)
        return true;
    pthread_mutex_unlock(&keeper->lock);
    remote_tell(remote, owed, count, told);
    pthread_mutex_lock(&keeper->lock);
    for (size_t i = 0; i < count; i++) {
        if (told[i])
            continue;
        add(keeper, &owed[i]);
        all = false;
    }
    metric_set(keeper->owed, (int64_t)keeper->count);
    return all;
}

static void *run(void *context)
{
    struct cache_remote *remote = context;
    struct keeper *keeper = &remote->keeper;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping) {
        if (clock_now_ns() >= map_due_ns(keeper))
            refresh_map(remote);
        if (!send_owed(remote))
            wait_until(keeper, clock_now_ns() + RETRY_MS * NS_PER_MS);
        else if (keeper->count == 0 && !keeper->stopping)
            wait_until(keeper, map_due_ns(keeper));
    }
    send_owed(remote);   /* once more: what can be told is */
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

/* ---- from outside ---- */

enum err keeper_start(struct cache_remote *remote, unsigned queue_max)
{
    struct keeper *keeper = &remote->keeper;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->work, NULL);
    keeper->size = queue_max;
    keeper->ring = calloc(queue_max, sizeof keeper->ring[0]);
    keeper->away = metric_series(METRIC_CACHE_REMOTE_AWAY);
    keeper->owed = metric_series(METRIC_CACHE_REMOTE_OWED);
    keeper->lost = metric_series(METRIC_CACHE_REMOTE_LOST);
    if (!keeper->ring)
        return err_because(ERR_MEMORY, "no memory for invalidations");
    keeper->map_asked_ns = clock_now_ns() - MAP_MAX_AGE_MS * NS_PER_MS;   /* at once */
    enum err err = thread_start(&keeper->thread, "cache", run, remote);
    keeper->started = !err;
    return err;
}

void keeper_stop(struct cache_remote *remote)
{
    struct keeper *keeper = &remote->keeper;
    if (keeper->started) {
        pthread_mutex_lock(&keeper->lock);
        keeper->stopping = true;
        pthread_cond_signal(&keeper->work);
        pthread_mutex_unlock(&keeper->lock);
        pthread_join(keeper->thread, NULL);
    }
    pthread_cond_destroy(&keeper->work);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper->ring);
}

void keeper_owe(struct cache_remote *remote, const struct owed *owed)
{
    pthread_mutex_lock(&remote->keeper.lock);
    add(&remote->keeper, owed);
    pthread_cond_signal(&remote->keeper.work);
    pthread_mutex_unlock(&remote->keeper.lock);
}

void keeper_want_map(struct cache_remote *remote)
{
    pthread_mutex_lock(&remote->keeper.lock);
    if (!remote->keeper.map_wanted) {
        remote->keeper.map_wanted = true;
        pthread_cond_signal(&remote->keeper.work);
    }
    pthread_mutex_unlock(&remote->keeper.lock);
}
