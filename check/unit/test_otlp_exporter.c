/* The exporter, against a receiver that is there, away, slow, overloaded, displeased, or no receiver at all. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "check/harness/otlp_receiver.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/spans.h"
#include "telemetry/otlp_exporter.h"

enum {
    QUEUE_BYTES = 1024 * 1024, SMALL_QUEUE_BYTES = 32 * 1024, CLOSE_MS = 10000, PATIENCE_MS = 20000, ADDERS = 4,
    PARTS = 500, CAUSE_SIZE = 256, PROMPT_MS = 50, MANY = 2000,
};

#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

static struct otlp_receiver *receiver;
static struct otlp_exporter *exporter;
static struct otlp_exporter_opts opts;
static char endpoint[128];

/* What the exporter told last; its thread's, guarded by the lock. */
static struct {
    pthread_mutex_t lock;
    unsigned count;
    size_t spans_lost;
    enum err err;
    char cause[CAUSE_SIZE];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_failure(void *context, enum err err, size_t spans_lost)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    told.count++;
    told.spans_lost += spans_lost;
    told.err = err;
    snprintf(told.cause, sizeof told.cause, "%s", err_cause());
    pthread_mutex_unlock(&told.lock);
}

static bool was_told(const char *part)
{
    pthread_mutex_lock(&told.lock);
    bool found = strstr(told.cause, part) != NULL;
    if (!found)
        printf("# told: %s\n", told.cause);
    pthread_mutex_unlock(&told.lock);
    return found;
}

static struct told_state {
    unsigned count;
    size_t spans_lost;
    enum err err;
} told_now(void)
{
    pthread_mutex_lock(&told.lock);
    struct told_state now = {told.count, told.spans_lost, told.err};
    pthread_mutex_unlock(&told.lock);
    return now;
}

static void begin(void)
{
    receiver = otlp_receiver_new();
    snprintf(endpoint, sizeof endpoint, "%s/v1/traces", otlp_receiver_url(receiver));
    told.count = 0;
    told.spans_lost = 0;
    told.err = ERR_NONE;
    told.cause[0] = '\0';
    opts = (struct otlp_exporter_opts){
        .endpoint = endpoint, .protocol = OTLP_HTTP_JSON, .resource = spans_resource,
        .queue_max_bytes = QUEUE_BYTES, .batch_max = 512, .batch_delay_ms = 5, .timeout_ms = 10000,
        .retry_max_ms = 60000, .failed = on_failure, .context = &told,
    };
}

static void open_exporter(void)
{
    enum err err = otlp_exporter_open(&opts, &exporter);
    if (err)
        printf("# %s\n", err_cause());
    CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
}

/* Closed first, so that what waits goes out. */
static void end(void)
{
    otlp_exporter_close(exporter, CLOSE_MS);
    exporter = NULL;
    otlp_receiver_free(receiver);
    receiver = NULL;
}

static bool add(unsigned number)
{
    struct span span = spans_plain(number);
    return otlp_exporter_add(exporter, &span, 1);
}

/* ---- counters, waited for ---- */

static struct otlp_exporter_stats stats(void)
{
    struct otlp_exporter_stats now;
    otlp_exporter_stats(exporter, &now);
    return now;
}

struct expected {
    size_t offset;
    uint64_t least;
};

static bool has_come(void *context)
{
    const struct expected *expected = context;
    struct otlp_exporter_stats now = stats();
    uint64_t value;
    memcpy(&value, (const char *)&now + expected->offset, sizeof value);
    return value >= expected->least;
}

#define COMES(counter, n) \
    process_until(has_come, &(struct expected){offsetof(struct otlp_exporter_stats, counter), n}, PATIENCE_MS)

static size_t received_count(void)
{
    struct received received;
    if (!otlp_receiver_spans(receiver, &received)) {
        printf("# %s\n", err_cause());
        return SIZE_MAX;
    }
    size_t count = received.count;
    received_fini(&received);
    return count;
}

/* ---- well ---- */

static bool is_drained(void *context)
{
    (void)context;
    return stats().queued_bytes == 0;
}

