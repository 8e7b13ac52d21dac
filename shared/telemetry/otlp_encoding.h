/*
 * An encoding of OTLP, in pieces: a request is a head, the spans with a separator between them, and a tail. So spans
 * can be encoded one by one, as they come, and be put together later. Pure functions: any thread.
 */
#ifndef TANDEM_TELEMETRY_OTLP_ENCODING_H
#define TANDEM_TELEMETRY_OTLP_ENCODING_H

#include <stdint.h>

#include "telemetry/otlp.h"

enum { OTLP_MESSAGE_SIZE = 200 };

/* What a receiver says beside its status. */
struct otlp_response {
    int64_t rejected_spans;                /* of a partial success */
    char message[OTLP_MESSAGE_SIZE];       /* "" when there is none; cut */
};

struct otlp_encoding {
    const char *content_type;
    struct text separator, tail;
    size_t span_bytes, attribute_bytes;    /* about as many as each takes beside its texts, to make room by */

    /** The head of a request whose spans, separators counted in, are spans_bytes long. */
    void (*write_head)(const struct otlp_resource *resource, size_t spans_bytes, struct buf *out);
    void (*write_span)(const struct span *span, struct buf *out);

    /** Reads an ExportTraceServiceResponse, which may be empty. ERR_PROTOCOL when it is none, ERR_MEMORY. */
    enum err (*read_response)(struct text body, struct otlp_response *ret) must_check;

    /** Reads the google.rpc.Status that comes with a failure: its message. */
    enum err (*read_status)(struct text body, struct otlp_response *ret) must_check;
};

extern const struct otlp_encoding otlp_protobuf, otlp_json;

/* The scope of all spans is this program. */
#define OTLP_SCOPE_NAME PACKAGE_NAME
#define OTLP_SCOPE_VERSION PACKAGE_VERSION

/* Span.flags, beside the eight bits of W3C: whether it is known that the parent is remote, and whether it is. */
enum { OTLP_FLAG_HAS_IS_REMOTE = 0x100, OTLP_FLAG_IS_REMOTE = 0x200 };

uint32_t otlp_span_flags(const struct span *span);

/** Whether it has a parent. */
bool otlp_has_parent(const struct span *span);

/** Calls write for every attribute of the resource, in order. */
void otlp_each_attribute(const struct otlp_resource *resource,
                         void (*write)(const struct span_attribute *attribute, void *context), void *context);

/** The message, cut to fit. */
void otlp_keep_message(struct text message, struct otlp_response *ret);

#endif
