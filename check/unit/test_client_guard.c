/* What the HTTP client does about failures: tries again, within bounds, and leaves alone who keeps failing. */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/fake_service.h"
#include "check/harness/suite.h"
#include "net/client.h"

enum { RESPONSE_BYTES = 4096, LATEST_BYTES = 4096 };

static struct {
    struct fake_service *fake;
    atomic_int requests;
    atomic_int busy;                /* so many requests are answered as /busy, whatever they ask for */
    pthread_mutex_t lock;
    char latest[LATEST_BYTES];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct client *client;
static struct client_response response;

static const struct {
    const char *path;
    int status;
    const char *headers, *body;
} replies[] = {
    {"/ok", 200, "", "ok"},
    {"/missing", 404, "", "gone"},
    {"/bad", 400, "", NULL},
    {"/broken", 500, "", NULL},
    {"/busy", 503, "", NULL},
    {"/later", 429, "Retry-After: 1\r\n", NULL},
    {"/much-later", 503, "Retry-After: 3600\r\n", NULL},
};

static enum fake_end answer(const char *request, struct buf *out, void *context)
{
    const char *path = strchr(request, ' ') + 1;
    (void)context;
    server.requests++;
    pthread_mutex_lock(&server.lock);
    strncpy(server.latest, request, sizeof server.latest - 1);
    pthread_mutex_unlock(&server.lock);
    if (server.busy > 0) {
        server.busy--;
        path = "/busy ";
    }
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        size_t length = strlen(replies[i].path);
        if (strncmp(path, replies[i].path, length) || path[length] != ' ')
            continue;
        fake_service_say(out, replies[i].status, replies[i].headers, replies[i].body);
        return FAKE_KEEP;
    }
    if (strncmp(path, "/hang", 5) == 0)
        return FAKE_HANG;
    buf_add_string(out, strncmp(path, "/cut", 4) ? "good morning\r\n\r\n"
                                                 : "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    return FAKE_CLOSE;
}

static void begin_with(struct client_opts opts)
{
    server.requests = server.busy = 0;
    server.fake = fake_service_start(answer, NULL);
    opts.base_url = fake_service_url(server.fake);
    opts.connect_timeout_ms = 2000;
    opts.response_max_bytes = RESPONSE_BYTES;
    CU_ASSERT_EQUAL_FATAL(client_new(&opts, &client), ERR_NONE);
}

static void end(void)
{
    client_free(client);
    fake_service_stop(server.fake);
}

static enum err get(const char *path)
{
    struct client_request request = {.method = HTTP_GET, .path = path, .timeout_ms = 10000};

    response = (struct client_response){.status = -1};
    return client_call(client, &request, &response);
}

static void begin_guarded(unsigned failures)
{
    begin_with((struct client_opts){
        .target = "test", .passes_deadline = true, .retries_max = 2, .retry_first_ms = 1, .retry_max_ms = 2,
        .retry_budget_percent = 100, .breaker_failures = failures, .breaker_open_ms = 50, .breaker_probes = 1,
    });
}

static void test_tries_again(void)
{
    begin_guarded(0);
    server.busy = 2;
    CU_ASSERT_EQUAL_FATAL(get("/ok"), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 200);
    CU_ASSERT_STRING_EQUAL(buf_string(&response.body), "ok");   /* and of no earlier answer */
    CU_ASSERT_EQUAL(server.requests, 3);
    buf_fini(&response.body);
    server.busy = 3;
    CU_ASSERT_EQUAL_FATAL(get("/ok"), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 503);
    CU_ASSERT_EQUAL(server.requests, 6);
    buf_fini(&response.body);
    end();
}

static void test_tries_once(void)
{
    struct client_request request = {.method = HTTP_POST, .path = "/ok", .timeout_ms = 10000};
    static const struct {
        const char *path;
        enum http_method method;
        bool repeatable;
        int tries;
    } rows[] = {
        {"/busy", HTTP_GET, false, 3},  {"/busy", HTTP_PUT, false, 3},   {"/busy", HTTP_POST, false, 1},
        {"/busy", HTTP_PATCH, false, 1}, {"/busy", HTTP_POST, true, 3},  {"/broken", HTTP_GET, false, 1},
        {"/bad", HTTP_GET, false, 1},   {"/missing", HTTP_GET, false, 1}, {"/much-later", HTTP_GET, false, 1},
        {"/garbage", HTTP_GET, false, 3}, {"/cut", HTTP_POST, false, 1},
    };

    begin_guarded(0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        request.path = rows[i].path;
        request.method = rows[i].method;
        request.repeatable = rows[i].repeatable;
        server.requests = 0;
        if (client_call(client, &request, &response) == ERR_NONE)
            buf_fini(&response.body);
        CU_ASSERT_EQUAL(server.requests, rows[i].tries);
    }
    end();
}

static void test_retry_after(void)
{
    struct client_request request = {.method = HTTP_GET, .path = "/later", .timeout_ms = 1500};
    int64_t started_ns;

    begin_guarded(0);
    started_ns = clock_now_ns();
    CU_ASSERT_EQUAL_FATAL(client_call(client, &request, &response), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 429);
    CU_ASSERT_EQUAL(response.retry_after_s, 1);
    CU_ASSERT_EQUAL(server.requests, 2);   /* the third would have been past the deadline */
    CU_ASSERT(clock_now_ns() - started_ns >= NS_PER_S);
    buf_fini(&response.body);
    end();
}

static void test_budget(void)
{
    begin_with((struct client_opts){.retries_max = 10, .retry_first_ms = 1, .retry_max_ms = 1,
                                    .retry_budget_percent = 20});
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(get("/busy"), ERR_NONE);
        buf_fini(&response.body);
    }
    CU_ASSERT(server.requests >= 120 && server.requests <= 130);   /* a fifth, and what was saved at the start */
    end();
}

