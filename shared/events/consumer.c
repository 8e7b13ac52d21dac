#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "events/backoff.h"
#include "events/consumer_private.h"
#include "events/lease.h"
#include "events/parked.h"
#include "state/thread.h"
#include "telemetry/metric.h"

enum {
    BATCH_BYTES = 4 * 1024 * 1024,   /* of events in memory at once */
    WAIT_MS = 1000,                  /* an operator's retry comes from another process, which wakes nobody here */
    TYPES_BYTES = 64 * 1024,
    FAILURE_PAUSE_MAX_MS = 2000,     /* when it is no event that fails but the bus or the database, all events wait */
};

/* ---- the thread ---- */

static void count(struct consumer *consumer, const struct consumer_stats *stats)
{
    metric_add(metric_series(METRIC_CONSUMER_HANDLED), (int64_t)stats->handled);
    metric_add(metric_series(METRIC_CONSUMER_REPEATED), (int64_t)stats->repeated);
    metric_add(metric_series(METRIC_CONSUMER_RETRIED), (int64_t)stats->retried);
    metric_add(metric_series(METRIC_CONSUMER_DEAD), (int64_t)stats->dead);
    atomic_fetch_add_explicit(&consumer->handled, stats->handled, memory_order_relaxed);
    atomic_fetch_add_explicit(&consumer->repeated, stats->repeated, memory_order_relaxed);
    atomic_fetch_add_explicit(&consumer->retried, stats->retried, memory_order_relaxed);
    atomic_fetch_add_explicit(&consumer->dead, stats->dead, memory_order_relaxed);
}

static enum err write_and_count(struct consumer *consumer, db_work *do_work, size_t delivery_count)
{
    struct consumer_work work = {.consumer = consumer, .count = delivery_count};
    struct db_committed committed;
    enum err err = db_write_told(consumer->opts.db, do_work, &work, &committed);
    if (err)
        return err;
    consumer_trace_end(consumer, &committed);
    count(consumer, &work.stats);
    for (size_t i = 0; i < consumer->applied_count; i++)
        consumer->opts.applied(consumer->opts.context, consumer->applied[i]);
    return ERR_NONE;
}

/* Tries again what is due; *ret_wait_ms is how long the bus may then be waited for. */
static enum err retry_when_due(struct consumer *consumer, unsigned *ret_wait_ms)
{
    int64_t next_us = 0;
    enum err err = parked_next_try(consumer->reader, consumer->opts.group, &next_us);
    if (err)
        return err;
    int64_t left_ms = next_us ? (next_us - clock_wall_us() + 999) / 1000 : WAIT_MS;
    *ret_wait_ms = left_ms <= 0 ? 0 : left_ms < WAIT_MS ? (unsigned)left_ms : WAIT_MS;
    return left_ms <= 0 ? write_and_count(consumer, consumer_retry, 0) : ERR_NONE;
}

static enum err take_batch(struct consumer *consumer, unsigned wait_ms)
{
    size_t fetched = 0;
    arena_reset(&consumer->arena);
    enum err err = fault_at(FAULT_CONSUMER_BEFORE_FETCH);
    if (!err)
        err = bus_fetch(consumer->subscription, wait_ms, &consumer->arena, consumer->deliveries,
                        consumer->opts.batch_max, &fetched);
    if (err || fetched == 0)
        return err;
    err = write_and_count(consumer, consumer_apply, fetched);
    if (!err)
        consumer_pass_over(consumer, fetched);
    if (!err)
        err = fault_at(FAULT_CONSUMER_AFTER_COMMIT_BEFORE_ACK);
    if (!err)
        err = bus_acknowledge(consumer->subscription, consumer->deliveries[fetched - 1].offset);
    return err;
}

static void pause_after_failure(struct consumer *consumer, unsigned failures, enum err err)
{
    const struct consumer_opts *opts = &consumer->opts;
    unsigned max_ms = opts->retry_max_ms < FAILURE_PAUSE_MAX_MS ? opts->retry_max_ms : FAILURE_PAUSE_MAX_MS;
    if (opts->failed)
        opts->failed(opts->context, NULL, err);
    if (consumer->subscription)
        bus_rewind(consumer->subscription);
    wakeup_wait(&consumer->wakeup, backoff_ms(failures, opts->retry_first_ms, max_ms));
}

/* Whoever ends the thread may wake the one that is there. */
static void hold(struct consumer *consumer, struct bus_subscription *subscription)
{
    pthread_mutex_lock(&consumer->subscription_lock);
    consumer->subscription = subscription;
    pthread_mutex_unlock(&consumer->subscription_lock);
}

static enum err subscribe(struct consumer *consumer)
{
    struct bus_subscription *subscription = NULL;
    enum err err = bus_subscribe(consumer->opts.bus, consumer->opts.group, consumer->types, &subscription);
    if (!err)
        hold(consumer, subscription);
    return err;
}

static void unsubscribe(struct consumer *consumer)
{
    struct bus_subscription *subscription = consumer->subscription;
    hold(consumer, NULL);
    bus_unsubscribe(subscription);
}

/* Another process may go on with the group as soon as this one does not lead, and a broker would still send a share of
 * the events to who has subscribed; so who does not lead does not subscribe. */
