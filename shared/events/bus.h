/*
 * The bus: carries events from one service to the groups of consumers of others. At least once, in order per subject.
 *
 * One interface, a driver per broker. The embedded driver is an append-only log in a SQLite file that the processes of
 * one machine share; a group remembers its position in it. Consumers are woken by a file they watch, not by polling.
 * The others speak to a broker, which may be away: that is no error of bus_open() or bus_subscribe(), but of what is
 * then asked of it (ERR_UNAVAILABLE), until it is back. What is wrong with the settings is told at once.
 *
 * Where a broker shares a group's events out among those who subscribe, those of one subject go to one of them at a
 * time. So who does not consume should not subscribe.
 *
 * Threads: a bus may be published to from one thread and read by others; a subscription belongs to one thread.
 */
#ifndef TANDEM_EVENTS_BUS_H
#define TANDEM_EVENTS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "events/event.h"

struct bus;
struct bus_subscription;

struct bus_opts {
    const char *url;               /* "embedded:/var/lib/tandem/bus.db"; "amqp://user@host:5672,other/vhost";
                                      "kafka:host:9092,host2:9092" */
    bool only_looks;               /* for bus_browse() and bus_groups() alone: nothing is made or brought up to date */

    /* of the embedded bus */
    unsigned retention_s;          /* events that every group has read are kept this long, … */
    size_t max_bytes;              /* … or until this size; past it publishing is refused with ERR_STORAGE_FULL */
    unsigned busy_timeout_ms;

    /* of a broker */
    const char *prefix;            /* what all that is made there is called by: "tandem" */
    const char *groups;            /* that events are kept for before they first subscribe: "order, inventory" */
    const char *password_file;     /* NULL or "": none; read again for each connection */
    const char *tls_ca_file, *tls_cert_file, *tls_key_file;   /* NULL or "": the system's, none, none */
    unsigned queues;               /* of each group, over which subjects are spread; the same for all who use it */
    unsigned prefetch;             /* events that a subscription holds at once */
    unsigned delivery_limit;       /* after so many deliveries without an answer an event is a dead letter */
    unsigned heartbeat_s;          /* 0: none */
    unsigned connect_timeout_ms;   /* of each host */
    unsigned publish_timeout_ms;   /* until the broker has confirmed all of a publication */

    /* of Kafka alone */
    unsigned replication;          /* brokers that have each of its topics; 0: as many as the broker says */
    const char *kafka_properties_file;   /* librdkafka's own properties; NULL or "": none */
};

struct bus_delivery {
    struct event event;
    int64_t offset;
    struct text dead;              /* why the broker has given it up: it is a dead letter, not to be handled. Absent: it
                                      has not */
};

/* What a group has yet to acknowledge. */
struct bus_lag {
    uint64_t events;
    int64_t oldest_us;             /* wall time of when the oldest was published; 0: none, or it is not known */
};

/** Whether bus_open() could do with these: all of it that needs no broker and changes no file. ERR_CONFIG with a
 *  cause; ERR_IO when a file that they name cannot be read. */
enum err must_check bus_check(const struct bus_opts *opts);

/** ERR_CONFIG for a URL no driver takes, or whose driver is not built in, and for what the broker refuses; ERR_STORAGE;
 *  ERR_NOT_FOUND when it only looks and there is none. The strings of opts may go afterwards. */
enum err must_check bus_open(const struct bus_opts *opts, struct bus **ret);
void bus_close(struct bus *bus);

/** What traces call the kind of broker that it is, "rabbitmq". */
const char *bus_system(const struct bus *bus);

/** Publishes all in order, durably. Blocking, within publish_timeout_ms where there is a broker. An error says that it
 *  is to be published again, all of it: the embedded bus then has none, a broker may have some, and consumers drop
 *  repeats. ERR_STORAGE_FULL, ERR_STORAGE; ERR_BUSY when the broker takes nothing at the moment; ERR_UNAVAILABLE;
 *  ERR_INVALID for what event_check() refuses, of which nothing is published. */
