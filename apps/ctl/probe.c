#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "apps/ctl/probe.h"
#include "base/clock.h"
#include "net/fcgi_wire.h"

enum { REQUEST_ID = 1, REQUEST_MAX = 64 * 1024, RECORD_MAX = FCGI_WIRE_HEADER_SIZE + FCGI_WIRE_CONTENT_MAX + 255 };

/* A conversation with one service: a socket and the time by which it must be over. */
struct probe {
    int fd;
    int64_t deadline_ns;
};

/* ---- the address ---- */

union address {
    struct sockaddr any;
    struct sockaddr_un path;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static enum err bad_address(const char *address)
{
    return err_because(ERR_CONFIG, "'%s' is not an address: unix:/path, 127.0.0.1:9001 or [::1]:9001", address);
}

static enum err read_path(const char *path, union address *ret, socklen_t *ret_size)
{
    if (path[0] != '/' || strlen(path) >= sizeof ret->path.sun_path)
        return err_because(ERR_CONFIG, "the path of a socket starts with '/' and has at most %zu bytes",
                           sizeof ret->path.sun_path - 1);
    ret->path = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->path.sun_path, path, strlen(path) + 1);
    *ret_size = sizeof ret->path;
    return ERR_NONE;
}

static enum err read_port(const char *address, union address *ret, socklen_t *ret_size)
{
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(address, ':');
    bool bracketed = address[0] == '[';
    int64_t port;
    if (!colon || text_to_int(text_of(colon + 1), &port) != ERR_NONE || port < 1 || port > 65535)
        return bad_address(address);
    const char *from = address + bracketed, *to = colon - bracketed;
    if (to <= from || (size_t)(to - from) >= sizeof host || (bracketed && *to != ']'))
        return bad_address(address);
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';

    memset(ret, 0, sizeof *ret);
    ret->any.sa_family = bracketed ? AF_INET6 : AF_INET;
    if (bracketed)
        ret->v6.sin6_port = htons((uint16_t)port);
    else
        ret->v4.sin_port = htons((uint16_t)port);
    *ret_size = bracketed ? sizeof ret->v6 : sizeof ret->v4;
    void *number = bracketed ? (void *)&ret->v6.sin6_addr : (void *)&ret->v4.sin_addr;
    return inet_pton(ret->any.sa_family, host, number) == 1 ? ERR_NONE : bad_address(address);
}

static enum err read_address(const char *address, union address *ret, socklen_t *ret_size)
{
    static const char unix_prefix[] = "unix:";
    if (strncmp(address, unix_prefix, sizeof unix_prefix - 1) == 0)
        return read_path(address + sizeof unix_prefix - 1, ret, ret_size);
    return read_port(address, ret, ret_size);
}

/* ---- the socket, until the deadline ---- */

static enum err wait_for(const struct probe *probe, short events)
{
    struct pollfd poll_fd = {.fd = probe->fd, .events = events};
    for (;;) {
        int64_t left_ns = probe->deadline_ns - clock_now_ns();
        int ready = left_ns > 0 ? poll(&poll_fd, 1, (int)(left_ns / NS_PER_MS) + 1) : 0;
        if (ready > 0)
            return ERR_NONE;
        if (ready == 0)
            return err_because(ERR_DEADLINE, "no answer in time");
        if (errno != EINTR)
            return err_because(ERR_IO, "poll: %s", strerror(errno));
    }
}

static enum err open_probe(const char *address, struct probe *probe)
{
    union address to;
    socklen_t size = 0, error_size = sizeof(int);
    int error = 0;
    enum err err = read_address(address, &to, &size);
    if (err)
        return err;
    probe->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0)
        return err_because(ERR_IO, "socket: %s", strerror(errno));
    if (connect(probe->fd, &to.any, size) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            err = wait_for(probe, POLLOUT);
            if (!err && getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0)
                error = errno;
        }
    }
    if (!err && error != 0)
        err = err_because(ERR_UNAVAILABLE, "connect to %s: %s", address, strerror(error));
    if (err)
        close(probe->fd);
    return err;
}

