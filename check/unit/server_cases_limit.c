/* Requests that break a limit or do not agree with themselves: see server_fixture.h. */
#include "config.h"

#include <string.h>

#include "check/unit/server_fixture.h"

enum { OUT_MAX = 64 * 1024 * 1024 };

/* Sends bytes on a new connection; the reply must have this status and be a problem document, and the server must close
 * the connection, having dispatched nothing. */
static void refused(const struct server_opts *opts, struct text bytes, int status)
{
    struct fixture fixture;
    struct fcgi_client client;
    struct fcgi_reply reply;
    fixture_open(&fixture, opts);
    fixture_client(&fixture, &client);
    CU_ASSERT_TRUE(fcgi_client_send(&client, bytes, FCGI_CLIENT_WHOLE));
    CU_ASSERT_TRUE(fcgi_client_reply(&client, 1, &reply));
    CU_ASSERT_EQUAL(reply.status, status);
    CU_ASSERT_TRUE(text_equal(fcgi_reply_header(&reply, "Content-Type"), TEXT("application/problem+json")));
    CU_ASSERT_TRUE(fcgi_client_closed(&client, 5000));
    fcgi_reply_fini(&reply);
    fcgi_client_close(&client);
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    CU_ASSERT_TRUE(fixture_serves(&fixture));
    struct server_stats stats = fixture_stats(&fixture);
    CU_ASSERT_EQUAL(stats.refused_too_large, status == 413 || status == 431 ? 1 : 0);
    CU_ASSERT_EQUAL(stats.protocol_errors, status == 400 ? 1 : 0);
    fixture_close(&fixture);
}

static void refused_request(const struct server_opts *opts, const struct fcgi_client_param *params, struct text body,
                            int status)
{
    struct buf out;
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "POST", "/echo", params, body);
    refused(opts, buf_text(&out), status);
    buf_fini(&out);
}

static void test_params_bytes(void)
{
    static char value[5000];
    const struct fcgi_client_param params[] = {{"HTTP_COOKIE", value}, {NULL, NULL}};
    struct server_opts opts = fixture_opts();
    opts.params_max_bytes = 4096;
    memset(value, 'x', sizeof value - 1);
    refused_request(&opts, params, TEXT("and a body"), 431);
}

static int ping_status(const struct server_opts *opts)
{
    struct fixture fixture;
    struct fcgi_reply reply;
    fixture_open(&fixture, opts);
    CU_ASSERT_TRUE(fcgi_client_get(fixture.address, "/ping", &reply));
    int status = reply.status;
    fcgi_reply_fini(&reply);
    fixture_close(&fixture);
    return status;
}

static void test_params_exact(void)
{
    struct server_opts opts = fixture_opts();
    struct buf probe;
    buf_init(&probe, 4096);
    fcgi_put_request(&probe, 1, true, "GET", "/ping", NULL, TEXT_NONE);
    opts.params_max_bytes = (size_t)(unsigned char)probe.data[16 + 5];   /* the PARAMS record's length */
    opts.params_max_count = 5;                                           /* as many as fcgi_put_request() adds */
    buf_fini(&probe);
    CU_ASSERT_EQUAL(ping_status(&opts), 200);
    opts.params_max_bytes--;
    CU_ASSERT_EQUAL(ping_status(&opts), 431);
    opts.params_max_bytes++;
    opts.params_max_count--;
    CU_ASSERT_EQUAL(ping_status(&opts), 431);
}

static void test_params_count(void)
{
    enum { MANY = 20 };
    struct fcgi_client_param params[MANY + 1] = {{NULL, NULL}};
    struct server_opts opts = fixture_opts();
    for (int i = 0; i < MANY; i++)
        params[i] = (struct fcgi_client_param){"HTTP_X", "y"};
    opts.params_max_count = 5 + MANY - 1;
    refused_request(&opts, params, TEXT("and a body"), 431);
}

static void test_body_limit(void)
{
    static char bytes[200001];
    struct server_opts opts = fixture_opts();
    opts.body_max_bytes = 200000;
    memset(bytes, 'x', sizeof bytes);
    refused_request(&opts, NULL, (struct text){bytes, sizeof bytes}, 413);
}

/* What is in the body looks like records, and must never be taken for them. */
static void test_body_never_record(void)
{
    struct server_opts opts = fixture_opts();
    struct buf inner;
    buf_init(&inner, OUT_MAX);
    for (int i = 0; i < 2000; i++)
        fcgi_put_request(&inner, 1, true, "GET", "/ping", NULL, TEXT_NONE);
    opts.body_max_bytes = 1000;
    refused_request(&opts, NULL, buf_text(&inner), 413);
    buf_fini(&inner);
}

/* A refused body that goes on and on is not read to its end. */
static void test_body_endless(void)
{
    static char bytes[60000];
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct buf out;
    bool open = true;
    opts.body_max_bytes = 1000;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "POST", "/echo", NULL, (struct text){bytes, 2000});
    out.length -= 8;   /* without the end of STDIN */
    for (int i = 0; i < 1000 && open; i++) {
        open = fcgi_client_send(&client, buf_text(&out), FCGI_CLIENT_WHOLE);
        buf_reset(&out, OUT_MAX);
        fcgi_put_record(&out, FCGI_STDIN, 1, (struct text){bytes, sizeof bytes}, 0);
    }
    CU_ASSERT_FALSE(open);
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    buf_fini(&out);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

