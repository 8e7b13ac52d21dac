#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "events/bus_kafka.h"
#include "events/bus_kafka_message.h"

enum {
    JOIN_MS = 2000,          /* for the topics, before a fetch says that nobody answers */
    FIND_START_MS = 3000,    /* for the ends of the topics, when one without a group subscribes */
    LOOK_MS = 200,           /* librdkafka wakes whoever waits; should that be lost, this often it is looked at */
    SKIP_MAX = 1024,         /* messages of other types that a group leaves behind before it says so … */
    SKIP_MS = 1000,          /* … or so long after it last did */
};

static const char lone_group[] = "alone";   /* nothing is committed for it */

/* ---- life ---- */

static enum err copy_types(struct kafka_subscription *subscription, const char *const *types)
{
    char topic[KAFKA_TOPIC_SIZE];
    size_t count = 0;
    while (types[count])
        count++;
    subscription->types = calloc(count + 1, sizeof *subscription->types);
    subscription->topics = rd_kafka_topic_partition_list_new((int)count + 1);
    enum err err = subscription->types ? ERR_NONE : ERR_MEMORY;
    for (size_t i = 0; !err && i < count; i++) {
        subscription->types[i] = strdup(types[i]);
        err = subscription->types[i]
                  ? kafka_topic(subscription->bus->prefix, text_of(types[i]), topic, sizeof topic) : ERR_MEMORY;
        if (!err && !rd_kafka_topic_partition_list_find(subscription->topics, topic, RD_KAFKA_PARTITION_UA))
            rd_kafka_topic_partition_list_add(subscription->topics, topic, RD_KAFKA_PARTITION_UA);
    }
    return err == ERR_MEMORY ? err_because(err, "subscribe: out of memory") : err;
}

static enum err copy_group(struct kafka_subscription *subscription, const char *group)
{
    char name[KAFKA_TOPIC_SIZE];
    int length = snprintf(name, sizeof name, "%s.%s", subscription->bus->prefix, group ? group : lone_group);
    if (length < 0 || (size_t)length >= sizeof name)
        return err_because(ERR_INVALID, "a group's name of %zu bytes", strlen(group));
    subscription->group = strdup(name);
    return subscription->group ? ERR_NONE : err_because(ERR_MEMORY, "subscribe: out of memory");
}

enum err bus_kafka_subscribe(struct bus *base, const char *group, const char *const *types,
                             struct bus_subscription **ret)
{
    struct kafka_subscription *subscription = calloc(1, sizeof *subscription);
    if (!subscription)
        return err_because(ERR_MEMORY, "subscribe: out of memory");
    subscription->base.driver = base->driver;
    subscription->bus = (struct bus_kafka *)base;
    subscription->is_alone = !group;
    subscription->since_us = clock_wall_us();
    pthread_mutex_init(&subscription->lock, NULL);
    subscription->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    enum err err = subscription->event_fd >= 0 ? ERR_NONE : err_because(ERR_IO, "eventfd: %s", strerror(errno));
    if (!err)
        err = kafka_places_init(&subscription->places, subscription->bus->unacknowledged_max);
    if (!err)
        err = copy_group(subscription, group);
    if (!err)
        err = copy_types(subscription, types);
    if (!err && !group && kafka_find_start(subscription, clock_now_ns() + FIND_START_MS * NS_PER_MS))
        err_clear();   /* the first fetch that finds a broker asks it from when on */
    if (err) {
        bus_kafka_unsubscribe(&subscription->base);
        return err;
    }
    pthread_mutex_lock(&subscription->bus->lock);
    subscription->next = subscription->bus->subscriptions;
    subscription->bus->subscriptions = subscription;
    pthread_mutex_unlock(&subscription->bus->lock);
    *ret = &subscription->base;
    return ERR_NONE;
}

static void leave_list(struct kafka_subscription *subscription)
{
    pthread_mutex_lock(&subscription->bus->lock);
    struct kafka_subscription **at = &subscription->bus->subscriptions;
    while (*at && *at != subscription)
        at = &(*at)->next;
    if (*at)
        *at = subscription->next;
    pthread_mutex_unlock(&subscription->bus->lock);
}

