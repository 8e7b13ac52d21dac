/* Requests and responses: header names, request lines, query strings, and the CGI header block. */
#include "config.h"

#include <string.h>

#include "check/harness/suite.h"
#include "net/http.h"

enum { ARENA_BYTES = 65536, BODY_BYTES = 1024 };

static struct http_param params[16];
static struct http_request request;
static struct http_response response;
static struct buf out;

static void begin(void)
{
    request = (struct http_request){.params = params};
    response = (struct http_response){.status = 0};
    arena_init(&request.arena, ARENA_BYTES);
    buf_init(&response.body, BODY_BYTES);
    buf_init(&out, ARENA_BYTES);
}

static void end(void)
{
    arena_fini(&request.arena);
    buf_fini(&response.body);
    buf_fini(&out);
}

static void give(const char *name, const char *value)
{
    params[request.param_count++] = (struct http_param){text_of(name), text_of(value)};
}

static enum err line(const char *method, const char *uri)
{
    request.param_count = 0;
    give("REQUEST_METHOD", method);
    give("REQUEST_URI", uri);
    return http_request_line(&request);
}

static void test_methods(void)
{
    for (enum http_method method = 0; method < HTTP_OTHER; method++)
        CU_ASSERT_EQUAL(http_method_of(text_of(http_method_name(method))), method);
    CU_ASSERT_EQUAL(http_method_of(TEXT("get")), HTTP_OTHER);
    CU_ASSERT_EQUAL(http_method_of(TEXT("GETS")), HTTP_OTHER);
    CU_ASSERT_EQUAL(http_method_of(TEXT("OTHER")), HTTP_OTHER);
    CU_ASSERT_EQUAL(http_method_of(TEXT_NONE), HTTP_OTHER);
}

static void test_reasons(void)
{
    CU_ASSERT_STRING_EQUAL(http_reason(404), "Not Found");
    CU_ASSERT_STRING_EQUAL(http_reason(507), "Insufficient Storage");
    CU_ASSERT_STRING_EQUAL(http_reason(418), "Unknown");
    CU_ASSERT_STRING_EQUAL(http_reason(-1), "Unknown");
    CU_ASSERT_STRING_EQUAL(http_reason(600), "Unknown");
}

static void test_header_names(void)
{
    begin();
    give("REMOTE_ADDR", "192.0.2.7");
    give("HTTP_IF_MATCH", "\"7\"");
    give("HTTP_IF_MATCHES", "other");
    give("CONTENT_TYPE", "");
    give("HTTP_X_EMPTY", "");
    CU_ASSERT(text_equal(http_header(&request, "If-Match"), TEXT("\"7\"")));
    CU_ASSERT(text_equal(http_header(&request, "if-match"), TEXT("\"7\"")));
    CU_ASSERT_PTR_NULL(http_header(&request, "If").at);
    CU_ASSERT_PTR_NULL(http_header(&request, "Remote-Addr").at);
    CU_ASSERT_PTR_NULL(http_header(&request, "Content-Type").at);
    CU_ASSERT_PTR_NOT_NULL(http_header(&request, "X-Empty").at);
    CU_ASSERT(text_equal(http_param(&request, "REMOTE_ADDR"), TEXT("192.0.2.7")));
    CU_ASSERT_PTR_NULL(http_param(&request, "REMOTE").at);
    end();
}

