/*
 * A ring of what is logged between one thread that logs and the writer: bounded, and without a lock.
 *
 * What finds it empty begins at its start again, so that a large ring costs memory only where much comes at once.
 *
 * Owned by both; each drops it, and the second to do so frees it.
 */
#ifndef TANDEM_TELEMETRY_LOG_RING_H
#define TANDEM_TELEMETRY_LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct log_ring {
    struct log_ring *next;            /* the writer's list */
    unsigned generation;              /* of the log that it belongs to */
    atomic_int owners;
    atomic_bool abandoned;            /* its thread has ended: nothing more will come */
    size_t size;                      /* a power of two */
    size_t restarted_from, restarted; /* when the thread that logs last began at its start again */
    _Alignas(64) atomic_size_t head;  /* bytes ever put; written by the thread that logs */
    size_t offered;                   /* where log_ring_room() found it; that thread's alone */
    _Alignas(64) atomic_size_t tail;  /* bytes whose room was ever given back; written by the writer, now and then */
    _Alignas(64) size_t taken;        /* bytes ever taken; the writer's alone */
    size_t seen;                      /* the head as the writer last read it */
    int64_t next_ns;                  /* of the record that is next, while the writer makes a round; likewise */
    struct log_ring *next_in_round;   /* of those with records that belong to it */
    _Alignas(64) char data[];
};

/** At least size_bytes, rounded up to a power of two; NULL without memory. Owned twice. */
struct log_ring *log_ring_new(size_t size_bytes);
void log_ring_unref(struct log_ring *ring);

/* ---- the thread that logs ---- */

/** False, and nothing is put, when there is no room. order_ns is monotonic time, by which the records of all rings are
 *  brought into one order; level is handed on with the record. */
bool log_ring_put(struct log_ring *ring, int64_t order_ns, unsigned level, struct text record);
bool log_ring_half_full(const struct log_ring *ring);

/** The same in two steps, so that what is put need not be copied: where up to length bytes may be written in one piece,
 *  or NULL, when only log_ring_put() might find room; and that so many were. */
char *log_ring_room(struct log_ring *ring, size_t length);
void log_ring_commit(struct log_ring *ring, int64_t order_ns, unsigned level, size_t length);

/* ---- the writer ---- */

bool log_ring_is_empty(const struct log_ring *ring);

/** The oldest record's place in time; false when there is none. */
bool log_ring_peek(struct log_ring *ring, int64_t *ret_order_ns);

/** Takes the oldest record, which there is: a view of it, until the next one is taken or room is given back. What does
 *  not lie in one piece is put together in scratch, which has room for it. */
struct text log_ring_take(struct log_ring *ring, char *scratch, unsigned *ret_level);

/** Gives back the room of all that was taken. Where much is taken, part of that happens meanwhile. */
void log_ring_give_back(struct log_ring *ring);

#endif