static void hold_delivery(enum otlp_protocol protocol, bool gzip, const char *content_type)
{
    struct span spans[3] = {spans_full(1), spans_full(2), spans_plain(3)};
    struct received received = {.count = 0};
    begin();
    opts.protocol = protocol;
    opts.gzip = gzip;
    opts.batch_delay_ms = 200;
    open_exporter();
    CU_ASSERT(otlp_exporter_add(exporter, spans, 2));
    CU_ASSERT(otlp_exporter_add(exporter, spans + 2, 1));
    CU_ASSERT(COMES(exported, 3));
    CU_ASSERT_EQUAL_FATAL(otlp_receiver_request_count(receiver), 1);
    const struct otlp_request *request = otlp_receiver_request(receiver, 0);
    CU_ASSERT_STRING_EQUAL(request->content_type, content_type);
    CU_ASSERT_EQUAL(request->gzip, gzip);
    CU_ASSERT_EQUAL(request->sent_bytes < request->body.length, gzip);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "User-Agent"), "tandem/" PACKAGE_VERSION);
    bool decoded = otlp_receiver_spans(receiver, &received);
    CU_ASSERT(decoded);
    if (!decoded)
        printf("# %s\n", err_cause());
    CU_ASSERT_EQUAL(received.count, 3);
    for (size_t i = 0; i < received.count; i++) {
        CU_ASSERT_EQUAL(received.spans[i].start_ns, spans[i].start_ns);
        CU_ASSERT_STRING_EQUAL(received.spans[i].service, "tandem-order");
    }
    received_fini(&received);
    CU_ASSERT_EQUAL(told_now().count, 0);
    CU_ASSERT(process_until(is_drained, NULL, PATIENCE_MS));
    end();
}

static void test_protobuf(void)
{
    if (!otlp_can_decode_protobuf())
        return;
    hold_delivery(OTLP_HTTP_PROTOBUF, false, "application/x-protobuf");
    hold_delivery(OTLP_HTTP_PROTOBUF, true, "application/x-protobuf");
}

static void test_json(void)
{
    hold_delivery(OTLP_HTTP_JSON, false, "application/json");
    hold_delivery(OTLP_HTTP_JSON, true, "application/json");
}

/* Full ones at once, the rest after the delay, none larger than said, over one connection. */
static void test_batches(void)
{
    struct span part[7];
    begin();
    opts.batch_max = 10;
    opts.batch_delay_ms = 300;
    open_exporter();
    for (unsigned i = 0; i < 15; i++) {
        for (unsigned j = 0; j < 7; j++)
            part[j] = spans_plain(i * 7 + j + 1);
        CU_ASSERT(otlp_exporter_add(exporter, part, 7));
    }
    CU_ASSERT(COMES(exported, 15 * 7));
    for (size_t i = 0; i < otlp_receiver_request_count(receiver); i++) {
        struct received received = {.count = 0};
        const struct otlp_request *request = otlp_receiver_request(receiver, i);
        CU_ASSERT_EQUAL(request->connection, 0);
        CU_ASSERT_FATAL(received_add(&received, otlp_decode(request->content_type, request->body)));
        CU_ASSERT(received.count <= 10);
        received_fini(&received);
    }
    CU_ASSERT_EQUAL(received_count(), 15 * 7);
    end();
}

/* A part that is larger than a request may be is sent in several. */
static void test_large_part(void)
{
    struct span part[25];
    for (unsigned i = 0; i < 25; i++)
        part[i] = spans_full(i + 1);
    begin();
    opts.batch_max = 10;
    open_exporter();
    CU_ASSERT(otlp_exporter_add(exporter, part, 25));
    CU_ASSERT(otlp_exporter_add(exporter, part, 0));
    CU_ASSERT(COMES(exported, 25));
    CU_ASSERT_EQUAL(received_count(), 25);
    CU_ASSERT(otlp_receiver_request_count(receiver) >= 3);
    end();
}

