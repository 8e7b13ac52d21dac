/*
 * Metrics: counters, gauges and histograms, updated without a lock and scraped as Prometheus text.
 *
 *     struct metric_series served = metric_series(METRIC_HTTP_REQUESTS, "GET", "/v1/orders/{id}", "200");
 *     metric_add(served, 1);
 *
 * Every metric is a row of METRIC_TABLE (telemetry/metric_table.h). A series is one combination of its label values;
 * it is registered once, which takes a lock, and the handle is kept: an update is then one relaxed atomic addition.
 * Label values are from closed sets (a route's pattern, never a path). Should they not be, series past
 * METRIC_SERIES_MAX of a metric all become the one whose labels are "other".
 *
 * All values stand in one array of 64-bit slots. Times are nanoseconds there, and seconds when scraped.
 *
 * Threads: metric_open() and metric_close() by the main thread while nobody else is here; everything else from any.
 */
#ifndef TANDEM_TELEMETRY_METRIC_H
#define TANDEM_TELEMETRY_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "telemetry/metric_table.h"

enum metric {
#define METRIC_ENUM(id, name, type, unit, labels, help) id,
    METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
    METRICS,
};

enum { METRIC_SERIES_MAX = 512, METRIC_LABELS_MAX = 4, METRIC_COLLECTORS_MAX = 16 };

#define METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A handle. All zero, it is a series that nobody sees. */
struct metric_series {
    enum metric metric;
    uint32_t slot;
};

/** Registers what tells about the process itself; before any other series. */
void metric_open(const char *service);

/** Forgets every series, value and collector. */
void metric_close(void);

/** The series with these label values, as many as the metric has labels. Values are copied. Without memory it is the
 *  one that nobody sees. */
#define metric_series(metric, ...)                                                         \
    metric_series_of(metric, (const char *const[]){"", ##__VA_ARGS__} + 1,                 \
                     sizeof((const char *const[]){"", ##__VA_ARGS__}) / sizeof(char *) - 1)
struct metric_series metric_series_of(enum metric metric, const char *const *values, size_t count);

/** Adds to a counter (n >= 0) or a gauge. */
void metric_add(struct metric_series series, int64_t n);

/** Sets a gauge; or a counter that somebody else counts, from a collector. */
void metric_set(struct metric_series series, int64_t value);

/** Puts a duration in nanoseconds, negative ones as zero, into a histogram. */
void metric_observe(struct metric_series series, int64_t duration_ns);

/** What a counter or a gauge says now. */
int64_t metric_value(struct metric_series series);

/**
 * Has collect called at the start of each scrape, in the thread that scrapes and one at a time, to metric_set() what a
 * module counts by itself. ERR_MEMORY past METRIC_COLLECTORS_MAX.
 */
enum err must_check metric_collect(void (*collect)(void *context), void *context);

/** Ends all collectors with this context; none of them runs when it returns. */
void metric_collect_end(void *context);

/** Writes all metrics that have a series, in the text exposition format 0.0.4. Whether it fitted is asked of out. */
void metric_write(struct buf *out);

#endif
