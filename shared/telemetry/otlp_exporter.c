#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "telemetry/otlp_body.h"
#include "telemetry/otlp_exporter.h"
#include "telemetry/otlp_sender.h"

enum {
    RETRY_FIRST_MS = 200,
    RETRY_PAUSE_MAX_MS = 10000,
    RETRY_AFTER_MAX_MS = 300000,     /* a receiver may ask for a pause of so long; a longer one is not kept */
    BODY_MAX_BYTES = 2 * OTLP_REQUEST_MAX_BYTES,
    BODY_KEEP_BYTES = 64 * 1024,
};

struct otlp_exporter {
    const struct otlp_encoding *encoding;
    struct otlp_exporter_opts opts;
    struct otlp_queue queue;
    struct otlp_sender *sender;
    pthread_t thread;
    struct buf body;                 /* the thread's */
    int64_t not_before_ns;           /* the thread's: the receiver has asked for a pause until then */
    atomic_uint_fast64_t exported, queue_full, refused, expired, requests_failed;
};

static void count(atomic_uint_fast64_t *counter, size_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- one request ---- */

enum outcome { DONE, LATER };

static void tell(struct otlp_exporter *exporter, enum err err, size_t spans_lost)
{
    if (exporter->opts.failed)
        exporter->opts.failed(exporter->opts.context, err, spans_lost);
}

static bool is_retryable(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* It said 200. What it says beside that can only take some back. */
static void take_success(struct otlp_exporter *exporter, const struct otlp_answer *answer, size_t span_count)
{
    struct otlp_response response = {.rejected_spans = 0};
    size_t rejected = 0;
    enum err err = answer->body.at ? exporter->encoding->read_response(answer->body, &response)
                                   : err_because(ERR_PROTOCOL, "its answer was cut off or too large");
    if (!err && response.rejected_spans > 0)
        rejected = (uint64_t)response.rejected_spans < span_count ? (size_t)response.rejected_spans : span_count;
    if (!err && rejected > 0)
        err = err_because(ERR_INVALID, "it took only a part: %s", response.message);
    else if (!err && *response.message)
        err = err_because(ERR_INVALID, "it took them, and says: %s", response.message);
    if (err)
        tell(exporter, err, rejected);
    count(&exporter->refused, rejected);
    count(&exporter->exported, span_count - rejected);
}

/* The status, and what the receiver says of it. */
static enum err cause_of(const struct otlp_exporter *exporter, const struct otlp_answer *answer)
{
    struct otlp_response response = {.rejected_spans = 0};
    enum err err = is_retryable(answer->status) ? ERR_UNAVAILABLE : ERR_INVALID;
    if (!answer->body.at || exporter->encoding->read_status(answer->body, &response) != ERR_NONE)
        response.message[0] = '\0';
    return err_because(err, "it answered with HTTP status %d%s%s", answer->status, *response.message ? ": " : "",
                       response.message);
}

static enum outcome take_failure(struct otlp_exporter *exporter, const struct otlp_answer *answer, size_t span_count)
{
    bool again = is_retryable(answer->status);
    tell(exporter, cause_of(exporter, answer), again ? 0 : span_count);
    count(&exporter->requests_failed, 1);
    if (again && answer->retry_after_ms > 0) {
        int64_t pause_ms = answer->retry_after_ms < RETRY_AFTER_MAX_MS ? answer->retry_after_ms : RETRY_AFTER_MAX_MS;
        exporter->not_before_ns = clock_now_ns() + pause_ms * NS_PER_MS;
    }
    if (!again)
        count(&exporter->refused, span_count);
    return again ? LATER : DONE;
}

static enum outcome send_once(struct otlp_exporter *exporter, size_t span_count, unsigned timeout_ms)
{
    struct otlp_answer answer;
    enum err err = otlp_sender_post(exporter->sender, buf_text(&exporter->body), timeout_ms, &answer);
    if (err) {
        tell(exporter, err, 0);
        count(&exporter->requests_failed, 1);
        return LATER;
    }
    if (answer.status < 300) {
        take_success(exporter, &answer, span_count);
        return DONE;
    }
    return take_failure(exporter, &answer, span_count);
}

/* ---- one batch ---- */

/* Doubles, and half of it is left to chance, so that those who failed together do not try again together. */
static int64_t pause_ns(unsigned attempts)
{
    uint32_t pause_ms = RETRY_FIRST_MS;
    for (unsigned i = 1; i < attempts && pause_ms < RETRY_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    if (pause_ms > RETRY_PAUSE_MAX_MS)
        pause_ms = RETRY_PAUSE_MAX_MS;
    return (pause_ms / 2 + random_below(pause_ms / 2 + 1)) * NS_PER_MS;
}

/* Whether it was time to try again before the batch's own time, and the exporter's, was over. */
static bool wait_for_next(struct otlp_exporter *exporter, unsigned attempts, int64_t until_ns)
{
    int64_t next_ns = clock_now_ns() + pause_ns(attempts);
    if (exporter->not_before_ns > next_ns)
        next_ns = exporter->not_before_ns;
    return next_ns < until_ns && otlp_queue_wait(&exporter->queue, next_ns);
}

/* Of an attempt: the usual, but the last one ends with the batch's time. */
static unsigned timeout_of(const struct otlp_exporter *exporter, unsigned attempts, int64_t until_ns)
{
    int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS;
    if (attempts == 0 || left_ms >= exporter->opts.timeout_ms)
        return exporter->opts.timeout_ms;
    return left_ms > 0 ? (unsigned)left_ms : 1;
}

static enum outcome send_batch(struct otlp_exporter *exporter, const struct otlp_batch *batch)
{
    int64_t until_ns = clock_now_ns() + exporter->opts.retry_max_ms * NS_PER_MS;
    unsigned attempts = 0;
    buf_reset(&exporter->body, BODY_KEEP_BYTES);
    enum err err = otlp_body_write(exporter->encoding, &exporter->opts.resource, batch, exporter->opts.gzip,
                                   &exporter->body);
    if (err) {
        tell(exporter, err, 0);
        return LATER;
    }
    do {
        if (send_once(exporter, batch->span_count, timeout_of(exporter, attempts, until_ns)) == DONE)
            return DONE;
    } while (wait_for_next(exporter, ++attempts, until_ns));
    return LATER;
}

static void expire(struct otlp_exporter *exporter, size_t span_count, enum err err)
{
    tell(exporter, err, span_count);
    count(&exporter->expired, span_count);
}

static void *run(void *context)
{
    struct otlp_exporter *exporter = context;
    struct otlp_batch batch;
    while (otlp_queue_take(&exporter->queue, exporter->not_before_ns, &batch)) {
        if (send_batch(exporter, &batch) != DONE)
            expire(exporter, batch.span_count, err_because(ERR_DEADLINE, "they were tried for as long as they may be"));
        otlp_queue_release(&exporter->queue, &batch);
    }
    size_t left = otlp_queue_count(&exporter->queue);
    if (left > 0)
        expire(exporter, left, err_because(ERR_CLOSED, "this program ended before they could be sent"));
    return NULL;
}

/* ---- opening and closing ---- */

/* Signals are the main thread's. */
static enum err start_thread(struct otlp_exporter *exporter)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&exporter->thread, NULL, run, exporter);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code)
        return err_because(ERR_MEMORY, "no thread to send spans: %s", strerror(code));
    pthread_setname_np(exporter->thread, "traces");
    return ERR_NONE;
}