/* A request whose STDIN is not what CONTENT_LENGTH says. */
static void body_against_length(const char *length, struct text body, int status)
{
    struct server_opts opts = fixture_opts();
    struct buf pairs, out;
    buf_init(&pairs, 4096);
    buf_init(&out, OUT_MAX);
    fcgi_put_pair(&pairs, TEXT("REQUEST_METHOD"), TEXT("POST"));
    fcgi_put_pair(&pairs, TEXT("REQUEST_URI"), TEXT("/echo"));
    if (length)
        fcgi_put_pair(&pairs, TEXT("CONTENT_LENGTH"), text_of(length));
    fcgi_put_begin(&out, 1, 1, true);
    fcgi_put_record(&out, FCGI_PARAMS, 1, buf_text(&pairs), 0);
    fcgi_put_record(&out, FCGI_PARAMS, 1, TEXT(""), 0);
    if (body.length)
        fcgi_put_record(&out, FCGI_STDIN, 1, body, 0);
    fcgi_put_record(&out, FCGI_STDIN, 1, TEXT(""), 0);
    refused(&opts, buf_text(&out), status);
    buf_fini(&out);
    buf_fini(&pairs);
}

static void test_body_shorter(void)
{
    body_against_length("11", TEXT("ten bytes."), 400);
    body_against_length("1", TEXT(""), 400);
}

static void test_body_longer(void)
{
    body_against_length("9", TEXT("ten bytes."), 400);
    body_against_length("0", TEXT("ten bytes."), 400);
}

static void test_body_undeclared(void)
{
    body_against_length(NULL, TEXT("ten bytes."), 400);
    body_against_length("", TEXT("ten bytes."), 400);
}

static void test_length_nonsense(void)
{
    static const char *const lengths[] = {"-1", "+1", "1 ", "0x10", "ten", "1.0", "99999999999999999999"};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        body_against_length(lengths[i], TEXT("ten bytes."), 400);
    body_against_length("9223372036854775807", TEXT("ten bytes."), 413);
}

static void refused_params(struct text pairs)
{
    struct server_opts opts = fixture_opts();
    struct buf out;
    buf_init(&out, OUT_MAX);
    fcgi_put_begin(&out, 1, 1, true);
    fcgi_put_record(&out, FCGI_PARAMS, 1, pairs, 0);
    fcgi_put_record(&out, FCGI_PARAMS, 1, TEXT(""), 0);
    fcgi_put_record(&out, FCGI_STDIN, 1, TEXT(""), 0);
    refused(&opts, buf_text(&out), 400);
    buf_fini(&out);
}

static void test_params_missing(void)
{
    refused_params(TEXT("\1\1ab"));
}

static void test_params_cut(void)
{
    refused_params(TEXT("\16\3REQUEST_METHODGET\13\5REQUEST_URI/pin"));
    refused_params(TEXT("\377"));
    refused_params(TEXT("\377\377\377\377\377\377\377\377"));
}

static void test_order(void)
{
    struct server_opts opts = fixture_opts();
    struct buf out;
    buf_init(&out, OUT_MAX);
    fcgi_put_begin(&out, 1, 1, true);
    fcgi_put_record(&out, FCGI_STDIN, 1, TEXT("early"), 0);
    fcgi_put_record(&out, FCGI_PARAMS, 1, TEXT(""), 0);
    fcgi_put_record(&out, FCGI_STDIN, 1, TEXT(""), 0);
    refused(&opts, buf_text(&out), 400);
    buf_fini(&out);
}

static void test_arena(void)
{
    struct server_opts opts = fixture_opts();
    struct buf out;
    opts.arena_max_bytes = 64;
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "GET", "/ping", NULL, TEXT_NONE);
    struct fixture fixture;
    struct fcgi_client client;
    struct fcgi_reply reply;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    CU_ASSERT_TRUE(fcgi_client_send(&client, buf_text(&out), FCGI_CLIENT_WHOLE));
    CU_ASSERT_TRUE(fcgi_client_reply(&client, 1, &reply));
    CU_ASSERT_EQUAL(reply.status, 503);
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    fcgi_reply_fini(&reply);
    fcgi_client_close(&client);
    buf_fini(&out);
    fixture_close(&fixture);
}

const struct suite_case server_limit_cases[] = {
    {"parameters of too many bytes are answered 431", test_params_bytes},
    {"parameters of exactly the limit pass, one byte more does not", test_params_exact},
    {"too many parameters are answered 431", test_params_count},
    {"a body over the limit is answered 413", test_body_limit},
    {"a body that is not read is never taken for records", test_body_never_record},
    {"a refused body without end is not read to its end", test_body_endless},
    {"a body shorter than CONTENT_LENGTH is answered 400", test_body_shorter},
    {"a body longer than CONTENT_LENGTH is answered 400", test_body_longer},
    {"a body without CONTENT_LENGTH is answered 400", test_body_undeclared},
    {"a CONTENT_LENGTH that is no length is answered 400", test_length_nonsense},
    {"a request without method or path is answered 400", test_params_missing},
    {"parameters that are cut are answered 400", test_params_cut},
    {"a body before the end of the parameters is answered 400", test_order},
    {"a request that does not fit its arena is answered 503", test_arena},
};
const size_t server_limit_count = sizeof server_limit_cases / sizeof server_limit_cases[0];
