#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "events/bus_amqp.h"
#include "state/thread.h"

enum { KEEP_EVERY_MS = 500, LAG_EVERY = 2, NAMES_BYTES = 16 * 1024 };

/* ---- how it is ---- */

void bus_amqp_note(struct bus_amqp_trouble *trouble, enum err err)
{
    trouble->err = err;
    snprintf(trouble->cause, sizeof trouble->cause, "%s", err ? err_cause() : "");
}

enum err bus_amqp_trouble(const struct bus_amqp_trouble *trouble)
{
    return trouble->err ? err_because(trouble->err, "%s", trouble->cause) : ERR_NONE;
}

void bus_amqp_note_publishing(struct bus_amqp *bus, enum err err)
{
    pthread_mutex_lock(&bus->trouble_lock);
    bus_amqp_note(&bus->publishing, err);
    pthread_mutex_unlock(&bus->trouble_lock);
}

static enum err size_of(struct bus *base, uint64_t *ret_used_bytes, uint64_t *ret_max_bytes)
{
    struct bus_amqp *bus = (struct bus_amqp *)base;
    pthread_mutex_lock(&bus->trouble_lock);
    enum err err = bus_amqp_trouble(&bus->publishing);
    pthread_mutex_unlock(&bus->trouble_lock);
    if (!err)
        *ret_used_bytes = *ret_max_bytes = 0;
    return err;
}

/* ---- the keeper ---- */

/* A connection that is in use needs no keeping. */
static void keep_publisher(struct bus_amqp *bus)
{
    struct bus_amqp_link *link = &bus->publisher;
    enum err err = ERR_NONE;
    if (pthread_mutex_trylock(&link->lock) != 0)
        return;
    if (bus_amqp_link_is_open(link)) {
        bus_amqp_publisher_keep(bus);
        if (link->is_blocked)
            err = err_because(ERR_BUSY, "the broker takes no events at the moment: %s", link->blocked_because);
        bus_amqp_note_publishing(bus, err);
    } else if (bus_amqp_link_wait_ms(link) == 0) {
        bus_amqp_note_publishing(bus, bus_amqp_publisher_open(bus));
    }
    metric_set(bus->metrics.up, bus_amqp_link_is_open(link));
    pthread_mutex_unlock(&link->lock);
}

static void keep_asker(struct bus_amqp *bus)
{
    struct bus_amqp_link *link = &bus->asker;
    amqp_frame_t frame;
    bool has = true;
    if (pthread_mutex_trylock(&link->lock) != 0)
        return;
    while (bus_amqp_link_is_open(link) && has)
        if (bus_amqp_link_frame(link, 0, &frame, &has))
            break;
    pthread_mutex_unlock(&link->lock);
}

static void *keep(void *context)
{
    struct bus_amqp *bus = context;
    for (unsigned turn = 0; !bus->stopping; turn++) {
        wakeup_wait(&bus->wakeup, KEEP_EVERY_MS);
        if (bus->stopping)
            break;
        keep_publisher(bus);
        keep_asker(bus);
        pthread_mutex_lock(&bus->lock);
        bus_amqp_subscriptions_keep(bus);
        pthread_mutex_unlock(&bus->lock);
        if (turn % LAG_EVERY == 0 && bus_amqp_link_wait_ms(&bus->asker) == 0)
            bus_amqp_lag_keep(bus);
    }
    return NULL;
}

/* ---- opening ---- */

static void close_bus(struct bus *base)
{
    struct bus_amqp *bus = (struct bus_amqp *)base;
    if (bus->is_kept) {
        atomic_store(&bus->stopping, true);
        wakeup_signal(&bus->wakeup);
        pthread_join(bus->keeper, NULL);
    }
    bus_amqp_link_fini(&bus->publisher);
    bus_amqp_link_fini(&bus->asker);
    buf_fini(&bus->envelope);
    arena_fini(&bus->names);
    wakeup_fini(&bus->wakeup);
    pthread_mutex_destroy(&bus->lock);
    pthread_mutex_destroy(&bus->trouble_lock);
    bus_amqp_settings_fini(&bus->settings);
    free(bus);
}

