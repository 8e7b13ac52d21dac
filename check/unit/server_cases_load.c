/* The server as a whole: how many connections, how it ends, what it counts: see server_fixture.h. */
#include "config.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check/unit/server_fixture.h"

enum { OUT_MAX = 64 * 1024 };

static void send_get(struct fcgi_client *client, const char *uri)
{
    struct buf out;
    buf_init(&out, OUT_MAX);
    fcgi_put_request(&out, 1, true, "GET", uri, NULL, TEXT_NONE);
    CU_ASSERT_TRUE(fcgi_client_send(client, buf_text(&out), FCGI_CLIENT_WHOLE));
    buf_fini(&out);
}

static bool pong_comes(struct fcgi_client *client)
{
    struct fcgi_reply reply;
    bool pong = fcgi_client_reply(client, 1, &reply) && reply.status == 200;
    fcgi_reply_fini(&reply);
    return pong;
}

static void test_connections_max(void)
{
    enum { MAX = 4, MORE = 12 };
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client clients[MAX + MORE];
    opts.connections_max = MAX;
    fixture_open(&fixture, &opts);
    for (int i = 0; i < MAX; i++) {
        fixture_client(&fixture, &clients[i]);
        CU_ASSERT_TRUE(fixture_ping(&clients[i], "/ping", true));
    }
    for (int i = MAX; i < MAX + MORE; i++) {
        fixture_client(&fixture, &clients[i]);
        send_get(&clients[i], "/ping");
    }
    CU_ASSERT_EQUAL(fixture_stats(&fixture).connections_open, MAX);
    CU_ASSERT_EQUAL(fixture_dispatched(), MAX);
    for (int i = 0; i < MAX + MORE; i++) {   /* each that leaves lets the next one in */
        if (i >= MAX)
            CU_ASSERT_TRUE(pong_comes(&clients[i]));
        CU_ASSERT_TRUE(fixture_stats(&fixture).connections_open <= MAX);
        fcgi_client_close(&clients[i]);
    }
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).connections_open == 0));
    fixture_close(&fixture);
}

static void test_connections_one(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    opts.connections_max = 1;
    fixture_open(&fixture, &opts);
    for (int i = 0; i < 500; i++)
        CU_ASSERT_TRUE(fixture_serves(&fixture));
    fixture_close(&fixture);
}

static void test_no_descriptors(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client first, second;
    struct rlimit before, low;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &first);
    CU_ASSERT_TRUE(fixture_ping(&first, "/ping", true));
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);   /* the lowest free descriptor: the client's end will be it, and the server's one above */
    close(next);
    low = before;
    low.rlim_cur = (rlim_t)next + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    fixture_client(&fixture, &second);
    send_get(&second, "/ping");
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).accept_failures > 0));
    CU_ASSERT_TRUE(fixture_ping(&first, "/ping", true));
    uint64_t failures = fixture_stats(&fixture).accept_failures;
    CU_ASSERT_TRUE(failures < 20);   /* it pauses, rather than spins */
    setrlimit(RLIMIT_NOFILE, &before);
    CU_ASSERT_TRUE(pong_comes(&second));
    fcgi_client_close(&first);
    fcgi_client_close(&second);
    fixture_close(&fixture);
}

/* However many descriptors a connection takes, and however many there are, it is served in the end. */
static void test_few_descriptors(void)
{
    for (rlim_t spare = 0; spare < 3; spare++) {
        struct fixture fixture;
        struct server_opts opts = fixture_opts();
        struct fcgi_client client;
        struct rlimit before, low;
        fixture_open(&fixture, &opts);
        CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
        int next = dup(0);   /* the lowest free descriptor, which the client's end will be */
        close(next);
        low = before;
        low.rlim_cur = (rlim_t)next + 1 + spare;
        setrlimit(RLIMIT_NOFILE, &low);
        fixture_client(&fixture, &client);
        send_get(&client, "/ping");
        CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).accept_failures + fixture_stats(&fixture).requests > 0));
        setrlimit(RLIMIT_NOFILE, &before);
        CU_ASSERT_TRUE(pong_comes(&client));
        fcgi_client_close(&client);
        fixture_close(&fixture);
    }
}