static enum err send_all(const struct probe *probe, struct text bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(probe->fd, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            enum err err = wait_for(probe, POLLOUT);
            if (err)
                return err;
        } else if (sent < 0 && errno != EINTR) {
            return err_because(ERR_UNAVAILABLE, "send: %s", strerror(errno));
        } else if (sent > 0) {
            bytes.at += sent;
            bytes.length -= (size_t)sent;
        }
    }
    return ERR_NONE;
}

static enum err receive_all(const struct probe *probe, unsigned char *into, size_t length)
{
    while (length > 0) {
        ssize_t got = recv(probe->fd, into, length, 0);
        if (got == 0)
            return err_because(ERR_PROTOCOL, "the service hung up in the middle of its answer");
        if (got < 0 && errno == EAGAIN) {
            enum err err = wait_for(probe, POLLIN);
            if (err)
                return err;
        } else if (got < 0 && errno != EINTR) {
            return err_because(ERR_UNAVAILABLE, "receive: %s", strerror(errno));
        } else if (got > 0) {
            into += got;
            length -= (size_t)got;
        }
    }
    return ERR_NONE;
}

/* ---- the request ---- */

static void add_record(struct buf *out, enum fcgi_wire_type type, struct text content)
{
    unsigned char header[FCGI_WIRE_HEADER_SIZE];
    fcgi_wire_header_encode(&(struct fcgi_wire_header){.version = FCGI_WIRE_VERSION, .type = (uint8_t)type,
                                                       .request_id = REQUEST_ID,
                                                       .content_length = (uint16_t)content.length}, header);
    buf_add(out, header, sizeof header);
    buf_add_text(out, content);
}

static void add_param(struct buf *out, const char *name, struct text value)
{
    unsigned char header[FCGI_WIRE_PAIR_HEADER_MAX];
    buf_add(out, header, fcgi_wire_pair_header(strlen(name), value.length, header));
    buf_add_string(out, name);
    buf_add_text(out, value);
}

static enum err make_request(struct text uri, struct buf *out)
{
    static const char begin[FCGI_WIRE_BODY_SIZE] = {0, FCGI_WIRE_RESPONDER};
    struct text query = uri, path = text_split(&query, '?');
    struct buf params;
    buf_init(&params, FCGI_WIRE_CONTENT_MAX);
    add_param(&params, "REQUEST_METHOD", TEXT("GET"));
    add_param(&params, "REQUEST_URI", uri);
    add_param(&params, "SCRIPT_NAME", path);
    add_param(&params, "QUERY_STRING", query.at ? query : TEXT(""));
    add_param(&params, "SERVER_PROTOCOL", TEXT("HTTP/1.1"));
    add_param(&params, "GATEWAY_INTERFACE", TEXT("CGI/1.1"));
    add_param(&params, "REMOTE_ADDR", TEXT("127.0.0.1"));
    add_param(&params, "HTTP_HOST", TEXT("localhost"));
    add_param(&params, "HTTP_USER_AGENT", TEXT("tandemctl/" PACKAGE_VERSION));
    add_record(out, FCGI_WIRE_BEGIN_REQUEST, (struct text){begin, sizeof begin});
    add_record(out, FCGI_WIRE_PARAMS, buf_text(&params));
    add_record(out, FCGI_WIRE_PARAMS, TEXT(""));
    add_record(out, FCGI_WIRE_STDIN, TEXT(""));
    enum err err = buf_check(&params) || buf_check(out) ? err_because(ERR_INVALID, "the path is too long") : ERR_NONE;
    buf_fini(&params);
    return err;
}

/* ---- the answer ---- */

static enum err read_end(const unsigned char *content, size_t length)
{
    static const char *const statuses[] = {"complete", "cannot multiplex", "overloaded", "unknown role"};
    unsigned status = length >= FCGI_WIRE_BODY_SIZE ? content[4] : 0;
    if (length < FCGI_WIRE_BODY_SIZE || status >= sizeof statuses / sizeof statuses[0])
        return err_because(ERR_PROTOCOL, "a malformed end of the answer");
    return status == FCGI_WIRE_REQUEST_COMPLETE ? ERR_NONE
                                                : err_because(ERR_BUSY, "the service says: %s", statuses[status]);
}

