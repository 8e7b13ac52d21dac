/*
 * Publishing, in waves: what is sent before the broker has confirmed it. A wave has no subject twice, so that should
 * the broker refuse one event, none of the same subject is ahead of it; confirmations come in any order. All of a wave
 * are confirmed, or the publication fails there, and is repeated as a whole by whoever asked for it.
 */
#include "config.h"

#include <amqp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_amqp.h"
#include "events/bus_amqp_message.h"
#include "events/bus_amqp_topology.h"

enum { WAVE_MAX = 256, TYPE_MAX = 240, ASK_EVERY_MS = 100 };

struct wave {
    struct bus_amqp *bus;
    int64_t until_ns;
    uint64_t first_tag;                  /* of its first event */
    size_t count, left;                  /* sent; of these, unconfirmed */
    struct text subjects[WAVE_MAX];
    bool is_confirmed[WAVE_MAX];
    unsigned refused, returned;
    char returned_because[96];
};

static void count_refusal(const char *reason)
{
    metric_add(metric_series(METRIC_BUS_REFUSED, reason), 1);
}

void bus_amqp_publisher_metrics(struct bus_amqp *bus)
{
    static const char *const reasons[] = {"blocked", "timeout", "nacked", "unroutable"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        (void)metric_series(METRIC_BUS_REFUSED, reasons[i]);
    bus->metrics.blocked = metric_series(METRIC_BUS_BLOCKED);
    bus->metrics.unconfirmed = metric_series(METRIC_BUS_QUEUED);
    bus->metrics.round_trip = metric_series(METRIC_BUS_ROUND_TRIP);
}

static void tell_blocked(const struct bus_amqp *bus)
{
    metric_set(bus->metrics.blocked, bus->publisher.is_blocked);
}

/* ---- what the broker says ---- */

/* Tags of a wave that was given up are below this one's, and of no interest. */
static void settle(struct wave *wave, uint64_t tag, bool multiple, bool is_taken)
{
    if (tag < wave->first_tag)
        return;
    size_t last = (size_t)(tag - wave->first_tag), first = multiple ? 0 : last;
    for (size_t i = first; i <= last && i < wave->count; i++) {
        if (wave->is_confirmed[i])
            continue;
        wave->is_confirmed[i] = true;
        wave->left--;
        wave->refused += !is_taken;
    }
}

/* It comes back with its content, which is behind it. */
static enum err take_back(struct wave *wave, amqp_channel_t channel, const amqp_basic_return_t *returned)
{
    struct bus_amqp_link *link = &wave->bus->publisher;
    amqp_message_t message;
    snprintf(wave->returned_because, sizeof wave->returned_because, "%.*s",
             TEXT_ARGS(bus_amqp_text(returned->reply_text)));
    wave->returned++;
    amqp_rpc_reply_t reply = amqp_read_message(link->connection, channel, &message, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return bus_amqp_link_status(link, "take back what the broker returns", AMQP_STATUS_SOCKET_ERROR);
    amqp_destroy_message(&message);
    return ERR_NONE;
}

static enum err heed_answer(struct wave *wave, const amqp_frame_t *frame)
{
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return ERR_NONE;
    const amqp_method_t *method = &frame->payload.method;
    if (method->id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method->decoded;
        settle(wave, ack->delivery_tag, ack->multiple, true);
    } else if (method->id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = method->decoded;
        settle(wave, nack->delivery_tag, nack->multiple, false);
    } else if (method->id == AMQP_BASIC_RETURN_METHOD) {
        return take_back(wave, frame->channel, method->decoded);
    }
    return ERR_NONE;
}

/* Reads what has come, waiting for at most timeout_ms for the first of it. */
static enum err hear(struct wave *wave, unsigned timeout_ms)
{
    amqp_frame_t frame;
    bool has = true;
    enum err err = bus_amqp_link_frame(&wave->bus->publisher, timeout_ms, &frame, &has);
    while (!err && has) {
        err = heed_answer(wave, &frame);
        if (!err)
            err = bus_amqp_link_frame(&wave->bus->publisher, 0, &frame, &has);
    }
    tell_blocked(wave->bus);
    metric_set(wave->bus->metrics.unconfirmed, (int64_t)wave->left);
    return err;
}

static unsigned left_ms(const struct wave *wave)
{
    int64_t left = (wave->until_ns - clock_now_ns()) / NS_PER_MS;
    return left > 0 ? (unsigned)left : 0;
}

static unsigned step_ms(const struct wave *wave)
{
    unsigned left = left_ms(wave);
    return left < ASK_EVERY_MS ? left : ASK_EVERY_MS;
}

/* ---- sending ---- */

/* Nothing is sent to a broker that has said that it takes nothing: it would only be there twice afterwards. */
static enum err await_unblocked(struct wave *wave)
{
    const struct bus_amqp_link *link = &wave->bus->publisher;
    enum err err = hear(wave, 0);
    while (!err && link->is_blocked && left_ms(wave) > 0)
        err = hear(wave, step_ms(wave));
    if (err || !link->is_blocked)
        return err;
    count_refusal("blocked");
    return err_because(ERR_BUSY, "the broker takes no events at the moment: %s", link->blocked_because);
}

/* So that a message is not begun that the broker does not read. */
static enum err await_room(struct wave *wave)
{
    struct pollfd socket = {.fd = amqp_get_sockfd(wave->bus->publisher.connection), .events = POLLOUT};
    while (poll(&socket, 1, (int)step_ms(wave)) <= 0) {
        enum err err = hear(wave, 0);
        if (err)
            return err;
        if (left_ms(wave) == 0) {
            count_refusal("timeout");
            return err_because(ERR_BUSY, "the broker does not read what is sent to it");
        }
    }
    return ERR_NONE;
}

static enum err send_one(struct wave *wave, const struct event *event)
{
    struct bus_amqp *bus = wave->bus;
    const amqp_basic_properties_t properties = bus_amqp_properties(event);
    char exchange[BUS_AMQP_NAME_SIZE], key[BUS_AMQP_NAME_SIZE];
    buf_reset(&bus->envelope, EVENT_ENVELOPE_BYTES);
    event_write(event, &bus->envelope);
    enum err err = buf_check(&bus->envelope);
    if (!err)
        err = await_room(wave);
    if (err)
        return err;
    snprintf(key, sizeof key, "%.*s.%u", TEXT_ARGS(event->type),
             bus_amqp_queue_of(event->subject, bus->settings.opts.queues));
    int status = amqp_basic_publish(bus->publisher.connection, BUS_AMQP_CHANNEL,
                                    amqp_cstring_bytes(bus_amqp_exchange_name(&bus->settings, exchange)),
                                    amqp_cstring_bytes(key), 1, 0, &properties,
                                    bus_amqp_bytes(buf_text(&bus->envelope)));
    err = bus_amqp_link_status(&bus->publisher, "publish", status);
    if (err)
        return err;
    bus->published_tag++;
    wave->subjects[wave->count] = event->subject;
    wave->is_confirmed[wave->count++] = false;
    wave->left++;
    return ERR_NONE;
}

static bool has_subject(const struct wave *wave, struct text subject)
{
    for (size_t i = 0; i < wave->count; i++)
        if (text_equal(wave->subjects[i], subject))
            return true;
    return false;
}

/* A returned event was confirmed as well, by nobody having it; then what should be there is declared anew. */
static enum err await_confirmed(struct wave *wave)
{
    enum err err = ERR_NONE;
    while (!err && wave->left > 0 && left_ms(wave) > 0)
        err = hear(wave, step_ms(wave));
    if (err)
        return err;
    amqp_maybe_release_buffers(wave->bus->publisher.connection);
    if (wave->returned) {
        count_refusal("unroutable");
        bus_amqp_link_close(&wave->bus->publisher, true);
        return err_because(ERR_UNAVAILABLE, "no queue of the broker takes %u of %zu events: %s", wave->returned,
                           wave->count, wave->returned_because);
    }
    /* A channel that has met a queue whose node has just died looks for it there, and refuses, for as long as it lives
     * (RabbitMQ 3.10). So the next try has another. */
    if (wave->refused) {
        count_refusal("nacked");
        bus_amqp_link_close(&wave->bus->publisher, true);
        return err_because(ERR_UNAVAILABLE, "the broker refuses %u of %zu events", wave->refused, wave->count);
    }
    if (wave->left) {
        count_refusal("timeout");
        return err_because(ERR_BUSY, "the broker has not confirmed %zu of %zu events in bus.publish_timeout_ms, %u",
                           wave->left, wave->count, wave->bus->settings.opts.publish_timeout_ms);
    }
    return ERR_NONE;
}

/* Sends and has confirmed as many as may be under way at once; *ret_count of them. */
static enum err publish_wave(struct wave *wave, const struct event *events, size_t count, size_t *ret_count)
{
    enum err err = await_unblocked(wave);
    wave->first_tag = wave->bus->published_tag + 1;
    wave->count = wave->left = 0;
    wave->refused = wave->returned = 0;
    for (size_t i = 0; !err && i < count && i < WAVE_MAX && !has_subject(wave, events[i].subject); i++)
        err = send_one(wave, &events[i]);
    *ret_count = wave->count;
    int64_t sent_ns = clock_now_ns();
    if (!err)
        err = await_confirmed(wave);
    if (!err)
        metric_set(wave->bus->metrics.round_trip, clock_now_ns() - sent_ns);
    metric_set(wave->bus->metrics.unconfirmed, 0);
    return err;
}

enum err bus_amqp_publisher_open(struct bus_amqp *bus)
{
    struct bus_amqp_link *link = &bus->publisher;
    if (bus_amqp_link_is_open(link))
        return ERR_NONE;
    enum err err = bus_amqp_link_open(link);
    if (!err)
        err = bus_amqp_declare_exchanges(link);
    if (!err) {
        amqp_confirm_select(link->connection, BUS_AMQP_CHANNEL);
        err = bus_amqp_link_reply(link, BUS_AMQP_CHANNEL, "confirm.select");
    }
    bus->published_tag = 0;
    if (err)
        bus_amqp_link_close(link, false);
    tell_blocked(bus);
    return err;
}

void bus_amqp_publisher_keep(struct bus_amqp *bus)
{
    struct wave none = {.bus = bus, .first_tag = bus->published_tag + 1};
    enum err err = bus_amqp_link_is_open(&bus->publisher) ? hear(&none, 0) : ERR_NONE;
    if (!err && bus_amqp_link_is_open(&bus->publisher))
        amqp_maybe_release_buffers(bus->publisher.connection);
}

static enum err check_types(const struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events[i].type.length > TYPE_MAX)
            return err_because(ERR_INVALID, "an event whose type has %zu bytes; RabbitMQ takes %d",
                               events[i].type.length, TYPE_MAX);
    return ERR_NONE;
}

enum err bus_amqp_publish(struct bus *base, const struct event *events, size_t count)
{
    struct bus_amqp *bus = (struct bus_amqp *)base;
    struct wave wave = {.bus = bus,
                        .until_ns = clock_now_ns() + bus->settings.opts.publish_timeout_ms * NS_PER_MS};
    enum err err = check_types(events, count);
    if (err)
        return err;
    pthread_mutex_lock(&bus->publisher.lock);
    err = bus_amqp_publisher_open(bus);
    for (size_t done = 0, sent = 0; !err && done < count; done += sent)
        err = publish_wave(&wave, events + done, count - done, &sent);
    pthread_mutex_unlock(&bus->publisher.lock);
    bus_amqp_note_publishing(bus, err);
    return err;
}
