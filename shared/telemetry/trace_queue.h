/*
 * A bounded queue of records from many threads to one: a ring of bytes, without a lock and without waiting.
 *
 * Who puts reserves its place with one compare-and-exchange, fills it, and then marks it as filled. Threads: any may
 * put; one takes.
 */
#ifndef TANDEM_TELEMETRY_TRACE_QUEUE_H
#define TANDEM_TELEMETRY_TRACE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct trace_queue;

/** At least size_bytes, rounded up to a power of two; NULL without memory. */
struct trace_queue *trace_queue_new(size_t size_bytes);
void trace_queue_free(struct trace_queue *queue);

/** Copies. False, and nothing is put, when there is no room. */
bool trace_queue_put(struct trace_queue *queue, struct text record);

bool trace_queue_is_empty(const struct trace_queue *queue);
bool trace_queue_half_full(const struct trace_queue *queue);

/** Moves the oldest record to out, and returns its length; 0 when there is none, or it is still being filled. One that
 *  is longer than size is dropped. */
size_t trace_queue_take(struct trace_queue *queue, char *out, size_t size);

#endif
