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

/* The same of eight bytes in a word: a bit is set in any that is below 0x20, above 0x7f, or one of the two. */
static inline bool json_word_is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quotes = word ^ ones * '"', backslashes = word ^ ones * '\\';

    return ((word | (word - ones * 0x20) | (quotes - ones) | (backslashes - ones)) & ones * 0x80) == 0;
}

/* Two words that overlap. */
static inline bool json_copy_plain_words(struct text value, char *to)
{
    uint64_t first, last;

    memcpy(&first, value.at, sizeof first);
    memcpy(&last, value.at + value.length - sizeof last, sizeof last);
    memcpy(to, &first, sizeof first);
    memcpy(to + value.length - sizeof last, &last, sizeof last);
    return json_word_is_plain(first) && json_word_is_plain(last);
}

/* Two halves of one. */
static inline bool json_copy_plain_halves(struct text value, char *to)
{
    uint32_t first, last;

    memcpy(&first, value.at, sizeof first);
    memcpy(&last, value.at + value.length - sizeof last, sizeof last);
    memcpy(to, &first, sizeof first);
    memcpy(to + value.length - sizeof last, &last, sizeof last);
    return json_word_is_plain(first | (uint64_t)last << 32);
}

static inline bool json_copy_plain_chars(struct text value, char *to)
{
    for (size_t i = 0; i < value.length; i++) {
        if (!json_is_plain_char(value.at[i]))
            return false;
        to[i] = value.at[i];
    }
    return true;
}

/** Copies to where there is room for it, and says whether it is plain; if not, what was copied is of no use. The last
 *  block may overlap the one before. */
static inline bool json_copy_plain(struct text value, char *to)
{
    json_block others = {0}, bytes;

    if (value.length < sizeof(uint32_t))
        return json_copy_plain_chars(value, to);
    if (value.length < sizeof(uint64_t))
        return json_copy_plain_halves(value, to);
    if (value.length < sizeof bytes)
        return json_copy_plain_words(value, to);
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
