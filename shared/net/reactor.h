/*
 * A reactor: one epoll loop on one thread, with what it waits for: descriptors, mail from other threads, deadlines.
 *
 * All structs are embedded in the caller's own and belong to the caller. Everything is for the reactor's thread alone
 * (or for any one thread while it does not run), but for reactor_post(), reactor_stop() and reactor_is_mine().
 */
#ifndef TANDEM_NET_REACTOR_H
#define TANDEM_NET_REACTOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/deadline.h"

struct reactor_source {
    int fd;
    uint32_t events;                                          /* what it is watched for now; 0: not at all */
    void (*ready)(struct reactor_source *, uint32_t events);  /* EPOLLIN and so on */
    void (*release)(struct reactor_source *);                 /* after reactor_retire(): frees what it is part of */
    void *owner;                                              /* the caller's own */
    struct reactor_source *next_retired;
};

struct reactor_mail {
    void (*deliver)(struct reactor_mail *);                   /* on the reactor's thread; may free the mail */
    struct reactor_mail *next;
};

struct reactor {
    int epoll_fd;
    struct reactor_source wakeup;                             /* an eventfd, for mail and for stopping */
    _Atomic(struct reactor_mail *) mailbox;                   /* newest first */
    atomic_bool stopping;
    _Atomic(const void *) runner;                             /* names the thread inside reactor_run() */
    int64_t now_ns;                                           /* monotonic, when the present batch began */
    struct deadline_queue *queues;
    struct reactor_source *retired;
};

/** ERR_IO with the cause. The reactor must not be moved afterwards. */
enum err must_check reactor_init(struct reactor *reactor);

/** Releases what is still retired, and closes. Mail that was not delivered is dropped; see reactor_deliver(). */
void reactor_fini(struct reactor *reactor);

/** Watches for these events, level-triggered, instead of those before; 0 ends it. ERR_IO; then it is not watched. */
enum err must_check reactor_watch(struct reactor *reactor, struct reactor_source *source, uint32_t events);

/** Ends watching. */
void reactor_unwatch(struct reactor *reactor, struct reactor_source *source);

/**
 * Ends watching, closes the descriptor, and calls release when the present batch is over, which may still name the
 * source: until then its memory must stay. It is not called ready any more.
 */
void reactor_retire(struct reactor *reactor, struct reactor_source *source);

/** Lets the reactor look after the queue's deadlines, for as long as the reactor lives. */
void reactor_add_queue(struct reactor *reactor, struct deadline_queue *queue);

/** Has the mail delivered on the reactor's thread, in the order of posting. Any thread; never blocks; takes no lock;
 *  the reactor is woken only when the mailbox was empty. */
void reactor_post(struct reactor *reactor, struct reactor_mail *mail);

/** Delivers what is in the mailbox now. For after the end of reactor_run(), which does it by itself. */
void reactor_deliver(struct reactor *reactor);

/** Serves until reactor_stop(). */
void reactor_run(struct reactor *reactor);

/** Makes reactor_run() return after the present batch. Any thread. */
void reactor_stop(struct reactor *reactor);

/** Whether the calling thread is inside this reactor's reactor_run(). Any thread. */
bool reactor_is_mine(const struct reactor *reactor);

#endif
