/*
 * A line of the log that is to be made, and what its two forms share.
 *
 * Pure: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_LINE_H
#define TANDEM_TELEMETRY_LOG_LINE_H

#include "base/text.h"
#include "telemetry/log.h"
#include "telemetry/log_record.h"

enum {
    /* Where a line is written, so that what is too long is seen behind its end and nothing asks for room before. */
    LOG_LINE_ROOM_BYTES = 2 * LOG_LINE_MAX_BYTES,
};

/* In place of a secret, and of fields that do not fit. */
#define LOG_REDACTED "[redacted]"
#define LOG_LEFT_OUT "fields_left_out"

struct log_line {
    const struct log_event *event;
    int64_t time_us;
    const char *service;                   /* LOG_TERMINAL only; NULL: left out */
    struct text head;                      /* LOG_JSON only: what log_head_format() writes */
    bool coloured;                         /* LOG_TERMINAL only */
};

/* Fields that are ready to be copied to a line, in either form: log_members_new(). */
struct log_members {
    struct text json, terminal;
    struct log_members *next;
    char at[];
};

/** At most LOG_VALUE_MAX_BYTES of it. */
static inline struct text log_value(struct text value)
{
    if (value.length > LOG_VALUE_MAX_BYTES)
        value.length = LOG_VALUE_MAX_BYTES;
    return value;
}

#endif
