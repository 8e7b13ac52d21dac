/*
 * A byte buffer that grows up to a ceiling given at its start.
 *
 * A sticky-error builder: write many, check once. An addition that does not fit, or for which there is no
 * memory, changes nothing and marks the buffer failed; later additions are then ignored.
 *
 * Ownership: the caller's storage, used by one thread at a time. data is heap memory, NULL, or borrowed.
 */
#ifndef TANDEM_BASE_BUF_H
#define TANDEM_BASE_BUF_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

struct buf {
    char *data;        /* not zero-terminated; see buf_string() */
    size_t length;
    size_t capacity;
    size_t max_bytes;  /* the ceiling of length */
    bool failed;
};

/** Prepares an empty buffer that never holds more than max_bytes. Allocates nothing yet. */
void buf_init(struct buf *buf, size_t max_bytes);

/** Prepares an empty buffer in memory of the caller's, whose ceiling is its size less one. There is nothing to give
 *  back: neither buf_fini() nor buf_reset() are for it. */
void buf_borrow(struct buf *buf, char *memory, size_t size);

/** Gives the memory back; the buffer is then as after buf_init(). */
void buf_fini(struct buf *buf);

/** Empties it and clears the failure; keeps the memory for the next use when that is at most keep_bytes. */
void buf_reset(struct buf *buf, size_t keep_bytes);

/* Most of what is added is small and fits: that much is done where it is asked for. */

/** Room for length more bytes at the end, not yet counted in; NULL (and failed) when it cannot be had. */
void *buf_reserve(struct buf *buf, size_t length);

/** Whether that is there already; the capacity is never more than the ceiling and one. */
static inline bool buf_fits(const struct buf *buf, size_t length)
{
    return length < buf->capacity - buf->length && !buf->failed;
}

/** Counts in length bytes that were written where buf_reserve() said. */
static inline void buf_commit(struct buf *buf, size_t length)
{
    assert(length <= buf->max_bytes - buf->length);
    assert(length == 0 || length < buf->capacity - buf->length);
    buf->length += length;
}

static inline void buf_add(struct buf *buf, const void *bytes, size_t length)
{
    if (length > 0 && (buf_fits(buf, length) || buf_reserve(buf, length))) {
        memcpy(buf->data + buf->length, bytes, length);
        buf->length += length;
    }
}

static inline void buf_add_char(struct buf *buf, char c)
{
    if (buf_fits(buf, 1) || buf_reserve(buf, 1))
        buf->data[buf->length++] = c;
}

void buf_add_string(struct buf *buf, const char *string);
void buf_add_text(struct buf *buf, struct text text);
void buf_add_int(struct buf *buf, long long value);

/** Nanoseconds as milliseconds, cut to the microsecond, without zeros at the end: "1.25", "3". */
void buf_add_milliseconds(struct buf *buf, int64_t ns);
void buf_addf(struct buf *buf, const char *format, ...) printf_like(2, 3);
void buf_addv(struct buf *buf, const char *format, va_list values);

/** Drops the first length bytes. */
void buf_consume(struct buf *buf, size_t length);

/** The content as a view; valid until the next change. */
struct text buf_text(const struct buf *buf);

/** The content with a terminating zero that is not counted; "" when failed or without memory. */
const char *buf_string(struct buf *buf);

/** ERR_NONE, or ERR_MEMORY when something did not fit. */
enum err must_check buf_check(const struct buf *buf);

#endif
