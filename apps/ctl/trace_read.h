/*
 * What services say of traces, read: lists of them, and their spans.
 *
 * Used by one thread. Everything lives in the arena that was given.
 */
#ifndef TANDEM_APPS_CTL_TRACE_READ_H
#define TANDEM_APPS_CTL_TRACE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* A row of GET /traces. */
struct listed_trace {
    struct text id, root, services;      /* services: of those that told of it, "order, user" */
    int64_t start_us, end_us, spans;
    bool is_error;
};

/* What a span is told beside its name. */
struct traced_notes {
    struct text status_code, batch_size, outcome, attempts, error_type, template, queue_us;
};

struct traced_span {
    struct text service, name, id, parent;
    int64_t start_ns, end_ns;
    bool is_error;
    struct text message;                 /* of its status */
    struct traced_notes notes;
    struct traced_span *first_child, *next_sibling, *up;   /* see trace_tree.h */
};

/** Reads the answer of GET /traces. ERR_PROTOCOL for what is none, ERR_MEMORY. */
enum err must_check trace_read_list(struct text body, struct text service, struct arena *arena,
                                    struct listed_trace **ret, size_t *ret_count);

/** Reads the answer of GET /traces/{id}, OTLP in JSON. ERR_PROTOCOL, ERR_MEMORY. */
enum err must_check trace_read_spans(struct text body, struct text service, struct arena *arena,
                                     struct traced_span **ret, size_t *ret_count);

#endif
