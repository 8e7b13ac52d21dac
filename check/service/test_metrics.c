/* Metrics of four processes behind one socket: one service to whoever scrapes, whatever becomes of a process. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { WORKERS = 4, GANG = 16, REQUESTS = 10000, REQUESTS_SLOW = 1000, SCRAPES = 20, PATIENCE_MS = 20000,
       PATH_SIZE = 512 };

#define COUNTED "http_requests_total{method=\"GET\",route=\"/ping\",status_code=\"200\"} "
#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"

static const char *const settings[] = {"log.level=warning", NULL};

/* ---- scraping ---- */

/* Over a connection of its own, so that another process may be the one that answers. -1 when it is not there. */
static long scraped(const char *name)
{
    struct http_client *client = system_client(variant_system());
    struct http_answer *answer = http_get(client, "/user/metrics");
    EXPECT_STATUS(answer, 200);
    const char *at = strstr(answer->body, name);
    long value = at ? strtol(at + strlen(name), NULL, 10) : -1;
    http_client_free(client);
    return value;
}

/* ---- counting ---- */

static atomic_int left, answered;

static void *ask(void *argument)
{
    struct http_client *client = system_client(variant_system());
    while (atomic_fetch_sub(&left, 1) > 0)
        atomic_fetch_add(&answered, http_get(client, "/user/ping")->status == 200);
    http_client_free(client);
    return argument;
}

static void ask_often(int requests)
{
    pthread_t threads[GANG];
    int started = 0;
    atomic_store(&left, requests);
    while (started < GANG && pthread_create(&threads[started], NULL, ask, NULL) == 0)
        started++;
    CU_ASSERT_EQUAL(started, GANG);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static bool is_whole(void *killed)
{
    pid_t pids[2 * WORKERS];
    size_t count = system_workers(variant_system(), SYSTEM_USER, pids, 2 * WORKERS);
    for (size_t i = 0; i < count; i++)
        if (pids[i] == *(pid_t *)killed)
            return false;
    return count == WORKERS;
}

static void kill_one(void)
{
    pid_t pids[WORKERS];
    CU_ASSERT_EQUAL_FATAL(system_workers(variant_system(), SYSTEM_USER, pids, WORKERS), WORKERS);
    kill(pids[1], SIGKILL);
    CU_ASSERT(process_until(is_whole, &pids[1], PATIENCE_MS));
    CU_ASSERT(system_ready(variant_system(), SYSTEM_USER));
}

/* The process is killed when nothing is under way: a request that dies with it is counted by none, or, when its answer
 * was made but had not left, by it and by the process that the front asks next. */
static void test_totals(void)
{
    int requests = system_is_slow() ? REQUESTS_SLOW : REQUESTS;
    long before = scraped(COUNTED);
    atomic_store(&answered, 0);
    ask_often(requests / 2);
    kill_one();
    ask_often(requests / 2);
    CU_ASSERT_EQUAL(answered, requests);
    for (int i = 0; i < SCRAPES; i++)
        CU_ASSERT_EQUAL(scraped(COUNTED) - (before < 0 ? 0 : before), requests);
}

static bool all_live(void *context)
{
    (void)context;
    return scraped("\ntandem_processes ") == WORKERS;
}

static void test_gauges(void)
{
    kill_one();
    CU_ASSERT(process_until(all_live, NULL, PATIENCE_MS));
    CU_ASSERT(scraped("\nprocess_open_fds ") > 0);
    long threads = scraped("\ntandem_pool_threads ");
    CU_ASSERT(threads > 0 && threads % WORKERS == 0);
}

/* ---- the formats ---- */

static void test_exemplar(void)
{
    struct http_client *client = variant_anonymous();
    http_with(client, "traceparent: 00-" TRACE_ID "-b7ad6b7169203331-01");
    EXPECT_STATUS(http_get(client, "/user/version"), 200);
    http_with(client, "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
    struct http_answer *answer = http_get(client, "/user/metrics");
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(http_answer_header(answer, "Content-Type"), "application/openmetrics-text"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, " # {trace_id=\"" TRACE_ID "\"} "));
    CU_ASSERT_STRING_EQUAL(answer->body + strlen(answer->body) - 6, "# EOF\n");
}

static bool has_promtool(void)
{
    const char *const which[] = {"sh", "-c", "command -v promtool >/dev/null", NULL};
    return process_run(which, "/dev/null") == ERR_NONE;
}

static void check_page(enum system_service service)
{
    char path[64], file[PATH_SIZE], report[PATH_SIZE], command[2 * PATH_SIZE];
    const char *const check[] = {"sh", "-c", command, NULL};
    snprintf(path, sizeof path, "/%s/metrics", system_service_name(service));
    snprintf(file, sizeof file, "%s/page", system_folder(variant_system()));
    snprintf(report, sizeof report, "%s/page.report", system_folder(variant_system()));
    FILE *page = fopen(file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(page);
    fputs(http_get(variant_anonymous(), path)->body, page);
    fclose(page);
    snprintf(command, sizeof command, "promtool check metrics <%s", file);
    if (process_run(check, report)) {
        CU_FAIL("promtool finds fault with a page");
        snprintf(command, sizeof command, "sed 's/^/# /' %s", report);
        CU_ASSERT_EQUAL(process_run(check, "/dev/stdout"), ERR_NONE);
    }
}

static void test_promtool(void)
{
    if (!has_promtool()) {
        suite_skip("promtool is not installed");
        return;
    }
    char sku[STEP_ID_SIZE];
    step_item(1, sku);
    struct http_answer *answer = step_order(variant_customer(), sku, 1, NULL);
    EXPECT_STATUS(answer, 201);
    step_await(variant_customer(), http_json_text(answer, "/id"), "paid");
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        check_page(i);
}

/* ---- what orders add up to ---- */

static long order_metric(const char *name)
{
    const char *at = strstr(http_get(variant_anonymous(), "/order/metrics")->body, name);
    return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static void test_business(void)
{
    static const char paid[] = "\ntandem_order_transitions_total{status=\"paid\"} ";
    static const char revenue[] = "\ntandem_order_revenue_minor_total{currency=\"EUR\"} ";
    char sku[STEP_ID_SIZE];
    long paid_before = order_metric(paid), revenue_before = order_metric(revenue);
    step_item(3, sku);
    struct http_answer *answer = step_order(variant_customer(), sku, 3, NULL);
    EXPECT_STATUS(answer, 201);
    long total = (long)http_json_integer(answer, "/total/amount_minor");
    step_await(variant_customer(), http_json_text(answer, "/id"), "paid");
    CU_ASSERT_EQUAL(order_metric(paid) - paid_before, 1);
    CU_ASSERT_EQUAL(order_metric(revenue) - revenue_before, total);
    CU_ASSERT_EQUAL(order_metric("\ntandem_orders_open{status=\"placed\"} "), 0);
}

static const struct suite_case cases[] = {
    {"what is counted is what was answered, whoever is scraped, also when a process is killed", test_totals},
    {"gauges are of the processes that live", test_gauges},
    {"a scrape as OpenMetrics has the trace of a request", test_exemplar},
    {"promtool finds no fault with any page", test_promtool},
    {"orders and revenue are counted once", test_business},
};

int main(void)
{
    return variants_main_supervised("metrics", cases, sizeof cases / sizeof cases[0], settings, WORKERS);
}
