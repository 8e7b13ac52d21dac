/* What a request and its response look like, on any transport: see server_fixture.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "check/unit/server_fixture.h"

enum { REQUEST_MAX = 4 * 1024 * 1024 };

/* Sends a request in some manner on a kept connection and reads its reply. */
static bool ask(struct fcgi_client *client, const char *method, const char *uri, struct text body,
                enum fcgi_client_manner manner, struct fcgi_reply *ret)
{
    struct buf request;
    buf_init(&request, REQUEST_MAX);
    fcgi_put_request(&request, 1, true, method, uri, NULL, body);
    *ret = (struct fcgi_reply){.status = 0};
    bool whole = fcgi_client_send(client, buf_text(&request), manner) && fcgi_client_reply(client, 1, ret);
    buf_fini(&request);
    return whole;
}

static void test_answer(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_reply reply;
    fixture_open(&fixture, &opts);
    CU_ASSERT_TRUE(fcgi_client_get(fixture.address, "/echo?a=b", &reply));
    CU_ASSERT_EQUAL(reply.status, 200);
    CU_ASSERT_EQUAL(reply.app_status, 0);
    CU_ASSERT_EQUAL(reply.protocol_status, 0);
    CU_ASSERT_TRUE(reply.stream_ended);
    CU_ASSERT_TRUE(text_equal(fcgi_reply_header(&reply, "X-Body"), TEXT("absent")));
    CU_ASSERT_EQUAL(reply.body.length, 0);
    fcgi_reply_fini(&reply);
    CU_ASSERT_EQUAL(fixture_stats(&fixture).requests, 1);
    fixture_close(&fixture);
}

static void test_body(void)
{
    static const size_t sizes[] = {0, 1, 7, 8, 8191, 8192, 8193, 65535, 65536, 300000, 1024 * 1024};
    static char bytes[1024 * 1024];
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    memset(bytes, 'x', sizeof bytes);
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fcgi_reply reply;
        struct text body = {bytes, sizes[i]};
        CU_ASSERT_TRUE(ask(&client, "POST", "/echo", body, FCGI_CLIENT_WHOLE, &reply));
        CU_ASSERT_EQUAL(reply.status, 200);
        CU_ASSERT_TRUE(text_equal(fcgi_reply_header(&reply, "X-Body"), TEXT("present")));
        CU_ASSERT_TRUE(text_equal(reply.body, body));
        fcgi_reply_fini(&reply);
    }
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_bytes_one_by_one(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    for (int i = 0; i < 3; i++) {
        struct fcgi_reply reply;
        CU_ASSERT_TRUE(ask(&client, "POST", "/echo", TEXT("a small body"), FCGI_CLIENT_BYTES, &reply));
        CU_ASSERT_TRUE(text_equal(reply.body, TEXT("a small body")));
        fcgi_reply_fini(&reply);
    }
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_random_splits(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct fcgi_reply reply;
        client.seed = seed;
        CU_ASSERT_TRUE(ask(&client, "POST", "/echo", TEXT("a small body"), FCGI_CLIENT_RANDOM, &reply));
        CU_ASSERT_TRUE(text_equal(reply.body, TEXT("a small body")));
        fcgi_reply_fini(&reply);
    }
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_kept(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_TRUE(fixture_ping(&client, i % 2 ? "/thread" : "/ping", true));
    CU_ASSERT_EQUAL(fixture_stats(&fixture).connections_accepted, 1);
    CU_ASSERT_TRUE(fixture_ping(&client, "/ping", false));
    CU_ASSERT_TRUE(fcgi_client_closed(&client, 5000));
    fcgi_client_close(&client);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).connections_open == 0));
    fixture_close(&fixture);
}

static void pipelined(const char *uri)
{
    enum { REQUESTS = 200 };
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct buf requests;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&requests, REQUEST_MAX);
    for (int i = 0; i < REQUESTS; i++)
        fcgi_put_request(&requests, 1, true, "GET", uri, NULL, TEXT_NONE);
    CU_ASSERT_TRUE(fcgi_client_send(&client, buf_text(&requests), FCGI_CLIENT_WHOLE));
    for (int i = 0; i < REQUESTS; i++) {
        struct fcgi_reply reply;
        CU_ASSERT_TRUE_FATAL(fcgi_client_reply(&client, 1, &reply));
        CU_ASSERT_EQUAL(reply.status, 200);
        fcgi_reply_fini(&reply);
    }
    buf_fini(&requests);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_pipelined(void)
{
    pipelined("/ping");
}

static void test_pipelined_threads(void)
{
    pipelined("/thread");
}

