#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "events/backoff.h"
#include "events/event_trace.h"
#include "events/lease.h"
#include "events/outbox_private.h"
#include "events/wakeup.h"
#include "state/thread.h"

enum {
    BATCH_BYTES = 2 * 1024 * 1024,   /* of events in memory at once */
    RETRY_FIRST_MS = 10,
    RECHECK_MS = 1000,               /* another process may have added, and died before it published */
    OTHER_MS = 5,                    /* another process publishes; it may have overlooked what was added here */
};

struct relay {
    struct relay_opts opts;
    struct db_connection *reader;
    struct event *events;
    int64_t *positions;
    size_t count;
    struct arena arena;
    struct wakeup wakeup;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    atomic_llong stop_at_ns, stopping_us;   /* the deadline; wall time since when */
};

static void wake(void *context)
{
    struct relay *relay = context;
    wakeup_signal(&relay->wakeup);
}

static enum err remove_published(struct db_connection *connection, void *context)
{
    struct relay *relay = context;
    enum err err = fault_at(FAULT_RELAY_BEFORE_MARK);
    return err ? err : outbox_remove(connection, relay->events, relay->positions, relay->count);
}

static void trace_published(struct relay *relay, int64_t start_ns)
{
    int64_t end_ns = clock_now_ns();
    for (size_t i = 0; i < relay->count; i++)
        event_trace_published(&relay->events[i], relay->opts.bus, &relay->arena, start_ns, end_ns);
}

/* Publishes the oldest batch. */
static enum err publish_batch(struct relay *relay)
{
    int64_t start_ns = clock_now_ns();
    arena_reset(&relay->arena);
    relay->count = 0;
    enum err err = outbox_oldest(relay->reader, &relay->arena, relay->events, relay->positions,
                                 relay->opts.batch_max, &relay->count);
    if (!err && relay->count)
        err = fault_at(FAULT_RELAY_BEFORE_PUBLISH);
    if (!err && relay->count)
        err = bus_publish(relay->opts.bus, relay->events, relay->count);
    if (!err)
        trace_published(relay, start_ns);
    if (!err && relay->count)
        err = fault_at(FAULT_RELAY_AFTER_PUBLISH);
    if (!err && relay->count)
        err = db_write(relay->opts.db, remove_published, relay);
    return err;
}

static bool is_out_of_time(struct relay *relay)
{
    return relay->stopping && clock_now_ns() >= relay->stop_at_ns;
}

/* New events do not cut a pause short, or a busy service would hammer at a bus that is down. */
static void pause_after_failure(struct relay *relay, unsigned failures)
{
    int64_t until_ns = clock_now_ns() + backoff_ms(failures, RETRY_FIRST_MS, relay->opts.retry_max_ms) * NS_PER_MS;
    for (;;) {
        int64_t now_ns = clock_now_ns();
        int64_t end_ns = relay->stopping && relay->stop_at_ns < until_ns ? relay->stop_at_ns : until_ns;
        if (now_ns >= end_ns)
            return;
        wakeup_wait(&relay->wakeup, (unsigned)((end_ns - now_ns) / NS_PER_MS) + 1);
    }
}

/* Whether anything waits; in the end, only what was there when it began: other processes go on adding. */
static enum err look(struct relay *relay, bool *ret_waits)
{
    uint64_t waiting;
    int64_t oldest_us;
    enum err err = outbox_backlog(relay->reader, &waiting, &oldest_us);
    if (!err)
        *ret_waits = waiting && (!relay->stopping || oldest_us <= relay->stopping_us);
    return err;
}

/* Publishes all there is, unless another process does. *ret_wait_ms is when to look again. */
static enum err publish_all(struct relay *relay, unsigned *ret_wait_ms)
{
    bool waits = true, mine = db_lease_take(relay->opts.db, LEASE_RELAY);
    enum err err = look(relay, &waits);
    while (!err && mine && waits && !is_out_of_time(relay)) {
        err = publish_batch(relay);
        if (!err)
            err = look(relay, &waits);
    }
    if (mine)
        db_lease_end(relay->opts.db, LEASE_RELAY);
    *ret_wait_ms = waits ? OTHER_MS : RECHECK_MS;
    return err;
}

static void *run(void *context)
{
    struct relay *relay = context;
    unsigned failures = 0;
    while (!is_out_of_time(relay)) {
        unsigned wait_ms;
        enum err err = publish_all(relay, &wait_ms);
        if (err) {
            if (relay->opts.failed)
                relay->opts.failed(relay->opts.context, err);
            pause_after_failure(relay, ++failures);
            continue;
        }
        failures = 0;
        if (relay->stopping && wait_ms == RECHECK_MS)
            break;
        wakeup_wait(&relay->wakeup, wait_ms);
    }
    return NULL;
}

enum err relay_new(const struct relay_opts *opts, struct relay **ret)
{
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay)
        return err_because(ERR_MEMORY, "the relay: out of memory");
    relay->opts = *opts;
    wakeup_init(&relay->wakeup);
    arena_init(&relay->arena, BATCH_BYTES);
    relay->events = calloc(opts->batch_max, sizeof *relay->events);
    relay->positions = calloc(opts->batch_max, sizeof *relay->positions);

    enum err err = ERR_NONE;
    if (opts->batch_max == 0)
        err = err_because(ERR_CONFIG, "the relay's batch is empty");
    else if (!relay->events || !relay->positions)
        err = err_because(ERR_MEMORY, "the relay: out of memory");
    if (!err)
        err = db_reader_open(opts->db, &relay->reader);
    if (!err)
        err = db_listen(opts->db, outbox_topic, wake, relay);
    if (err)
        relay_free(relay);
    else
        *ret = relay;
    return err;
}

enum err relay_start(struct relay *relay)
{
    enum err err = thread_start(&relay->thread, "relay", run, relay);
    relay->started = !err;
    return err;
}

void relay_stop(struct relay *relay, unsigned timeout_ms)
{
    if (!relay || !relay->started)
        return;
    atomic_store(&relay->stop_at_ns, clock_now_ns() + timeout_ms * NS_PER_MS);
    atomic_store(&relay->stopping_us, clock_wall_us());
    atomic_store(&relay->stopping, true);
    wakeup_signal(&relay->wakeup);
    pthread_join(relay->thread, NULL);
    relay->started = false;
}

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    relay_stop(relay, 0);
    db_unlisten(relay->opts.db, outbox_topic, relay);
    db_reader_close(relay->reader);
    arena_fini(&relay->arena);
    wakeup_fini(&relay->wakeup);
    free(relay->events);
    free(relay->positions);
    free(relay);
}
