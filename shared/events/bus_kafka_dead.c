#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka.h"

enum { REASONS = 8 };

/* The message's own headers, so that it can be sent again as it was, and why it is here. */
static rd_kafka_headers_t *reasons(const rd_kafka_message_t *message, const char *cause, const char *left_out)
{
    char offset[24], partition[16], time[CLOCK_RFC3339_SIZE];
    rd_kafka_headers_t *own = NULL, *headers;
    rd_kafka_message_headers(message, &own);
    headers = own ? rd_kafka_headers_copy(own) : rd_kafka_headers_new(REASONS);
    snprintf(offset, sizeof offset, "%lld", (long long)message->offset);
    snprintf(partition, sizeof partition, "%ld", (long)message->partition);
    const struct {
        const char *name, *value;
    } added[] = {
        {"dead_cause", cause},
        {"dead_topic", rd_kafka_topic_name(message->rkt)},
        {"dead_partition", partition},
        {"dead_offset", offset},
        {"dead_time", clock_rfc3339(clock_wall_us(), time)},
        {"dead_left_out", left_out},
    };
    for (size_t i = 0; headers && i < sizeof added / sizeof added[0]; i++)
        if (added[i].value && rd_kafka_header_add(headers, added[i].name, -1, added[i].value, -1)) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
    return headers;
}

static enum err put_aside(struct kafka_subscription *subscription, const rd_kafka_message_t *message,
                          const char *cause, const char *left_out)
{
    struct kafka_producer producer;
    char topic[KAFKA_TOPIC_SIZE + 8];
    struct text key = {message->key, message->key_len};
    struct text value = left_out ? TEXT_NONE : (struct text){message->payload, message->len};
    int64_t until_ns = clock_now_ns() + subscription->bus->timeout_ms * NS_PER_MS;
    snprintf(topic, sizeof topic, "%s.dead", subscription->group);
    kafka_producer_init(&producer, subscription->bus);
    enum err err = kafka_topic_ensure(subscription->bus, topic, until_ns);
    if (!err) {
        err = kafka_producer_begin(&producer, until_ns);
        if (!err)
            err = kafka_producer_add(&producer, topic, key, value, reasons(message, cause, left_out));
        err = kafka_producer_end(&producer, err);
    }
    kafka_producer_fini(&producer);
    return err;
}

/* The event that stands for it among the dead letters says where the message is, and has an id by that. */
static enum err stand_in(const rd_kafka_message_t *message, const char *cause, struct arena *arena,
                         struct bus_delivery *ret)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    char *id = arena_printf(arena, "%s/%ld/%lld", topic, (long)message->partition, (long long)message->offset);
    char *data = arena_printf(arena, "{\"topic\":\"%s\",\"partition\":%ld,\"offset\":%lld,\"bytes\":%zu}", topic,
                              (long)message->partition, (long long)message->offset, message->len);
    char *dead = arena_printf(arena, "it cannot be read: %s", cause);
    if (!id || !data || !dead)
        return err_because(ERR_MEMORY, "what stands for a message that is no event does not fit");
    *ret = (struct bus_delivery){
        .event = {.id = text_of(id), .type = TEXT("unreadable"), .source = TEXT("/unknown"),
                  .subject = TEXT("unreadable"), .time_us = clock_wall_us(), .data = text_of(data)},
        .dead = text_of(dead),
    };
    return ERR_NONE;
}

/* A producer for each, and it goes with it: this is to happen never. */
enum err kafka_bury(struct kafka_subscription *subscription, const rd_kafka_message_t *message, const char *cause,
                    struct arena *arena, struct bus_delivery *ret)
{
    char copy[KAFKA_REASON_SIZE];
    snprintf(copy, sizeof copy, "%s", cause);
    metric_add(subscription->bus->metric_unreadable, 1);
    enum err err = put_aside(subscription, message, copy, NULL);
    if (err == ERR_INVALID)   /* with the reasons it is larger than the broker takes */
        err = put_aside(subscription, message, copy, "the value, which is too large");
    return err ? err : stand_in(message, copy, arena, ret);
}
