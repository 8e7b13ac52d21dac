/* A watch: its thread reads, waits for something new, and goes on with what is known when nobody answers. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "discovery/discovery_private.h"
#include "state/thread.h"

/* ---- on its thread ---- */

static void fail(struct discovery_watch *watch, enum err err)
{
    char cause[DISCOVERY_CAUSE_SIZE];
    snprintf(cause, sizeof cause, "%s", err_cause());
    pthread_mutex_lock(&watch->lock);
    watch->told_state.err = err;
    memcpy(watch->told_state.cause, cause, sizeof cause);
    pthread_cond_broadcast(&watch->told);
    pthread_mutex_unlock(&watch->lock);
    metric_set(watch->away, 1);
    metric_add(watch->failed, 1);
    if (watch->failures++ == 0)
        discovery_tell(watch->discovery, watch->service, err);
}

/* Whether those that are missing are more likely so because the registry has lost its memory, or has heard of nobody
 * while it was away: when all are missing, and when it has just come back. */
static bool is_doubtful(struct discovery_watch *watch, int64_t now_ns)
{
    int64_t limit_ns = watch->discovery->opts.empty_after_ms * NS_PER_MS;
    bool are_missing = watch->found->count == 0 && watch->instances && watch->instances->count > 0;
    if (!are_missing)
        watch->empty_since_ns = 0;
    else if (watch->empty_since_ns == 0)
        watch->empty_since_ns = now_ns;
    if (watch->failures > 0)
        watch->back_since_ns = now_ns;
    return (are_missing && now_ns - watch->empty_since_ns < limit_ns) ||
           (watch->back_since_ns && now_ns - watch->back_since_ns < limit_ns);
}

static bool is_found(const struct discovery_found *found, const char *id)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->list[i].id, id) == 0)
            return true;
    return false;
}

static void keep_missing(struct discovery_watch *watch)
{
    for (size_t i = 0; watch->instances && i < watch->instances->count; i++)
        if (!is_found(watch->found, watch->instances->list[i].id))
            discovery_found_add(watch->found, &watch->instances->list[i]);
}

static void publish(struct discovery_watch *watch, struct instances *found)
{
    pthread_mutex_lock(&watch->lock);
    struct instances *before = watch->instances;
    watch->instances = instances_ref(found);
    watch->told_state.changes++;
    pthread_mutex_unlock(&watch->lock);
    metric_set(watch->known, (int64_t)found->count);
    if (watch->changed)
        watch->changed(watch->context, found);
    instances_unref(before);
}

static void succeed(struct discovery_watch *watch)
{
    int64_t now_ns = clock_now_ns();
    struct instances *found = NULL;
    if (is_doubtful(watch, now_ns))
        keep_missing(watch);
    enum err err = instances_new(watch->found->list, watch->found->count, &found);
    if (err) {
        fail(watch, err);
        return;
    }
    if (!watch->instances || !instances_equal(watch->instances, found))
        publish(watch, found);
    instances_unref(found);
    pthread_mutex_lock(&watch->lock);
    watch->told_state.is_known = true;
    watch->told_state.err = ERR_NONE;
    watch->told_state.cause[0] = '\0';
    watch->told_state.read_ns = now_ns;
    watch->told_state.refused = watch->found->refused;
    pthread_cond_broadcast(&watch->told);
    pthread_mutex_unlock(&watch->lock);
    metric_set(watch->away, 0);
    metric_set(watch->answered, clock_wall_us() * (NS_PER_S / US_PER_S));
    if (watch->failures > 0)
        discovery_tell(watch->discovery, watch->service, ERR_NONE);
    watch->failures = 0;
}

static void *run(void *context)
{
    struct discovery_watch *watch = context;
    const struct discovery *discovery = watch->discovery;
    while (!waiter_is_stopped(&watch->waiter)) {
        watch->found->count = watch->found->refused = 0;
        enum err err = discovery->driver->follow(watch->follower, watch->found);
        if (err == ERR_CLOSED)
            continue;
        if (err) {
            fail(watch, err);
            waiter_wait(&watch->waiter, discovery_pause_ms(&discovery->opts, watch->failures));
        } else {
            succeed(watch);
        }
    }
    return NULL;
}

