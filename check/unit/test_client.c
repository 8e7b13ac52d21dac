/* The HTTP client, against a server in this process that answers by path: well, badly, or not at all. */
#include "config.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "net/client.h"

enum { MAX_CONNECTIONS = 32, REQUEST_BYTES = 8192, THREADS = 4, CALLS = 25, RESPONSE_BYTES = 4096 };

static struct {
    int listen_fd;
    char base_url[64];
    pthread_t acceptor;
    pthread_t threads[MAX_CONNECTIONS];
    int fds[MAX_CONNECTIONS];
    atomic_int connections;
    pthread_mutex_t lock;
    char latest[REQUEST_BYTES];     /* the request that was read last */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the server ---- */

static const struct {
    const char *path, *reply;
    bool close;
} replies[] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
    {"/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", false},
    {"/empty", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", false},
    {"/garbage", "good morning\r\n\r\n", true},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", true},
    {"/silent", "", true},
    {"/announced", "HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n", true},
    {"/hang", NULL, false},
};

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void send_endless(int fd)
{
    static const char chunk[] = "400\r\n";
    char data[0x400 + 2];

    memset(data, 'x', sizeof data - 2);
    memcpy(data + sizeof data - 2, "\r\n", 2);
    send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
    for (int i = 0; i < 64; i++) {
        send_all(fd, chunk, sizeof chunk - 1);
        send_all(fd, data, sizeof data);
    }
}

/* Whether the connection is to be kept. */
static bool answer(int fd, const char *request)
{
    const char *path = strchr(request, ' ') + 1;
    size_t length = strcspn(path, " ?");

    if (length == strlen("/endless") && !strncmp(path, "/endless", length)) {
        send_endless(fd);
        return false;
    }
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        if (strlen(replies[i].path) != length || strncmp(path, replies[i].path, length))
            continue;
        if (replies[i].reply)
            send_all(fd, replies[i].reply, strncmp(request, "HEAD", 4) ? strlen(replies[i].reply)
                     : (size_t)(strstr(replies[i].reply, "\r\n\r\n") + 4 - replies[i].reply));
        return !replies[i].close;
    }
    return false;
}

static bool read_request(int fd, char *request)
{
    size_t length = 0;

    for (;;) {
        ssize_t got = recv(fd, request + length, REQUEST_BYTES - 1 - length, 0);

        if (got <= 0)
            return false;
        length += (size_t)got;
        request[length] = '\0';
        const char *end = strstr(request, "\r\n\r\n"), *field = strstr(request, "Content-Length: ");
        size_t body = field ? strtoul(field + 16, NULL, 10) : 0;
        if (end && length >= (size_t)(end + 4 - request) + body)
            return true;
    }
}

static void *serve(void *context)
{
    int fd = *(int *)context;
    char request[REQUEST_BYTES];

    while (read_request(fd, request)) {
        pthread_mutex_lock(&server.lock);
        memcpy(server.latest, request, strlen(request) + 1);
        pthread_mutex_unlock(&server.lock);
        if (!answer(fd, request))
            break;
    }
    shutdown(fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *context)
{
    int fd;

    (void)context;
    while ((fd = accept(server.listen_fd, NULL, NULL)) >= 0 && server.connections < MAX_CONNECTIONS) {
        int i = server.connections;

        server.fds[i] = fd;
        server.connections++;
        pthread_create(&server.threads[i], NULL, serve, &server.fds[i]);
    }
    return NULL;
}

static void server_begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    server.connections = 0;
    server.listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(server.listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(server.listen_fd, 16), 0);
    getsockname(server.listen_fd, (struct sockaddr *)&address, &length);
    snprintf(server.base_url, sizeof server.base_url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&server.acceptor, NULL, accept_all, NULL), 0);
}

