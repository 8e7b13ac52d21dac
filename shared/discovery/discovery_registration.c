/* What is registered: a thread announces it, gives signs of life, tells how it is, and withdraws it in the end. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "discovery/discovery_private.h"
#include "state/thread.h"

/* Signs of life in the lifetime of what is registered: two may be lost. */
enum { SIGNS_OF_LIFE = 3, CLOSE_TIMEOUT_MS = 500, WITHDRAW_PAUSE_MS = 20 };

struct registration {
    struct discovery *discovery;
    void *registrars[DISCOVERY_REGISTERED_MAX];
    size_t count;
    struct waiter waiter;
    pthread_t thread;
    unsigned failures;                 /* in a row */
    struct metric_series registered, failed;
    atomic_bool is_registered;
    pthread_mutex_t lock;              /* of what follows */
    pthread_cond_t ended;
    unsigned withdraw_ms;              /* how long it may take */
    bool has_ended;
    enum err outcome;                  /* of the withdrawal */
};

/* ---- on its thread ---- */

static enum err announce(struct registration *registration)
{
    const struct discovery *discovery = registration->discovery;
    const struct discovery_opts *opts = &discovery->opts;
    char note[DISCOVERY_CAUSE_SIZE] = "";
    enum discovery_health health = opts->health ? opts->health(opts->context, note, sizeof note) : DISCOVERY_PASSING;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < registration->count && !err; i++)
        err = discovery->driver->announce(registration->registrars[i], health, note);
    return err;
}

static void note_outcome(struct registration *registration, enum err err)
{
    bool was_registered = atomic_exchange(&registration->is_registered, err == ERR_NONE);
    metric_set(registration->registered, err == ERR_NONE);
    if (err)
        metric_add(registration->failed, 1);
    if ((err && registration->failures == 0) || (!err && !was_registered))
        discovery_tell(registration->discovery, NULL, err);
    registration->failures = err ? registration->failures + 1 : 0;
}

static void withdraw(struct registration *registration)
{
    const struct discovery *discovery = registration->discovery;
    int64_t until_ns = clock_now_ns() + registration->withdraw_ms * NS_PER_MS;
    enum err outcome = ERR_NONE;
    for (size_t i = 0; i < registration->count; i++) {
        enum err err;
        int64_t left_ms;
        while ((left_ms = (until_ns - clock_now_ns()) / NS_PER_MS) > 0 &&
               (err = discovery->driver->withdraw(registration->registrars[i], (unsigned)left_ms)) != ERR_NONE)
            nanosleep(&(struct timespec){.tv_nsec = WITHDRAW_PAUSE_MS * NS_PER_MS}, NULL);
        outcome = left_ms > 0 ? outcome : ERR_UNAVAILABLE;
    }
    metric_set(registration->registered, 0);
    atomic_store(&registration->is_registered, false);
    pthread_mutex_lock(&registration->lock);
    registration->outcome = outcome;
    registration->has_ended = true;
    pthread_cond_broadcast(&registration->ended);
    pthread_mutex_unlock(&registration->lock);
}

static void *run(void *context)
{
    struct registration *registration = context;
    const struct discovery_opts *opts = &registration->discovery->opts;
    while (!waiter_is_stopped(&registration->waiter)) {
        enum err err = announce(registration);
        if (err != ERR_CLOSED)
            note_outcome(registration, err);
        unsigned pause_ms = opts->ttl_ms / SIGNS_OF_LIFE;
        if (err) {
            unsigned retry_ms = discovery_pause_ms(opts, registration->failures);
            pause_ms = retry_ms < pause_ms ? retry_ms : pause_ms;
        }
        waiter_wait(&registration->waiter, pause_ms);
    }
    withdraw(registration);
    return NULL;
}

/* ---- life ---- */

static void give_back(struct registration *registration)
{
    for (size_t i = 0; i < registration->count; i++)
        registration->discovery->driver->registrar_free(registration->registrars[i]);
    pthread_cond_destroy(&registration->ended);
    pthread_mutex_destroy(&registration->lock);
    waiter_close(&registration->waiter);
    free(registration);
}

void registration_free(struct registration *registration)
{
    if (!registration)
        return;
    waiter_stop(&registration->waiter);
    pthread_join(registration->thread, NULL);
    give_back(registration);
}

static enum err registration_new(struct discovery *discovery, const char *service, struct registration **ret)
{
    pthread_condattr_t monotonic;
    struct registration *registration = calloc(1, sizeof *registration);
    if (!registration)
        return err_because(ERR_MEMORY, "no memory to register %s", service);
    enum err err = waiter_open(&registration->waiter);
    if (err) {
        free(registration);
        return err;
    }
    registration->discovery = discovery;
    registration->withdraw_ms = CLOSE_TIMEOUT_MS;
    registration->registered = metric_series(METRIC_DISCOVERY_REGISTERED);
    registration->failed = metric_series(METRIC_DISCOVERY_FAILURES, "");
    pthread_mutex_init(&registration->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&registration->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = registration;
    return ERR_NONE;
}

static enum err add_registrars(struct registration *registration, const char *service, const struct instance *list,
                               size_t count)
{
    const struct discovery *discovery = registration->discovery;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < count && !err; i++) {
        err = instance_check(&list[i]);
        if (!err)
            err = discovery->driver->registrar_new(discovery->state, service, &list[i], &registration->waiter,
                                                   &registration->registrars[i]);
        registration->count += err == ERR_NONE;
    }
    return err;
}

enum err discovery_register(struct discovery *discovery, const char *service, const struct instance *list, size_t count)
{
    struct registration *registration = NULL;
    if (!discovery->driver->registrar_new || count == 0)
        return ERR_NONE;
    if (!discovery_is_name(service) || count > DISCOVERY_REGISTERED_MAX)
        return err_because(ERR_INVALID, "\"%s\" cannot be registered at %zu places", service, count);
    enum err err = registration_new(discovery, service, &registration);
    if (err)
        return err;
    err = add_registrars(registration, service, list, count);
    if (!err)
        err = thread_start(&registration->thread, "registration", run, registration);
    if (err) {
        give_back(registration);
        return err;
    }
    pthread_mutex_lock(&discovery->lock);
    discovery->registration = registration;
    pthread_mutex_unlock(&discovery->lock);
    return ERR_NONE;
}

/* ---- from outside ---- */

static struct registration *current(struct discovery *discovery)
{
    pthread_mutex_lock(&discovery->lock);
    struct registration *registration = discovery->registration;
    pthread_mutex_unlock(&discovery->lock);
    return registration;
}

bool discovery_is_registered(struct discovery *discovery)
{
    struct registration *registration = current(discovery);
    return registration && atomic_load(&registration->is_registered);
}

void discovery_tell_health(struct discovery *discovery)
{
    struct registration *registration = current(discovery);
    if (registration)
        waiter_wake(&registration->waiter);
}

enum err discovery_deregister(struct discovery *discovery, unsigned timeout_ms)
{
    struct registration *registration = current(discovery);
    if (!registration)
        return ERR_NONE;
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    const struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    int status = 0;
    pthread_mutex_lock(&registration->lock);
    registration->withdraw_ms = timeout_ms;
    waiter_stop(&registration->waiter);
    while (!registration->has_ended && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&registration->ended, &registration->lock, &until);
    enum err outcome = registration->has_ended ? registration->outcome : ERR_UNAVAILABLE;
    pthread_mutex_unlock(&registration->lock);
    return outcome ? err_because(outcome, "the registry has not confirmed within %u ms", timeout_ms) : ERR_NONE;
}
