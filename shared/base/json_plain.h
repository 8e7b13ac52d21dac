/*
 * Plain text: ASCII of which each character stands for itself in a JSON string. Nearly all strings are.
 *
 * Pure: any thread.
 */
#ifndef TANDEM_BASE_JSON_PLAIN_H
#define TANDEM_BASE_JSON_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Sixteen bytes at once, as the vectors that GCC and Clang have on every machine. */
typedef signed char json_block __attribute__((vector_size(16)));

static inline bool json_is_plain_char(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* Where in it something else stands. */
static inline json_block json_block_others(json_block bytes)
{
    return (bytes < 0x20) | (bytes == '"') | (bytes == '\\');
}

static inline bool json_block_is_zero(json_block block)
{
    uint64_t halves[2];
    memcpy(halves, &block, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

/** Copies to where there is room for it, and says whether it is plain; if not, what was copied is of no use. The last
 *  block may overlap the one before. */
static inline bool json_copy_plain(struct text value, char *to)
{
    json_block others = {0}, bytes;

    if (value.length < sizeof bytes) {
        for (size_t i = 0; i < value.length; i++) {
            if (!json_is_plain_char(value.at[i]))
                return false;
            to[i] = value.at[i];
        }
        return true;
    }
    for (size_t i = 0; i < value.length; i += sizeof bytes) {
        if (value.length - i < sizeof bytes)
            i = value.length - sizeof bytes;
        memcpy(&bytes, value.at + i, sizeof bytes);
        others |= json_block_others(bytes);
        memcpy(to + i, &bytes, sizeof bytes);
    }
    return json_block_is_zero(others);
}

/** How much of it is plain, from its beginning. */
static inline size_t json_plain_length(struct text value)
{
    json_block bytes;
    size_t i = 0;

    for (; value.length - i >= sizeof bytes; i += sizeof bytes) {
        memcpy(&bytes, value.at + i, sizeof bytes);
        if (!json_block_is_zero(json_block_others(bytes)))
            break;
    }
    while (i < value.length && json_is_plain_char(value.at[i]))
        i++;
    return i;
}

#endif
