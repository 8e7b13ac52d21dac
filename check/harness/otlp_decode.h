/*
 * What an OTLP request says, read by the public schema (otlp.proto) and by none of the code that wrote it: protobuf is
 * decoded by protoc, JSON by json-c.
 */
#ifndef TANDEM_CHECK_HARNESS_OTLP_DECODE_H
#define TANDEM_CHECK_HARNESS_OTLP_DECODE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct received_span {
    char trace_id[33], span_id[17], parent_id[17];   /* hexadecimal; parent_id "": none */
    const char *service;                             /* service.name of its resource; "" when it says none */
    const char *name, *trace_state, *status_message; /* "": absent */
    int64_t kind, status, flags;
    int64_t start_ns, end_ns;
    struct json_object *attributes;                  /* as in JSON; NULL: none */
};

/* Spans, and what holds their texts. */
struct received {
    struct received_span *spans;
    size_t count;
    struct json_object **requests;
    size_t request_count;
};

/** Whether protoc is here; when not, the running case is marked as skipped, a failure where nothing may be. */
bool otlp_can_decode_protobuf(void);

/** A request as OTLP in JSON has it, whichever of the two it was; NULL, with a cause, when it is not by the schema. The
 *  caller's to json_object_put(). */
struct json_object *otlp_decode(const char *content_type, struct text body);

/** Adds all spans of a decoded request, which becomes received's own. False, with a cause, when a part is missing. */
bool received_add(struct received *received, struct json_object *request);
void received_fini(struct received *received);

/** An attribute's value. "", INT64_MIN, and false, for one that is not there or of another type. */
const char *received_text(const struct received_span *span, const char *key);
int64_t received_integer(const struct received_span *span, const char *key);
bool received_boolean(const struct received_span *span, const char *key);

#endif
