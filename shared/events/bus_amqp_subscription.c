#include "config.h"

#include <amqp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "events/bus_amqp.h"
#include "events/bus_amqp_message.h"
#include "events/bus_amqp_topology.h"

enum { ARENA_BYTES = 64 * 1024, RECHECK_MS = 1000 };

static const char dead_tag[] = "dead";           /* the consumer's of the queue for the dead */

/* ---- the connection ---- */

static enum err consume(struct bus_amqp_subscription *subscription, const char *queue, const char *tag)
{
    char what[BUS_AMQP_NAME_SIZE + 16];
    snprintf(what, sizeof what, "consume %s", queue);
    amqp_basic_consume(subscription->link.connection, BUS_AMQP_CHANNEL, amqp_cstring_bytes(queue),
                       amqp_cstring_bytes(tag), 0, 0, 0, amqp_empty_table);
    return bus_amqp_link_reply(&subscription->link, BUS_AMQP_CHANNEL, what);
}

static unsigned queue_count(const struct bus_amqp_subscription *subscription)
{
    return subscription->group ? subscription->bus->settings.opts.queues + 1 : 1;
}

/* What is sent ahead is a consumer's, of which there is one for each queue. */
static unsigned ahead(const struct bus_amqp_subscription *subscription)
{
    const struct bus_opts *opts = &subscription->bus->settings.opts;
    unsigned share = subscription->group ? (opts->prefetch + opts->queues - 1) / opts->queues : opts->prefetch;
    return share < UINT16_MAX ? share : UINT16_MAX;
}

static enum err consume_all(struct bus_amqp_subscription *subscription)
{
    struct bus_amqp_link *link = &subscription->link;
    const unsigned queues = subscription->bus->settings.opts.queues;
    char queue[BUS_AMQP_NAME_SIZE], tag[16];
    amqp_basic_qos(link->connection, BUS_AMQP_CHANNEL, 0, (uint16_t)ahead(subscription), 0);
    enum err err = bus_amqp_link_reply(link, BUS_AMQP_CHANNEL, "basic.qos");
    if (!err && !subscription->group)
        return consume(subscription, subscription->watch, "watch");
    for (unsigned i = 0; !err && i <= queues; i++) {
        snprintf(tag, sizeof tag, "%u", i);
        err = consume(subscription, bus_amqp_queue_name(link->settings, subscription->group, i, queue),
                      i == queues ? dead_tag : tag);
    }
    return err;
}

/* What was held came on another connection, and comes again on this. */
static enum err open_link(struct bus_amqp_subscription *subscription)
{
    struct bus_amqp_link *link = &subscription->link;
    if (bus_amqp_link_is_open(link))
        return ERR_NONE;
    bus_amqp_held_clear(&subscription->held);
    enum err err = bus_amqp_link_open(link);
    if (!err)
        err = bus_amqp_declare_exchanges(link);
    if (!err && subscription->group)
        err = bus_amqp_declare_group(link, subscription->group, subscription->types);
    else if (!err)
        err = bus_amqp_declare_watch(link, subscription->watch, subscription->types);
    if (!err)
        err = consume_all(subscription);
    if (err)
        bus_amqp_link_close(link, false);
    return err;
}

/* ---- taking in ---- */

static enum err keep(struct bus_amqp_subscription *subscription, const amqp_envelope_t *envelope)
{
    bool is_dead = text_equal_string(bus_amqp_text(envelope->consumer_tag), dead_tag);
    struct text type = bus_amqp_type(&envelope->message.properties);
    bool is_wanted = is_dead || !type.at || bus_amqp_is_of(type, subscription->types);
    if (envelope->redelivered)
        metric_add(subscription->bus->metrics.redelivered, 1);
    return bus_amqp_held_add(&subscription->held, envelope, is_wanted, is_dead);
}

/* Something else than a message. A consumer that the broker cancels has lost its queue. */
static enum err heed_other(struct bus_amqp_subscription *subscription)
{
    struct bus_amqp_link *link = &subscription->link;
    amqp_frame_t frame;
    bool has;
    enum err err = bus_amqp_link_frame(link, 0, &frame, &has);
    if (!err && has && frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_CANCEL_METHOD) {
        bus_amqp_link_close(link, true);
        err = err_because(ERR_UNAVAILABLE, "a queue that is subscribed to has gone");
    }
    return err;
}

