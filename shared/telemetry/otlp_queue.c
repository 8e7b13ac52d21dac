#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "telemetry/otlp_queue.h"

void otlp_queue_init(struct otlp_queue *queue, const struct otlp_encoding *encoding,
                     const struct otlp_exporter_opts *opts)
{
    pthread_condattr_t monotonic;
    *queue = (struct otlp_queue){
        .encoding = encoding,
        .max_bytes = opts->queue_max_bytes,
        .batch_max = opts->batch_max > 0 ? opts->batch_max : 1,
        .delay_ns = opts->batch_delay_ms * NS_PER_MS,
        .stop_ns = INT64_MAX,
    };
    atomic_init(&queue->bytes, 0);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_records(struct otlp_record *record)
{
    for (struct otlp_record *next; record; record = next) {
        next = record->next;
        free(record);
    }
}

void otlp_queue_fini(struct otlp_queue *queue)
{
    free_records(queue->first);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

/* ---- in ---- */

static size_t guess_bytes(const struct otlp_encoding *encoding, const struct span *span)
{
    size_t bytes = encoding->span_bytes + span->name.length + span->trace_state.length + span->status_message.length;
    for (size_t i = 0; i < span->attribute_count; i++) {
        const struct span_attribute *attribute = &span->attributes[i];
        bytes += encoding->attribute_bytes + strlen(attribute->key);
        bytes += attribute->type == SPAN_ATTRIBUTE_TEXT ? attribute->text.length : 0;
    }
    return bytes;
}

/* NULL without memory, or when it is more than the queue or a request may hold. */
static struct otlp_record *record_new(const struct otlp_queue *queue, const struct span *spans, size_t count)
{
    struct buf buf;
    size_t guess = sizeof(struct otlp_record);
    size_t max_bytes = queue->max_bytes < OTLP_REQUEST_MAX_BYTES ? queue->max_bytes : OTLP_REQUEST_MAX_BYTES;
    for (size_t i = 0; i < count; i++)
        guess += guess_bytes(queue->encoding, &spans[i]);
    buf_init(&buf, max_bytes);
    if (buf_reserve(&buf, guess))   /* the record itself stands before its bytes */
        buf_commit(&buf, sizeof(struct otlp_record));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_text(&buf, queue->encoding->separator);
        queue->encoding->write_span(&spans[i], &buf);
    }
    if (buf_check(&buf)) {
        buf_fini(&buf);
        return NULL;
    }
    struct otlp_record *record = (struct otlp_record *)(void *)buf.data;
    *record = (struct otlp_record){.span_count = count, .length = buf.length - sizeof *record,
                                   .size_bytes = buf.capacity, .added_ns = clock_now_ns()};
    return record;
}

/* Wakes the sender only when that changes what it waits for. */
static bool append(struct otlp_queue *queue, struct otlp_record *first, struct otlp_record *last, size_t count,
                   size_t bytes)
{
    pthread_mutex_lock(&queue->lock);
    bool taken = queue->stop_ns == INT64_MAX && bytes <= queue->max_bytes - atomic_load(&queue->bytes);
    if (taken) {
        size_t before = queue->span_count;
        *(queue->last ? &queue->last->next : &queue->first) = first;
        queue->last = last;
        queue->span_count += count;
        atomic_fetch_add(&queue->bytes, bytes);
        if (before == 0 || (before < queue->batch_max && queue->span_count >= queue->batch_max))
            pthread_cond_signal(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

bool otlp_queue_put(struct otlp_queue *queue, const struct span *spans, size_t count)
{
    struct otlp_record *first = NULL, *last = NULL;
    size_t bytes = 0, done = 0;
    if (atomic_load_explicit(&queue->bytes, memory_order_relaxed) + sizeof *first > queue->max_bytes)
        return false;   /* before the work of encoding is done for nothing */
    while (done < count) {
        size_t some = count - done < queue->batch_max ? count - done : queue->batch_max;
        struct otlp_record *record = record_new(queue, spans + done, some);
        if (!record)
            break;
        *(last ? &last->next : &first) = record;
        last = record;
        bytes += record->size_bytes;
        done += some;
    }
    if (count == 0 || (done == count && append(queue, first, last, count, bytes)))
        return true;
    free_records(first);
    return false;
}

/* ---- out ---- */

/* By the lock's holder. */
static void wait_until(struct otlp_queue *queue, int64_t until_ns)
{
    if (until_ns == INT64_MAX) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    } else {
        struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
        pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
    }
}

/* When a batch is due, as things stand; INT64_MAX: never. */
static int64_t due_ns(const struct otlp_queue *queue, int64_t not_before_ns)
{
    int64_t due_ns = 0;
    if (!queue->first)
        return INT64_MAX;
    if (queue->span_count < queue->batch_max && queue->stop_ns == INT64_MAX)
        due_ns = queue->first->added_ns + queue->delay_ns;
    return due_ns > not_before_ns ? due_ns : not_before_ns;
}

static struct otlp_batch take_records(struct otlp_queue *queue)
{
    struct otlp_batch batch = {.records = queue->first};
    struct otlp_record *last = NULL, *record = queue->first;
    while (record && (!last || (batch.span_count + record->span_count <= queue->batch_max
                                && batch.length + record->length <= OTLP_REQUEST_MAX_BYTES))) {
        batch.span_count += record->span_count;
        batch.length += record->length;
        last = record;
        record = record->next;
    }
    last->next = NULL;
    queue->first = record;
    if (!record)
        queue->last = NULL;
    queue->span_count -= batch.span_count;
    return batch;
}

bool otlp_queue_take(struct otlp_queue *queue, int64_t not_before_ns, struct otlp_batch *ret)
{
    bool taken = false;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        int64_t due = due_ns(queue, not_before_ns), now_ns = clock_now_ns();
        if (queue->stop_ns != INT64_MAX && (due >= queue->stop_ns || now_ns >= queue->stop_ns))
            break;
        if (due <= now_ns) {
            *ret = take_records(queue);
            taken = true;
            break;
        }
        wait_until(queue, due);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

bool otlp_queue_wait(struct otlp_queue *queue, int64_t until_ns)
{
    pthread_mutex_lock(&queue->lock);
    while (until_ns < queue->stop_ns && clock_now_ns() < until_ns)
        wait_until(queue, until_ns);
    bool goes_on = until_ns < queue->stop_ns;
    pthread_mutex_unlock(&queue->lock);
    return goes_on;
}

void otlp_queue_release(struct otlp_queue *queue, struct otlp_batch *batch)
{
    size_t bytes = 0;
    for (const struct otlp_record *record = batch->records; record; record = record->next)
        bytes += record->size_bytes;
    free_records(batch->records);
    *batch = (struct otlp_batch){.records = NULL};
    atomic_fetch_sub(&queue->bytes, bytes);
}

void otlp_queue_stop_at(struct otlp_queue *queue, int64_t stop_ns)
{
    pthread_mutex_lock(&queue->lock);
    queue->stop_ns = stop_ns;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

size_t otlp_queue_count(struct otlp_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->span_count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}
