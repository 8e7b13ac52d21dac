/* Metrics: what a scrape says, that updates are exact, and that series stay bounded. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "telemetry/metric.h"
#include "telemetry/metric_store.h"

enum { OUTPUT_BYTES = 1 << 20, THREADS = 4, TIMES = 20000 };

static struct buf out;

static const char *scrape(void)
{
    buf_fini(&out);
    buf_init(&out, OUTPUT_BYTES);
    metric_write(METRIC_PROMETHEUS, &out);
    CU_ASSERT_EQUAL(buf_check(&out), ERR_NONE);
    return buf_string(&out);
}

static void end(void)
{
    metric_close();
    buf_fini(&out);
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}

static void test_counter(void)
{
    CU_ASSERT_STRING_EQUAL(scrape(), "");
    struct metric_series get = metric_series(METRIC_HTTP_REQUESTS, "GET", "/v1/orders/{id}", "200");
    metric_add(get, 1);
    metric_add(get, 2);
    metric_add(metric_series(METRIC_HTTP_REQUESTS, "POST", "/v1/orders", "201"), 1);
    metric_add(metric_series(METRIC_HTTP_REQUESTS, "GET", "/v1/orders/{id}", "200"), 1);
    CU_ASSERT_EQUAL(metric_value(get), 4);
    CU_ASSERT_STRING_EQUAL(scrape(),
        "# HELP http_requests_total Requests answered\n"
        "# TYPE http_requests_total counter\n"
        "http_requests_total{method=\"GET\",route=\"/v1/orders/{id}\",status_code=\"200\"} 4\n"
        "http_requests_total{method=\"POST\",route=\"/v1/orders\",status_code=\"201\"} 1\n");
    end();
}

static void test_gauge(void)
{
    struct metric_series gauge = metric_series(METRIC_HTTP_IN_FLIGHT);

    metric_add(gauge, 3);
    metric_add(gauge, -4);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "# TYPE http_requests_in_flight gauge\nhttp_requests_in_flight -1\n"));
    metric_set(metric_series(METRIC_OUTBOX_AGE), 1500 * NS_PER_MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "\ntandem_outbox_oldest_age_seconds 1.500000000\n"));
    metric_set(metric_series(METRIC_OUTBOX_AGE), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "\ntandem_outbox_oldest_age_seconds -0.000000001\n"));
    end();
}

static void test_histogram(void)
{
    struct metric_series series = metric_series(METRIC_HTTP_DURATION, "GET", "/ping", "200");
    static const char *const said[] = {
        "# TYPE http_request_duration_seconds histogram\n",
        "_bucket{method=\"GET\",route=\"/ping\",status_code=\"200\",le=\"0.0005\"} 2\n",
        "le=\"0.001\"} 3\n", "le=\"5.0\"} 3\n", "le=\"10.0\"} 4\n", "le=\"+Inf\"} 5\n",
        "_sum{method=\"GET\",route=\"/ping\",status_code=\"200\"} 21.001000001\n",
        "_count{method=\"GET\",route=\"/ping\",status_code=\"200\"} 5\n",
    };

    metric_observe(series, -5);
    metric_observe(series, 500 * 1000);
    metric_observe(series, 500 * 1000 + 1);
    metric_observe(series, 10 * NS_PER_S);
    metric_observe(series, 11 * NS_PER_S);
    scrape();
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&out), said[i]));
    end();
}

static void test_labels_are_escaped(void)
{
    metric_add(metric_series(METRIC_HTTP_REQUESTS, "a\"b", "c\\d", "e\nf"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "{method=\"a\\\"b\",route=\"c\\\\d\",status_code=\"e\\nf\"} 1\n"));
    end();
}

static void test_series_are_bounded(void)
{
    char path[1024];

    for (int i = 0; i < 3 * METRIC_SERIES_MAX; i++) {
        snprintf(path, sizeof path, "/%d", i);
        metric_add(metric_series(METRIC_HTTP_REQUESTS, "GET", path, "200"), 1);
    }
    scrape();
    CU_ASSERT_EQUAL(count_of(out.data, "\nhttp_requests_total{"), METRIC_SERIES_MAX);
    snprintf(path, sizeof path, "{method=\"other\",route=\"other\",status_code=\"other\"} %d\n",
             2 * METRIC_SERIES_MAX + 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&out), path));
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    metric_add(metric_series(METRIC_HTTP_REQUESTS, "GET", path, "200"), 1);
    CU_ASSERT_PTR_NULL(strstr(scrape(), "xxx"));
    end();
}

static void test_zero_handle(void)
{
    struct metric_series nobody = {0};

    metric_add(nobody, 1);
    metric_observe(nobody, 1);
    CU_ASSERT_STRING_EQUAL(scrape(), "");
    end();
}

static void *count_often(void *context)
{
    struct metric_series series = metric_series(METRIC_HTTP_REQUESTS, "GET", "/", "200");

    (void)context;
    for (int i = 0; i < TIMES; i++)
        metric_add(series, 1);
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_often, NULL);
    for (int i = 0; i < 20; i++)
        scrape();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_HTTP_REQUESTS, "GET", "/", "200")), THREADS * TIMES);
    end();
}

/* More of them than there are places, and those that come later have places that others had. */
static void *count_alone(void *context)
{
    struct metric_series jobs = metric_series(METRIC_DB_JOBS), sizes = metric_series(METRIC_DB_BATCH_SIZE);

    (void)context;
    metric_own_begin();
    for (int i = 0; i < TIMES; i++) {
        metric_add(jobs, 1);
        metric_observe(sizes, 2);
    }
    metric_own_end();
    metric_add(jobs, 1);
    return NULL;
}

