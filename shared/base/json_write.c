#include "config.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/utf8.h"

void json_writer_init(struct json_writer *writer, struct buf *out)
{
    *writer = (struct json_writer){.out = out, .first = true};
}

/* The comma that a value or a key needs before it. */
static void separate(struct json_writer *writer)
{
    assert(writer->depth > 0 || writer->first);
    if (!writer->first)
        buf_add_char(writer->out, ',');
    writer->first = false;
}

static void begin(struct json_writer *writer, char bracket)
{
    separate(writer);
    buf_add_char(writer->out, bracket);
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
static void add_quoted(struct buf *out, struct text value)
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

void json_key(struct json_writer *writer, const char *key)
{
    assert(writer->depth > 0);
    separate(writer);
    add_quoted(writer->out, text_of(key));
    buf_add_char(writer->out, ':');
    writer->first = true;
}

void json_text(struct json_writer *writer, struct text value)
{
    if (!value.at) {
        json_null(writer);
        return;
    }
    separate(writer);
    add_quoted(writer->out, value);
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

void json_raw(struct json_writer *writer, struct text json)
{
    assert(json.length > 0);
    separate(writer);
    buf_add_text(writer->out, json);
}

void json_time(struct json_writer *writer, int64_t wall_us)
{
    char out[CLOCK_RFC3339_SIZE];

    json_string(writer, clock_rfc3339(wall_us, out));
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
