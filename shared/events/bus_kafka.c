#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka.h"
#include "events/bus_kafka_message.h"
#include "state/thread.h"

enum {
    KEEPER_MS = 1000,
    PREFIX_MAX = 64,
};

/* ---- handles ---- */

int kafka_left_ms(int64_t until_ns)
{
    int64_t left_ns = until_ns - clock_now_ns();
    return left_ns > 0 ? (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

/* What the broker, or librdkafka, will say again however often it is asked. */
static bool is_refusal(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return true;
    default:
        return false;
    }
}

enum err kafka_because(struct bus_kafka *bus, const char *tried, rd_kafka_resp_err_t error)
{
    char reason[KAFKA_REASON_SIZE];
    pthread_mutex_lock(&bus->lock);
    memcpy(reason, bus->reason, sizeof reason);
    pthread_mutex_unlock(&bus->lock);
    return err_because(is_refusal(error) ? ERR_INVALID : ERR_UNAVAILABLE, "the bus \"kafka:%s\": %s: %s%s%s",
                       bus->brokers, tried, rd_kafka_err2str(error), *reason ? "; the latest of it: " : "", reason);
}

/* librdkafka's complaints become part of causes; its own log goes nowhere, since this is a library too. */
static void take_error(rd_kafka_t *handle, int error, const char *reason, void *context)
{
    struct bus_kafka *bus = context;
    char text[KAFKA_REASON_SIZE];
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        atomic_store(&bus->is_down, true);
    if (error == RD_KAFKA_RESP_ERR__FATAL)
        rd_kafka_fatal_error(handle, text, sizeof text);
    pthread_mutex_lock(&bus->lock);
    snprintf(bus->reason, sizeof bus->reason, "%s", error == RD_KAFKA_RESP_ERR__FATAL ? text : reason);
    pthread_mutex_unlock(&bus->lock);
}

static void take_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static int take_statistics(rd_kafka_t *handle, char *json, size_t length, void *context)
{
    (void)handle;
    kafka_statistics_take(context, (struct text){json, length});
    return 0;
}

enum err kafka_handle(struct bus_kafka *bus, enum kafka_use use, rd_kafka_conf_t *conf, rd_kafka_t **ret)
{
    char reason[KAFKA_REASON_SIZE];
    bool consumes = use == KAFKA_CONSUMES || use == KAFKA_LOOKS;
    rd_kafka_conf_set_log_cb(conf, take_log);
    if (!consumes) {
        rd_kafka_conf_set_opaque(conf, bus);
        rd_kafka_conf_set_error_cb(conf, take_error);
    }
    if (use == KAFKA_PUBLISHES)
        rd_kafka_conf_set_stats_cb(conf, take_statistics);
    rd_kafka_t *handle = rd_kafka_new(consumes ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!handle) {
        rd_kafka_conf_destroy(conf);
        return err_because(ERR_CONFIG, "the bus \"kafka:%s\": %s", bus->brokers, reason);
    }
    *ret = handle;
    return ERR_NONE;
}

/* ---- publishing ---- */

static enum err add_event(struct bus_kafka *bus, const struct event *event)
{
    char topic[KAFKA_TOPIC_SIZE];
    enum err err = kafka_topic(bus->prefix, event->type, topic, sizeof topic);
    if (!err)
        err = kafka_topic_ensure(bus, topic, bus->producer.until_ns);
    if (!err)
        err = kafka_producer_add(&bus->producer, topic, event->subject, event->data, kafka_message_headers(event));
    return err;
}

static enum err publish(struct bus *base, const struct event *events, size_t count)
{
    struct bus_kafka *bus = (struct bus_kafka *)base;
    char topic[KAFKA_TOPIC_SIZE];
    for (size_t i = 0; i < count; i++) {
        enum err err = kafka_topic(bus->prefix, events[i].type, topic, sizeof topic);
        if (err)
            return err;
    }
    enum err err = kafka_producer_begin(&bus->producer, clock_now_ns() + bus->timeout_ms * NS_PER_MS);
    for (size_t i = 0; !err && i < count; i++)
        err = add_event(bus, &events[i]);
    err = kafka_producer_end(&bus->producer, err);
    if (!err)
        atomic_store(&bus->is_down, false);
    return err;
}

/* Kafka does not tell. But somebody asks, so that is when to say that nobody is there. */
static enum err size_of(struct bus *base, uint64_t *ret_used_bytes, uint64_t *ret_max_bytes)
{
    struct bus_kafka *bus = (struct bus_kafka *)base;
    if (atomic_load(&bus->is_down))
        return kafka_because(bus, "look for a broker", RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
    *ret_used_bytes = *ret_max_bytes = 0;
    return ERR_NONE;
}

/* ---- the keeper: what librdkafka has to tell is taken also when nothing is published ---- */

static void *keep(void *context)
{
    struct bus_kafka *bus = context;
    while (!atomic_load(&bus->stopping)) {
        kafka_producer_poll(&bus->producer);
        rd_kafka_poll(bus->asking, 0);
        wakeup_wait(&bus->keeper_wakeup, KEEPER_MS);
    }
    return NULL;
}

static enum err start_keeper(struct bus_kafka *bus)
{
    enum err err = thread_start(&bus->keeper, "kafka", keep, bus);
    bus->has_keeper = !err;
    return err;
}

/* ---- opening ---- */

static void close_bus(struct bus *base)
{
    struct bus_kafka *bus = (struct bus_kafka *)base;
    if (bus->has_keeper) {
        atomic_store(&bus->stopping, true);
        wakeup_signal(&bus->keeper_wakeup);
        pthread_join(bus->keeper, NULL);
    }
    kafka_producer_fini(&bus->producer);
    if (bus->asking)
        rd_kafka_destroy(bus->asking);
    kafka_properties_fini(&bus->properties);
    wakeup_fini(&bus->keeper_wakeup);
    pthread_mutex_destroy(&bus->lock);
    free(bus->brokers);
    free(bus->prefix);
    free(bus->groups);
    free(bus->properties_path);
    free(bus);
}

static enum err check_opts(const struct bus_opts *opts, const char *address)
{
    if (!*address || *address == '/')
        return err_because(ERR_CONFIG, "the bus's URL is to be \"kafka:host:9092,host2:9092\", not \"%s\"", opts->url);
    const char *prefix = opts->prefix && *opts->prefix ? opts->prefix : "tandem";
    for (const char *c = prefix; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", *c))
            return err_because(ERR_CONFIG, "bus.prefix is to be of letters, digits, '.', '_' and '-', not \"%s\"",
                               prefix);
    return strlen(prefix) <= PREFIX_MAX ? ERR_NONE
                                        : err_because(ERR_CONFIG, "bus.prefix has more than %d bytes", PREFIX_MAX);
}

static enum err copy_opts(struct bus_kafka *bus, const struct bus_opts *opts, const char *address)
{
    bus->brokers = strdup(address);
    bus->prefix = strdup(opts->prefix && *opts->prefix ? opts->prefix : "tandem");
    bus->groups = strdup(opts->groups ? opts->groups : "");
    bus->properties_path = strdup(opts->kafka_properties_file ? opts->kafka_properties_file : "");
    bus->partitions = opts->queues ? opts->queues : KAFKA_PARTITIONS;
    bus->replication = opts->replication ? (int)opts->replication : -1;
    bus->timeout_ms = opts->publish_timeout_ms ? opts->publish_timeout_ms : KAFKA_TIMEOUT_MS;
    bus->unacknowledged_max = opts->prefetch ? opts->prefetch : KAFKA_UNACKNOWLEDGED_MAX;
    return bus->brokers && bus->prefix && bus->groups && bus->properties_path
               ? ERR_NONE : err_because(ERR_MEMORY, "open the bus: out of memory");
}

static enum err open_asking(struct bus_kafka *bus)
{
    rd_kafka_conf_t *conf;
    enum err err = kafka_properties_make(&bus->properties, KAFKA_ASKS, NULL, &conf);
    return err ? err : kafka_handle(bus, KAFKA_ASKS, conf, &bus->asking);
}

static void register_metrics(struct bus_kafka *bus)
{
    bus->metric_up = metric_series(METRIC_BUS_BROKERS_UP);
    bus->metric_round_trip = metric_series(METRIC_BUS_ROUND_TRIP);
    bus->metric_queued = metric_series(METRIC_BUS_QUEUED);
    bus->metric_rebalances = metric_series(METRIC_BUS_REBALANCES);
    bus->metric_unreadable = metric_series(METRIC_BUS_UNREADABLE);
}

static enum err check_bus(const struct bus_opts *opts, const char *address)
{
    struct kafka_properties properties;
    enum err err = check_opts(opts, address);
    if (!err)
        err = kafka_properties_init(&properties, address, opts->kafka_properties_file);
    if (!err)
        kafka_properties_fini(&properties);
    return err;
}

static enum err open_bus(const struct bus_opts *opts, const char *address, struct bus **ret)
{
    struct bus_kafka *bus = calloc(1, sizeof *bus);
    if (!bus)
        return err_because(ERR_MEMORY, "open the bus: out of memory");
    bus->base.driver = &bus_kafka_driver;
    pthread_mutex_init(&bus->lock, NULL);
    wakeup_init(&bus->keeper_wakeup);
    kafka_producer_init(&bus->producer, bus);
    if (!opts->only_looks)
        register_metrics(bus);
    enum err err = copy_opts(bus, opts, address);
    if (!err)
        err = kafka_properties_init(&bus->properties, bus->brokers, bus->properties_path);
    if (!err)
        err = open_asking(bus);
    if (!err && !opts->only_looks)
        err = start_keeper(bus);
    if (err)
        close_bus(&bus->base);
    else
        *ret = &bus->base;
    return err;
}

const struct bus_driver bus_kafka_driver = {
    .scheme = "kafka",
    .system = "kafka",
    .check = check_bus,
    .open = open_bus,
    .close = close_bus,
    .publish = publish,
    .size = size_of,
    .subscribe = bus_kafka_subscribe,
    .unsubscribe = bus_kafka_unsubscribe,
    .fetch = bus_kafka_fetch,
    .acknowledge = bus_kafka_acknowledge,
    .rewind = bus_kafka_rewind,
    .wake = bus_kafka_wake,
    .lag = bus_kafka_lag,
    .browse = bus_kafka_browse,
    .groups = bus_kafka_groups,
};
