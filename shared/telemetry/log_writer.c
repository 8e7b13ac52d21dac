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
#include "base/fault.h"
#include "base/fence.h"
#include "telemetry/log.h"
#include "telemetry/log_record.h"
#include "telemetry/log_repeat.h"
#include "telemetry/log_writer.h"

#define LOG_MODULE LOG_MODULE_BASE

enum { BATCH_BYTES = 65536, STALL_POLL_MS = 100, REPEATS_MS = 1000 };
enum { ASLEEP, AWAKE };

_Static_assert((int)BATCH_BYTES >= (int)LOG_LINE_MAX_BYTES, "a batch holds any line");

struct log_writer {
    struct log_writer_opts opts;
    struct log_sink sink;
    pthread_t thread;
    int wake_fd;
    _Atomic(struct log_ring *) rings;
    atomic_int state;
    atomic_bool urgent, stopping, reopening;
    _Atomic int64_t stop_ns;              /* when stopping: give up at that time */
    atomic_uint_fast64_t written, dropped;
    uint64_t dropped_told;

    pthread_mutex_t lock;                 /* of the tickets of log_writer_flush(); never held for long */
    pthread_cond_t flushed;
    uint64_t tickets, tickets_done;

    char record[LOG_RECORD_MAX_BYTES];    /* that does not lie in one piece */
    size_t length, lines;                 /* of the batch */
    unsigned batch_level;                 /* of its last line, which for the syslog is its only one */
    char batch[BATCH_BYTES + LOG_LINE_ROOM_BYTES];   /* and the line that is being made behind it */
};

static _Atomic(struct metric_series) written_metric, dropped_metric;

/* ---- to the sink ---- */

static bool gives_up(struct log_writer *writer)
{
    return atomic_load(&writer->stopping) && clock_now_ns() >= atomic_load(&writer->stop_ns);
}