static void test_drain(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client idle, held, late;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &idle);
    fixture_client(&fixture, &held);
    CU_ASSERT_TRUE(fixture_ping(&idle, "/ping", true));
    send_get(&held, "/hold");
    CU_ASSERT_TRUE(EVENTUALLY(fixture_held() == 1));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(fixture.server) == 1));
    server_drain(fixture.server);
    server_drain(fixture.server);
    CU_ASSERT_TRUE(fcgi_client_closed(&idle, 5000));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(fixture.server) == 1));   /* every lane has heard */
    fixture_client(&fixture, &late);
    send_get(&late, "/ping");
    CU_ASSERT_EQUAL(server_busy(fixture.server), 1);
    fixture_release();
    CU_ASSERT_TRUE(pong_comes(&held));
    CU_ASSERT_TRUE(fcgi_client_closed(&held, 5000));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(fixture.server) == 0));
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).connections_open == 0));
    CU_ASSERT_EQUAL(fixture_dispatched(), 2);
    fcgi_client_close(&idle);
    fcgi_client_close(&held);
    fcgi_client_close(&late);
    fixture_close(&fixture);
}

/* A connection that has not brought a request yet is about to: it is served, or closed after a while. */
static void test_drain_fresh(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client fresh, silent;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &fresh);
    fixture_client(&fixture, &silent);
    CU_ASSERT_TRUE(EVENTUALLY(fixture_stats(&fixture).connections_open == 2));
    server_drain(fixture.server);
    CU_ASSERT_TRUE(server_busy(fixture.server) > 0);
    CU_ASSERT_TRUE(fixture_ping(&fresh, "/ping", true));
    CU_ASSERT_TRUE(fcgi_client_closed(&fresh, 5000));
    CU_ASSERT_TRUE(fcgi_client_closed(&silent, 10 * SERVER_FRESH_MS));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(fixture.server) == 0));
    fcgi_client_close(&fresh);
    fcgi_client_close(&silent);
    fixture_close(&fixture);
}

static void test_retire(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client kept, late;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &kept);
    CU_ASSERT_TRUE(fixture_ping(&kept, "/ping", true));
    CU_ASSERT_TRUE(EVENTUALLY(server_busy(fixture.server) == 0));   /* the answer is behind it */
    server_retire(fixture.server);
    CU_ASSERT_TRUE(fixture_ping(&kept, "/ping", true));
    CU_ASSERT_TRUE(fcgi_client_closed(&kept, 5000));
    fixture_client(&fixture, &late);
    CU_ASSERT_TRUE(fixture_ping(&late, "/ping", true));
    CU_ASSERT_TRUE(fcgi_client_closed(&late, 5000));
    fcgi_client_close(&kept);
    fcgi_client_close(&late);
    fixture_close(&fixture);
}

static void test_close(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client idle, half, stuck;
    fixture_open(&fixture, &opts);
    fixture_client(&fixture, &idle);
    fixture_client(&fixture, &half);
    fixture_client(&fixture, &stuck);
    CU_ASSERT_TRUE(fixture_ping(&idle, "/ping", true));
    CU_ASSERT_TRUE(fcgi_client_send(&half, TEXT("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4"), FCGI_CLIENT_WHOLE));
    send_get(&stuck, "/bytes?20000000");
    CU_ASSERT_TRUE(EVENTUALLY(fixture_dispatched() == 2 && server_busy(fixture.server) == 2));
    fixture_close(&fixture);
    CU_ASSERT_TRUE(fcgi_client_closed(&idle, 5000));
    CU_ASSERT_TRUE(fcgi_client_closed(&half, 5000));
    CU_ASSERT_TRUE(fcgi_client_closed(&stuck, 5000));
    fcgi_client_close(&idle);
    fcgi_client_close(&half);
    fcgi_client_close(&stuck);
}

