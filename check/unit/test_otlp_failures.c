/* The exporter, against a receiver that is away, slow, overloaded, displeased, or no receiver at all; and its end. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/exporting.h"

enum { SMALL_QUEUE_BYTES = 32 * 1024, ADDS = 100, ADDERS = 4, PARTS = 500, PROMPT_MS = 50, MANY = 2000 };

#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

static int64_t add_ns(void)
{
    int64_t started_ns = clock_now_ns();
    for (unsigned i = 0; i < ADDS; i++)
        exporting_add(1);
    return clock_now_ns() - started_ns;
}

/* Adds until the queue has had to refuse some, and holds that this never takes long, nor more memory than it may. */
static void fill_queue(void)
{
    for (unsigned i = 0; i < MANY; i++) {
        exporting_add(i + 1);
        CU_ASSERT(exporting_stats().queued_bytes <= exporting.opts.queue_max_bytes);
    }
    CU_ASSERT(exporting_stats().dropped_queue_full > 0);
    CU_ASSERT(suite_is_prompt(add_ns, PROMPT_MS));
}

/* Everything that was added is counted once: as exported, dropped, or still waiting. */
static void hold_sum(uint64_t added)
{
    struct otlp_exporter_stats now = exporting_stats();
    CU_ASSERT_EQUAL(now.exported + now.dropped_queue_full + now.dropped_refused + now.dropped_expired, added);
}

static bool has_room(void *context)
{
    return exporting_add(*(unsigned *)context);
}

static void test_away(void)
{
    exporting_begin();
    otlp_receiver_leave(exporting.receiver);
    exporting.opts.queue_max_bytes = SMALL_QUEUE_BYTES;
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(COMES(requests_failed, 2));
    CU_ASSERT_EQUAL(exporting_told().spans_lost, 0);
    fill_queue();
    otlp_receiver_return(exporting.receiver);
    CU_ASSERT(COMES(exported, 2));
    CU_ASSERT(process_until(has_room, &(unsigned){MANY + 1}, EXPORTING_PATIENCE_MS));
    CU_ASSERT(process_until(has_room, &(unsigned){MANY + 2}, EXPORTING_PATIENCE_MS));
    CU_ASSERT_EQUAL(exporting_stats().dropped_expired + exporting_stats().dropped_refused, 0);
    otlp_exporter_close(exporting.exporter, EXPORTING_CLOSE_MS);
    exporting.exporter = NULL;
    CU_ASSERT(exporting_received() > 2);
    exporting_end();
}

/* It takes requests and answers none: adding goes on, requests run out of time, and are tried again. */
static void test_slow(void)
{
    exporting_begin();
    otlp_receiver_hang(exporting.receiver);
    exporting.opts.queue_max_bytes = SMALL_QUEUE_BYTES;
    exporting.opts.timeout_ms = 200;
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(otlp_receiver_wait(exporting.receiver, 1));
    fill_queue();
    CU_ASSERT(COMES(requests_failed, 1));
    CU_ASSERT(exporting_was_told("imed out") || exporting_was_told("imeout"));
    CU_ASSERT_EQUAL(exporting_told().err, ERR_DEADLINE);
    otlp_receiver_take(exporting.receiver);
    CU_ASSERT(COMES(exported, 20));
    exporting_end();
}

