/*
 * Trace context (W3C): what a traceparent header says. Pure functions: any thread.
 */
#ifndef TANDEM_TELEMETRY_TRACE_H
#define TANDEM_TELEMETRY_TRACE_H

#include <stdbool.h>

#include "base/text.h"

enum { TRACEPARENT_LENGTH = 55 };

/** Whether it is well formed, "00-TRACE-PARENT-FLAGS" in lower-case hexadecimal, with no part that is zero where that
 *  is not allowed. A later version is taken when it has this form too. */
bool traceparent_is_valid(struct text traceparent);

/** A view of its trace id; absent when it is not well formed. */
struct text traceparent_trace_id(struct text traceparent);

#endif