/* libfcgi's lanes may block; it is its poller that has to go round. */
static void test_silent(void)
{
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client client;
    unsigned loops = 0;
    bool is_native = strcmp(fixture_transport, "native") == 0;
    fixture_open(&fixture, &opts);
    CU_ASSERT_EQUAL(server_silent(fixture.server, &loops), 0);
    CU_ASSERT_EQUAL(loops, is_native ? opts.lanes : 1);
    server_nudge(fixture.server);
    CU_ASSERT_TRUE(EVENTUALLY(server_silent(fixture.server, &loops) == 0));
    fixture_gate(true);
    fixture_client(&fixture, &client);
    send_get(&client, "/gate");
    CU_ASSERT_TRUE(EVENTUALLY(fixture_dispatched() == 1));
    server_nudge(fixture.server);
    server_nudge(fixture.server);
    CU_ASSERT_TRUE(EVENTUALLY(server_silent(fixture.server, &loops) == is_native));
    fixture_gate(false);
    CU_ASSERT_TRUE(pong_comes(&client));
    CU_ASSERT_TRUE(EVENTUALLY(server_silent(fixture.server, &loops) == 0));
    fcgi_client_close(&client);
    fixture_close(&fixture);
}

static void test_unknown_transport(void)
{
    struct server_opts opts = fixture_opts();
    struct server *server = NULL;
    opts.transport = "carrier pigeon";
    CU_ASSERT_EQUAL(server_open(&opts, &server), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(server);
    server_close(NULL);
}

/* Connections are shared out, so that lanes are busy alike. */
static void test_lanes(void)
{
    enum { CLIENTS = 32 };
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct fcgi_client clients[CLIENTS];
    unsigned on_first = 0;
    fixture_open(&fixture, &opts);
    for (int i = 0; i < CLIENTS; i++) {
        struct fcgi_reply reply;
        fixture_client(&fixture, &clients[i]);
        send_get(&clients[i], "/lane");
        CU_ASSERT_TRUE(fcgi_client_reply(&clients[i], 1, &reply));
        on_first += text_equal(reply.body, TEXT("0"));
        fcgi_reply_fini(&reply);
    }
    CU_ASSERT_TRUE(on_first >= CLIENTS / 2 - 2 && on_first <= CLIENTS / 2 + 2);
    for (int i = 0; i < CLIENTS; i++)
        fcgi_client_close(&clients[i]);
    fixture_close(&fixture);
}

#if defined WITH_SANITIZERS
size_t __sanitizer_get_current_allocated_bytes(void);   /* gcc has no header for it */
#endif

/* What is allocated now. A sanitizer has a heap of its own, of which mallinfo2() knows nothing. */
static size_t heap_bytes(void)
{
#if defined WITH_SANITIZERS
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

static void test_memory(void)
{
    enum { CLIENTS = 1000 };
    static struct fcgi_client clients[CLIENTS];
    struct fixture fixture;
    struct server_opts opts = fixture_opts();
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    if (limit.rlim_cur < 2 * CLIENTS + 100 || setrlimit(RLIMIT_NOFILE, &limit)) {
        suite_skip("too few descriptors are allowed");
        return;
    }
    opts.connections_max = CLIENTS;
    fixture_open(&fixture, &opts);
    size_t before = heap_bytes();
    for (int i = 0; i < CLIENTS; i++) {
        fixture_client(&fixture, &clients[i]);
        CU_ASSERT_TRUE(fixture_ping(&clients[i], "/ping", true));
        buf_fini(&clients[i].in);
    }
    CU_ASSERT_EQUAL(fixture_stats(&fixture).connections_open, CLIENTS);
    CU_ASSERT_TRUE(heap_bytes() - before < 1024 * 1024);
    for (int i = 0; i < CLIENTS; i++)
        fcgi_client_close(&clients[i]);
    fixture_close(&fixture);
}

const struct suite_case server_load_cases[] = {
    {"connections above the maximum wait and are then served", test_connections_max},
    {"with a maximum of one connection, each waits for the one before", test_connections_one},
    {"without descriptors accepting pauses, and goes on later", test_no_descriptors},
    {"a connection for which descriptors do not suffice waits, and is served later", test_few_descriptors},
    {"draining closes idle connections and finishes what is under way", test_drain},
    {"draining waits a while for the first request of a connection", test_drain_fresh},
    {"retiring closes connections after their next answer, and takes new ones", test_retire},
    {"closing ends every connection, whatever its state", test_close},
    {"a lane that is blocked is told from those that go round", test_silent},
    {"an unknown transport is a mistake in the settings", test_unknown_transport},
    {"connections are shared out among the lanes", test_lanes},
    {"a thousand idle connections take less than 1 MiB", test_memory},
};
const size_t server_load_count = sizeof server_load_cases / sizeof server_load_cases[0];
