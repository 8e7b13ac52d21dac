/* OTLP in protobuf: what of its wire format is needed (protobuf.dev, "Encoding"), and the numbers of the fields. */
#include "config.h"

#include <string.h>

#include "base/utf8.h"
#include "telemetry/otlp_encoding.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum { VARINT_MAX_BYTES = 10 };

/* opentelemetry/proto/collector/trace/v1, trace/v1, resource/v1, common/v1 */
enum { REQUEST_RESOURCE_SPANS = 1 };
enum { RESOURCE_SPANS_RESOURCE = 1, RESOURCE_SPANS_SCOPE_SPANS = 2 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_SPANS_SCOPE = 1, SCOPE_SPANS_SPANS = 2 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2 };
enum {
    SPAN_TRACE_ID = 1, SPAN_SPAN_ID = 2, SPAN_TRACE_STATE = 3, SPAN_PARENT_SPAN_ID = 4, SPAN_NAME = 5, SPAN_KIND = 6,
    SPAN_START_TIME_UNIX_NANO = 7, SPAN_END_TIME_UNIX_NANO = 8, SPAN_ATTRIBUTES = 9, SPAN_STATUS = 15, SPAN_FLAGS = 16,
};
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_VALUE_STRING = 1, ANY_VALUE_BOOL = 2, ANY_VALUE_INT = 3 };
enum { RESPONSE_PARTIAL_SUCCESS = 1, PARTIAL_REJECTED_SPANS = 1, PARTIAL_ERROR_MESSAGE = 2 };
enum { RPC_STATUS_MESSAGE = 2 };

/* ---- writing ---- */

static size_t put_varint(uint64_t value, unsigned char out[static VARINT_MAX_BYTES])
{
    size_t length = 0;
    for (; value > 0x7f; value >>= 7)
        out[length++] = (unsigned char)(value | 0x80);
    out[length++] = (unsigned char)value;
    return length;
}

static void add_varint(struct buf *out, uint64_t value)
{
    unsigned char bytes[VARINT_MAX_BYTES];
    if (value <= 0x7f)   /* a tag, a short length: as most are */
        buf_add_char(out, (char)value);
    else
        buf_add(out, bytes, put_varint(value, bytes));
}

static void add_tag(struct buf *out, unsigned field, enum wire wire)
{
    add_varint(out, field << 3 | (unsigned)wire);
}

static void add_integer(struct buf *out, unsigned field, uint64_t value)
{
    add_tag(out, field, WIRE_VARINT);
    add_varint(out, value);
}

/* The low `bytes` of value, least first. */
static void add_fixed(struct buf *out, unsigned field, enum wire wire, uint64_t value, size_t bytes)
{
    unsigned char little[8];
    add_tag(out, field, wire);
    for (size_t i = 0; i < bytes; i++)
        little[i] = (unsigned char)(value >> (8 * i));
    buf_add(out, little, bytes);
}

static void add_bytes(struct buf *out, unsigned field, const void *bytes, size_t length)
{
    add_tag(out, field, WIRE_BYTES);
    add_varint(out, length);
    buf_add(out, bytes, length);
}

/* A message, or whatever else tells its length first: what is added between begin() and end(). */
static size_t begin(struct buf *out, unsigned field)
{
    add_tag(out, field, WIRE_BYTES);
    return out->length;
}

/* `more` bytes of it are yet to come. */
static void end(struct buf *out, size_t start, size_t more)
{
    unsigned char length[VARINT_MAX_BYTES];
    size_t content = out->length - start;
    size_t width = put_varint(content + more, length);
    if (!buf_reserve(out, width))
        return;
    memmove(out->data + start + width, out->data + start, content);
    memcpy(out->data + start, length, width);
    buf_commit(out, width);
}

static void add_mended(struct buf *out, unsigned field, struct text text)
{
    size_t start = begin(out, field), run = 0, at = 0;
    while (at < text.length) {
        size_t step = utf8_step(text.at + at, text.length - at);
        if (step > 0) {
            at += step;
            continue;
        }
        buf_add(out, text.at + run, at - run);
        buf_add_string(out, "\xef\xbf\xbd");
        run = ++at;
    }
    buf_add(out, text.at + run, at - run);
    end(out, start, 0);
}

/* What is not UTF-8 would have the receiver refuse the whole request. */
static void add_text(struct buf *out, unsigned field, struct text text)
{
    if (text_is_utf8(text))
        add_bytes(out, field, text.at, text.length);
    else
        add_mended(out, field, text);
}

