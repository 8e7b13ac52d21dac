#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka_message.h"
#include "telemetry/trace.h"

static const char json_type[] = "application/json", structured_type[] = "application/cloudevents+json";
static const char version[] = "1.0";

/* All that the headers may tell; others are passed over. */
struct headers {
    struct text specversion, id, type, source, subject, time, traceparent, tracestate, request_id, content_type;
};

static const struct attribute {
    const char *name;
    bool required;
    size_t offset;
} attributes[] = {
    {"ce_specversion", true, offsetof(struct headers, specversion)},
    {"ce_id", true, offsetof(struct headers, id)},
    {"ce_type", true, offsetof(struct headers, type)},
    {"ce_source", true, offsetof(struct headers, source)},
    {"ce_subject", true, offsetof(struct headers, subject)},
    {"ce_time", true, offsetof(struct headers, time)},
    {"ce_traceparent", false, offsetof(struct headers, traceparent)},
    {"ce_tracestate", false, offsetof(struct headers, tracestate)},
    {"ce_requestid", false, offsetof(struct headers, request_id)},
    {"content-type", false, offsetof(struct headers, content_type)},
};

enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

static struct text *member(struct headers *headers, const struct attribute *attribute)
{
    return (struct text *)((char *)headers + attribute->offset);
}

/* ---- writing ---- */

rd_kafka_headers_t *kafka_message_headers(const struct event *event)
{
    char time[CLOCK_RFC3339_SIZE];
    struct headers values = {
        .specversion = text_of(version), .id = event->id, .type = event->type, .source = event->source,
        .subject = event->subject, .time = text_of(clock_rfc3339(event->time_us, time)),
        .traceparent = event->traceparent, .tracestate = event->tracestate, .request_id = event->request_id,
        .content_type = event->data.at ? text_of(json_type) : TEXT_NONE,
    };
    rd_kafka_headers_t *headers = rd_kafka_headers_new(ATTRIBUTES);
    for (size_t i = 0; headers && i < ATTRIBUTES; i++) {
        struct text value = *member(&values, &attributes[i]);
        if (value.at && rd_kafka_header_add(headers, attributes[i].name, -1, value.at, (ssize_t)value.length)) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
    }
    return headers;
}

/* ---- reading ---- */

static enum err take_header(const char *name, struct text value, struct headers *headers)
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        struct text *known = member(headers, &attributes[i]);
        if (strcmp(attributes[i].name, name) != 0)
            continue;
        if (known->at)
            return err_because(ERR_MALFORMED, "a message with the header %s twice", name);
        if (!value.at)
            return err_because(ERR_MALFORMED, "a message whose header %s has no value", name);
        *known = value;
    }
    return ERR_NONE;
}

static enum err read_headers(const rd_kafka_message_t *message, struct headers *ret)
{
    struct headers headers = {.specversion = TEXT_NONE};
    rd_kafka_headers_t *list;
    const char *name;
    const void *value;
    size_t size;
    enum err err = ERR_NONE;
    if (rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (size_t i = 0; !err && !rd_kafka_header_get_all(list, i, &name, &value, &size); i++)
            err = take_header(name, (struct text){value, size}, &headers);
    if (!err)
        *ret = headers;
    return err;
}

struct text kafka_message_type(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *list;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &list) || rd_kafka_header_get_last(list, "ce_type", &value, &size))
        return TEXT_NONE;
    return (struct text){value, size};
}

/* Without its parameters, "; charset=utf-8". */
static bool is_content(struct text content_type, const char *wanted)
{
    struct text rest = content_type;
    return content_type.at && text_equal_nocase(text_trim(text_split(&rest, ';')), text_of(wanted));
}

static enum err check_headers(struct headers *headers)
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        struct text value = *member(headers, &attributes[i]);
        if (attributes[i].required && !value.at)
            return err_because(ERR_MALFORMED, "a message without the header %s", attributes[i].name);
        if (value.at && !text_is_utf8(value))
            return err_because(ERR_MALFORMED, "a message whose header %s is not UTF-8", attributes[i].name);
    }
    if (!text_equal_string(headers->specversion, version))
        return err_because(ERR_MALFORMED, "an event of specversion %.*s", TEXT_ARGS(headers->specversion));
    if (headers->content_type.at && !is_content(headers->content_type, json_type))
        return err_because(ERR_MALFORMED, "an event whose data is not %s", json_type);
    return ERR_NONE;
}

static enum err copy_event(struct arena *arena, struct event *event)
{
    struct text *const texts[] = {&event->id, &event->type, &event->source, &event->subject, &event->traceparent,
                                  &event->tracestate, &event->request_id, &event->data};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!texts[i]->at)
            continue;
        *texts[i] = arena_text(arena, *texts[i]);
        if (!texts[i]->at)
            return err_because(ERR_MEMORY, "an event does not fit");
    }
    return ERR_NONE;
}

static enum err read_binary(const rd_kafka_message_t *message, struct headers *headers, struct arena *arena,
                            struct event *ret)
{
    enum err err = check_headers(headers);
    if (err)
        return err;
    struct event event = {.id = headers->id, .type = headers->type, .source = headers->source,
                          .subject = headers->subject, .traceparent = headers->traceparent,
                          .tracestate = tracestate_taken(headers->tracestate),
                          .request_id = headers->request_id};
    if (message->len > 0)
        event.data = (struct text){message->payload, message->len};
    err = clock_parse_rfc3339(headers->time, &event.time_us);
    if (!err && event_check(&event))
        err = ERR_MALFORMED;
    if (!err)
        err = copy_event(arena, &event);
    if (!err)
        *ret = event;
    return err;
}

enum err kafka_message_read(const rd_kafka_message_t *message, struct arena *arena, struct event *ret)
{
    struct headers headers;
    enum err err = read_headers(message, &headers);
    if (err)
        return err;
    if (!is_content(headers.content_type, structured_type))
        return read_binary(message, &headers, arena, ret);
    struct event event;
    err = event_read((struct text){message->payload ? message->payload : "", message->len}, arena, &event);
    if (!err && event_check(&event))
        err = ERR_MALFORMED;
    if (!err)
        *ret = event;
    return err;
}

/* ---- topics ---- */

enum err kafka_topic(const char *prefix, struct text type, char *out, size_t size)
{
    struct text rest = type, word = text_split(&rest, '.');
    for (size_t i = 0; i < word.length; i++) {
        char c = word.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return err_because(ERR_INVALID, "events of the type %.*s have no topic: it begins with a word of letters, "
                                            "digits, '_' and '-'", TEXT_ARGS(type));
    }
    int length = snprintf(out, size, "%s.%.*s", prefix, TEXT_ARGS(word));
    if (word.length == 0 || length < 0 || (size_t)length >= size)
        return err_because(ERR_INVALID, "events of the type %.*s have no topic: its name would be too long or empty",
                           TEXT_ARGS(type));
    return ERR_NONE;
}
