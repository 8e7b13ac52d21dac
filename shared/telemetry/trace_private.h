/* What the files of traces share among themselves. */
#ifndef TANDEM_TELEMETRY_TRACE_PRIVATE_H
#define TANDEM_TELEMETRY_TRACE_PRIVATE_H

#include "telemetry/otlp.h"
#include "telemetry/trace.h"

struct trace_memory;

struct trace_attribute {
    struct trace_attribute *next;
    struct span_attribute is;
};

/* ---- trace_recorder.c ---- */

/** NULL when the recorder is not open, or has none. */
struct trace_memory *trace_recorder_memory(void);

/** Of the recorder, which is open. */
const struct otlp_resource *trace_recorder_resource(void);

#endif