static void server_end(void)
{
    shutdown(server.listen_fd, SHUT_RDWR);
    pthread_join(server.acceptor, NULL);
    close(server.listen_fd);
    for (int i = 0; i < server.connections; i++) {
        shutdown(server.fds[i], SHUT_RDWR);
        pthread_join(server.threads[i], NULL);
        close(server.fds[i]);
    }
}

/* Of tests with one call at a time. */
static const char *latest(void)
{
    pthread_mutex_lock(&server.lock);
    pthread_mutex_unlock(&server.lock);
    return server.latest;
}

/* ---- calls ---- */

static struct client *client;
static struct client_response response;

static void begin(void)
{
    struct client_opts opts = {.connect_timeout_ms = 2000, .response_max_bytes = RESPONSE_BYTES};

    server_begin();
    opts.base_url = server.base_url;
    CU_ASSERT_EQUAL_FATAL(client_new(&opts, &client), ERR_NONE);
}

static void end(void)
{
    client_free(client);
    server_end();
}

static enum err get(const char *path)
{
    struct client_request request = {.method = HTTP_GET, .path = path, .timeout_ms = 10000};

    response = (struct client_response){.status = -1};
    return client_call(client, &request, &response);
}

static void test_answers(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(get("/ok?a=%20b"), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 200);
    CU_ASSERT_STRING_EQUAL(buf_string(&response.body), "ok");
    buf_fini(&response.body);
    CU_ASSERT_PTR_NOT_NULL(strstr(latest(), "GET /ok?a=%20b HTTP/1.1\r\n"));
    CU_ASSERT_EQUAL_FATAL(get("/missing"), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 404);
    CU_ASSERT_STRING_EQUAL(buf_string(&response.body), "gone");
    buf_fini(&response.body);
    CU_ASSERT_EQUAL_FATAL(get("/empty"), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 204);
    CU_ASSERT_EQUAL(response.body.length, 0);
    buf_fini(&response.body);
    CU_ASSERT_EQUAL_FATAL(get("/redirect"), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 302);
    buf_fini(&response.body);
    CU_ASSERT_EQUAL(server.connections, 1);
    end();
}

static void test_requests(void)
{
    struct http_param headers[] = {{TEXT("Authorization"), TEXT("Bearer t")}, {TEXT("X-Empty"), TEXT("")}};
    struct client_request request = {.path = "/ok", .headers = headers, .header_count = 2, .timeout_ms = 10000};

    begin();
    for (enum http_method method = 0; method < HTTP_OTHER; method++) {
        char line[64];

        request.method = method;
        request.body = method == HTTP_PUT || method == HTTP_PATCH ? TEXT("{\"a\":1}") : TEXT_NONE;
        CU_ASSERT_EQUAL_FATAL(client_call(client, &request, &response), ERR_NONE);
        CU_ASSERT_EQUAL(response.body.length, method == HTTP_HEAD ? 0 : 2);
        buf_fini(&response.body);
        snprintf(line, sizeof line, "%s /ok HTTP/1.1\r\n", http_method_name(method));
        CU_ASSERT_EQUAL(strncmp(latest(), line, strlen(line)), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(latest(), "\r\nAuthorization: Bearer t\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(latest(), "\r\nX-Empty:\r\n"));
        CU_ASSERT_PTR_NULL(strstr(latest(), "Expect"));
        CU_ASSERT_EQUAL(!strstr(latest(), "\r\n\r\n{\"a\":1}"), !request.body.at);
        CU_ASSERT_EQUAL(!strstr(latest(), "Content-Type: application/json\r\n"), !request.body.at);
    }
    CU_ASSERT_EQUAL(server.connections, 1);
    end();
}

static void test_nothing_stays(void)
{
    struct http_param headers[] = {{TEXT("Authorization"), TEXT("Bearer secret")}};
    struct client_request request = {.method = HTTP_PUT, .path = "/ok", .headers = headers, .header_count = 1,
                                     .body = TEXT("{}"), .timeout_ms = 10000};

    begin();
    CU_ASSERT_EQUAL_FATAL(client_call(client, &request, &response), ERR_NONE);
    buf_fini(&response.body);
    CU_ASSERT_EQUAL_FATAL(get("/ok"), ERR_NONE);
    buf_fini(&response.body);
    CU_ASSERT_EQUAL(strncmp(latest(), "GET ", 4), 0);
    CU_ASSERT_PTR_NULL(strstr(latest(), "secret"));
    CU_ASSERT_PTR_NULL(strstr(latest(), "Content-"));
    end();
}

static void test_failures(void)
{
    static const struct {
        const char *path;
        enum err err;
    } rows[] = {
        {"/garbage", ERR_PROTOCOL}, {"/cut", ERR_PROTOCOL}, {"/silent", ERR_UNAVAILABLE},
        {"/announced", ERR_TOO_LARGE}, {"/endless", ERR_TOO_LARGE}, {"/a b", ERR_INVALID},
    };

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(get(rows[i].path), rows[i].err);
        CU_ASSERT_EQUAL(response.status, -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), rows[i].path));
    }
    CU_ASSERT_EQUAL_FATAL(get("/ok"), ERR_NONE);   /* and it still works */
    buf_fini(&response.body);
    end();
}

