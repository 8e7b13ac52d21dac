/*
 * JSON out: a writer straight into a bounded buffer, with no tree and no allocation of its own.
 *
 * A sticky-error builder: commas and escapes are its business, balance is the caller's (asserted at the end), and
 * whether everything fitted is asked of the buffer. Used by one thread at a time.
 */
#ifndef TANDEM_BASE_JSON_WRITE_H
#define TANDEM_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

struct json_writer {
    struct buf *out;
    unsigned depth;
    bool first;        /* nothing stands yet at this level, or a key was just written */
};

void json_writer_init(struct json_writer *writer, struct buf *out);

void json_object_begin(struct json_writer *writer);
void json_object_end(struct json_writer *writer);
void json_array_begin(struct json_writer *writer);
void json_array_end(struct json_writer *writer);

/** The key of the next value. */
void json_key(struct json_writer *writer, const char *key);

/** A string; bytes that are not UTF-8 become U+FFFD. An absent text is null. */
void json_text(struct json_writer *writer, struct text value);
void json_string(struct json_writer *writer, const char *value);
void json_integer(struct json_writer *writer, int64_t value);
void json_boolean(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);

/** A finite number, in the shortest form that reads back the same; null when it is not finite. */
void json_number(struct json_writer *writer, double value);

/** Nanoseconds as a number of milliseconds, cut to the microsecond: 1.25. */
void json_milliseconds(struct json_writer *writer, int64_t ns);

/** A value that is JSON already. */
void json_raw(struct json_writer *writer, struct text json);

/** Wall time in microseconds, as a string in RFC 3339. */
void json_time(struct json_writer *writer, int64_t wall_us);

/* Key and value in one call. */
void json_member_text(struct json_writer *writer, const char *key, struct text value);
void json_member_string(struct json_writer *writer, const char *key, const char *value);
void json_member_integer(struct json_writer *writer, const char *key, int64_t value);
void json_member_boolean(struct json_writer *writer, const char *key, bool value);
void json_member_time(struct json_writer *writer, const char *key, int64_t wall_us);

#endif
