#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/decimal.h"

enum { SMALLEST_CAPACITY = 64 };

void buf_init(struct buf *buf, size_t max_bytes)
{
    assert(max_bytes <= PTRDIFF_MAX / 2);
    *buf = (struct buf){.max_bytes = max_bytes};
}

void buf_borrow(struct buf *buf, char *memory, size_t size)
{
    assert(size > 0);
    *buf = (struct buf){.data = memory, .capacity = size, .max_bytes = size - 1};
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max_bytes);
}

void buf_reset(struct buf *buf, size_t keep_bytes)
{
    if (buf->capacity > keep_bytes)
        buf_fini(buf);
    buf->length = 0;
    buf->failed = false;
}

/*
 * Room for length bytes that will count and one for a terminating zero, which does not; so the capacity may be one
 * above the ceiling. Doubles, so that growing costs a constant per byte.
 */
static bool make_room(struct buf *buf, size_t length)
{
    if (buf->failed)
        return false;
    if (length > buf->max_bytes - buf->length) {
        buf->failed = true;
        return false;
    }

    size_t needed = buf->length + length + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity * 2 : SMALLEST_CAPACITY;
    if (capacity < needed)
        capacity = needed;
    if (capacity > buf->max_bytes + 1)
        capacity = buf->max_bytes + 1;

    char *data = realloc(buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void buf_add_string(struct buf *buf, const char *string)
{
    buf_add(buf, string, strlen(string));
}

void buf_add_text(struct buf *buf, struct text text)
{
    buf_add(buf, text.at, text.length);
}

/* In its place when there is room for any. */
static void add_decimal(struct buf *buf, char *(*write)(char *out, int64_t value), int64_t value)
{
    char digits[DECIMAL_MAX_BYTES];

    if (buf_fits(buf, sizeof digits))
        buf->length = (size_t)(write(buf->data + buf->length, value) - buf->data);
    else
        buf_add(buf, digits, (size_t)(write(digits, value) - digits));
}

void buf_add_int(struct buf *buf, long long value)
{
    add_decimal(buf, decimal_write, value);
}

void buf_add_milliseconds(struct buf *buf, int64_t ns)
{
    add_decimal(buf, decimal_write_milliseconds, ns);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    buf_addv(buf, format, values);
    va_end(values);
}

void buf_addv(struct buf *buf, const char *format, va_list values)
{
    va_list again;

    if (buf->failed)
        return;
    size_t room = buf->capacity - buf->length;
    va_copy(again, values);
    int length = vsnprintf(room ? buf->data + buf->length : NULL, room, format, values);
    if (length < 0) {
        buf->failed = true;
    } else if (make_room(buf, (size_t)length)) {
        if ((size_t)length >= room)
            vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void *buf_reserve(struct buf *buf, size_t length)
{
    return make_room(buf, length) ? buf->data + buf->length : NULL;
}

void buf_consume(struct buf *buf, size_t length)
{
    assert(length <= buf->length);
    if (length > 0) {
        memmove(buf->data, buf->data + length, buf->length - length);
        buf->length -= length;
    }
}

struct text buf_text(const struct buf *buf)
{
    return (struct text){buf->data ? buf->data : "", buf->length};
}

const char *buf_string(struct buf *buf)
{
    if (!make_room(buf, 0))
        return "";
    buf->data[buf->length] = '\0';
    return buf->data;
}

enum err buf_check(const struct buf *buf)
{
    return buf->failed ? err_because(ERR_MEMORY, "a buffer of at most %zu bytes is full", buf->max_bytes) : ERR_NONE;
}
