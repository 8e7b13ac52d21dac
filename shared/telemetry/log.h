/*
 * The log: one line an event, as JSON or for a terminal, written off the caller's thread.
 *
 *     #define LOG_MODULE LOG_MODULE_EVENTS        (once a file, before it logs)
 *     log_event(LOG_INFO, "order placed", LOG_TEXT("order_id", id), LOG_INT("lines", count));
 *     log_event(LOG_ERROR, "cannot publish", LOG_ERR(err), LOG_STRING("bus", url), LOG_SECRET("token"));
 *
 * A line has time (RFC 3339, UTC, microseconds), level, service, instance, msg, module, the context of the request
 * under way (request_id, trace_id, span_id, user_id, where known), then the event's own fields. msg is a constant
 * sentence, a literal; what varies is a field. No input can forge a line or a colour: everything that is not a
 * printable character is escaped. A struct secret (base/secret.h) does not fit where a value is logged.
 *
 * A caller never waits: it leaves what there is to be told in a buffer of its own thread, and one writer thread makes
 * lines of that and carries them to the sink, within flush_ms, and at once from LOG_ERROR on. They are in the order of
 * their times, but for those that threads log at the moment at which the writer begins, which may change places. When
 * the sink stalls and a buffer is full, lines are dropped and counted, and the count is logged when the sink moves
 * again.
 *
 * What repeats faster than repeat_burst a second (the same msg, level and module) is held back, and summed up by one
 * line, "repeated". Lines of which each is about something else, a request, an event, are logged by log_each(), and are
 * never held back so; of them, log_sample_set() can keep those of a part of the requests.
 *
 * Threads: log_open() and log_close() by the main thread, while no other one logs; all else from any thread. Before
 * log_open() and after log_close() lines from LOG_INFO on go straight to standard error. The names of levels are those
 * of <syslog.h>, which therefore cannot be included along with this.
 */
#ifndef TANDEM_TELEMETRY_LOG_H
#define TANDEM_TELEMETRY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL, LOG_LEVELS };

/* Who logs, named after the folders: each has a level of its own. */
enum log_module {
    LOG_MODULE_BASE, LOG_MODULE_CONF, LOG_MODULE_STATE, LOG_MODULE_NET, LOG_MODULE_EVENTS, LOG_MODULE_APP,
    LOG_MODULE_USER, LOG_MODULE_ORDER, LOG_MODULE_INVENTORY,
    LOG_MODULES,
};

/* "json" and "text", which is coloured when the sink is a terminal and NO_COLOR is not set. */
enum log_format { LOG_JSON, LOG_TERMINAL };

enum {
    LOG_LINE_MAX_BYTES = 16384,    /* a longer line leaves its fields out and says so: "fields_left_out":true */
    LOG_VALUE_MAX_BYTES = 2048,    /* a longer text is cut */
    LOG_CONTEXT_MAX_BYTES = 128,   /* likewise each part of the context */
};

/* Where lines go. */
enum log_sink_kind {
    LOG_TO_FD,         /* a descriptor that the caller keeps: standard error */
    LOG_TO_FILE,       /* a path: made when missing, added to, opened anew by log_reopen() */
    LOG_TO_SYSLOG,     /* a socket's path, "/dev/log": a datagram a line, as syslog(3) makes them, facility daemon */
};

struct log_opts {
    const char *service, *instance;    /* copied */
    enum log_level level;              /* of every module; lines below are not even formatted */
    enum log_format format;
    enum log_sink_kind sink;
    int fd;                            /* LOG_TO_FD */
    const char *path;                  /* LOG_TO_FILE, LOG_TO_SYSLOG; copied */
    unsigned repeat_burst;             /* see log_repeat_set() */
    unsigned sample;                   /* see log_sample_set() */
    size_t buffer_bytes;               /* of each thread that logs; 0: 256 KiB */
    unsigned flush_ms;                 /* 0: 100 */
};

/* Counters only rise; the log's own lines (what was dropped, what repeated) are not among them. */
struct log_stats {
    uint64_t written, dropped;
};

/** Opens the sink and starts the writer. ERR_MEMORY; ERR_IO when the sink cannot be opened, or a thread not be had. */
enum err must_check log_open(const struct log_opts *opts);

/** Writes what waits, for at most timeout_ms, and ends the writer. Harmless when it is not open. */
void log_close(unsigned timeout_ms);

/** Waits until what this thread has logged so far is written, for at most timeout_ms: before an abort, in tests. */
bool log_flush(unsigned timeout_ms);

void log_stats(struct log_stats *ret);

/** Opens a sink's file anew, soon: after it was renamed (logrotate). No line is lost: until the new one is open they go
 *  to the old one. When it cannot be opened the old one is kept, and that is logged. */
void log_reopen(void);

/** The level of every module at once, or of each. Live. */
void log_level_set(enum log_level level);
void log_levels_set(const enum log_level levels[static LOG_MODULES]);
bool log_enabled(enum log_module module, enum log_level level);

/** How many times a second a line is written before it is held back as a repeat; 0: it never is. Live. */
void log_repeat_set(unsigned burst);