static void test_pipelined_large(void)
{
    pipelined("/bytes?300000");
}

static void test_bodiless(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct fcgi_reply reply;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    CU_ASSERT_TRUE(ask(&client, "HEAD", "/ping", TEXT_NONE, FCGI_CLIENT_WHOLE, &reply));
    CU_ASSERT_EQUAL(reply.status, 200);
    CU_ASSERT_TRUE(text_equal(fcgi_reply_header(&reply, "Content-Length"), TEXT("4")));
    CU_ASSERT_EQUAL(reply.body.length, 0);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(ask(&client, "GET", "/none", TEXT_NONE, FCGI_CLIENT_WHOLE, &reply));
    CU_ASSERT_EQUAL(reply.status, 204);
    CU_ASSERT_EQUAL(reply.body.length, 0);
    fcgi_reply_fini(&reply);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_large_slow(void)
{
    enum { BYTES = 50 * 1000 * 1000, PIECE = 100 * 1000 };
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct fcgi_reply reply;
    struct buf request;
    int small = 8192;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    buf_init(&request, REQUEST_MAX);
    fcgi_put_request(&request, 1, true, "GET", "/bytes?50000000", NULL, TEXT_NONE);
    CU_ASSERT_TRUE(fcgi_client_send(&client, buf_text(&request), FCGI_CLIENT_WHOLE));
    for (size_t left = 2000 * 1000; left; left -= PIECE) {   /* slowly at first */
        char *room = buf_reserve(&client.in, PIECE);
        CU_ASSERT_EQUAL_FATAL(recv(client.fd, room, PIECE, MSG_WAITALL), PIECE);
        buf_commit(&client.in, PIECE);
        CU_ASSERT_TRUE(fixture_serves(&fixture));
    }
    CU_ASSERT_TRUE(fcgi_client_reply(&client, 1, &reply));
    CU_ASSERT_EQUAL(reply.body.length, BYTES);
    CU_ASSERT_TRUE(fixture_pattern(reply.body));
    CU_ASSERT_TRUE(reply.stream_ended);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(fixture_ping(&client, "/ping", true));
    buf_fini(&request);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_sizes(void)
{
    static const char *const uris[] = {"/bytes?0",     "/bytes?1",     "/bytes?65000",  "/bytes?65443", "/bytes?65528",
                                       "/bytes?65535", "/bytes?65536", "/bytes?131072", "/bytes?2000000"};
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct fcgi_reply reply;
        CU_ASSERT_TRUE(ask(&client, "GET", uris[i], TEXT_NONE, FCGI_CLIENT_WHOLE, &reply));
        CU_ASSERT_EQUAL(reply.body.length, (size_t)atol(strchr(uris[i], '?') + 1));
        CU_ASSERT_TRUE(fixture_pattern(reply.body));
        fcgi_reply_fini(&reply);
    }
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void internal_error(const char *uri)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_reply reply;
    opts.response_max_bytes = 4096;
    fixture_open(&fixture, &opts);
    CU_ASSERT_TRUE(fcgi_client_get(fixture.address, uri, &reply));
    CU_ASSERT_EQUAL(reply.status, 500);
    CU_ASSERT_TRUE(text_equal(fcgi_reply_header(&reply, "Content-Type"), TEXT("application/problem+json")));
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(fixture_serves(&fixture));
    fixture_close(&fixture);
}

static void test_no_status(void)
{
    internal_error("/silent");
}

static void test_response_ceiling(void)
{
    internal_error("/flood");
}

const struct suite_case server_request_cases[] = {
    {"a request is answered with a head, an end of stream and an end of request", test_answer},
    {"a body of any size up to the limit arrives whole", test_body},
    {"a request sent byte by byte is answered", test_bytes_one_by_one},
    {"a request split anywhere is answered the same", test_random_splits},
    {"a connection is kept when the front asks, and closed when it does not", test_kept},
    {"requests sent all at once are answered one after the other", test_pipelined},
    {"requests sent all at once are answered when other threads finish them", test_pipelined_threads},
    {"requests sent all at once are answered when the socket fills in between", test_pipelined_large},
    {"HEAD and 204 carry no body", test_bodiless},
    {"a response of 50 MB reaches a slow reader, and delays nobody", test_large_slow},
    {"responses around the size of a record are right", test_sizes},
    {"a response without a status becomes 500", test_no_status},
    {"a response over its ceiling becomes 500", test_response_ceiling},
};
const size_t server_request_count = sizeof server_request_cases / sizeof server_request_cases[0];
