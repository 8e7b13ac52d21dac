#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/metric.h"
#include "telemetry/metric_process.h"

enum type { COUNTER, GAUGE, HISTOGRAM };
enum unit { ONE, BYTES, SECONDS };

static const struct {
    const char *name, *labels, *help;
    enum type type;
    enum unit unit;
} table[METRICS] = {
#define METRIC_ROW(id, name, type, unit, labels, help) {name, labels, help, type, unit},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

static const char *const type_names[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

/* Upper bounds of the buckets of durations, and how they are told; the last bucket has none. */
static const struct {
    int64_t ns;
    const char *told;
} bounds[] = {
    {500000, "0.0005"},    {1000000, "0.001"},     {2500000, "0.0025"},   {5000000, "0.005"},     {10000000, "0.01"},
    {25000000, "0.025"},   {50000000, "0.05"},     {100000000, "0.1"},    {250000000, "0.25"},    {500000000, "0.5"},
    {1000000000, "1"},     {2500000000, "2.5"},    {5000000000, "5"},     {10000000000, "10"},
};

enum {
    BOUNDS = sizeof bounds / sizeof bounds[0],
    HISTOGRAM_SLOTS = BOUNDS + 2,      /* the buckets, each counted for itself, and the sum */
    SLOTS_MAX = 32768,                 /* of which the first is seen by nobody, and takes a histogram */
    SERIES_MAX = 4096,
    LABELS_BYTES = 512,
};

struct series {
    enum metric metric;
    uint32_t slot;
    char *labels;                      /* as scraped, without braces; "" for none */
};

static _Atomic int64_t slots[SLOTS_MAX];

static struct {
    pthread_mutex_t lock;              /* of everything here */
    struct series series[SERIES_MAX];
    size_t count;
    size_t counts[METRICS];
    uint32_t slots_used;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER, .slots_used = HISTOGRAM_SLOTS};

static struct {
    pthread_mutex_t lock;              /* held by a scrape from start to end */
    struct {
        void (*collect)(void *context);
        void *context;
    } list[METRIC_COLLECTORS_MAX];
    size_t count;
} collectors = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- updates ---- */

void metric_add(struct metric_series series, int64_t n)
{
    atomic_fetch_add_explicit(&slots[series.slot], n, memory_order_relaxed);
}

void metric_set(struct metric_series series, int64_t value)
{
    atomic_store_explicit(&slots[series.slot], value, memory_order_relaxed);
}

int64_t metric_value(struct metric_series series)
{
    return atomic_load_explicit(&slots[series.slot], memory_order_relaxed);
}

void metric_observe(struct metric_series series, int64_t duration_ns)
{
    uint32_t bucket = 0;

    if (duration_ns < 0)
        duration_ns = 0;
    while (bucket < BOUNDS && duration_ns > bounds[bucket].ns)
        bucket++;
    metric_add((struct metric_series){series.metric, series.slot + bucket}, 1);
    metric_add((struct metric_series){series.metric, series.slot + BOUNDS + 1}, duration_ns);
}

/* ---- series ---- */

static void add_label(struct buf *out, struct text name, const char *value)
{
    if (out->length > 0)
        buf_add_char(out, ',');
    buf_add_text(out, name);
    buf_add_string(out, "=\"");
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_add_char(out, '\\');
        if (*value == '\n')
            buf_add_string(out, "\\n");
        else
            buf_add_char(out, *value);
    }
    buf_add_char(out, '"');
}

/* values NULL: "other" for each. */
static void write_labels(enum metric metric, const char *const *values, size_t count, struct buf *out)
{
    struct text names = text_of(table[metric].labels);
    size_t i = 0;

    while (names.length > 0) {
        struct text name = text_split(&names, ',');

        assert(i < count);
        add_label(out, name, values ? values[i] : "other");
        i++;
    }
    assert(i == count);
}

static const struct series *find(enum metric metric, const char *labels)
{
    for (size_t i = 0; i < registry.count; i++)
        if (registry.series[i].metric == metric && !strcmp(registry.series[i].labels, labels))
            return &registry.series[i];
    return NULL;
}

static const struct series *add(enum metric metric, const char *labels)
{
    uint32_t need = table[metric].type == HISTOGRAM ? HISTOGRAM_SLOTS : 1;
    char *copy;

    if (registry.count == SERIES_MAX || registry.slots_used + need > SLOTS_MAX || !(copy = strdup(labels)))
        return NULL;
    struct series *series = &registry.series[registry.count++];
    *series = (struct series){metric, registry.slots_used, copy};
    registry.slots_used += need;
    registry.counts[metric]++;
    return series;
}

static const struct series *find_or_add(enum metric metric, const char *const *values, size_t count)
{
    const struct series *series = NULL;
    struct buf labels;

    buf_init(&labels, LABELS_BYTES);
    write_labels(metric, values, count, &labels);
    if (labels.failed && values)
        series = find_or_add(metric, NULL, count);
    else if (!labels.failed && !(series = find(metric, buf_string(&labels)))) {
        if (values && registry.counts[metric] >= METRIC_SERIES_MAX - 1)
            series = find_or_add(metric, NULL, count);
        else
            series = add(metric, buf_string(&labels));
    }
    buf_fini(&labels);
    return series;
}

struct metric_series metric_series_of(enum metric metric, const char *const *values, size_t count)
{
    struct metric_series handle = {metric, 0};

    assert(metric < METRICS);
    pthread_mutex_lock(&registry.lock);
    const struct series *series = find_or_add(metric, values, count);
    if (series)
        handle.slot = series->slot;
    pthread_mutex_unlock(&registry.lock);
    return handle;
}

/* ---- collectors ---- */

enum err metric_collect(void (*collect)(void *context), void *context)
{
    enum err err = ERR_NONE;

    pthread_mutex_lock(&collectors.lock);
    if (collectors.count == METRIC_COLLECTORS_MAX) {
        err = err_because(ERR_MEMORY, "more than %d collectors of metrics", METRIC_COLLECTORS_MAX);
    } else {
        collectors.list[collectors.count].collect = collect;
        collectors.list[collectors.count++].context = context;
    }
    pthread_mutex_unlock(&collectors.lock);
    return err;
}

void metric_collect_end(void *context)
{
    size_t kept = 0;

    pthread_mutex_lock(&collectors.lock);
    for (size_t i = 0; i < collectors.count; i++)
        if (collectors.list[i].context != context)
            collectors.list[kept++] = collectors.list[i];
    collectors.count = kept;
    pthread_mutex_unlock(&collectors.lock);
}

/* ---- scraping ---- */

static void write_number(enum unit unit, int64_t value, struct buf *out)
{
    uint64_t ns = value < 0 ? -(uint64_t)value : (uint64_t)value;

    if (unit == SECONDS)
        buf_addf(out, "%s%" PRIu64 ".%09" PRIu64, value < 0 ? "-" : "", ns / NS_PER_S, ns % NS_PER_S);
    else
        buf_add_int(out, value);
}

static void write_sample(const struct series *series, const char *suffix, const char *le, enum unit unit,
                         int64_t value, struct buf *out)
{
    buf_add_string(out, table[series->metric].name);
    buf_add_string(out, suffix);
    if (series->labels[0] || le) {
        buf_addf(out, "{%s", series->labels);
        if (le)
            buf_addf(out, "%sle=\"%s\"", series->labels[0] ? "," : "", le);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ' ');
    write_number(unit, value, out);
    buf_add_char(out, '\n');
}

static int64_t slot_value(const struct series *series, size_t at)
{
    return atomic_load_explicit(&slots[series->slot + at], memory_order_relaxed);
}

static void write_histogram(const struct series *series, struct buf *out)
{
    int64_t below = 0;

    for (size_t i = 0; i <= BOUNDS; i++) {
        below += slot_value(series, i);
        write_sample(series, "_bucket", i < BOUNDS ? bounds[i].told : "+Inf", ONE, below, out);
    }
    write_sample(series, "_sum", NULL, SECONDS, slot_value(series, BOUNDS + 1), out);
    write_sample(series, "_count", NULL, ONE, below, out);
}

static void write_metric(enum metric metric, struct buf *out)
{
    if (registry.counts[metric] == 0)
        return;
    buf_addf(out, "# HELP %s %s\n", table[metric].name, table[metric].help);
    buf_addf(out, "# TYPE %s %s\n", table[metric].name, type_names[table[metric].type]);
    for (size_t i = 0; i < registry.count; i++) {
        const struct series *series = &registry.series[i];

        if (series->metric != metric)
            continue;
        if (table[metric].type == HISTOGRAM)
            write_histogram(series, out);
        else
            write_sample(series, "", NULL, table[metric].unit, slot_value(series, 0), out);
    }
}

void metric_write(struct buf *out)
{
    pthread_mutex_lock(&collectors.lock);
    for (size_t i = 0; i < collectors.count; i++)
        collectors.list[i].collect(collectors.list[i].context);
    pthread_mutex_lock(&registry.lock);
    for (enum metric metric = 0; metric < METRICS; metric++)
        write_metric(metric, out);
    pthread_mutex_unlock(&registry.lock);
    pthread_mutex_unlock(&collectors.lock);
}

/* ---- open and close ---- */

void metric_open(const char *service)
{
    metric_set(metric_series(METRIC_BUILD_INFO, service, PACKAGE_VERSION), 1);
    metric_process_open();
}

void metric_close(void)
{
    for (size_t i = 0; i < registry.count; i++)
        free(registry.series[i].labels);
    for (uint32_t i = 0; i < registry.slots_used; i++)
        atomic_store_explicit(&slots[i], 0, memory_order_relaxed);
    memset(registry.counts, 0, sizeof registry.counts);
    registry.count = 0;
    registry.slots_used = HISTOGRAM_SLOTS;
    collectors.count = 0;
}
