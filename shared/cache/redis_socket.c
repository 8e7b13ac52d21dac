#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/redis_socket.h"

enum { PORT_SIZE = 12 };

/* ---- waiting ---- */

enum err redis_socket_wait(int fd, short events, int64_t deadline_ns)
{
    struct pollfd waiting = {.fd = fd, .events = events};
    for (;;) {
        int64_t left_ns = deadline_ns - clock_now_ns();
        if (left_ns <= 0)
            return err_because(ERR_DEADLINE, "there was no answer in time");
        const struct timespec left = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
        int ready = ppoll(&waiting, 1, &left, NULL);
        if (ready > 0)
            return ERR_NONE;
        if (ready < 0 && errno != EINTR)
            return err_because(ERR_UNAVAILABLE, "poll: %s", strerror(errno));
    }
}

enum err redis_socket_err(int error)
{
    if (error == EPIPE || error == ECONNRESET)
        return err_because(ERR_CLOSED, "the server has closed the connection");
    return err_because(ERR_UNAVAILABLE, "%s", strerror(error));
}

/* ---- connecting ---- */

static enum err finish_connecting(int fd, int64_t deadline_ns)
{
    int error = 0;
    socklen_t size = sizeof error;
    enum err err = redis_socket_wait(fd, POLLOUT, deadline_ns);
    if (!err && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    return err ? err : error ? err_because(ERR_UNAVAILABLE, "%s", strerror(error)) : ERR_NONE;
}

static enum err connect_to(const struct sockaddr *address, socklen_t size, int64_t deadline_ns, int *ret_fd)
{
    enum err err = ERR_NONE;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_because(ERR_UNAVAILABLE, "socket: %s", strerror(errno));
    if (connect(fd, address, size) < 0)
        err = errno == EINPROGRESS ? finish_connecting(fd, deadline_ns)
                                   : err_because(ERR_UNAVAILABLE, "%s", strerror(errno));
    if (err)
        close(fd);
    else
        *ret_fd = fd;
    return err;
}

static enum err open_unix(const char *path, int64_t deadline_ns, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return err_because(ERR_UNAVAILABLE, "the socket's path is too long");
    memcpy(address.sun_path, path, strlen(path));
    return connect_to((const struct sockaddr *)&address, sizeof address, deadline_ns, ret_fd);
}

static enum err open_tcp(const struct redis_address *address, int64_t deadline_ns, int *ret_fd)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    char port[PORT_SIZE];
    const int on = 1;
    snprintf(port, sizeof port, "%u", address->port);
    int status = getaddrinfo(address->host, port, &wanted, &found);
    if (status != 0)
        return err_because(ERR_UNAVAILABLE, "%s", gai_strerror(status));
    enum err err = ERR_UNAVAILABLE;
    for (const struct addrinfo *one = found; one && err && err != ERR_DEADLINE; one = one->ai_next)
        err = connect_to(one->ai_addr, one->ai_addrlen, deadline_ns, ret_fd);
    freeaddrinfo(found);
    if (!err)
        (void)setsockopt(*ret_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return err;
}

enum err redis_socket_open(const struct redis_address *address, int64_t deadline_ns, int *ret_fd)
{
    return address->port ? open_tcp(address, deadline_ns, ret_fd) : open_unix(address->host, deadline_ns, ret_fd);
}