/* Where spans go is said by the settings alone. */
static void test_no_proxy(void)
{
    begin();
    CU_ASSERT_EQUAL(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    CU_ASSERT_EQUAL(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(COMES(exported, 1));
    CU_ASSERT_EQUAL(stats().requests_failed, 0);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    end();
}

/* ---- certificates ---- */

static bool is_told_of_certificate(void *context)
{
    (void)context;
    pthread_mutex_lock(&told.lock);
    bool is_told = strstr(told.cause, "certificate") != NULL;
    pthread_mutex_unlock(&told.lock);
    return is_told;
}

/* A receiver behind TLS whose certificate nobody vouches for gets nothing. */
static void test_certificate(void)
{
    char key[128], certificate[128], log[128], address[32], *folder = process_folder();
    struct process server = {.pid = 0};
    unsigned port = process_free_port();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    const char *const make[] = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                                "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                                certificate, NULL};
    const char *const serve[] = {"openssl", "s_server", "-accept", address, "-key", key, "-cert", certificate, "-www",
                                 "-quiet", NULL};
    begin();
    if (process_run(make, log) != ERR_NONE) {
        suite_skip("openssl is not installed (Debian: openssl)");
    } else {
        CU_ASSERT_EQUAL_FATAL(process_start(serve, log, SIGKILL, &server), ERR_NONE);
        snprintf(endpoint, sizeof endpoint, "https://%s/v1/traces", address);
        open_exporter();
        CU_ASSERT(add(1));
        CU_ASSERT(process_until(is_told_of_certificate, NULL, PATIENCE_MS));
        CU_ASSERT_EQUAL(stats().exported, 0);
        otlp_exporter_close(exporter, 0);
        exporter = NULL;
        process_kill(&server);
    }
    end();
    process_remove(folder);
    free(folder);
}

/* ---- header fields ---- */

static void test_headers(void)
{
    begin();
    opts.headers = secret_of(TEXT("authorization=Bearer%20a%2Cb, x-scope-orgid = 7,"));
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(COMES(exported, 1));
    otlp_exporter_close(exporter, CLOSE_MS);
    opts.headers_form = OTLP_HEADERS_LINES;
    opts.headers = secret_of(TEXT("# for Tempo\n\nauthorization=Basic a%2C=,b\r\nx-two=2"));
    open_exporter();
    CU_ASSERT(add(2));
    CU_ASSERT(COMES(exported, 1));
    const struct otlp_request *request = otlp_receiver_request(receiver, 0);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "authorization"), "Bearer a,b");
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "x-scope-orgid"), "7");
    request = otlp_receiver_request(receiver, 1);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "authorization"), "Basic a%2C=,b");
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "x-two"), "2");
    end();
}

static void test_bad_headers(void)
{
    static const struct text bad[] = {
        TEXT("very-secret"), TEXT("a=1,very-secret"), TEXT("=very-secret"), TEXT("a b=very-secret"), TEXT("a="),
        TEXT("a=very%0asecret"), TEXT("a=very%zzsecret"), TEXT("Content-Type=very-secret"), TEXT("host=very-secret"),
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        opts.headers = secret_of(bad[i]);
        CU_ASSERT_EQUAL(otlp_exporter_open(&opts, &exporter), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "header "));
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "secret"));
    }
    end();
}

static void test_bad_endpoints(void)
{
    static const char *const bad[] = {"", "localhost:4318", "ftp://localhost/", "http://", "https:///v1/traces",
                                      "http://user:very-secret@localhost/", "http://local host/"};
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        opts.endpoint = bad[i];
        CU_ASSERT_EQUAL(otlp_exporter_open(&opts, &exporter), ERR_CONFIG);
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "secret"));
    }
    end();
}

/* ---- ill ---- */

static int64_t add_ns(void)
{
    int64_t started_ns = clock_now_ns();
    add(1);
    return clock_now_ns() - started_ns;
}

/* Adds parts until the queue has had to refuse some, and holds that this never took long, nor more memory than it may. */
static void fill_queue(void)
{
    for (unsigned i = 0; i < MANY; i++) {
        add(i + 1);
        CU_ASSERT(stats().queued_bytes <= opts.queue_max_bytes);
    }
    CU_ASSERT(stats().dropped_queue_full > 0);
    CU_ASSERT(suite_is_prompt(add_ns, PROMPT_MS));
}

/* Everything that was added is counted once: as exported, dropped, or still waiting. */
static void hold_sum(uint64_t added)
{
    struct otlp_exporter_stats now = stats();
    CU_ASSERT_EQUAL(now.exported + now.dropped_queue_full + now.dropped_refused + now.dropped_expired, added);
}

static bool has_room(void *context)
{
    return add(*(unsigned *)context);
}

