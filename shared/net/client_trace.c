#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/client_trace.h"

/* "http://127.0.0.1:8080": the host, and the port when it says one. */
static void describe_server(struct client_trace *trace, const char *base_url)
{
    struct text rest = text_of(strstr(base_url, "://")), port = TEXT_NONE;
    int64_t number;
    if (!rest.at)
        return;
    rest = (struct text){rest.at + 3, rest.length - 3};
    struct text host = text_split(&rest, '/');
    if (host.length > 0 && host.at[0] == '[') {
        port = host;
        host = text_split(&port, ']');
        host = (struct text){host.at + 1, host.length - 1};
        port = port.length > 1 ? (struct text){port.at + 1, port.length - 1} : TEXT_NONE;
    } else {
        port = host;
        host = text_split(&port, ':');
    }
    trace_text(trace->part, trace->span, "server.address", trace_copy(trace->part, host));
    if (port.at && text_to_int(port, &number) == ERR_NONE)
        trace_integer(trace->part, trace->span, "server.port", number);
}

/* Paths of calls between services are constants; a query is never told. */
void client_trace_begin(struct client_trace *trace, const char *base_url, const struct client_request *request)
{
    trace->part = trace_current();
    trace->span = NULL;
    if (!trace->part)
        return;
    struct text query = text_of(request->path), path = text_split(&query, '?');
    struct text method = text_of(http_method_name(request->method));
    trace->span = trace_begin(trace->part, method, SPAN_CLIENT, clock_now_ns());
    trace_text(trace->part, trace->span, "http.request.method", method);
    trace_text(trace->part, trace->span, "url.template", trace_copy(trace->part, path));
    describe_server(trace, base_url);
}

bool client_trace_replaces(const struct client_trace *trace, struct text header)
{
    return trace->part && (text_equal_nocase(header, TEXT("traceparent")) ||
                           text_equal_nocase(header, TEXT("tracestate")));
}

size_t client_trace_headers(const struct client_trace *trace, struct http_param ret[static CLIENT_TRACE_HEADERS])
{
    if (!trace->part)
        return 0;
    ret[0] = (struct http_param){TEXT("traceparent"), trace_part_here(trace->part)};
    ret[1] = (struct http_param){TEXT("tracestate"), trace->part->state};
    return ret[1].value.at ? 2 : 1;
}

/* Unlike a server's, a client's span is in error from status 400 on. */
void client_trace_end(struct client_trace *trace, enum err err, int status)
{
    if (!trace->part)
        return;
    if (err) {
        trace_fail(trace->part, trace->span, err_name(err), err_text(err));
    } else {
        trace_integer(trace->part, trace->span, "http.response.status_code", status);
        if (status >= 400) {
            char number[16];
            snprintf(number, sizeof number, "%d", status);
            struct text type = trace_copy(trace->part, text_of(number));
            trace_fail(trace->part, trace->span, type.at ? type.at : "HTTP", NULL);
        }
    }
    trace_end(trace->part, trace->span, clock_now_ns());
}
