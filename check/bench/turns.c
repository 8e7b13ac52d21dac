#include "config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/bench/turns.h"

enum { EVENTS_MAX = 64, PATIENCE_MS = 10000 };

struct connection {
    int fd;
    size_t length;
    char answer[TURNS_ANSWER_MAX];
};

struct turns {
    int epoll_fd;
    unsigned connection_count;
    struct connection *connections;
    const struct turn *turn;   /* under way */
    int64_t until_ns;
    long sent, answered;
};

static enum err connect_one(struct turns *turns, struct connection *connection, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = connection};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return err_because(ERR_IO, "no connection to port %u: %s", port, strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(turns->epoll_fd, EPOLL_CTL_ADD, connection->fd, &wanted) != 0)
        return err_because(ERR_IO, "epoll: %s", strerror(errno));
    return ERR_NONE;
}

enum err turns_open(unsigned port, unsigned connections, struct turns **ret)
{
    struct turns *turns = calloc(1, sizeof *turns);
    enum err err = turns ? ERR_NONE : ERR_MEMORY;
    if (!err && !(turns->connections = calloc(connections, sizeof *turns->connections)))
        err = ERR_MEMORY;
    if (err) {
        free(turns);
        return err_because(err, "no memory for %u connections", connections);
    }
    turns->connection_count = connections;
    for (unsigned i = 0; i < connections; i++)
        turns->connections[i].fd = -1;
    turns->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < connections && !err; i++)
        err = connect_one(turns, &turns->connections[i], port);
    if (err)
        turns_close(turns);
    else
        *ret = turns;
    return err;
}

void turns_close(struct turns *turns)
{
    if (!turns)
        return;
    for (unsigned i = 0; i < turns->connection_count; i++)
        if (turns->connections[i].fd >= 0)
            close(turns->connections[i].fd);
    if (turns->epoll_fd >= 0)
        close(turns->epoll_fd);
    free(turns->connections);
    free(turns);
}

/* ---- a turn ---- */

static bool is_over(const struct turns *turns)
{
    return (turns->turn->requests > 0 && turns->sent == turns->turn->requests) || clock_now_ns() >= turns->until_ns;
}

static enum err send_next(struct turns *turns, struct connection *connection)
{
    char request[TURNS_REQUEST_MAX];
    if (is_over(turns))
        return ERR_NONE;
    turns->turn->request(turns->turn->context, request);
    size_t length = strlen(request);
    assert(length < sizeof request - 1);   /* a longer one was cut */
    connection->length = 0;
    if (send(connection->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        return err_because(ERR_IO, "a request cannot be sent: %s", strerror(errno));
    turns->sent++;
    return ERR_NONE;
}

/* Every answer here has a Content-Length. */
static bool is_whole(const struct connection *connection)
{
    static const char length_name[] = "Content-Length: ";
    const char *end = strstr(connection->answer, "\r\n\r\n"), *length = strcasestr(connection->answer, length_name);
    if (!end || !length || length > end)
        return false;
    size_t head = (size_t)(end + 4 - connection->answer);
    return connection->length >= head + strtoul(length + sizeof length_name - 1, NULL, 10);
}

static enum err receive(struct turns *turns, struct connection *connection)
{
    size_t room = sizeof connection->answer - 1 - connection->length;
    ssize_t got = recv(connection->fd, connection->answer + connection->length, room, 0);
    if (got <= 0)
        return err_because(ERR_IO, "no answer came: %s", got < 0 ? strerror(errno) : "the connection was closed");
    connection->length += (size_t)got;
    connection->answer[connection->length] = '\0';
    if (!is_whole(connection))
        return connection->length < sizeof connection->answer - 1
                   ? ERR_NONE : err_because(ERR_INTERNAL, "an answer is longer than %d bytes", TURNS_ANSWER_MAX);
    int status = 0;
    if (sscanf(connection->answer, "HTTP/1.1 %d", &status) != 1 || status != turns->turn->status)
        return err_because(ERR_INTERNAL, "answered %d, and not %d", status, turns->turn->status);
    turns->answered++;
    return send_next(turns, connection);
}

enum err turns_run(struct turns *turns, const struct turn *turn, long *ret_requests)
{
    struct epoll_event events[EVENTS_MAX];
    enum err err = ERR_NONE;
    assert(turn->requests > 0 || turn->ms > 0);
    turns->turn = turn;
    turns->until_ns = turn->ms > 0 ? clock_now_ns() + turn->ms * NS_PER_MS : INT64_MAX;
    turns->sent = turns->answered = 0;
    for (unsigned i = 0; i < turns->connection_count && !err; i++)
        err = send_next(turns, &turns->connections[i]);
    while (!err && turns->answered < turns->sent) {
        int count = epoll_wait(turns->epoll_fd, events, EVENTS_MAX, PATIENCE_MS);
        if (count == 0 || (count < 0 && errno != EINTR))
            err = err_because(ERR_IO, "no answer came within %d ms", PATIENCE_MS);
        for (int i = 0; i < count && !err; i++)
            err = receive(turns, events[i].data.ptr);
    }
    if (!err)
        *ret_requests = turns->answered;
    return err;
}
