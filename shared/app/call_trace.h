/*
 * A call's part of its trace: the span of the server, and those of what the call goes through. The names and attributes
 * are those of OpenTelemetry's semantic conventions for HTTP and databases.
 *
 * Where tracing is off all of it does nothing. Threads: those that have the call.
 */
#ifndef TANDEM_APP_CALL_TRACE_H
#define TANDEM_APP_CALL_TRACE_H

#include "app/call.h"

/** Continues the trace that the request came with, or begins one. Sets call->trace, and what came with the request. */
void call_trace_begin(struct call *call);

/** The traceparent of the span under way; without tracing, as it came. A view, as trace_part_here() has it. */
struct text call_trace_here(const struct call *call);

/** Once it is known what is asked for. */
void call_trace_routed(struct call *call);

/** It goes on on a worker, now. */
void call_trace_task(struct call *call, int64_t waited_ns, int64_t now_ns);

/** It reads, from now to its end. */
void call_trace_query(struct call *call, int64_t now_ns);

/** It is about to wait for the writer, and may be run there more than once … */
void call_trace_queued(struct call *call);

/** … where it runs now, having waited so far … */
void call_trace_transaction(struct call *call, int64_t now_ns);

/** … and this is how that ended. */
void call_trace_committed(struct call *call, enum err err);

/** Its answer is made. Decides whether the part is kept, which call->traced says then, and hands it over. */
void call_trace_end(struct call *call, int64_t now_ns);

/** An attribute of the current span; the value lives as long as the call. */
void call_trace_text(struct call *call, const char *key, struct text value);

#endif
