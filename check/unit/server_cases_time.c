/* Peers that are slow or silent: see server_fixture.h. */
#include "config.h"

#include <poll.h>
#include <sys/socket.h>

#include "check/unit/server_fixture.h"

enum { SHORT_MS = 300, DELAY_MAX_MS = 50, OUT_MAX = 1024 * 1024 };

static int64_t elapsed_ms(int64_t since_ns)
{
    return (clock_now_ns() - since_ns) / NS_PER_MS;
}

/* Whether it was closed by the deadline: not before, and not long after. */
static bool closed_in_time(struct fcgi_client *client, int64_t since_ns)
{
    bool closed = fcgi_client_closed(client, SHORT_MS + 5000);
    return closed && elapsed_ms(since_ns) >= SHORT_MS - 20 && elapsed_ms(since_ns) < SHORT_MS + 2000;
}

/* How long the slowest ping takes beside them. */
static int64_t beside_half_headers_ns(void)
{
    enum { PEERS = 64, PINGS = 50 };
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client peers[PEERS];
    int64_t slowest_ns = 0, begun_ns = clock_now_ns();
    opts.header_timeout_ms = SHORT_MS;
    fixture_open(&fixture, &opts);
    for (int i = 0; i < PEERS; i++) {
        fixture_client(&fixture, &peers[i]);
        CU_ASSERT_TRUE(fcgi_client_send(&peers[i], TEXT("\1\1\0\1"), FCGI_CLIENT_WHOLE));
    }
    for (int i = 0; i < PINGS; i++) {
        int64_t asked_ns = clock_now_ns();
        CU_ASSERT_TRUE(fixture_serves(&fixture));
        int64_t took_ns = clock_now_ns() - asked_ns;
        slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
    }
    for (int i = 0; i < PEERS; i++) {
        CU_ASSERT_TRUE(closed_in_time(&peers[i], begun_ns));
        fcgi_client_close(&peers[i]);
    }
    CU_ASSERT_EQUAL(fixture_stats(&fixture).timeouts, PEERS);
    CU_ASSERT_EQUAL(fixture_stats(&fixture).header_timeouts, PEERS);
    CU_ASSERT_EQUAL(server_busy(fixture.server), 0);
    fixture_close(&fixture);
    return slowest_ns;
}

static void test_many_half_headers(void)
{
    CU_ASSERT_TRUE(suite_is_prompt(beside_half_headers_ns, DELAY_MAX_MS));
}

/* Sends a byte of a request again and again until the server closes. */
static void test_dribble(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct buf out;
    size_t sent = 0;
    opts.header_timeout_ms = SHORT_MS;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "GET", "/ping", NULL, TEXT_NONE);
    int64_t begun_ns = clock_now_ns();
    struct pollfd ended = {.fd = client.fd, .events = POLLIN};
    while (sent < out.length && !poll(&ended, 1, 20))
        sent += fcgi_client_send(&client, (struct text){out.data + sent, 1}, FCGI_CLIENT_WHOLE);
    CU_ASSERT_TRUE(sent < out.length);
    CU_ASSERT_TRUE(closed_in_time(&client, begun_ns));
    CU_ASSERT_EQUAL(fixture_dispatched(), 0);
    buf_fini(&out);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_body_late(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct buf out;
    opts.body_timeout_ms = SHORT_MS;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "POST", "/echo", NULL, TEXT("a body whose end never comes"));
    int64_t begun_ns = clock_now_ns();
    CU_ASSERT_TRUE(fcgi_client_send(&client, (struct text){out.data, out.length - 12}, FCGI_CLIENT_WHOLE));
    CU_ASSERT_TRUE(closed_in_time(&client, begun_ns));
    CU_ASSERT_EQUAL(fixture_stats(&fixture).timeouts, 1);
    buf_fini(&out);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_reader_stuck(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct buf out;
    opts.write_timeout_ms = SHORT_MS;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "GET", "/bytes?20000000", NULL, TEXT_NONE);
    CU_ASSERT_TRUE(fcgi_client_send(&client, buf_text(&out), FCGI_CLIENT_WHOLE));
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).timeouts == 1));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(fixture.server) == 0));
    CU_ASSERT_TRUE(fixture_serves(&fixture));
    buf_fini(&out);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

/* A reader that makes progress is waited for, longer than the deadline in all. */
static void test_reader_slow(void)
{
    enum { PIECE = 100 * 1000, TOTAL = 4000 * 1000, DEADLINE_MS = 1000 };
    static char piece[PIECE];
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct buf out;
    size_t got = 0;
    opts.write_timeout_ms = DEADLINE_MS;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "GET", "/bytes?4000000", NULL, TEXT_NONE);
    CU_ASSERT_TRUE(fcgi_client_send(&client, buf_text(&out), FCGI_CLIENT_WHOLE));
    int64_t begun_ns = clock_now_ns();
    while (got < TOTAL) {
        ssize_t count = recv(client.fd, piece, PIECE, 0);
        CU_ASSERT_TRUE_FATAL(count > 0);
        got += (size_t)count;
        if (elapsed_ms(begun_ns) < 3 * DEADLINE_MS / 2)
            poll(NULL, 0, 50);
    }
    CU_ASSERT_TRUE(elapsed_ms(begun_ns) > DEADLINE_MS);
    CU_ASSERT_EQUAL(fixture_stats(&fixture).timeouts, 0);
    buf_fini(&out);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_idle(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client silent, kept;
    opts.idle_timeout_ms = SHORT_MS;
    fixture_open(&fixture, &opts);
    int64_t begun_ns = clock_now_ns();
    fixture_client(&fixture, &silent);
    fixture_client(&fixture, &kept);
    CU_ASSERT_TRUE(fixture_ping(&kept, "/ping", true));
    CU_ASSERT_TRUE(closed_in_time(&silent, begun_ns));
    CU_ASSERT_TRUE(closed_in_time(&kept, begun_ns));
    CU_ASSERT_EQUAL(fixture_stats(&fixture).timeouts, 0);
    fcgi_client_close(&silent);
    fcgi_client_close(&kept);
    fixture_close(&fixture);
}

/* What the callee does with its time is its own business. */
static void test_held_long(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    struct fcgi_reply reply;
    struct buf out;
    opts.header_timeout_ms = opts.body_timeout_ms = opts.write_timeout_ms = opts.idle_timeout_ms = 50;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &client);
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "GET", "/hold", NULL, TEXT_NONE);
    CU_ASSERT_TRUE(fcgi_client_send(&client, buf_text(&out), FCGI_CLIENT_WHOLE));
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    struct pollfd early = {.fd = client.fd, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&early, 1, SHORT_MS), 0);
    fixture_release();
    CU_ASSERT_TRUE(fcgi_client_reply(&client, 1, &reply));
    CU_ASSERT_EQUAL(reply.status, 200);
    fcgi_reply_fini(&reply);
    buf_fini(&out);
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

const struct suite_case server_time_cases[] = {
    {"64 peers that stop in a header delay nobody and are closed at their deadline", test_many_half_headers},
    {"a header deadline is not prolonged by dribbling", test_dribble},
    {"a body that stays away is closed at its deadline", test_body_late},
    {"a reader that stops is closed at its deadline", test_reader_stuck},
    {"a reader that is slow is waited for", test_reader_slow},
    {"an idle connection is closed at its deadline", test_idle},
    {"no deadline runs while the callee has the request", test_held_long},
};
const size_t server_time_count = sizeof server_time_cases / sizeof server_time_cases[0];
