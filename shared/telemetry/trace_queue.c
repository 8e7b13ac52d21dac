#include "config.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/trace_queue.h"

enum { CACHE_LINE = 64, LEAST_WORDS = 512, WORD = sizeof(uint64_t) };

/* A record is a word with its length in bytes, zero until it is filled, and then as many words as it takes. What was
 * taken is zeroed, so that wherever the next one begins there is none yet. */
struct trace_queue {
    size_t words;                     /* a power of two */
    _Alignas(64) atomic_size_t head;  /* words ever reserved */
    _Alignas(64) atomic_size_t tail;  /* words ever taken */
    _Alignas(64) _Atomic uint64_t data[];
};

struct trace_queue *trace_queue_new(size_t size_bytes)
{
    size_t words = LEAST_WORDS;
    while (words * WORD < size_bytes && words < SIZE_MAX / WORD / 4)
        words *= 2;
    size_t size = sizeof(struct trace_queue) + words * WORD;
    struct trace_queue *queue = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!queue)
        return NULL;
    memset(queue, 0, size);
    queue->words = words;
    return queue;
}

void trace_queue_free(struct trace_queue *queue)
{
    free(queue);
}

static size_t words_of(size_t length)
{
    return 1 + (length + WORD - 1) / WORD;
}

/* Runs from a place to the end of the ring, and on from its beginning. */
static void copy_in(struct trace_queue *queue, size_t at, struct text bytes)
{
    size_t offset = (at & (queue->words - 1)) * WORD, first = queue->words * WORD - offset;
    first = first < bytes.length ? first : bytes.length;
    memcpy((char *)queue->data + offset, bytes.at, first);
    memcpy((char *)queue->data, bytes.at + first, bytes.length - first);
}

static void copy_out(const struct trace_queue *queue, size_t at, char *out, size_t length)
{
    size_t offset = (at & (queue->words - 1)) * WORD, first = queue->words * WORD - offset;
    first = first < length ? first : length;
    memcpy(out, (const char *)queue->data + offset, first);
    memcpy(out + first, (const char *)queue->data, length - first);
}

static void wipe(struct trace_queue *queue, size_t at, size_t words)
{
    size_t offset = at & (queue->words - 1), first = queue->words - offset;
    first = first < words ? first : words;
    memset((char *)queue->data + offset * WORD, 0, first * WORD);
    memset((char *)queue->data, 0, (words - first) * WORD);
}

bool trace_queue_put(struct trace_queue *queue, struct text record)
{
    size_t words = words_of(record.length);
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    assert(record.length > 0);
    do {
        size_t used = head - atomic_load_explicit(&queue->tail, memory_order_acquire);
        /* Who reads a head that others have moved on from may see a tail that is past it. */
        if (used > queue->words || queue->words - used < words) {
            size_t now = atomic_load_explicit(&queue->head, memory_order_relaxed);
            if (now == head)
                return false;
            head = now;
            continue;
        }
        if (atomic_compare_exchange_weak_explicit(&queue->head, &head, head + words, memory_order_relaxed,
                                                  memory_order_relaxed))
            break;
    } while (true);
    copy_in(queue, head + 1, record);
    atomic_store_explicit(&queue->data[head & (queue->words - 1)], record.length, memory_order_release);
    return true;
}

bool trace_queue_is_empty(const struct trace_queue *queue)
{
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    return atomic_load(&queue->data[tail & (queue->words - 1)]) == 0;
}

bool trace_queue_half_full(const struct trace_queue *queue)
{
    return atomic_load_explicit(&queue->head, memory_order_relaxed) -
               atomic_load_explicit(&queue->tail, memory_order_relaxed) > queue->words / 2;
}

size_t trace_queue_take(struct trace_queue *queue, char *out, size_t size)
{
    for (;;) {
        size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
        size_t length = (size_t)atomic_load_explicit(&queue->data[tail & (queue->words - 1)], memory_order_acquire);
        if (length == 0)
            return 0;
        if (length <= size)
            copy_out(queue, tail + 1, out, length);
        wipe(queue, tail, words_of(length));
        atomic_store_explicit(&queue->tail, tail + words_of(length), memory_order_release);
        if (length <= size)
            return length;
    }
}
