/*
 * Errors: one enumeration for the whole tree, and the cause behind the latest one.
 *
 * A function that can fail returns enum err; zero is success. Each code has a row in the table below:
 * its name, the HTTP status it becomes when nothing closer to the client says otherwise, and a
 * sentence. What exactly went wrong ("open /var/lib/x: Permission denied") is the cause: a line of text
 * kept per thread, set where the error arises and read by whoever logs it, in the same thread.
 *
 * Threads: everything here may be called from any thread; the cause is the calling thread's own.
 */
#ifndef TANDEM_BASE_ERR_H
#define TANDEM_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(format_at, values_at) __attribute__((format(printf, format_at, values_at)))

/* name, HTTP status, text */
#define ERR_TABLE(ROW)                                                                    \
    ROW(ERR_NONE, 200, "success")                                                         \
    ROW(ERR_MALFORMED, 400, "the request cannot be understood")                           \
    ROW(ERR_UNAUTHENTICATED, 401, "a valid bearer token is needed")                       \
    ROW(ERR_FORBIDDEN, 403, "this caller may not do that")                                \
    ROW(ERR_NOT_FOUND, 404, "there is no such thing")                                     \
    ROW(ERR_METHOD, 405, "this method does not apply here")                               \
    ROW(ERR_CONFLICT, 409, "this conflicts with what is there")                           \
    ROW(ERR_PRECONDITION_FAILED, 412, "it has changed since it was read")                 \
    ROW(ERR_TOO_LARGE, 413, "the request is too large")                                   \
    ROW(ERR_MEDIA_TYPE, 415, "this media type is not accepted here")                      \
    ROW(ERR_INVALID, 422, "the input breaks a rule")                                      \
    ROW(ERR_PRECONDITION_REQUIRED, 428, "an If-Match header is needed")                   \
    ROW(ERR_TOO_MANY, 429, "too many requests")                                           \
    ROW(ERR_HEADERS_TOO_LARGE, 431, "the request's header fields are too large")          \
    ROW(ERR_INTERNAL, 500, "an internal error")                                           \
    ROW(ERR_IO, 500, "reading or writing failed")                                         \
    ROW(ERR_STORAGE, 500, "the database failed")                                          \
    ROW(ERR_PROTOCOL, 502, "the other side broke its protocol")                           \
    ROW(ERR_MEMORY, 503, "memory or a set limit is used up")                              \
    ROW(ERR_BUSY, 503, "too busy at the moment")                                          \
    ROW(ERR_UNAVAILABLE, 503, "a needed service is not available")                        \
    ROW(ERR_CLOSED, 503, "shutting down")                                                 \
    ROW(ERR_DEADLINE, 504, "the time allowed ran out")                                    \
    ROW(ERR_STORAGE_FULL, 507, "the disk is full")                                        \
    ROW(ERR_CONFIG, 500, "the settings are wrong")                                        \
    ROW(ERR_AGAIN, 500, "not yet")

enum err {
#define ERR_ENUM(name, status, text) name,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
};

/** The code's own name, "ERR_NOT_FOUND". */
const char *err_name(enum err err);

/** The HTTP status this code becomes by itself. */
int err_status(enum err err);

/** The code's sentence, without a full stop. */
const char *err_text(enum err err);

/**
 * Sets the calling thread's cause and returns err, so that one may write
 * `return err_because(ERR_IO, "open %s: %s", path, strerror(errno));`. Cut at 511 bytes.
 */
enum err err_because(enum err err, const char *format, ...) printf_like(2, 3);

/** The calling thread's latest cause; never NULL, empty when none was set. Valid until the next err_because(). */
const char *err_cause(void);

/** Forgets the calling thread's cause. */
void err_clear(void);

#endif
