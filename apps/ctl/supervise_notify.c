#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/notify.h"
#include "apps/ctl/supervise.h"
#include "base/text.h"

enum { MESSAGE_MAX = 4096 };

enum err notify_open(int *ret_fd, char ret_name[static NOTIFY_NAME_SIZE])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address.sun_family;
    int on = 1, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
                 bind(fd, (struct sockaddr *)&address, size) == 0;
    size = sizeof address;
    if (!bound || getsockname(fd, (struct sockaddr *)&address, &size)) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return err_because(ERR_IO, "a socket for the workers: %s", strerror(error));
    }
    size_t length = size - offsetof(struct sockaddr_un, sun_path) - 1;
    snprintf(ret_name, NOTIFY_NAME_SIZE, "@%.*s", (int)length, address.sun_path + 1);
    *ret_fd = fd;
    return ERR_NONE;
}

static bool has_line(struct text message, struct text wanted)
{
    while (message.at) {
        if (text_equal(text_split(&message, '\n'), wanted))
            return true;
    }
    return false;
}

/* The sender's process id is the kernel's word. */
static pid_t sender_of(struct msghdr *header)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        struct ucred credentials;
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS)
            continue;
        memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
        return credentials.pid;
    }
    return 0;
}

bool notify_take(int fd, pid_t *ret_from, bool *ret_ready)
{
    char message[MESSAGE_MAX];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec vector = {message, sizeof message};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                            .msg_controllen = sizeof control};
    ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return false;
    *ret_from = sender_of(&header);
    *ret_ready = has_line((struct text){message, (size_t)length}, TEXT(NOTIFY_READY));
    return true;
}