/* Takes in what has come, as long as there is room. What is of no type that was asked for is done with at once, when
 * nothing before it is open. */
static enum err receive(struct bus_amqp_subscription *subscription)
{
    struct bus_amqp_link *link = &subscription->link;
    const struct timeval now = {0, 0};
    enum err err = ERR_NONE;
    while (!err && bus_amqp_held_has_room(&subscription->held)) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(link->connection);
        amqp_rpc_reply_t reply = amqp_consume_message(link->connection, &envelope, &now, 0);
        if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
            err = keep(subscription, &envelope);
            amqp_destroy_envelope(&envelope);
            if (err)   /* what was not kept must not be acknowledged with what follows */
                bus_amqp_link_close(link, false);
        } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                   && reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) {
            err = heed_other(subscription);
        } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                   && reply.library_error == AMQP_STATUS_TIMEOUT) {
            break;
        } else {
            err = bus_amqp_link_status(link, "the connection to the broker",
                                       reply.library_error ? reply.library_error : AMQP_STATUS_CONNECTION_CLOSED);
        }
    }
    uint64_t tag = err ? 0 : bus_amqp_held_drop(&subscription->held, 0);
    if (tag)
        err = bus_amqp_link_status(link, "acknowledge", amqp_basic_ack(link->connection, BUS_AMQP_CHANNEL, tag, 1));
    return err;
}

void bus_amqp_subscriptions_keep(struct bus_amqp *bus)
{
    for (struct bus_amqp_subscription *each = bus->subscriptions; each; each = each->next) {
        if (pthread_mutex_trylock(&each->link.lock) != 0)
            continue;
        size_t before = each->held.used;
        bool is_full = !bus_amqp_held_has_room(&each->held);   /* then nothing is read, and so no heartbeat is sent */
        bool is_over = bus_amqp_link_is_open(&each->link)
                    && (is_full ? bus_amqp_link_beat(&each->link) : receive(each)) != ERR_NONE;
        if (is_over || each->held.used != before)
            bus_amqp_wake(&each->base);   /* whoever waits for the socket would not see it any more */
        pthread_mutex_unlock(&each->link.lock);
    }
}

struct bus_lag bus_amqp_held_lag(struct bus_amqp_subscription *subscription)
{
    if (pthread_mutex_trylock(&subscription->link.lock) == 0) {
        bool is_over = bus_amqp_link_is_open(&subscription->link) && receive(subscription) != ERR_NONE;
        if (is_over || subscription->held.used > subscription->held.delivered)
            bus_amqp_wake(&subscription->base);
        pthread_mutex_unlock(&subscription->link.lock);
    }
    return (struct bus_lag){subscription->held.count, subscription->held.oldest_us};
}

/* ---- fetching ---- */

static enum err deliver_one(const struct bus_amqp *bus, const struct bus_amqp_message *message, struct arena *arena,
                            struct bus_delivery *ret)
{
    const struct text body = {message->body, message->length};
    struct bus_delivery delivery = {.offset = message->offset};
    enum err err = event_read(body, arena, &delivery.event);
    if (err == ERR_MALFORMED) {
        const char *cause = arena_printf(arena, "it cannot be read: %.300s", err_cause());
        err = cause ? bus_amqp_unreadable(body, arena, &delivery.event) : ERR_MEMORY;
        delivery.dead = text_of(cause);
        metric_add(bus->metrics.unreadable, 1);
    } else if (!err && message->is_dead) {
        delivery.dead = arena_text(arena, text_of(message->death));
        err = delivery.dead.at ? ERR_NONE : ERR_MEMORY;
    }
    if (!err)
        *ret = delivery;
    return err;
}

/* What does not fit the arena is delivered the next time. */
static enum err deliver(struct bus_amqp_subscription *subscription, struct arena *arena,
                        struct bus_delivery *deliveries, size_t max, size_t *ret_count)
{
    size_t count = 0;
    enum err err = ERR_NONE;
    const struct bus_amqp_message *message;
    while (!err && count < max && (message = bus_amqp_held_next(&subscription->held)) != NULL) {
        err = deliver_one(subscription->bus, message, arena, &deliveries[count]);
        if (!err) {
            bus_amqp_held_pass(&subscription->held);
            count++;
        }
    }
    *ret_count = count;
    return count ? ERR_NONE : err;
}

