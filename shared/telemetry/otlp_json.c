/* OTLP in JSON: protobuf's mapping, but for ids, which are hexadecimal, and enumerators, which are numbers (OTLP
 * specification, "JSON Protobuf Encoding"). */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/json_write.h"
#include "telemetry/otlp_encoding.h"

enum { INTEGER_SIZE = 24, ARENA_MAX_BYTES = 256 * 1024 };

/* ---- writing ---- */

/* Two digits a byte. */
static void write_id(struct json_writer *writer, const char *key, const unsigned char *id, size_t length)
{
    char hex[2 * TRACE_ID_BYTES];
    hex_write(id, length, hex);
    json_member_text(writer, key, (struct text){hex, 2 * length});
}

/* JSON's own numbers end at 53 bits for many who read them. */
static void write_signed(struct json_writer *writer, const char *key, int64_t value)
{
    char decimal[INTEGER_SIZE];
    snprintf(decimal, sizeof decimal, "%" PRId64, value);
    json_member_string(writer, key, decimal);
}

static void write_unsigned(struct json_writer *writer, const char *key, uint64_t value)
{
    char decimal[INTEGER_SIZE];
    snprintf(decimal, sizeof decimal, "%" PRIu64, value);
    json_member_string(writer, key, decimal);
}

static void write_text_if_any(struct json_writer *writer, const char *key, struct text text)
{
    if (text.length > 0)
        json_member_text(writer, key, text);
}

static void write_value(struct json_writer *writer, const struct span_attribute *attribute)
{
    switch (attribute->type) {
    case SPAN_ATTRIBUTE_TEXT:
        json_member_text(writer, "stringValue", attribute->text.at ? attribute->text : TEXT(""));
        return;
    case SPAN_ATTRIBUTE_INTEGER:
        write_signed(writer, "intValue", attribute->integer);
        return;
    case SPAN_ATTRIBUTE_BOOLEAN:
        json_member_boolean(writer, "boolValue", attribute->boolean);
        return;
    }
}

static void write_attribute(const struct span_attribute *attribute, void *context)
{
    struct json_writer *writer = context;
    json_object_begin(writer);
    json_member_string(writer, "key", attribute->key);
    json_key(writer, "value");
    json_object_begin(writer);
    write_value(writer, attribute);
    json_object_end(writer);
    json_object_end(writer);
}

static void write_attributes(struct json_writer *writer, const struct span *span)
{
    if (span->attribute_count == 0)
        return;
    json_key(writer, "attributes");
    json_array_begin(writer);
    for (size_t i = 0; i < span->attribute_count; i++)
        write_attribute(&span->attributes[i], writer);
    json_array_end(writer);
}

static void write_status(struct json_writer *writer, const struct span *span)
{
    if (span->status == SPAN_UNSET)
        return;
    json_key(writer, "status");
    json_object_begin(writer);
    write_text_if_any(writer, "message", span->status_message);
    json_member_integer(writer, "code", span->status);
    json_object_end(writer);
}

static void write_span(const struct span *span, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    write_id(&writer, "traceId", span->trace_id, TRACE_ID_BYTES);
    write_id(&writer, "spanId", span->span_id, SPAN_ID_BYTES);
    write_text_if_any(&writer, "traceState", span->trace_state);
    if (otlp_has_parent(span))
        write_id(&writer, "parentSpanId", span->parent_id, SPAN_ID_BYTES);
    write_text_if_any(&writer, "name", span->name);
    json_member_integer(&writer, "kind", span->kind);
    write_unsigned(&writer, "startTimeUnixNano", (uint64_t)span->start_ns);
    write_unsigned(&writer, "endTimeUnixNano", (uint64_t)span->end_ns);
    write_attributes(&writer, span);
    write_status(&writer, span);
    json_member_integer(&writer, "flags", otlp_span_flags(span));
    json_object_end(&writer);
}

