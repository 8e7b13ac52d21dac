#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "discovery/waiter.h"

enum err waiter_open(struct waiter *waiter)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return err_because(ERR_IO, "eventfd: %s", strerror(errno));
    waiter->fd = fd;
    atomic_init(&waiter->stopped, false);
    return ERR_NONE;
}

void waiter_close(struct waiter *waiter)
{
    close(waiter->fd);
}

void waiter_wake(struct waiter *waiter)
{
    const uint64_t one = 1;
    while (write(waiter->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void waiter_stop(struct waiter *waiter)
{
    atomic_store(&waiter->stopped, true);
    waiter_wake(waiter);
}

bool waiter_is_stopped(const struct waiter *waiter)
{
    return atomic_load(&waiter->stopped);
}

void waiter_clear(struct waiter *waiter)
{
    uint64_t count;
    while (read(waiter->fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}

bool waiter_wait(struct waiter *waiter, int64_t timeout_ms)
{
    struct pollfd fd = {.fd = waiter->fd, .events = POLLIN};
    if (waiter_is_stopped(waiter))
        return true;
    int limit_ms = timeout_ms < 0 ? 0 : timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX;
    bool woken = poll(&fd, 1, limit_ms) > 0;
    if (woken)
        waiter_clear(waiter);
    return woken || waiter_is_stopped(waiter);
}
