/* A watch: its thread reads, waits for something new, and goes on with what is known when nobody answers. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "discovery/discovery_private.h"
#include "discovery/remembered.h"
#include "state/thread.h"

enum { REMEMBER_TIMES = 16 };          /* within the age at which what is kept is too old, it is kept anew */

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

/* ---- what outlives the process ---- */

static void tell_remembered(const struct discovery_watch *watch, size_t count, int64_t age_s, enum err err)
{
    const struct discovery_opts *opts = &watch->discovery->opts;
    if (opts->remembered)
        opts->remembered(opts->context, watch->service, count, age_s, err);
}

static int64_t now_s(void)
{
    return clock_wall_us() / US_PER_S;
}

static void recall(struct discovery_watch *watch)
{
    struct instances *instances = NULL;
    int64_t age_s = 0;
    if (!watch->remember_path)
        return;
    enum err err = remembered_read(watch->remember_path, watch->service, now_s(),
                                   watch->discovery->opts.remember_max_s, &instances, &age_s);
    size_t count = err ? 0 : instances->count;
    if (count > 0) {
        publish(watch, instances);
        pthread_mutex_lock(&watch->lock);
        watch->told_state.is_remembered = true;
        pthread_mutex_unlock(&watch->lock);
    }
    if (count > 0 || (err && err != ERR_NOT_FOUND))
        tell_remembered(watch, count, age_s, err);
    instances_unref(instances);
}

/* When they have changed, and otherwise often enough for them not to become too old. A failure is told once. */
static void remember(struct discovery_watch *watch, const struct instances *instances, bool have_changed)
{
    int64_t now_ns = clock_now_ns();
    int64_t every_ns = watch->discovery->opts.remember_max_s * NS_PER_S / REMEMBER_TIMES;
    if (!watch->remember_path ||
        (!have_changed && watch->remembered_ns && now_ns - watch->remembered_ns < every_ns))
        return;
    enum err err = remembered_write(watch->remember_path, watch->service, instances, now_s());
    if (err && !watch->cannot_remember)
        tell_remembered(watch, 0, 0, err);
    watch->cannot_remember = err;
    watch->remembered_ns = now_ns;
}

/* ---- reading ---- */

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
    bool have_changed = !watch->instances || !instances_equal(watch->instances, found);
    if (have_changed)
        publish(watch, found);
    pthread_mutex_lock(&watch->lock);
    watch->told_state.is_known = true;
    watch->told_state.is_remembered = false;
    watch->told_state.err = ERR_NONE;
    watch->told_state.cause[0] = '\0';
    watch->told_state.read_ns = now_ns;
    watch->told_state.refused = watch->found->refused;
    pthread_cond_broadcast(&watch->told);
    pthread_mutex_unlock(&watch->lock);
    metric_set(watch->away, 0);
    metric_set(watch->answered, clock_wall_us() * (NS_PER_S / US_PER_S));
    remember(watch, found, have_changed);
    instances_unref(found);
    if (watch->failures > 0)
        discovery_tell(watch->discovery, watch->service, ERR_NONE);
    watch->failures = 0;
}

static void *run(void *context)
{
    struct discovery_watch *watch = context;
    const struct discovery *discovery = watch->discovery;
    recall(watch);
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
    free(watch->remember_path);
    free(watch->found);
    free(watch);
}

/* NULL stays NULL where nothing is kept. */
static enum err name_file(struct discovery_watch *watch)
{
    const char *path = watch->discovery->opts.remember_path;
    if (!*path || watch->discovery->driver->is_certain || !watch->discovery->opts.remember_max_s)
        return ERR_NONE;
    return asprintf(&watch->remember_path, "%s-%s", path, watch->service) < 0
               ? err_because(ERR_MEMORY, "no memory to follow %s", watch->service) : ERR_NONE;
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
    err = name_file(watch);
    if (!err)
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
