/*
 * The exporter: sends spans to an OTLP receiver over HTTP, on a thread of its own.
 *
 * Whoever has spans never waits: they are copied into a bounded queue, and dropped and counted when there is no room.
 * The thread batches, compresses, sends, and tries again with growing pauses, or when Retry-After says, what a receiver
 * may take later (429, 502, 503, 504, no connection: the OTLP specification, "Failures"); what it will never take is
 * dropped and counted.
 *
 * Threads: open and close by the main thread; add and stats from any.
 */
#ifndef TANDEM_TELEMETRY_OTLP_EXPORTER_H
#define TANDEM_TELEMETRY_OTLP_EXPORTER_H

#include <stdint.h>

#include "base/err.h"
#include "telemetry/otlp.h"

enum otlp_protocol { OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON };

struct otlp_exporter_opts {
    const char *endpoint;                 /* "http://127.0.0.1:4318/v1/traces", the whole URL */
    enum otlp_protocol protocol;
    bool gzip;
    const char *headers;                  /* "name=value,name2=value2", as OTEL_EXPORTER_OTLP_HEADERS; may hold secrets */
    struct otlp_resource resource;        /* copied */
    size_t queue_max_bytes;               /* of memory for spans that wait to be sent */
    unsigned batch_max;                   /* spans in one request */
    unsigned batch_delay_ms;              /* the longest that a span waits for a fuller batch */
    unsigned timeout_ms;                  /* of one request */
    unsigned retry_max_ms;                /* how long one batch is tried; then it is dropped */
};

/* Counters only rise. */
struct otlp_exporter_stats {
    uint64_t exported, dropped_queue_full, dropped_refused, dropped_expired, requests_failed;
};

struct otlp_exporter;

/** ERR_CONFIG for an endpoint or headers that make no sense, ERR_MEMORY. Starts the thread. */
enum err must_check otlp_exporter_open(const struct otlp_exporter_opts *opts, struct otlp_exporter **ret);

/** Copies the spans into the queue; all or none. False when they were dropped. Never blocks on the network. */
bool otlp_exporter_add(struct otlp_exporter *exporter, const struct span *spans, size_t count);

/** Sends what waits, for at most timeout_ms, and ends the thread. NULL is fine. */
void otlp_exporter_close(struct otlp_exporter *exporter, unsigned timeout_ms);

void otlp_exporter_stats(const struct otlp_exporter *exporter, struct otlp_exporter_stats *ret);

#endif
