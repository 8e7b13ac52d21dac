/*
 * The bus on Kafka, shared by its files:
 *
 *   bus_kafka.c                opening, publishing, the keeper
 *   bus_kafka_properties.c     librdkafka's properties
 *   bus_kafka_message.c        events as messages
 *   bus_kafka_producer.c       sending and waiting
 *   bus_kafka_places.c         numbers of deliveries and offsets of partitions
 *   bus_kafka_subscription.c   life and fetching
 *   bus_kafka_assignment.c     which partitions, from where; going back
 *   bus_kafka_commit.c         acknowledging
 *   bus_kafka_dead.c           what is no event
 *   bus_kafka_ask.c            topics, ends, and where groups stand
 *   bus_kafka_look.c           what an operator sees, and how old the oldest is
 *   bus_kafka_statistics.c     metrics
 *
 * A topic for each first word of types, "tandem.order"; the key is the subject. A group of the bus is one of Kafka,
 * "tandem.inventory". librdkafka has threads of its own that reconnect for ever; whatever waits here has an end.
 */
#ifndef TANDEM_EVENTS_BUS_KAFKA_H
#define TANDEM_EVENTS_BUS_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "events/bus_driver.h"
#include "events/bus_kafka_places.h"
#include "events/bus_kafka_producer.h"
#include "events/bus_kafka_properties.h"
#include "events/wakeup.h"
#include "telemetry/metric.h"

enum {
    KAFKA_TOPICS_MAX = 64,
    KAFKA_PARTITIONS = 12,              /* of a topic, unless bus.queues says otherwise */
    KAFKA_TIMEOUT_MS = 10000,           /* for a publication, an acknowledgement, a question, likewise */
    KAFKA_UNACKNOWLEDGED_MAX = 4096,    /* deliveries of a subscription, likewise */
    KAFKA_REASON_SIZE = 256,
};

struct bus_kafka {
    struct bus base;
    char *brokers, *prefix, *groups, *properties_path;
    struct kafka_properties properties;
    unsigned partitions, timeout_ms, unacknowledged_max;
    int replication;                    /* -1: as the broker has it */
    rd_kafka_t *asking;                 /* a handle for questions, from any thread */
    struct kafka_producer producer;

    pthread_mutex_t lock;               /* of the following */
    char topics[KAFKA_TOPICS_MAX][KAFKA_TOPIC_SIZE];   /* that are known to be there */
    size_t topic_count;
    char reason[KAFKA_REASON_SIZE];     /* librdkafka's latest complaint */
    struct kafka_subscription *subscriptions;

    atomic_bool is_down;                /* none of the brokers can be reached */
    pthread_t keeper;
    struct wakeup keeper_wakeup;
    atomic_bool stopping;
    bool has_keeper;
    struct metric_series metric_up, metric_round_trip, metric_queued, metric_rebalances, metric_unreadable;
};

struct kafka_subscription {
    struct bus_subscription base;
    struct bus_kafka *bus;
    struct kafka_subscription *next;    /* of the bus's */
    char *group;                        /* of Kafka, "tandem.inventory" */
    bool is_alone;                      /* without a group of the bus: nothing is committed */
    char **types;                       /* ends with NULL */
    rd_kafka_topic_partition_list_t *topics;

    rd_kafka_t *handle;                 /* from the first fetch on: who does not fetch holds no partitions */
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *held;           /* did not fit the caller's arena */
    int event_fd;
    atomic_bool is_woken;
    bool is_stale;                      /* the next fetch goes back */
    bool is_paused;
    enum err trouble;                   /* with the partitions; the next fetch tells, and joins again */
    int64_t since_us;                   /* without a group: it begins with what is published from then on … */
    rd_kafka_topic_partition_list_t *start;   /* … or here, which the broker said */
    int64_t committed_ns, deferred_until_ns;

    pthread_mutex_t lock;               /* of places: the lag is asked for by other threads */
    struct kafka_places places;
};

/* ---- bus_kafka.c ---- */

/** A new handle. Takes conf over. Those for questions and for publishing complain to the bus; of those that consume the
 *  complaints come as messages, and whoever opens one sets its callbacks and their context in conf. */
enum err must_check kafka_handle(struct bus_kafka *bus, enum kafka_use use, rd_kafka_conf_t *conf, rd_kafka_t **ret);

/** err with a cause made of what was tried, librdkafka's error, and its latest complaint. */
enum err kafka_because(struct bus_kafka *bus, const char *tried, rd_kafka_resp_err_t error);

/** Milliseconds until then, at least 0. */
int kafka_left_ms(int64_t until_ns);

/* ---- bus_kafka_ask.c ---- */

/** Makes a topic unless it is there. */
enum err must_check kafka_topic_ensure(struct bus_kafka *bus, const char *topic, int64_t until_ns);

