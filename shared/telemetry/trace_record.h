/*
 * A part of a trace as bytes: how it waits in the queue, and how it lies in the memory of recent traces.
 *
 * The bytes never leave the machine, and are read with every length and number in them checked: a file may have been
 * damaged. Pure functions: any thread.
 */
#ifndef TANDEM_TELEMETRY_TRACE_RECORD_H
#define TANDEM_TELEMETRY_TRACE_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "telemetry/trace.h"

enum {
    TRACE_RECORD_MAX_BYTES = 16 * 1024,    /* spans that do not fit are left out, and counted with those of overflow */
    TRACE_TEXT_MAX_BYTES = 256,            /* a longer name, target or value is cut, between characters */
};

/** Writes a part to out; *ret_spans is how many of its spans are in it, at least the root. */
size_t trace_record_write(const struct trace_part *part, char out[static TRACE_RECORD_MAX_BYTES],
                          unsigned *ret_spans);

/** Monotonic times become wall times by adding this. Once for each record. */
void trace_record_shift(char *record, size_t length, int64_t offset_ns);

/** The trace that it is a part of, TRACE_ID_BYTES; NULL for what is no record. */
const unsigned char *trace_record_id(struct text record);

/** How many spans are in it; 0 for what is no record. */
unsigned trace_record_span_count(struct text record);

/** Reads the spans, the root first; their texts are views into record. ERR_MALFORMED; ERR_MEMORY when arena is full. */
enum err must_check trace_record_read(struct text record, struct arena *arena, struct span **ret, size_t *ret_count);

#endif