static enum err fetch_now(struct bus_amqp_subscription *subscription, struct arena *arena,
                          struct bus_delivery *deliveries, size_t max, size_t *ret_count)
{
    enum err err = open_link(subscription);
    if (!err)
        err = receive(subscription);
    return err ? err : deliver(subscription, arena, deliveries, max, ret_count);
}

/* Waits for the broker or for a wake. False when the time is up, or somebody has woken it. */
static bool wait_for_more(struct bus_amqp_subscription *subscription, int socket, int64_t until_ns)
{
    int64_t left_ms = (until_ns - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (left_ms <= 0)
        return false;
    struct pollfd watched[] = {
        {.fd = subscription->wake_fd, .events = POLLIN},
        {.fd = socket, .events = POLLIN},
    };
    poll(watched, 2, left_ms < RECHECK_MS ? (int)left_ms : RECHECK_MS);
    uint64_t wakes;
    return read(subscription->wake_fd, &wakes, sizeof wakes) < 0;
}

/* Whoever fetches from a broker that is away is held for as long as it is not tried again, within their time. False
 * when somebody has woken it meanwhile. */
static bool wait_for_broker(struct bus_amqp_subscription *subscription, int64_t until_ns)
{
    pthread_mutex_lock(&subscription->link.lock);
    unsigned wait_ms = bus_amqp_link_is_open(&subscription->link) ? 0 : bus_amqp_link_wait_ms(&subscription->link);
    pthread_mutex_unlock(&subscription->link.lock);
    int64_t next_ns = clock_now_ns() + wait_ms * NS_PER_MS, end_ns = next_ns < until_ns ? next_ns : until_ns;
    while (clock_now_ns() < end_ns)
        if (!wait_for_more(subscription, -1, end_ns) && clock_now_ns() < end_ns)
            return false;
    return true;
}

enum err bus_amqp_fetch(struct bus_subscription *base, unsigned timeout_ms, struct arena *arena,
                        struct bus_delivery *deliveries, size_t max, size_t *ret_count)
{
    struct bus_amqp_subscription *subscription = (struct bus_amqp_subscription *)base;
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    size_t count = 0;
    bool goes_on = true;
    enum err err = ERR_NONE;
    if (!wait_for_broker(subscription, until_ns)) {
        *ret_count = 0;
        return ERR_NONE;
    }
    for (;;) {
        pthread_mutex_lock(&subscription->link.lock);
        err = fetch_now(subscription, arena, deliveries, max, &count);
        bool reads = !err && bus_amqp_held_has_room(&subscription->held);
        int socket = reads ? amqp_get_sockfd(subscription->link.connection) : -1;
        pthread_mutex_unlock(&subscription->link.lock);
        if (err || count || !goes_on)
            break;
        goes_on = wait_for_more(subscription, socket, until_ns);
    }
    if (!err)
        *ret_count = count;
    return err;
}

enum err bus_amqp_acknowledge(struct bus_subscription *base, int64_t offset)
{
    struct bus_amqp_subscription *subscription = (struct bus_amqp_subscription *)base;
    struct bus_amqp_link *link = &subscription->link;
    enum err err = ERR_NONE;
    pthread_mutex_lock(&link->lock);
    if (!bus_amqp_link_is_open(link)) {
        err = err_because(ERR_UNAVAILABLE, "the connection on which they came is gone; they will come again");
    } else {
        uint64_t tag = bus_amqp_held_drop(&subscription->held, offset);
        if (tag)
            err = bus_amqp_link_status(link, "acknowledge",
                                       amqp_basic_ack(link->connection, BUS_AMQP_CHANNEL, tag, 1));
    }
    pthread_mutex_unlock(&link->lock);
    return err;
}

void bus_amqp_rewind(struct bus_subscription *base)
{
    struct bus_amqp_subscription *subscription = (struct bus_amqp_subscription *)base;
    pthread_mutex_lock(&subscription->link.lock);
    bus_amqp_held_rewind(&subscription->held);
    pthread_mutex_unlock(&subscription->link.lock);
}

void bus_amqp_wake(struct bus_subscription *base)
{
    struct bus_amqp_subscription *subscription = (struct bus_amqp_subscription *)base;
    uint64_t one = 1;
    while (write(subscription->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* ---- joining and leaving ---- */

static enum err copy_names(struct bus_amqp_subscription *subscription, const char *group, const char *const *types)
{
    size_t count = 0;
    char id[ID_SIZE];
    while (types[count])
        count++;
    subscription->types = arena_calloc(&subscription->arena, count + 1, sizeof *subscription->types);
    for (size_t i = 0; subscription->types && i < count; i++)
        if (!(subscription->types[i] = arena_string(&subscription->arena, text_of(types[i]))))
            return err_because(ERR_MEMORY, "subscribe: out of memory");
    if (group)
        subscription->group = arena_string(&subscription->arena, text_of(group));
    else
        subscription->watch = arena_printf(&subscription->arena, "%s.watch.%s",
                                           subscription->bus->settings.opts.prefix, id_new(id));
    if (!subscription->types || (!subscription->group && !subscription->watch))
        return err_because(ERR_MEMORY, "subscribe: out of memory");
    return group ? bus_amqp_check_group(&subscription->bus->settings, group) : ERR_NONE;
}

/* That the broker is away is found out again by who fetches. */
static enum err open_first(struct bus_amqp_subscription *subscription)
{
    enum err err = open_link(subscription);
    return err == ERR_UNAVAILABLE || err == ERR_NOT_FOUND || err == ERR_BUSY ? ERR_NONE : err;
}

enum err bus_amqp_subscribe(struct bus *base, const char *group, const char *const *types,
                            struct bus_subscription **ret)
{
    struct bus_amqp *bus = (struct bus_amqp *)base;
    struct bus_amqp_subscription *subscription = calloc(1, sizeof *subscription);
    if (!subscription)
        return err_because(ERR_MEMORY, "subscribe: out of memory");
    subscription->base.driver = base->driver;
    subscription->bus = bus;
    arena_init(&subscription->arena, ARENA_BYTES);
    bus_amqp_link_init(&subscription->link, &bus->settings, group ? group : "watches");
    subscription->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_lock(&bus->lock);
    subscription->next = bus->subscriptions;
    bus->subscriptions = subscription;
    enum err err = group ? bus_amqp_know_group(bus, group) : ERR_NONE;
    pthread_mutex_unlock(&bus->lock);

    pthread_mutex_lock(&subscription->link.lock);
    if (!err && subscription->wake_fd < 0)
        err = err_because(ERR_IO, "eventfd: %s", strerror(errno));
    if (!err)
        err = copy_names(subscription, group, types);
    if (!err)
        err = bus_amqp_held_init(&subscription->held, (size_t)queue_count(subscription) * ahead(subscription));
    if (!err) {
        subscription->link.purpose = group ? subscription->group : "watches";
        err = open_first(subscription);
    }
    pthread_mutex_unlock(&subscription->link.lock);
    if (err)
        bus_amqp_unsubscribe(&subscription->base);
    else
        *ret = &subscription->base;
    return err;
}

void bus_amqp_unsubscribe(struct bus_subscription *base)
{
    struct bus_amqp_subscription *subscription = (struct bus_amqp_subscription *)base;
    struct bus_amqp *bus = subscription->bus;
    pthread_mutex_lock(&bus->lock);
    struct bus_amqp_subscription **at = &bus->subscriptions;
    while (*at != subscription)
        at = &(*at)->next;
    *at = subscription->next;
    pthread_mutex_unlock(&bus->lock);

    if (bus_amqp_link_is_open(&subscription->link) && subscription->watch)
        amqp_queue_delete(subscription->link.connection, BUS_AMQP_QUESTIONS,
                          amqp_cstring_bytes(subscription->watch), 0, 0);
    bus_amqp_link_fini(&subscription->link);
    bus_amqp_held_fini(&subscription->held);
    if (subscription->wake_fd >= 0)
        close(subscription->wake_fd);
    arena_fini(&subscription->arena);
    free(subscription);
}
