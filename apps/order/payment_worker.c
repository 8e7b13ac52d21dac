#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "apps/order/payment_record.h"
#include "apps/order/payment_store.h"
#include "apps/order/payment_trace.h"
#include "apps/order/payment_worker.h"
#include "base/clock.h"
#include "base/fault.h"
#include "events/lease.h"
#include "state/thread.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "telemetry/trace.h"

#define LOG_MODULE LOG_MODULE_ORDER

/* Longer than a batch takes at the slowest gateway; only what cannot be recorded for a reason of its own waits so long.
 * Should it be asked twice at once all the same, the key keeps it from being charged twice. */
#define LEASE_US (INT64_C(600) * US_PER_S)

/* The database is looked at also when nobody wakes: another process may have made something due, and ended. */
enum { QUEUE_PAUSE_NS = 5 * NS_PER_MS, STORE_PAUSE_MS = 1000, RECHECK_MS = 1000, TRACES_MAX_BYTES = 256 * 1024,
       RETRY_AFTER_MAX_S = 600 };

struct payment_worker {
    struct payment_worker_opts opts;
    pthread_t *threads;
    unsigned started;
    pthread_mutex_t lock;        /* of the three below */
    pthread_cond_t wake;
    bool woken, stopping;
    int64_t next_us;             /* wall time when something comes due again */
    pthread_mutex_t leading;     /* of who comes to lead */
    atomic_bool leads;
    atomic_uint retry_first_ms, retry_max_ms;
    atomic_uint_fast64_t approved, declined, unknown, refunded, refunds_refused, failures;
};

/* [a refund][payment_outcome] */
static const char *const measured[2][PAYMENT_OUTCOMES] = {
    {"unknown", "approved", "declined"},
    {"unknown", "refunded", "refund-refused"},
};

/* A series that begins with its first event would begin at one, and what rises from nothing is seen by no rate. */
static void declare_metrics(void)
{
    for (int i = 0; i < PAYMENT_OUTCOMES; i++) {
        (void)metric_series(METRIC_PAYMENTS, measured[false][i]);
        (void)metric_series(METRIC_PAYMENTS, measured[true][i]);
    }
    (void)metric_series(METRIC_PAYMENTS, "failed");
    for (enum payment_reason reason = 0; reason < PAYMENT_REASONS; reason++)
        (void)metric_series(METRIC_PAYMENTS_DECLINED, payment_reason_name(reason));
}

static void count_failure(struct payment_worker *worker)
{
    atomic_fetch_add(&worker->failures, 1);
    metric_add(metric_series(METRIC_PAYMENTS, "failed"), 1);
}

