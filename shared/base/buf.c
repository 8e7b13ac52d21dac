#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { SMALLEST_CAPACITY = 64 };

void buf_init(struct buf *buf, size_t max_bytes)
{
    assert(max_bytes <= PTRDIFF_MAX / 2);
    *buf = (struct buf){.max_bytes = max_bytes};
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

/* Backwards from end; returns where they begin. */
static char *put_digits(char *end, unsigned long long value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

void buf_add_int(struct buf *buf, long long value)
{
    char digits[24], *end = digits + sizeof digits;
    char *at = put_digits(end, value < 0 ? -(unsigned long long)value : (unsigned long long)value);

    if (value < 0)
        *--at = '-';
    buf_add(buf, at, (size_t)(end - at));
}

void buf_add_milliseconds(struct buf *buf, int64_t ns)
{
    char digits[32], *end = digits + sizeof digits, *at = end;
    int64_t us = ns / 1000;
    unsigned long long magnitude = us < 0 ? -(unsigned long long)us : (unsigned long long)us;
    unsigned rest = (unsigned)(magnitude % 1000), decimals = 3;

    if (rest > 0) {
        for (; rest % 10 == 0; rest /= 10)
            decimals--;
        for (; decimals > 0; decimals--, rest /= 10)
            *--at = (char)('0' + rest % 10);
        *--at = '.';
    }
    at = put_digits(at, magnitude / 1000);
    if (us < 0)
        *--at = '-';
    buf_add(buf, at, (size_t)(end - at));
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
