/*
 * An event on its way from the thread that logs to the writer, which makes a line of it: to pack it costs the thread a
 * fraction of that, and the writer makes one line after the other, so that it has code and tables at hand.
 *
 * A record is bytes in no particular place, good within this process: it points to what is there for good (messages
 * and keys, which are literals, and members that are ready) and copies all else. It is small, since what one thread
 * writes and another one reads goes from one processor's cache to the other's.
 *
 * Pure but for err_cause(), which a LOG_FIELD_ERR is packed with: any thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_RECORD_H
#define TANDEM_TELEMETRY_LOG_RECORD_H

#include "base/text.h"
#include "telemetry/log.h"
#include "telemetry/trace.h"

enum {
    LOG_FIELDS_MAX = 32,             /* of an event; one with more is told without its fields */
    LOG_RECORD_SMALL_BYTES = 1024,   /* room for nearly all */
    LOG_RECORD_MAX_BYTES = 24576,    /* an event that is longer is told without its fields, as a line is */
};

/* What every line of a thread says (struct log_context), packed once for all of them. */
struct log_record_context {
    uint64_t word;                   /* which parts there are, and their lengths, as a record's head has them */
    size_t length;
    char at[4 * LOG_CONTEXT_MAX_BYTES];
};

void log_record_context_set(const struct log_context *context, struct log_record_context *ret);

/** Absent when it has none; whether it has a trace's id. */
struct text log_record_context_request_id(const struct log_record_context *context);
bool log_record_context_has_trace(const struct log_record_context *context);

/** Packs an event to where there is room for size bytes, at least LOG_RECORD_SMALL_BYTES. own is a span of this
 *  process, when the context has no trace's id; or NULL. Returns its length; 0 when it does not fit, as it always does
 *  in LOG_RECORD_MAX_BYTES. */
size_t log_record_write(const struct log_what *what, const struct log_record_context *context,
                        const struct trace_ids *own, const struct log_field *fields, size_t count, char *out,
                        size_t size);

/* An event again: views of the record. */
struct log_event {
    struct log_what what;
    struct log_context context;
    const struct trace_ids *own;     /* in place of the context's; or NULL */
    bool left_out;
    size_t field_count;
    const char *fields;              /* the first of them, for log_record_field() */
};

void log_record_read(struct text record, struct log_event *ret);

/** Reads a field, whose text is a view of the record; returns where the next one is. */
const char *log_record_field(const char *at, struct log_field *ret);

#endif
