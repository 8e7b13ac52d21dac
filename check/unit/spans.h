/*
 * Spans to try encoders and exporters with.
 */
#ifndef TANDEM_CHECK_UNIT_SPANS_H
#define TANDEM_CHECK_UNIT_SPANS_H

#include "telemetry/otlp.h"

enum { SPANS_START = 1764144000 };   /* seconds since 1970 */

extern const struct otlp_resource spans_resource;

/** A root of a second, whose ids end with this number (not 0), without attributes. */
struct span spans_plain(unsigned number);

/** The same with every kind of attribute, a parent, a state, a message. */
struct span spans_full(unsigned number);

#endif