static bool write_all(struct log_writer *writer, unsigned level, const char *bytes, size_t length)
{
    fault_pass(FAULT_LOG_WRITE);
    while (length > 0) {
        struct pollfd sink = {.fd = writer->sink.fd, .events = POLLOUT};

        if (poll(&sink, 1, STALL_POLL_MS) <= 0) {
            if (gives_up(writer))
                return false;
            continue;
        }
        ssize_t wrote = log_sink_write(&writer->sink, level, bytes, length);
        if (wrote < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (wrote > 0) {
            bytes += wrote;
            length -= (size_t)wrote;
        }
    }
    return true;
}

/* Nobody is left to be told of an error in writing the log; the lines count as dropped. */
static void write_batch(struct log_writer *writer)
{
    if (writer->length > 0) {
        bool done = write_all(writer, writer->batch_level, writer->batch, writer->length);
        atomic_fetch_add(done ? &writer->written : &writer->dropped, writer->lines);
        metric_add(atomic_load(done ? &written_metric : &dropped_metric), (int64_t)writer->lines);
    }
    writer->length = 0;
    writer->lines = 0;
}

/* These two are made where the batch was. */

static void write_notice(struct log_writer *writer)
{
    uint64_t dropped = atomic_load(&writer->dropped);

    if (dropped == writer->dropped_told || gives_up(writer))
        return;
    size_t length = writer->opts.notice(dropped - writer->dropped_told, writer->batch);
    if (length > 0 && write_all(writer, LOG_WARNING, writer->batch, length))
        writer->dropped_told = dropped;
}

static void write_summaries(struct log_writer *writer)
{
    unsigned level = LOG_INFO;
    size_t length;

    while (!gives_up(writer) &&
           (length = writer->opts.summary(atomic_load(&writer->stopping), writer->batch, &level)) > 0)
        if (!write_all(writer, level, writer->batch, length))
            break;
}

/* ---- from the rings to the sink ---- */

/* Whether its next line belongs to this round, and when that was logged: next_ns. */
static bool has_line(struct log_ring *ring, int64_t until_ns)
{
    return log_ring_peek(ring, &ring->next_ns) && ring->next_ns <= until_ns;
}

static struct log_ring *rings_with_lines(struct log_writer *writer, int64_t until_ns)
{
    struct log_ring *first = NULL;

    for (struct log_ring *ring = atomic_load(&writer->rings); ring; ring = ring->next) {
        if (!has_line(ring, until_ns))
            continue;
        ring->next_in_round = first;
        first = ring;
    }
    return first;
}

/* Where the ring with the oldest line is linked, and until when its lines are older than all others'. */
static struct log_ring **oldest(struct log_ring **first, int64_t until_ns, int64_t *ret_until_ns)
{
    struct log_ring **found = first;
    int64_t second_ns = until_ns;

    for (struct log_ring **at = &(*first)->next_in_round; *at; at = &(*at)->next_in_round) {
        struct log_ring **later = at;
        if ((*at)->next_ns < (*found)->next_ns) {
            later = found;
            found = at;
        }
        if ((*later)->next_ns < second_ns)
            second_ns = (*later)->next_ns;
    }
    *ret_until_ns = second_ns;
    return found;
}

/* Before a write, which takes as long as the sink stalls. */
static void give_back_all(struct log_writer *writer)
{
    for (struct log_ring *ring = atomic_load(&writer->rings); ring; ring = ring->next)
        log_ring_give_back(ring);
}

/* It is made behind the batch, and begins the next one when they do not go together. */
static void take_line(struct log_writer *writer, struct log_ring *ring)
{
    unsigned level;
    struct text record = log_ring_take(ring, writer->record, &level);
    char *line = writer->batch + writer->length;
    size_t length = writer->opts.format(record, ring->next_ns, line);

    if (length == 0) {
        log_writer_count_dropped(writer);
        return;
    }
    if (writer->length > 0 && writer->length + length > writer->sink.batch_max) {
        give_back_all(writer);
        write_batch(writer);
        memmove(writer->batch, line, length);
    }
    writer->batch_level = level;
    writer->length += length;
    writer->lines++;
}

/* Whether it has lines left that were put before `until`. */
static bool take_lines(struct log_writer *writer, struct log_ring *ring, int64_t others_ns, int64_t until_ns)
{
    bool has_more = true;

    while (has_more && ring->next_ns <= others_ns) {
        take_line(writer, ring);
        has_more = has_line(ring, until_ns);
    }
    if (!has_more)
        log_ring_give_back(ring);
    return has_more;
}

/* Newer lines wait for the next round, so that a round ends under any load. Whether there was anything to take. */
static bool write_round(struct log_writer *writer)
{
    int64_t until_ns = clock_now_ns(), others_ns;
    struct log_ring *first = rings_with_lines(writer, until_ns);
    bool any = first != NULL;

    while (first && !gives_up(writer)) {
        struct log_ring **at = oldest(&first, until_ns, &others_ns);
        if (!take_lines(writer, *at, others_ns, until_ns))
            *at = (*at)->next_in_round;
    }
    write_batch(writer);
    write_summaries(writer);
    write_notice(writer);
    return any;
}

/* Rings of threads that have ended. The first one may be in front of a newer one by now; it then goes next time. */
static void drop_abandoned(struct log_writer *writer)
{
    struct log_ring *before = NULL, *next;

    for (struct log_ring *ring = atomic_load(&writer->rings); ring; ring = next) {
        next = ring->next;
        if (!atomic_load(&ring->abandoned) || !log_ring_is_empty(ring)) {
            before = ring;
            continue;
        }
        struct log_ring *expected = ring;
        if (before)
            before->next = next;
        else if (!atomic_compare_exchange_strong(&writer->rings, &expected, next)) {
            before = ring;
            continue;
        }
        log_ring_unref(ring);
    }
}

static bool all_empty(struct log_writer *writer)
{
    for (struct log_ring *ring = atomic_load(&writer->rings); ring; ring = ring->next)
        if (!log_ring_is_empty(ring))
            return false;
    return true;
}

/* ---- the thread ---- */

static bool is_pressed(struct log_writer *writer)
{
    return atomic_load(&writer->urgent) || atomic_load(&writer->stopping);
}

static void sleep_until_woken(struct log_writer *writer, int timeout_ms)
{
    struct pollfd wake = {.fd = writer->wake_fd, .events = POLLIN};
    uint64_t count;

    if (poll(&wake, 1, timeout_ms) > 0 && read(writer->wake_fd, &count, sizeof count) < 0)
        return;   /* somebody else's wake; the loop looks again anyway */
}

/* The order matters: asleep is said before the rings are looked at, as a line is put before the state is looked at. */
static void wait_for_first_line(struct log_writer *writer)
{
    atomic_store(&writer->state, ASLEEP);
    fence_heavy();
    if (all_empty(writer) && !is_pressed(writer))
        sleep_until_woken(writer, log_repeat_waits() ? REPEATS_MS : -1);
    atomic_store(&writer->state, AWAKE);
}

/* While lines come, nobody has to wake the writer but for what is urgent: it comes by itself. */
static void wait_for_lines(struct log_writer *writer, bool are_coming)
{
    if (!are_coming)
        wait_for_first_line(writer);
    if (!is_pressed(writer))
        sleep_until_woken(writer, (int)writer->opts.flush_ms);
    atomic_store(&writer->urgent, false);
    atomic_thread_fence(memory_order_seq_cst);
}

static uint64_t tickets_given(struct log_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    uint64_t tickets = writer->tickets;
    pthread_mutex_unlock(&writer->lock);
    return tickets;
}

static void tell_flushed(struct log_writer *writer, uint64_t tickets)
{
    pthread_mutex_lock(&writer->lock);
    if (writer->tickets_done != tickets) {
        writer->tickets_done = tickets;
        pthread_cond_broadcast(&writer->flushed);
    }
    pthread_mutex_unlock(&writer->lock);
}

/* The file that cannot be had is told of in the one that is still open. */
static void reopen_when_asked(struct log_writer *writer)
{
    if (!atomic_exchange(&writer->reopening, false))
        return;
    enum err err = log_sink_reopen(&writer->sink);
    if (err)
        log_event(LOG_ERROR, "the log's file cannot be opened anew", LOG_ERR(err));
}

static void *run(void *context)
{
    struct log_writer *writer = context;
    bool any = false;

    for (;;) {
        bool last = atomic_load(&writer->stopping);
        if (!last)
            wait_for_lines(writer, any);
        uint64_t tickets = tickets_given(writer);
        reopen_when_asked(writer);
        any = write_round(writer);
        tell_flushed(writer, tickets);
        drop_abandoned(writer);
        if (last && (all_empty(writer) || gives_up(writer)))
            return NULL;
    }
}

/* Signals are the main thread's; SIGPIPE, blocked here, leaves the error of write() to be read. */
static int start_thread(struct log_writer *writer)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        pthread_setname_np(writer->thread, "log");
    return code;
}

