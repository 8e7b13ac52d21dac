#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "app/call_trace.h"
#include "app/observe.h"
#include "app/service.h"
#include "base/clock.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_NET

/* The statuses that are counted one by one; the last row stands for every other. */
static const struct {
    int status;
    const char *label;
} statuses[] = {
    {200, "200"}, {201, "201"}, {204, "204"}, {304, "304"}, {400, "400"}, {401, "401"}, {403, "403"}, {404, "404"},
    {405, "405"}, {409, "409"}, {412, "412"}, {413, "413"}, {415, "415"}, {422, "422"}, {428, "428"}, {429, "429"},
    {431, "431"}, {500, "500"}, {502, "502"}, {503, "503"}, {504, "504"}, {507, "507"}, {0, "other"},
};

enum { STATUSES = sizeof statuses / sizeof statuses[0] };

/* A status of an endpoint. Registered when it is first seen, since most pairs never are. */
struct observation {
    atomic_bool registered;
    struct metric_series requests, duration;
    const struct log_members *members;   /* of the access line */
};

static size_t status_index(int status)
{
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i].status != status)
        i++;
    return i;
}

/* What the lines of an endpoint and a status have in common. */
static const struct log_members *access_members(const char *method, const char *pattern, int status)
{
    const struct log_field fields[] = {LOG_STRING("method", method), LOG_STRING("route", pattern),
                                       LOG_INT("status", status)};
    return log_members_new(fields, sizeof fields / sizeof fields[0]);
}

/* A HEAD is counted with the GETs, and a rare status with others, but each line says what it was; as does one that was
 * logged when there was no memory for more. */
static bool says_it(const struct observation *observation, const struct call *call)
{
    int status = call->exchange->response.status;
    bool is_method = !call->endpoint || call->endpoint->route.method == call->exchange->request.method;
    return observation->members && is_method && statuses[status_index(status)].status == status;
}

/* The lock is for two threads that meet a new pair at once: the handles are whole before they are seen. */
static struct observation *observation_of(const struct call *call)
{
    const struct service *service = call->service;
    size_t row = call->endpoint ? (size_t)(call->endpoint - service->endpoints)
                                : service->endpoint_count + (size_t)call->exchange->request.method;
    size_t at = status_index(call->exchange->response.status);
    struct observation *observation = &service->observations[row * STATUSES + at];
    if (!atomic_load_explicit(&observation->registered, memory_order_acquire)) {
        const char *method = http_method_name(call->exchange->request.method);
        const char *pattern = "none";
        if (call->endpoint) {
            method = http_method_name(call->endpoint->route.method);
            pattern = call->endpoint->route.pattern;
        }
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&lock);
        observation->requests = metric_series(METRIC_HTTP_REQUESTS, method, pattern, statuses[at].label);
        observation->duration = metric_series(METRIC_HTTP_DURATION, method, pattern, statuses[at].label);
        if (!observation->members)
            observation->members = access_members(method, pattern, call->exchange->response.status);
        bool is_seen = observation->requests.slot && observation->duration.slot;
        atomic_store_explicit(&observation->registered, is_seen, memory_order_release);
        pthread_mutex_unlock(&lock);
    }
    return observation;
}

/* An exemplar leads to a trace that is there: one of its own that was kept, or, without tracing, its caller's. */
static struct text exemplar_of(const struct call *call)
{
    if (trace_part_records(call->trace))
        return call->traced ? trace_part_id(call->trace) : TEXT_NONE;
    return traceparent_trace_id(call->traceparent);
}

static void count(const struct call *call, const struct observation *observation, int64_t duration_ns)
{
    metric_add(observation->requests, 1);
    metric_observe_traced(observation->duration, duration_ns, exemplar_of(call));
    metric_observe(call->service->queue_time, call->queue_ns);
}

/* A check that answers that something is missing has done what it was asked, and so has no error of its own. */
static void log_failure(const struct call *call)
{
    const char *cause = call->cause ? call->cause : err_cause();
    enum err err = call->err ? call->err : ERR_UNAVAILABLE;
    log_event(LOG_ERROR, "a request failed", LOG_STRING("error", err_name(err)), LOG_STRING("cause", cause));
}

/* What failed here is a warning: it is left out by no sample, and not by the level that leaves the others out. */
static void log_access(const struct call *call, const struct observation *observation, int64_t now_ns)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_response *response = &call->exchange->response;
    const char *pattern = call->endpoint ? call->endpoint->route.pattern : "none";
    bool is_ready = says_it(observation, call);
    enum log_level level = response->status >= 500 ? LOG_WARNING : LOG_INFO;
    log_each_at(now_ns, level, "request",
                is_ready ? LOG_MEMBERS(observation->members) : LOG_STRING("method", http_method_name(request->method)),
                is_ready ? LOG_NOTHING : LOG_STRING("route", pattern),
                is_ready ? LOG_NOTHING : LOG_INT("status", response->status),
                LOG_INT("bytes", (int64_t)response->body.length),
                LOG_DURATION("duration_ms", now_ns - call->started_ns),
                LOG_DURATION("queue_ms", call->queue_ns), call->replayed ? LOG_BOOL("replayed", true) : LOG_NOTHING);
}

void observe_enter(const struct call *call)
{
    struct log_context context = {.request_id = call->request_id};
    trace_enter(call->trace);
    if (!trace_current())
        context.trace_id = traceparent_trace_id(call->traceparent);
    if (call->caller.role)
        context.user_id = text_of(call->caller.user_id);
    log_context_set(&context);
}

void observe_leave(void)
{
    log_context_set(NULL);
    trace_enter(NULL);
}

void observe_call(struct call *call)
{
    int64_t now_ns = clock_now_ns(), duration_ns = now_ns - call->started_ns;
    call_trace_end(call, now_ns);
    observe_enter(call);
    if (call->exchange->response.status >= 500)
        log_failure(call);
    const struct observation *observation = observation_of(call);
    log_access(call, observation, now_ns);
    observe_leave();
    count(call, observation, duration_ns);
}

/* What is no endpoint's is told apart by its method. */
static size_t observation_count(const struct service *service)
{
    return (service->endpoint_count + HTTP_METHODS) * STATUSES;
}

enum err observe_start(struct service *service)
{
    service->observations = calloc(observation_count(service), sizeof(struct observation));
    service->queue_time = metric_series(METRIC_HTTP_QUEUE);
    service->shed = metric_series(METRIC_HTTP_SHED);
    return service->observations ? ERR_NONE : err_because(ERR_MEMORY, "no memory for the metrics of the endpoints");
}

void observe_stop(struct service *service)
{
    free(service->observations);
}
