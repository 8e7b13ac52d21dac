#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "telemetry/log_sink.h"
#include "telemetry/log_syslog.h"

enum { FILE_MODE = 0640 };

/* How much may be written at once without waiting: a pipe takes whole what fits PIPE_BUF, and a terminal is slow. */
static void look_at(struct log_sink *sink, size_t batch_max)
{
    struct stat status;
    bool known = fstat(sink->fd, &status) == 0;

    sink->is_socket = known && S_ISSOCK(status.st_mode);
    bool takes_all = known && (S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode)
                               || (S_ISCHR(status.st_mode) && !isatty(sink->fd)));
    sink->batch_max = takes_all ? batch_max : PIPE_BUF;
    if (sink->kind == LOG_TO_SYSLOG)
        sink->batch_max = 0;
}

/* Not blocking, for what a path can be beside a file: a pipe that nobody reads. */
static enum err open_file(const char *path, int *ret_fd)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, FILE_MODE);

    if (fd < 0)
        return err_because(ERR_IO, "%s: %s", path, errno == ENXIO ? "a pipe without a reader" : strerror(errno));
    *ret_fd = fd;
    return ERR_NONE;
}

enum err log_sink_open(const struct log_sink_opts *opts, size_t batch_max, struct log_sink *ret)
{
    struct log_sink sink = {.kind = opts->kind, .fd = opts->fd, .service = opts->service};
    enum err err = ERR_NONE;

    if (opts->kind != LOG_TO_FD && !(sink.path = strdup(opts->path)))
        return err_because(ERR_MEMORY, "no memory for the log");
    if (opts->kind == LOG_TO_FILE)
        err = open_file(sink.path, &sink.fd);
    if (opts->kind == LOG_TO_SYSLOG)
        err = log_syslog_connect(sink.path, &sink.fd);
    if (err) {
        free(sink.path);
        return err;
    }
    look_at(&sink, batch_max);
    *ret = sink;
    return ERR_NONE;
}

void log_sink_close(struct log_sink *sink)
{
    if (sink->kind != LOG_TO_FD)
        close(sink->fd);
    free(sink->path);
}

enum err log_sink_reopen(struct log_sink *sink)
{
    int fd = -1;

    if (sink->kind != LOG_TO_FILE)
        return ERR_NONE;
    enum err err = open_file(sink->path, &fd);
    if (err)
        return err;
    close(sink->fd);
    sink->fd = fd;
    return ERR_NONE;
}

/* A syslog that was started anew has a new socket at the old path. */
static bool connect_again(struct log_sink *sink)
{
    int fd = -1;

    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == EMSGSIZE)
        return false;
    if (log_syslog_connect(sink->path, &fd))
        return false;
    close(sink->fd);
    sink->fd = fd;
    return true;
}

static ssize_t send_line(struct log_sink *sink, unsigned level, const char *line, size_t length)
{
    ssize_t sent = log_syslog_send(sink->fd, level, sink->service, line, length - 1);

    if (sent < 0 && connect_again(sink))
        sent = log_syslog_send(sink->fd, level, sink->service, line, length - 1);
    return sent < 0 ? sent : (ssize_t)length;
}

/* That another process fills a shared pipe between poll() and write(), which then waits, is accepted. */
ssize_t log_sink_write(struct log_sink *sink, unsigned level, const char *bytes, size_t length)
{
    if (sink->kind == LOG_TO_SYSLOG)
        return send_line(sink, level, bytes, length);
    if (sink->is_socket)
        return send(sink->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(sink->fd, bytes, length < sink->batch_max ? length : sink->batch_max);
}