static void init_locks(struct log_writer *writer)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->flushed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&writer->lock, NULL);
}

static void writer_free(struct log_writer *writer)
{
    if (writer->wake_fd >= 0)
        close(writer->wake_fd);
    log_sink_close(&writer->sink);
    pthread_cond_destroy(&writer->flushed);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

enum err log_writer_open(const struct log_writer_opts *opts, struct log_writer **ret)
{
    struct log_writer *writer = calloc(1, sizeof *writer);
    int code;

    if (!writer)
        return err_because(ERR_MEMORY, "no memory for the log");
    writer->opts = *opts;
    enum err err = log_sink_open(&opts->sink, BATCH_BYTES, &writer->sink);
    if (err) {
        free(writer);
        return err;
    }
    init_locks(writer);
    if ((writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        err = err_because(ERR_IO, "eventfd: %s", strerror(errno));
        writer_free(writer);
        return err;
    }
    if ((code = start_thread(writer))) {
        writer_free(writer);
        return err_because(ERR_IO, "the log's thread: %s", strerror(code));
    }
    *ret = writer;
    return ERR_NONE;
}

static void ring_bell(struct log_writer *writer)
{
    uint64_t one = 1;

    while (write(writer->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void log_writer_close(struct log_writer *writer, unsigned timeout_ms)
{
    struct log_ring *next;

    atomic_store(&writer->stop_ns, clock_now_ns() + timeout_ms * NS_PER_MS);
    atomic_store(&writer->stopping, true);
    ring_bell(writer);
    pthread_join(writer->thread, NULL);
    for (struct log_ring *ring = atomic_load(&writer->rings); ring; ring = next) {
        next = ring->next;
        log_ring_unref(ring);
    }
    writer_free(writer);
}

void log_writer_reopen(struct log_writer *writer)
{
    atomic_store(&writer->reopening, true);
    atomic_store(&writer->urgent, true);
    ring_bell(writer);
}

/* ---- for the threads that log ---- */

void log_writer_add(struct log_writer *writer, struct log_ring *ring)
{
    ring->next = atomic_load(&writer->rings);
    while (!atomic_compare_exchange_weak(&writer->rings, &ring->next, ring))
        continue;
}

void log_writer_wake(struct log_writer *writer, bool urgent)
{
    int asleep = ASLEEP;

    /* What is urgent is seldom, and is to be seen by a writer that says at this moment that nothing is. */
    if (urgent)
        atomic_thread_fence(memory_order_seq_cst);
    else
        fence_light();
    /* Most find nothing to change, and looking first leaves the other threads their copy of it. */
    if ((urgent && !atomic_load(&writer->urgent) && !atomic_exchange(&writer->urgent, true)) ||
        (atomic_load(&writer->state) == ASLEEP && atomic_compare_exchange_strong(&writer->state, &asleep, AWAKE)))
        ring_bell(writer);
}

void log_writer_count_dropped(struct log_writer *writer)
{
    atomic_fetch_add_explicit(&writer->dropped, 1, memory_order_relaxed);
    metric_add(atomic_load(&dropped_metric), 1);
}

bool log_writer_flush(struct log_writer *writer, unsigned timeout_ms)
{
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    int code = 0;

    pthread_mutex_lock(&writer->lock);
    uint64_t ticket = ++writer->tickets;
    pthread_mutex_unlock(&writer->lock);
    log_writer_wake(writer, true);
    pthread_mutex_lock(&writer->lock);
    while (writer->tickets_done < ticket && code == 0)
        code = pthread_cond_timedwait(&writer->flushed, &writer->lock, &until);
    bool done = writer->tickets_done >= ticket;
    pthread_mutex_unlock(&writer->lock);
    return done;
}

void log_writer_count_in(struct metric_series written, struct metric_series dropped)
{
    atomic_store(&written_metric, written);
    atomic_store(&dropped_metric, dropped);
}

void log_writer_stats(struct log_writer *writer, uint64_t *ret_written, uint64_t *ret_dropped)
{
    *ret_written = atomic_load(&writer->written);
    *ret_dropped = atomic_load(&writer->dropped);
}
