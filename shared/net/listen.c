#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "net/listen.h"

enum { SYSTEMD_FIRST_FD = 3, HOST_SIZE = 256 };

static bool is_listening(int fd)
{
    int listening = 0, type = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) || !listening)
        return false;
    size = sizeof type;
    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM;
}

static enum err set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return err_because(ERR_IO, "fcntl on the listening socket: %s", strerror(errno));
    return ERR_NONE;
}

static bool environment_int(const char *name, int64_t *ret)
{
    const char *value = getenv(name);
    return value && text_to_int(text_of(value), ret) == ERR_NONE;
}

/* The first socket that systemd passed, or -1. The variables are for this process alone, not for its children. */
static int systemd_fd(void)
{
    int64_t pid, count;
    bool ours = environment_int("LISTEN_PID", &pid) && pid == getpid() && environment_int("LISTEN_FDS", &count) &&
                count > 0;
    if (!ours)
        return -1;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return SYSTEMD_FIRST_FD;
}

static enum err inherit(int fd, struct listener *ret)
{
    if (!is_listening(fd))
        return err_because(ERR_CONFIG, "the inherited descriptor %d is not a listening stream socket", fd);
    enum err err = set_flags(fd);
    if (!err)
        *ret = (struct listener){.fd = fd, .inherited = true};
    return err;
}

static enum err failed(int fd, const char *address, const char *what)
{
    enum err err = errno == EADDRINUSE ? err_because(ERR_IO, "%s is already in use", address)
                                       : err_because(ERR_IO, "%s %s: %s", what, address, strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

/* A socket file whose program has gone refuses connections; one that is in use takes them, or is too busy to. */
static bool is_dead(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return dead;
}

static const struct text unix_scheme = {"unix:", 5};

static enum err unix_address(const char *path, const char *address, struct sockaddr_un *ret)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof where.sun_path)
        return err_because(ERR_CONFIG, "%s: the path is empty or longer than %zu bytes", address,
                           sizeof where.sun_path - 1);
    snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
    *ret = where;
    return ERR_NONE;
}

/* Bound, with its mode set before anybody can connect: until listen() the socket refuses. */
static enum err open_unix(const char *path, const char *address, unsigned mode, struct listener *ret)
{
    struct sockaddr_un where;
    struct stat status;
    enum err fault = unix_address(path, address, &where);
    if (fault)
        return fault;
    if (!lstat(path, &status) && S_ISSOCK(status.st_mode) && is_dead(&where))
        unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failed(fd, address, "socket for");
    if (bind(fd, (const struct sockaddr *)&where, sizeof where))
        return failed(fd, address, "bind");
    if (chmod(path, (mode_t)mode) || listen(fd, LISTEN_BACKLOG)) {
        enum err err = failed(fd, address, "listen on");
        unlink(path);
        return err;
    }
    *ret = (struct listener){.fd = fd};
    snprintf(ret->path, sizeof ret->path, "%s", path);
    return ERR_NONE;
}

/* Cuts "127.0.0.1:9001" or "[::1]:9001" into its parts. */
static bool host_and_port(const char *address, char host[static HOST_SIZE], const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (!colon || text_to_int(text_of(colon + 1), &port) || port < 0 || port > 65535)
        return false;
    const char *begin = address, *end = colon;
    if (*begin == '[' && end > begin && end[-1] == ']') {
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin))) {
        return false;
    }
    if (end <= begin || end - begin >= HOST_SIZE)
        return false;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    *ret_port = colon + 1;
    return true;
}

/* The caller does freeaddrinfo(). */
static enum err tcp_address(const char *address, struct addrinfo **ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    char host[HOST_SIZE];
    const char *port;
    if (!host_and_port(address, host, &port) || getaddrinfo(host, port, &hints, ret))
        return err_because(ERR_CONFIG, "\"%s\" is not unix:/PATH, ADDRESS:PORT or [ADDRESS]:PORT", address);
    return ERR_NONE;
}

enum err listen_check(const char *address)
{
    struct sockaddr_un where;
    struct addrinfo *found = NULL;
    if (!*address)
        return ERR_NONE;
    if (text_starts(text_of(address), unix_scheme))
        return unix_address(address + unix_scheme.length, address, &where);
    enum err err = tcp_address(address, &found);
    if (!err)
        freeaddrinfo(found);
    return err;
}

static enum err open_tcp(const char *address, struct listener *ret)
{
    struct addrinfo *found;
    int on = 1;
    enum err fault = tcp_address(address, &found);
    if (fault)
        return fault;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool bound = fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
                 !bind(fd, found->ai_addr, found->ai_addrlen) && !listen(fd, LISTEN_BACKLOG);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    if (!bound)
        return failed(fd, address, "listen on");
    *ret = (struct listener){.fd = fd};
    return ERR_NONE;
}

enum err listener_open(const struct listen_opts *opts, struct listener *ret)
{
    const char *address = opts->address ? opts->address : "";
    int passed = systemd_fd();
    if (passed >= 0)
        return inherit(passed, ret);
    if (is_listening(STDIN_FILENO))
        return inherit(STDIN_FILENO, ret);
    if (!*address)
        return err_because(ERR_CONFIG, "there is no address to listen on and no socket was passed");
    if (text_starts(text_of(address), unix_scheme))
        return open_unix(address + unix_scheme.length, address, opts->socket_mode, ret);
    return open_tcp(address, ret);
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (*listener->path)
        unlink(listener->path);
    *listener = (struct listener){.fd = -1};
}
