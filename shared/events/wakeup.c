#include "config.h"

#include <time.h>

#include "base/clock.h"
#include "events/wakeup.h"

void wakeup_init(struct wakeup *wakeup)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&wakeup->lock, NULL);
    pthread_cond_init(&wakeup->raised, &attributes);
    pthread_condattr_destroy(&attributes);
    wakeup->is_raised = false;
}

void wakeup_fini(struct wakeup *wakeup)
{
    pthread_cond_destroy(&wakeup->raised);
    pthread_mutex_destroy(&wakeup->lock);
}

void wakeup_signal(struct wakeup *wakeup)
{
    pthread_mutex_lock(&wakeup->lock);
    wakeup->is_raised = true;
    pthread_cond_signal(&wakeup->raised);
    pthread_mutex_unlock(&wakeup->lock);
}

void wakeup_wait(struct wakeup *wakeup, unsigned timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t until_ns = until.tv_sec * NS_PER_S + until.tv_nsec + timeout_ms * NS_PER_MS;
    until = (struct timespec){.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};

    pthread_mutex_lock(&wakeup->lock);
    while (!wakeup->is_raised && pthread_cond_timedwait(&wakeup->raised, &wakeup->lock, &until) == 0)
        continue;
    wakeup->is_raised = false;
    pthread_mutex_unlock(&wakeup->lock);
}
