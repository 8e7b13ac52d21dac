#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "telemetry/log_syslog.h"

enum { HEAD_SIZE = 128, TIME_SIZE = 32 };

static const int severities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT};

enum err log_syslog_connect(const char *path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path)
        return err_because(ERR_IO, "%s is too long for a socket's path", path);
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        errno = code;
        return err_because(ERR_IO, "%s: %s", path, strerror(code));
    }
    *ret_fd = fd;
    return ERR_NONE;
}

ssize_t log_syslog_send(int fd, unsigned level, const char *service, const char *line, size_t length)
{
    char head[HEAD_SIZE], time_text[TIME_SIZE];
    time_t now = time(NULL);
    struct tm local;

    strftime(time_text, sizeof time_text, "%b %e %T", localtime_r(&now, &local));
    int head_length = snprintf(head, sizeof head, "<%d>%s tandem-%.32s[%ld]: ", LOG_DAEMON | severities[level],
                               time_text, service, (long)getpid());
    struct iovec parts[] = {{head, (size_t)head_length}, {(char *)(uintptr_t)line, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}
