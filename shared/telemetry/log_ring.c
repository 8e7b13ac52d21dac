#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "telemetry/log_ring.h"

struct record {
    int64_t order_ns;
    uint32_t length, level;
};

enum { CACHE_LINE = 64 };

struct log_ring *log_ring_new(size_t size_bytes)
{
    size_t size = 1024;
    struct log_ring *ring;

    while (size < size_bytes && size < SIZE_MAX / 4)
        size *= 2;
    if (!(ring = aligned_alloc(CACHE_LINE, (sizeof *ring + size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE)))
        return NULL;
    memset(ring, 0, sizeof *ring);
    ring->size = size;
    atomic_init(&ring->owners, 2);
    return ring;
}

void log_ring_unref(struct log_ring *ring)
{
    if (ring && atomic_fetch_sub(&ring->owners, 1) == 1)
        free(ring);
}

static void copy_in(struct log_ring *ring, size_t at, const void *bytes, size_t length)
{
    size_t offset = at & (ring->size - 1), first = ring->size - offset;

    first = first < length ? first : length;
    memcpy(ring->data + offset, bytes, first);
    memcpy(ring->data, (const char *)bytes + first, length - first);
}

static void copy_out(const struct log_ring *ring, size_t at, void *bytes, size_t length)
{
    size_t offset = at & (ring->size - 1), first = ring->size - offset;

    first = first < length ? first : length;
    memcpy(bytes, ring->data + offset, first);
    memcpy((char *)bytes + first, ring->data, length - first);
}

bool log_ring_put(struct log_ring *ring, int64_t order_ns, unsigned level, struct text line)
{
    struct record record = {order_ns, (uint32_t)line.length, level};
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    if (ring->size - (head - tail) < sizeof record + line.length)
        return false;
    copy_in(ring, head, &record, sizeof record);
    copy_in(ring, head + sizeof record, line.at, line.length);
    atomic_store(&ring->head, head + sizeof record + line.length);
    return true;
}

bool log_ring_half_full(const struct log_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_relaxed)
        - atomic_load_explicit(&ring->tail, memory_order_relaxed) > ring->size / 2;
}

bool log_ring_is_empty(const struct log_ring *ring)
{
    return atomic_load(&ring->head) == atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

bool log_ring_peek(const struct log_ring *ring, int64_t *ret_order_ns, size_t *ret_length)
{
    struct record record;

    if (log_ring_is_empty(ring))
        return false;
    copy_out(ring, atomic_load_explicit(&ring->tail, memory_order_relaxed), &record, sizeof record);
    *ret_order_ns = record.order_ns;
    *ret_length = record.length;
    return true;
}

unsigned log_ring_take(struct log_ring *ring, char *out)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    struct record record;

    copy_out(ring, tail, &record, sizeof record);
    copy_out(ring, tail + sizeof record, out, record.length);
    atomic_store_explicit(&ring->tail, tail + sizeof record + record.length, memory_order_release);
    return record.level;
}
