/*
 * Metrics: counters, gauges and histograms, updated without a lock and scraped as Prometheus text or as OpenMetrics.
 *
 *     struct metric_series served = metric_series(METRIC_HTTP_REQUESTS, "GET", "/v1/orders/{id}", "200");
 *     metric_add(served, 1);
 *
 * Every metric is a row of METRIC_TABLE (telemetry/metric_table.h). A series is one combination of its label values;
 * it is registered once, which takes a lock, and the handle is kept: an update is then one relaxed atomic addition.
 * Label values are from closed sets (a route's pattern, never a path). Should they not be, series past
 * METRIC_SERIES_MAX of a metric all become the one whose labels are "other".
 *
 * Several processes of a service share one store (telemetry/metric_store.h): a scrape of any of them tells of all.
 *
 * All values stand in 64-bit slots. Times are nanoseconds there, and seconds when scraped.
 *
 * Threads: metric_open() and metric_close() by the main thread while nobody else is here; everything else from any.
 */
#ifndef TANDEM_TELEMETRY_METRIC_H
#define TANDEM_TELEMETRY_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "telemetry/metric_table.h"

enum metric {
#define METRIC_ENUM(id, name, type, unit, labels, help) id,
    METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
    METRICS,
};

enum { METRIC_SERIES_MAX = 512, METRIC_LABELS_MAX = 4, METRIC_COLLECTORS_MAX = 16, METRIC_TRACE_ID_LENGTH = 32 };

/* A handle. All zero, it is a series that nobody sees. */
struct metric_series {
    enum metric metric;
    uint32_t slot;
};

/**
 * Opens the store at this path, which the processes of the service share; NULL: this process's own memory. Registers
 * what tells about the process itself; before any other series. On an error metrics go on in memory, and what was
 * counted so far is lost: ERR_IO, ERR_STORAGE_FULL, ERR_BUSY.
 */
enum err must_check metric_open(const char *service, const char *path);

/** Forgets every series and collector; the store stays. */
void metric_close(void);

/** Whether updates count; they do from the start. Live. */
void metric_enable(bool enabled);
bool metric_is_enabled(void);

/** The series with these label values, as many as the metric has labels. Values are copied. Without room it is the
 *  one that nobody sees. */
#define metric_series(metric, ...)                                                         \
    metric_series_of(metric, (const char *const[]){"", ##__VA_ARGS__} + 1,                 \
                     sizeof((const char *const[]){"", ##__VA_ARGS__}) / sizeof(char *) - 1)
struct metric_series metric_series_of(enum metric metric, const char *const *values, size_t count);

/** Adds to a counter (n >= 0) or a gauge. */
void metric_add(struct metric_series series, int64_t n);

/** Sets a gauge; or a counter that somebody else counts, from a collector. */
void metric_set(struct metric_series series, int64_t value);

/** Puts a duration in nanoseconds, or a size, negative ones as zero, into a histogram. */
void metric_observe(struct metric_series series, int64_t value);

enum { METRIC_EXEMPLAR_KEPT_US = 100000 };

/** The same for a TRACED_HISTOGRAM, and makes the trace (32 hexadecimal digits; others are ignored) its bucket's
 *  exemplar, unless the one that is there is newer than METRIC_EXEMPLAR_KEPT_US. */
void metric_observe_traced(struct metric_series series, int64_t value, struct text trace_id);

/** From now on until the other, the calling thread counts where no other thread does, so that its processor need not
 *  wait for another's: for those that serve. Of those that are past METRIC_OWNERS_MAX nothing changes. */
void metric_own_begin(void);
void metric_own_end(void);

/** What a counter or a gauge of this process says now. */
int64_t metric_value(struct metric_series series);

/**
 * Has collect called at the start of each scrape, in the thread that scrapes and one at a time, to metric_set() what a
 * module knows by itself: gauges. ERR_MEMORY past METRIC_COLLECTORS_MAX.
 */
enum err must_check metric_collect(void (*collect)(void *context), void *context);

/** Ends all collectors with this context; none of them runs when it returns. */
void metric_collect_end(void *context);

/* How a scrape is written: the text exposition format 0.0.4, or OpenMetrics 1.0 with exemplars. */
enum metric_format { METRIC_PROMETHEUS, METRIC_OPENMETRICS, METRIC_FORMATS };

/** The format that an Accept header field (RFC 9110, 12.5.1; may be absent) asks for. */
enum metric_format metric_format_of(struct text accept);
const char *metric_content_type(enum metric_format format);

/** Writes all metrics that have a series. Whether it fitted is asked of out. */
void metric_write(enum metric_format format, struct buf *out);

#endif
