#include "config.h"

#include "app/call_trace.h"
#include "app/health.h"
#include "app/service.h"
#include "base/clock.h"

enum { NS_PER_US = NS_PER_S / US_PER_S };

/* ---- the beginning ---- */

void call_trace_begin(struct call *call)
{
    const struct http_request *request = &call->exchange->request;
    struct trace_context parent;
    struct text given = http_header(request, "traceparent");
    struct text state = given.at ? http_header(request, "tracestate") : TEXT_NONE;
    bool is_continued = given.at && trace_context_read(given, state, &parent);
    call->traceparent = is_continued ? given : TEXT_NONE;
    call->tracestate = is_continued ? parent.state : TEXT_NONE;
    call->trace = arena_alloc(call_arena(call), sizeof *call->trace);
    if (call->trace)
        trace_part_begin(call->trace, call_arena(call), is_continued ? &parent : NULL, TEXT("HTTP"), SPAN_SERVER,
                         call->started_ns);
}

struct text call_trace_here(const struct call *call)
{
    return trace_part_records(call->trace) ? trace_part_here(call->trace) : call->traceparent;
}

/* Probes ask all the time. */
void call_trace_routed(struct call *call)
{
    if (call->match.row < common_endpoint_count)
        trace_part_mute(call->trace);
}

/* ---- on its way ---- */

void call_trace_task(struct call *call, int64_t waited_ns, int64_t now_ns)
{
    struct trace_span *span = trace_begin(call->trace, TEXT("task"), SPAN_INTERNAL, now_ns);
    trace_integer(call->trace, span, "tandem.queue_us", waited_ns / NS_PER_US);
}

void call_trace_query(struct call *call, int64_t now_ns)
{
    const struct service_trace *trace = &call->service->trace;
    trace_shared(trace_begin(call->trace, TEXT("query"), SPAN_CLIENT, now_ns), trace->query, SERVICE_TRACE_ATTRIBUTES);
}

void call_trace_queued(struct call *call)
{
    call->trace_mark = trace_mark(call->trace);
}

void call_trace_transaction(struct call *call, int64_t now_ns)
{
    const struct service_trace *trace = &call->service->trace;
    trace_rewind(call->trace, call->trace_mark);
    call->transaction = trace_begin(call->trace, TEXT("transaction"), SPAN_CLIENT, now_ns);
    trace_shared(call->transaction, trace->transaction, SERVICE_TRACE_ATTRIBUTES);
}

void call_trace_committed(struct call *call, enum err err)
{
    const struct db_committed *committed = &call->job.committed;
    if (!call->transaction)
        return;
    trace_integer(call->trace, call->transaction, "tandem.db.batch_size", committed->batch_size);
    if (err && err_status(err) >= 500)
        trace_fail(call->trace, call->transaction, err_name(err), err_text(err));
    trace_end(call->trace, call->transaction, committed->at_ns);
}

void call_trace_text(struct call *call, const char *key, struct text value)
{
    if (trace_part_records(call->trace))
        trace_text(call->trace, call->trace->current, key, value);
}

/* ---- the end ---- */

/* The web server says it in one of these two ways. */
static struct text scheme_of(const struct http_request *request)
{
    struct text scheme = http_param(request, "REQUEST_SCHEME");
    if (scheme.at)
        return scheme;
    return text_equal_nocase(http_param(request, "HTTPS"), TEXT("on")) ? TEXT("https") : TEXT("http");
}

/* Only for what is kept, so that it costs nothing for all else. The name is the pattern's, never the path. */
static void describe(struct call *call)
{
    struct trace_part *part = call->trace;
    struct trace_span *root = part->root;
    const struct http_request *request = &call->exchange->request;
    bool is_known = request->method != HTTP_OTHER;
    const char *method = is_known ? http_method_name(request->method) : "_OTHER", *name = is_known ? method : "HTTP";
    root->name = text_of(name);
    if (call->endpoint) {
        struct text pattern = text_of(call->endpoint->route.pattern);
        trace_target(root, pattern);
        trace_text(part, root, "http.route", pattern);
    }
    trace_text(part, root, "http.request.method", text_of(method));
    trace_text(part, root, "url.scheme", scheme_of(request));
    trace_integer(part, root, "http.response.status_code", call->exchange->response.status);
    trace_text(part, root, "tandem.request.id", call->request_id);
    trace_integer(part, root, "tandem.queue_us", call->queue_ns / NS_PER_US);
    if (call->replayed)
        trace_boolean(part, root, "tandem.idempotency.replayed", true);
}

/* A client's mistake is no error of the server's span. */
static void judge(struct call *call)
{
    int status = call->exchange->response.status;
    if (status < 500)
        return;
    const char *type = call->err ? err_name(call->err) : arena_printf(call_arena(call), "%d", status);
    trace_fail(call->trace, call->trace->root, type, call->err ? err_text(call->err) : NULL);
}

void call_trace_end(struct call *call, int64_t now_ns)
{
    if (!trace_part_records(call->trace))
        return;
    judge(call);
    call->traced = trace_part_end(call->trace, now_ns);
    if (!call->traced)
        return;
    describe(call);
    trace_part_keep(call->trace);
}
