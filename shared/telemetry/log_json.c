#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/hex.h"
#include "base/json_plain.h"
#include "base/json_write.h"
#include "telemetry/log_json.h"

enum { ESCAPED_MAX_BYTES = 6, NUMBER_MAX_BYTES = 32, KEY_MAX_BYTES = UINT8_MAX };

/* A field may begin at the longest line's end; and so may what is ready, which is no longer than a line. */
_Static_assert(LOG_LINE_MAX_BYTES + KEY_MAX_BYTES + sizeof "\"\"" + ESCAPED_MAX_BYTES * LOG_VALUE_MAX_BYTES <=
               LOG_LINE_ROOM_BYTES, "there is room for a text more than a line has");
_Static_assert(2 * LOG_LINE_MAX_BYTES <= LOG_LINE_ROOM_BYTES, "and for what is ready");

/* Each of these returns where the next one begins. */

static inline char *put(char *at, struct text text)
{
    return mempcpy(at, text.at, text.length);
}

/* What nearly never is needed, by the writer that knows it all. */
static char *put_escaped(char *at, struct text value)
{
    struct json_writer writer;
    struct buf out;

    buf_borrow(&out, at, ESCAPED_MAX_BYTES * value.length + sizeof "\"\"");
    json_writer_init(&writer, &out);
    json_text(&writer, value);
    return at + out.length;
}

static char *put_number(char *at, double number)
{
    struct json_writer writer;
    struct buf out;

    buf_borrow(&out, at, NUMBER_MAX_BYTES);
    json_writer_init(&writer, &out);
    json_number(&writer, number);
    return at + out.length;
}

static inline char *put_text(char *at, struct text value)
{
    if (!json_copy_plain(value, at + 1))
        return put_escaped(at, value);
    at[0] = '"';
    at[value.length + 1] = '"';
    return at + value.length + 2;
}

/* ---- fields ---- */

static char *put_field(char *at, const struct log_field *field)
{
    assert(field->key.length <= KEY_MAX_BYTES);
    switch (field->type) {
    case LOG_FIELD_TEXT:
        at = put(at, field->key);
        return field->text.at ? put_text(at, log_value(field->text)) : put(at, TEXT("null"));
    case LOG_FIELD_INTEGER:
        return decimal_write(put(at, field->key), field->integer);
    case LOG_FIELD_DURATION:
        return decimal_write_milliseconds(put(at, field->key), field->integer);
    case LOG_FIELD_NUMBER:
        return put_number(put(at, field->key), field->number);
    case LOG_FIELD_BOOLEAN:
        return put(put(at, field->key), field->boolean ? TEXT("true") : TEXT("false"));
    case LOG_FIELD_SECRET:
        return put_text(put(at, field->key), TEXT(LOG_REDACTED));
    case LOG_FIELD_MEMBERS:
        return field->members ? put(at, field->members->json) : at;
    case LOG_FIELD_NONE:
    case LOG_FIELD_ERR:            /* a record has others for it */
        break;
    }
    return at;
}

size_t log_json_fields(const struct log_field *fields, size_t count, char out[static LOG_LINE_ROOM_BYTES])
{
    char *at = out;

    for (size_t i = 0; i < count && at <= out + LOG_LINE_MAX_BYTES; i++)
        at = put_field(at, &fields[i]);
    return at <= out + LOG_LINE_MAX_BYTES ? (size_t)(at - out) : 0;
}

/* NULL when they are too long. */
static char *put_fields(char *at, const struct log_event *event, const char *end)
{
    const char *from = event->fields;
    struct log_field field;

    for (size_t i = 0; i < event->field_count && at <= end; i++) {
        from = log_record_field(from, &field);
        at = put_field(at, &field);
    }
    return at <= end ? at : NULL;
}

/* ---- a line ---- */

static inline char *put_known(char *at, struct text key, struct text value)
{
    return value.at ? put_text(put(at, key), value) : at;
}

/* Digits, which stand for themselves. */
static inline char *put_id(char *at, struct text key, const unsigned char *id, size_t length)
{
    at = hex_write(id, length, put(at, key));
    *at = '"';
    return at + 1;
}

static inline char *put_context(char *at, const struct log_event *event)
{
    const struct log_context *context = &event->context;

    at = put_known(at, LOG_KEY("request_id"), context->request_id);
    if (event->own) {
        at = put_id(at, TEXT(",\"trace_id\":\""), event->own->trace_id, TRACE_ID_BYTES);
        at = put_id(at, TEXT(",\"span_id\":\""), event->own->span_id, SPAN_ID_BYTES);
    } else {
        at = put_known(at, LOG_KEY("trace_id"), context->trace_id);
        at = put_known(at, LOG_KEY("span_id"), context->span_id);
    }
    return put_known(at, LOG_KEY("user_id"), context->user_id);
}

/* The zero behind a time stands where its second quote goes. */
static inline char *put_time(char *at, int64_t time_us)
{
    at = put(at, TEXT("{\"time\":\""));
    clock_rfc3339(time_us, at);
    at[CLOCK_RFC3339_SIZE - 1] = '"';
    return at + CLOCK_RFC3339_SIZE;
}

size_t log_json_line(const struct log_line *line, bool with_fields, char out[static LOG_LINE_ROOM_BYTES])
{
    static const struct text end = TEXT("}\n");
    char *at = put_time(out, line->time_us);

    at = put_context(put(at, line->head), line->event);
    if (with_fields)
        at = put_fields(at, line->event, out + LOG_LINE_MAX_BYTES - end.length);
    else
        at = put(at, TEXT(",\"" LOG_LEFT_OUT "\":true"));
    return at ? (size_t)(put(at, end) - out) : 0;
}