enum err must_check bus_publish(struct bus *bus, const struct event *events, size_t count);

/**
 * Joins a group. A new group starts at the first event there is; where the broker keeps none for who is not known to
 * it, at the first after that (bus_opts.groups). types ends with NULL: only these are delivered. One
 * that ends with ".v" is a family: "order.placed.v" stands for order.placed.v1, order.placed.v2 and so on, so that a
 * group also sees the versions that are newer than it is.
 * Without a group (NULL) it is for this subscription alone, for what every process has to hear: it starts after the
 * newest event, remembers its place for as long as it lives, and holds up no sweeping of the log.
 */
enum err must_check bus_subscribe(struct bus *bus, const char *group, const char *const *types,
                                  struct bus_subscription **ret);
void bus_unsubscribe(struct bus_subscription *subscription);

/**
 * Waits until there is something after the last fetched, timeout_ms ran out, or bus_wake() is called, and fetches up
 * to max deliveries, copied into arena. ERR_NONE with *ret_count 0 when there is nothing.
 */
enum err must_check bus_fetch(struct bus_subscription *subscription, unsigned timeout_ms, struct arena *arena,
                              struct bus_delivery *deliveries, size_t max, size_t *ret_count);

/** All up to and including offset have been dealt with: they are not delivered to this group again. ERR_UNAVAILABLE
 *  when the broker cannot be told any more; then they are. */
enum err must_check bus_acknowledge(struct bus_subscription *subscription, int64_t offset);

/** Goes back to the last acknowledged: the next fetch delivers from there again. */
void bus_rewind(struct bus_subscription *subscription);

/** Ends a bus_fetch() that waits. Any thread. */
void bus_wake(struct bus_subscription *subscription);

/** How much it holds of what it may hold, in bytes, both of which a driver may not know: 0 then. Any thread.
 *  ERR_STORAGE also when another bus has taken its place meanwhile. */
enum err must_check bus_size(struct bus *bus, uint64_t *ret_used_bytes, uint64_t *ret_max_bytes);

/** How many events of its types the group has yet to acknowledge. Any thread, while it is subscribed. */
enum err must_check bus_lag(struct bus_subscription *subscription, struct bus_lag *ret);

/** The same of a group by its name, whoever consumes for it; nothing for one that never was there. Any thread; waits
 *  for no broker, but tells what it last said, about a second ago. ERR_UNAVAILABLE. */
enum err must_check bus_group_lag(struct bus *bus, const char *group, struct bus_lag *ret);

/* ---- for an operator, who looks and changes nothing ---- */

/* What is looked for; NULL and 0 are for all. */
struct bus_filter {
    const char *id, *subject;
    const char *type;                  /* "order.placed.v1", or with asterisks, "order.*" */
    int64_t since_us, until_us;        /* of when it was published: from, and before */
    unsigned limit;                    /* so many, the newest */
};

struct bus_entry {
    int64_t offset, published_us;
    struct text type, subject, envelope;   /* valid during the call */
};

struct bus_group {
    struct text name;
    struct text types;                 /* that it has subscribed to, with commas between them; absent: not known */
    int64_t offset;                    /* the last that it has acknowledged; -1: not known */
    struct bus_lag lag;
};

/** Calls take for each that is found, the oldest first. An error of take ends it and is returned. ERR_INVALID when the
 *  driver cannot look. */
enum err must_check bus_browse(struct bus *bus, const struct bus_filter *filter,
                               enum err (*take)(const struct bus_entry *entry, void *context), void *context);

/** The same with all groups, by name: of a broker those that are known here, and of their lag, as bus_group_lag() tells
 *  it, not what another process has taken and not acknowledged. */
enum err must_check bus_groups(struct bus *bus, enum err (*take)(const struct bus_group *group, void *context),
                               void *context);

#endif
