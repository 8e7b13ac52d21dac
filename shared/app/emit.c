#include "config.h"

#include <stdio.h>

#include "app/service.h"

enum { SOURCE_SIZE = 64 };

static enum err emit(struct service *service, struct db_connection *connection, struct event *event)
{
    char source[SOURCE_SIZE];
    snprintf(source, sizeof source, "/tandem/%s", service->definition->name);
    event->source = text_of(source);
    return outbox_add(connection, event);
}

enum err call_emit(struct call *call, const char *type, struct text subject, struct text data)
{
    struct event event = {
        .type = text_of(type),
        .subject = subject,
        .traceparent = call->traceparent,
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
        .request_id = cause ? cause->request_id : TEXT_NONE,
        .data = data,
    };
    return emit(service, connection, &event);
}