/* What is logged from here on is logged as of the request that the payment goes back to; NULL ends that. */
static void log_as_of(const struct payment_due *due)
{
    struct order_origin origin = due ? payment_due_origin(due) : (struct order_origin){TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct log_context context = {.request_id = origin.request_id};
    if (!trace_current())
        context.trace_id = traceparent_trace_id(origin.traceparent);
    log_context_set(&context);
}

/* ---- taking ---- */

struct take {
    struct payment_due *due;
    size_t max, count;
    int64_t next_us;
};

static enum err take_work(struct db_connection *db, void *context)
{
    struct take *take = context;
    return payment_store_take(db, clock_wall_us(), LEASE_US, take->due, take->max, &take->count, &take->next_us);
}

/* Which others have to know: there is more, or it comes due then. */
static void hand_on(struct payment_worker *worker, const struct take *take)
{
    int64_t recheck_us = clock_wall_us() + RECHECK_MS * INT64_C(1000);
    int64_t next_us = take->next_us < recheck_us ? take->next_us : recheck_us;
    pthread_mutex_lock(&worker->lock);
    if (next_us < worker->next_us)
        worker->next_us = next_us;
    if (take->count == take->max)
        worker->woken = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

static size_t take_due(struct payment_worker *worker, struct payment_due *due)
{
    struct take take = {.due = due, .max = worker->opts.batch_max};
    enum err err = db_write(worker->opts.db, take_work, &take);
    if (err) {
        log_event(LOG_ERROR, "payments that are due cannot be read", LOG_ERR(err));
        count_failure(worker);
        take.count = 0;
        if (err == ERR_UNAVAILABLE)   /* perhaps they were taken: what is left open is taken up anew, as by a start */
            atomic_store(&worker->leads, false);
        int64_t pause_ms = err == ERR_BUSY ? atomic_load(&worker->retry_first_ms) : STORE_PAUSE_MS;
        take.next_us = clock_wall_us() + pause_ms * 1000;
    }
    hand_on(worker, &take);
    return take.count;
}

/* ---- recording ---- */

struct recording {
    struct db_job job;
    struct payment_record record;
    struct payment_worker *worker;
    struct payment_trace *trace;
    struct latch *latch;
    enum err err;                /* how the latest try went */
};

/* Counts down the outcomes that are not durable yet. */
struct latch {
    pthread_mutex_t lock;
    pthread_cond_t zero;
    size_t open;
};

static enum err record_work(struct db_connection *db, void *context)
{
    struct recording *recording = context;
    payment_trace_record(recording->trace, db_system_name(recording->worker->opts.db));
    enum err err = payment_record(db, &recording->record);
    trace_enter(NULL);
    return err;
}

static void count_down(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    if (--latch->open == 0)
        pthread_cond_signal(&latch->zero);
    pthread_mutex_unlock(&latch->lock);
}

static void count_outcome(struct payment_worker *worker, const struct payment_record *record)
{
    bool is_refund = record->due->is_refund;
    atomic_uint_fast64_t *counters[2][3] = {
        {&worker->unknown, &worker->approved, &worker->declined},
        {&worker->unknown, &worker->refunded, &worker->refunds_refused},
    };
    static const char *const outcomes[] = {NULL, "approved", "declined"};
    enum payment_outcome outcome = record->answer->outcome;
    bool is_declined = !is_refund && outcome == PAYMENT_DECLINED;
    const char *reason = payment_reason_name(record->answer->reason);
    atomic_fetch_add(counters[is_refund][outcome], 1);
    metric_add(metric_series(METRIC_PAYMENTS, measured[is_refund][outcome]), 1);
    if (is_declined)
        metric_add(metric_series(METRIC_PAYMENTS_DECLINED, reason), 1);
    if (outcome == PAYMENT_UNKNOWN)   /* logged when it was asked */
        return;
    log_each(LOG_INFO, "payment recorded", LOG_STRING("order_id", record->due->order_id),
             LOG_STRING("outcome", outcomes[outcome]), LOG_STRING("reason", is_declined ? reason : NULL),
             LOG_BOOL("refund", is_refund), LOG_INT("attempts", record->due->attempts));
    if (is_refund && outcome == PAYMENT_DECLINED)
        log_event(LOG_ERROR, "the gateway refuses a refund, which now needs a person",
                  LOG_STRING("order_id", record->due->order_id));
}

static void recording_failed(struct recording *recording, enum err err)
{
    if (err != recording->err)   /* said once, not with every try */
        log_event(LOG_ERROR, "the outcome of a payment cannot be recorded", LOG_ERR(err),
                  LOG_STRING("order_id", recording->record.due->order_id));
    recording->err = err;
    count_failure(recording->worker);
}

static void recording_done(struct db_job *job, enum err err)
{
    struct recording *recording = job->context;
    payment_trace_recorded(recording->trace, &job->committed, err);
    log_as_of(recording->record.due);
    if (err) {
        recording_failed(recording, err);
    } else {
        count_outcome(recording->worker, &recording->record);
        recording->err = ERR_NONE;
    }
    log_as_of(NULL);
    count_down(recording->latch);
}

/* A full queue is waited out: what the gateway said is worth it, and requests come first in the meantime. */
static enum err submit(struct db *db, struct db_job *job)
{
    const struct timespec pause = {.tv_nsec = QUEUE_PAUSE_NS};
    enum err err;
    while ((err = db_submit(db, job)) == ERR_BUSY)
        nanosleep(&pause, NULL);
    return err;
}

static void try_to_record(struct recording *recordings, size_t count)
{
    struct latch latch = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, count};
    for (size_t i = 0; i < count; i++) {
        struct recording *recording = &recordings[i];
        recording->latch = &latch;
        recording->job = (struct db_job){.work = record_work, .done = recording_done, .context = recording};
        enum err err = submit(recording->worker->opts.db, &recording->job);
        if (err) {
            recording_failed(recording, err);
            count_down(&latch);
        }
    }
    pthread_mutex_lock(&latch.lock);
    while (latch.open > 0)
        pthread_cond_wait(&latch.zero, &latch.lock);
    pthread_mutex_unlock(&latch.lock);
}

/* Trouble of the database, not of this payment. Anything else would not get better, and is left to the lease. */
static bool may_pass(enum err err)
{
    return err == ERR_STORAGE_FULL || err == ERR_BUSY || err == ERR_MEMORY || err == ERR_UNAVAILABLE;
}

static size_t keep_open(struct recording *recordings, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (may_pass(recordings[i].err))
            recordings[kept++] = recordings[i];
    }
    return kept;
}

