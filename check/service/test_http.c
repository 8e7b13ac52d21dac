/* What every service promises about HTTP, through a real front: asked of each where it can differ. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

static const char *const services[] = {"user", "order", "inventory"};
enum { SERVICES = sizeof services / sizeof services[0] };

static const char *endpoint(size_t service, const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "/%s/%s", services[service], name);
    return path;
}

/* ---- what every service answers ---- */

static void test_ping(void)
{
    struct http_client *client = variant_anonymous();
    for (size_t i = 0; i < SERVICES; i++) {
        struct http_answer *answer = http_get(client, endpoint(i, "ping"));
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_STRING_EQUAL(answer->body, "pong\n");
        CU_ASSERT_EQUAL(strncmp(http_answer_header(answer, "Content-Type"), "text/plain", 10), 0);
        answer = http_get(client, endpoint(i, "version"));
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/service"), services[i]);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/version"), PACKAGE_VERSION);
    }
}

/* That each check told in an answer is well, and that one of this name is among them. */
static void expect_well(const struct http_answer *answer, const char *name)
{
    char pointer[64];
    bool found = false;
    for (size_t i = 0; i < (size_t)http_json_length(answer, "/checks"); i++) {
        snprintf(pointer, sizeof pointer, "/checks/%zu/status", i);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, pointer), "ok");
        snprintf(pointer, sizeof pointer, "/checks/%zu/time", i);
        CU_ASSERT_EQUAL(strlen(http_json_text(answer, pointer)), CLOCK_RFC3339_SIZE - 1);
        snprintf(pointer, sizeof pointer, "/checks/%zu/name", i);
        found = found || strcmp(http_json_text(answer, pointer), name) == 0;
    }
    CU_ASSERT(found);
}

static void test_health(void)
{
    struct http_client *client = variant_anonymous();
    for (size_t i = 0; i < SERVICES; i++) {
        struct http_answer *answer = http_get(client, endpoint(i, "healthz"));
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/status"), "ok");
        expect_well(answer, "database");
        answer = http_get(client, endpoint(i, "readyz"));
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/status"), "ok");
        expect_well(answer, strcmp(services[i], "user") == 0 ? "accepting" : "user-service");
    }
}

static void test_metrics(void)
{
    struct http_client *client = variant_anonymous();
    for (size_t i = 0; i < SERVICES; i++) {
        struct http_answer *answer = http_get(client, endpoint(i, "metrics"));
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_EQUAL(strncmp(http_answer_header(answer, "Content-Type"), "text/plain", 10), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, "# TYPE tandem_"));
    }
}

/* Each with its method, whichever was the first. */
static void test_counted_unmatched(void)
{
    struct http_client *client = variant_anonymous();
    EXPECT_STATUS(http_get(client, "/user/nothing"), 404);
    EXPECT_STATUS(http_send_nothing(client, "DELETE", "/user/nothing"), 404);
    struct http_answer *answer = http_get(client, "/user/metrics");
    static const char *const counted[] = {"{method=\"GET\",route=\"none\",status_code=\"404\"} ",
                                          "{method=\"DELETE\",route=\"none\",status_code=\"404\"} "};
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, counted[i]));
}

static void test_head(void)
{
    struct http_client *client = variant_anonymous();
    for (size_t i = 0; i < SERVICES; i++) {
        struct http_answer *get = http_get(client, endpoint(i, "version"));
        struct http_answer *head = http_send_nothing(client, "HEAD", endpoint(i, "version"));
        EXPECT_STATUS(head, 200);
        CU_ASSERT_EQUAL(head->body_bytes, 0);
        CU_ASSERT_EQUAL((size_t)atol(http_answer_header(head, "Content-Length")), get->body_bytes);
    }
    EXPECT_STATUS(http_send_nothing(client, "HEAD", "/v1/items/none"), 404);
    EXPECT_STATUS(http_get(client, "/v1/items"), 200);   /* the connection is still in step */
}

/* ---- routes ---- */

