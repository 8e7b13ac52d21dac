#include "config.h"

#include <string.h>

#include "events/bus_driver.h"

#ifdef HAVE_RABBITMQ
#define RABBITMQ(driver) &driver
#else
#define RABBITMQ(driver) NULL
#endif

#ifdef HAVE_KAFKA
#define KAFKA(driver) &driver
#else
#define KAFKA(driver) NULL
#endif

/* Those without a driver are not built in; then there is what would bring it. */
static const struct {
    const char *scheme;
    const struct bus_driver *driver;
    const char *option, *package;
} drivers[] = {
    {"embedded", &bus_embedded_driver, NULL, NULL},
    {"amqp", RABBITMQ(bus_amqp_driver), "--with-rabbitmq", "librabbitmq-dev"},
    {"amqps", RABBITMQ(bus_amqps_driver), "--with-rabbitmq", "librabbitmq-dev"},
    {"kafka", KAFKA(bus_kafka_driver), "--with-kafka", "librdkafka-dev"},
};

/* *ret_address is what follows the scheme. */
static enum err find_driver(const struct bus_opts *opts, const struct bus_driver **ret, const char **ret_address)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        size_t length = strlen(drivers[i].scheme);
        if (!opts->url || strncmp(opts->url, drivers[i].scheme, length) != 0 || opts->url[length] != ':')
            continue;
        *ret = drivers[i].driver;
        *ret_address = opts->url + length + 1;
        if (drivers[i].driver)
            return ERR_NONE;
        return err_because(ERR_CONFIG, "a bus of \"%s:\" is not built into this program; configure it %s, with the "
                                       "package %s (Debian)", drivers[i].scheme, drivers[i].option, drivers[i].package);
    }
    return err_because(ERR_CONFIG, "no bus has the URL \"%s\"", opts->url ? opts->url : "");
}

enum err bus_check(const struct bus_opts *opts)
{
    const struct bus_driver *driver;
    const char *address;
    enum err err = find_driver(opts, &driver, &address);
    return err ? err : driver->check(opts, address);
}

enum err bus_open(const struct bus_opts *opts, struct bus **ret)
{
    const struct bus_driver *driver;
    const char *address;
    enum err err = find_driver(opts, &driver, &address);
    if (!err)
        err = driver->check(opts, address);
    return err ? err : driver->open(opts, address, ret);
}

const char *bus_system(const struct bus *bus)
{
    return bus->driver->system ? bus->driver->system : "tandem";
}

void bus_close(struct bus *bus)
{
    if (bus)
        bus->driver->close(bus);
}

enum err bus_publish(struct bus *bus, const struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum err err = event_check(&events[i]);
        if (err)
            return err;
    }
    return count ? bus->driver->publish(bus, events, count) : ERR_NONE;
}

enum err bus_size(struct bus *bus, uint64_t *ret_used_bytes, uint64_t *ret_max_bytes)
{
    return bus->driver->size(bus, ret_used_bytes, ret_max_bytes);
}

enum err bus_subscribe(struct bus *bus, const char *group, const char *const *types, struct bus_subscription **ret)
{
    return bus->driver->subscribe(bus, group, types, ret);
}

void bus_unsubscribe(struct bus_subscription *subscription)
{
    if (subscription)
        subscription->driver->unsubscribe(subscription);
}

enum err bus_fetch(struct bus_subscription *subscription, unsigned timeout_ms, struct arena *arena,
                   struct bus_delivery *deliveries, size_t max, size_t *ret_count)
{
    return subscription->driver->fetch(subscription, timeout_ms, arena, deliveries, max, ret_count);
}

enum err bus_acknowledge(struct bus_subscription *subscription, int64_t offset)
{
    return subscription->driver->acknowledge(subscription, offset);
}

void bus_rewind(struct bus_subscription *subscription)
{
    subscription->driver->rewind(subscription);
}

void bus_wake(struct bus_subscription *subscription)
{
    subscription->driver->wake(subscription);
}

enum err bus_lag(struct bus_subscription *subscription, struct bus_lag *ret)
{
    return subscription->driver->lag(subscription, ret);
}

struct wanted {
    struct text group;
    struct bus_lag lag;
};

static enum err find_lag(const struct bus_group *group, void *context)
{
    struct wanted *wanted = context;
    if (text_equal(group->name, wanted->group))
        wanted->lag = group->lag;
    return ERR_NONE;
}

enum err bus_group_lag(struct bus *bus, const char *group, struct bus_lag *ret)
{
    struct wanted wanted = {.group = text_of(group)};
    enum err err = bus_groups(bus, find_lag, &wanted);
    if (!err)
        *ret = wanted.lag;
    return err;
}

static enum err cannot_look(const struct bus *bus)
{
    return err_because(ERR_INVALID, "the bus \"%s\" cannot be looked into from here; use the broker's own tools",
                       bus->driver->scheme);
}

enum err bus_browse(struct bus *bus, const struct bus_filter *filter,
                    enum err (*take)(const struct bus_entry *entry, void *context), void *context)
{
    return bus->driver->browse ? bus->driver->browse(bus, filter, take, context) : cannot_look(bus);
}

enum err bus_groups(struct bus *bus, enum err (*take)(const struct bus_group *group, void *context), void *context)
{
    return bus->driver->groups ? bus->driver->groups(bus, take, context) : cannot_look(bus);
}
