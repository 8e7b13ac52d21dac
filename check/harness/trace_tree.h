/*
 * Whether spans that a receiver got are one trace as it ought to be.
 */
#ifndef TANDEM_CHECK_HARNESS_TRACE_TREE_H
#define TANDEM_CHECK_HARNESS_TRACE_TREE_H

#include "check/harness/otlp_decode.h"

struct trace_tree_rules {
    const char *const *services;   /* each has a part in it; ends with NULL. NULL: any */
    bool errors_allowed;           /* else no span's status is an error */
};

/**
 * Takes the spans of one trace_id, and holds that
 *   - there is exactly one root, every other span's parent is among them, ids are unique, and no span is its own
 *     ancestor;
 *   - no span ends before it begins;
 *   - what is done within its parent is within its time: INTERNAL and SERVER spans under a parent of the same service,
 *     and SERVER spans under a CLIENT span of another one;
 *   - what is caused by its parent, all other spans, does not begin before it does;
 *   - kinds, statuses and flags are what the schema knows, and only an error has a message;
 *   - a parent of another service is marked as remote, and that of an INTERNAL span is not.
 * False, with a cause that names the first span that is otherwise. Clocks of services are one machine's, and may differ
 * by the microsecond that they are read to.
 */
bool receiver_tree_check(const struct received *received, const char *trace_id, const struct trace_tree_rules *rules);

/** The span of a trace with this id; NULL. */
const struct received_span *receiver_tree_find(const struct received *received, const char *trace_id,
                                               const char *span_id);

#endif
