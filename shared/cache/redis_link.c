#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "cache/redis_link.h"
#include "cache/redis_replies.h"

enum { READ_AT_ONCE = 16 * 1024, KEPT_BYTES = 64 * 1024 };

struct redis_link {
    int fd;
    struct redis_tls *tls;         /* NULL: none */
    struct buf out;
    struct redis_replies *replies;
};

/* ---- life ---- */

enum err redis_link_open(const struct redis_address *address, const struct redis_tls_opts *tls, int64_t deadline_ns,
                         struct redis_link **ret)
{
    struct redis_link *link = calloc(1, sizeof *link);
    if (!link)
        return err_because(ERR_MEMORY, "no memory for a connection to Redis");
    link->fd = -1;
    buf_init(&link->out, REDIS_SENT_MAX);
    enum err err = redis_replies_new(&link->replies);
    if (!err)
        err = redis_socket_open(address, deadline_ns, &link->fd);
    if (!err && tls)
        err = redis_tls_open(tls, link->fd, address->host, deadline_ns, &link->tls);
    if (err)
        redis_link_close(link);
    else
        *ret = link;
    return err;
}

void redis_link_close(struct redis_link *link)
{
    if (!link)
        return;
    redis_tls_close(link->tls);
    if (link->fd >= 0)
        close(link->fd);
    redis_replies_free(link->replies);
    buf_fini(&link->out);
    free(link);
}

/* ---- sending ---- */

static void add_count(struct buf *out, char mark, size_t count)
{
    buf_add_char(out, mark);
    buf_add_int(out, (long long)count);
    buf_add(out, "\r\n", 2);
}

void redis_link_add(struct redis_link *link, const struct redis_command *command)
{
    add_count(&link->out, '*', (size_t)command->count);
    for (int i = 0; i < command->count; i++) {
        add_count(&link->out, '$', command->lengths[i]);
        buf_add(&link->out, command->words[i], command->lengths[i]);
        buf_add(&link->out, "\r\n", 2);
    }
}

static enum err write_plain(const struct redis_link *link, struct text bytes, int64_t deadline_ns)
{
    enum err err = ERR_NONE;
    while (bytes.length > 0 && !err) {
        ssize_t sent = send(link->fd, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent >= 0)
            bytes = (struct text){bytes.at + sent, bytes.length - (size_t)sent};
        else if (errno == EAGAIN)
            err = redis_socket_wait(link->fd, POLLOUT, deadline_ns);
        else if (errno != EINTR)
            err = redis_socket_err(errno);
    }
    return err;
}

/* It may have held a password. */
static void empty(struct buf *out)
{
    if (out->data)
        explicit_bzero(out->data, out->length);
    buf_reset(out, KEPT_BYTES);
}

enum err redis_link_send(struct redis_link *link, int64_t deadline_ns)
{
    enum err err = buf_check(&link->out);
    struct text bytes = buf_text(&link->out);
    if (err)
        err = err_because(err, "commands of more than %d bytes, or no memory for them", REDIS_SENT_MAX);
    else
        err = link->tls ? redis_tls_write(link->tls, bytes, deadline_ns) : write_plain(link, bytes, deadline_ns);
    empty(&link->out);
    return err;
}

/* ---- reading ---- */

/* There is as a rule nothing to be read yet, so it is waited first. */
static enum err read_plain(const struct redis_link *link, void *storage, size_t capacity, int64_t deadline_ns,
                           size_t *ret_length)
{
    for (;;) {
        enum err err = redis_socket_wait(link->fd, POLLIN, deadline_ns);
        if (err)
            return err;
        ssize_t length = recv(link->fd, storage, capacity, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (length <= 0)
            return redis_socket_err(length < 0 ? errno : EPIPE);
        *ret_length = (size_t)length;
        return ERR_NONE;
    }
}

static enum err read_more(struct redis_link *link, int64_t deadline_ns)
{
    char bytes[READ_AT_ONCE];
    size_t length;
    enum err err = link->tls ? redis_tls_read(link->tls, bytes, sizeof bytes, deadline_ns, &length)
                             : read_plain(link, bytes, sizeof bytes, deadline_ns, &length);
    if (err == ERR_CLOSED && !redis_link_is_quiet(link))
        return err_because(ERR_UNAVAILABLE, "the server has closed the connection within a reply");
    return err ? err : redis_replies_feed(link->replies, (struct text){bytes, length});
}

enum err redis_link_read(struct redis_link *link, int64_t deadline_ns, redisReply **ret)
{
    enum err err;
    while ((err = redis_replies_take(link->replies, ret)) == ERR_AGAIN) {
        err = read_more(link, deadline_ns);
        if (err)
            break;
    }
    return err;
}

bool redis_link_is_quiet(const struct redis_link *link)
{
    return redis_replies_is_empty(link->replies);
}
