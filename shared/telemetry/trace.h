/*
 * Traces: what a service did for one request, event or payment, as spans of a trace that others may have begun.
 *
 * A service's PART of a trace has a root span and spans under it. It is recorded in memory that its owner gives (an
 * arena), without a lock and without the heap, and costs a few stores a span. Whether it is kept is decided once, at
 * its end: when it was sampled at its head, when a span of it is in error, or when it took longer than trace.slow_ms.
 * What is kept goes through a bounded queue to a thread, which puts it into the memory of recent traces
 * (telemetry/trace_memory.h) and hands it to the exporter. Nobody waits for that: what does not fit is dropped and
 * counted.
 *
 *     trace_part_begin(&part, arena, &parent, TEXT("consume"), SPAN_CONSUMER, now_ns);
 *     struct trace_span *span = trace_begin(&part, TEXT("query"), SPAN_CLIENT, now_ns);
 *     trace_text(&part, span, "db.system.name", TEXT("sqlite"));
 *     trace_end(&part, span, now_ns);
 *     if (trace_part_end(&part, now_ns))
 *         trace_part_keep(&part);
 *
 * Spans nest: the one that was begun last and has not ended is the current one, and is the parent of the next. Names
 * and texts are views that live until the part was kept or dropped; keys are literals. Names are from closed sets.
 * Functions take NULL for a part or a span, and a part that is not recording, and then do nothing.
 *
 * Threads: a part is with one thread at a time. Contexts are pure functions.
 */
#ifndef TANDEM_TELEMETRY_TRACE_H
#define TANDEM_TELEMETRY_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "telemetry/span.h"

/* ---- trace context (W3C) ---- */

enum {
    TRACEPARENT_LENGTH = 55,
    TRACEPARENT_SIZE = TRACEPARENT_LENGTH + 1,
    TRACE_ID_LENGTH = 2 * TRACE_ID_BYTES,       /* in hexadecimal */
    SPAN_ID_LENGTH = 2 * SPAN_ID_BYTES,
    TRACESTATE_MAX_BYTES = 512,                 /* a longer one is not passed on, which W3C allows */
    TRACE_SAMPLED = 1,                          /* the bit of the flags */
};

/* A span as others are told of it. */
struct trace_context {
    unsigned char trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
    uint8_t flags;
    struct text state;                          /* a view of the tracestate; absent when there is none */
};

/** Reads "00-TRACE-PARENT-FLAGS", in lower-case hexadecimal, with no part that is zero where that is not allowed. A
 *  later version is taken when it begins so. A tracestate that is malformed is as one that did not come. False when the
 *  traceparent is not well formed. */
bool trace_context_read(struct text traceparent, struct text tracestate, struct trace_context *ret);

/** The tracestate when it is well formed and no longer than it may be; else absent, as one that did not come. */
struct text tracestate_taken(struct text tracestate);

/** Writes the traceparent, zero-terminated; returns out. */
char *trace_context_write(const struct trace_context *context, char out[static TRACEPARENT_SIZE]);

/** Whether it is well formed, as above. */
bool traceparent_is_valid(struct text traceparent);

/** False when its flags say that it was not sampled, or it has none; whether it is well formed is not looked at. */
bool traceparent_may_be_sampled(struct text traceparent);

/** Views of its ids; absent when it is not well formed. */
struct text traceparent_trace_id(struct text traceparent);
struct text traceparent_span_id(struct text traceparent);

/** Fills with random bytes that are not all zero, from a generator of the calling thread that the kernel seeded. Never
 *  blocks. Not for secrets. */
void trace_random(void *out, size_t length);

/* ---- a part ---- */

enum {
    TRACE_SPANS_MAX = 64,          /* of one part; further ones are counted as dropped, reason "overflow" */
    TRACE_ATTRIBUTES_MAX = SPAN_ATTRIBUTES_MAX - 1,   /* beside its error.type; further ones are left out */
};

struct trace_attribute;
struct trace_part;
struct trace_span;

/** Gives a span the attributes that only what is kept needs. context is what came with it. */
typedef void trace_describe(struct trace_part *part, struct trace_span *span, const void *context);

struct trace_span {
    struct trace_span *next, *parent;          /* in the order they were begun; NULL for the root */
    struct text name, target;                  /* "consume", and "order.placed.v1", which may be absent */
    int64_t start_ns, end_ns;                  /* monotonic; end_ns 0: not ended */
    unsigned char id[SPAN_ID_BYTES];
    uint8_t kind, status, attribute_count;
    const char *error_type, *message;          /* with SPAN_ERROR; message may be NULL */
    struct trace_attribute *first, *last;
    const struct span_attribute *shared;       /* further ones, that many spans have in common */
    size_t shared_count;
    trace_describe *describe;                  /* NULL: nothing more is to be told */
    const void *context;
};

