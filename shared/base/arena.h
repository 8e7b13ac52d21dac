/*
 * An arena: many small allocations that are dropped together, with a ceiling on their sum.
 *
 * One per request; nothing in it is freed on its own. Memory is aligned for any type and is not zeroed,
 * unless the function says so. Used by one thread at a time.
 */
#ifndef TANDEM_BASE_ARENA_H
#define TANDEM_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;   /* newest first */
    size_t used_bytes;            /* in the newest block */
    size_t total_bytes;           /* of all blocks */
    size_t max_bytes;
};

/** Prepares an arena that takes at most max_bytes from the heap. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t max_bytes);

/** Frees everything. The arena is then as after arena_init(). */
void arena_fini(struct arena *arena);

/** Frees all but the first block, which is used again. */
void arena_reset(struct arena *arena);

/** size bytes, or NULL at the ceiling or without memory. */
void *arena_alloc(struct arena *arena, size_t size);

/** count elements of size bytes, zeroed; NULL as above, or when the product overflows. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/** A zero-terminated copy; NULL as above. */
char *arena_string(struct arena *arena, struct text text);

/** A copy as a view (zero-terminated too); its at is NULL on failure. */
struct text arena_text(struct arena *arena, struct text text);

/** The same, but an absent text stays absent. False without memory. */
bool arena_keep(struct arena *arena, struct text text, struct text *ret);

/** A formatted, zero-terminated string; NULL as above. */
char *arena_printf(struct arena *arena, const char *format, ...) printf_like(2, 3);

#endif
