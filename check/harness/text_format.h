/*
 * Protobuf's text format, as protoc prints an OTLP request, turned into what OTLP in JSON is of the same request.
 */
#ifndef TANDEM_CHECK_HARNESS_TEXT_FORMAT_H
#define TANDEM_CHECK_HARNESS_TEXT_FORMAT_H

#include <json-c/json.h>

/** NULL, with a cause, for what is not understood: a field without a name is one that the schema does not know. */
struct json_object *text_format_read(const char *printed);

#endif
