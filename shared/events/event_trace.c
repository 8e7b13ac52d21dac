#include "config.h"

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

/* Whoever has the event keeps its texts for less long than the part lasts. */
static void describe(struct trace_part *part, struct trace_span *span, const struct event *event, const char *system)
{
    trace_text(part, span, "messaging.system", text_of(system));
    trace_text(part, span, "messaging.destination.name", trace_copy(part, event->type));
    trace_text(part, span, "messaging.message.id", trace_copy(part, event->id));
    trace_text(part, span, "cloudevents.event_subject", trace_copy(part, event->subject));
}

struct trace_span *event_trace_produce(const struct event *event, const char *system, int64_t now_ns)
{
    struct trace_part *part = trace_current();
    if (!part)
        return NULL;
    struct trace_span *span = trace_begin(part, trace_name(part, TEXT("produce"), event->type), SPAN_PRODUCER, now_ns);
    trace_shared(span, produce, SHARED);
    describe(part, span, event, system);
    return span;
}

void event_trace_published(const struct event *event, const char *system, struct arena *arena, int64_t start_ns,
                           int64_t end_ns)
{
    struct trace_context parent;
    struct trace_part part;
    if (!trace_context_read(event->traceparent, event->tracestate, &parent) || !(parent.flags & TRACE_SAMPLED))
        return;
    trace_part_begin(&part, arena, &parent, TEXT("publish"), SPAN_CLIENT, start_ns);
    if (!trace_part_records(&part))
        return;
    part.root->name = trace_name(&part, TEXT("publish"), event->type);
    trace_shared(part.root, publish, SHARED);
    describe(&part, part.root, event, system);
    trace_integer(&part, part.root, "tandem.outbox.wait_us",
                  clock_wall_us() - (clock_now_ns() - start_ns) / NS_PER_US - event->time_us);
    if (trace_part_end(&part, end_ns))
        trace_part_keep(&part);
}

void event_trace_consume(struct trace_part *part, struct arena *arena, const struct event *event,
                         const struct event_consumption *consumption, int64_t now_ns)
{
    struct trace_context parent;
    bool has_parent = trace_context_read(event->traceparent, event->tracestate, &parent);
    trace_part_begin(part, arena, has_parent ? &parent : NULL, TEXT("consume"), SPAN_CONSUMER, now_ns);
    if (!trace_part_records(part))
        return;
    part->root->name = trace_name(part, TEXT("consume"), event->type);
    trace_shared(part->root, consume, SHARED);
    describe(part, part->root, event, consumption->system);
    trace_text(part, part->root, "messaging.consumer.group.name", text_of(consumption->group));
    trace_text(part, part->root, "tandem.request.id", trace_copy(part, event->request_id));
    trace_integer(part, part->root, "tandem.attempts", consumption->attempts);
}
