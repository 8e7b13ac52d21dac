/*
 * The consumer's two halves: consumer.c has the thread, consumer_apply.c what happens inside the transactions.
 */
#ifndef TANDEM_EVENTS_CONSUMER_PRIVATE_H
#define TANDEM_EVENTS_CONSUMER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "events/consumer.h"
#include "events/wakeup.h"

struct consumer {
    struct consumer_opts opts;
    const char **types;                /* of the handlers, with a NULL at the end */
    struct bus_subscription *subscription;
    struct db_connection *reader;
    struct bus_delivery *deliveries;
    struct arena arena;                /* of the batch under way; the writer's while it runs a retry */
    struct wakeup wakeup;
    pthread_t thread;
    bool started;
    bool leads;                        /* the thread's: this process consumes */
    atomic_bool stopping;
    atomic_uint_fast64_t handled, repeated, retried, dead;
};

/* A transaction's work; stats are this run's, and count only when it has committed. */
struct consumer_work {
    struct consumer *consumer;
    size_t count;                      /* of consumer->deliveries */
    struct consumer_stats stats;
};

/** A db_work on a struct consumer_work: takes charge of the deliveries. */
enum err consumer_apply(struct db_connection *connection, void *context);

/** A db_work on a struct consumer_work: tries what is due again, at most batch_max of it. */
enum err consumer_retry(struct db_connection *connection, void *context);

#endif
