/* An OTLP receiver that is away, slow or overloaded, and requests that are none the worse for it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/otlp_receiver.h"
#include "check/harness/process.h"
#include "check/service/variants.h"

enum {
    ROUND = 100,                      /* requests */
    BASELINES = 3,
    SLACK_MS = 50,                    /* of a round, beside being twice as slow: less than the timeout below */
    MEMORY_SLACK_BYTES = 8 * 1024 * 1024,
    PATIENCE_MS = 30000,
};

static struct otlp_receiver *receiver;
static char endpoint[128];
static const char *const settings[] = {
    endpoint, "trace.otlp_protocol=http/json", "trace.otlp_batch_delay_ms=20", "trace.otlp_queue_max_bytes=65536",
    "trace.otlp_timeout_ms=500", "trace.otlp_retry_max_ms=5000", "trace.sampler=always_on", NULL,
};

static struct http_client *client, *anonymous;

/* ---- what the order service says of itself ---- */

/* A metric's value, by its name and labels; of what is not there 0. */
static int64_t metric(const char *name)
{
    char line[160];
    struct http_answer *answer = http_get(anonymous, "/order/metrics");
    snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(answer->body, line);
    return found ? (int64_t)strtod(found + strlen(line), NULL) : 0;
}

static int64_t exported(void)
{
    return metric("tandem_trace_exported_spans_total");
}

static int64_t dropped(void)
{
    return metric("tandem_trace_spans_dropped_total{reason=\"export_full\"}");
}

/* ---- requests, whose spans fill the queue ---- */

static int64_t round_ns(void)
{
    int64_t started_ns = clock_now_ns();
    for (unsigned i = 0; i < ROUND; i++)
        EXPECT_STATUS(http_get(client, "/v1/orders?limit=1"), 200);
    return clock_now_ns() - started_ns;
}

static int64_t baseline_ns(void)
{
    int64_t least_ns = INT64_MAX;
    for (unsigned i = 0; i < BASELINES; i++) {
        int64_t took_ns = round_ns();
        least_ns = took_ns < least_ns ? took_ns : least_ns;
    }
    return least_ns;
}

static bool are_dropped(void *context)
{
    round_ns();
    return dropped() > *(int64_t *)context;
}

static bool are_exported(void *context)
{
    EXPECT_STATUS(http_get(client, "/v1/orders?limit=1"), 200);
    return exported() > *(int64_t *)context;
}

/* ---- the receiver ---- */

static void hang(void)
{
    otlp_receiver_hang(receiver);
}

static void leave(void)
{
    otlp_receiver_leave(receiver);
}

static void say_429(void)
{
    otlp_receiver_reply(receiver, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
}

static void say_503(void)
{
    otlp_receiver_reply(receiver, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
}

static void recover(void)
{
    otlp_receiver_take(receiver);
}

static void come_back(void)
{
    otlp_receiver_return(receiver);
    recover();
}

static void hold(void (*fall_ill)(void), void (*get_well)(void))
{
    client = variant_customer();
    anonymous = variant_anonymous();
    int64_t none = 0;
    CU_ASSERT(process_until(are_exported, &none, PATIENCE_MS));
    int64_t limit_ms = 2 * baseline_ns() / NS_PER_MS + SLACK_MS;
    int64_t memory_bytes = metric("process_resident_memory_bytes");
    CU_ASSERT(memory_bytes > 0);

    fall_ill();
    int64_t before = dropped();
    CU_ASSERT(process_until(are_dropped, &before, PATIENCE_MS));
    CU_ASSERT(suite_is_prompt(round_ns, (unsigned)limit_ms));
#ifndef __SANITIZE_THREAD__            /* whose notes on memory that is used once more take memory, too */
    CU_ASSERT(metric("process_resident_memory_bytes") - memory_bytes < MEMORY_SLACK_BYTES);
#endif

    before = exported();
    get_well();
    CU_ASSERT(process_until(are_exported, &before, PATIENCE_MS));
}

static void test_away(void)
{
    hold(leave, come_back);
}

static void test_slow(void)
{
    hold(hang, recover);
}

static void test_429(void)
{
    hold(say_429, recover);
}

static void test_503(void)
{
    hold(say_503, recover);
}

static const struct suite_case cases[] = {
    {"receiver away: no request is slower, memory is bounded, drops are counted, export resumes", test_away},
    {"receiver slow: the same", test_slow},
    {"receiver answers 429: the same", test_429},
    {"receiver answers 503: the same", test_503},
};

int main(void)
{
    receiver = otlp_receiver_new();
    snprintf(endpoint, sizeof endpoint, "trace.otlp_endpoint=%s", otlp_receiver_url(receiver));
    int status = variants_main("trace receiver", cases, sizeof cases / sizeof cases[0], settings);
    otlp_receiver_free(receiver);
    return status;
}
