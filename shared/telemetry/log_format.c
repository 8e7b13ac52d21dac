#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "telemetry/log_format.h"
#include "telemetry/log_record.h"
#include "telemetry/trace.h"

enum { SERVICE_WIDTH = 9 };   /* so that messages of services line up; "inventory" is the longest */

static const char redacted[] = "[redacted]";
static const char left_out[] = "fields_left_out";

/* In either format, as a line has them. */
struct log_members {
    struct buf json, terminal;
    struct log_members *next;
};

/* All there are: nobody frees them, and nobody shall take them for lost. */
static _Atomic(struct log_members *) all_members;

struct text log_value(struct text value)
{
    if (value.length > LOG_VALUE_MAX_BYTES)
        value.length = LOG_VALUE_MAX_BYTES;
    return value;
}

/* ---- JSON ---- */

static void json_field_write(struct json_writer *writer, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_NONE:
        break;
    case LOG_FIELD_TEXT:
        json_member_raw_text(writer, field->key, log_value(field->text));
        break;
    case LOG_FIELD_INTEGER:
        json_member_raw_integer(writer, field->key, field->integer);
        break;
    case LOG_FIELD_DURATION:
        json_member_raw_milliseconds(writer, field->key, field->integer);
        break;
    case LOG_FIELD_NUMBER:
        json_key_raw(writer, field->key);
        json_number(writer, field->number);
        break;
    case LOG_FIELD_BOOLEAN:
        json_key_raw(writer, field->key);
        json_boolean(writer, field->boolean);
        break;
    case LOG_FIELD_SECRET:
        json_key_raw(writer, field->key);
        json_string(writer, redacted);
        break;
    case LOG_FIELD_MEMBERS:
        json_raw(writer, buf_text(&field->members->json));
        break;
    case LOG_FIELD_ERR:
        break;   /* a record has others for it */
    }
}

static void json_known(struct json_writer *writer, struct text key, struct text value)
{
    if (value.at)
        json_member_raw_text(writer, key, log_value(value));
}

static void json_context(struct json_writer *writer, const struct log_line *line)
{
    const struct log_context *context = line->context;

    json_known(writer, LOG_KEY("request_id"), context->request_id);
    if (line->own_ids) {
        json_member_raw_plain(writer, LOG_KEY("trace_id"), context->trace_id);
        json_member_raw_plain(writer, LOG_KEY("span_id"), context->span_id);
    } else {
        json_known(writer, LOG_KEY("trace_id"), context->trace_id);
        json_known(writer, LOG_KEY("span_id"), context->span_id);
    }
    json_known(writer, LOG_KEY("user_id"), context->user_id);
}

static void format_json(const struct log_line *line, bool with_fields, struct buf *out)
{
    const char *at = line->fields;
    struct log_field field;
    struct json_writer writer;

    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_raw_time(&writer, LOG_KEY("time"), line->time_us);
    json_raw(&writer, line->head);
    json_context(&writer, line);
    for (size_t i = 0; with_fields && i < line->field_count; i++) {
        at = log_record_field(at, &field);
        json_field_write(&writer, &field);
    }
    if (!with_fields)
        json_member_boolean(&writer, left_out, true);
    json_object_end(&writer);
    buf_add_char(out, '\n');
}

/* ---- for a terminal ---- */

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

/* Without the quotes and the colon. */
static void add_key(struct buf *out, struct text key)
{
    buf_add_char(out, ' ');
    buf_add_text(out, (struct text){key.at + 1, key.length - sizeof "\"\":" + 1});
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

static void terminal_field_write(struct buf *out, const struct log_field *field)
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
        add_value(out, field->key, text_of(redacted));
        break;
    case LOG_FIELD_MEMBERS:
        buf_add_text(out, buf_text(&field->members->terminal));
        break;
    case LOG_FIELD_ERR:
        break;
    }
}

static void terminal_known(struct buf *out, struct text key, struct text value)
{
    if (value.at)
        add_value(out, key, value);
}

static void format_terminal(const struct log_line *line, bool with_fields, struct buf *out)
{
    const char *at = line->fields;
    struct log_field field;
    char time[CLOCK_RFC3339_SIZE];

    buf_add_string(out, clock_rfc3339(line->time_us, time));
    buf_addf(out, " %s%s%s ", line->coloured ? levels[line->what->level].colour : "", levels[line->what->level].label,
             line->coloured ? "\033[0m" : "");
    if (line->service)
        buf_addf(out, "%-*s ", SERVICE_WIDTH, line->service);
    add_escaped(out, log_value(text_of(line->what->message)), "");
    for (size_t i = 0; with_fields && i < line->field_count; i++) {
        at = log_record_field(at, &field);
        terminal_field_write(out, &field);
    }
    if (!with_fields)
        buf_addf(out, " %s=true", left_out);
    terminal_known(out, LOG_KEY("request_id"), line->context->request_id);
    terminal_known(out, LOG_KEY("trace_id"), line->context->trace_id);
    terminal_known(out, LOG_KEY("span_id"), line->context->span_id);
    terminal_known(out, LOG_KEY("user_id"), line->context->user_id);
    buf_add_char(out, '\n');
}

void log_line_format(const struct log_line *line, enum log_format format, struct buf *out)
{
    void (*write)(const struct log_line *, bool, struct buf *) = format == LOG_JSON ? format_json : format_terminal;

    buf_reset(out, LOG_LINE_MAX_BYTES);
    write(line, !line->left_out, out);
    if (!out->failed)
        return;
    buf_reset(out, LOG_LINE_MAX_BYTES);
    write(line, false, out);
}

/* ---- made ready ---- */

static void members_free(struct log_members *members)
{
    buf_fini(&members->json);
    buf_fini(&members->terminal);
    free(members);
}

static void keep(struct log_members *members)
{
    members->next = atomic_load(&all_members);
    while (!atomic_compare_exchange_weak(&all_members, &members->next, members))
        continue;
}

const struct log_members *log_members_new(const struct log_field *fields, size_t count)
{
    struct log_members *members = calloc(1, sizeof *members);
    struct json_writer writer;

    if (!members)
        return NULL;
    buf_init(&members->json, LOG_LINE_MAX_BYTES);
    buf_init(&members->terminal, LOG_LINE_MAX_BYTES);
    json_writer_init(&writer, &members->json);
    json_object_begin(&writer);
    if (!members->json.failed)
        buf_consume(&members->json, 1);
    for (size_t i = 0; i < count; i++) {
        json_field_write(&writer, &fields[i]);
        terminal_field_write(&members->terminal, &fields[i]);
    }
    if (buf_check(&members->json) || buf_check(&members->terminal) || members->json.length == 0) {
        members_free(members);
        return NULL;
    }
    keep(members);
    return members;
}
