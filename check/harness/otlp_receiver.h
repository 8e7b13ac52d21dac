/*
 * A receiver of traces for tests: a small HTTP server on a free port of 127.0.0.1 that takes POST /v1/traces, as a
 * collector, Jaeger and Tempo do on port 4318, keeps what was sent, and can be told to behave badly.
 *
 * Functions may be called from one thread; the receiver's own run beside.
 */
#ifndef TANDEM_CHECK_HARNESS_OTLP_RECEIVER_H
#define TANDEM_CHECK_HARNESS_OTLP_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/harness/otlp_decode.h"

enum { OTLP_RECEIVER_PATIENCE_MS = 20000 };

struct otlp_receiver;

struct otlp_request {
    char *head;                    /* request line and header fields, as they came */
    char content_type[64];
    bool gzip;
    struct text body;              /* uncompressed */
    size_t sent_bytes;             /* of the body as it came */
    bool taken;                    /* it was answered with a status of 200 to 299 */
    unsigned connection;           /* from 0 */
    int64_t at_ns;                 /* monotonic */
};

/** Listens and takes everything. Never NULL. */
struct otlp_receiver *otlp_receiver_new(void);
void otlp_receiver_free(struct otlp_receiver *receiver);

/** "http://127.0.0.1:PORT", to which a path is added. */
const char *otlp_receiver_url(const struct otlp_receiver *receiver);

/* ---- how it behaves, from now on ---- */

/** Answers 200, with an empty message of the encoding that came. As it is at first. */
void otlp_receiver_take(struct otlp_receiver *receiver);

/** Reads requests, and answers none, until it is told otherwise. */
void otlp_receiver_hang(struct otlp_receiver *receiver);

/** Answers with these bytes, whatever they are (a literal), and closes the connection; "": just closes it. */
void otlp_receiver_reply(struct otlp_receiver *receiver, const char *bytes);

/** The same of bytes with zeros among them. */
void otlp_receiver_reply_bytes(struct otlp_receiver *receiver, struct text bytes);

/** Closes its connections and its port; opens the same port again. */
void otlp_receiver_leave(struct otlp_receiver *receiver);
void otlp_receiver_return(struct otlp_receiver *receiver);

/* ---- what it got ---- */

/** Requests that were read whole, taken ones or not. They stay where they are until it is freed. */
size_t otlp_receiver_request_count(struct otlp_receiver *receiver);
const struct otlp_request *otlp_receiver_request(struct otlp_receiver *receiver, size_t at);

/** A header field of a request; "" when it did not come. Valid until the next call. */
const char *otlp_request_header(const struct otlp_request *request, const char *name);

/** Waits until so many requests have come; false when they have not within OTLP_RECEIVER_PATIENCE_MS. */
bool otlp_receiver_wait(struct otlp_receiver *receiver, size_t requests);

/** Decodes all that was taken. False, with a cause, for what is not by the schema. The caller does received_fini(). */
bool otlp_receiver_spans(struct otlp_receiver *receiver, struct received *ret);

#endif
