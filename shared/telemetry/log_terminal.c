#include "config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "telemetry/log_terminal.h"

enum { SERVICE_WIDTH = 9 };   /* so that messages of services line up; "inventory" is the longest */

static const struct {
    const char *label, *colour;
} levels[LOG_LEVELS] = {
    [LOG_DEBUG] = {"debug   ", "\033[2m"},      [LOG_INFO] = {"info    ", "\033[32m"},
    [LOG_WARNING] = {"warning ", "\033[33m"},   [LOG_ERROR] = {"error   ", "\033[31m"},
    [LOG_CRITICAL] = {"critical", "\033[1;31m"},
};

/* The control characters U+0080 to U+009F are c2 80 to c2 9f. */
static bool is_printable(struct text text, size_t i, bool utf8)
{
    unsigned char c = (unsigned char)text.at[i];

    if (c < 0x80)
        return c >= 0x20 && c != 0x7f;
    if (!utf8)
        return false;
    return !(c == 0xc2 && (unsigned char)text.at[i + 1] < 0xa0)
        && !(c < 0xa0 && i > 0 && (unsigned char)text.at[i - 1] == 0xc2);
}

static void add_escaped(struct buf *out, struct text text, const char *also)
{
    bool utf8 = text_is_utf8(text);

    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '\n')
            buf_add_string(out, "\\n");
        else if (!is_printable(text, i, utf8))
            buf_addf(out, "\\x%02x", (unsigned char)text.at[i]);
        else if (text_find(text_of(also), text.at[i]) >= 0)
            buf_addf(out, "\\%c", text.at[i]);
        else
            buf_add_char(out, text.at[i]);
    }
}

/* Without the comma, the quotes and the colon. */
static void add_key(struct buf *out, struct text key)
{
    buf_add_char(out, ' ');
    buf_add_text(out, (struct text){key.at + 2, key.length - sizeof ",\"\":" + 1});
    buf_add_char(out, '=');
}

static void add_value(struct buf *out, struct text key, struct text value)
{
    add_key(out, key);
    value = log_value(value);
    if (text_is_visible_ascii(value) && value.length > 0 && text_find(value, '"') < 0) {
        buf_add_text(out, value);
        return;
    }
    buf_add_char(out, '"');
    add_escaped(out, value, "\"\\");
    buf_add_char(out, '"');
}

static void add_field(struct buf *out, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_NONE:
        break;
    case LOG_FIELD_TEXT:
        add_value(out, field->key, field->text.at ? field->text : TEXT("-"));
        break;
    case LOG_FIELD_INTEGER:
        add_key(out, field->key);
        buf_add_int(out, field->integer);
        break;
    case LOG_FIELD_NUMBER:
        add_key(out, field->key);
        buf_addf(out, "%g", field->number);
        break;
    case LOG_FIELD_DURATION:
        add_key(out, field->key);
        buf_add_milliseconds(out, field->integer);
        break;
    case LOG_FIELD_BOOLEAN:
        add_key(out, field->key);
        buf_add_string(out, field->boolean ? "true" : "false");
        break;
    case LOG_FIELD_SECRET:
        add_value(out, field->key, TEXT(LOG_REDACTED));
        break;
    case LOG_FIELD_MEMBERS:
        if (field->members)
            buf_add_text(out, field->members->terminal);
        break;
    case LOG_FIELD_ERR:
        break;
    }
}

static void add_known(struct buf *out, struct text key, struct text value)
{
    if (value.at)
        add_value(out, key, value);
}

static void add_id(struct buf *out, struct text key, const unsigned char *id, size_t length)
{
    char digits[2 * TRACE_ID_BYTES];

    add_value(out, key, (struct text){digits, (size_t)(hex_write(id, length, digits) - digits)});
}

static void add_context(struct buf *out, const struct log_event *event)
{
    add_known(out, LOG_KEY("request_id"), event->context.request_id);
    if (event->own) {
        add_id(out, LOG_KEY("trace_id"), event->own->trace_id, TRACE_ID_BYTES);
        add_id(out, LOG_KEY("span_id"), event->own->span_id, SPAN_ID_BYTES);
    } else {
        add_known(out, LOG_KEY("trace_id"), event->context.trace_id);
        add_known(out, LOG_KEY("span_id"), event->context.span_id);
    }
    add_known(out, LOG_KEY("user_id"), event->context.user_id);
}

static void add_begin(struct buf *out, const struct log_line *line)
{
    const struct log_what *what = &line->event->what;
    char time[CLOCK_RFC3339_SIZE];

    buf_add_string(out, clock_rfc3339(line->time_us, time));
    buf_addf(out, " %s%s%s ", line->coloured ? levels[what->level].colour : "", levels[what->level].label,
             line->coloured ? "\033[0m" : "");
    if (line->service)
        buf_addf(out, "%-*s ", SERVICE_WIDTH, line->service);
    add_escaped(out, log_value(text_of(what->message)), "");
}

static size_t length_of(const struct buf *out)
{
    return out->failed ? 0 : out->length;
}

size_t log_terminal_line(const struct log_line *line, bool with_fields, char to[static LOG_LINE_ROOM_BYTES])
{
    const char *from = line->event->fields;
    struct log_field field;
    struct buf out;

    buf_borrow(&out, to, LOG_LINE_MAX_BYTES + 1);
    add_begin(&out, line);
    for (size_t i = 0; with_fields && i < line->event->field_count; i++) {
        from = log_record_field(from, &field);
        add_field(&out, &field);
    }
    if (!with_fields)
        buf_add_string(&out, " " LOG_LEFT_OUT "=true");
    add_context(&out, line->event);
    buf_add_char(&out, '\n');
    return length_of(&out);
}

size_t log_terminal_fields(const struct log_field *fields, size_t count, char to[static LOG_LINE_ROOM_BYTES])
{
    struct buf out;

    buf_borrow(&out, to, LOG_LINE_MAX_BYTES + 1);
    for (size_t i = 0; i < count; i++)
        add_field(&out, &fields[i]);
    return length_of(&out);
}
