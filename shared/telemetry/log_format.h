/*
 * How an event becomes a line. Pure but for what it is given: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_FORMAT_H
#define TANDEM_TELEMETRY_LOG_FORMAT_H

#include "base/buf.h"
#include "telemetry/log.h"

struct log_line {
    int64_t time_us;
    const struct log_what *what;
    const char *service;                   /* LOG_TERMINAL only; NULL: left out */
    struct text head;                      /* LOG_JSON only: what log_head_format() writes */
    const struct log_context *context;
    bool own_ids;                          /* its trace's and span's are digits, made here */
    const char *fields;                    /* as a record has them (log_record_field()) */
    size_t field_count;
    bool left_out;                         /* the event had more of them than a record has room for */
    bool coloured;                         /* LOG_TERMINAL only */
};

/** At most LOG_VALUE_MAX_BYTES of it. */
struct text log_value(struct text value);

/** Empties out, whose ceiling is LOG_LINE_MAX_BYTES, and writes the line into it, with its newline. The line is whole
 *  whenever memory allows: fields that do not fit are left out. */
void log_line_format(const struct log_line *line, enum log_format format, struct buf *out);

#endif
