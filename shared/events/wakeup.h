/*
 * A flag that one thread sleeps on and others raise.
 *
 * Ownership: the caller's storage. One thread waits; any may signal.
 */
#ifndef TANDEM_EVENTS_WAKEUP_H
#define TANDEM_EVENTS_WAKEUP_H

#include <pthread.h>
#include <stdbool.h>

struct wakeup {
    pthread_mutex_t lock;
    pthread_cond_t raised;
    bool is_raised;
};

void wakeup_init(struct wakeup *wakeup);
void wakeup_fini(struct wakeup *wakeup);

/** Raises the flag, which stays raised until it is waited for. */
void wakeup_signal(struct wakeup *wakeup);

/** Waits until the flag is raised, for at most timeout_ms, and lowers it. */
void wakeup_wait(struct wakeup *wakeup, unsigned timeout_ms);

#endif
