#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/metric_private.h"

/* A scrape on its way: the sums of all processes, of one moment. */
struct scrape {
    enum metric_format format;
    struct metric_store *store;
    const struct metric_name *names;
    size_t name_count;
    int64_t *sums;
    struct buf *out;
};

static const char *const type_names[] = {
    [COUNTER] = "counter",   [SHARED_COUNTER] = "counter", [GAUGE] = "gauge",
    [LEAST_GAUGE] = "gauge", [GREATEST_GAUGE] = "gauge",   [SHARED_GAUGE] = "gauge",
    [HISTOGRAM] = "histogram", [TRACED_HISTOGRAM] = "histogram",
};

static const char *const unit_names[] = {[ONE] = NULL, [BYTES] = "bytes", [SECONDS] = "seconds"};

/* ---- the formats ---- */

static const char *const content_types[METRIC_FORMATS] = {
    [METRIC_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
    [METRIC_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

const char *metric_content_type(enum metric_format format)
{
    return content_types[format];
}

/* Of an element of Accept: its weight in thousandths, 1000 unless it says q=. */
static int weight_of(struct text parameters)
{
    while (parameters.length > 0) {
        struct text value = text_split(&parameters, ';');
        struct text name = text_split(&value, '=');
        if (!text_equal_nocase(text_trim(name), TEXT("q")))
            continue;
        int weight = 0, unit = 1000;
        for (size_t i = 0; i < value.length && unit > 0; i++)
            if (value.at[i] >= '0' && value.at[i] <= '9') {
                weight += (value.at[i] - '0') * unit;
                unit /= 10;
            }
        return weight;
    }
    return 1000;
}

enum metric_format metric_format_of(struct text accept)
{
    int open_metrics = 0, plain = 0;

    while (accept.length > 0) {
        struct text element = text_split(&accept, ',');
        struct text type = text_trim(text_split(&element, ';'));
        int weight = weight_of(element);
        int *of = text_equal_nocase(type, TEXT("application/openmetrics-text")) ? &open_metrics
                : text_equal_nocase(type, TEXT("text/plain")) ? &plain : NULL;
        if (of && weight > *of)
            *of = weight;
    }
    return open_metrics > 0 && open_metrics >= plain ? METRIC_OPENMETRICS : METRIC_PROMETHEUS;
}

/* ---- samples ---- */

static void write_number(enum metric_unit unit, int64_t value, struct buf *out)
{
    uint64_t ns = value < 0 ? -(uint64_t)value : (uint64_t)value;

    if (unit == SECONDS)
        buf_addf(out, "%s%" PRIu64 ".%09" PRIu64, value < 0 ? "-" : "", ns / NS_PER_S, ns % NS_PER_S);
    else
        buf_add_int(out, value);
}

static void begin_sample(const struct scrape *scrape, const struct metric_name *name, const char *suffix,
                         const char *le)
{
    struct buf *out = scrape->out;

    buf_add_string(out, metric_rows[name->metric].name);
    buf_add_string(out, suffix);
    if (name->labels[0] || le) {
        buf_addf(out, "{%s", name->labels);
        if (le)
            buf_addf(out, "%sle=\"%s\"", name->labels[0] ? "," : "", le);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ' ');
}

static void write_sample(const struct scrape *scrape, const struct metric_name *name, const char *suffix,
                         const char *le, enum metric_unit unit, int64_t value)
{
    begin_sample(scrape, name, suffix, le);
    write_number(unit, value, scrape->out);
    buf_add_char(scrape->out, '\n');
}

/* ---- exemplars ---- */

struct exemplar {
    int64_t at[METRIC_EXEMPLAR_SLOTS];
    size_t slot;
};

/* Takes one that is newer and whole. */
static void take_newer(void *context, pid_t pid, _Atomic int64_t *slots)
{
    struct exemplar *best = context, now;

    (void)pid;
    for (size_t i = 0; i < METRIC_EXEMPLAR_SLOTS; i++)
        now.at[i] = atomic_load_explicit(slots + best->slot + i, memory_order_acquire);
    bool is_whole = now.at[EXEMPLAR_TURN] > 0 && now.at[EXEMPLAR_TURN] % 2 == 0 &&
                    atomic_load(slots + best->slot) == now.at[EXEMPLAR_TURN];
    if (is_whole && now.at[EXEMPLAR_TIME_US] > best->at[EXEMPLAR_TIME_US])
        memcpy(best->at, now.at, sizeof best->at);
}

static void write_exemplar(const struct scrape *scrape, const struct metric_name *name, size_t bucket)
{
    struct exemplar found = {.slot = name->slot + METRIC_EXEMPLARS + bucket * METRIC_EXEMPLAR_SLOTS};
    int64_t us;

    metric_store_each(scrape->store, take_newer, &found);
    if (!(us = found.at[EXEMPLAR_TIME_US]))
        return;
    buf_addf(scrape->out, " # {trace_id=\"%016" PRIx64 "%016" PRIx64 "\"} ", (uint64_t)found.at[EXEMPLAR_TRACE],
             (uint64_t)found.at[EXEMPLAR_TRACE_LOW]);
    write_number(metric_rows[name->metric].unit, found.at[EXEMPLAR_VALUE], scrape->out);
    buf_addf(scrape->out, " %" PRId64 ".%06" PRId64, us / US_PER_S, us % US_PER_S);
}

/* ---- series ---- */

static void write_histogram(const struct scrape *scrape, const struct metric_name *name)
{
    const struct metric_row *row = &metric_rows[name->metric];
    const struct metric_bound *bounds = metric_bounds(row);
    const int64_t *sums = scrape->sums + name->slot;
    int64_t below = 0;

    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        below += sums[i];
        begin_sample(scrape, name, "_bucket", i < METRIC_BOUNDS ? bounds[i].told : "+Inf");
        buf_add_int(scrape->out, below);
        if (scrape->format == METRIC_OPENMETRICS && row->type == TRACED_HISTOGRAM)
            write_exemplar(scrape, name, i);
        buf_add_char(scrape->out, '\n');
    }
    write_sample(scrape, name, "_sum", NULL, row->unit, sums[METRIC_SUM]);
    write_sample(scrape, name, "_count", NULL, ONE, below);
}

struct least {
    size_t slot;
    int64_t value;
};

static void take_less(void *context, pid_t pid, _Atomic int64_t *slots)
{
    struct least *least = context;
    int64_t value = atomic_load_explicit(slots + least->slot, memory_order_relaxed);

    (void)pid;
    if (value > 0 && value < least->value)
        least->value = value;
}

struct greatest {
    size_t slot;
    int64_t value;
};

static void take_more(void *context, pid_t pid, _Atomic int64_t *slots)
{
    struct greatest *greatest = context;
    int64_t value = atomic_load_explicit(slots + greatest->slot, memory_order_relaxed);

    (void)pid;
    if (value > greatest->value)
        greatest->value = value;
}

static int64_t value_of(const struct scrape *scrape, const struct metric_name *name)
{
    struct least least = {name->slot, INT64_MAX};
    struct greatest greatest = {name->slot, 0};

    switch (metric_rows[name->metric].type) {
    case LEAST_GAUGE:
        metric_store_each(scrape->store, take_less, &least);
        return least.value == INT64_MAX ? 0 : least.value - 1;
    case GREATEST_GAUGE:
        metric_store_each(scrape->store, take_more, &greatest);
        return greatest.value;
    case SHARED_COUNTER:
    case SHARED_GAUGE:
        return atomic_load_explicit(metric_store_slots(scrape->store) + name->slot, memory_order_relaxed);
    default:
        return scrape->sums[name->slot];
    }
}

/* OpenMetrics names a counter's family without the ending that its samples have. */
static struct text family_of(const struct scrape *scrape, const struct metric_row *row)
{
    static const struct text ending = TEXT("_total");
    struct text name = text_of(row->name);

    if (scrape->format == METRIC_OPENMETRICS && (row->type == COUNTER || row->type == SHARED_COUNTER))
        name.length -= ending.length;
    return name;
}

static void write_heading(const struct scrape *scrape, const struct metric_row *row)
{
    struct text family = family_of(scrape, row);
    const char *unit = unit_names[row->unit];
    struct buf *out = scrape->out;

    buf_addf(out, "# HELP %.*s %s\n", TEXT_ARGS(family), row->help);
    buf_addf(out, "# TYPE %.*s %s\n", TEXT_ARGS(family), type_names[row->type]);
    if (scrape->format == METRIC_OPENMETRICS && unit)
        buf_addf(out, "# UNIT %.*s %s\n", TEXT_ARGS(family), unit);
}

static void write_metric(const struct scrape *scrape, enum metric metric)
{
    const struct metric_row *row = &metric_rows[metric];
    bool is_first = true;

    for (size_t i = 0; i < scrape->name_count; i++) {
        const struct metric_name *name = &scrape->names[i];
        if (name->metric != (uint32_t)metric)
            continue;
        if (is_first)
            write_heading(scrape, row);
        is_first = false;
        if (metric_is_histogram(row))
            write_histogram(scrape, name);
        else
            write_sample(scrape, name, "", NULL, row->unit, value_of(scrape, name));
    }
}

static void write_all(struct scrape *scrape)
{
    scrape->names = metric_store_names(scrape->store, &scrape->name_count);
    size_t used = metric_store_used(scrape->store);
    scrape->sums = calloc(used, sizeof *scrape->sums);
    if (!scrape->sums) {
        scrape->out->failed = true;
        return;
    }
    metric_store_sum(scrape->store, scrape->sums, used);
    for (enum metric metric = 0; metric < METRICS; metric++)
        write_metric(scrape, metric);
    free(scrape->sums);
}

void metric_write(enum metric_format format, struct buf *out)
{
    struct scrape scrape = {.format = format, .out = out};

    metric_scrape_begin();
    scrape.store = metric_the_store();
    if (scrape.store)
        write_all(&scrape);
    if (format == METRIC_OPENMETRICS)
        buf_add_string(out, "# EOF\n");
    metric_scrape_end();
}