/* False when the worker stops. */
static bool pause_recording(struct payment_worker *worker)
{
    const struct timespec pause = {.tv_nsec = QUEUE_PAUSE_NS};
    int64_t until_ns = clock_now_ns() + STORE_PAUSE_MS * NS_PER_MS;
    bool stopping = false;
    while (!stopping && clock_now_ns() < until_ns) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&worker->lock);
        stopping = worker->stopping;
        pthread_mutex_unlock(&worker->lock);
    }
    return !stopping;
}

/* A full disk is waited out: what the gateway said is known here alone, and the next start would have to ask again. */
static void record_all(struct payment_worker *worker, struct recording *recordings, size_t count)
{
    do {
        try_to_record(recordings, count);
        count = keep_open(recordings, count);
    } while (count > 0 && pause_recording(worker));
}

/* ---- asking ---- */

static int64_t pause_us(const struct payment_worker *worker, int64_t attempts)
{
    int64_t pause_ms = atomic_load(&worker->retry_first_ms), max_ms = atomic_load(&worker->retry_max_ms);
    while (--attempts > 0 && pause_ms < max_ms)
        pause_ms *= 2;
    return (pause_ms < max_ms ? pause_ms : max_ms) * 1000;
}

/* As long as the gateway asks to be left alone, within reason. */
static int64_t retry_us(const struct payment_worker *worker, const struct payment_due *due,
                        const struct payment_answer *answer, int64_t now_us)
{
    int64_t told_s = answer->retry_after_s < RETRY_AFTER_MAX_S ? answer->retry_after_s : RETRY_AFTER_MAX_S;
    int64_t own_us = pause_us(worker, due->attempts);
    return now_us + (own_us > told_s * US_PER_S ? own_us : told_s * US_PER_S);
}

static void ask(struct payment_worker *worker, const struct payment_due *due, struct payment_answer *ret)
{
    struct payment_request request = {
        .key = text_of(due->order_id),
        .method = secret_of(text_of(due->method)),
        .amount = due->amount,
        .reference = *due->reference ? text_of(due->reference) : TEXT_NONE,
        .asked_us = due->asked_us,
        .only_find_out = due->only_find_out,
    };
    *ret = (struct payment_answer){.outcome = PAYMENT_UNKNOWN};
    if (!fault_at(FAULT_BEFORE_CHARGE)) {
        if (due->is_refund)
            payment_refund(worker->opts.payment, &request, ret);
        else
            payment_charge(worker->opts.payment, &request, ret);
    }
    if (ret->outcome != PAYMENT_UNKNOWN && fault_at(FAULT_AFTER_CHARGE_BEFORE_COMMIT))
        *ret = (struct payment_answer){.outcome = PAYMENT_UNKNOWN};
    if (ret->outcome == PAYMENT_UNKNOWN)
        log_event(LOG_WARNING, "the outcome of a payment is not known; it will be asked for again",
                  LOG_STRING("order_id", due->order_id), LOG_INT("attempts", due->attempts),
                  LOG_STRING("cause", err_cause()));
}