static void test_not_found(void)
{
    static const char *const paths[] = {
        "/v1/users/a/b/c", "/v1/usersandmore", "/v1/orders/a/b", "/v1/items/a/b/c", "/user/nothing", "/order/",
        "/v1/items/", "/v1/items//stock", "/inventory/../user/ping", "/v1/items/%2e%2e", "/v1/items/a%2Fb",
        "/user/user/ping",
    };
    struct http_client *client = variant_admin();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        EXPECT_PROBLEM(http_get(client, paths[i]), 404, "not-found");
    EXPECT_PROBLEM(http_get(client, "/v1/items/%ff"), 400, "malformed");
}

static void test_methods(void)
{
    static const struct {
        const char *method, *path, *allow;
    } rows[] = {
        {"DELETE", "/v1/users", "GET, HEAD, POST"},
        {"POST", "/v1/users/me", "GET, HEAD"},
        {"PATCH", "/v1/sessions", "POST"},
        {"GET", "/v1/sessions", "POST"},
        {"PUT", "/v1/sessions/current", "GET, HEAD, DELETE"},
        {"PUT", "/v1/orders", "GET, HEAD, POST"},
        {"GET", "/v1/orders/x/cancel", "POST"},
        {"DELETE", "/v1/items", "GET, HEAD"},
        {"PATCH", "/v1/items/x", "GET, HEAD, PUT"},
        {"GET", "/v1/items/x/stock", "POST"},
        {"POST", "/user/ping", "GET, HEAD"},
        {"OPTIONS", "/order/ping", "GET, HEAD"},
    };
    struct http_client *client = variant_admin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_answer *answer = http_send_nothing(client, rows[i].method, rows[i].path);
        if (answer->status == 200 && strcmp(rows[i].method, "OPTIONS") == 0)
            continue;   /* lighttpd answers OPTIONS by itself */
        EXPECT_PROBLEM(answer, 405, "method");
        CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Allow"), rows[i].allow);
    }
}

/* ---- bodies ---- */

static void test_media_type(void)
{
    struct http_client *client = variant_anonymous();
    http_with(client, "Content-Type: text/plain");
    EXPECT_PROBLEM(http_send_bytes(client, "POST", "/v1/sessions", "{}", 2), 415, "media-type");
    EXPECT_PROBLEM(http_send_bytes(client, "POST", "/v1/sessions", "{}", 2), 415, "media-type");
    http_with(client, "Content-Type: application/json; charset=utf-8");
    EXPECT_PROBLEM(http_send_bytes(client, "POST", "/v1/sessions", "{}", 2), 422, "invalid");
    http_with(client, "Content-Type: application/merge-patch+json");
    EXPECT_PROBLEM(http_send_bytes(client, "POST", "/v1/sessions", "{}", 2), 422, "invalid");
}

static void test_bad_json(void)
{
    static const char *const bodies[] = {
        "", "{", "{\"email\":\"a\",\"email\":\"b\"}", "{'email':'a'}", "{\"email\":NaN}", "{\"email\":1e999}",
        "{\"email\":01}", "{\"email\":1x}", "{} {}", "{\"email\":\"\xff\"}", "{\"email\":\"\\ud800\"}",
        "{\"email\":\"a\nb\"}", "{\"em\\u0000ail\":1}", "{\"email\":18446744073709551616}", "{\"email\":\"a\",}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    struct http_client *client = variant_anonymous();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        http_with(client, "Content-Type: application/json");
        EXPECT_PROBLEM(http_send_bytes(client, "POST", "/v1/sessions", bodies[i], strlen(bodies[i])), 400, "malformed");
    }
}

