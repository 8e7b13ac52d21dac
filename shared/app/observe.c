#include "config.h"

#include "app/observe.h"
#include "app/service.h"
#include "base/clock.h"
#include "telemetry/log.h"

static void log_failure(struct call *call)
{
    const char *cause = call->cause ? call->cause : err_cause();
    log_event(LOG_ERROR, "a request failed", LOG_STRING("error", err_name(call->err)), LOG_STRING("cause", cause));
}

static void log_access(const struct call *call)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_response *response = &call->exchange->response;
    log_event(LOG_INFO, "request", LOG_STRING("method", http_method_name(request->method)),
              LOG_STRING("route", call->endpoint ? call->endpoint->route.pattern : "none"),
              LOG_INT("status", response->status), LOG_INT("bytes", (int64_t)response->body.length),
              LOG_NUMBER("duration_ms", (double)(clock_now_ns() - call->started_ns) / NS_PER_MS),
              LOG_BOOL("replayed", call->replayed));
}

void observe_call(struct call *call)
{
    struct log_context context = {.request_id = call->request_id};
    if (call->caller.role)
        context.user_id = text_of(call->caller.user_id);
    log_context_set(&context);
    if (call->exchange->response.status >= 500)
        log_failure(call);
    log_access(call);
    log_context_set(NULL);
}

enum err observe_start(struct service *service)
{
    (void)service;
    return ERR_NONE;
}

void observe_stop(struct service *service)
{
    (void)service;
}