/* An unknown outcome's next time is soon: do not sleep past it. */
static void expect(struct payment_worker *worker, int64_t next_us)
{
    pthread_mutex_lock(&worker->lock);
    if (next_us < worker->next_us) {
        worker->next_us = next_us;
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
}

/* What a thread has at hand: room for a batch. */
struct batch {
    struct payment_due *due;
    struct payment_answer *answers;
    struct recording *recordings;
    struct payment_trace *traces;
    struct arena arena;              /* of the traces */
};

static void settle(struct payment_worker *worker, struct batch *batch, size_t count)
{
    const struct payment_due *due = batch->due;
    struct recording *recordings = batch->recordings;
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct recording *recording = &recordings[i];
        struct payment_answer *answer = &batch->answers[i];
        *recording = (struct recording){.worker = worker, .trace = &batch->traces[i]};
        payment_trace_ask(&batch->traces[i], &batch->arena, &due[i]);
        log_as_of(&due[i]);
        ask(worker, &due[i], answer);
        log_as_of(NULL);
        payment_trace_answered(&batch->traces[i], answer->outcome);
        int64_t now_us = clock_wall_us(), again_us = retry_us(worker, &due[i], answer, now_us);
        recording->record = (struct payment_record){&due[i], answer, now_us, again_us,
                                                    worker->opts.emit, worker->opts.emitter};
        if (answer->outcome == PAYMENT_UNKNOWN && again_us < next_us)
            next_us = again_us;
    }
    if (count > 0)
        record_all(worker, recordings, count);
    for (size_t i = 0; i < count; i++)
        payment_trace_end(&batch->traces[i]);
    arena_reset(&batch->arena);
    expect(worker, next_us);
}

/* ---- one process at a time ---- */

static enum err resume_work(struct db_connection *db, void *context)
{
    (void)context;
    return payment_store_resume(db, clock_wall_us());
}

/* What is leased was taken by a process that has ended, since it no longer leads. */
static bool take_over(struct payment_worker *worker)
{
    enum err err = db_write(worker->opts.db, resume_work, NULL);
    if (err)
        log_event(LOG_ERROR, "payments that were left open cannot be taken up", LOG_ERR(err));
    return err == ERR_NONE;
}

/* Asked each time, since a lease may be lost (state/db.h). When another process leads, it is asked again soon. */
static bool leads(struct payment_worker *worker)
{
    pthread_mutex_lock(&worker->leading);
    if (!db_lease_take(worker->opts.db, LEASE_BACKGROUND))
        atomic_store(&worker->leads, false);
    else if (!atomic_load(&worker->leads))
        atomic_store(&worker->leads, take_over(worker));
    pthread_mutex_unlock(&worker->leading);
    if (!atomic_load(&worker->leads))
        expect(worker, clock_wall_us() + LEASE_ASK_MS * INT64_C(1000));
    return atomic_load(&worker->leads);
}

/* ---- the threads ---- */

/* False at the end. Whoever wakes takes the reason with it, so that the others sleep on. */
static bool wait_until_due(struct payment_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    int64_t left_us;
    while (!worker->stopping && !worker->woken && (left_us = worker->next_us - clock_wall_us()) > 0) {
        int64_t until_ns = clock_now_ns() + (left_us < LEASE_US ? left_us : LEASE_US) * 1000;
        struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
        pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
    }
    worker->woken = false;
    worker->next_us = INT64_MAX;
    bool go_on = !worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    return go_on;
}

