/*
 * A line of the log as a JSON object, written straight to where it stays: nothing asks for room on the way, since there
 * is room for twice the longest line, and whether it was too long is seen at each field.
 *
 * Pure: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_JSON_H
#define TANDEM_TELEMETRY_LOG_JSON_H

#include "telemetry/log_line.h"

/** With its newline. Returns its length; 0 when its fields make it longer than LOG_LINE_MAX_BYTES. */
size_t log_json_line(const struct log_line *line, bool with_fields, char out[static LOG_LINE_ROOM_BYTES]);

/** Fields alone, a comma before each; likewise. */
size_t log_json_fields(const struct log_field *fields, size_t count, char out[static LOG_LINE_ROOM_BYTES]);

#endif
