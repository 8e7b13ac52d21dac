/* Records a front may send besides plain requests, well or badly: see server_fixture.h. */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "check/unit/server_fixture.h"

/* A server, a connection to it, and bytes to send. */
struct scene {
    struct fixture fixture;
    struct fcgi_client client;
    struct buf out;
};

static void scene_begin(struct scene *scene)
{
    struct server_opts opts = fixture_opts();
    fixture_open(&scene->fixture, &opts);
    fixture_client(&scene->fixture, &scene->client);
    buf_init(&scene->out, 1024 * 1024);
}

static void scene_send(struct scene *scene)
{
    CU_ASSERT_TRUE(fcgi_client_send(&scene->client, buf_text(&scene->out), FCGI_CLIENT_WHOLE));
    buf_reset(&scene->out, 0);
}

static void scene_end(struct scene *scene)
{
    CU_ASSERT_TRUE(fixture_serves(&scene->fixture));
    buf_fini(&scene->out);
    fcgi_client_close(&scene->client);
    fixture_close(&scene->fixture);
}

static bool closed_by_server(struct scene *scene)
{
    return fcgi_client_closed(&scene->client, 5000);
}

static void test_get_values(void)
{
    struct scene scene;
    struct fcgi_record record;
    struct buf pairs, expected;
    scene_begin(&scene);
    buf_init(&pairs, 1024);
    buf_init(&expected, 1024);
    fcgi_put_pair(&pairs, TEXT("FCGI_MPXS_CONNS"), TEXT(""));
    fcgi_put_pair(&pairs, TEXT("FCGI_SOMETHING"), TEXT(""));
    fcgi_put_pair(&pairs, TEXT("FCGI_MAX_CONNS"), TEXT(""));
    fcgi_put_pair(&pairs, TEXT("FCGI_MAX_REQS"), TEXT(""));
    fcgi_put_record(&scene.out, FCGI_GET_VALUES, 0, buf_text(&pairs), 3);
    scene_send(&scene);
    CU_ASSERT_TRUE_FATAL(fcgi_client_record(&scene.client, &record));
    CU_ASSERT_EQUAL(record.type, FCGI_VALUES_RESULT);
    CU_ASSERT_EQUAL(record.id, 0);
    fcgi_put_pair(&expected, TEXT("FCGI_MAX_CONNS"), TEXT("256"));
    fcgi_put_pair(&expected, TEXT("FCGI_MAX_REQS"), TEXT("256"));
    fcgi_put_pair(&expected, TEXT("FCGI_MPXS_CONNS"), TEXT("0"));
    CU_ASSERT_TRUE(text_equal(record.content, buf_text(&expected)));
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    buf_fini(&expected);
    buf_fini(&pairs);
    scene_end(&scene);
}

static void test_get_values_hostile(void)
{
    static char nothing[2000];
    struct scene scene;
    struct buf pairs;
    scene_begin(&scene);
    fcgi_put_record(&scene.out, FCGI_GET_VALUES, 0, (struct text){nothing, sizeof nothing}, 0);
    scene_send(&scene);
    CU_ASSERT_TRUE(closed_by_server(&scene));
    fcgi_client_close(&scene.client);
    fixture_client(&scene.fixture, &scene.client);
    fcgi_put_record(&scene.out, FCGI_GET_VALUES, 0, TEXT("\x20\x20too short"), 0);
    scene_send(&scene);
    CU_ASSERT_TRUE(closed_by_server(&scene));
    fcgi_client_close(&scene.client);
    fixture_client(&scene.fixture, &scene.client);
    buf_init(&pairs, 4096);
    for (int i = 0; i < 50; i++)   /* one question fifty times has one answer */
        fcgi_put_pair(&pairs, TEXT("FCGI_MAX_CONNS"), TEXT(""));
    fcgi_put_record(&scene.out, FCGI_GET_VALUES, 0, buf_text(&pairs), 0);
    scene_send(&scene);
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    buf_fini(&pairs);
    CU_ASSERT_TRUE(fixture_stats(&scene.fixture).protocol_errors >= 2);
    scene_end(&scene);
}

static void test_unknown_management(void)
{
    static const uint8_t types[] = {FCGI_BEGIN, FCGI_PARAMS, 12, 255};
    struct scene scene;
    struct fcgi_record record;
    scene_begin(&scene);
    for (size_t i = 0; i < sizeof types; i++)
        fcgi_put_record(&scene.out, types[i], 0, TEXT("whatever"), 5);
    scene_send(&scene);
    for (size_t i = 0; i < sizeof types; i++) {
        CU_ASSERT_TRUE_FATAL(fcgi_client_record(&scene.client, &record));
        CU_ASSERT_EQUAL(record.type, FCGI_UNKNOWN);
        CU_ASSERT_EQUAL(record.id, 0);
        CU_ASSERT_EQUAL((uint8_t)record.content.at[0], types[i]);
    }
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    scene_end(&scene);
}