/** Adds all partitions of topics, with the offset KAFKA_NOWHERE; nothing for a topic that is not there. */
enum err must_check kafka_partitions(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *topics,
                                     int64_t until_ns, rd_kafka_topic_partition_list_t *out);

/** Adds the topics of this bus, but for those of what was no event. */
enum err must_check kafka_topics(struct bus_kafka *bus, int64_t until_ns, rd_kafka_topic_partition_list_t *out);

/** Sets each offset to the first at or after that time in milliseconds, or that of RD_KAFKA_OFFSET_BEGINNING or
 *  RD_KAFKA_OFFSET_END. */
enum err must_check kafka_offsets(struct bus_kafka *bus, rd_kafka_topic_partition_list_t *partitions, int64_t which,
                                  int64_t until_ns);

/** Sets each offset to what the group has committed; negative where it has not. */
enum err must_check kafka_committed(struct bus_kafka *bus, const char *group,
                                    rd_kafka_topic_partition_list_t *partitions, int64_t until_ns);

/** What is between from, whose negative offsets stand for the beginning, and the ends. */
enum err must_check kafka_lag_between(struct bus_kafka *bus, rd_kafka_topic_partition_list_t *from, int64_t until_ns,
                                      struct bus_lag *ret);

enum err must_check bus_kafka_lag(struct bus_subscription *base, struct bus_lag *ret);

/* ---- bus_kafka_subscription.c ---- */

enum err must_check bus_kafka_subscribe(struct bus *base, const char *group, const char *const *types,
                                        struct bus_subscription **ret);
void bus_kafka_unsubscribe(struct bus_subscription *base);
enum err must_check bus_kafka_fetch(struct bus_subscription *base, unsigned timeout_ms, struct arena *arena,
                                    struct bus_delivery *deliveries, size_t max, size_t *ret_count);
void bus_kafka_wake(struct bus_subscription *base);

/* ---- bus_kafka_assignment.c ---- */

/** Opens the handle and asks for partitions, unless that was done. */
enum err must_check kafka_join(struct kafka_subscription *subscription, int64_t until_ns);

/** Gives up partitions and handle, within a bounded time. */
void kafka_leave(struct kafka_subscription *subscription);

/** Where one without a group begins: behind what there is. */
enum err must_check kafka_find_start(struct kafka_subscription *subscription, int64_t until_ns);

/** Goes back to what was acknowledged. */
enum err must_check kafka_go_back(struct kafka_subscription *subscription);

/** Stops, or lets, messages come. */
void kafka_pause(struct kafka_subscription *subscription, bool is_paused);

/** Learns where the group stands in partitions that nothing has come of. */
enum err must_check kafka_mark(struct kafka_subscription *subscription, int64_t until_ns);

/** All places, with the offsets that they have acknowledged. The caller's to destroy. */
rd_kafka_topic_partition_list_t *kafka_places_list(const struct kafka_places *places);

void bus_kafka_rewind(struct bus_subscription *base);

/* ---- bus_kafka_commit.c ---- */

/** Tells the broker what was acknowledged, and waits; bus_wake() ends that. Nothing while partitions are given out. */
enum err must_check kafka_commit(struct kafka_subscription *subscription);
rd_kafka_resp_err_t kafka_commit_once(struct kafka_subscription *subscription, int64_t until_ns);

enum err must_check bus_kafka_acknowledge(struct bus_subscription *base, int64_t offset);

/* ---- bus_kafka_dead.c ---- */

/** Puts a message that is no event on the topic PREFIX.GROUP.dead, with why, and makes the delivery of a dead letter
 *  that says where it was. */
enum err must_check kafka_bury(struct kafka_subscription *subscription, const rd_kafka_message_t *message,
                               const char *cause, struct arena *arena, struct bus_delivery *ret);

/* ---- bus_kafka_look.c ---- */

/** Reads from the offsets of from on, up to those of until, in the same order; take gets each message. Ends early when
 *  take returns false, which is for the partition it was of. ERR_DEADLINE when the time is over. */
enum err must_check kafka_read(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *from,
                               const rd_kafka_topic_partition_list_t *until,
                               bool (*take)(const rd_kafka_message_t *message, void *context), void *context,
                               int64_t until_ns);

enum err must_check bus_kafka_browse(struct bus *base, const struct bus_filter *filter,
                                     enum err (*take)(const struct bus_entry *entry, void *context), void *context);
enum err must_check bus_kafka_groups(struct bus *base, enum err (*take)(const struct bus_group *group, void *context),
                                     void *context);

/* ---- bus_kafka_statistics.c ---- */

/** Takes librdkafka's statistics, in JSON (its STATISTICS.md), of the handle that publishes. */
void kafka_statistics_take(struct bus_kafka *bus, struct text json);

#endif
