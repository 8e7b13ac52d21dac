#include "config.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/unit/server_fixture.h"

enum { HELD_MAX = 64, CASES_MAX = 128 };

const char *fixture_transport = "native";

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct exchange *held[HELD_MAX];
static unsigned held_count;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint dispatched, threads_running;

static void respond(struct exchange *exchange, int status, const char *text)
{
    exchange->response.status = status;
    buf_add_string(&exchange->response.body, text);
}

static void do_ping(struct exchange *exchange)
{
    respond(exchange, 200, "pong");
    exchange_finish(exchange);
}

static void do_echo(struct exchange *exchange)
{
    struct text body = exchange->request.body;
    respond(exchange, 200, "");
    buf_add_text(&exchange->response.body, body);
    enum err err = http_header_add(&exchange->request, &exchange->response, "X-Body",
                                   body.at ? TEXT("present") : TEXT("absent"));
    assert(!err);
    exchange_finish(exchange);
}

static char pattern_at(size_t i)
{
    return (char)('a' + i % 23);
}

static void do_bytes(struct exchange *exchange)
{
    int64_t length = 0;
    enum err err = text_to_int(exchange->request.query, &length);
    assert(!err);
    respond(exchange, 200, "");
    char *room = buf_reserve(&exchange->response.body, (size_t)length);
    for (size_t i = 0; room && i < (size_t)length; i++)
        room[i] = pattern_at(i);
    if (room)
        buf_commit(&exchange->response.body, (size_t)length);
    exchange_finish(exchange);
}

static void *thread_main(void *argument)
{
    do_ping(argument);
    atomic_fetch_sub(&threads_running, 1);
    return NULL;
}

static void do_thread(struct exchange *exchange)
{
    pthread_t thread;
    atomic_fetch_add(&threads_running, 1);
    int error = pthread_create(&thread, NULL, thread_main, exchange);
    assert(!error);
    pthread_detach(thread);
}

static void do_hold(struct exchange *exchange)
{
    pthread_mutex_lock(&held_lock);
    assert(held_count < HELD_MAX);
    held[held_count++] = exchange;
    pthread_mutex_unlock(&held_lock);
}

static void do_silent(struct exchange *exchange)
{
    exchange_finish(exchange);
}

static void do_none(struct exchange *exchange)
{
    respond(exchange, 204, "this must not be sent");
    exchange_finish(exchange);
}

static void do_lane(struct exchange *exchange)
{
    respond(exchange, 200, "");
    buf_addf(&exchange->response.body, "%u", exchange->lane);
    exchange_finish(exchange);
}

static void do_flood(struct exchange *exchange)
{
    respond(exchange, 200, "");
    while (!exchange->response.body.failed)
        buf_add_string(&exchange->response.body, "more and more and more");
    exchange_finish(exchange);
}

static void do_count(struct exchange *exchange)
{
    respond(exchange, 200, "");
    buf_addf(&exchange->response.body, "%zu", exchange->request.param_count);
    exchange_finish(exchange);
}

/* Breaks the promise not to block. */
static void do_gate(struct exchange *exchange)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    do_ping(exchange);
}

void fixture_gate(bool shut)
{
    if (shut)
        pthread_mutex_lock(&gate);
    else
        pthread_mutex_unlock(&gate);
}

static const struct {
    const char *path;
    void (*run)(struct exchange *);
} handlers[] = {
    {"/ping", do_ping},     {"/echo", do_echo}, {"/bytes", do_bytes}, {"/thread", do_thread}, {"/hold", do_hold},
    {"/silent", do_silent}, {"/none", do_none}, {"/lane", do_lane},   {"/flood", do_flood},   {"/count", do_count},
    {"/gate", do_gate},
};

static void dispatch(struct exchange *exchange, void *context)
{
    (void)context;
    atomic_fetch_add(&dispatched, 1);
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (text_equal_string(exchange->request.path, handlers[i].path)) {
            handlers[i].run(exchange);
            return;
        }
    }
    respond(exchange, 404, "");
    exchange_finish(exchange);
}

struct server_opts fixture_opts(void)
{
    return (struct server_opts){
        .transport = fixture_transport,
        .lanes = 2,
        .connections_max = 256,
        .params_max_bytes = 64 * 1024,
        .params_max_count = 100,
        .body_max_bytes = 1024 * 1024,
        .arena_max_bytes = 256 * 1024,
        .response_max_bytes = 64 * 1024 * 1024,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .write_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .dispatch = dispatch,
    };
}