static void test_away(void)
{
    begin();
    otlp_receiver_leave(receiver);
    opts.queue_max_bytes = SMALL_QUEUE_BYTES;
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(COMES(requests_failed, 2));
    CU_ASSERT_EQUAL(told_now().spans_lost, 0);
    fill_queue();
    otlp_receiver_return(receiver);
    CU_ASSERT(COMES(exported, 2));
    CU_ASSERT(process_until(has_room, &(unsigned){MANY + 1}, PATIENCE_MS));
    CU_ASSERT(process_until(has_room, &(unsigned){MANY + 2}, PATIENCE_MS));
    CU_ASSERT_EQUAL(stats().dropped_expired + stats().dropped_refused, 0);
    otlp_exporter_close(exporter, CLOSE_MS);
    exporter = NULL;
    CU_ASSERT(received_count() > 2);
    end();
}

/* It takes requests and answers none: adding goes on, requests run out of time, and are tried again. */
static void test_slow(void)
{
    begin();
    otlp_receiver_hang(receiver);
    opts.queue_max_bytes = SMALL_QUEUE_BYTES;
    opts.timeout_ms = 200;
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(otlp_receiver_wait(receiver, 1));
    fill_queue();
    CU_ASSERT(COMES(requests_failed, 1));
    CU_ASSERT(was_told("imed out") || was_told("imeout"));
    CU_ASSERT_EQUAL(told_now().err, ERR_DEADLINE);
    otlp_receiver_take(receiver);
    CU_ASSERT(COMES(exported, 20));
    end();
}

/* A status, then well: nothing is lost. */
static void hold_retry(const char *reply, const char *expected, int64_t least_ms)
{
    begin();
    otlp_receiver_reply(receiver, reply);
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(otlp_receiver_wait(receiver, 1));
    CU_ASSERT(COMES(requests_failed, 1));
    CU_ASSERT_EQUAL(stats().exported, 0);
    otlp_receiver_take(receiver);
    CU_ASSERT(COMES(exported, 1));
    CU_ASSERT(was_told(expected));
    CU_ASSERT_EQUAL(told_now().spans_lost, 0);
    const struct otlp_request *first = otlp_receiver_request(receiver, 0);
    const struct otlp_request *last = otlp_receiver_request(receiver, otlp_receiver_request_count(receiver) - 1);
    CU_ASSERT(last->at_ns - first->at_ns >= least_ms * NS_PER_MS);
    CU_ASSERT_EQUAL(received_count(), 1);
    hold_sum(1);
    end();
}

static void test_overloaded(void)
{
    hold_retry(STATUS("429 Too Many Requests"), "status 429", 100);
    hold_retry(STATUS("503 Service Unavailable"), "status 503", 100);
    hold_retry(STATUS("502 Bad Gateway"), "status 502", 100);
    hold_retry(STATUS("504 Gateway Timeout"), "status 504", 100);
}

static void test_retry_after(void)
{
    char reply[200], date[64];
    time_t then = time(NULL) + 3;   /* cut to whole seconds: two to three from now */
    struct tm parts;
    hold_retry("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", "status 429", 1000);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &parts));
    snprintf(reply, sizeof reply, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
             date);
    hold_retry(reply, "status 503", 500);
}

