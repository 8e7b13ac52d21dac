/*
 * The recorder: takes parts of traces that are to be kept off the threads that made them, on a thread of its own, to
 * the memory of recent traces and to the exporter.
 *
 * One a process. Threads: trace_open() and trace_close() by the main thread, while no part is under way; the rest from
 * any. Without it, and after its end, nothing is kept.
 */
#ifndef TANDEM_TELEMETRY_TRACE_RECORDER_H
#define TANDEM_TELEMETRY_TRACE_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "telemetry/otlp.h"
#include "telemetry/otlp_exporter.h"
#include "telemetry/trace.h"

struct trace_opts {
    struct otlp_resource resource;       /* what it points to outlives the recorder */
    struct otlp_exporter *exporter;      /* likewise; NULL: none */
    const char *memory_path;             /* of the file of recent traces; NULL: none */
    size_t memory_bytes;
    size_t queue_max_bytes;              /* of what waits for the thread */
};

/* Counters only rise. A span is a piece of work, not a request; it is kept when the thread has taken it. */
struct trace_stats {
    uint64_t kept, dropped_queue_full, dropped_overflow;
};

/** ERR_MEMORY, and what trace_memory_open() says. */
enum err must_check trace_open(const struct trace_opts *opts);

/** Takes what waits, for at most timeout_ms, and ends the thread; what is left then counts as dropped_queue_full.
 *  Harmless when it is not open. */
void trace_close(unsigned timeout_ms);

void trace_stats(struct trace_stats *ret);

/** Copies the part into the queue, or counts it as dropped. Never blocks. */
void trace_recorder_put(const struct trace_part *part);

/* ---- recent traces, of all processes of the service ---- */

/* A trace, as far as this service had to do with it. */
struct trace_summary {
    char trace_id[TRACE_ID_LENGTH + 1];
    struct text root_name;               /* of the part that began first */
    int64_t start_ns, end_ns;            /* wall time; of all parts */
    size_t span_count;
    bool is_error;
};

/** The newest traces first, at most max, in arena. With `of`, those that a span tells of by its tandem.order.id or
 *  tandem.request.id. ERR_MEMORY. */
enum err must_check trace_recent(struct text of, size_t max, struct arena *arena, struct trace_summary **ret,
                                 size_t *ret_count);

/** Writes the spans of a trace, at most TRACE_ANSWER_SPANS_MAX, as OTLP in JSON. ERR_INVALID for what is no trace id,
 *  ERR_NOT_FOUND, ERR_MEMORY. */
enum { TRACE_ANSWER_SPANS_MAX = 256 };
enum err must_check trace_recall(struct text trace_id, struct arena *arena, struct buf *out);

#endif