static void *run(void *context)
{
    struct payment_worker *worker = context;
    struct batch batch = {
        .due = calloc(worker->opts.batch_max, sizeof *batch.due),
        .answers = calloc(worker->opts.batch_max, sizeof *batch.answers),
        .recordings = calloc(worker->opts.batch_max, sizeof *batch.recordings),
        .traces = calloc(worker->opts.batch_max, sizeof *batch.traces),
    };
    arena_init(&batch.arena, TRACES_MAX_BYTES);
    if (batch.due && batch.answers && batch.recordings && batch.traces) {
        while (wait_until_due(worker)) {
            if (leads(worker))
                settle(worker, &batch, take_due(worker, batch.due));
        }
    } else {
        log_event(LOG_ERROR, "no memory to take payments");
    }
    arena_fini(&batch.arena);
    free(batch.traces);
    free(batch.recordings);
    free(batch.answers);
    free(batch.due);
    return NULL;
}

static void wake(void *context)
{
    struct payment_worker *worker = context;
    pthread_mutex_lock(&worker->lock);
    worker->woken = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

/* ---- start and stop ---- */

static enum err begin_work(struct db_connection *db, void *context)
{
    (void)context;
    db_notify(db, payment_due_topic);
    return ERR_NONE;
}

static void begin_done(struct db_job *job, enum err err)
{
    (void)err;
    free(job);
}

/* Queued, since the writer may not run yet; its commit wakes whoever listens then. */
static enum err begin(struct db *db)
{
    struct db_job *job = calloc(1, sizeof *job);
    if (!job)
        return err_because(ERR_MEMORY, "no memory for the payment worker");
    *job = (struct db_job){.work = begin_work, .done = begin_done};
    enum err err = db_submit(db, job);
    if (err)
        free(job);
    return err;
}

static void init_locks(struct payment_worker *worker)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_mutex_init(&worker->leading, NULL);
    pthread_cond_init(&worker->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

void payment_worker_retry(struct payment_worker *worker, unsigned first_ms, unsigned max_ms)
{
    atomic_store(&worker->retry_first_ms, first_ms);
    atomic_store(&worker->retry_max_ms, max_ms);
}

enum err payment_worker_start(const struct payment_worker_opts *opts, struct payment_worker **ret)
{
    assert(opts->threads > 0 && opts->batch_max > 0);
    struct payment_worker *worker = calloc(1, sizeof *worker);
    pthread_t *threads = calloc(opts->threads, sizeof *threads);
    if (!worker || !threads) {
        free(threads);
        free(worker);
        return err_because(ERR_MEMORY, "no memory for the payment worker");
    }
    worker->opts = *opts;
    worker->threads = threads;
    payment_worker_retry(worker, opts->retry_first_ms, opts->retry_max_ms);
    worker->next_us = INT64_MAX;
    init_locks(worker);
    declare_metrics();
    enum err err = db_listen(opts->db, payment_due_topic, wake, worker);
    while (!err && worker->started < opts->threads) {
        err = thread_start(&threads[worker->started], "payment", run, worker);
        worker->started += err == ERR_NONE;
    }
    if (!err)
        err = begin(opts->db);
    if (err)
        payment_worker_stop(worker);
    else
        *ret = worker;
    return err;
}

void payment_worker_stop(struct payment_worker *worker)
{
    if (!worker)
        return;
    db_unlisten(worker->opts.db, payment_due_topic, worker);
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    for (unsigned i = 0; i < worker->started; i++)
        pthread_join(worker->threads[i], NULL);
    pthread_mutex_destroy(&worker->lock);
    pthread_mutex_destroy(&worker->leading);
    pthread_cond_destroy(&worker->wake);
    free(worker->threads);
    free(worker);
}

void payment_worker_stats(const struct payment_worker *worker, struct payment_worker_stats *ret)
{
    *ret = (struct payment_worker_stats){
        .approved = atomic_load(&worker->approved),
        .declined = atomic_load(&worker->declined),
        .unknown = atomic_load(&worker->unknown),
        .refunded = atomic_load(&worker->refunded),
        .refunds_refused = atomic_load(&worker->refunds_refused),
        .failures = atomic_load(&worker->failures),
    };
}
