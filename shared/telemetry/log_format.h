/*
 * How an event becomes a line. Pure but for what it is given: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_FORMAT_H
#define TANDEM_TELEMETRY_LOG_FORMAT_H

#include "telemetry/log_line.h"

/** Writes the line, with its newline, and returns its length. The line is whole: fields that do not fit are left
 *  out. */
size_t log_line_format(const struct log_line *line, enum log_format format, char out[static LOG_LINE_ROOM_BYTES]);

#endif
