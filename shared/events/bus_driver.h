/*
 * What a driver of the bus is: a row of functions, found by the scheme of the URL. A driver's own structs begin with
 * the ones below. To add one: its file, and a line in the table in bus.c. One that is not built in (configure) has a
 * line there as well, which says so.
 */
#ifndef TANDEM_EVENTS_BUS_DRIVER_H
#define TANDEM_EVENTS_BUS_DRIVER_H

#include "events/bus.h"

struct bus_driver {
    const char *scheme;
    const char *system;        /* for traces: messaging.system */
    /* address is what follows the scheme and its colon; check is all of open that needs nobody else */
    enum err (*check)(const struct bus_opts *opts, const char *address);
    enum err (*open)(const struct bus_opts *opts, const char *address, struct bus **ret);
    void (*close)(struct bus *bus);
    enum err (*publish)(struct bus *bus, const struct event *events, size_t count);   /* checked ones, at least one */
    enum err (*size)(struct bus *bus, uint64_t *ret_used_bytes, uint64_t *ret_max_bytes);
    enum err (*subscribe)(struct bus *bus, const char *group, const char *const *types,
                          struct bus_subscription **ret);
    void (*unsubscribe)(struct bus_subscription *subscription);
    enum err (*fetch)(struct bus_subscription *subscription, unsigned timeout_ms, struct arena *arena,
                      struct bus_delivery *deliveries, size_t max, size_t *ret_count);
    enum err (*acknowledge)(struct bus_subscription *subscription, int64_t offset);
    void (*rewind)(struct bus_subscription *subscription);
    void (*wake)(struct bus_subscription *subscription);
    enum err (*lag)(struct bus_subscription *subscription, struct bus_lag *ret);
    /* NULL where the broker has tools of its own */
    enum err (*browse)(struct bus *bus, const struct bus_filter *filter,
                       enum err (*take)(const struct bus_entry *entry, void *context), void *context);
    enum err (*groups)(struct bus *bus, enum err (*take)(const struct bus_group *group, void *context), void *context);
};

struct bus {
    const struct bus_driver *driver;
};

struct bus_subscription {
    const struct bus_driver *driver;
};

extern const struct bus_driver bus_embedded_driver;
#ifdef HAVE_RABBITMQ
extern const struct bus_driver bus_amqp_driver, bus_amqps_driver;
#endif
#ifdef HAVE_KAFKA
extern const struct bus_driver bus_kafka_driver;
#endif

#endif
