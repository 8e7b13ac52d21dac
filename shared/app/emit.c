#include "config.h"

#include <stdio.h>

#include "app/service.h"
#include "base/clock.h"
#include "events/event_trace.h"

enum { SOURCE_SIZE = 64 };

static enum err emit(struct service *service, struct db_connection *connection, struct event *event)
{
    char source[SOURCE_SIZE], id[ID_SIZE];
    snprintf(source, sizeof source, "/tandem/%s", service->definition->name);
    event->source = text_of(source);
    event->id = text_of(id_new(id));
    struct trace_part *part = trace_current();
    struct trace_span *span = part ? event_trace_produce(event, service->bus, clock_now_ns()) : NULL;
    event->traceparent = trace_here(event->traceparent);
    event->tracestate = trace_here_state(event->tracestate);
    enum err err = outbox_add(connection, event);
    if (span)
        trace_end(part, span, clock_now_ns());
    return err;
}

enum err call_emit(struct call *call, const char *type, struct text subject, struct text data)
{
    struct event event = {
        .type = text_of(type),
        .subject = subject,
        .traceparent = call->traceparent,
        .tracestate = call->tracestate,
        .request_id = call->request_id,
        .data = data,
    };
    return emit(call->service, call->db, &event);
}

enum err service_emit(struct service *service, struct db_connection *connection, const struct event *cause,
                      const char *type, struct text subject, struct text data)
{
    struct event event = {
        .type = text_of(type),
        .subject = subject,
        .traceparent = cause ? cause->traceparent : TEXT_NONE,
        .tracestate = cause ? cause->tracestate : TEXT_NONE,
        .request_id = cause ? cause->request_id : TEXT_NONE,
        .data = data,
    };
    return emit(service, connection, &event);
}