static void test_body_sizes(void)
{
    static const size_t sizes[] = {1, 1000, 8192, 65535, 65536, 200000, 1048576};
    struct http_client *client = variant_anonymous();
    char *body = malloc(2 * 1048576);
    if (!body)
        CU_FAIL_FATAL("no memory");
    memset(body, ' ', 2 * 1048576);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memcpy(body + sizes[i] - 1, "!", 1);   /* after so much white space: the fault is told by its byte */
        http_with(client, "Content-Type: application/json");
        struct http_answer *answer = http_send_bytes(client, "POST", "/v1/sessions", body, sizes[i]);
        EXPECT_PROBLEM(answer, 400, "malformed");
        body[sizes[i] - 1] = ' ';
    }
    http_with(client, "Content-Type: application/json");
    struct http_answer *answer = http_send_bytes(client, "POST", "/v1/sessions", body, 1048576 + 2048);
    EXPECT_STATUS(answer, 413);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/type"), "/problems/too-large");
    free(body);
}

static void test_unread_body(void)
{
    struct http_client *client = variant_anonymous();
    char body[20000];
    memset(body, '\1', sizeof body);   /* as records: a version and a type that begin a request */
    for (int i = 0; i < 20; i++) {
        EXPECT_PROBLEM(http_send_bytes(client, "POST", "/v1/items", body, sizeof body), 405, "method");
        EXPECT_STATUS(http_get(client, "/inventory/ping"), 200);
    }
}

/* ---- request ids ---- */

static void test_request_id(void)
{
    struct http_client *client = variant_anonymous();
    char first[160];
    snprintf(first, sizeof first, "%s", http_answer_header(http_get(client, "/user/ping"), "X-Request-Id"));
    CU_ASSERT(strlen(first) >= 16);
    CU_ASSERT_STRING_NOT_EQUAL(http_answer_header(http_get(client, "/user/ping"), "X-Request-Id"), first);
    http_with(client, "X-Request-Id: from-the.client_1");
    struct http_answer *answer = http_get(client, "/v1/users/me");
    EXPECT_PROBLEM(answer, 401, "unauthenticated");
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "X-Request-Id"), "from-the.client_1");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/request_id"), "from-the.client_1");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/instance"), "/v1/users/me");
}

static void test_bad_request_id(void)
{
    static const char *const ids[] = {"with spaces in it", "quote\"", "<script>", "a/b",
                                      "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-"
                                      "long-long-long-long-long-long-long-long-long-long-long-long-long"};
    struct http_client *client = variant_anonymous();
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        http_with(client, "X-Request-Id: %s", ids[i]);
        struct http_answer *answer = http_get(client, "/v1/users/me");
        EXPECT_PROBLEM(answer, 401, "unauthenticated");
        CU_ASSERT_STRING_NOT_EQUAL(http_answer_header(answer, "X-Request-Id"), ids[i]);
        CU_ASSERT(strlen(http_json_text(answer, "/request_id")) >= 16);
    }
}

/* ---- sizes ---- */

static void test_many_headers(void)
{
    struct http_client *client = variant_anonymous();
    for (int i = 0; i < 60; i++)
        http_with(client, "X-Filler-%d: %0100d", i, i);
    EXPECT_STATUS(http_get(client, "/user/ping"), 200);
}

static void test_long_path(void)
{
    struct http_client *client = variant_anonymous();
    char path[4096] = "/v1/items/";
    memset(path + strlen(path), 'a', 3000);
    EXPECT_PROBLEM(http_get(client, path), 404, "not-found");
}

static const struct suite_case cases[] = {
    {"each service says who it is", test_ping},
    {"each service is healthy and ready", test_health},
    {"each service has metrics", test_metrics},
    {"requests that no route matches are counted by their methods", test_counted_unmatched},
    {"HEAD is GET without the body", test_head},
    {"what no route matches is 404", test_not_found},
    {"a method that does not apply is 405 with Allow", test_methods},
    {"a body that is not JSON by type is 415", test_media_type},
    {"a body that is not JSON by content is 400", test_bad_json},
    {"bodies up to the limit pass, larger ones are 413", test_body_sizes},
    {"a body that nobody reads does not become the next request", test_unread_body},
    {"a request id is made, or passed on", test_request_id},
    {"a request id that is not well formed is replaced", test_bad_request_id},
    {"many header fields pass", test_many_headers},
    {"a long path is 404", test_long_path},
};

int main(void)
{
    return variants_main("http", cases, sizeof cases / sizeof cases[0], NULL);
}
