/*
 * Events in traces: the spans of making, publishing and applying them, as OpenTelemetry's semantic conventions for
 * messaging have them. Where tracing is off all of it does nothing.
 */
#ifndef TANDEM_EVENTS_EVENT_TRACE_H
#define TANDEM_EVENTS_EVENT_TRACE_H

#include "events/bus.h"
#include "telemetry/trace.h"

/** A span of the calling thread's part for an event that is added to the outbox, whose type is a constant; NULL when
 *  there is none. Until it is ended trace_here() is what the event is to carry. */
struct trace_span *event_trace_produce(const struct event *event, const struct bus *bus, int64_t now_ns);

/** A part of its own for an event that was published: from start_ns to end_ns it was on its way to the bus, having
 *  waited for that since it was made. arena is for the moment. Only what was sampled is recorded. */
void event_trace_published(const struct event *event, const struct bus *bus, struct arena *arena, int64_t start_ns,
                           int64_t end_ns);

/* Who applies an event, and for which time. */
struct event_consumption {
    const struct bus *bus;
    const char *group;
    const struct event *event;
    unsigned attempts;
};

/** Begins the part of applying an event. All of consumption lives as long as the part. */
void event_trace_consume(struct trace_part *part, struct arena *arena, const struct event_consumption *consumption,
                         int64_t now_ns);

#endif