/* What decides whether it is kept comes first, close together: for most parts the end looks at nothing else. */
struct trace_part {
    struct arena *arena;                       /* NULL: not recording */
    int64_t start_ns;
    uint8_t flags;
    bool has_parent, failed;                   /* a span is in error */
    unsigned count, overflow;
    struct trace_span *root, *last, *current;
    unsigned char trace_id[TRACE_ID_BYTES], parent_id[SPAN_ID_BYTES];
    uint64_t latest_id;                        /* that a span of it was given */
    struct text state;
    const struct trace_span *written;          /* whose traceparent stands in here; NULL: nobody's */
    char here[TRACEPARENT_SIZE];               /* last, and never cleared: most parts need none */
};

/** Begins a part with its root span, which is the current one then. parent may be NULL: a new trace begins. The sampler
 *  decides here. Without memory, or while tracing is off, the part is not recording. */
void trace_part_begin(struct trace_part *part, struct arena *arena, const struct trace_context *parent,
                      struct text name, enum span_kind kind, int64_t now_ns);

/** Decides whether it is to be kept, and if so ends what has not ended. Attributes may still be added then. */
bool trace_part_end(struct trace_part *part, int64_t now_ns);

/** Has its spans described (trace_later()), and hands it over. Once; copies; never blocks. */
void trace_part_keep(struct trace_part *part);

/** Has it kept for an error or for being slow alone, unless its parent was sampled: for what is asked for all the time
 *  and tells little. Before anybody was told of it. */
void trace_part_mute(struct trace_part *part);

bool trace_part_records(const struct trace_part *part);

/** The traceparent of the current span: a view of the part, good until another one is current and this is asked again.
 *  Absent when it does not record. */
struct text trace_part_here(struct trace_part *part);

/** The trace's id, in digits, a view of the part; absent when it does not record. */
struct text trace_part_id(struct trace_part *part);

/* ---- spans ---- */

/** A span under the current one, which it becomes. NULL when there is no room. */
struct trace_span *trace_begin(struct trace_part *part, struct text name, enum span_kind kind, int64_t now_ns);

/** Ends the span, and those under it that have not ended; its parent is the current one then. */
void trace_end(struct trace_part *part, struct trace_span *span, int64_t now_ns);

/** Ends all but the root. */
void trace_unwind(struct trace_part *part, int64_t now_ns);

/** For what may be run again: a mark, and forgetting all spans begun since. What is open at the mark stays so. */
struct trace_span *trace_mark(const struct trace_part *part);
void trace_rewind(struct trace_part *part, struct trace_span *mark);

/* An absent text is left out. */
void trace_text(struct trace_part *part, struct trace_span *span, const char *key, struct text value);
void trace_integer(struct trace_part *part, struct trace_span *span, const char *key, int64_t value);
void trace_boolean(struct trace_part *part, struct trace_span *span, const char *key, bool value);

/** What the name goes on with, behind a space: "consume order.placed.v1". From a closed set, too. */
void trace_target(struct trace_span *span, struct text target);

/** Has it described when the part is kept, and only then: most parts are not. context lives as long as the part. */
void trace_later(struct trace_span *span, trace_describe *describe, const void *context);

/** A copy in the part's arena; absent without memory. */
struct text trace_copy(struct trace_part *part, struct text text);

/** Attributes that outlive the part; instead of those given so before. */
void trace_shared(struct trace_span *span, const struct span_attribute *attributes, size_t count);

/** Puts it in error; type becomes "error.type", message (may be NULL) the status' one. Both are constants, or live as
 *  long as the part. */
void trace_fail(struct trace_part *part, struct trace_span *span, const char *type, const char *message);

/* ---- what the calling thread works on ---- */

/** Says so; NULL ends that. */
void trace_enter(struct trace_part *part);

/** NULL when there is none that records. */
struct trace_part *trace_current(void);

/** The traceparent of the current span of what this thread works on; otherwise what is given. */
struct text trace_here(struct text otherwise);

/* Which span, and of which trace. */
struct trace_ids {
    unsigned char trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
};

/** The ids of the current span of what this thread works on; false when there is none. */
bool trace_here_ids(struct trace_ids *ret);

/** The tracestate that goes with it. */
struct text trace_here_state(struct text otherwise);

#endif
