#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fence.h"
#include "telemetry/metric.h"
#include "telemetry/trace_memory.h"
#include "telemetry/trace_private.h"
#include "telemetry/trace_queue.h"
#include "telemetry/trace_record.h"
#include "telemetry/trace_recorder.h"

enum {
    GATHER_MS = 100,                       /* so that one waking takes what many threads put */
    DECODE_MAX_BYTES = 256 * 1024,         /* for the spans of one record */
    BATCH_MAX = 64,                        /* records that are taken at once */
    CACHE_LINE = 64,
};

/* What the thread does: who puts wakes it only when it has to. */
enum { AWAKE, GATHERING, ASLEEP };

struct recorder {
    struct trace_opts opts;
    struct trace_queue *queue;
    struct trace_memory *memory;
    pthread_t thread;
    int wake_fd;
    atomic_int state;
    atomic_bool stopping;
    atomic_llong stop_at_ns;
    struct arena arena;                    /* the thread's */
    char record[TRACE_RECORD_MAX_BYTES];
};

/* Set while nobody else is here. */
static struct recorder *_Atomic recorder;

struct counter {
    atomic_uint_fast64_t total;
    struct metric_series series;
};

/* On a cache line of their own: they are written, and those beside them read by all who make spans. */
static struct {
    _Alignas(CACHE_LINE) struct counter kept;
    struct counter dropped_queue_full, dropped_overflow;
} counters;

static void count(struct counter *counter, uint64_t n)
{
    if (n == 0)
        return;
    atomic_fetch_add_explicit(&counter->total, n, memory_order_relaxed);
    metric_add(counter->series, (int64_t)n);
}

/* ---- who puts ---- */

static void wake(struct recorder *one)
{
    fence_light();
    int state = atomic_load_explicit(&one->state, memory_order_relaxed);
    if (state == AWAKE || (state == GATHERING && !trace_queue_half_full(one->queue)))
        return;
    if (!atomic_compare_exchange_strong(&one->state, &state, AWAKE))
        return;
    const uint64_t once = 1;
    while (write(one->wake_fd, &once, sizeof once) < 0 && errno == EINTR)
        continue;
}

void trace_recorder_put(const struct trace_part *part)
{
    struct recorder *one = atomic_load_explicit(&recorder, memory_order_acquire);
    char record[TRACE_RECORD_MAX_BYTES];
    unsigned spans;
    if (!one)
        return;
    size_t length = trace_record_write(part, record, &spans);
    count(&counters.dropped_overflow, part->overflow + (part->count - spans));
    if (!trace_queue_put(one->queue, (struct text){record, length})) {
        count(&counters.dropped_queue_full, spans);
        return;
    }
    wake(one);
}

/* ---- the thread ---- */

static void export(struct recorder *one, struct text record)
{
    struct span *spans;
    size_t span_count;
    arena_reset(&one->arena);
    if (one->opts.exporter && trace_record_read(record, &one->arena, &spans, &span_count) == ERR_NONE)
        (void)!otlp_exporter_add(one->opts.exporter, spans, span_count);   /* which counts what it drops */
}

static bool is_out_of_time(struct recorder *one)
{
    return atomic_load(&one->stopping) && clock_now_ns() >= atomic_load(&one->stop_at_ns);
}

/* Whether there was any. The lock on the memory is taken once for a batch, which is none of the other processes'
 * business for longer than it takes to copy it. */
static bool take_batch(struct recorder *one)
{
    int64_t offset_ns = clock_wall_offset_ns();
    unsigned taken = 0;
    size_t length;
    while (taken < BATCH_MAX &&
           (length = trace_queue_take(one->queue, one->record, sizeof one->record)) > 0) {
        struct text record = {one->record, length};
        trace_record_shift(one->record, length, offset_ns);
        count(&counters.kept, trace_record_span_count(record));
        if (one->memory && taken == 0)
            trace_memory_hold(one->memory);
        if (one->memory)
            (void)!trace_memory_put(one->memory, record);
        export(one, record);
        taken++;
    }
    if (one->memory)
        trace_memory_release(one->memory);
    return taken > 0;
}

static bool take_all(struct recorder *one)
{
    bool any = false;
    while (take_batch(one)) {
        any = true;
        if (is_out_of_time(one))
            break;
    }
    return any;
}

