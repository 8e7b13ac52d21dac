/*
 * Waiting that others can end: a thread waits for a time, for a file descriptor, or until it is woken or stopped.
 *
 * One thread waits; any may wake or stop it.
 */
#ifndef TANDEM_DISCOVERY_WAITER_H
#define TANDEM_DISCOVERY_WAITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct waiter {
    int fd;                /* readable when somebody has woken it */
    atomic_bool stopped;
};

/** ERR_IO without a descriptor. */
enum err must_check waiter_open(struct waiter *waiter);
void waiter_close(struct waiter *waiter);

/** Ends the wait that is under way, or else the next. */
void waiter_wake(struct waiter *waiter);

/** Ends all waits from now on. */
void waiter_stop(struct waiter *waiter);
bool waiter_is_stopped(const struct waiter *waiter);

/** Waits until woken or stopped (true), or so long (false). */
bool waiter_wait(struct waiter *waiter, int64_t timeout_ms);

/** Forgets that it was woken: for who waits for fd itself. */
void waiter_clear(struct waiter *waiter);

#endif
