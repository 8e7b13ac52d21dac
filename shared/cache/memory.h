/*
 * Memory: values of a process by their keys, bounded in bytes, in shards with a lock each.
 *
 * Admission and eviction are S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023). What
 * is new enters a small queue, a tenth of the bytes; what was not asked for twice by the time it reaches that queue's
 * end goes, and only its hash is remembered for a while; the rest enters the main queue, whose end is given another
 * round for each time it was asked for, three at the most. So a scan passes through the small queue and displaces
 * nothing. It was chosen over W-TinyLFU since a hit changes one counter and moves nothing, there is no sketch to be
 * aged and no window to be tuned, and on traces of the web it misses no more.
 *
 * Everything is O(1); a put that has to make room looks at MEMORY_STEPS_MAX entries at the most. A hit allocates
 * nothing: the value is copied to the caller's storage. What stands in an entry beside its value is the caller's.
 *
 * Any thread; a lock is held for a few steps and one copy.
 */
#ifndef TANDEM_CACHE_MEMORY_H
#define TANDEM_CACHE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum { MEMORY_STEPS_MAX = 64 };

struct memory;

/* What is known of a value. */
struct memory_note {
    uint64_t hash;             /* of its key: well mixed, all 64 bits */
    uint64_t group;            /* hash of the group it belongs to; 0: none */
    int64_t mark;             /* of when it was about to be loaded (cache/marks.h) */
    uint64_t version;          /* its own, where it has one; 0: none */
    int64_t loaded_ns;         /* when it was about to be loaded … */
    int64_t checked_ns;        /* … and when somebody who knows said last that it is still so */
    int64_t until_ns;          /* its own end */
    int64_t cost_ns;           /* how long it took to load */
    uint32_t spread;           /* by how much its lifetime is shortened, by chance */
};

struct memory_stats {
    uint64_t entries, bytes, evictions;
};

/** max_bytes counts keys, values and what is kept with each; tables come on top, at most an eighth as much. */
enum err must_check memory_new(size_t max_bytes, struct memory **ret);
void memory_free(struct memory *memory);

/** Copies a value to storage, which has room for capacity bytes. False when there is none, or it does not fit. */
bool memory_find(struct memory *memory, uint64_t hash, struct text key, void *storage, size_t capacity,
                 struct memory_note *ret_note, size_t *ret_length);

/* MEMORY_OLDER: one with a greater version is there. MEMORY_FULL: no memory, or more than a quarter of a shard. */
enum memory_result { MEMORY_KEPT, MEMORY_OLDER, MEMORY_FULL };

/** Keeps a value, in place of an older one. */
enum memory_result memory_put(struct memory *memory, const struct memory_note *note, struct text key,
                              struct text value);

void memory_remove(struct memory *memory, uint64_t hash, struct text key);

void memory_stats(struct memory *memory, struct memory_stats *ret);

#endif