void bus_kafka_unsubscribe(struct bus_subscription *base)
{
    struct kafka_subscription *subscription = (struct kafka_subscription *)base;
    leave_list(subscription);
    kafka_leave(subscription);
    for (size_t i = 0; subscription->types && subscription->types[i]; i++)
        free(subscription->types[i]);
    free(subscription->types);
    if (subscription->topics)
        rd_kafka_topic_partition_list_destroy(subscription->topics);
    if (subscription->start)
        rd_kafka_topic_partition_list_destroy(subscription->start);
    if (subscription->event_fd >= 0)
        close(subscription->event_fd);
    kafka_places_fini(&subscription->places);
    pthread_mutex_destroy(&subscription->lock);
    free(subscription->group);
    free(subscription);
}

/* ---- what comes ---- */

static bool is_wanted(const struct kafka_subscription *subscription, struct text type)
{
    struct text family = event_family(type);
    for (size_t i = 0; subscription->types[i]; i++) {
        struct text wanted = text_of(subscription->types[i]);
        if (text_equal(wanted, type) || (family.at && text_equal(wanted, family)))
            return true;
    }
    return false;
}

/* Troubles that librdkafka sees to by itself. */
static bool passes(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
    case RD_KAFKA_RESP_ERR__TRANSPORT:          /* of one broker */
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:  /* the next poll joins again */
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
        return true;
    default:
        return false;
    }
}

static enum err take_trouble(struct kafka_subscription *subscription, const rd_kafka_message_t *message)
{
    if (passes(message->err))
        return ERR_NONE;
    enum err err = kafka_because(subscription->bus, rd_kafka_message_errstr(message), message->err);
    if (message->err == RD_KAFKA_RESP_ERR__FATAL)
        kafka_leave(subscription);
    return err;
}

static void pass_over(struct kafka_subscription *subscription, const rd_kafka_message_t *message)
{
    pthread_mutex_lock(&subscription->lock);
    struct kafka_place *place = kafka_places_find(&subscription->places, rd_kafka_topic_name(message->rkt),
                                                  message->partition);
    if (place)
        kafka_places_pass(place, message->offset);
    pthread_mutex_unlock(&subscription->lock);
}

static bool deliver(struct kafka_subscription *subscription, const rd_kafka_message_t *message, int64_t *ret_number)
{
    pthread_mutex_lock(&subscription->lock);
    struct kafka_place *place = kafka_places_find(&subscription->places, rd_kafka_topic_name(message->rkt),
                                                  message->partition);
    if (place)
        *ret_number = kafka_places_deliver(&subscription->places, place, message->offset);
    pthread_mutex_unlock(&subscription->lock);
    return place != NULL;
}

/* *ret_is_for_us: it is to be delivered. What is no event is a dead letter to a group; one without a group passes it
 * over, since the groups see the same message. */
static enum err read_message(struct kafka_subscription *subscription, const rd_kafka_message_t *message,
                             struct arena *arena, struct bus_delivery *delivery, bool *ret_is_for_us)
{
    struct text type = kafka_message_type(message);
    *ret_is_for_us = false;
    if (type.at && !is_wanted(subscription, type))
        return ERR_NONE;
    *delivery = (struct bus_delivery){.offset = 0};
    enum err err = kafka_message_read(message, arena, &delivery->event);
    if (!err)
        *ret_is_for_us = is_wanted(subscription, delivery->event.type);
    if (err != ERR_MALFORMED)
        return err;
    *ret_is_for_us = !subscription->is_alone;
    return subscription->is_alone ? ERR_NONE : kafka_bury(subscription, message, err_cause(), arena, delivery);
}

/* *ret_is_taken says whether it is a delivery. An error leaves the message as the next. */
static enum err take(struct kafka_subscription *subscription, const rd_kafka_message_t *message, struct arena *arena,
                     struct bus_delivery *delivery, bool *ret_is_taken)
{
    bool is_for_us;
    enum err err = read_message(subscription, message, arena, delivery, &is_for_us);
    if (err)
        return err;
    if (is_for_us)
        *ret_is_taken = deliver(subscription, message, &delivery->offset);
    else
        pass_over(subscription, message);
    return ERR_NONE;
}