static unsigned deadline_sent(void)
{
    pthread_mutex_lock(&server.lock);
    const char *field = strstr(server.latest, "\r\n" CLIENT_DEADLINE_HEADER ": ");
    pthread_mutex_unlock(&server.lock);
    return field ? (unsigned)strtoul(field + strlen("\r\n" CLIENT_DEADLINE_HEADER ": "), NULL, 10) : 0;
}

static void test_passes_deadline(void)
{
    struct client_request request = {.method = HTTP_GET, .path = "/ok", .timeout_ms = 10000};

    begin_guarded(0);
    CU_ASSERT_EQUAL_FATAL(client_call(client, &request, &response), ERR_NONE);
    buf_fini(&response.body);
    CU_ASSERT(deadline_sent() > 5000 && deadline_sent() <= 10000);
    request.deadline_ns = clock_now_ns() + 2000 * NS_PER_MS;
    CU_ASSERT_EQUAL_FATAL(client_call(client, &request, &response), ERR_NONE);
    buf_fini(&response.body);
    CU_ASSERT(deadline_sent() > 0 && deadline_sent() <= 2000);
    request.deadline_ns = clock_now_ns() - 1;
    server.requests = 0;
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_DEADLINE);
    CU_ASSERT_EQUAL(server.requests, 0);
    end();
}

static bool breaker_lets_through(void)
{
    int64_t until_ns = clock_now_ns() + 5 * NS_PER_S;
    while (client_wait_ns(client) > 0 && clock_now_ns() < until_ns)
        sched_yield();
    return client_wait_ns(client) == 0;
}

static void test_breaker(void)
{
    struct client_request post = {.method = HTTP_POST, .path = "/broken", .timeout_ms = 10000};

    begin_guarded(2);
    for (int i = 0; i < 10; i++) {   /* of the client, who asked for nonsense */
        CU_ASSERT_EQUAL(get("/bad"), ERR_NONE);
        buf_fini(&response.body);
    }
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_CLOSED);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(client_call(client, &post, &response), ERR_NONE);
        buf_fini(&response.body);
    }
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_OPEN);
    CU_ASSERT(client_wait_ns(client) > 0);
    server.requests = 0;
    CU_ASSERT_EQUAL(get("/ok"), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(server.requests, 0);
    CU_ASSERT(breaker_lets_through());
    CU_ASSERT_EQUAL(client_call(client, &post, &response), ERR_NONE);   /* the probe fails */
    buf_fini(&response.body);
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_OPEN);
    CU_ASSERT(breaker_lets_through());
    CU_ASSERT_EQUAL(get("/ok"), ERR_NONE);
    buf_fini(&response.body);
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_CLOSED);
    end();
}

static void test_impatient(void)
{
    struct client_request request = {.method = HTTP_GET, .path = "/hang", .timeout_ms = 10000};

    begin_guarded(1);
    request.deadline_ns = clock_now_ns() + 20 * NS_PER_MS;
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_DEADLINE);
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_CLOSED);
    request.deadline_ns = 0;
    request.timeout_ms = 20;
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_DEADLINE);
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_OPEN);
    end();
}

static bool accepts(const struct client_response *got)
{
    return got->status == 404;
}

static void test_not_understood(void)
{
    struct client_request request = {.method = HTTP_GET, .path = "/ok", .timeout_ms = 10000, .accepts = accepts};

    begin_guarded(3);
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(server.requests, 3);
    CU_ASSERT_EQUAL(client_breaker(client), BREAKER_OPEN);
    CU_ASSERT(breaker_lets_through());
    request.path = "/missing";
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_string(&response.body), "gone");
    buf_fini(&response.body);
    end();
}

static const struct suite_case cases[] = {
    {"what failed in passing is tried again, so often", test_tries_again},
    {"only what may be sent twice and may do better is tried again", test_tries_once},
    {"Retry-After is waited for within the deadline", test_retry_after},
    {"retries stay within their budget", test_budget},
    {"what is left of the caller's time is sent along", test_passes_deadline},
    {"who keeps failing is left alone, then probed", test_breaker},
    {"an answer that is not understood is a failure", test_not_understood},
    {"a caller without time blames nobody", test_impatient},
};

int main(void)
{
    return suite_main("client_guard", cases, sizeof cases / sizeof cases[0]);
}