static void exporter_free(struct otlp_exporter *exporter)
{
    otlp_sender_free(exporter->sender);
    otlp_queue_fini(&exporter->queue);
    buf_fini(&exporter->body);
    free(exporter);
}

enum err otlp_exporter_open(const struct otlp_exporter_opts *opts, struct otlp_exporter **ret)
{
    struct otlp_exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter)
        return err_because(ERR_MEMORY, "no memory to send spans");
    exporter->opts = *opts;
    exporter->opts.headers = SECRET_NONE;   /* the sender has them, and the caller may erase them */
    exporter->opts.endpoint = NULL;
    exporter->encoding = opts->protocol == OTLP_HTTP_JSON ? &otlp_json : &otlp_protobuf;
    otlp_queue_init(&exporter->queue, exporter->encoding, opts);
    buf_init(&exporter->body, BODY_MAX_BYTES);
    enum err err = otlp_sender_new(opts, exporter->encoding->content_type, &exporter->sender);
    if (!err)
        err = start_thread(exporter);
    if (err)
        exporter_free(exporter);
    else
        *ret = exporter;
    return err;
}

void otlp_exporter_close(struct otlp_exporter *exporter, unsigned timeout_ms)
{
    if (!exporter)
        return;
    int64_t stop_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    otlp_queue_stop_at(&exporter->queue, stop_ns);
    otlp_sender_stop_at(exporter->sender, stop_ns);
    pthread_join(exporter->thread, NULL);
    exporter_free(exporter);
}

/* ---- for everybody ---- */

bool otlp_exporter_add(struct otlp_exporter *exporter, const struct span *spans, size_t span_count)
{
    bool taken = otlp_queue_put(&exporter->queue, spans, span_count);
    if (!taken)
        count(&exporter->queue_full, span_count);
    return taken;
}

static uint64_t value_of(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void otlp_exporter_stats(const struct otlp_exporter *exporter, struct otlp_exporter_stats *ret)
{
    *ret = (struct otlp_exporter_stats){
        .exported = value_of(&exporter->exported),
        .dropped_queue_full = value_of(&exporter->queue_full),
        .dropped_refused = value_of(&exporter->refused),
        .dropped_expired = value_of(&exporter->expired),
        .requests_failed = value_of(&exporter->requests_failed),
        .queued_bytes = atomic_load_explicit(&exporter->queue.bytes, memory_order_relaxed),
    };
}