static bool leads(struct consumer *consumer)
{
    bool does_lead = db_lease_take(consumer->opts.db, LEASE_BACKGROUND);
    if (!does_lead && consumer->subscription)
        unsubscribe(consumer);
    return does_lead;
}

static void *run(void *context)
{
    struct consumer *consumer = context;
    unsigned failures = 0;
    while (!consumer->stopping) {
        unsigned wait_ms = 0;
        if (!leads(consumer)) {
            wakeup_wait(&consumer->wakeup, LEASE_ASK_MS);
            continue;
        }
        enum err err = consumer->subscription ? ERR_NONE : subscribe(consumer);
        if (!err)
            err = retry_when_due(consumer, &wait_ms);
        if (!err && !consumer->stopping)
            err = take_batch(consumer, wait_ms);
        failures = err ? failures + 1 : 0;
        if (err && !consumer->stopping)
            pause_after_failure(consumer, failures, err);
    }
    return NULL;
}

/* ---- life ---- */

static enum err check_opts(const struct consumer_opts *opts)
{
    if (!opts->batch_max || !opts->attempts_max || !opts->retry_first_ms
        || opts->retry_max_ms < opts->retry_first_ms)
        return err_because(ERR_CONFIG, "the consumer \"%s\": batch, attempts and pauses must be above 0, and the"
                                       " longest pause not below the first", opts->group);
    return ERR_NONE;
}

static enum err allocate(struct consumer *consumer)
{
    consumer->types = calloc(consumer->opts.handler_count + 1, sizeof *consumer->types);
    consumer->unknown = calloc(CONSUMER_UNKNOWN_TOLD, sizeof *consumer->unknown);
    consumer->deliveries = calloc(consumer->opts.batch_max, sizeof *consumer->deliveries);
    consumer->applied = calloc(consumer->opts.batch_max, sizeof *consumer->applied);
    consumer->traces = calloc(consumer->opts.batch_max, sizeof *consumer->traces);
    if (!consumer->types || !consumer->unknown || !consumer->deliveries || !consumer->applied || !consumer->traces)
        return err_because(ERR_MEMORY, "the consumer \"%s\": out of memory", consumer->opts.group);
    return consumer_families(consumer);
}

enum err consumer_new(const struct consumer_opts *opts, struct consumer **ret)
{
    enum err err = check_opts(opts);
    if (err)
        return err;
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return err_because(ERR_MEMORY, "the consumer \"%s\": out of memory", opts->group);
    consumer->opts = *opts;
    wakeup_init(&consumer->wakeup);
    pthread_mutex_init(&consumer->subscription_lock, NULL);
    arena_init(&consumer->arena, BATCH_BYTES);
    arena_init(&consumer->applied_arena, BATCH_BYTES);
    arena_init(&consumer->types_arena, TYPES_BYTES);
    consumer_trace_init(consumer);
    err = allocate(consumer);
    if (!err)
        err = db_reader_open(opts->db, &consumer->reader);
    if (err)
        consumer_free(consumer);
    else
        *ret = consumer;
    return err;
}

enum err consumer_start(struct consumer *consumer)
{
    enum err err = thread_start(&consumer->thread, "consumer", run, consumer);
    consumer->started = !err;
    return err;
}

void consumer_stop(struct consumer *consumer)
{
    if (!consumer || !consumer->started)
        return;
    atomic_store(&consumer->stopping, true);
    pthread_mutex_lock(&consumer->subscription_lock);
    if (consumer->subscription)
        bus_wake(consumer->subscription);
    pthread_mutex_unlock(&consumer->subscription_lock);
    wakeup_signal(&consumer->wakeup);
    pthread_join(consumer->thread, NULL);
    consumer->started = false;
}

void consumer_free(struct consumer *consumer)
{
    if (!consumer)
        return;
    consumer_stop(consumer);
    bus_unsubscribe(consumer->subscription);
    db_reader_close(consumer->reader);
    arena_fini(&consumer->arena);
    arena_fini(&consumer->applied_arena);
    arena_fini(&consumer->types_arena);
    wakeup_fini(&consumer->wakeup);
    pthread_mutex_destroy(&consumer->subscription_lock);
    free(consumer->types);
    free(consumer->unknown);
    free(consumer->deliveries);
    free(consumer->applied);
    free(consumer->traces);
    free(consumer);
}

void consumer_stats(const struct consumer *consumer, struct consumer_stats *ret)
{
    *ret = (struct consumer_stats){
        .handled = atomic_load_explicit(&consumer->handled, memory_order_relaxed),
        .repeated = atomic_load_explicit(&consumer->repeated, memory_order_relaxed),
        .retried = atomic_load_explicit(&consumer->retried, memory_order_relaxed),
        .dead = atomic_load_explicit(&consumer->dead, memory_order_relaxed),
        .passed_over = atomic_load_explicit(&consumer->passed_over, memory_order_relaxed),
    };
}

enum err consumer_lag(struct consumer *consumer, struct bus_lag *ret)
{
    return bus_group_lag(consumer->opts.bus, consumer->opts.group, ret);
}