static void test_request_lines(void)
{
    begin();
    CU_ASSERT_EQUAL(line("GET", "/v1/a%2Fb?x=1?y"), ERR_NONE);
    CU_ASSERT(text_equal(request.path, TEXT("/v1/a%2Fb")));
    CU_ASSERT(text_equal(request.query, TEXT("x=1?y")));
    CU_ASSERT_EQUAL(line("PROPFIND", "/"), ERR_NONE);
    CU_ASSERT_EQUAL(request.method, HTTP_OTHER);
    CU_ASSERT_PTR_NULL(request.query.at);
    CU_ASSERT_EQUAL(line("GET", "/p?"), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(request.query.at);
    CU_ASSERT_EQUAL(request.query.length, 0);
    CU_ASSERT_EQUAL(line("POST", "HTTP://shop.example:80/v1/orders?a=b"), ERR_NONE);
    CU_ASSERT(text_equal(request.path, TEXT("/v1/orders")));
    CU_ASSERT(text_equal(request.query, TEXT("a=b")));
    CU_ASSERT_EQUAL(line("GET", "http://shop.example?a=b/c"), ERR_NONE);
    CU_ASSERT(text_equal(request.path, TEXT("/")));
    CU_ASSERT(text_equal(request.query, TEXT("a=b/c")));
    end();
}

static void test_bad_request_lines(void)
{
    static const char *const bad[][2] = {
        {"GET", ""}, {"GET", "*"}, {"GET", "v1"}, {"GET", "ftp://a/b"}, {"GET", "/a b"}, {"GET", "/a\x01"},
        {"GET", "/\xc3\xa9"}, {"GET", "/a#b"}, {"", "/"}, {"G T", "/"}, {"GET\n", "/"},
    };

    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(line(bad[i][0], bad[i][1]), ERR_MALFORMED);
    request.param_count = 1;
    CU_ASSERT_EQUAL(http_request_line(&request), ERR_MALFORMED);
    request.param_count = 0;
    CU_ASSERT_EQUAL(http_request_line(&request), ERR_MALFORMED);
    end();
}

static void test_json_types(void)
{
    static const struct {
        const char *type;
        bool json;
    } rows[] = {
        {"application/json", true}, {"Application/JSON ; charset=utf-8", true}, {"application/merge-patch+json", true},
        {"application/vnd.x+JSON;a=b", true}, {"text/json", false}, {"application/jsonp", false}, {"+json", false},
        {"application/+json", false}, {"", false}, {"text/plain; a=application/json", false},
    };

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        request.param_count = 0;
        give("CONTENT_TYPE", rows[i].type);
        CU_ASSERT_EQUAL(http_is_json(&request), rows[i].json);
    }
    request.param_count = 0;
    CU_ASSERT_FALSE(http_is_json(&request));
    end();
}

static void test_query(void)
{
    struct text value = TEXT("untouched");

    begin();
    request.query = TEXT("limit=20&name=a+b%26c&&flag&%6cast=x=y");
    CU_ASSERT_EQUAL(http_query(&request, "limit", &value), ERR_NONE);
    CU_ASSERT(text_equal(value, TEXT("20")));
    CU_ASSERT_EQUAL(http_query(&request, "name", &value), ERR_NONE);
    CU_ASSERT(text_equal(value, TEXT("a b&c")));
    CU_ASSERT_EQUAL(http_query(&request, "flag", &value), ERR_NONE);
    CU_ASSERT(value.at && value.length == 0);
    CU_ASSERT_EQUAL(http_query(&request, "last", &value), ERR_NONE);
    CU_ASSERT(text_equal(value, TEXT("x=y")));
    CU_ASSERT_EQUAL(http_query(&request, "none", &value), ERR_NONE);
    CU_ASSERT_PTR_NULL(value.at);
    request.query = TEXT_NONE;
    CU_ASSERT_EQUAL(http_query(&request, "limit", &value), ERR_NONE);
    CU_ASSERT_PTR_NULL(value.at);
    end();
}

static void test_bad_query(void)
{
    static const char *const bad[] = {"limit=%", "limit=%zz", "limit=%00", "limit=%ff", "limit=1&limit=1",
                                      "limit=1&%6c%69mit=2", "%zz=1"};
    struct text value = TEXT("untouched");

    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        request.query = text_of(bad[i]);
        CU_ASSERT_EQUAL(http_query(&request, "limit", &value), ERR_MALFORMED);
    }
    CU_ASSERT(text_equal(value, TEXT("untouched")));
    arena_fini(&request.arena);
    arena_init(&request.arena, 0);
    request.query = TEXT("limit=1");
    CU_ASSERT_EQUAL(http_query(&request, "limit", &value), ERR_MEMORY);
    end();
}

static const char *head(void)
{
    buf_reset(&out, ARENA_BYTES);
    http_response_head(&request, &response, &out);
    return buf_string(&out);
}

