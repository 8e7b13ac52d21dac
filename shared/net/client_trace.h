/*
 * Calls in traces: the client's span, under what the calling thread works on, and what the other side is told of it.
 */
#ifndef TANDEM_NET_CLIENT_TRACE_H
#define TANDEM_NET_CLIENT_TRACE_H

#include "net/client.h"
#include "telemetry/trace.h"

/* One call. */
struct client_trace {
    struct trace_part *part;       /* NULL: none; the headers are then sent as they were given */
    struct trace_span *span;
};

/** Begins the span. base_url and the request live as long as the part. */
void client_trace_begin(struct client_trace *trace, const char *base_url, const struct client_request *request);

/** Whether this header is sent with other content: that of client_trace_headers(). */
bool client_trace_replaces(const struct client_trace *trace, struct text header);

enum { CLIENT_TRACE_HEADERS = 2 };

/** traceparent and tracestate, as far as there are any; returns how many. */
size_t client_trace_headers(const struct client_trace *trace, struct http_param ret[static CLIENT_TRACE_HEADERS]);

/** How it ended; status only without an error. */
void client_trace_end(struct client_trace *trace, enum err err, int status);

#endif
