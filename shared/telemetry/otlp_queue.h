/*
 * The exporter's queue: encoded spans in records, bounded by the memory they take, taken out in batches.
 *
 * A record is what one part of a trace brought, at most batch_max spans of it. It is one piece of memory, and counts as
 * queued until it is released, so that what is being sent is within the bound too.
 *
 * Threads: init, stop_at and fini by the main thread; put by any; take, wait and release by the one that sends.
 */
#ifndef TANDEM_TELEMETRY_OTLP_QUEUE_H
#define TANDEM_TELEMETRY_OTLP_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "telemetry/otlp_encoding.h"
#include "telemetry/otlp_exporter.h"

/* Of a request, before it is compressed (the OTLP specification recommends 20 MiB as what receivers take). */
enum { OTLP_REQUEST_MAX_BYTES = 4 * 1024 * 1024 };

struct otlp_record {
    struct otlp_record *next;
    size_t span_count, length, size_bytes;   /* length: of what is encoded; size_bytes: of its memory */
    int64_t added_ns;
    char encoded[];
};

struct otlp_batch {
    struct otlp_record *records;
    size_t span_count, length;               /* length: without separators between records */
};

struct otlp_queue {
    const struct otlp_encoding *encoding;
    size_t max_bytes, batch_max;
    int64_t delay_ns;
    atomic_size_t bytes;
    pthread_mutex_t lock;                    /* guards all below; held for a few assignments */
    pthread_cond_t changed;
    struct otlp_record *first, *last;
    size_t span_count;
    int64_t stop_ns;                         /* INT64_MAX until it is to end */
};

void otlp_queue_init(struct otlp_queue *queue, const struct otlp_encoding *encoding,
                     const struct otlp_exporter_opts *opts);

/** Frees what is left; nobody may use it any more. */
void otlp_queue_fini(struct otlp_queue *queue);

/** Encodes the spans and adds them; all or none. False without room or memory, and when it is to end. */
bool otlp_queue_put(struct otlp_queue *queue, const struct span *spans, size_t count);

/** Waits until there is a full batch or one that has waited long enough, and not_before_ns has come. False when it has
 *  to end: because there is nothing left, or no time. */
bool otlp_queue_take(struct otlp_queue *queue, int64_t not_before_ns, struct otlp_batch *ret);

/** Waits until then; false, at once, when it has to end before. */
bool otlp_queue_wait(struct otlp_queue *queue, int64_t until_ns);

/** Gives the memory of a batch back. */
void otlp_queue_release(struct otlp_queue *queue, struct otlp_batch *batch);

/** It is to end: without waiting for fuller batches, and at this monotonic time at the latest. */
void otlp_queue_stop_at(struct otlp_queue *queue, int64_t stop_ns);

/** How many spans are in it. */
size_t otlp_queue_count(struct otlp_queue *queue);

#endif