static void test_deadline(void)
{
    struct client_request request = {.method = HTTP_GET, .path = "/hang", .timeout_ms = 50};
    int64_t started_ns;

    begin();
    started_ns = clock_now_ns();
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_DEADLINE);
    CU_ASSERT(clock_now_ns() - started_ns >= 49 * NS_PER_MS);
    CU_ASSERT(clock_now_ns() - started_ns < 5 * NS_PER_S);
    request.timeout_ms = 0;
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_DEADLINE);
    end();
}

static void test_unreachable(void)
{
    begin();
    server_end();
    CU_ASSERT_EQUAL(get("/ok"), ERR_UNAVAILABLE);
    client_free(client);
}

static void test_forged_header(void)
{
    struct http_param header = {TEXT("X"), TEXT("a\r\nY: b")};
    struct client_request request = {.method = HTTP_GET, .path = "/ok", .headers = &header, .header_count = 1,
                                     .timeout_ms = 10000};

    begin();
    CU_ASSERT_EQUAL(client_call(client, &request, &response), ERR_INVALID);
    CU_ASSERT_EQUAL(server.connections, 0);
    end();
}

static void test_bad_urls(void)
{
    static const char *const bad[] = {NULL, "", "http://", "ftp://a", "file:///etc/passwd", "127.0.0.1", "http://a b"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct client_opts opts = {.base_url = bad[i], .connect_timeout_ms = 1000, .response_max_bytes = 1000};

        CU_ASSERT_EQUAL(client_new(&opts, &client), ERR_CONFIG);
    }
    client_free(NULL);
}

static void *call_often(void *context)
{
    struct client_request request = {.method = HTTP_GET, .path = "/ok", .timeout_ms = 10000};
    atomic_int *good = context;

    for (int i = 0; i < CALLS; i++) {
        struct client_response own;

        if (client_call(client, &request, &own))
            continue;
        *good += own.status == 200;
        buf_fini(&own.body);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    atomic_int good = 0;

    begin();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_often, &good);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(good, THREADS * CALLS);
    CU_ASSERT(server.connections <= THREADS);
    end();
}

static const struct suite_case cases[] = {
    {"any answer is success, on one kept connection", test_answers},
    {"method, headers and body are sent", test_requests},
    {"nothing of a call stays for the next", test_nothing_stays},
    {"each failure has its error and cause", test_failures},
    {"a call ends at its deadline", test_deadline},
    {"who cannot be reached is unavailable", test_unreachable},
    {"a header value cannot forge a header", test_forged_header},
    {"only http and https are taken", test_bad_urls},
    {"threads share a client", test_threads},
};

int main(void)
{
    return suite_main("client", cases, sizeof cases / sizeof cases[0]);
}