/* Gathers STDOUT until END_REQUEST. */
static enum err read_records(const struct probe *probe, unsigned char *content, struct buf *out)
{
    struct fcgi_wire_header header;
    unsigned char bytes[FCGI_WIRE_HEADER_SIZE];
    for (;;) {
        enum err err = receive_all(probe, bytes, sizeof bytes);
        if (err)
            return err;
        fcgi_wire_header_decode(bytes, &header);
        if (header.version != FCGI_WIRE_VERSION || header.request_id != REQUEST_ID)
            return err_because(ERR_PROTOCOL, "this is not FastCGI");
        err = receive_all(probe, content, (size_t)header.content_length + header.padding_length);
        if (err)
            return err;
        if (header.type == FCGI_WIRE_END_REQUEST)
            return read_end(content, header.content_length);
        if (header.type == FCGI_WIRE_STDOUT)
            buf_add(out, content, header.content_length);
        if (buf_check(out))
            return err_because(ERR_TOO_LARGE, "the answer is larger than %zu bytes", out->max_bytes);
    }
}

static enum err read_answer(const struct probe *probe, struct buf *out)
{
    unsigned char *content = malloc(RECORD_MAX);
    if (!content)
        return err_because(ERR_MEMORY, "no memory for an answer");
    enum err err = read_records(probe, content, out);
    free(content);
    return err;
}

/* Cuts the CGI header block (RFC 3875, 6) off the answer; without a Status field the status is 200. */
static enum err split_head(struct buf *answer, int *ret_status)
{
    struct text rest = buf_text(answer);
    int64_t status = 200;
    while (rest.at) {
        struct text line = text_split(&rest, '\n');
        if (line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--;
        if (line.length == 0 && rest.at) {
            buf_consume(answer, (size_t)(rest.at - answer->data));
            *ret_status = (int)status;
            return ERR_NONE;
        }
        struct text value = line, name = text_split(&value, ':');
        if (!value.at)
            break;
        value = text_trim(value);
        if (text_equal_nocase(name, TEXT("Status")) && (text_to_int(text_split(&value, ' '), &status) != ERR_NONE
                                                        || status < 100 || status > 999))
            break;
    }
    return err_because(ERR_PROTOCOL, "the answer has no header block");
}

static enum err talk(const struct probe *probe, struct text uri, struct buf *answer)
{
    struct buf request;
    buf_init(&request, REQUEST_MAX + FCGI_WIRE_CONTENT_MAX);
    enum err err = make_request(uri, &request);
    if (!err)
        err = send_all(probe, buf_text(&request));
    if (!err)
        err = read_answer(probe, answer);
    buf_fini(&request);
    return err;
}

enum err probe_get(const char *address, const char *path, unsigned timeout_ms, struct probe_answer *ret)
{
    struct probe_answer answer = {.status = 0};
    int64_t from_ns = clock_now_ns();
    struct probe probe = {.deadline_ns = from_ns + timeout_ms * NS_PER_MS};
    if (path[0] != '/' || !text_is_visible_ascii(text_of(path)))
        return err_because(ERR_INVALID, "a path starts with '/' and has no blanks; percent-encode what is not ASCII");
    enum err err = open_probe(address, &probe);
    if (err)
        return err;
    buf_init(&answer.body, PROBE_ANSWER_MAX);
    err = talk(&probe, text_of(path), &answer.body);
    if (!err)
        err = split_head(&answer.body, &answer.status);
    answer.took_us = (clock_now_ns() - from_ns) / 1000;
    close(probe.fd);
    if (err)
        buf_fini(&answer.body);
    else
        *ret = answer;
    return err;
}

const char *probe_address(const char *service, const struct settings *settings, char out[static PROBE_ADDRESS_SIZE])
{
    const char *given = settings_text(settings, OPTION_SERVER_LISTEN);
    if (*given)
        snprintf(out, PROBE_ADDRESS_SIZE, "%s", given);
    else
        snprintf(out, PROBE_ADDRESS_SIZE, "unix:/run/tandem/%s.sock", service);
    return out;
}
