/*
 * How an event becomes a line. Pure but for what it is given: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_FORMAT_H
#define TANDEM_TELEMETRY_LOG_FORMAT_H

#include "base/text.h"
#include "telemetry/log.h"
#include "telemetry/log_record.h"

enum {
    /* Where a line is written, so that what is too long is seen behind its end and nothing asks for room before. */
    LOG_LINE_ROOM_BYTES = 2 * LOG_LINE_MAX_BYTES,
};

struct log_line {
    const struct log_event *event;
    int64_t time_us;
    const char *service;                   /* LOG_TERMINAL only; NULL: left out */
    struct text head;                      /* LOG_JSON only: what log_head_format() writes */
    bool coloured;                         /* LOG_TERMINAL only */
};

/** At most LOG_VALUE_MAX_BYTES of it. */
struct text log_value(struct text value);

/** Writes the line, with its newline, and returns its length. The line is whole: fields that do not fit are left
 *  out. */
size_t log_line_format(const struct log_line *line, enum log_format format, char out[static LOG_LINE_ROOM_BYTES]);

/* ---- what the two forms share ---- */

extern const char log_redacted[], log_left_out[];

/* Ready to be copied to a line: log_members_new(). */
struct log_members {
    struct text json, terminal;
    struct log_members *next;
    char at[];
};

#endif
