#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/reactor.h"

enum { BATCH_MAX = 128 };

/* Its address tells threads apart. */
static _Thread_local char thread_mark;

static void mailbox_wake(struct reactor *reactor)
{
    uint64_t one = 1;
    /* fails only when the counter is full, and then the reactor is woken anyhow */
    ssize_t written = write(reactor->wakeup.fd, &one, sizeof one);
    (void)written;
}

static void wakeup_ready(struct reactor_source *source, uint32_t events)
{
    struct reactor *reactor = (struct reactor *)((char *)source - offsetof(struct reactor, wakeup));
    uint64_t count;
    (void)events;
    /* read before the mailbox is emptied: a post after that finds it empty and wakes again */
    ssize_t got = read(source->fd, &count, sizeof count);
    (void)got;
    reactor_deliver(reactor);
}

enum err reactor_init(struct reactor *reactor)
{
    enum err err;
    *reactor = (struct reactor){.epoll_fd = -1, .wakeup = {.fd = -1, .ready = wakeup_ready}};
    reactor->now_ns = clock_now_ns();
    reactor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (reactor->epoll_fd < 0)
        return err_because(ERR_IO, "epoll_create1: %s", strerror(errno));
    reactor->wakeup.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (reactor->wakeup.fd < 0)
        err = err_because(ERR_IO, "eventfd: %s", strerror(errno));
    else
        err = reactor_watch(reactor, &reactor->wakeup, EPOLLIN);
    if (err)
        reactor_fini(reactor);
    return err;
}

static void retired_release(struct reactor *reactor)
{
    while (reactor->retired) {
        struct reactor_source *source = reactor->retired;
        reactor->retired = source->next_retired;
        source->release(source);
    }
}

void reactor_fini(struct reactor *reactor)
{
    retired_release(reactor);
    if (reactor->wakeup.fd >= 0)
        close(reactor->wakeup.fd);
    if (reactor->epoll_fd >= 0)
        close(reactor->epoll_fd);
    reactor->wakeup.fd = reactor->epoll_fd = -1;
}

enum err reactor_watch(struct reactor *reactor, struct reactor_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (events == source->events)
        return ERR_NONE;
    int operation = !events ? EPOLL_CTL_DEL : source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    source->events = 0;
    if (epoll_ctl(reactor->epoll_fd, operation, source->fd, &event))
        return err_because(ERR_IO, "epoll_ctl: %s", strerror(errno));
    source->events = events;
    return ERR_NONE;
}

void reactor_unwatch(struct reactor *reactor, struct reactor_source *source)
{
    /* removing a descriptor that is watched does not fail */
    enum err err = reactor_watch(reactor, source, 0);
    (void)err;
}

void reactor_retire(struct reactor *reactor, struct reactor_source *source)
{
    if (source->fd >= 0)
        close(source->fd);  /* which takes it out of the epoll: no other descriptor shares its description */
    source->fd = -1;
    source->events = 0;
    source->ready = NULL;
    source->next_retired = reactor->retired;
    reactor->retired = source;
}

void reactor_add_queue(struct reactor *reactor, struct deadline_queue *queue)
{
    queue->next_queue = reactor->queues;
    reactor->queues = queue;
}

void reactor_post(struct reactor *reactor, struct reactor_mail *mail)
{
    struct reactor_mail *newest = atomic_load_explicit(&reactor->mailbox, memory_order_relaxed);
    do
        mail->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&reactor->mailbox, &newest, mail, memory_order_release,
                                                  memory_order_relaxed));
    if (!newest)
        mailbox_wake(reactor);
}

void reactor_deliver(struct reactor *reactor)
{
    struct reactor_mail *newest = atomic_exchange_explicit(&reactor->mailbox, NULL, memory_order_acquire);
    struct reactor_mail *oldest = NULL;
    while (newest) {
        struct reactor_mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct reactor_mail *mail = oldest;
        oldest = mail->next;
        mail->deliver(mail);
    }
}

/* For epoll_wait(): milliseconds, rounded up so as not to wake just before the deadline. */
static int wait_ms(const struct reactor *reactor)
{
    int64_t next_ns = INT64_MAX;
    for (const struct deadline_queue *queue = reactor->queues; queue; queue = queue->next_queue) {
        int64_t first_ns = deadline_queue_next_ns(queue);
        next_ns = first_ns < next_ns ? first_ns : next_ns;
    }
    if (next_ns == INT64_MAX)
        return -1;
    int64_t left_ms = (next_ns - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
    return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void batch_serve(struct reactor *reactor)
{
    struct epoll_event events[BATCH_MAX];
    int count = epoll_wait(reactor->epoll_fd, events, BATCH_MAX, wait_ms(reactor));
    reactor->now_ns = clock_now_ns();
    for (int i = 0; i < count; i++) {
        struct reactor_source *source = events[i].data.ptr;
        if (source->ready)
            source->ready(source, events[i].events);
    }
    for (struct deadline_queue *queue = reactor->queues; queue; queue = queue->next_queue)
        deadline_queue_expire(queue, reactor->now_ns);
    retired_release(reactor);
}

void reactor_run(struct reactor *reactor)
{
    atomic_store(&reactor->runner, &thread_mark);
    while (!atomic_load_explicit(&reactor->stopping, memory_order_acquire))
        batch_serve(reactor);
    atomic_store(&reactor->runner, NULL);
}

void reactor_stop(struct reactor *reactor)
{
    atomic_store_explicit(&reactor->stopping, true, memory_order_release);
    mailbox_wake(reactor);
}

bool reactor_is_mine(const struct reactor *reactor)
{
    return atomic_load_explicit(&reactor->runner, memory_order_relaxed) == (const void *)&thread_mark;
}
