#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "telemetry/metric_private.h"

const struct metric_row metric_rows[METRICS] = {
#define METRIC_ROW(id, name, type, unit, labels, help) {name, labels, help, type, unit},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

const struct metric_bound metric_durations[METRIC_BOUNDS] = {
    {500000, "0.0005"},    {1000000, "0.001"},     {2500000, "0.0025"},   {5000000, "0.005"},     {10000000, "0.01"},
    {25000000, "0.025"},   {50000000, "0.05"},     {100000000, "0.1"},    {250000000, "0.25"},    {500000000, "0.5"},
    {1000000000, "1.0"},   {2500000000, "2.5"},    {5000000000, "5.0"},   {10000000000, "10.0"},
};

const struct metric_bound metric_sizes[METRIC_BOUNDS] = {
    {1, "1.0"},   {2, "2.0"},     {4, "4.0"},     {8, "8.0"},     {16, "16.0"},     {32, "32.0"},     {64, "64.0"},
    {128, "128.0"}, {256, "256.0"}, {512, "512.0"}, {1024, "1024.0"}, {2048, "2048.0"}, {4096, "4096.0"},
    {8192, "8192.0"},
};

/* Where updates go: the process's segment of the store, and before and after it is open to here, seen by nobody. */
static _Atomic int64_t nowhere[METRIC_SLOTS];
static _Atomic int64_t *_Atomic slots = nowhere;
static atomic_bool disabled;

/* A thread that counts much has slots that nobody else writes to: nothing has to be locked, and no other processor has
 * the line. */
static _Thread_local struct {
    _Atomic int64_t *slots;            /* NULL: it has none */
    unsigned place;
} own;

static struct {
    pthread_mutex_t lock;              /* of everything here */
    struct metric_store *_Atomic store;   /* may come with the first series, while others scrape */
    unsigned owners;                   /* a bit for each place that a thread has */
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct {
    pthread_mutex_t lock;              /* held by a scrape from start to end */
    struct {
        void (*collect)(void *context);
        void *context;
    } list[METRIC_COLLECTORS_MAX];
    size_t count;
} collectors = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- updates ---- */

static inline _Atomic int64_t *slot_of(struct metric_series series)
{
    return atomic_load_explicit(&slots, memory_order_relaxed) + series.slot;
}

static inline void count_at(uint32_t slot, int64_t n)
{
    if (own.slots && slot < METRIC_OWN_SLOTS) {
        _Atomic int64_t *at = own.slots + slot;
        atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(atomic_load_explicit(&slots, memory_order_relaxed) + slot, n, memory_order_relaxed);
    }
}

void metric_enable(bool enabled)
{
    atomic_store_explicit(&disabled, !enabled, memory_order_relaxed);
}

bool metric_is_enabled(void)
{
    return !atomic_load_explicit(&disabled, memory_order_relaxed);
}

void metric_add(struct metric_series series, int64_t n)
{
    /* a gauge that goes up and down must not miss half of it when metrics are switched off in between */
    if (metric_is_enabled() || metric_rows[series.metric].type == GAUGE)
        count_at(series.slot, n);
}

static int64_t bias_of(struct metric_series series)
{
    return metric_rows[series.metric].type == LEAST_GAUGE;
}

void metric_set_in(_Atomic int64_t *at, struct metric_series series, int64_t value)
{
    atomic_store_explicit(at + series.slot, value + bias_of(series), memory_order_relaxed);
}

void metric_set(struct metric_series series, int64_t value)
{
    metric_set_in(atomic_load_explicit(&slots, memory_order_relaxed), series, value);
}

int64_t metric_value(struct metric_series series)
{
    struct metric_store *store = registry.store;
    return (store ? metric_store_value(store, series.slot) : 0) - bias_of(series);
}

static uint32_t observe(struct metric_series series, int64_t value)
{
    const struct metric_bound *bounds = metric_bounds(&metric_rows[series.metric]);
    uint32_t bucket = 0;

    while (bucket < METRIC_BOUNDS && value > bounds[bucket].most)
        bucket++;
    count_at(series.slot + bucket, 1);
    count_at(series.slot + METRIC_SUM, value);
    return bucket;
}

void metric_observe(struct metric_series series, int64_t value)
{
    if (metric_is_enabled())
        observe(series, value < 0 ? 0 : value);
}

static bool read_trace_id(struct text hex, int64_t ret_halves[static 2])
{
    uint64_t halves[2] = {0, 0};

    if (hex.length != METRIC_TRACE_ID_LENGTH)
        return false;
    for (size_t i = 0; i < hex.length; i++) {
        int digit = hex_digit(hex.at[i]);
        if (digit < 0)
            return false;
        halves[i / 16] = halves[i / 16] << 4 | (unsigned)digit;
    }
    memcpy(ret_halves, halves, sizeof halves);
    return true;
}

/* A scrape sees the latest alone, so that one that is still new need not be written over with every request. */
static bool is_new(_Atomic int64_t *at, int64_t now_us)
{
    int64_t age_us = now_us - atomic_load_explicit(at + EXEMPLAR_TIME_US, memory_order_relaxed);
    return age_us >= 0 && age_us < METRIC_EXEMPLAR_KEPT_US;
}

/* A sequence lock whose writers do not wait: of two at once, one exemplar is as good as the other. */
static void set_exemplar(_Atomic int64_t *at, const int64_t trace[static 2], int64_t value, int64_t now_us)
{
    int64_t turn = atomic_load_explicit(at + EXEMPLAR_TURN, memory_order_relaxed);

    if (turn % 2 || !atomic_compare_exchange_strong_explicit(at + EXEMPLAR_TURN, &turn, turn + 1, memory_order_acquire,
                                                             memory_order_relaxed))
        return;
    atomic_store_explicit(at + EXEMPLAR_TRACE, trace[0], memory_order_release);
    atomic_store_explicit(at + EXEMPLAR_TRACE_LOW, trace[1], memory_order_release);
    atomic_store_explicit(at + EXEMPLAR_VALUE, value, memory_order_release);
    atomic_store_explicit(at + EXEMPLAR_TIME_US, now_us, memory_order_release);
    atomic_store_explicit(at + EXEMPLAR_TURN, turn + 2, memory_order_release);
}

void metric_observe_traced(struct metric_series series, int64_t value, struct text trace_id)
{
    int64_t trace[2];

    if (!metric_is_enabled())
        return;
    value = value < 0 ? 0 : value;
    uint32_t bucket = observe(series, value);
    if (series.slot == 0 || metric_rows[series.metric].type != TRACED_HISTOGRAM || !trace_id.at)
        return;
    _Atomic int64_t *at = slot_of(series) + METRIC_EXEMPLARS + bucket * METRIC_EXEMPLAR_SLOTS;
    int64_t now_us = clock_wall_coarse_us();
    if (!is_new(at, now_us) && read_trace_id(trace_id, trace))
        set_exemplar(at, trace, value, now_us);
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
    struct text names = text_of(metric_rows[metric].labels);
    size_t i = 0;

    while (names.length > 0) {
        struct text name = text_split(&names, ',');

        assert(i < count);
        add_label(out, name, values ? values[i] : "other");
        i++;
    }
    assert(i == count);
}

static size_t slots_needed(const struct metric_row *row)
{
    return row->type == TRACED_HISTOGRAM ? METRIC_EXEMPLARS + METRIC_BUCKETS * METRIC_EXEMPLAR_SLOTS
         : row->type == HISTOGRAM ? METRIC_EXEMPLARS : 1;
}

/* Counts outlast their process; gauges and exemplars do not. */
static size_t slots_lasting(const struct metric_row *row)
{
    return metric_is_histogram(row) ? METRIC_EXEMPLARS : row->type == COUNTER ? 1 : 0;
}

/* How many series of a metric there are in the store, whoever registered them. */
static size_t count_series(const struct metric_store *store, enum metric metric)
{
    size_t names, count = 0;
    const struct metric_name *name = metric_store_names(store, &names);

    for (size_t i = 0; i < names; i++)
        count += name[i].metric == metric;
    return count;
}

static const struct metric_name *find_or_add(struct metric_store *store, enum metric metric,
                                             const char *const *values, size_t count)
{
    const struct metric_row *row = &metric_rows[metric];
    const struct metric_name *found = NULL;
    struct buf labels;

    buf_init(&labels, METRIC_LABELS_SIZE - 1);
    write_labels(metric, values, count, &labels);
    bool is_other = values && (labels.failed || count_series(store, metric) >= METRIC_SERIES_MAX - 1);
    if (is_other && !labels.failed)
        is_other = !metric_store_find(store, metric, buf_string(&labels));
    if (is_other)
        found = find_or_add(store, metric, NULL, count);
    else if (!labels.failed && metric_store_name(store, metric, buf_string(&labels), (uint32_t)slots_needed(row),
                                                 (uint32_t)slots_lasting(row), &found))
        found = NULL;
    buf_fini(&labels);
    return found;
}

/* All that the meaning of slots hangs on. */
static const char table_told[] = PACKAGE_VERSION
#define METRIC_TOLD(id, name, type, unit, labels, help) "\n" name " " #type " " #unit " " labels
    METRIC_TABLE(METRIC_TOLD);
#undef METRIC_TOLD

/* FNV-1a. */
static uint64_t layout_of_table(void)
{
    uint64_t layout = UINT64_C(14695981039346656037);

    for (const char *at = table_told; *at; at++)
        layout = (layout ^ (unsigned char)*at) * UINT64_C(1099511628211);
    return layout;
}

/* The first slots of a store are nobody's, as many as the largest series takes: a handle of zeros is seen by nobody. */
static enum err use_store(const char *path)
{
    struct metric_store *store;
    const struct metric_name *first;
    enum err err = metric_store_open(path, layout_of_table(), &store);
    if (err)
        return err;
    err = metric_store_name(store, METRICS, "", METRIC_EXEMPLARS + METRIC_BUCKETS * METRIC_EXEMPLAR_SLOTS, 0, &first);
    if (!err && first->slot != 0)
        err = err_because(ERR_IO, "metrics: %s does not begin as it should", path ? path : "memory");
    if (err) {
        metric_store_close(store);
        return err;
    }
    registry.store = store;
    atomic_store(&slots, metric_store_slots(store));
    return ERR_NONE;
}

struct metric_store *metric_the_store(void)
{
    return registry.store;
}

struct metric_series metric_series_of(enum metric metric, const char *const *values, size_t count)
{
    struct metric_series handle = {metric, 0};

    assert(metric < METRICS);
    pthread_mutex_lock(&registry.lock);
    if (registry.store || !use_store(NULL)) {
        const struct metric_name *name = find_or_add(registry.store, metric, values, count);
        if (name)
            handle.slot = name->slot;
    }
    pthread_mutex_unlock(&registry.lock);
    return handle;
}

/* ---- slots of a thread's own ---- */

void metric_own_begin(void)
{
    pthread_mutex_lock(&registry.lock);
    for (unsigned place = 0; registry.store && !own.slots && place < METRIC_OWNERS_MAX; place++) {
        if (registry.owners & 1U << place)
            continue;
        own.slots = metric_store_own(registry.store, place);
        own.place = place;
        if (!own.slots)
            break;
        registry.owners |= 1U << place;
    }
    pthread_mutex_unlock(&registry.lock);
}

void metric_own_end(void)
{
    if (!own.slots)
        return;
    own.slots = NULL;
    pthread_mutex_lock(&registry.lock);
    registry.owners &= ~(1U << own.place);
    pthread_mutex_unlock(&registry.lock);
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

void metric_scrape_begin(void)
{
    pthread_mutex_lock(&collectors.lock);
    if (registry.store)
        metric_store_tidy(registry.store);
    for (size_t i = 0; i < collectors.count; i++)
        collectors.list[i].collect(collectors.list[i].context);
}

void metric_scrape_end(void)
{
    pthread_mutex_unlock(&collectors.lock);
}

/* ---- open and close ---- */

enum err metric_open(const char *service, const char *path)
{
    enum err err = use_store(path), in_memory = err && path ? use_store(NULL) : ERR_NONE;

    metric_set(metric_series(METRIC_BUILD_INFO, service, PACKAGE_VERSION), 1);
    metric_process_open();
    return in_memory ? in_memory : err;
}

void metric_close(void)
{
    atomic_store(&slots, nowhere);
    metric_store_close(registry.store);
    registry.store = NULL;
    collectors.count = 0;
    metric_enable(true);
}
