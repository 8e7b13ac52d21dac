/*
 * A line of the log for a terminal: what a person reads first stands first.
 *
 * Pure: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_TERMINAL_H
#define TANDEM_TELEMETRY_LOG_TERMINAL_H

#include "telemetry/log_line.h"

/** With its newline. Returns its length; 0 when its fields make it longer than LOG_LINE_MAX_BYTES. */
size_t log_terminal_line(const struct log_line *line, bool with_fields, char to[static LOG_LINE_ROOM_BYTES]);

/** Fields alone, a space before each; likewise. */
size_t log_terminal_fields(const struct log_field *fields, size_t count, char to[static LOG_LINE_ROOM_BYTES]);

#endif
