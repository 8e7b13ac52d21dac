/* What the fronts do by themselves: what they pass on, their static page, their own problem documents. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

/* A service that was away is asked again within this. */
enum { WELL_MS = 2000 };

/* ---- what a service gets to see: an echo in inventory's place ---- */

static struct process echo;

static bool echo_answers(void *client)
{
    return http_json_has(http_get(client, "/v1/items"), "/BODY_LENGTH");
}

static void begin_echo(struct http_client *client)
{
    struct system *system = variant_system();
    const char *build = getenv("TANDEM_BUILDDIR");
    char program[256], socket[256], log[256];
    CU_ASSERT_EQUAL(system_service_down(system, SYSTEM_INVENTORY), ERR_NONE);
    snprintf(program, sizeof program, "%s/check/service/echo", build ? build : ".");
    snprintf(socket, sizeof socket, "%s", system_socket(system, SYSTEM_INVENTORY));
    snprintf(log, sizeof log, "%s/log/echo.log", system_folder(system));
    const char *const argv[] = {"spawn-fcgi", "-n", "-s", socket, "--", program, NULL};
    remove(socket);
    if (process_start(argv, log, SIGKILL, &echo) || !process_until(echo_answers, client, 10000))
        CU_FAIL("the echo does not answer");
}

static void end_echo(void)
{
    process_kill(&echo);
    CU_ASSERT_EQUAL(system_service_up(variant_system(), SYSTEM_INVENTORY), ERR_NONE);
}

static void check_passed_on(struct http_client *client)
{
    struct http_answer *answer = http_get(client, "/v1/items/a%2Fb/../x%20y?q=%41&z");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/REQUEST_URI"), "/v1/items/a%2Fb/../x%20y?q=%41&z");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/REQUEST_METHOD"), "GET");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/REMOTE_ADDR"), "127.0.0.1");
    CU_ASSERT_EQUAL(http_json_integer(answer, "/BODY_LENGTH"), 0);

    http_with(client, "Proxy: http://evil.example.org");
    http_with(client, "X-Request-Id: my-own-1");
    http_with(client, "If-Match: \"7\"");
    http_with(client, "Content-Type: text/x-thing");
    answer = http_send_bytes(client, "PUT", "/inventory/anything", "12345", 5);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/REQUEST_URI"), "/inventory/anything");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/REQUEST_METHOD"), "PUT");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/CONTENT_LENGTH"), "5");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/CONTENT_TYPE"), "text/x-thing");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/HTTP_X_REQUEST_ID"), "my-own-1");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/HTTP_IF_MATCH"), "\"7\"");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/HTTP_PROXY"), "");
    CU_ASSERT_EQUAL(http_json_integer(answer, "/BODY_LENGTH"), 5);
}

static void test_passed_on(void)
{
    struct http_client *client = variant_anonymous();
    begin_echo(client);
    check_passed_on(client);
    end_echo();
}

static void test_request_id(void)
{
    struct http_client *client = variant_anonymous();
    char made[160];
    begin_echo(client);
    snprintf(made, sizeof made, "%s", http_json_text(http_get(client, "/v1/items"), "/HTTP_X_REQUEST_ID"));
    CU_ASSERT_EQUAL(strlen(made), 32);
    CU_ASSERT_STRING_NOT_EQUAL(http_json_text(http_get(client, "/v1/items"), "/HTTP_X_REQUEST_ID"), made);
    http_with(client, "X-Request-Id: not well formed");
    CU_ASSERT_EQUAL(strlen(http_json_text(http_get(client, "/v1/items"), "/HTTP_X_REQUEST_ID")), 32);
    end_echo();
}

/* ---- the front's own answers ---- */

static void test_page(void)
{
    struct http_client *client = variant_anonymous();
    struct http_answer *answer = http_get(client, "/");
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Content-Type"), "text/html; charset=utf-8");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, system_url(variant_system())));
    CU_ASSERT_PTR_NULL(strstr(answer->body, "@URL@"));
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "X-Content-Type-Options"), "nosniff");
    CU_ASSERT_STRING_NOT_EQUAL(http_answer_header(answer, "Content-Security-Policy"), "");
}

static void expect_front_problem(const struct http_answer *answer, int status, const char *type)
{
    EXPECT_STATUS(answer, status);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Content-Type"), "application/problem+json");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/type"), type);
    CU_ASSERT_EQUAL(http_json_integer(answer, "/status"), status);
}

static void test_own_problems(void)
{
    struct http_client *client = variant_anonymous();
    static char body[1200000];
    expect_front_problem(http_get(client, "/nothing/here"), 404, "/problems/not-found");
    expect_front_problem(http_get(client, "/v2/users"), 404, "/problems/not-found");
    expect_front_problem(http_send_bytes(client, "POST", "/v1/orders", body, sizeof body), 413, "/problems/too-large");
}

