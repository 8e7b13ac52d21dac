/*
 * A span: one piece of work in a trace, as OpenTelemetry has it. Plain data, and views of texts that whoever made it
 * keeps for as long as it is passed on.
 *
 * A service's part of a trace is all the spans it made for one request, event or payment. Whether a part is kept is
 * decided once, at its end (telemetry/trace.h); what is kept goes to the memory of recent traces and to the exporter as
 * one array of these.
 *
 * Names and attributes follow OpenTelemetry's semantic conventions. A struct secret fits in no attribute.
 */
#ifndef TANDEM_TELEMETRY_SPAN_H
#define TANDEM_TELEMETRY_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8, SPAN_ATTRIBUTES_MAX = 12 };

/* The numbers are those of opentelemetry/proto/trace/v1/trace.proto. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3, SPAN_PRODUCER = 4, SPAN_CONSUMER = 5 };
enum span_status { SPAN_UNSET = 0, SPAN_OK = 1, SPAN_ERROR = 2 };

enum span_attribute_type { SPAN_ATTRIBUTE_TEXT, SPAN_ATTRIBUTE_INTEGER, SPAN_ATTRIBUTE_BOOLEAN };

struct span_attribute {
    const char *key;                      /* a literal, or else UTF-8: "http.request.method" */
    enum span_attribute_type type;
    union {
        struct text text;
        int64_t integer;
        bool boolean;
    };
};

struct span {
    unsigned char trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
    unsigned char parent_id[SPAN_ID_BYTES];   /* all zero: the root of its trace */
    uint8_t flags;                            /* W3C trace flags; bit 0: sampled at its head */
    bool parent_is_remote;                    /* the parent is a span of another process */
    enum span_kind kind;
    enum span_status status;
    struct text name, status_message;         /* the message is absent unless the status is SPAN_ERROR */
    struct text trace_state;                  /* W3C tracestate, as it came; may be absent */
    int64_t start_ns, end_ns;                 /* wall time, since 1970 */
    struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
    size_t attribute_count;
};

#endif