/* ---- life ---- */

static enum err start(struct discovery_watch *watch)
{
    const struct discovery *discovery = watch->discovery;
    enum err err = waiter_open(&watch->waiter);
    if (err)
        return err;
    err = discovery->driver->follower_new(discovery->state, watch->service, &watch->waiter, &watch->follower);
    if (!err) {
        err = thread_start(&watch->thread, "discovery", run, watch);
        if (err)
            discovery->driver->follower_free(watch->follower);
    }
    if (err)
        waiter_close(&watch->waiter);
    return err;
}

static void watch_free(struct discovery_watch *watch)
{
    instances_unref(watch->instances);
    pthread_cond_destroy(&watch->told);
    pthread_mutex_destroy(&watch->lock);
    free(watch->found);
    free(watch);
}

static enum err watch_new(struct discovery *discovery, const char *service, struct discovery_watch **ret)
{
    pthread_condattr_t monotonic;
    struct discovery_watch *watch = calloc(1, sizeof *watch);
    struct discovery_found *found = malloc(sizeof *found);
    if (!watch || !found) {
        free(watch);
        free(found);
        return err_because(ERR_MEMORY, "no memory to follow %s", service);
    }
    watch->discovery = discovery;
    watch->found = found;
    snprintf(watch->service, sizeof watch->service, "%s", service);
    watch->known = metric_series(METRIC_DISCOVERY_INSTANCES, watch->service);
    watch->away = metric_series(METRIC_DISCOVERY_AWAY, watch->service);
    watch->answered = metric_series(METRIC_DISCOVERY_ANSWERED, watch->service);
    watch->failed = metric_series(METRIC_DISCOVERY_FAILURES, watch->service);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = watch;
    return ERR_NONE;
}

enum err discovery_watch(struct discovery *discovery, const char *service,
                         void (*changed)(void *context, struct instances *instances), void *context,
                         struct discovery_watch **ret)
{
    struct discovery_watch *watch = NULL;
    if (!discovery_is_name(service))
        return err_because(ERR_INVALID, "\"%s\" is no name of a service", service);
    enum err err = watch_new(discovery, service, &watch);
    if (err)
        return err;
    watch->changed = changed;
    watch->context = context;
    err = start(watch);
    if (err) {
        watch_free(watch);
        return err;
    }
    pthread_mutex_lock(&discovery->lock);
    watch->next = discovery->watches;
    discovery->watches = watch;
    pthread_mutex_unlock(&discovery->lock);
    *ret = watch;
    return ERR_NONE;
}

void discovery_unwatch(struct discovery_watch *watch)
{
    if (!watch)
        return;
    struct discovery *discovery = watch->discovery;
    pthread_mutex_lock(&discovery->lock);
    struct discovery_watch **place = &discovery->watches;
    while (*place != watch)
        place = &(*place)->next;
    *place = watch->next;
    pthread_mutex_unlock(&discovery->lock);
    waiter_stop(&watch->waiter);
    pthread_join(watch->thread, NULL);
    discovery->driver->follower_free(watch->follower);
    waiter_close(&watch->waiter);
    watch_free(watch);
}

/* ---- from outside ---- */

struct instances *discovery_take(struct discovery_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    struct instances *instances = watch->instances ? instances_ref(watch->instances) : NULL;
    pthread_mutex_unlock(&watch->lock);
    return instances;
}

bool discovery_wait(struct discovery_watch *watch, unsigned timeout_ms)
{
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    const struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    int status = 0;
    pthread_mutex_lock(&watch->lock);
    while (!watch->told_state.is_known && !watch->told_state.err && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&watch->told, &watch->lock, &until);
    bool is_told = watch->told_state.is_known || watch->told_state.err;
    pthread_mutex_unlock(&watch->lock);
    return is_told;
}

void discovery_state(struct discovery_watch *watch, struct discovery_state *ret)
{
    pthread_mutex_lock(&watch->lock);
    *ret = watch->told_state;
    pthread_mutex_unlock(&watch->lock);
}
