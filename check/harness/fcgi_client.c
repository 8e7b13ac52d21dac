#include "config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"

enum { CLIENT_MAX_BYTES = 256 * 1024 * 1024, HEADER_SIZE = 8 };

static int connect_to(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    if (!connect(fd, address, size))
        return fd;
    close(fd);
    return -1;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    assert(strlen(path) < sizeof where.sun_path);
    snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
    return connect_to((struct sockaddr *)&where, sizeof where);
}

static int connect_tcp(const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    char host[64];
    const char *colon = strrchr(address, ':');
    assert(colon && (size_t)(colon - address) < sizeof host);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    if (getaddrinfo(host, colon + 1, &hints, &found))
        return -1;
    int fd = connect_to(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

bool fcgi_client_open(struct fcgi_client *client, const char *address)
{
    *client = (struct fcgi_client){.seed = 1};
    buf_init(&client->in, CLIENT_MAX_BYTES);
    client->fd = !strncmp(address, "unix:", 5) ? connect_unix(address + 5) : connect_tcp(address);
    return client->fd >= 0;
}

void fcgi_client_close(struct fcgi_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    buf_fini(&client->in);
}

static bool wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int count;
    do
        count = poll(&poll_fd, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

static size_t piece_of(struct fcgi_client *client, size_t left, enum fcgi_client_manner manner)
{
    if (manner == FCGI_CLIENT_WHOLE)
        return left;
    size_t piece = manner == FCGI_CLIENT_BYTES ? 1 : 1 + (size_t)rand_r(&client->seed) % 40;
    return piece < left ? piece : left;
}

bool fcgi_client_send(struct fcgi_client *client, struct text bytes, enum fcgi_client_manner manner)
{
    size_t sent = 0;
    while (sent < bytes.length) {
        size_t piece = piece_of(client, bytes.length - sent, manner);
        if (!wait_for(client->fd, POLLOUT, FCGI_CLIENT_TIMEOUT_MS))
            return false;
        ssize_t count = send(client->fd, bytes.at + sent, piece, MSG_NOSIGNAL);
        if (count < 0)
            return false;
        sent += (size_t)count;
    }
    return true;
}

/* Receives some more. False at the end of the connection, and on timeout. */
static bool receive(struct fcgi_client *client)
{
    enum { PIECE = 65536 };
    if (!wait_for(client->fd, POLLIN, FCGI_CLIENT_TIMEOUT_MS))
        return false;
    void *room = buf_reserve(&client->in, PIECE);
    assert(room);
    ssize_t count = recv(client->fd, room, PIECE, 0);
    if (count > 0)
        buf_commit(&client->in, (size_t)count);
    return count > 0;
}

/* The parts of the record at this offset of what has been received; returns its size, 0 when it is not all there. */
static size_t record_at(const struct buf *in, size_t offset, struct fcgi_record *ret)
{
    const unsigned char *at = (const unsigned char *)in->data + offset;
    if (in->length - offset < HEADER_SIZE)
        return 0;
    size_t length = (size_t)at[4] << 8 | at[5];
    size_t size = HEADER_SIZE + length + at[6];
    if (in->length - offset < size)
        return 0;
    assert(at[0] == 1);
    *ret = (struct fcgi_record){at[1], (uint16_t)(at[2] << 8 | at[3]), {(const char *)at + HEADER_SIZE, length}};
    return size;
}

bool fcgi_client_record(struct fcgi_client *client, struct fcgi_record *ret)
{
    static char content[65536];
    size_t size;
    while (!(size = record_at(&client->in, 0, ret)))
        if (!receive(client))
            return false;
    memcpy(content, ret->content.at, ret->content.length);
    ret->content.at = content;
    buf_consume(&client->in, size);
    return true;
}

static void reply_split(struct fcgi_reply *reply)
{
    struct text out = buf_text(&reply->out);
    const char *end = out.length ? memmem(out.at, out.length, "\r\n\r\n", 4) : NULL;
    if (!end)
        return;
    reply->head = (struct text){out.at, (size_t)(end - out.at) + 2};
    reply->body = (struct text){end + 4, out.length - reply->head.length - 2};
    struct text reason = fcgi_reply_header(reply, "Status");
    int64_t status = 0;
    enum err err = text_to_int(text_split(&reason, ' '), &status);
    reply->status = err ? 0 : (int)status;
}

static void reply_end(struct fcgi_reply *reply, const unsigned char *body)
{
    reply->app_status = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 | (uint32_t)body[2] << 8 | body[3];
    reply->protocol_status = body[4];
    reply_split(reply);
}

/* Reads on from an offset, so that a long reply is not moved record by record. */
bool fcgi_client_reply(struct fcgi_client *client, uint16_t id, struct fcgi_reply *ret)
{
    struct fcgi_record record;
    size_t offset = 0;
    *ret = (struct fcgi_reply){.protocol_status = -1};
    buf_init(&ret->out, CLIENT_MAX_BYTES);
    for (;;) {
        size_t size = record_at(&client->in, offset, &record);
        if (!size) {
            buf_consume(&client->in, offset);
            offset = 0;
            if (!receive(client))
                return false;
            continue;
        }
        offset += size;
        if (record.id != id)
            continue;
        if (record.type == FCGI_END) {
            reply_end(ret, (const unsigned char *)record.content.at);
            buf_consume(&client->in, offset);
            return true;
        }
        if (record.type != FCGI_STDOUT)
            continue;
        buf_add_text(&ret->out, record.content);
        ret->records += record.content.length > 0;
        ret->stream_ended |= record.content.length == 0;
    }
}

void fcgi_reply_fini(struct fcgi_reply *reply)
{
    buf_fini(&reply->out);
}

struct text fcgi_reply_header(const struct fcgi_reply *reply, const char *name)
{
    struct text rest = reply->head;
    while (rest.at && rest.length) {
        struct text line = text_split(&rest, '\n');
        struct text value, field = line;
        struct text found = text_split(&field, ':');
        value = field;
        if (!text_equal_string(found, name) || !value.at)
            continue;
        if (value.length && value.at[value.length - 1] == '\r')
            value.length--;
        return text_trim(value);
    }
    return TEXT_NONE;
}

bool fcgi_client_closed(struct fcgi_client *client, int timeout_ms)
{
    char passed_over[4096];
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    for (;;) {
        int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS;
        if (left_ms < 0 || !wait_for(client->fd, POLLIN, (int)left_ms))
            return false;
        ssize_t count = recv(client->fd, passed_over, sizeof passed_over, 0);
        if (count <= 0)
            return true;
    }
}

void fcgi_put_record(struct buf *out, uint8_t type, uint16_t id, struct text content, uint8_t padding)
{
    static const char zeros[256];
    unsigned char header[HEADER_SIZE] = {1, type, (unsigned char)(id >> 8), (unsigned char)id,
                                         (unsigned char)(content.length >> 8), (unsigned char)content.length, padding};
    assert(content.length <= 65535);
    buf_add(out, header, sizeof header);
    buf_add_text(out, content);
    buf_add(out, zeros, padding);
}

void fcgi_put_begin(struct buf *out, uint16_t id, uint16_t role, bool keep)
{
    char body[8] = {(char)(role >> 8), (char)role, keep};
    fcgi_put_record(out, FCGI_BEGIN, id, (struct text){body, sizeof body}, 0);
}

static void put_length(struct buf *out, size_t length)
{
    if (length < 128) {
        buf_add_char(out, (char)length);
        return;
    }
    unsigned char four[4] = {(unsigned char)(length >> 24 | 0x80), (unsigned char)(length >> 16),
                             (unsigned char)(length >> 8), (unsigned char)length};
    buf_add(out, four, sizeof four);
}

void fcgi_put_pair(struct buf *out, struct text name, struct text value)
{
    put_length(out, name.length);
    put_length(out, value.length);
    buf_add_text(out, name);
    buf_add_text(out, value);
}

/* A stream in records, and the empty one that ends it. */
static void put_stream(struct buf *out, uint8_t type, uint16_t id, struct text content)
{
    enum { PIECE = 65000 };
    while (content.length) {
        struct text piece = {content.at, content.length < PIECE ? content.length : PIECE};
        fcgi_put_record(out, type, id, piece, (uint8_t)(-piece.length & 7));
        content.at += piece.length;
        content.length -= piece.length;
    }
    fcgi_put_record(out, type, id, TEXT(""), 0);
}

void fcgi_put_request(struct buf *out, uint16_t id, bool keep, const char *method, const char *uri,
                      const struct fcgi_client_param *params, struct text body)
{
    struct buf pairs;
    char length[24];
    buf_init(&pairs, CLIENT_MAX_BYTES);
    snprintf(length, sizeof length, "%zu", body.length);
    fcgi_put_pair(&pairs, TEXT("REQUEST_METHOD"), text_of(method));
    fcgi_put_pair(&pairs, TEXT("REQUEST_URI"), text_of(uri));
    fcgi_put_pair(&pairs, TEXT("SERVER_PROTOCOL"), TEXT("HTTP/1.1"));
    fcgi_put_pair(&pairs, TEXT("REMOTE_ADDR"), TEXT("127.0.0.1"));
    fcgi_put_pair(&pairs, TEXT("CONTENT_LENGTH"), body.at ? text_of(length) : TEXT(""));
    for (; params && params->name; params++)
        fcgi_put_pair(&pairs, text_of(params->name), text_of(params->value));
    fcgi_put_begin(out, id, 1, keep);
    put_stream(out, FCGI_PARAMS, id, buf_text(&pairs));
    put_stream(out, FCGI_STDIN, id, body);
    buf_fini(&pairs);
}

/* "If-Match" becomes HTTP_IF_MATCH; Content-Type alone keeps its name without HTTP_. */
static void cgi_name(const char *header, char *out, size_t size)
{
    bool plain = !strcasecmp(header, "Content-Type");
    size_t length = (size_t)snprintf(out, size, "%s%s", plain ? "" : "HTTP_", header);
    assert(length < size);
    for (char *at = out; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

bool fcgi_client_call(const char *address, const char *method, const char *uri,
                      const struct fcgi_client_param *headers, struct text body, struct fcgi_reply *ret)
{
    enum { HEADERS_MAX = 16, NAME_SIZE = 128 };
    struct fcgi_client_param params[HEADERS_MAX + 1] = {{NULL, NULL}};
    char names[HEADERS_MAX][NAME_SIZE];
    struct fcgi_client client;
    struct buf request;
    for (size_t i = 0; headers && headers[i].name; i++) {
        assert(i < HEADERS_MAX);
        cgi_name(headers[i].name, names[i], NAME_SIZE);
        params[i] = (struct fcgi_client_param){names[i], headers[i].value};
    }
    *ret = (struct fcgi_reply){.protocol_status = -1};
    if (!fcgi_client_open(&client, address))
        return false;
    buf_init(&request, CLIENT_MAX_BYTES);
    fcgi_put_request(&request, 1, false, method, uri, params, body);
    bool whole = fcgi_client_send(&client, buf_text(&request), FCGI_CLIENT_WHOLE) &&
                 fcgi_client_reply(&client, 1, ret);
    buf_fini(&request);
    fcgi_client_close(&client);
    return whole;
}

bool fcgi_client_get(const char *address, const char *uri, struct fcgi_reply *ret)
{
    return fcgi_client_call(address, "GET", uri, NULL, TEXT_NONE, ret);
}
