/* A target with instances, as the HTTP client meets it: of two servers one fails, hangs or goes. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/fake_service.h"
#include "check/harness/suite.h"
#include "net/client.h"
#include "telemetry/metric.h"

enum { SERVERS = 2, CALLS = 50, TIMEOUT_MS = 2000, SLOWEST_MS = 20000 };

enum manner { WELL, BUSY, THROTTLED, HANGING };

static struct server {
    struct fake_service *fake;
    atomic_int requests;
    _Atomic enum manner manner;
} servers[SERVERS];

static struct client *client;

static enum fake_end answer(const char *request, struct buf *out, void *context)
{
    struct server *server = context;
    (void)request;
    server->requests++;
    switch (server->manner) {
    case WELL:
        fake_service_say(out, 200, "", "ok");
        break;
    case BUSY:
        fake_service_say(out, 503, "Retry-After: 3600\r\n", NULL);
        break;
    case THROTTLED:
        fake_service_say(out, 429, "", NULL);
        break;
    case HANGING:
        return FAKE_HANG;
    }
    return FAKE_KEEP;
}

/* The first `count` of the servers. */
static void these(size_t count)
{
    struct instance list[SERVERS];
    struct instances *instances = NULL;
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL_FATAL(instance_read(text_of(fake_service_url(servers[i].fake)), &list[i]), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(instances_new(list, count, &instances), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(client_update(client, instances), ERR_NONE);
    instances_unref(instances);
}

static void begin(unsigned retries, unsigned budget_percent)
{
    const struct client_opts opts = {
        .has_instances = true, .target = "test", .connect_timeout_ms = 1000, .response_max_bytes = 4096,
        .retries_max = retries, .retry_first_ms = 1, .retry_max_ms = 2, .retry_budget_percent = budget_percent,
        .breaker_failures = 5, .breaker_open_ms = 60000, .breaker_probes = 1,
    };
    for (size_t i = 0; i < SERVERS; i++) {
        servers[i].requests = 0;
        servers[i].manner = WELL;
        servers[i].fake = fake_service_start(answer, &servers[i]);
    }
    CU_ASSERT_EQUAL_FATAL(client_new(&opts, &client), ERR_NONE);
    these(SERVERS);
}

static void end(void)
{
    client_free(client);
    for (size_t i = 0; i < SERVERS; i++)
        fake_service_stop(servers[i].fake);
}

/* The answer's status; -1 when there was none. */
static int call(enum http_method method)
{
    const struct client_request request = {.method = method, .path = "/", .timeout_ms = TIMEOUT_MS};
    struct client_response response = {.status = -1};
    if (client_call(client, &request, &response))
        return -1;
    buf_fini(&response.body);
    return response.status;
}

static void test_both(void)
{
    begin(1, 100);
    for (int i = 0; i < CALLS; i++)
        CU_ASSERT_EQUAL(call(HTTP_POST), 200);
    CU_ASSERT(servers[0].requests > 0);
    CU_ASSERT(servers[1].requests > 0);
    CU_ASSERT_EQUAL(servers[0].requests + servers[1].requests, CALLS);
    end();
}

static void test_elsewhere(void)
{
    begin(1, 100);
    servers[0].manner = BUSY;
    for (int i = 0; i < CALLS; i++)
        CU_ASSERT_EQUAL(call(HTTP_GET), 200);
    CU_ASSERT_EQUAL(servers[0].requests, 5);   /* then it was out */
    CU_ASSERT_EQUAL(servers[1].requests, CALLS);
    end();
}

static void test_unsafe(void)
{
    int failed = 0;
    begin(1, 100);
    servers[0].manner = BUSY;
    for (int i = 0; i < CALLS; i++)
        failed += call(HTTP_POST) != 200;
    CU_ASSERT_EQUAL(failed, 5);
    CU_ASSERT_EQUAL(servers[0].requests + servers[1].requests, CALLS);
    end();
}

static void test_throttled(void)
{
    begin(1, 100);
    servers[0].manner = servers[1].manner = THROTTLED;
    CU_ASSERT_EQUAL(call(HTTP_GET), 429);
    CU_ASSERT_EQUAL(servers[0].requests + servers[1].requests, 2);
    end();
}

static void test_budget(void)
{
    begin(3, 0);
    servers[0].manner = servers[1].manner = BUSY;
    CU_ASSERT_EQUAL(call(HTTP_GET), 503);
    CU_ASSERT_EQUAL(servers[0].requests + servers[1].requests, 1);
    end();
}

static void test_gone(void)
{
    begin(1, 100);
    fake_service_stop(servers[0].fake);
    for (int i = 0; i < CALLS; i++)
        CU_ASSERT_EQUAL(call(HTTP_GET), 200);
    servers[0].fake = fake_service_start(answer, &servers[0]);
    end();
}

static void test_hangs(void)
{
    begin(1, 100);
    servers[0].manner = HANGING;
    int64_t begun_ns = clock_now_ns();
    for (int i = 0; i < 12; i++)
        CU_ASSERT_EQUAL(call(HTTP_GET), 200);
    CU_ASSERT(servers[0].requests <= 5);
    CU_ASSERT(clock_now_ns() - begun_ns < SLOWEST_MS * NS_PER_MS);
    end();
}

static int64_t told(const char *state)
{
    client_measure(client);
    return metric_value(metric_series(METRIC_CLIENT_INSTANCES, "test", state));
}

static void test_all_out(void)
{
    begin(0, 100);
    CU_ASSERT_EQUAL(told("in"), 2);
    servers[0].manner = servers[1].manner = BUSY;
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(call(HTTP_GET), 503);
    CU_ASSERT_EQUAL(told("in"), 0);
    CU_ASSERT_EQUAL(told("out"), 2);
    CU_ASSERT_EQUAL(call(HTTP_GET), -1);
    CU_ASSERT(client_wait_ns(client) > 0);
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_OPEN);
    these(0);
    CU_ASSERT_EQUAL(call(HTTP_GET), -1);
    CU_ASSERT_STRING_EQUAL(err_cause(), "GET test/: no instance of it is known");
    end();
}

static void test_views(void)
{
    struct balancer_view views[SERVERS];
    begin(1, 100);
    servers[0].manner = BUSY;
    for (int i = 0; i < CALLS; i++)
        call(HTTP_GET);
    CU_ASSERT_EQUAL_FATAL(client_view(client, views, SERVERS), 2);
    for (size_t i = 0; i < SERVERS; i++) {
        bool is_bad = strcmp(views[i].instance.id, fake_service_url(servers[0].fake)) == 0;
        CU_ASSERT_EQUAL(views[i].state, is_bad ? BREAKER_OPEN : BREAKER_CLOSED);
        CU_ASSERT_EQUAL(views[i].latency_us > 0, !is_bad);
        CU_ASSERT_EQUAL(views[i].outstanding, 0);
    }
    these(1);
    CU_ASSERT_EQUAL(client_view(client, views, SERVERS), 1);
    end();
}

static const struct suite_case cases[] = {
    {"calls are spread over both", test_both},
    {"what failed at one is sent to the other at once, whatever its Retry-After says", test_elsewhere},
    {"what must not be sent twice is not", test_unsafe},
    {"who is told 429 does not ask another instead, at once", test_throttled},
    {"the budget for retries is the target's", test_budget},
    {"one that is gone fails no call", test_gone},
    {"one that hangs fails no call: there is time for another", test_hangs},
    {"when all are out, or none is known, calls fail at once", test_all_out},
    {"one can see what is known of them", test_views},
};

int main(void)
{
    return suite_main("client_instances", cases, sizeof cases / sizeof cases[0]);
}
