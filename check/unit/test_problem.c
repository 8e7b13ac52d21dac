/* Problem documents: what a client reads, and that telling a problem never fails. */
#include "config.h"

#include <string.h>

#include "base/json.h"
#include "check/harness/suite.h"
#include "net/problem.h"

static struct http_request request;
static struct http_response response;

static void begin(size_t arena_bytes, size_t body_bytes)
{
    request = (struct http_request){.path = TEXT("/v1/orders")};
    response = (struct http_response){.status = 0};
    arena_init(&request.arena, arena_bytes);
    buf_init(&response.body, body_bytes);
}

static void end(void)
{
    arena_fini(&request.arena);
    buf_fini(&response.body);
}

static struct text header(const char *name)
{
    for (size_t i = 0; i < response.header_count; i++)
        if (text_equal_string(response.headers[i].name, name))
            return response.headers[i].value;
    return TEXT_NONE;
}

static void test_by_err(void)
{
    struct problem problem = {.err = ERR_NOT_FOUND, .request_id = TEXT("r1")};

    begin(4096, 4096);
    problem_respond(&problem, &request, &response);
    CU_ASSERT_EQUAL(response.status, 404);
    CU_ASSERT_STRING_EQUAL(buf_string(&response.body),
                           "{\"type\":\"/problems/not-found\",\"title\":\"there is no such thing\",\"status\":404,"
                           "\"instance\":\"/v1/orders\",\"request_id\":\"r1\"}");
    CU_ASSERT(text_equal(header("Content-Type"), TEXT("application/problem+json")));
    CU_ASSERT_PTR_NULL(header("Retry-After").at);
    end();
}

static void test_overrides(void)
{
    struct problem problem = {.err = ERR_CONFLICT, .status = 422, .type = "/problems/email-taken",
                              .detail = TEXT("a \"quoted\"\nline"), .retry_after_s = 3};

    begin(4096, 4096);
    problem_respond(&problem, &request, &response);
    CU_ASSERT_EQUAL(response.status, 422);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&response.body), "\"type\":\"/problems/email-taken\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&response.body), "\"detail\":\"a \\\"quoted\\\"\\nline\""));
    CU_ASSERT(text_equal(header("Retry-After"), TEXT("3")));
    end();
}

static void test_faults(void)
{
    static struct json_faults faults;
    struct problem problem = {.err = ERR_INVALID, .faults = &faults};

    begin(4096, 4096);
    problem_respond(&problem, &request, &response);
    CU_ASSERT_PTR_NULL(strstr(buf_string(&response.body), "errors"));
    json_fault_add(&faults, TEXT("/lines/0/sku"), "is missing");
    json_fault_add(&faults, TEXT("/lines"), "is too long");
    problem_respond(&problem, &request, &response);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&response.body),
                                  "\"errors\":[{\"pointer\":\"/lines/0/sku\",\"reason\":\"is missing\"},"
                                  "{\"pointer\":\"/lines\",\"reason\":\"is too long\"}]}"));
    end();
}

/* At each length around the limit, with characters of one to four bytes across it. */
static void test_bounded(void)
{
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x8e"};
    static struct json_faults faults;
    struct buf text;
    for (size_t c = 0; c < sizeof characters / sizeof characters[0]; c++) {
        for (size_t shift = 0; shift < 4; shift++) {
            size_t members;
            buf_init(&text, 8192);
            for (size_t i = 0; i < shift; i++)
                buf_add_char(&text, '/');
            while (text.length < 4000)
                buf_add_string(&text, characters[c]);
            struct problem problem = {.err = ERR_INVALID, .detail = buf_text(&text), .faults = &faults};
            faults.count = 0;
            json_fault_add(&faults, buf_text(&text), "is not known here");
            begin(4096, 16384);
            request.path = buf_text(&text);
            problem_respond(&problem, &request, &response);
            CU_ASSERT_EQUAL(json_check(buf_text(&response.body), &members), ERR_NONE);
            CU_ASSERT(response.body.length < 3 * PROBLEM_TEXT_MAX + 256);
            CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&response.body), "\xe2\x80\xa6\",\"reason\""));
            CU_ASSERT_PTR_NULL(strstr(buf_string(&response.body), "\xef\xbf\xbd"));   /* what stands for half a one */
            end();
            buf_fini(&text);
        }
    }
}

static void test_as_long_as_it_may_be(void)
{
    char path[PROBLEM_TEXT_MAX + 1];
    struct problem problem = {.err = ERR_NOT_FOUND};
    memset(path, 'a', sizeof path);
    begin(4096, 4096);
    request.path = (struct text){path, PROBLEM_TEXT_MAX};
    problem_respond(&problem, &request, &response);
    CU_ASSERT_PTR_NULL(strstr(buf_string(&response.body), "\xe2\x80\xa6"));
    request.path.length++;
    problem_respond(&problem, &request, &response);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&response.body), "aaa\xe2\x80\xa6\""));
    end();
}

static void test_every_err(void)
{
    begin(4096, 4096);
    for (enum err err = ERR_NONE; err <= ERR_AGAIN; err++) {
        struct problem problem = {.err = err};
        size_t members;

        problem_respond(&problem, &request, &response);
        CU_ASSERT_EQUAL(response.status, err ? err_status(err) : 500);
        CU_ASSERT_EQUAL(json_check(buf_text(&response.body), &members), ERR_NONE);
    }
    end();
}

static void test_unauthenticated(void)
{
    struct problem problem = {.err = ERR_UNAUTHENTICATED};

    begin(0, 4096);
    problem_respond(&problem, &request, &response);
    CU_ASSERT(text_equal(header("WWW-Authenticate"), TEXT("Bearer")));
    end();
}

static void test_takes_the_place(void)
{
    struct problem problem = {.err = ERR_INTERNAL};

    begin(4096, 64 * 1024);
    response.status = 201;
    buf_add_string(&response.body, "{\"half\":");
    CU_ASSERT_EQUAL(http_header_add(&request, &response, "Location", TEXT("/x")), ERR_NONE);
    problem_respond(&problem, &request, &response);
    CU_ASSERT_PTR_NULL(header("Location").at);
    CU_ASSERT_PTR_NULL(strstr(buf_string(&response.body), "half"));
    end();
}

static void test_without_memory(void)
{
    struct problem problem = {.err = ERR_BUSY, .retry_after_s = 1};

    begin(0, 16);
    problem_respond(&problem, &request, &response);
    CU_ASSERT_EQUAL(response.status, 503);
    CU_ASSERT_EQUAL(response.body.length, 0);
    CU_ASSERT_FALSE(response.body.failed);
    CU_ASSERT_EQUAL(response.header_count, 0);
    end();
}

static const struct suite_case cases[] = {
    {"an error gives status, type and title", test_by_err},
    {"status, type and detail may be set", test_overrides},
    {"faults are told with pointer and reason", test_faults},
    {"what a client sent comes back no longer than it may, and whole characters of it", test_bounded},
    {"a text that is just as long as it may be is not cut", test_as_long_as_it_may_be},
    {"every error makes a document that is JSON", test_every_err},
    {"401 says how to authenticate", test_unauthenticated},
    {"a problem takes the place of what was said", test_takes_the_place},
    {"without memory it is the bare status", test_without_memory},
};

int main(void)
{
    return suite_main("problem", cases, sizeof cases / sizeof cases[0]);
}