/* More questions than the socket takes answers for: the server waits for room, and goes on. */
static void test_unknown_flood(void)
{
    enum { ROUNDS = 200, RECORDS = 1000 };
    struct scene scene;
    struct fcgi_record record;
    unsigned answers = 0;
    scene_begin(&scene);
    for (int i = 0; i < RECORDS; i++)
        fcgi_put_record(&scene.out, 99, 0, TEXT(""), 0);
    for (int round = 0; round < ROUNDS; round++) {
        struct text bytes = buf_text(&scene.out);
        while (bytes.length) {
            ssize_t sent = send(scene.client.fd, bytes.at, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent > 0) {
                bytes.at += sent;
                bytes.length -= (size_t)sent;
            } else {
                CU_ASSERT_TRUE_FATAL(fcgi_client_record(&scene.client, &record));
                answers++;
            }
        }
    }
    while (answers < ROUNDS * RECORDS) {
        CU_ASSERT_TRUE_FATAL(fcgi_client_record(&scene.client, &record));
        answers++;
    }
    buf_reset(&scene.out, 0);
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    scene_end(&scene);
}

static void test_role(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    scene_begin(&scene);
    fcgi_put_begin(&scene.out, 7, 2, true);
    scene_send(&scene);
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 7, &reply));
    CU_ASSERT_EQUAL(reply.protocol_status, 3);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    fcgi_put_begin(&scene.out, 7, 3, false);
    scene_send(&scene);
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 7, &reply));
    CU_ASSERT_EQUAL(reply.protocol_status, 3);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(closed_by_server(&scene));
    scene_end(&scene);
}

static void test_second_request(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    scene_begin(&scene);
    fcgi_put_request(&scene.out, 1, true, "GET", "/hold", NULL, TEXT_NONE);
    fcgi_put_request(&scene.out, 2, true, "GET", "/ping", NULL, TEXT_NONE);
    scene_send(&scene);
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 2, &reply));
    CU_ASSERT_EQUAL(reply.protocol_status, 1);
    CU_ASSERT_EQUAL(reply.out.length, 0);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    fixture_release();
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 1, &reply));
    CU_ASSERT_EQUAL(reply.status, 200);
    fcgi_reply_fini(&reply);
    CU_ASSERT_EQUAL(fixture_dispatched(), 1);
    scene_end(&scene);
}

static void test_second_request_between(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    struct buf request;
    scene_begin(&scene);
    buf_init(&request, 4096);
    fcgi_put_request(&request, 1, true, "POST", "/echo", NULL, TEXT("the body"));
    size_t cut = 16;   /* after BEGIN_REQUEST */
    buf_add(&scene.out, request.data, cut);
    fcgi_put_request(&scene.out, 2, true, "POST", "/echo", NULL, TEXT("another body"));
    buf_add(&scene.out, request.data + cut, request.length - cut);
    scene_send(&scene);
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 2, &reply));
    CU_ASSERT_EQUAL(reply.protocol_status, 1);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 1, &reply));
    CU_ASSERT_TRUE(text_equal(reply.body, TEXT("the body")));
    fcgi_reply_fini(&reply);
    buf_fini(&request);
    scene_end(&scene);
}

static void test_unknown_id(void)
{
    struct scene scene;
    scene_begin(&scene);
    fcgi_put_record(&scene.out, FCGI_STDIN, 9, TEXT("for nobody"), 6);
    fcgi_put_record(&scene.out, FCGI_PARAMS, 9, TEXT(""), 0);
    fcgi_put_record(&scene.out, FCGI_ABORT, 9, TEXT(""), 0);
    fcgi_put_record(&scene.out, 77, 9, TEXT("of no known type"), 0);
    scene_send(&scene);
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    scene_end(&scene);
}

static void breaks(struct text bytes)
{
    struct scene scene;
    scene_begin(&scene);
    buf_add_text(&scene.out, bytes);
    scene_send(&scene);
    CU_ASSERT_TRUE(closed_by_server(&scene));
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&scene.fixture).connections_open == 0));
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    scene_end(&scene);
}

static void test_version(void)
{
    breaks(TEXT("\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"));
}

static void test_http(void)
{
    breaks(TEXT("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
}

static void test_begin_size(void)
{
    breaks(TEXT("\1\1\0\1\0\4\0\0\0\1\0\0"));
}

static void test_begin_twice(void)
{
    struct buf out;
    buf_init(&out, 100);
    fcgi_put_begin(&out, 1, 1, true);
    fcgi_put_begin(&out, 1, 1, true);
    breaks(buf_text(&out));
    buf_fini(&out);
}

static void test_abort_coming(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    scene_begin(&scene);
    fcgi_put_begin(&scene.out, 1, 1, true);
    fcgi_put_record(&scene.out, FCGI_ABORT, 1, TEXT(""), 0);
    scene_send(&scene);
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 1, &reply));
    CU_ASSERT_EQUAL(reply.protocol_status, 0);
    CU_ASSERT_EQUAL(reply.out.length, 0);
    fcgi_reply_fini(&reply);
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    CU_ASSERT_EQUAL(fixture_stats(&scene.fixture).aborted, 1);
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    scene_end(&scene);
}

