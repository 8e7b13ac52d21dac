/*
 * Somebody to call: an HTTP server in this process that answers as the test says, well, badly, slowly or not at all.
 *
 * A thread a connection; the answers are given by a function of the test's, which any of them calls.
 */
#ifndef TANDEM_CHECK_HARNESS_FAKE_SERVICE_H
#define TANDEM_CHECK_HARNESS_FAKE_SERVICE_H

#include <stdatomic.h>

#include "base/buf.h"

enum fake_end {
    FAKE_KEEP,        /* the connection, after what was written to out */
    FAKE_CLOSE,
    FAKE_HANG,        /* says no more until the other side has gone, or the server stops */
};

/** request is the whole of it, head and body, with a zero behind. */
typedef enum fake_end fake_answer(const char *request, struct buf *out, void *context);

struct fake_service;

/** On a free port of 127.0.0.1. Never NULL. */
struct fake_service *fake_service_start(fake_answer *answer, void *context);
/** On a free port of ::1; NULL where there is no IPv6. */
struct fake_service *fake_service_start_v6(fake_answer *answer, void *context);
/** On that port, where one was before; 0: a free one. */
struct fake_service *fake_service_start_at(unsigned port, fake_answer *answer, void *context);
void fake_service_stop(struct fake_service *fake);

const char *fake_service_url(const struct fake_service *fake);

enum { FAKE_HEADER_SIZE = 1024 };

/** A header field of a request's head; "" when it did not come. Returns out. For every server of the harness. */
const char *fake_service_header(const char *head, const char *name, char out[static FAKE_HEADER_SIZE]);

/** A whole answer with Content-Length. headers are lines that each end with "\r\n"; body may be NULL. */
void fake_service_say(struct buf *out, int status, const char *headers, const char *body);

#endif
