/*
 * The exporter: sends spans to an OTLP receiver over HTTP, on a thread of its own.
 *
 * Whoever has spans never waits: they are encoded into a bounded queue, and dropped and counted when there is no room.
 * The thread batches, compresses, sends, and tries again with growing pauses, or when Retry-After says, what a receiver
 * may take later (429, 502, 503, 504, no connection: the OTLP specification, "Failures"); what it will never take is
 * dropped and counted. Connections are kept; no redirects are followed, no proxy is used, certificates are verified.
 *
 * Memory: the queue, what is being sent counted in, and the body of one request, which is no larger.
 *
 * Threads: open and close by the main thread; add and stats from any.
 */
#ifndef TANDEM_TELEMETRY_OTLP_EXPORTER_H
#define TANDEM_TELEMETRY_OTLP_EXPORTER_H

#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "telemetry/otlp.h"

enum otlp_protocol { OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON };

enum otlp_headers_form {
    OTLP_HEADERS_LIST,    /* "name=value,name2=value2", values percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS */
    OTLP_HEADERS_LINES,   /* "name=value\nname2=value2\n", values as they are; empty lines and lines with # are none */
};

struct otlp_exporter_opts {
    const char *endpoint;                 /* "http://127.0.0.1:4318/v1/traces", the whole URL; copied */
    enum otlp_protocol protocol;
    bool gzip;
    enum otlp_headers_form headers_form;
    struct secret headers;                /* further header fields; may not be given. Copied */
    struct otlp_resource resource;        /* must outlive the exporter */
    size_t queue_max_bytes;               /* of memory for spans that wait to be sent, or are being sent */
    unsigned batch_max;                   /* spans in one request */
    unsigned batch_delay_ms;              /* the longest that a span waits for a fuller batch */
    unsigned timeout_ms;                  /* of one request */
    unsigned retry_max_ms;                /* how long one batch is tried; then it is dropped */
    /* Told of each request that failed, or was answered with something to say, with err_cause(), from the exporter's
     * thread. spans_lost is how many were dropped by it; 0: they are tried again, or were taken. Must not block; may be
     * NULL. */
    void (*failed)(void *context, enum err err, size_t spans_lost);
    void *context;
};

/* Counters of spans and requests only rise. */
struct otlp_exporter_stats {
    uint64_t exported;
    uint64_t dropped_queue_full;          /* no room, or no memory */
    uint64_t dropped_refused;             /* the receiver will not have them */
    uint64_t dropped_expired;             /* tried for retry_max_ms, or until the exporter was closed */
    uint64_t requests_failed;
    uint64_t queued_bytes;                /* now */
};

/* What opening would say of these: ERR_CONFIG with a cause, that has nothing of the headers. Any thread. */
enum err must_check otlp_exporter_check_endpoint(const char *endpoint);
enum err must_check otlp_exporter_check_headers(struct secret headers, enum otlp_headers_form form);

struct otlp_exporter;

/** ERR_CONFIG for an endpoint or headers that make no sense (the cause has nothing of the headers), ERR_MEMORY. Starts
 *  the thread. */
enum err must_check otlp_exporter_open(const struct otlp_exporter_opts *opts, struct otlp_exporter **ret);

/** Puts the spans into the queue; all or none. False when they were dropped. Never blocks on the network. */
bool otlp_exporter_add(struct otlp_exporter *exporter, const struct span *spans, size_t span_count);

/** Sends what waits, for at most timeout_ms, and ends the thread. NULL is fine. */
void otlp_exporter_close(struct otlp_exporter *exporter, unsigned timeout_ms);

void otlp_exporter_stats(const struct otlp_exporter *exporter, struct otlp_exporter_stats *ret);

#endif