static void test_own_slots(void)
{
    enum { TURNS = 2, COUNTERS = METRIC_OWNERS_MAX + 2 };
    struct metric_series jobs = metric_series(METRIC_DB_JOBS);
    pthread_t threads[COUNTERS];
    char wanted[80];

    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < COUNTERS; i++)
            pthread_create(&threads[i], NULL, count_alone, NULL);
        for (int64_t before = 0, now, i = 0; i < 20; i++, before = now)
            CU_ASSERT((now = metric_value(jobs)) >= before);
        for (int i = 0; i < COUNTERS; i++)
            pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(metric_value(jobs), TURNS * COUNTERS * (TIMES + 1));
    snprintf(wanted, sizeof wanted, "\ntandem_db_batch_size_sum %d\n", 2 * TURNS * COUNTERS * TIMES);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), wanted));
    metric_own_begin();          /* an owner of a store that is gone counts for nobody, and harms nobody */
    end();
    metric_add(jobs, 1);
    metric_own_end();
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_DB_JOBS)), 0);
    end();
}

static int collected;

static void collect(void *context)
{
    collected++;
    metric_set(metric_series(METRIC_DB_JOBS), *(int *)context);
}

static void test_collectors(void)
{
    int jobs = 7, others = 0;

    collected = 0;
    CU_ASSERT_EQUAL(metric_collect(collect, &jobs), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "\ntandem_db_jobs_total 7\n"));
    jobs = 9;
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "\ntandem_db_jobs_total 9\n"));
    metric_collect_end(&jobs);
    scrape();
    CU_ASSERT_EQUAL(collected, 2);
    for (int i = 0; i < METRIC_COLLECTORS_MAX; i++)
        CU_ASSERT_EQUAL(metric_collect(collect, &others), ERR_NONE);
    CU_ASSERT_EQUAL(metric_collect(collect, &others), ERR_MEMORY);
    end();
}

static double value_of(const char *name)
{
    const char *line = strstr(buf_string(&out), name);

    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    return strtod(line + strlen(name), NULL);
}

static void test_process(void)
{
    CU_ASSERT_EQUAL(metric_open("order", NULL), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "tandem_build_info{service=\"order\",version=\"" PACKAGE_VERSION
                                            "\"} 1\n"));
    CU_ASSERT(value_of("\nprocess_resident_memory_bytes ") > 100 * 1024);
    CU_ASSERT(value_of("\nprocess_open_fds ") >= 3);
    CU_ASSERT(value_of("\nprocess_cpu_seconds_total ") > 0);
    double age_s = (double)clock_wall_us() / 1e6 - value_of("\nprocess_start_time_seconds ");
    CU_ASSERT(age_s > -1 && age_s < 3600);
    double started_s = value_of("\nprocess_start_time_seconds ");
    for (int i = 0; i < 100; i++) {   /* the same each time, as another would be another process */
        scrape();
        CU_ASSERT_EQUAL(value_of("\nprocess_start_time_seconds "), started_s);
    }
    end();
}

/* As the format has it: each metric's lines stand together, after its HELP and its TYPE. */
static void test_format(void)
{
    CU_ASSERT_EQUAL(metric_open("order", NULL), ERR_NONE);
    metric_add(metric_series(METRIC_HTTP_REQUESTS, "GET", "/", "200"), 1);
    metric_observe(metric_series(METRIC_HTTP_DURATION, "GET", "/", "200"), 1);
    metric_add(metric_series(METRIC_HTTP_REQUESTS, "GET", "/a", "200"), 1);
    const char *text = scrape();
    CU_ASSERT_EQUAL(count_of(text, "# TYPE "), count_of(text, "# HELP "));
    CU_ASSERT_EQUAL(count_of(text, "# TYPE http_requests_total "), 1);
    CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
    struct buf tight;
    buf_init(&tight, 100);
    metric_write(METRIC_PROMETHEUS, &tight);
    CU_ASSERT_EQUAL(buf_check(&tight), ERR_MEMORY);
    buf_fini(&tight);
    end();
}

