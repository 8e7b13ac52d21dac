/*
 * The spans of a trace as a tree, whichever service told of them.
 */
#ifndef TANDEM_APPS_CTL_TRACE_TREE_H
#define TANDEM_APPS_CTL_TRACE_TREE_H

#include "apps/ctl/trace_read.h"

struct trace_tree {
    struct traced_span *roots;           /* those whose parent is not there: one, when all services tell */
    int64_t start_ns, end_ns;
    size_t span_count, service_count, error_count;
};

/** Links the spans, children and roots in the order of their beginning. What is told twice counts once. There is at
 *  least one. */
void trace_tree_grow(struct traced_span *spans, size_t count, struct trace_tree *ret);

/** How long it took from when that which led to the span was over to its beginning: from the end of its parent, or of
 *  an earlier child of the same one. 0 when it began meanwhile. */
int64_t trace_tree_wait_ns(const struct traced_span *span);

#endif