/* A pause that the receiver asked for also holds for what came after, and so do the batch's time and the queue's bound. */
static void test_throttled(void)
{
    begin();
    otlp_receiver_reply(receiver,
                        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 200\r\nContent-Length: 0\r\n\r\n");
    opts.queue_max_bytes = SMALL_QUEUE_BYTES;
    opts.retry_max_ms = 1000;
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(COMES(dropped_expired, 1));
    otlp_receiver_take(receiver);
    fill_queue();
    CU_ASSERT_EQUAL(otlp_receiver_request_count(receiver), 1);
    CU_ASSERT_EQUAL(stats().exported, 0);
    end();
    CU_ASSERT_EQUAL(told_now().err, ERR_CLOSED);   /* nor is it broken at the end */
}

static void test_expired(void)
{
    begin();
    otlp_receiver_reply(receiver, STATUS("503 Service Unavailable"));
    opts.retry_max_ms = 300;
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(COMES(dropped_expired, 1));
    CU_ASSERT_EQUAL(told_now().spans_lost, 1);
    CU_ASSERT(stats().requests_failed >= 2);
    otlp_receiver_take(receiver);
    CU_ASSERT(add(2));
    CU_ASSERT(COMES(exported, 1));
    hold_sum(2);
    end();
}

/* What it will not have is dropped at once, and what comes after is sent. */
static void hold_refusal(struct text reply, const char *expected)
{
    begin();
    otlp_receiver_reply_bytes(receiver, reply);
    open_exporter();
    CU_ASSERT(add(1));
    CU_ASSERT(COMES(dropped_refused, 1));
    CU_ASSERT_EQUAL(otlp_receiver_request_count(receiver), 1);
    CU_ASSERT(was_told(expected));
    CU_ASSERT_EQUAL(told_now().spans_lost, 1);
    otlp_receiver_take(receiver);
    CU_ASSERT(add(2));
    CU_ASSERT(COMES(exported, 1));
    CU_ASSERT_EQUAL(received_count(), 1);
    hold_sum(2);
    end();
}

static void test_refused(void)
{
    hold_refusal(text_of("HTTP/1.1 400 Bad Request\r\nContent-Length: 25\r\n\r\n{\"message\":\"not like that\"}"),
                 "status 400");
    hold_refusal(text_of("HTTP/1.1 400 Bad Request\r\nContent-Length: 27\r\n\r\n{\"message\":\"not like that\"}"),
                 "status 400: not like that");
    hold_refusal(text_of(STATUS("401 Unauthorized")), "status 401");
    hold_refusal(text_of(STATUS("404 Not Found")), "status 404");
    hold_refusal(text_of(STATUS("413 Content Too Large")), "status 413");
    hold_refusal(text_of(STATUS("500 Internal Server Error")), "status 500");
    hold_refusal(text_of("HTTP/1.1 302 Found\r\nLocation: /v1/traces\r\nContent-Length: 0\r\n\r\n"), "status 302");
}

static void test_partial(void)
{
    struct span spans[5];
    for (unsigned i = 0; i < 5; i++)
        spans[i] = spans_plain(i + 1);
    static const struct {
        enum otlp_protocol protocol;
        struct text reply;
        uint64_t refused;
        const char *expected;
    } rows[] = {
        {OTLP_HTTP_JSON, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 59\r\n\r\n"
                              "{\"partialSuccess\":{\"rejectedSpans\":2,\"errorMessage\":\"old\"}}"), 2, "a part: old"},
        {OTLP_HTTP_PROTOBUF, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x0a\x07\x08\x02\x12\x03old"), 2,
         "a part: old"},
        {OTLP_HTTP_PROTOBUF, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\x0a\x05\x08\xff\xff\xff\x7f"), 5,
         "a part"},
        {OTLP_HTTP_PROTOBUF, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\x0a\x06\x12\x04mind"), 0, "mind"},
        {OTLP_HTTP_PROTOBUF, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"), 0, "not OTLP"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        opts.protocol = rows[i].protocol;
        otlp_receiver_reply_bytes(receiver, rows[i].reply);
        open_exporter();
        CU_ASSERT(otlp_exporter_add(exporter, spans, 5));
        CU_ASSERT(COMES(exported, 5 - rows[i].refused));
        CU_ASSERT(COMES(dropped_refused, rows[i].refused));
        hold_sum(5);
        end();
        CU_ASSERT(was_told(rows[i].expected));
        CU_ASSERT_EQUAL(told_now().count, 1);
        CU_ASSERT_EQUAL(told_now().spans_lost, rows[i].refused);
    }
}

/* What is no HTTP, breaks off, or has no end. */
static void test_garbage(void)
{
    hold_retry("good morning\r\n\r\n", "", 100);
    hold_retry("", "", 100);
    hold_retry("HTTP/1.1 200 OK", "", 100);
}

/* That it took them is said by the status; what is wrong with the rest does not have them sent twice. */
static void test_cut_answer(void)
{
    char *long_answer = malloc(200 * 1024);
    CU_ASSERT_PTR_NOT_NULL_FATAL(long_answer);
    memset(long_answer, 'x', 200 * 1024 - 1);
    long_answer[200 * 1024 - 1] = '\0';
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 204000\r\n\r\n";
    memcpy(long_answer, head, sizeof head - 1);
    const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"partial", long_answer};
    for (size_t i = 0; i < 2; i++) {
        begin();
        otlp_receiver_reply(receiver, replies[i]);
        open_exporter();
        CU_ASSERT(add(1));
        CU_ASSERT(COMES(exported, 1));
        end();
        CU_ASSERT(was_told("cut off or too large"));
        CU_ASSERT_EQUAL(told_now().count, 1);
    }
    free(long_answer);
}

/* ---- the end ---- */

static void test_close_flushes(void)
{
    begin();
    opts.batch_delay_ms = 600000;
    open_exporter();
    for (unsigned i = 0; i < 100; i++)
        CU_ASSERT(add(i + 1));
    otlp_exporter_close(exporter, CLOSE_MS);
    exporter = NULL;
    CU_ASSERT_EQUAL(received_count(), 100);
    CU_ASSERT_EQUAL(told_now().count, 0);
    end();
}

static int64_t close_ns(void)
{
    open_exporter();
    for (unsigned i = 0; i < 5; i++)
        add(i + 1);
    size_t before = otlp_receiver_request_count(receiver);
    otlp_receiver_wait(receiver, before + 1);
    int64_t started_ns = clock_now_ns();
    otlp_exporter_close(exporter, 100);
    int64_t took_ns = clock_now_ns() - started_ns;
    exporter = NULL;
    CU_ASSERT(took_ns >= 90 * NS_PER_MS);
    return took_ns;
}

/* While the receiver hangs; and what is lost by it is told. */
static void test_close_in_time(void)
{
    begin();
    otlp_receiver_hang(receiver);
    CU_ASSERT(suite_is_prompt(close_ns, 100 + PROMPT_MS));
    CU_ASSERT(told_now().spans_lost >= 5);
    end();
}

static int64_t close_away_ns(void)
{
    open_exporter();
    add(1);
    COMES(requests_failed, 1);
    int64_t started_ns = clock_now_ns();
    otlp_exporter_close(exporter, 100);
    exporter = NULL;
    return clock_now_ns() - started_ns;
}

/* While it pauses between tries. */
static void test_close_away(void)
{
    begin();
    otlp_receiver_leave(receiver);
    CU_ASSERT(suite_is_prompt(close_away_ns, 100 + PROMPT_MS));
    end();
}

/* ---- many at once ---- */

static void *add_parts(void *context)
{
    struct span part[3];
    unsigned first = *(unsigned *)context;
    for (unsigned i = 0; i < PARTS; i++) {
        for (unsigned j = 0; j < 3; j++)
            part[j] = spans_full(first + i * 3 + j);
        while (!otlp_exporter_add(exporter, part, 3))
            nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[ADDERS];
    unsigned firsts[ADDERS];
    begin();
    opts.gzip = true;
    opts.queue_max_bytes = 4 * QUEUE_BYTES;
    open_exporter();
    for (unsigned i = 0; i < ADDERS; i++) {
        firsts[i] = 1 + i * PARTS * 3;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_parts, &firsts[i]), 0);
    }
    for (unsigned i = 0; i < ADDERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT(COMES(exported, ADDERS * PARTS * 3));
    CU_ASSERT_EQUAL(received_count(), ADDERS * PARTS * 3);
    end();
}

static const struct suite_case cases[] = {
    {"spans arrive in protobuf, plain and compressed", test_protobuf},
    {"spans arrive in JSON, plain and compressed", test_json},
    {"batches are as large as said, over one connection", test_batches},
    {"a part that is larger than a batch goes in several", test_large_part},
    {"no proxy is used", test_no_proxy},
    {"a certificate that cannot be verified gets nothing", test_certificate},
    {"header fields go along, in both forms", test_headers},
    {"what is no header is refused, and not told", test_bad_headers},
    {"what is no endpoint is refused", test_bad_endpoints},
    {"receiver away: nobody waits, memory is bounded, drops are counted, it resumes", test_away},
    {"receiver slow: the same", test_slow},
    {"429, 502, 503 and 504 are tried again", test_overloaded},
    {"Retry-After is kept, in seconds and as a date", test_retry_after},
    {"a pause that was asked for is not broken by what comes after", test_throttled},
    {"what was tried for too long is dropped and counted", test_expired},
    {"what is refused is dropped and counted, at once", test_refused},
    {"a partial success counts what was rejected", test_partial},
    {"garbage and cut connections are tried again", test_garbage},
    {"an answer that breaks off after its status has nothing sent twice", test_cut_answer},
    {"closing sends what waits", test_close_flushes},
    {"closing keeps its time while the receiver hangs", test_close_in_time},
    {"closing keeps its time while the receiver is away", test_close_away},
    {"threads add at once, and nothing is lost", test_threads},
};

int main(void)
{
    return suite_main("otlp_exporter", cases, sizeof cases / sizeof cases[0]);
}