static void test_head(void)
{
    begin();
    response.status = 201;
    buf_add_string(&response.body, "{}");
    CU_ASSERT_EQUAL(http_header_add(&request, &response, "Location", TEXT("/v1/users/7")), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(head(), "Status: 201 Created\r\nLocation: /v1/users/7\r\n"
                                   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n");
    CU_ASSERT(text_equal(http_response_payload(&request, &response), TEXT("{}")));
    request.method = HTTP_HEAD;
    CU_ASSERT_PTR_NOT_NULL(strstr(head(), "Content-Length: 2\r\n"));
    CU_ASSERT_EQUAL(http_response_payload(&request, &response).length, 0);
    request.method = HTTP_GET;
    CU_ASSERT_EQUAL(http_header_add(&request, &response, "content-type", TEXT("text/plain")), ERR_NONE);
    CU_ASSERT_PTR_NULL(strstr(head(), "application/json"));
    end();
}

static void test_bodiless(void)
{
    static const int statuses[] = {100, 103, 204, 304};

    begin();
    buf_add_string(&response.body, "ignored");
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        response.status = statuses[i];
        CU_ASSERT_TRUE(http_status_bodiless(statuses[i]));
        CU_ASSERT_PTR_NULL(strstr(head(), "Content-"));
        CU_ASSERT_EQUAL(http_response_payload(&request, &response).length, 0);
    }
    CU_ASSERT_FALSE(http_status_bodiless(200));
    buf_reset(&response.body, 0);
    response.status = 202;
    CU_ASSERT_STRING_EQUAL(head(), "Status: 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    end();
}

static void test_broken_response(void)
{
    begin();
    CU_ASSERT_STRING_EQUAL(head(), "Status: 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    response.status = 200;
    buf_add_string(&response.body, "begun");
    buf_reserve(&response.body, BODY_BYTES);
    CU_ASSERT_STRING_EQUAL(head(), "Status: 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    CU_ASSERT_EQUAL(http_response_payload(&request, &response).length, 0);
    http_response_reset(&response);
    response.status = 200;
    CU_ASSERT_STRING_EQUAL(head(), "Status: 200 OK\r\nContent-Length: 0\r\n\r\n");
    end();
}

static void test_forged_header(void)
{
    static const struct text bad[] = {TEXT("a\r\nSet-Cookie: b"), TEXT("a\n"), TEXT("a\0b"), TEXT("\x7f"), TEXT("\t")};

    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(http_header_add(&request, &response, "Location", bad[i]), ERR_INVALID);
    CU_ASSERT_EQUAL(response.header_count, 0);
    for (size_t i = 0; i < HTTP_MAX_RESPONSE_HEADERS; i++)
        CU_ASSERT_EQUAL(http_header_add(&request, &response, "X", TEXT("y")), ERR_NONE);
    CU_ASSERT_EQUAL(http_header_add(&request, &response, "X", TEXT("y")), ERR_MEMORY);
    http_response_reset(&response);
    arena_fini(&request.arena);
    arena_init(&request.arena, 0);
    CU_ASSERT_EQUAL(http_header_add(&request, &response, "X", TEXT("y")), ERR_MEMORY);
    end();
}

static const struct suite_case cases[] = {
    {"methods are upper case and exact", test_methods},
    {"reasons are the registered phrases", test_reasons},
    {"header fields are found by their HTTP name", test_header_names},
    {"a request line is split into method, path and query", test_request_lines},
    {"what is no request line is refused", test_bad_request_lines},
    {"application/json and +json types are JSON", test_json_types},
    {"query values are decoded", test_query},
    {"a badly encoded or repeated query value is refused", test_bad_query},
    {"the head tells length and type, for HEAD too", test_head},
    {"bodiless statuses have no body and no length", test_bodiless},
    {"a response that did not fit goes out as a bare 500", test_broken_response},
    {"a header value cannot forge a header", test_forged_header},
};

int main(void)
{
    return suite_main("http", cases, sizeof cases / sizeof cases[0]);
}
