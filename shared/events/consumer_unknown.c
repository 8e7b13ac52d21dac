/* What a consumer subscribes to, and what it then finds there that it has no handler for. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "events/consumer_private.h"
#include "telemetry/metric.h"

static bool has_type(const struct consumer *consumer, size_t count, struct text type)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal_string(type, consumer->types[i]))
            return true;
    return false;
}

/* The families are those of the handlers, a closed set; versions are not. */
static struct metric_series series_of(struct text type)
{
    char label[EVENT_MAX_ATTRIBUTE_BYTES + 1];
    struct text family = event_family(type);
    size_t length = family.at ? family.length - strlen(".v") : type.length;
    snprintf(label, sizeof label, "%.*s", (int)length, type.at);
    return metric_series(METRIC_EVENTS_UNKNOWN, label);
}

/* Each family's counter is there from the start, at 0, so that the first event of it is seen to raise it. */
enum err consumer_families(struct consumer *consumer)
{
    size_t count = 0;
    for (size_t i = 0; i < consumer->opts.handler_count; i++) {
        struct text type = text_of(consumer->opts.handlers[i].type), family = event_family(type);
        if (has_type(consumer, count, family.at ? family : type))
            continue;
        consumer->types[count] = arena_string(&consumer->types_arena, family.at ? family : type);
        if (!consumer->types[count++])
            return err_because(ERR_MEMORY, "the consumer \"%s\": out of memory", consumer->opts.group);
        metric_add(series_of(type), 0);
    }
    return ERR_NONE;
}

/* Each is told of once. When there is no room to remember another it is counted only. */
static bool is_news(struct consumer *consumer, struct text type)
{
    for (size_t i = 0; i < consumer->unknown_count; i++)
        if (text_equal_string(type, consumer->unknown[i]))
            return false;
    if (consumer->unknown_count == CONSUMER_UNKNOWN_TOLD || type.length >= sizeof consumer->unknown[0])
        return false;
    char *kept = consumer->unknown[consumer->unknown_count++];
    memcpy(kept, type.at, type.length);
    kept[type.length] = '\0';
    return true;
}

void consumer_pass_over(struct consumer *consumer, size_t delivery_count)
{
    for (size_t i = 0; i < delivery_count; i++) {
        const struct event *event = &consumer->deliveries[i].event;
        if (consumer_handler(consumer, event->type))
            continue;
        atomic_fetch_add_explicit(&consumer->passed_over, 1, memory_order_relaxed);
        metric_add(series_of(event->type), 1);
        if (is_news(consumer, event->type) && consumer->opts.unknown)
            consumer->opts.unknown(consumer->opts.context, event);
    }
}
