#include "config.h"

#include <stdio.h>
#include <string.h>

#include "telemetry/otlp.h"
#include "telemetry/otlp_encoding.h"

enum { HEAD_MAX_BYTES = 1024 * 1024 };

/* The head tells how long the spans are, so they are written first, and moved. */
static void write_request(const struct otlp_encoding *encoding, const struct otlp_resource *resource,
                          const struct span *spans, size_t count, struct buf *out)
{
    size_t start = out->length;
    struct buf head;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_text(out, encoding->separator);
        encoding->write_span(&spans[i], out);
    }
    buf_init(&head, HEAD_MAX_BYTES);
    encoding->write_head(resource, out->length - start, &head);
    void *room = head.failed ? NULL : buf_reserve(out, head.length);
    if (room) {
        memmove(out->data + start + head.length, out->data + start, out->length - start);
        memcpy(out->data + start, head.data, head.length);
        buf_commit(out, head.length);
        buf_add_text(out, encoding->tail);
    } else {
        out->failed = true;
    }
    buf_fini(&head);
}

void otlp_write_protobuf(const struct otlp_resource *resource, const struct span *spans, size_t count,
                         struct buf *out)
{
    write_request(&otlp_protobuf, resource, spans, count, out);
}

void otlp_write_json(const struct otlp_resource *resource, const struct span *spans, size_t count, struct buf *out)
{
    write_request(&otlp_json, resource, spans, count, out);
}

/* ---- what the encodings share ---- */

/* That is known of every span here, so the first bit is always set. */
uint32_t otlp_span_flags(const struct span *span)
{
    return span->flags | OTLP_FLAG_HAS_IS_REMOTE | (span->parent_is_remote ? OTLP_FLAG_IS_REMOTE : 0U);
}

bool otlp_has_parent(const struct span *span)
{
    static const unsigned char none[SPAN_ID_BYTES];
    return memcmp(span->parent_id, none, sizeof none) != 0;
}

void otlp_each_attribute(const struct otlp_resource *resource,
                         void (*write)(const struct span_attribute *attribute, void *context), void *context)
{
    const struct {
        const char *key, *value;
    } own[] = {
        {"service.name", resource->service_name},
        {"service.version", resource->service_version},
        {"service.instance.id", resource->service_instance_id},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct span_attribute attribute = {.key = own[i].key, .type = SPAN_ATTRIBUTE_TEXT,
                                           .text = text_of(own[i].value)};
        if (attribute.text.length > 0)
            write(&attribute, context);
    }
    for (size_t i = 0; i < resource->attribute_count; i++)
        write(&resource->attributes[i], context);
}

void otlp_keep_message(struct text message, struct otlp_response *ret)
{
    snprintf(ret->message, sizeof ret->message, "%.*s", TEXT_ARGS(message));
}