static rd_kafka_message_t *next_message(struct kafka_subscription *subscription)
{
    rd_kafka_message_t *message = subscription->held;
    subscription->held = NULL;
    return message ? message : rd_kafka_consumer_poll(subscription->handle, 0);
}

/* Takes what has come. While the ring is full only librdkafka's own business is seen to. */
static enum err take_waiting(struct kafka_subscription *subscription, struct arena *arena,
                             struct bus_delivery *deliveries, size_t max, size_t *count)
{
    enum err err = ERR_NONE;
    rd_kafka_message_t *message;
    while (!err && *count < max && subscription->handle) {
        bool is_full = kafka_places_full(&subscription->places), is_taken = false;
        kafka_pause(subscription, is_full);
        if ((is_full && subscription->held) || !(message = next_message(subscription)))
            break;
        if (message->err) {
            err = take_trouble(subscription, message);
        } else if (is_full) {
            subscription->held = message;
            break;
        } else {
            err = take(subscription, message, arena, &deliveries[*count], &is_taken);
            *count += is_taken;
            if (err) {
                subscription->held = message;
                break;
            }
        }
        rd_kafka_message_destroy(message);
    }
    return err;
}

/* ---- waiting ---- */

void bus_kafka_wake(struct bus_subscription *base)
{
    struct kafka_subscription *subscription = (struct kafka_subscription *)base;
    uint64_t one = 1;
    atomic_store(&subscription->is_woken, true);
    while (write(subscription->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* False when it is time to return with nothing. */
static bool wait_for_more(struct kafka_subscription *subscription, int64_t until_ns)
{
    int left_ms = kafka_left_ms(until_ns);
    if (left_ms == 0)
        return false;
    struct pollfd watched = {.fd = subscription->event_fd, .events = POLLIN};
    poll(&watched, 1, left_ms < LOOK_MS ? left_ms : LOOK_MS);
    uint64_t events;
    while (read(subscription->event_fd, &events, sizeof events) < 0 && errno == EINTR)
        continue;
    return !atomic_exchange(&subscription->is_woken, false);
}

/* Messages of other types are left behind also when none of the group's own come, and what the broker could not be told
 * is told again. */
static enum err leave_behind(struct kafka_subscription *subscription)
{
    int64_t now_ns = clock_now_ns(), until_ns = now_ns + subscription->bus->timeout_ms * NS_PER_MS;
    bool is_time = now_ns - subscription->committed_ns >= SKIP_MS * NS_PER_MS;
    enum err err = ERR_NONE;
    if (is_time && !subscription->is_alone && kafka_places_unknown(&subscription->places))
        err = kafka_mark(subscription, until_ns);
    int64_t uncommitted = kafka_places_uncommitted(&subscription->places);
    if (!err && (uncommitted >= SKIP_MAX || (uncommitted > 0 && is_time)))
        err = kafka_commit(subscription);
    return err;
}

enum err bus_kafka_fetch(struct bus_subscription *base, unsigned timeout_ms, struct arena *arena,
                         struct bus_delivery *deliveries, size_t max, size_t *ret_count)
{
    struct kafka_subscription *subscription = (struct kafka_subscription *)base;
    int64_t now_ns = clock_now_ns(), until_ns = now_ns + timeout_ms * NS_PER_MS;
    size_t count = 0;
    enum err err = kafka_join(subscription, now_ns + JOIN_MS * NS_PER_MS);
    if (!err && subscription->is_stale)
        err = kafka_go_back(subscription);
    if (err)
        return err;
    do {
        err = take_waiting(subscription, arena, deliveries, max, &count);
        if (!err && count == 0)
            err = leave_behind(subscription);
    } while (!err && count == 0 && wait_for_more(subscription, until_ns));
    if (err && count == 0)
        return err;
    *ret_count = count;
    return ERR_NONE;
}