/** Of the lines of log_each() up to LOG_INFO, those of one request id in `every` are written, of all services the same
 *  ones; 1 (as it is before), 0: all. Lines without a request id always are. Live. */
void log_sample_set(unsigned every);

const char *log_level_name(enum log_level level);
const char *log_module_name(enum log_module module);

/** The level or format of a name, "warning", "json". ERR_INVALID; *ret is then untouched. */
enum err must_check log_level_of(struct text name, enum log_level *ret);
enum err must_check log_format_of(struct text name, enum log_format *ret);

/* ---- what every line of a thread says until it is changed ---- */

struct log_context {
    struct text request_id, trace_id, span_id, user_id;   /* absent: left out */
};

/** Copies the context for the calling thread's further lines; NULL clears it. Without a trace id, that and the span's
 *  are those of the span that the thread works on (trace_enter()). */
void log_context_set(const struct log_context *context);

/* ---- events ---- */

enum log_field_type {
    LOG_FIELD_NONE, LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_NUMBER, LOG_FIELD_BOOLEAN, LOG_FIELD_ERR,
    LOG_FIELD_DURATION, LOG_FIELD_SECRET, LOG_FIELD_MEMBERS,
};

struct log_members;

/* A key is a literal, so that it stands ready in the program as JSON has it: ",\"bytes\":". */
#define LOG_KEY(name) TEXT(",\"" name "\":")

struct log_field {
    struct text key;
    enum log_field_type type;
    union {
        struct text text;
        int64_t integer;
        double number;
        bool boolean;
        enum err err;
        const struct log_members *members;
    };
};

#define LOG_TEXT(name, value) ((struct log_field){.key = LOG_KEY(name), .type = LOG_FIELD_TEXT, .text = (value)})
#define LOG_STRING(name, value) LOG_TEXT(name, text_of(value))
#define LOG_INT(name, value) ((struct log_field){.key = LOG_KEY(name), .type = LOG_FIELD_INTEGER, .integer = (value)})
#define LOG_NUMBER(name, value) ((struct log_field){.key = LOG_KEY(name), .type = LOG_FIELD_NUMBER, .number = (value)})
/* Nanoseconds, told as milliseconds: "duration_ms". */
#define LOG_DURATION(name, ns) ((struct log_field){.key = LOG_KEY(name), .type = LOG_FIELD_DURATION, .integer = (ns)})
#define LOG_BOOL(name, value) ((struct log_field){.key = LOG_KEY(name), .type = LOG_FIELD_BOOLEAN, .boolean = (value)})

/* "error", the name of the code, and "cause", the calling thread's err_cause() when there is one. */
#define LOG_ERR(code) ((struct log_field){.key = LOG_KEY("error"), .type = LOG_FIELD_ERR, .err = (code)})

/* Fields that are the same each time, which log_members_new() made ready; NULL: none. */
#define LOG_MEMBERS(ready) ((struct log_field){.type = LOG_FIELD_MEMBERS, .members = (ready)})

/* Nothing: a field that this line does without. */
#define LOG_NOTHING ((struct log_field){.type = LOG_FIELD_NONE})

/* That there is a value, which is not told: "[redacted]". */
#define LOG_SECRET(name) ((struct log_field){.key = LOG_KEY(name), .type = LOG_FIELD_SECRET})

/** Logs an event; the fields are evaluated only when the level is enabled for this file's LOG_MODULE. */
#define log_event(level, message, ...) LOG_WRITE(false, 0, level, message, ##__VA_ARGS__)

/** The same for lines of which each is about something else. */
#define log_each(level, message, ...) LOG_WRITE(true, 0, level, message, ##__VA_ARGS__)

/** The same for who has asked the clock a moment ago: now_ns is what clock_now_ns() said then. A later time than now
 *  would hold up all further lines of the thread; an earlier one than its latest line's becomes that line's. */
#define log_each_at(now_ns, level, message, ...) LOG_WRITE(true, now_ns, level, message, ##__VA_ARGS__)

/** Makes fields ready for LOG_MEMBERS(), at a fraction of their cost in each line; NULL without memory. They are there
 *  as long as the process is, since a line with them may be made at any time: for what is made once. */
const struct log_members *log_members_new(const struct log_field *fields, size_t count);

/* ---- what those two are made of ---- */

struct log_what {
    enum log_module module;
    enum log_level level;
    const char *message;      /* lives as long as the process */
    bool each;
};

#define LOG_WRITE(each_, now_ns_, level_, message_, ...)                                                      \
    do {                                                                                                      \
        if (log_enabled(LOG_MODULE, level_)) {                                                                \
            const struct log_field log_fields[] = {{.type = LOG_FIELD_NONE}, ##__VA_ARGS__};                  \
            log_write(&(const struct log_what){LOG_MODULE, level_, "" message_, each_}, now_ns_, log_fields + 1,\
                      sizeof log_fields / sizeof log_fields[0] - 1);                                          \
        }                                                                                                     \
    } while (0)

/* now_ns: see log_each_at(); 0: the clock is asked. */
void log_write(const struct log_what *what, int64_t now_ns, const struct log_field *fields, size_t count);

#endif
