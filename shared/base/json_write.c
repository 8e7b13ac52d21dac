#include "config.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_plain.h"
#include "base/json_write.h"
#include "base/utf8.h"

void json_writer_init(struct json_writer *writer, struct buf *out)
{
    *writer = (struct json_writer){.out = out, .first = true};
}

/* Room for length bytes, which are all used; behind the comma that a value or a key needs before it. */
static inline char *room_for(struct json_writer *writer, size_t length)
{
    size_t comma = !writer->first;
    struct buf *out = writer->out;

    assert(writer->depth > 0 || writer->first);
    writer->first = false;
    if (!buf_fits(out, length + comma) && !buf_reserve(out, length + comma))
        return NULL;
    char *at = out->data + out->length;
    if (comma)
        *at++ = ',';
    out->length += length + comma;
    return at;
}

/* The comma alone. */
static void separate(struct json_writer *writer)
{
    (void)!room_for(writer, 0);
}

static void begin(struct json_writer *writer, char bracket)
{
    char *room = room_for(writer, 1);

    if (room)
        *room = bracket;
    writer->depth++;
    writer->first = true;
}

static void end(struct json_writer *writer, char bracket)
{
    assert(writer->depth > 0);
    buf_add_char(writer->out, bracket);
    writer->depth--;
    writer->first = false;
}

void json_object_begin(struct json_writer *writer)
{
    begin(writer, '{');
}

void json_object_end(struct json_writer *writer)
{
    end(writer, '}');
}

void json_array_begin(struct json_writer *writer)
{
    begin(writer, '[');
}

void json_array_end(struct json_writer *writer)
{
    end(writer, ']');
}

static void add_escape(struct buf *out, unsigned char c)
{
    static const char named[][2] = {
        {'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\b', 'b'}, {'\f', 'f'},
    };

    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (c == (unsigned char)named[i][0]) {
            buf_add_char(out, '\\');
            buf_add_char(out, named[i][1]);
            return;
        }
    }
    buf_addf(out, "\\u%04x", c);
}

/* Runs that stand for themselves are added whole; what does not breaks a run. */
static void add_escaped(struct buf *out, struct text value)
{
    size_t run = 0, at = 0;

    buf_add_char(out, '"');
    while (at < value.length) {
        unsigned char c = (unsigned char)value.at[at];
        size_t step = utf8_step(value.at + at, value.length - at);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        buf_add(out, value.at + run, at - run);
        if (step == 0)
            buf_add_string(out, "\xef\xbf\xbd");
        else
            add_escape(out, c);
        run = ++at;
    }
    buf_add(out, value.at + run, at - run);
    buf_add_char(out, '"');
}

/* Nearly every string is plain from its first byte to its last, and needs one look and two quotes. */
static void add_string(struct json_writer *writer, struct text value)
{
    char *room = room_for(writer, value.length + 2);

    if (!room)
        return;
    if (!json_copy_plain(value, room + 1)) {
        writer->out->length = (size_t)(room - writer->out->data);
        add_escaped(writer->out, value);
        return;
    }
    room[0] = '"';
    room[value.length + 1] = '"';
}

void json_key(struct json_writer *writer, const char *key)
{
    assert(writer->depth > 0);
    add_string(writer, text_of(key));
    buf_add_char(writer->out, ':');
    writer->first = true;
}

void json_raw(struct json_writer *writer, struct text json)
{
    char *room = room_for(writer, json.length);

    assert(json.length > 0);
    if (room)
        memcpy(room, json.at, json.length);
}

void json_text(struct json_writer *writer, struct text value)
{
    if (value.at)
        add_string(writer, value);
    else
        json_null(writer);
}

void json_string(struct json_writer *writer, const char *value)
{
    json_text(writer, text_of(value));
}

void json_integer(struct json_writer *writer, int64_t value)
{
    separate(writer);
    buf_add_int(writer->out, value);
}

void json_boolean(struct json_writer *writer, bool value)
{
    separate(writer);
    buf_add_string(writer->out, value ? "true" : "false");
}

void json_null(struct json_writer *writer)
{
    separate(writer);
    buf_add_string(writer->out, "null");
}

void json_number(struct json_writer *writer, double value)
{
    char digits[32];

    if (!isfinite(value)) {
        json_null(writer);
        return;
    }
    /* Fifteen digits always survive as written, seventeen always suffice. Programs here stay in the "C" locale, whose
     * decimal point is JSON's. */
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    separate(writer);
    buf_add_string(writer->out, digits);
}

void json_milliseconds(struct json_writer *writer, int64_t ns)
{
    separate(writer);
    buf_add_milliseconds(writer->out, ns);
}

/* The zero behind a time stands where the second quote goes. */
void json_time(struct json_writer *writer, int64_t wall_us)
{
    char *room = room_for(writer, 1 + CLOCK_RFC3339_SIZE);

    if (!room)
        return;
    room[0] = '"';
    clock_rfc3339(wall_us, room + 1);
    room[CLOCK_RFC3339_SIZE] = '"';
}

void json_member_text(struct json_writer *writer, const char *key, struct text value)
{
    json_key(writer, key);
    json_text(writer, value);
}

void json_member_string(struct json_writer *writer, const char *key, const char *value)
{
    json_key(writer, key);
    json_string(writer, value);
}

void json_member_integer(struct json_writer *writer, const char *key, int64_t value)
{
    json_key(writer, key);
    json_integer(writer, value);
}

void json_member_boolean(struct json_writer *writer, const char *key, bool value)
{
    json_key(writer, key);
    json_boolean(writer, value);
}

void json_member_time(struct json_writer *writer, const char *key, int64_t wall_us)
{
    json_key(writer, key);
    json_time(writer, wall_us);
}
