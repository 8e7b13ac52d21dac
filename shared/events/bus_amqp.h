/*
 * The bus on RabbitMQ (AMQP 0-9-1), shared by its files: bus_amqp.c opens and keeps it, bus_amqp_publish.c publishes,
 * bus_amqp_subscription.c and bus_amqp_held.c read; bus_amqp_link.h is a connection, bus_amqp_topology.h what is made
 * on the broker, bus_amqp_message.h an event as a message.
 *
 * Connections: one to publish, one to ask (how much is in a queue), one a subscription. Each is under a lock of its
 * own; a thread of the bus, the keeper, looks at them twice a second, so that heartbeats are sent and heard while
 * whoever uses them is busy with other things, and the one to publish is there again before it is needed.
 *
 * Locks: bus->lock is taken before a connection's.
 */
#ifndef TANDEM_EVENTS_BUS_AMQP_H
#define TANDEM_EVENTS_BUS_AMQP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "events/bus_amqp_held.h"
#include "events/bus_amqp_link.h"
#include "events/bus_amqp_settings.h"
#include "events/bus_driver.h"
#include "events/wakeup.h"
#include "telemetry/metric.h"

struct bus_amqp_metrics {
    struct metric_series up, blocked, unconfirmed, round_trip, redelivered, unreadable;
};

/* What is wrong, as whoever met it left it. */
struct bus_amqp_trouble {
    enum err err;
    char cause[256];
};

/* A group that is known, and what waited in its queues when they were last looked at. */
struct bus_amqp_group {
    const char *name;
    uint64_t waiting;
};

struct bus_amqp_subscription {
    struct bus_subscription base;
    struct bus_amqp *bus;
    struct bus_amqp_subscription *next;      /* bus->lock */
    const char *group;                       /* NULL: for this process alone … */
    const char *watch;                       /* … and then the queue of it */
    const char **types;                      /* with a NULL at the end */
    struct arena arena;                      /* of these strings */
    struct bus_amqp_link link;
    struct bus_amqp_held held;               /* under the link's lock, but for held.count and held.oldest_us */
    int wake_fd;
};

struct bus_amqp {
    struct bus base;
    struct bus_amqp_settings settings;
    struct bus_amqp_metrics metrics;     /* of nobody's series when it only looks */
    struct bus_amqp_link publisher, asker;
    struct buf envelope;                 /* the publisher's */
    uint64_t published_tag;              /* the last that was given on the publisher's channel */

    pthread_mutex_t lock;                          /* of what follows */
    struct bus_amqp_subscription *subscriptions;   /* a list */
    struct bus_amqp_group groups[BUS_AMQP_GROUPS_MAX];   /* those of the settings, and who subscribed here; by name */
    unsigned group_count;
    struct arena names;
    struct bus_amqp_trouble asking;

    pthread_mutex_t trouble_lock;                  /* of publishing, which may be held up for long otherwise */
    struct bus_amqp_trouble publishing;

    pthread_t keeper;
    bool is_kept;
    atomic_bool stopping;
    struct wakeup wakeup;                /* of the keeper */
};

/** Keeps an error with its cause, for whoever asks later. */
void bus_amqp_note(struct bus_amqp_trouble *trouble, enum err err);

/** That error, with its cause. */
enum err must_check bus_amqp_trouble(const struct bus_amqp_trouble *trouble);

/** Keeps what came of publishing, for whoever asks how the bus is (bus_size()). */
void bus_amqp_note_publishing(struct bus_amqp *bus, enum err err);

/* ---- bus_amqp_publish.c ---- */

/** Has there be what is counted of publishing, at nought. */
void bus_amqp_publisher_metrics(struct bus_amqp *bus);

enum err must_check bus_amqp_publish(struct bus *base, const struct event *events, size_t count);

/** Has the publisher's connection be there, with all that is published to. Under its lock. */
enum err must_check bus_amqp_publisher_open(struct bus_amqp *bus);

/** Takes in what the broker has said on it meanwhile. Under its lock. */
void bus_amqp_publisher_keep(struct bus_amqp *bus);

/* ---- bus_amqp_subscription.c ---- */

enum err must_check bus_amqp_subscribe(struct bus *base, const char *group, const char *const *types,
                                       struct bus_subscription **ret);
void bus_amqp_unsubscribe(struct bus_subscription *base);
enum err must_check bus_amqp_fetch(struct bus_subscription *base, unsigned timeout_ms, struct arena *arena,
                                   struct bus_delivery *deliveries, size_t max, size_t *ret_count);
enum err must_check bus_amqp_acknowledge(struct bus_subscription *base, int64_t offset);
void bus_amqp_rewind(struct bus_subscription *base);
void bus_amqp_wake(struct bus_subscription *base);

/** Takes in what has come for each subscription. Under bus->lock; passes over what is in use. */
void bus_amqp_subscriptions_keep(struct bus_amqp *bus);

/** What this subscription has and did not acknowledge; a group that nobody subscribes to has nothing. */
struct bus_lag bus_amqp_held_lag(struct bus_amqp_subscription *subscription);

/* ---- bus_amqp_lag.c ---- */

/** Has the lag of a group be looked at. Under bus->lock. ERR_MEMORY. */
enum err must_check bus_amqp_know_group(struct bus_amqp *bus, const char *name);

/** Asks what waits for the groups. */
void bus_amqp_lag_keep(struct bus_amqp *bus);

enum err must_check bus_amqp_lag(struct bus_subscription *base, struct bus_lag *ret);
enum err must_check bus_amqp_groups(struct bus *base, enum err (*take)(const struct bus_group *group, void *context),
                                    void *context);

#endif