static void test_sizes(void)
{
    struct metric_series series = metric_series(METRIC_DB_BATCH_SIZE);

    metric_observe(series, 1);
    metric_observe(series, 64);
    metric_observe(series, 65);
    metric_observe(series, 100000);
    scrape();
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "tandem_db_batch_size_bucket{le=\"1.0\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "{le=\"64.0\"} 2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "{le=\"8192.0\"} 3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "{le=\"+Inf\"} 4\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "tandem_db_batch_size_sum 100130\n"));
    end();
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void test_open_metrics(void)
{
    struct metric_series traced = metric_series(METRIC_HTTP_DURATION, "GET", "/", "200");

    metric_add(metric_series(METRIC_HTTP_REQUESTS, "GET", "/", "200"), 1);
    metric_observe_traced(traced, 700 * 1000, TEXT(TRACE));
    metric_observe_traced(traced, 3 * NS_PER_MS, TEXT("not a trace id, though as long as"));
    metric_observe_traced(traced, 3 * NS_PER_MS, TEXT_NONE);
    buf_fini(&out);
    buf_init(&out, OUTPUT_BYTES);
    metric_write(METRIC_OPENMETRICS, &out);
    const char *text = buf_string(&out);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# TYPE http_requests counter\nhttp_requests_total{"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# UNIT http_request_duration_seconds seconds\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "le=\"0.001\"} 1 # {trace_id=\"" TRACE "\"} 0.000700000 "));
    CU_ASSERT_EQUAL(count_of(text, "trace_id"), 1);
    CU_ASSERT_STRING_EQUAL(text + strlen(text) - 6, "# EOF\n");
    CU_ASSERT_EQUAL(count_of(scrape(), "trace_id"), 0);
    end();
}

/* Under load each of many would be seen by no scrape. */
static void test_exemplar_kept(void)
{
    struct metric_series traced = metric_series(METRIC_HTTP_DURATION, "GET", "/", "200");
    char id[METRIC_TRACE_ID_LENGTH + 1];
    int64_t started_ns = clock_now_ns();

    for (int i = 1; i <= 1000; i++) {
        snprintf(id, sizeof id, "%032x", i);
        metric_observe_traced(traced, 1000, text_of(id));
    }
    metric_observe_traced(traced, 20 * NS_PER_MS, TEXT(TRACE));
    buf_fini(&out);
    buf_init(&out, OUTPUT_BYTES);
    metric_write(METRIC_OPENMETRICS, &out);
    const char *text = buf_string(&out);
    if (clock_now_ns() - started_ns < METRIC_EXEMPLAR_KEPT_US * INT64_C(1000))
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "trace_id=\"00000000000000000000000000000001\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, TRACE));   /* another bucket has its own */
    end();
}

static void test_accept(void)
{
    static const struct {
        const char *accept;
        enum metric_format format;
    } rows[] = {
        {"", METRIC_PROMETHEUS}, {"*/*", METRIC_PROMETHEUS}, {"text/plain", METRIC_PROMETHEUS},
        {"application/openmetrics-text", METRIC_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", METRIC_OPENMETRICS},
        {"text/plain;q=0.9, application/openmetrics-text; q=0.2", METRIC_PROMETHEUS},
        {"Application/OpenMetrics-Text; version=1.0.0, */*;q=0.1", METRIC_OPENMETRICS},
        {"application/openmetrics-text;q=0", METRIC_PROMETHEUS},
        {"application/json", METRIC_PROMETHEUS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_EQUAL(metric_format_of(text_of(rows[i].accept)), rows[i].format);
    CU_ASSERT_EQUAL(metric_format_of(TEXT_NONE), METRIC_PROMETHEUS);
}

static void test_switched_off(void)
{
    struct metric_series counter = metric_series(METRIC_HTTP_REQUESTS, "GET", "/", "200");

    metric_enable(false);
    metric_add(counter, 1);
    metric_observe(metric_series(METRIC_DB_BATCH_SIZE), 1);
    CU_ASSERT_EQUAL(metric_value(counter), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(scrape(), "tandem_db_batch_size_count 0\n"));
    metric_enable(true);
    metric_add(counter, 1);
    CU_ASSERT_EQUAL(metric_value(counter), 1);
    end();
}

static const struct suite_case cases[] = {
    {"a counter counts for each of its series", test_counter},
    {"a gauge goes both ways, times are told in seconds", test_gauge},
    {"a histogram has cumulative buckets, sum and count", test_histogram},
    {"a histogram of sizes has buckets of sizes", test_sizes},
    {"OpenMetrics has families, units, exemplars and an end", test_open_metrics},
    {"an exemplar stays for a while", test_exemplar_kept},
    {"the format is what Accept prefers", test_accept},
    {"switched off, nothing is counted", test_switched_off},
    {"label values are escaped", test_labels_are_escaped},
    {"series of a metric are bounded", test_series_are_bounded},
    {"a handle of zeros is seen by nobody", test_zero_handle},
    {"no update of any thread is lost", test_threads},
    {"threads that count where no other does", test_own_slots},
    {"collectors are asked at each scrape", test_collectors},
    {"the process tells about itself", test_process},
    {"a scrape keeps to the format", test_format},
};

int main(void)
{
    return suite_main("metric", cases, sizeof cases / sizeof cases[0]);
}
