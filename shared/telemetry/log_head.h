/*
 * The head of a line: what is the same in every line of one event (level, service, instance, msg, module), as members
 * of a JSON object. It is most of a line's members, so a thread that logs keeps the latest ones it made.
 *
 * Threads: the heads belong to one thread.
 */
#ifndef TANDEM_TELEMETRY_LOG_HEAD_H
#define TANDEM_TELEMETRY_LOG_HEAD_H

#include "base/buf.h"
#include "telemetry/log.h"

enum { LOG_HEADS = 32, LOG_HEAD_MAX_BYTES = 320 };

struct log_head {
    const char *message;               /* its address: a literal's */
    enum log_module module;
    enum log_level level;
    unsigned generation;               /* of the log whose origin it has */
    size_t length;                     /* 0: nothing is here */
    char at[LOG_HEAD_MAX_BYTES];
};

struct log_heads {
    struct log_head all[LOG_HEADS];
};

/** Writes the members, a comma before each. service and instance may be NULL: left out. */
void log_head_format(const struct log_what *what, const char *service, const char *instance, struct buf *out);

/** Where a head belongs that is in generation; one that was replaced has the length 0. */
struct log_head *log_head_find(struct log_heads *heads, const struct log_what *what, unsigned generation);

/** Keeps it, when it is not too long for that. */
void log_head_keep(struct log_head *head, const struct log_what *what, unsigned generation, struct text members);

#endif