void fixture_open(struct fixture *fixture, const struct server_opts *opts)
{
    struct server_opts own = *opts;
    struct listen_opts where = {.address = fixture->address, .socket_mode = 0600};
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/tandem-server-XXXXXX");
    if (!mkdtemp(fixture->folder))
        abort();
    snprintf(fixture->address, sizeof fixture->address, "unix:%s/sock", fixture->folder);
    atomic_store(&dispatched, 0);
    enum err err = listener_open(&where, &fixture->listener);
    own.listen_fd = fixture->listener.fd;
    if (!err)
        err = server_open(&own, &fixture->server);
    if (err) {
        fprintf(stderr, "the server does not start: %s\n", err_cause());
        abort();
    }
}

void fixture_close(struct fixture *fixture)
{
    fixture_release();
    CU_ASSERT_TRUE(EVENTUALLY(!atomic_load(&threads_running)));
    server_close(fixture->server);
    listener_close(&fixture->listener);
    rmdir(fixture->folder);
}

void fixture_client(const struct fixture *fixture, struct fcgi_client *client)
{
    bool open = fcgi_client_open(client, fixture->address);
    assert(open);
}

bool fixture_ping(struct fcgi_client *client, const char *uri, bool keep)
{
    struct fcgi_reply reply = {.status = 0};
    struct buf request;
    buf_init(&request, 4096);
    fcgi_put_request(&request, 1, keep, "GET", uri, NULL, TEXT_NONE);
    bool pong = fcgi_client_send(client, buf_text(&request), FCGI_CLIENT_WHOLE) &&
                fcgi_client_reply(client, 1, &reply) && reply.status == 200 && text_equal(reply.body, TEXT("pong"));
    fcgi_reply_fini(&reply);
    buf_fini(&request);
    return pong;
}

bool fixture_serves(const struct fixture *fixture)
{
    struct fcgi_client client;
    fixture_client(fixture, &client);
    bool pong = fixture_ping(&client, "/ping", false);
    fcgi_client_close(&client);
    return pong;
}

struct server_stats fixture_stats(const struct fixture *fixture)
{
    struct server_stats stats;
    server_stats(fixture->server, &stats);
    return stats;
}

unsigned fixture_held(void)
{
    pthread_mutex_lock(&held_lock);
    unsigned count = held_count;
    pthread_mutex_unlock(&held_lock);
    return count;
}

unsigned fixture_held_abandoned(void)
{
    unsigned count = 0;
    pthread_mutex_lock(&held_lock);
    for (unsigned i = 0; i < held_count; i++)
        count += atomic_load(&held[i]->abandoned);
    pthread_mutex_unlock(&held_lock);
    return count;
}

void fixture_release(void)
{
    pthread_mutex_lock(&held_lock);
    while (held_count)
        do_ping(held[--held_count]);
    pthread_mutex_unlock(&held_lock);
}

unsigned fixture_dispatched(void)
{
    return atomic_load(&dispatched);
}

bool fixture_pattern(struct text bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.at[i] != pattern_at(i))
            return false;
    return true;
}

void fixture_breathe(void)
{
    poll(NULL, 0, 1);
}

static const struct {
    const struct suite_case *cases;
    const size_t *count;
} files[] = {
    {server_request_cases, &server_request_count}, {server_record_cases, &server_record_count},
    {server_limit_cases, &server_limit_count},     {server_time_cases, &server_time_count},
    {server_load_cases, &server_load_count},
};

static bool listed(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name))
        list++;
    return *list;
}

int server_cases_run(const char *transport, const char *const *not_applying)
{
    static struct suite_case cases[CASES_MAX];
    size_t count = 0;
    char suite[32];
    fixture_transport = transport;
    for (size_t file = 0; file < sizeof files / sizeof files[0]; file++) {
        for (size_t i = 0; i < *files[file].count; i++) {
            assert(count < CASES_MAX);
            if (!listed(files[file].cases[i].name, not_applying))
                cases[count++] = files[file].cases[i];
        }
    }
    snprintf(suite, sizeof suite, "server_%s", transport);
    return suite_main(suite, cases, count);
}
