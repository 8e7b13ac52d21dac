/*
 * What the files of the metrics share: metric.c has series and updates, metric_text.c writes a scrape,
 * metric_process.c knows what the kernel tells of the processes.
 */
#ifndef TANDEM_TELEMETRY_METRIC_PRIVATE_H
#define TANDEM_TELEMETRY_METRIC_PRIVATE_H

#include <stdatomic.h>

#include "telemetry/metric.h"
#include "telemetry/metric_store.h"

/* What a LEAST_GAUGE's slot has is one more than its value: zero is what a process has that has not said it yet. */
enum metric_type {
    COUNTER, SHARED_COUNTER, GAUGE, LEAST_GAUGE, GREATEST_GAUGE, SHARED_GAUGE, HISTOGRAM, TRACED_HISTOGRAM,
};
enum metric_unit { ONE, BYTES, SECONDS };

struct metric_row {
    const char *name, *labels, *help;
    enum metric_type type;
    enum metric_unit unit;
};
extern const struct metric_row metric_rows[METRICS];

/* The buckets of a histogram: upper bounds and how they are told; the last bucket has none. */
struct metric_bound {
    int64_t most;
    const char *told;
};
enum { METRIC_BOUNDS = 14 };
extern const struct metric_bound metric_durations[METRIC_BOUNDS], metric_sizes[METRIC_BOUNDS];

static inline const struct metric_bound *metric_bounds(const struct metric_row *row)
{
    return row->unit == SECONDS ? metric_durations : metric_sizes;
}

static inline bool metric_is_histogram(const struct metric_row *row)
{
    return row->type == HISTOGRAM || row->type == TRACED_HISTOGRAM;
}

/* The slots of a histogram: the buckets, each counted for itself, and the sum; then, of a traced one, an exemplar a
 * bucket. */
enum { METRIC_BUCKETS = METRIC_BOUNDS + 1, METRIC_SUM = METRIC_BUCKETS, METRIC_EXEMPLARS, METRIC_EXEMPLAR_SLOTS = 5 };

/* Of an exemplar. The turn is odd while the others are being written. */
enum { EXEMPLAR_TURN, EXEMPLAR_TRACE, EXEMPLAR_TRACE_LOW, EXEMPLAR_VALUE, EXEMPLAR_TIME_US };

/** Sets a gauge of the process whose slots these are. */
void metric_set_in(_Atomic int64_t *slots, struct metric_series series, int64_t value);

/** The store; NULL before there is a series, and without memory. */
struct metric_store *metric_the_store(void);

/** Calls the collectors, and keeps others from scraping until metric_scrape_end(). */
void metric_scrape_begin(void);
void metric_scrape_end(void);

/** Registers its series and its collector. */
void metric_process_open(void);

#endif