static void sleep_until_woken(struct recorder *one, int state, int timeout_ms)
{
    struct pollfd wake_poll = {.fd = one->wake_fd, .events = POLLIN};
    uint64_t times;
    atomic_store(&one->state, state);
    if (state == ASLEEP)
        fence_heavy();
    if (!atomic_load(&one->stopping) && (state == GATHERING || trace_queue_is_empty(one->queue)))
        poll(&wake_poll, 1, timeout_ms);
    atomic_store(&one->state, AWAKE);
    while (read(one->wake_fd, &times, sizeof times) < 0 && errno == EINTR)
        continue;
}

static void *run(void *context)
{
    struct recorder *one = context;
    for (;;) {
        bool any = take_all(one);
        if (atomic_load(&one->stopping) && (!any || is_out_of_time(one)))
            return NULL;
        if (any)
            sleep_until_woken(one, GATHERING, GATHER_MS);
        else
            sleep_until_woken(one, ASLEEP, -1);
    }
}

/* ---- start and stop ---- */

static enum err start_thread(struct recorder *one)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&one->thread, NULL, run, one);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return err_because(ERR_MEMORY, "the recorder of traces: %s", strerror(error));
    pthread_setname_np(one->thread, "traces");
    return ERR_NONE;
}

static void recorder_free(struct recorder *one)
{
    trace_memory_close(one->memory);
    trace_queue_free(one->queue);
    arena_fini(&one->arena);
    if (one->wake_fd >= 0)
        close(one->wake_fd);
    free(one);
}

enum err trace_open(const struct trace_opts *opts)
{
    struct recorder *one = calloc(1, sizeof *one);
    if (!one)
        return err_because(ERR_MEMORY, "no memory for the recorder of traces");
    one->opts = *opts;
    fence_init();
    one->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    arena_init(&one->arena, DECODE_MAX_BYTES);
    counters.kept.series = metric_series(METRIC_TRACE_SPANS);
    counters.dropped_queue_full.series = metric_series(METRIC_TRACE_DROPPED, "queue_full");
    counters.dropped_overflow.series = metric_series(METRIC_TRACE_DROPPED, "overflow");
    one->queue = trace_queue_new(opts->queue_max_bytes);
    enum err err = one->queue && one->wake_fd >= 0 ? ERR_NONE
                                                   : err_because(ERR_MEMORY, "no memory for the queue of traces");
    if (!err && opts->memory_path)
        err = trace_memory_open(opts->memory_path, opts->memory_bytes, &one->memory);
    if (!err)
        err = start_thread(one);
    if (err)
        recorder_free(one);
    else
        atomic_store(&recorder, one);
    return err;
}

/* What there was no time for. */
static void drop_rest(struct recorder *one)
{
    size_t length;
    while ((length = trace_queue_take(one->queue, one->record, sizeof one->record)) > 0)
        count(&counters.dropped_queue_full, trace_record_span_count((struct text){one->record, length}));
}

void trace_close(unsigned timeout_ms)
{
    struct recorder *one = atomic_exchange(&recorder, NULL);
    const uint64_t once = 1;
    if (!one)
        return;
    atomic_store(&one->stop_at_ns, clock_now_ns() + timeout_ms * NS_PER_MS);
    atomic_store(&one->stopping, true);
    while (write(one->wake_fd, &once, sizeof once) < 0 && errno == EINTR)
        continue;
    pthread_join(one->thread, NULL);
    drop_rest(one);
    recorder_free(one);
}

void trace_stats(struct trace_stats *ret)
{
    *ret = (struct trace_stats){
        .kept = atomic_load_explicit(&counters.kept.total, memory_order_relaxed),
        .dropped_queue_full = atomic_load_explicit(&counters.dropped_queue_full.total, memory_order_relaxed),
        .dropped_overflow = atomic_load_explicit(&counters.dropped_overflow.total, memory_order_relaxed),
    };
}

struct trace_memory *trace_recorder_memory(void)
{
    struct recorder *one = atomic_load(&recorder);
    return one ? one->memory : NULL;
}

const struct otlp_resource *trace_recorder_resource(void)
{
    return &atomic_load(&recorder)->opts.resource;
}