static void add_text_if_any(struct buf *out, unsigned field, struct text text)
{
    if (text.length > 0)
        add_text(out, field, text);
}

/* ---- attributes: most of a span, so their lengths are reckoned rather than put in afterwards ---- */

/* How long a varint is: seven bits a byte. */
static size_t varint_bytes(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

/* Of a field with a number below 16 that tells its length. */
static size_t bytes_field_bytes(size_t length)
{
    return 1 + varint_bytes(length) + length;
}

static size_t value_bytes(const struct span_attribute *attribute)
{
    switch (attribute->type) {
    case SPAN_ATTRIBUTE_TEXT:
        return bytes_field_bytes(attribute->text.length);
    case SPAN_ATTRIBUTE_INTEGER:
        return 1 + varint_bytes((uint64_t)attribute->integer);
    case SPAN_ATTRIBUTE_BOOLEAN:
        return 2;
    }
    return 0;
}

static void add_value(struct buf *out, const struct span_attribute *attribute)
{
    switch (attribute->type) {
    case SPAN_ATTRIBUTE_TEXT:
        add_bytes(out, ANY_VALUE_STRING, attribute->text.at, attribute->text.length);
        return;
    case SPAN_ATTRIBUTE_INTEGER:
        add_integer(out, ANY_VALUE_INT, (uint64_t)attribute->integer);
        return;
    case SPAN_ATTRIBUTE_BOOLEAN:
        add_integer(out, ANY_VALUE_BOOL, attribute->boolean);
        return;
    }
}

/* One whose text is mended, and so has another length than it came with. */
static void add_mended_attribute(struct buf *out, unsigned field, const struct span_attribute *attribute)
{
    size_t start = begin(out, field);
    add_bytes(out, KEY_VALUE_KEY, attribute->key, strlen(attribute->key));
    size_t value = begin(out, KEY_VALUE_VALUE);
    add_mended(out, ANY_VALUE_STRING, attribute->text);
    end(out, value, 0);
    end(out, start, 0);
}

static void add_attribute(struct buf *out, unsigned field, const struct span_attribute *attribute)
{
    if (attribute->type == SPAN_ATTRIBUTE_TEXT && !text_is_utf8(attribute->text)) {
        add_mended_attribute(out, field, attribute);
        return;
    }
    size_t key = strlen(attribute->key), value = value_bytes(attribute);
    add_tag(out, field, WIRE_BYTES);
    add_varint(out, bytes_field_bytes(key) + bytes_field_bytes(value));
    add_bytes(out, KEY_VALUE_KEY, attribute->key, key);
    add_tag(out, KEY_VALUE_VALUE, WIRE_BYTES);
    add_varint(out, value);
    add_value(out, attribute);
}

/* ---- messages ---- */

static void write_span(const struct span *span, struct buf *out)
{
    size_t start = begin(out, SCOPE_SPANS_SPANS);
    add_bytes(out, SPAN_TRACE_ID, span->trace_id, TRACE_ID_BYTES);
    add_bytes(out, SPAN_SPAN_ID, span->span_id, SPAN_ID_BYTES);
    add_text_if_any(out, SPAN_TRACE_STATE, span->trace_state);
    if (otlp_has_parent(span))
        add_bytes(out, SPAN_PARENT_SPAN_ID, span->parent_id, SPAN_ID_BYTES);
    add_text_if_any(out, SPAN_NAME, span->name);
    add_integer(out, SPAN_KIND, (uint64_t)span->kind);
    add_fixed(out, SPAN_START_TIME_UNIX_NANO, WIRE_FIXED64, (uint64_t)span->start_ns, 8);
    add_fixed(out, SPAN_END_TIME_UNIX_NANO, WIRE_FIXED64, (uint64_t)span->end_ns, 8);
    for (size_t i = 0; i < span->attribute_count; i++)
        add_attribute(out, SPAN_ATTRIBUTES, &span->attributes[i]);
    if (span->status != SPAN_UNSET) {
        size_t status = begin(out, SPAN_STATUS);
        add_text_if_any(out, STATUS_MESSAGE, span->status_message);
        add_integer(out, STATUS_CODE, (uint64_t)span->status);
        end(out, status, 0);
    }
    add_fixed(out, SPAN_FLAGS, WIRE_FIXED32, otlp_span_flags(span), 4);
    end(out, start, 0);
}

static void write_resource_attribute(const struct span_attribute *attribute, void *context)
{
    add_attribute(context, RESOURCE_ATTRIBUTES, attribute);
}

static void write_head(const struct otlp_resource *resource, size_t spans_bytes, struct buf *out)
{
    size_t resource_spans = begin(out, REQUEST_RESOURCE_SPANS);
    size_t start = begin(out, RESOURCE_SPANS_RESOURCE);
    otlp_each_attribute(resource, write_resource_attribute, out);
    end(out, start, 0);
    size_t scope_spans = begin(out, RESOURCE_SPANS_SCOPE_SPANS);
    size_t scope = begin(out, SCOPE_SPANS_SCOPE);
    add_text(out, SCOPE_NAME, TEXT(OTLP_SCOPE_NAME));
    add_text(out, SCOPE_VERSION, TEXT(OTLP_SCOPE_VERSION));
    end(out, scope, 0);
    end(out, scope_spans, spans_bytes);
    end(out, resource_spans, spans_bytes);
}

/* ---- reading: the few fields of a response ---- */

struct field {
    uint64_t number;
    enum wire wire;
    uint64_t integer;        /* WIRE_VARINT */
    struct text bytes;       /* of any other */
};

static bool take_varint(struct text *rest, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->length && i < VARINT_MAX_BYTES; i++) {
        unsigned char byte = (unsigned char)rest->at[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *rest = (struct text){rest->at + i + 1, rest->length - i - 1};
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct text *rest, uint64_t length, struct text *ret)
{
    if (length > rest->length)
        return false;
    *ret = (struct text){rest->at, (size_t)length};
    *rest = (struct text){rest->at + length, rest->length - (size_t)length};
    return true;
}

static bool take_field(struct text *rest, struct field *ret)
{
    uint64_t tag, length = 0;
    if (!take_varint(rest, &tag) || tag >> 3 == 0)
        return false;
    *ret = (struct field){.number = tag >> 3, .wire = tag & 7};
    switch (ret->wire) {
    case WIRE_VARINT:
        return take_varint(rest, &ret->integer);
    case WIRE_FIXED64:
        return take_bytes(rest, 8, &ret->bytes);
    case WIRE_BYTES:
        return take_varint(rest, &length) && take_bytes(rest, length, &ret->bytes);
    case WIRE_FIXED32:
        return take_bytes(rest, 4, &ret->bytes);
    }
    return false;
}

static enum err no_message(void)
{
    return err_because(ERR_PROTOCOL, "what it answered is not OTLP in protobuf");
}

static enum err read_partial_success(struct text body, struct otlp_response *response)
{
    struct field field;
    while (body.length > 0) {
        if (!take_field(&body, &field))
            return no_message();
        if (field.number == PARTIAL_REJECTED_SPANS && field.wire == WIRE_VARINT)
            response->rejected_spans = (int64_t)field.integer;
        else if (field.number == PARTIAL_ERROR_MESSAGE && field.wire == WIRE_BYTES)
            otlp_keep_message(field.bytes, response);
    }
    return ERR_NONE;
}

static enum err read_response(struct text body, struct otlp_response *ret)
{
    struct otlp_response response = {.rejected_spans = 0};
    struct field field;
    while (body.length > 0) {
        if (!take_field(&body, &field))
            return no_message();
        if (field.number == RESPONSE_PARTIAL_SUCCESS && field.wire == WIRE_BYTES) {
            enum err err = read_partial_success(field.bytes, &response);
            if (err)
                return err;
        }
    }
    *ret = response;
    return ERR_NONE;
}

static enum err read_status(struct text body, struct otlp_response *ret)
{
    struct otlp_response response = {.rejected_spans = 0};
    struct field field;
    while (body.length > 0) {
        if (!take_field(&body, &field))
            return no_message();
        if (field.number == RPC_STATUS_MESSAGE && field.wire == WIRE_BYTES)
            otlp_keep_message(field.bytes, &response);
    }
    *ret = response;
    return ERR_NONE;
}

const struct otlp_encoding otlp_protobuf = {
    .content_type = "application/x-protobuf",
    .separator = {"", 0},
    .tail = {"", 0},
    .span_bytes = 96,
    .attribute_bytes = 16,
    .write_head = write_head,
    .write_span = write_span,
    .read_response = read_response,
    .read_status = read_status,
};