/* The objects and lists that the spans are in stay open; the tail closes them. */
static void write_head(const struct otlp_resource *resource, size_t spans_bytes, struct buf *out)
{
    struct json_writer writer;
    (void)spans_bytes;
    buf_add_string(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":");
    json_writer_init(&writer, out);
    json_array_begin(&writer);
    otlp_each_attribute(resource, write_attribute, &writer);
    json_array_end(&writer);
    buf_add_string(out, "},\"scopeSpans\":[{\"scope\":");
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_string(&writer, "name", OTLP_SCOPE_NAME);
    json_member_string(&writer, "version", OTLP_SCOPE_VERSION);
    json_object_end(&writer);
    buf_add_string(out, ",\"spans\":[");
}

/* ---- reading: the few members of a response ---- */

/* Reads into the struct at out, by fields, in an arena of its own. */
static enum err read_object(struct text body, const struct json_field *fields, struct arena *arena, void *out)
{
    struct json_document *document;
    struct json_faults faults;
    if (json_parse(body, &document) != ERR_NONE)
        return err_because(ERR_PROTOCOL, "what it answered is not JSON");
    enum err err = json_read_lenient(document, fields, arena, out, &faults);
    json_free(document);
    return err == ERR_MEMORY ? err : err ? err_because(ERR_PROTOCOL, "what it answered is not OTLP in JSON") : err;
}

struct partial {
    struct text rejected_text, message;
    int64_t rejected;
};

/* The count may be a string or a number, and is tried as both. */
static enum err read_partial(struct text body, bool as_text, struct arena *arena, struct partial *ret)
{
    const struct json_field members[] = {
        {.name = "rejectedSpans", .type = as_text ? JSON_TEXT : JSON_INTEGER,
         .offset = as_text ? offsetof(struct partial, rejected_text) : offsetof(struct partial, rejected)},
        {.name = "errorMessage", .type = JSON_TEXT, .offset = offsetof(struct partial, message)},
        {.name = NULL},
    };
    const struct json_field fields[] = {
        {.name = "partialSuccess", .type = JSON_OBJECT, .fields = members},
        {.name = NULL},
    };
    return read_object(body, fields, arena, ret);
}

static enum err read_response(struct text body, struct otlp_response *ret)
{
    struct otlp_response response = {.rejected_spans = 0};
    struct partial partial = {.rejected = 0};
    struct arena arena;
    enum err err = ERR_NONE;
    arena_init(&arena, ARENA_MAX_BYTES);
    if (body.length > 0) {
        err = read_partial(body, true, &arena, &partial);
        if (err == ERR_PROTOCOL)
            err = read_partial(body, false, &arena, &partial);
        if (!err && partial.rejected_text.at && text_to_int(partial.rejected_text, &partial.rejected) != ERR_NONE)
            err = err_because(ERR_PROTOCOL, "it answered with a count of rejected spans that is none");
    }
    if (!err) {
        response.rejected_spans = partial.rejected;
        otlp_keep_message(partial.message, &response);
        *ret = response;
    }
    arena_fini(&arena);
    return err;
}

static enum err read_status(struct text body, struct otlp_response *ret)
{
    static const struct json_field fields[] = {
        {.name = "message", .type = JSON_TEXT, .offset = 0},
        {.name = NULL},
    };
    struct otlp_response response = {.rejected_spans = 0};
    struct text message = TEXT_NONE;
    struct arena arena;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = read_object(body, fields, &arena, &message);
    if (!err) {
        otlp_keep_message(message, &response);
        *ret = response;
    }
    arena_fini(&arena);
    return err;
}

const struct otlp_encoding otlp_json = {
    .content_type = "application/json",
    .separator = {",", 1},
    .tail = {"]}]}]}", 6},
    .span_bytes = 320,
    .attribute_bytes = 48,
    .write_head = write_head,
    .write_span = write_span,
    .read_response = read_response,
    .read_status = read_status,
};