/* A status, then well: nothing is lost. */
static void hold_retry(const char *reply, const char *expected, int64_t least_ms)
{
    exporting_begin();
    otlp_receiver_reply(exporting.receiver, reply);
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(otlp_receiver_wait(exporting.receiver, 1));
    CU_ASSERT(COMES(requests_failed, 1));
    CU_ASSERT_EQUAL(exporting_stats().exported, 0);
    otlp_receiver_take(exporting.receiver);
    CU_ASSERT(COMES(exported, 1));
    CU_ASSERT(exporting_was_told(expected));
    CU_ASSERT_EQUAL(exporting_told().spans_lost, 0);
    const struct otlp_request *first = otlp_receiver_request(exporting.receiver, 0);
    size_t requests = otlp_receiver_request_count(exporting.receiver);
    const struct otlp_request *last = otlp_receiver_request(exporting.receiver, requests - 1);
    CU_ASSERT(last->at_ns - first->at_ns >= least_ms * NS_PER_MS);
    CU_ASSERT_EQUAL(exporting_received(), 1);
    hold_sum(1);
    exporting_end();
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

/* A pause that the receiver asked for holds for what comes after, too, and so do the batch's time and the queue's
 * bound. */
static void test_throttled(void)
{
    exporting_begin();
    otlp_receiver_reply(exporting.receiver,
                        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 200\r\nContent-Length: 0\r\n\r\n");
    exporting.opts.queue_max_bytes = SMALL_QUEUE_BYTES;
    exporting.opts.retry_max_ms = 1000;
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(COMES(dropped_expired, 1));
    otlp_receiver_take(exporting.receiver);
    fill_queue();
    CU_ASSERT_EQUAL(otlp_receiver_request_count(exporting.receiver), 1);
    CU_ASSERT_EQUAL(exporting_stats().exported, 0);
    exporting_end();
    CU_ASSERT_EQUAL(exporting_told().err, ERR_CLOSED);   /* nor is it broken at the end */
}

static void test_expired(void)
{
    exporting_begin();
    otlp_receiver_reply(exporting.receiver, STATUS("503 Service Unavailable"));
    exporting.opts.retry_max_ms = 300;
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(COMES(dropped_expired, 1));
    CU_ASSERT_EQUAL(exporting_told().spans_lost, 1);
    CU_ASSERT(exporting_stats().requests_failed >= 2);
    otlp_receiver_take(exporting.receiver);
    CU_ASSERT(exporting_add(2));
    CU_ASSERT(COMES(exported, 1));
    hold_sum(2);
    exporting_end();
}

/* What it will not have is dropped at once, and what comes after is sent. */
static void hold_refusal(struct text reply, const char *expected)
{
    exporting_begin();
    otlp_receiver_reply_bytes(exporting.receiver, reply);
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(COMES(dropped_refused, 1));
    CU_ASSERT_EQUAL(otlp_receiver_request_count(exporting.receiver), 1);
    CU_ASSERT(exporting_was_told(expected));
    CU_ASSERT_EQUAL(exporting_told().spans_lost, 1);
    otlp_receiver_take(exporting.receiver);
    CU_ASSERT(exporting_add(2));
    CU_ASSERT(COMES(exported, 1));
    CU_ASSERT_EQUAL(exporting_received(), 1);
    hold_sum(2);
    exporting_end();
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
        exporting_begin();
        exporting.opts.protocol = rows[i].protocol;
        otlp_receiver_reply_bytes(exporting.receiver, rows[i].reply);
        exporting_open();
        CU_ASSERT(otlp_exporter_add(exporting.exporter, spans, 5));
        CU_ASSERT(COMES(exported, 5 - rows[i].refused));
        CU_ASSERT(COMES(dropped_refused, rows[i].refused));
        hold_sum(5);
        exporting_end();
        CU_ASSERT(exporting_was_told(rows[i].expected));
        CU_ASSERT_EQUAL(exporting_told().count, 1);
        CU_ASSERT_EQUAL(exporting_told().spans_lost, rows[i].refused);
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
        exporting_begin();
        otlp_receiver_reply(exporting.receiver, replies[i]);
        exporting_open();
        CU_ASSERT(exporting_add(1));
        CU_ASSERT(COMES(exported, 1));
        exporting_end();
        CU_ASSERT(exporting_was_told("cut off or too large"));
        CU_ASSERT_EQUAL(exporting_told().count, 1);
    }
    free(long_answer);
}

/* ---- the end ---- */

static void test_close_flushes(void)
{
    exporting_begin();
    exporting.opts.batch_delay_ms = 600000;
    exporting_open();
    for (unsigned i = 0; i < 100; i++)
        CU_ASSERT(exporting_add(i + 1));
    otlp_exporter_close(exporting.exporter, EXPORTING_CLOSE_MS);
    exporting.exporter = NULL;
    CU_ASSERT_EQUAL(exporting_received(), 100);
    CU_ASSERT_EQUAL(exporting_told().count, 0);
    exporting_end();
}

static int64_t close_ns(void)
{
    exporting_open();
    for (unsigned i = 0; i < 5; i++)
        exporting_add(i + 1);
    size_t before = otlp_receiver_request_count(exporting.receiver);
    otlp_receiver_wait(exporting.receiver, before + 1);
    int64_t started_ns = clock_now_ns();
    otlp_exporter_close(exporting.exporter, 100);
    int64_t took_ns = clock_now_ns() - started_ns;
    exporting.exporter = NULL;
    CU_ASSERT(took_ns >= 90 * NS_PER_MS);
    return took_ns;
}

/* While the receiver hangs; and what is lost by it is told. */
static void test_close_in_time(void)
{
    exporting_begin();
    otlp_receiver_hang(exporting.receiver);
    CU_ASSERT(suite_is_prompt(close_ns, 100 + PROMPT_MS));
    CU_ASSERT(exporting_told().spans_lost >= 5);
    exporting_end();
}

static int64_t close_away_ns(void)
{
    exporting_open();
    exporting_add(1);
    COMES(requests_failed, 1);
    int64_t started_ns = clock_now_ns();
    otlp_exporter_close(exporting.exporter, 100);
    exporting.exporter = NULL;
    return clock_now_ns() - started_ns;
}

/* While it pauses between tries. */
static void test_close_away(void)
{
    exporting_begin();
    otlp_receiver_leave(exporting.receiver);
    CU_ASSERT(suite_is_prompt(close_away_ns, 100 + PROMPT_MS));
    exporting_end();
}

/* ---- many at once ---- */

static void *add_parts(void *context)
{
    struct span part[3];
    unsigned first = *(unsigned *)context;
    for (unsigned i = 0; i < PARTS; i++) {
        for (unsigned j = 0; j < 3; j++)
            part[j] = spans_full(first + i * 3 + j);
        while (!otlp_exporter_add(exporting.exporter, part, 3))
            nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[ADDERS];
    unsigned firsts[ADDERS];
    exporting_begin();
    exporting.opts.gzip = true;
    exporting.opts.queue_max_bytes = 4 * EXPORTING_QUEUE_BYTES;
    exporting_open();
    for (unsigned i = 0; i < ADDERS; i++) {
        firsts[i] = 1 + i * PARTS * 3;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_parts, &firsts[i]), 0);
    }
    for (unsigned i = 0; i < ADDERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT(COMES(exported, ADDERS * PARTS * 3));
    CU_ASSERT_EQUAL(exporting_received(), ADDERS * PARTS * 3);
    exporting_end();
}

static const struct suite_case cases[] = {
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
    return suite_main("otlp_failures", cases, sizeof cases / sizeof cases[0]);
}
