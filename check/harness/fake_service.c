#include "config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check/harness/fake_service.h"

enum { CONNECTIONS_MAX = 256, REQUEST_BYTES = 16384, ANSWER_BYTES = 1024 * 1024, BACKLOG = 128, LOOK_MS = 20 };

struct connection {
    struct fake_service *fake;
    int fd;
    pthread_t thread;
    atomic_bool ended;                                /* its thread has nothing left to do but to be joined */
};

struct fake_service {
    fake_answer *answer;
    void *context;
    int listen_fd;
    char url[64];
    pthread_t acceptor;
    atomic_bool over;
    unsigned count;                                   /* slots in use or used before; the acceptor's till its end */
    struct connection connections[CONNECTIONS_MAX];
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
        size_t body = field ? strtoul(field + strlen("Content-Length: "), NULL, 10) : 0;
        if (end && length >= (size_t)(end + 4 - request) + body)
            return true;
    }
}

static void hang(const struct connection *connection)
{
    struct pollfd watched = {.fd = connection->fd, .events = POLLIN | POLLRDHUP};
    while (!atomic_load(&connection->fake->over) && poll(&watched, 1, LOOK_MS) == 0)
        continue;
}

static void *serve(void *argument)
{
    struct connection *connection = argument;
    struct fake_service *fake = connection->fake;
    enum fake_end end = FAKE_KEEP;
    char request[REQUEST_BYTES];
    struct buf out;
    while (end == FAKE_KEEP && read_request(connection->fd, request)) {
        buf_init(&out, ANSWER_BYTES);
        end = fake->answer(request, &out, fake->context);
        send_all(connection->fd, buf_text(&out).at, out.length);
        buf_fini(&out);
    }
    if (end == FAKE_HANG)
        hang(connection);
    shutdown(connection->fd, SHUT_RDWR);
    atomic_store(&connection->ended, true);
    return NULL;
}

/* One that has ended makes room for another. */
static struct connection *find_slot(struct fake_service *fake)
{
    for (unsigned i = 0; i < fake->count; i++) {
        struct connection *connection = &fake->connections[i];
        if (!atomic_load(&connection->ended))
            continue;
        pthread_join(connection->thread, NULL);
        close(connection->fd);
        return connection;
    }
    assert(fake->count < CONNECTIONS_MAX);
    return &fake->connections[fake->count++];
}

static void *accept_all(void *argument)
{
    struct fake_service *fake = argument;
    int fd;
    while ((fd = accept(fake->listen_fd, NULL, NULL)) >= 0) {
        struct connection *connection = find_slot(fake);
        connection->fake = fake;
        connection->fd = fd;
        atomic_store(&connection->ended, false);
        if (pthread_create(&connection->thread, NULL, serve, connection) != 0)
            abort();
    }
    return NULL;
}

struct fake_service *fake_service_start(fake_answer *answer, void *context)
{
    return fake_service_start_at(0, answer, context);
}

/* Of any kind of address; -1: it cannot be had. */
static int listen_at(const struct sockaddr *address, socklen_t length)
{
    const int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, address, length) && !listen(fd, BACKLOG))
        return fd;
    close(fd);
    return -1;
}

/* The port is where both kinds of addresses have it. */
static struct fake_service *start_on(int fd, const char *host, fake_answer *answer, void *context)
{
    struct sockaddr_in6 address;
    socklen_t length = sizeof address;
    struct fake_service *fake = calloc(1, sizeof *fake);
    assert(fake);
    fake->answer = answer;
    fake->context = context;
    fake->listen_fd = fd;
    if (getsockname(fd, (struct sockaddr *)&address, &length) ||
        pthread_create(&fake->acceptor, NULL, accept_all, fake))
        abort();
    snprintf(fake->url, sizeof fake->url, "http://%s:%d", host, ntohs(address.sin6_port));
    return fake;
}

struct fake_service *fake_service_start_at(unsigned port, fake_answer *answer, void *context)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = listen_at((const struct sockaddr *)&address, sizeof address);
    if (fd < 0)
        abort();
    return start_on(fd, "127.0.0.1", answer, context);
}

struct fake_service *fake_service_start_v6(fake_answer *answer, void *context)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = listen_at((const struct sockaddr *)&address, sizeof address);
    return fd < 0 ? NULL : start_on(fd, "[::1]", answer, context);
}

void fake_service_stop(struct fake_service *fake)
{
    atomic_store(&fake->over, true);
    shutdown(fake->listen_fd, SHUT_RDWR);
    pthread_join(fake->acceptor, NULL);
    close(fake->listen_fd);
    for (unsigned i = 0; i < fake->count; i++) {
        shutdown(fake->connections[i].fd, SHUT_RDWR);
        pthread_join(fake->connections[i].thread, NULL);
        close(fake->connections[i].fd);
    }
    free(fake);
}

const char *fake_service_url(const struct fake_service *fake)
{
    return fake->url;
}

const char *fake_service_header(const char *head, const char *name, char out[static FAKE_HEADER_SIZE])
{
    size_t length = strlen(name);
    const char *end = strstr(head, "\r\n\r\n");
    out[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line && line != end; line = strstr(line + 2, "\r\n")) {
        const char *value = line + 2 + length;
        if (strncasecmp(line + 2, name, length) != 0 || *value != ':')
            continue;
        value += 1 + strspn(value + 1, " ");
        snprintf(out, FAKE_HEADER_SIZE, "%.*s", (int)strcspn(value, "\r"), value);
        return out;
    }
    return out;
}

void fake_service_say(struct buf *out, int status, const char *headers, const char *body)
{
    buf_addf(out, "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, body ? strlen(body) : 0,
             body ? body : "");
}