static void test_abort_held(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    scene_begin(&scene);
    fcgi_put_request(&scene.out, 1, true, "GET", "/hold", NULL, TEXT_NONE);
    scene_send(&scene);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    CU_ASSERT_EQUAL(fixture_held_abandoned(), 0);
    fcgi_put_record(&scene.out, FCGI_ABORT, 1, TEXT(""), 0);
    scene_send(&scene);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held_abandoned() == 1));
    fixture_release();
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 1, &reply));
    CU_ASSERT_EQUAL(reply.protocol_status, 0);
    CU_ASSERT_EQUAL(reply.out.length, 0);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(fixture_ping(&scene.client, "/ping", true));
    scene_end(&scene);
}

static void test_hang_up_coming(void)
{
    struct scene scene;
    struct buf request;
    uint64_t opened = 1;   /* the scene's own */
    scene_begin(&scene);
    buf_init(&request, 4096);
    fcgi_put_request(&request, 1, true, "POST", "/echo", NULL, TEXT("the body"));
    for (size_t cut = 1; cut < request.length; cut += 5, opened++) {
        struct fcgi_client client;
        fixture_client(&scene.fixture, &client);
        CU_ASSERT_TRUE(fcgi_client_send(&client, (struct text){request.data, cut}, FCGI_CLIENT_WHOLE));
        fcgi_client_close(&client);
    }
    buf_fini(&request);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&scene.fixture).connections_accepted == opened));
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&scene.fixture).connections_open == 1));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(scene.fixture.server) == 0));
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    scene_end(&scene);
}

static void test_hang_up_held(void)
{
    struct scene scene;
    scene_begin(&scene);
    fcgi_put_request(&scene.out, 1, true, "GET", "/hold", NULL, TEXT_NONE);
    scene_send(&scene);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    fcgi_client_close(&scene.client);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held_abandoned() == 1));
    CU_ASSERT_EQUAL(server_busy(scene.fixture.server), 1);
    fixture_release();
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(scene.fixture.server) == 0));
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&scene.fixture).connections_open == 0));
    scene_end(&scene);
}

static void test_half_closed(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    scene_begin(&scene);
    fcgi_put_request(&scene.out, 1, true, "GET", "/hold", NULL, TEXT_NONE);
    scene_send(&scene);
    shutdown(scene.client.fd, SHUT_WR);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    for (int i = 0; i < 100; i++)   /* time for the server to see the end */
        CU_ASSERT_TRUE(fixture_serves(&scene.fixture));
    CU_ASSERT_EQUAL(fixture_held_abandoned(), 0);
    CU_ASSERT_EQUAL(fixture_stats(&scene.fixture).aborted, 0);
    fixture_release();
    CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 1, &reply));
    CU_ASSERT_EQUAL(reply.status, 200);
    fcgi_reply_fini(&reply);
    CU_ASSERT_TRUE(closed_by_server(&scene));
    scene_end(&scene);
}

static void test_half_closed_early(void)
{
    struct scene scene;
    struct fcgi_reply reply;
    scene_begin(&scene);
    fcgi_put_request(&scene.out, 1, true, "GET", "/hold", NULL, TEXT_NONE);
    fcgi_put_request(&scene.out, 1, true, "GET", "/ping", NULL, TEXT_NONE);
    fcgi_put_begin(&scene.out, 1, 1, true);   /* and one that will never be whole */
    scene_send(&scene);
    shutdown(scene.client.fd, SHUT_WR);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    fixture_release();
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE(fcgi_client_reply(&scene.client, 1, &reply));
        CU_ASSERT_EQUAL(reply.status, 200);
        fcgi_reply_fini(&reply);
    }
    CU_ASSERT_TRUE(closed_by_server(&scene));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(scene.fixture.server) == 0));
    scene_end(&scene);
}

const struct suite_case server_record_cases[] = {
    {"GET_VALUES is answered with what is known", test_get_values},
    {"a GET_VALUES that is too long, cut or repetitive does no harm", test_get_values_hostile},
    {"other management records are answered UNKNOWN_TYPE", test_unknown_management},
    {"a flood of management records is answered as fast as the front reads", test_unknown_flood},
    {"a role other than responder is answered UNKNOWN_ROLE", test_role},
    {"a second request on the connection is turned away and the first goes on", test_second_request},
    {"a second request amid the records of the first is turned away", test_second_request_between},
    {"records of requests that do not exist are passed over", test_unknown_id},
    {"a version other than 1 closes", test_version},
    {"plain HTTP closes", test_http},
    {"a BEGIN_REQUEST of the wrong size closes", test_begin_size},
    {"a request that begins twice closes", test_begin_twice},
    {"a request aborted while it comes in is ended and never dispatched", test_abort_coming},
    {"a request aborted while the callee has it is marked abandoned, and ended", test_abort_held},
    {"a front that hangs up anywhere in a request leaves nothing behind", test_hang_up_coming},
    {"a front that hangs up while the callee has the request marks it abandoned", test_hang_up_held},
    {"a front that has closed its own direction gets the response", test_half_closed},
    {"a front that has closed its own direction gets every response it asked for", test_half_closed_early},
};
const size_t server_record_count = sizeof server_record_cases / sizeof server_record_cases[0];
