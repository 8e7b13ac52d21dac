/*
 * OTLP: spans written as OpenTelemetry's protocol has them, one ExportTraceServiceRequest (opentelemetry-proto 1.x,
 * trace/v1) a buffer, in protobuf or in JSON. Pure functions: any thread.
 *
 * Bytes of texts that are not UTF-8 become U+FFFD. What is zero or absent is left out, as in proto3.
 */
#ifndef TANDEM_TELEMETRY_OTLP_H
#define TANDEM_TELEMETRY_OTLP_H

#include "base/buf.h"
#include "telemetry/span.h"

/* Who made the spans: attributes of the resource. */
struct otlp_resource {
    const char *service_name, *service_version, *service_instance_id;   /* NULL or "": left out */
    const struct span_attribute *attributes;   /* further ones, OTEL_RESOURCE_ATTRIBUTES; keys are not repeated */
    size_t attribute_count;
};

/** Writes the spans, all of this resource, as a request in protobuf. Whether it fitted is asked of out. */
void otlp_write_protobuf(const struct otlp_resource *resource, const struct span *spans, size_t count,
                         struct buf *out);

/** The same in JSON: ids in hexadecimal, 64-bit integers as strings, enumerators as numbers. */
void otlp_write_json(const struct otlp_resource *resource, const struct span *spans, size_t count, struct buf *out);

#endif
