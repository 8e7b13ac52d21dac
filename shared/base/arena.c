#include "config.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { SMALLEST_BLOCK = 4096, LARGEST_STEP = 65536 };

struct arena_block {
    struct arena_block *older;
    size_t size_bytes;   /* this header included */
    alignas(max_align_t) char data[];
};

static size_t room_of(const struct arena_block *block)
{
    return block->size_bytes - offsetof(struct arena_block, data);
}

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){.max_bytes = max_bytes};
}

static void free_newest(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    arena->blocks = block->older;
    arena->total_bytes -= block->size_bytes;
    free(block);
}

void arena_fini(struct arena *arena)
{
    while (arena->blocks)
        free_newest(arena);
    arena_init(arena, arena->max_bytes);
}

void arena_reset(struct arena *arena)
{
    while (arena->blocks && arena->blocks->older)
        free_newest(arena);
    arena->used_bytes = 0;
}

/*
 * A block with room for size bytes. Blocks double up to a limit, so that a small request takes one and a large one few;
 * near the ceiling a block takes what is left.
 */
static bool add_block(struct arena *arena, size_t size)
{
    size_t left = arena->max_bytes - arena->total_bytes;
    size_t header = offsetof(struct arena_block, data);

    if (left < header || size > left - header)
        return false;
    size_t bytes = arena->blocks ? arena->blocks->size_bytes * 2 : SMALLEST_BLOCK;
    if (bytes > LARGEST_STEP)
        bytes = LARGEST_STEP;
    if (bytes < header + size)
        bytes = header + size;
    if (bytes > left)
        bytes = left;
    /* Never less than the header's own size, which the compiler may have rounded up. */
    struct arena_block *block = malloc(bytes < sizeof *block ? sizeof *block : bytes);
    if (!block)
        return false;
    block->older = arena->blocks;
    block->size_bytes = bytes;
    arena->blocks = block;
    arena->total_bytes += bytes;
    arena->used_bytes = 0;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t unit = alignof(max_align_t);

    if (size > SIZE_MAX - unit)
        return NULL;
    size = size ? (size + unit - 1) / unit * unit : unit;
    if (!arena->blocks || size > room_of(arena->blocks) - arena->used_bytes) {
        if (!add_block(arena, size))
            return NULL;
    }
    void *found = arena->blocks->data + arena->used_bytes;
    arena->used_bytes += size;
    return found;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *found = arena_alloc(arena, bytes);
    return found ? memset(found, 0, bytes) : NULL;
}

char *arena_string(struct arena *arena, struct text text)
{
    if (text.length == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, text.length + 1);
    if (!copy)
        return NULL;
    if (text.length > 0)
        memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    return copy;
}

struct text arena_text(struct arena *arena, struct text text)
{
    const char *copy = arena_string(arena, text);

    return copy ? (struct text){copy, text.length} : TEXT_NONE;
}

bool arena_keep(struct arena *arena, struct text text, struct text *ret)
{
    *ret = text.at ? arena_text(arena, text) : TEXT_NONE;
    return !text.at || ret->at;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list values, again;
    char *out = NULL;

    va_start(values, format);
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, values);
    if (length >= 0)
        out = arena_alloc(arena, (size_t)length + 1);
    if (out)
        vsnprintf(out, (size_t)length + 1, format, again);
    va_end(again);
    va_end(values);
    return out;
}
