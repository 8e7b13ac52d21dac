#include "config.h"

#include "app/observe.h"
#include "telemetry/log.h"
#include "telemetry/trace.h"

#define LOG_MODULE LOG_MODULE_EVENTS

static void enter(const struct event *event)
{
    log_context_set(&(struct log_context){.request_id = event->request_id,
                                          .trace_id = traceparent_trace_id(event->traceparent)});
}

void observe_relay_failure(void *context, enum err err)
{
    (void)context;
    log_event(LOG_ERROR, "events cannot be published; they wait in the outbox", LOG_ERR(err));
}

void observe_database(void *context, bool is_away, const char *cause)
{
    (void)context;
    if (is_away)
        log_event(LOG_ERROR, "the database is away; what needs it is refused meanwhile", LOG_STRING("cause", cause));
    else
        log_event(LOG_INFO, "the database is back");
}

/* Comes in the middle of the handling, whose context it has already. */
void observe_event_failure(void *context, const struct event *event, enum err err)
{
    (void)context;
    if (!event)
        log_event(LOG_ERROR, "events cannot be taken from the bus", LOG_ERR(err));
    else
        log_event(LOG_ERROR, "an event could not be applied; it is tried again", LOG_TEXT("type", event->type),
                  LOG_TEXT("event_id", event->id), LOG_TEXT("subject", event->subject), LOG_ERR(err));
}

void observe_event(void *context, const struct event *event)
{
    (void)context;
    enter(event);
    log_each(LOG_INFO, "event applied", LOG_TEXT("type", event->type), LOG_TEXT("event_id", event->id),
             LOG_TEXT("subject", event->subject), LOG_TEXT("source", event->source));
    log_context_set(NULL);
}

void observe_unknown_event(void *context, const struct event *event)
{
    (void)context;
    enter(event);
    log_event(LOG_WARNING, "events of a version that is not known here are passed over", LOG_TEXT("type", event->type),
              LOG_TEXT("event_id", event->id), LOG_TEXT("source", event->source));
    log_context_set(NULL);
}
