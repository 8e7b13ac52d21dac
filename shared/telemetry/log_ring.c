#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "telemetry/log_ring.h"

struct record {
    int64_t order_ns;
    uint32_t length, level;
};

/* A thread that logs little stays within this much of its ring: the rest of the memory is never touched. */
enum { CACHE_LINE = 64, RESTART_BYTES = 16384 };

/* Room is given back in steps of this, so that the thread that logs does not see the writer at each of its steps. */
enum { GIVE_BACK_BYTES = 8192 };

_Static_assert(sizeof(struct record) == 16, "a ring's size is a multiple of it");

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

/* A record begins where its head fits in one piece, whatever the length of the one before. */
static size_t room_of(size_t length)
{
    return (sizeof(struct record) + length + sizeof(struct record) - 1) / sizeof(struct record) * sizeof(struct record);
}

static char *place(struct log_ring *ring, size_t at)
{
    return ring->data + (at & (ring->size - 1));
}

static void copy_in(struct log_ring *ring, size_t at, const char *bytes, size_t length)
{
    size_t first = ring->size - (at & (ring->size - 1));

    if (length <= first) {
        memcpy(place(ring, at), bytes, length);
        return;
    }
    memcpy(place(ring, at), bytes, first);
    memcpy(ring->data, bytes + first, length - first);
}

static struct text view(struct log_ring *ring, size_t at, size_t length, char *scratch)
{
    size_t first = ring->size - (at & (ring->size - 1));

    if (length <= first)
        return (struct text){place(ring, at), length};
    memcpy(scratch, place(ring, at), first);
    memcpy(scratch + first, ring->data, length - first);
    return (struct text){scratch, length};
}

/* Up to where there is room again, as the thread that logs sees it: what it skipped never held anything. */
static size_t given_back(const struct log_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    return tail < ring->restarted ? ring->restarted : tail;
}

/* Up to where everything was put, likewise. */
static size_t filled(const struct log_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    return head < ring->restarted ? ring->restarted : head;
}

/* The writer sees it together with what follows. It has nothing to take meanwhile, and looks at neither. */
static size_t restart(struct log_ring *ring, size_t head)
{
    ring->restarted_from = head;
    return ring->restarted = (head | (ring->size - 1)) + 1;
}

/* Where the next record begins, when there is room for one of this length. */
static bool find_room(struct log_ring *ring, size_t length, size_t *ret_head)
{
    size_t head = filled(ring), used = head - given_back(ring);

    if (length > ring->size || ring->size - used < room_of(length))
        return false;
    if (used == 0 && (head & (ring->size - 1)) > RESTART_BYTES)
        head = restart(ring, head);
    *ret_head = head;
    return true;
}

static void commit(struct log_ring *ring, size_t head, const struct record *record)
{
    memcpy(place(ring, head), record, sizeof *record);
    atomic_store_explicit(&ring->head, head + room_of(record->length), memory_order_release);
}

bool log_ring_put(struct log_ring *ring, int64_t order_ns, unsigned level, struct text bytes)
{
    struct record record = {order_ns, (uint32_t)bytes.length, level};
    size_t head;

    if (!find_room(ring, bytes.length, &head))
        return false;
    copy_in(ring, head + sizeof record, bytes.at, bytes.length);
    commit(ring, head, &record);
    return true;
}

char *log_ring_room(struct log_ring *ring, size_t length)
{
    size_t head;

    if (!find_room(ring, length, &head))
        return NULL;
    size_t at = (head + sizeof(struct record)) & (ring->size - 1);
    if (at + length > ring->size)
        return NULL;
    ring->offered = head;
    return ring->data + at;
}

void log_ring_commit(struct log_ring *ring, int64_t order_ns, unsigned level, size_t length)
{
    struct record record = {order_ns, (uint32_t)length, level};

    commit(ring, ring->offered, &record);
}

bool log_ring_half_full(const struct log_ring *ring)
{
    return filled(ring) - given_back(ring) > ring->size / 2;
}

bool log_ring_is_empty(const struct log_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire) == ring->taken;
}

bool log_ring_peek(struct log_ring *ring, int64_t *ret_order_ns)
{
    struct record record;

    if (ring->taken == ring->seen)
        ring->seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (ring->taken == ring->seen)
        return false;
    if (ring->taken == ring->restarted_from && ring->taken != ring->restarted)
        ring->taken = ring->restarted;
    memcpy(&record, place(ring, ring->taken), sizeof record);
    *ret_order_ns = record.order_ns;
    return true;
}

void log_ring_give_back(struct log_ring *ring)
{
    if (atomic_load_explicit(&ring->tail, memory_order_relaxed) != ring->taken)
        atomic_store_explicit(&ring->tail, ring->taken, memory_order_release);
}

struct text log_ring_take(struct log_ring *ring, char *scratch, unsigned *ret_level)
{
    size_t at = ring->taken;
    struct record record;

    if (at - atomic_load_explicit(&ring->tail, memory_order_relaxed) >= GIVE_BACK_BYTES)
        log_ring_give_back(ring);
    memcpy(&record, place(ring, at), sizeof record);
    ring->taken = at + room_of(record.length);
    *ret_level = record.level;
    return view(ring, at + sizeof record, record.length, scratch);
}