/* The front may know no path yet, nor for whom the request is. */
static void test_unreadable(void)
{
    struct http_client *client = variant_anonymous();
    char large[20000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    static const char *const paths[] = {"/%00", "/v1/items/%00", "/v1/items/%zz", "/user/%"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_front_problem(http_get(client, paths[i]), 400, "/problems/malformed");
    http_with(client, "X-Large: %s", large);
    expect_front_problem(http_get(client, "/v1/items"), 431, "/problems/headers-too-large");
}

/* Every client of a test is on this machine, so it is the configuration that moves: another network is the loopback. */
static void move_loopback(const char *from, const char *to)
{
    struct system *system = variant_system();
    bool is_nginx = strcmp(variant_now()->front, "nginx") == 0;
    char path[256], text[16384], *found;
    snprintf(path, sizeof path, "%s/front/%s", system_folder(system), is_nginx ? "tandem-private.conf" : "tandem.conf");
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    found = strstr(text, from);
    file = found ? freopen(path, "w", file) : NULL;
    if (!file)
        CU_FAIL_FATAL("the front's configuration does not name the loopback");
    fprintf(file, "%.*s%s%s", (int)(found - text), text, to, found + strlen(from));
    fclose(file);
    CU_ASSERT_EQUAL(system_front_again(system), ERR_NONE);
}

static void test_private(void)
{
    move_loopback("127.0.0.0/8", "198.51.100.0/24");
    struct http_client *client = variant_anonymous();
    static const char *const paths[] = {"/user/ping", "/order/metrics", "/order/traces", "/inventory/readyz",
                                        "/user/nothing", "/%75ser/ping", "/v1/../user/ping"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        CU_ASSERT_NOT_EQUAL(http_get(client, paths[i])->status, 200);
    expect_front_problem(http_get(client, "/user/ping"), 403, "/problems/forbidden");
    EXPECT_STATUS(http_get(client, "/v1/items"), 200);
    EXPECT_STATUS(http_get(client, "/"), 200);
    move_loopback("198.51.100.0/24", "127.0.0.0/8");
    EXPECT_STATUS(http_get(variant_anonymous(), "/user/ping"), 200);
}

static void test_service_down(void)
{
    struct system *system = variant_system();
    struct http_client *client = variant_anonymous();
    int status = strcmp(variant_now()->front, "nginx") == 0 ? 502 : 503;
    CU_ASSERT_EQUAL(system_service_down(system, SYSTEM_ORDER), ERR_NONE);
    expect_front_problem(http_get(client, "/v1/orders"), status, "/problems/unavailable");
    expect_front_problem(http_get(client, "/order/ping"), status, "/problems/unavailable");
    EXPECT_STATUS(http_get(client, "/user/ping"), 200);
    EXPECT_STATUS(http_get(client, "/v1/items"), 200);
    CU_ASSERT_EQUAL(system_service_up(system, SYSTEM_ORDER), ERR_NONE);
    EXPECT_STATUS(http_get(client, "/order/ping"), 200);
}

static bool is_refused(void *context)
{
    return http_get(context, "/v1/orders")->status == 401;
}

static bool is_degraded(void *context)
{
    struct http_answer *answer = http_get(context, "/order/readyz");
    return answer->status == 200 && strcmp(http_json_text(answer, "/status"), "degraded") == 0;
}

static void test_degraded(void)
{
    struct system *system = variant_system();
    struct http_client *known = variant_new_customer();
    EXPECT_STATUS(http_get(known, "/v1/orders"), 200);
    CU_ASSERT_EQUAL(system_service_down(system, SYSTEM_USER), ERR_NONE);
    EXPECT_STATUS(http_get(known, "/v1/orders"), 200);   /* remembered */
    struct http_client *unknown = variant_anonymous();
    http_client_token(unknown, "never-seen-before");
    EXPECT_PROBLEM(http_get(unknown, "/v1/orders"), 503, "unavailable");
    CU_ASSERT(process_until(is_degraded, unknown, WELL_MS));   /* once the last answer is too old to tell again */
    CU_ASSERT_EQUAL(system_service_up(system, SYSTEM_USER), ERR_NONE);
    CU_ASSERT(process_until(is_refused, unknown, WELL_MS));   /* asked about again, soon */
    EXPECT_PROBLEM(http_get(unknown, "/v1/orders"), 401, "unauthenticated");
}

static const struct suite_case cases[] = {
    {"a request reaches the service as it was sent, without Proxy", test_passed_on},
    {"a request id that is not well formed is replaced by the front", test_request_id},
    {"the front page tells its own address", test_page},
    {"what no service answers is a problem document", test_own_problems},
    {"a request that the front cannot read is a problem of the client's", test_unreadable},
    {"the services' own endpoints are for private addresses only", test_private},
    {"a service that is down is told, and no other is touched", test_service_down},
    {"without the user service known tokens still work", test_degraded},
};

int main(void)
{
    return variants_main("front", cases, sizeof cases / sizeof cases[0], NULL);
}
