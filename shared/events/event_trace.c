#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "events/event_trace.h"

enum { SHARED = 2, NS_PER_US = NS_PER_S / US_PER_S };

#define TEXT_ATTRIBUTE(name, value) {.key = name, .type = SPAN_ATTRIBUTE_TEXT, .text = {value, sizeof(value) - 1}}

/* What a message is made of, sent and processed as: messaging.operation.type has a word for each. */
static const struct span_attribute produce[SHARED] = {
    TEXT_ATTRIBUTE("messaging.operation.name", "produce"),
    TEXT_ATTRIBUTE("messaging.operation.type", "create"),
};
static const struct span_attribute publish[SHARED] = {
    TEXT_ATTRIBUTE("messaging.operation.name", "publish"),
    TEXT_ATTRIBUTE("messaging.operation.type", "send"),
};
static const struct span_attribute consume[SHARED] = {
    TEXT_ATTRIBUTE("messaging.operation.name", "consume"),
    TEXT_ATTRIBUTE("messaging.operation.type", "process"),
};

static void describe(struct trace_part *part, struct trace_span *span, const struct event *event,
                     const struct bus *bus)
{
    trace_text(part, span, "messaging.system", text_of(bus_system(bus)));
    trace_text(part, span, "messaging.destination.name", event->type);
    trace_text(part, span, "messaging.message.id", event->id);
    trace_text(part, span, "cloudevents.event_subject", event->subject);
}

/* What is told of an event that was made. Whoever makes it keeps its texts for less long than the part lasts; they
 * follow, in one piece. */
struct produced {
    const struct bus *bus;
    struct text type, id, subject;
    char copies[];
};

static void describe_produced(struct trace_part *part, struct trace_span *span, const void *context)
{
    const struct produced *produced = context;
    const struct event event = {.type = produced->type, .id = produced->id, .subject = produced->subject};
    describe(part, span, &event, produced->bus);
}

static struct text copy_to(char **at, struct text text)
{
    struct text copy = {*at, text.length};
    if (!text.at)
        return TEXT_NONE;
    *at = mempcpy(*at, text.at, text.length);
    return copy;
}

static struct produced *produced_new(struct arena *arena, const struct event *event, const struct bus *bus)
{
    size_t length = event->id.length + event->subject.length;
    struct produced *produced = arena_alloc(arena, sizeof *produced + length);
    if (!produced)
        return NULL;
    char *at = produced->copies;
    produced->bus = bus;
    produced->type = event->type;
    produced->id = copy_to(&at, event->id);
    produced->subject = copy_to(&at, event->subject);
    return produced;
}

struct trace_span *event_trace_produce(const struct event *event, const struct bus *bus, int64_t now_ns)
{
    struct trace_part *part = trace_current();
    if (!part)
        return NULL;
    struct trace_span *span = trace_begin(part, TEXT("produce"), SPAN_PRODUCER, now_ns);
    trace_target(span, event->type);
    trace_shared(span, produce, SHARED);
    struct produced *produced = produced_new(part->arena, event, bus);
    if (produced)
        trace_later(span, describe_produced, produced);
    return span;
}

void event_trace_published(const struct event *event, const struct bus *bus, struct arena *arena, int64_t start_ns,
                           int64_t end_ns)
{
    struct trace_context parent;
    struct trace_part part;
    if (!traceparent_may_be_sampled(event->traceparent) ||
        !trace_context_read(event->traceparent, event->tracestate, &parent))
        return;
    trace_part_begin(&part, arena, &parent, TEXT("publish"), SPAN_CLIENT, start_ns);
    if (!trace_part_records(&part))
        return;
    trace_target(part.root, event->type);
    trace_shared(part.root, publish, SHARED);
    describe(&part, part.root, event, bus);
    trace_integer(&part, part.root, "tandem.outbox.wait_us",
                  clock_wall_us() - (clock_now_ns() - start_ns) / NS_PER_US - event->time_us);
    if (trace_part_end(&part, end_ns))
        trace_part_keep(&part);
}

static void describe_consumed(struct trace_part *part, struct trace_span *span, const void *context)
{
    const struct event_consumption *consumption = context;
    describe(part, span, consumption->event, consumption->bus);
    trace_text(part, span, "messaging.consumer.group.name", text_of(consumption->group));
    trace_text(part, span, "tandem.request.id", consumption->event->request_id);
    trace_integer(part, span, "tandem.attempts", consumption->attempts);
}

void event_trace_consume(struct trace_part *part, struct arena *arena, const struct event_consumption *consumption,
                         int64_t now_ns)
{
    const struct event *event = consumption->event;
    struct trace_context parent;
    bool has_parent = trace_context_read(event->traceparent, event->tracestate, &parent);
    trace_part_begin(part, arena, has_parent ? &parent : NULL, TEXT("consume"), SPAN_CONSUMER, now_ns);
    if (!trace_part_records(part))
        return;
    trace_target(part->root, event->type);
    trace_shared(part->root, consume, SHARED);
    trace_later(part->root, describe_consumed, consumption);
}
