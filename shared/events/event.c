#include "config.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "events/event_private.h"
#include "telemetry/trace.h"

/* CloudEvents 1.0.2, JSON event format 1.0.2. */
static const char content_type[] = "application/json";

void event_write(const struct event *event, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_string(&writer, "specversion", "1.0");
    json_member_text(&writer, "id", event->id);
    json_member_text(&writer, "type", event->type);
    json_member_text(&writer, "source", event->source);
    json_member_text(&writer, "subject", event->subject);
    json_member_time(&writer, "time", event->time_us);
    if (event->traceparent.at)
        json_member_text(&writer, "traceparent", event->traceparent);
    if (event->tracestate.at)
        json_member_text(&writer, "tracestate", event->tracestate);
    if (event->request_id.at)
        json_member_text(&writer, "requestid", event->request_id);
    if (event->data.at) {
        json_member_string(&writer, "datacontenttype", content_type);
        json_key(&writer, "data");
        json_raw(&writer, event->data);
    }
    json_object_end(&writer);
}

struct text event_family(struct text type)
{
    size_t length = type.length;
    while (length > 0 && type.at[length - 1] >= '0' && type.at[length - 1] <= '9')
        length--;
    bool has_version = length < type.length && length > 2 && type.at[length - 1] == 'v' && type.at[length - 2] == '.';
    return has_version ? (struct text){type.at, length} : TEXT_NONE;
}

/* ---- checking ---- */

static enum err check_attribute(const char *name, struct text value, bool required)
{
    if (required && value.length == 0)
        return err_because(ERR_INVALID, "an event without %s", name);
    if (value.length > EVENT_MAX_ATTRIBUTE_BYTES)
        return err_because(ERR_INVALID, "an event whose %s has %zu bytes", name, value.length);
    if (!text_is_utf8(value))
        return err_because(ERR_INVALID, "an event whose %s is not UTF-8", name);
    return ERR_NONE;
}

enum err event_check(const struct event *event)
{
    const struct {
        const char *name;
        struct text value;
        bool required;
    } attributes[] = {
        {"id", event->id, true},           {"type", event->type, true},
        {"source", event->source, true},   {"subject", event->subject, true},
        {"traceparent", event->traceparent, false}, {"requestid", event->request_id, false},
    };
    if (event->tracestate.at && !tracestate_taken(event->tracestate).at)
        return err_because(ERR_INVALID, "an event whose tracestate is none");
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        enum err err = check_attribute(attributes[i].name, attributes[i].value, attributes[i].required);
        if (err)
            return err;
    }
    size_t members;
    if (event->data.length > EVENT_MAX_BYTES - EVENT_ENVELOPE_BYTES)
        return err_because(ERR_INVALID, "an event with %zu bytes of data", event->data.length);
    if (event->data.at && json_check(event->data, &members))
        return err_because(ERR_INVALID, "an event whose data is not JSON: %.300s", err_cause());
    return ERR_NONE;
}

/* ---- reading ---- */

struct envelope {
    struct text specversion, id, type, source, subject, time, traceparent, tracestate, request_id, content_type,
        base64;
};

#define ATTRIBUTE(name, member, required) \
    {name, JSON_TEXT, required, required ? 1 : 0, 0, offsetof(struct envelope, member), NULL, NULL, NULL, 0}

static const struct json_field envelope_fields[] = {
    ATTRIBUTE("specversion", specversion, true),
    ATTRIBUTE("id", id, true),
    ATTRIBUTE("type", type, true),
    ATTRIBUTE("source", source, true),
    ATTRIBUTE("subject", subject, true),
    ATTRIBUTE("time", time, true),
    ATTRIBUTE("traceparent", traceparent, false),
    ATTRIBUTE("tracestate", tracestate, false),
    ATTRIBUTE("requestid", request_id, false),
    ATTRIBUTE("datacontenttype", content_type, false),
    ATTRIBUTE("data_base64", base64, false),
    {NULL, JSON_TEXT, false, 0, 0, 0, NULL, NULL, NULL, 0},
};

/* Behind the value that starts at `at`, in text that is known to be JSON. */
static size_t skip_value(struct text json, size_t at)
{
    unsigned depth = 0;
    bool in_string = false;
    for (; at < json.length; at++) {
        char c = json.at[at];
        if (in_string) {
            at += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ':' || is_space(c))) {
            break;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return at;
}

static size_t skip_space(struct text json, size_t at)
{
    while (at < json.length && is_space(json.at[at]))
        at++;
    return at;
}

/* The data member as it stands in an envelope that is known to be a JSON object; absent when there is none. Attribute
 * names have only lower-case letters and digits, so a key with an escape is not `data`. */
static struct text find_data(struct text json)
{
    size_t at = skip_space(json, 0) + 1;
    while (at < json.length) {
        size_t key = skip_space(json, at);
        size_t key_end = skip_value(json, key);
        size_t value = skip_space(json, skip_space(json, key_end) + 1);
        if (value >= json.length)
            break;
        size_t value_end = skip_value(json, value);
        if (text_equal((struct text){json.at + key, key_end - key}, TEXT("\"data\"")))
            return (struct text){json.at + value, value_end - value};
        at = skip_space(json, value_end) + 1;
    }
    return TEXT_NONE;
}

static enum err take(const struct envelope *envelope, struct text json, struct arena *arena, struct event *ret)
{
    struct event event = {.id = envelope->id, .type = envelope->type, .source = envelope->source,
                          .subject = envelope->subject, .traceparent = envelope->traceparent,
                          .tracestate = tracestate_taken(envelope->tracestate),
                          .request_id = envelope->request_id};
    if (!text_equal_string(envelope->specversion, "1.0"))
        return err_because(ERR_MALFORMED, "an event of specversion %.*s", TEXT_ARGS(envelope->specversion));
    if (envelope->base64.at || (envelope->content_type.at && !text_equal_string(envelope->content_type, content_type)))
        return err_because(ERR_MALFORMED, "an event whose data is not %s", content_type);
    enum err err = clock_parse_rfc3339(envelope->time, &event.time_us);
    if (err)
        return err;
    struct text data = find_data(json);
    if (data.at) {
        event.data = arena_text(arena, data);
        if (!event.data.at)
            return err_because(ERR_MEMORY, "an event's data does not fit");
    }
    *ret = event;
    return ERR_NONE;
}

enum err event_read(struct text json, struct arena *arena, struct event *ret)
{
    if (json.length > EVENT_MAX_BYTES)
        return err_because(ERR_MALFORMED, "an event of %zu bytes", json.length);
    if (event_read_own(json, arena, ret))
        return ERR_NONE;
    struct json_document *document = NULL;
    struct envelope envelope;
    struct json_faults faults = {.count = 0};
    memset(&envelope, 0, sizeof envelope);

    enum err err = json_parse(json, &document);
    if (!err)
        err = json_read_lenient(document, envelope_fields, arena, &envelope, &faults);
    if (err == ERR_INVALID && faults.count)
        err = err_because(ERR_MALFORMED, "an event whose %.*s %s", TEXT_ARGS(faults.list[0].pointer),
                          faults.list[0].reason);
    else if (err == ERR_INVALID)
        err = ERR_MALFORMED;
    if (!err)
        err = take(&envelope, json, arena, ret);
    json_free(document);
    return err;
}
