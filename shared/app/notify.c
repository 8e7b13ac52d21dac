#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/notify.h"

/* In an abstract name, which is not ended by a zero, '@' stands for the zero it begins with. */
static bool address_of(const char *name, struct sockaddr_un *ret, socklen_t *ret_size)
{
    size_t length = strlen(name);
    if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof ret->sun_path)
        return false;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, length);
    if (*name == '@')
        ret->sun_path[0] = '\0';
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name == '/'));
    return true;
}

enum err notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size;
    if (!name || !*name)
        return ERR_NONE;
    if (!address_of(name, &address, &size))
        return err_because(ERR_CONFIG, "NOTIFY_SOCKET is no socket: \"%s\"", name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ssize_t sent = fd < 0 ? -1 : sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    enum err err = sent < 0 ? err_because(ERR_IO, "tell %s to %s: %s", state, name, strerror(errno)) : ERR_NONE;
    if (fd >= 0)
        close(fd);
    return err;
}