static void register_metrics(struct bus_amqp *bus)
{
    bus->metrics.up = metric_series(METRIC_BUS_BROKERS_UP);
    bus->metrics.redelivered = metric_series(METRIC_BUS_REDELIVERED);
    bus->metrics.unreadable = metric_series(METRIC_BUS_UNREADABLE);
    (void)metric_series(METRIC_BUS_RECONNECTS);
    bus_amqp_publisher_metrics(bus);
}

/* That the broker is away is no reason not to start; that it refuses us is. Who only looks has nothing else to do. */
static enum err connect_first(struct bus_amqp *bus)
{
    if (bus->settings.opts.only_looks)
        return bus_amqp_link_open(&bus->asker);
    register_metrics(bus);
    enum err err = bus_amqp_publisher_open(bus);
    bus_amqp_note_publishing(bus, err);
    if (err == ERR_CONFIG || err == ERR_FORBIDDEN || err == ERR_IO || err == ERR_MEMORY)
        return err;
    err = thread_start(&bus->keeper, "bus", keep, bus);
    bus->is_kept = !err;
    return err;
}

static enum err open_bus(const struct bus_driver *driver, const struct bus_opts *opts, const char *address,
                         bool is_tls, struct bus **ret)
{
    struct bus_amqp *bus = calloc(1, sizeof *bus);
    if (!bus)
        return err_because(ERR_MEMORY, "open the bus: out of memory");
    bus->base.driver = driver;
    pthread_mutex_init(&bus->lock, NULL);
    pthread_mutex_init(&bus->trouble_lock, NULL);
    wakeup_init(&bus->wakeup);
    buf_init(&bus->envelope, EVENT_MAX_BYTES);
    arena_init(&bus->names, NAMES_BYTES);
    enum err err = bus_amqp_settings_init(&bus->settings, opts, address, is_tls);
    bus_amqp_link_init(&bus->publisher, &bus->settings, "publishes");
    bus_amqp_link_init(&bus->asker, &bus->settings, "asks");
    for (unsigned i = 0; !err && i < bus->settings.group_count; i++)
        err = bus_amqp_know_group(bus, bus->settings.groups[i]);
    if (!err)
        err = connect_first(bus);
    if (err)
        close_bus(&bus->base);
    else
        *ret = &bus->base;
    return err;
}

static enum err check_bus(const struct bus_opts *opts, const char *address)
{
    struct bus_amqp_settings settings;
    enum err err = bus_amqp_settings_init(&settings, opts, address, false);
    bus_amqp_settings_fini(&settings);
    return err;
}

static enum err open_plain(const struct bus_opts *opts, const char *address, struct bus **ret)
{
    return open_bus(&bus_amqp_driver, opts, address, false, ret);
}

static enum err open_tls(const struct bus_opts *opts, const char *address, struct bus **ret)
{
    return open_bus(&bus_amqps_driver, opts, address, true, ret);
}

#define DRIVER(name, opens)                                                                                            \
    {                                                                                                                  \
        .scheme = name, .system = "rabbitmq", .check = check_bus, .open = opens, .close = close_bus,                   \
        .publish = bus_amqp_publish, .size = size_of, .subscribe = bus_amqp_subscribe,                                 \
        .unsubscribe = bus_amqp_unsubscribe,                                                                           \
        .fetch = bus_amqp_fetch, .acknowledge = bus_amqp_acknowledge, .rewind = bus_amqp_rewind,                       \
        .wake = bus_amqp_wake, .lag = bus_amqp_lag, .groups = bus_amqp_groups,                                         \
    }

const struct bus_driver bus_amqp_driver = DRIVER("amqp", open_plain);
const struct bus_driver bus_amqps_driver = DRIVER("amqps", open_tls);
