#include "config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "check/harness/fake_service.h"
#include "check/harness/otlp_receiver.h"
#include "check/harness/process.h"

enum {
    CONNECTIONS_MAX = 512, REQUESTS_MAX = 4096, HEAD_MAX_BYTES = 16 * 1024, BODY_MAX_BYTES = 64 * 1024 * 1024,
    READ_BYTES = 65536, URL_SIZE = 64, HEADER_SIZE = 1024, BACKLOG = 64,
};

enum behaviour { TAKE, HANG, REPLY };

struct connection {
    struct otlp_receiver *receiver;
    unsigned index;
    int fd;
    pthread_t thread;
};

struct otlp_receiver {
    char url[URL_SIZE];
    unsigned port;
    int listen_fd;
    pthread_t acceptor;
    pthread_mutex_t lock;              /* guards all below */
    pthread_cond_t changed;
    enum behaviour behaviour;
    struct text reply;
    bool away;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    struct otlp_request *requests[REQUESTS_MAX];
    size_t request_count;
};

/* ---- reading a request ---- */

const char *otlp_request_header(const struct otlp_request *request, const char *name)
{
    static char value[FAKE_HEADER_SIZE];
    return fake_service_header(request->head, name, value);
}

/* Reads until `in` has this many bytes; false when the other side ends first. */
static bool read_more(int fd, struct buf *in, size_t length)
{
    while (in->length < length) {
        char *room = buf_reserve(in, READ_BYTES);
        ssize_t got = room ? recv(fd, room, READ_BYTES, 0) : 0;
        if (got <= 0)
            return false;
        buf_commit(in, (size_t)got);
    }
    return true;
}

/* The length of the head, its empty line counted in; 0 when the other side ended. */
static size_t read_head(int fd, struct buf *in)
{
    for (size_t length = 1; length < HEAD_MAX_BYTES; length = in->length + 1) {
        if (!read_more(fd, in, length))
            return 0;
        const char *end = strstr(buf_string(in), "\r\n\r\n");
        if (end)
            return (size_t)(end - in->data) + 4;
    }
    return 0;
}

static bool inflate_body(struct text sent, struct text *ret)
{
    struct buf out;
    z_stream stream;
    int code = Z_OK;
    memset(&stream, 0, sizeof stream);
    buf_init(&out, BODY_MAX_BYTES);
    stream.next_in = (Bytef *)(uintptr_t)sent.at;
    stream.avail_in = (uInt)sent.length;
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return false;
    while (code == Z_OK) {
        stream.next_out = buf_reserve(&out, READ_BYTES);
        stream.avail_out = READ_BYTES;
        if (!stream.next_out)
            break;
        code = inflate(&stream, Z_NO_FLUSH);
        buf_commit(&out, READ_BYTES - stream.avail_out);
    }
    inflateEnd(&stream);
    *ret = buf_text(&out);   /* the request's from now on */
    return code == Z_STREAM_END && stream.avail_in == 0;
}

static struct otlp_request *request_new(struct text head, struct text sent, unsigned connection)
{
    char value[FAKE_HEADER_SIZE];
    struct otlp_request *request = calloc(1, sizeof *request);
    assert(request);
    request->head = strndup(head.at, head.length);
    request->sent_bytes = sent.length;
    request->connection = connection;
    request->at_ns = clock_now_ns();
    snprintf(request->content_type, sizeof request->content_type, "%s",
             fake_service_header(request->head, "Content-Type", value));
    request->gzip = strcmp(fake_service_header(request->head, "Content-Encoding", value), "gzip") == 0;
    if (request->gzip) {
        if (!inflate_body(sent, &request->body))
            snprintf(request->content_type, sizeof request->content_type, "what is no gzip");
    } else {
        char *copy = malloc(sent.length + 1);
        assert(copy);
        memcpy(copy, sent.at, sent.length);
        request->body = (struct text){copy, sent.length};
    }
    return request;
}

static void request_free(struct otlp_request *request)
{
    free((void *)(uintptr_t)request->body.at);
    free(request->head);
    free(request);
}

/* NULL when the other side ended. */
static struct otlp_request *read_request(struct connection *connection, struct buf *in)
{
    char value[FAKE_HEADER_SIZE];
    size_t head = read_head(connection->fd, in);
    if (head == 0)
        return NULL;
    char *copy = strndup(in->data, head);
    size_t body = strtoul(fake_service_header(copy, "Content-Length", value), NULL, 10);
    free(copy);
    if (!read_more(connection->fd, in, head + body))
        return NULL;
    struct otlp_request *request = request_new((struct text){in->data, head}, (struct text){in->data + head, body},
                                               connection->index);
    buf_consume(in, head + body);
    return request;
}

/* ---- answering ---- */

static void send_all(int fd, struct text bytes)
{
    for (size_t done = 0; done < bytes.length;) {
        ssize_t sent = send(fd, bytes.at + done, bytes.length - done, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        done += (size_t)sent;
    }
}

static bool is_ours(const struct otlp_request *request)
{
    return strncmp(request->head, "POST /v1/traces HTTP/1.1\r\n", 26) == 0;
}

/* Keeps the request, waits while it hangs, and says what to answer. False: close afterwards. */
static bool decide(struct otlp_receiver *receiver, struct otlp_request *request, char out[static HEADER_SIZE],
                   struct text *ret_reply)
{
    static const char not_found[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    pthread_mutex_lock(&receiver->lock);
    assert(receiver->request_count < REQUESTS_MAX);
    receiver->requests[receiver->request_count++] = request;
    pthread_cond_broadcast(&receiver->changed);
    while (receiver->behaviour == HANG && !receiver->away)
        pthread_cond_wait(&receiver->changed, &receiver->lock);
    bool keeps = receiver->behaviour == TAKE && !receiver->away;
    if (keeps) {
        const char *body = strcmp(request->content_type, "application/json") == 0 ? "{}" : "";
        request->taken = is_ours(request);
        snprintf(out, HEADER_SIZE, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                 request->content_type, strlen(body), body);
        *ret_reply = text_of(request->taken ? out : not_found);
    } else {
        *ret_reply = receiver->away ? TEXT("") : receiver->reply;
        request->taken = text_starts(*ret_reply, TEXT("HTTP/1.1 2")) && strstr(ret_reply->at, "\r\n\r\n");
    }
    pthread_mutex_unlock(&receiver->lock);
    return keeps;
}

static void *serve(void *context)
{
    struct connection *connection = context;
    char out[HEADER_SIZE];
    struct buf in;
    bool keeps = true;
    buf_init(&in, BODY_MAX_BYTES);
    while (keeps) {
        struct otlp_request *request = read_request(connection, &in);
        struct text reply;
        if (!request)
            break;
        keeps = decide(connection->receiver, request, out, &reply);
        send_all(connection->fd, reply);
    }
    buf_fini(&in);
    shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *context)
{
    struct otlp_receiver *receiver = context;
    int fd;
    while ((fd = accept(receiver->listen_fd, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&receiver->lock);
        assert(receiver->connection_count < CONNECTIONS_MAX);
        unsigned index = (unsigned)receiver->connection_count++;
        struct connection *connection = &receiver->connections[index];
        *connection = (struct connection){.receiver = receiver, .index = index, .fd = fd};
        if (pthread_create(&connection->thread, NULL, serve, connection) != 0)
            assert(!"a thread");
        pthread_mutex_unlock(&receiver->lock);
    }
    return NULL;
}

/* ---- coming and going ---- */

void otlp_receiver_return(struct otlp_receiver *receiver)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)receiver->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int yes = 1;
    receiver->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(receiver->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(receiver->listen_fd, (struct sockaddr *)&address, sizeof address) != 0
        || listen(receiver->listen_fd, BACKLOG) != 0
        || getsockname(receiver->listen_fd, (struct sockaddr *)&address, &length) != 0)
        assert(!"a port");
    receiver->port = ntohs(address.sin_port);
    pthread_mutex_lock(&receiver->lock);
    receiver->away = false;
    pthread_mutex_unlock(&receiver->lock);
    if (pthread_create(&receiver->acceptor, NULL, accept_all, receiver) != 0)
        assert(!"a thread");
}

void otlp_receiver_leave(struct otlp_receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    receiver->away = true;
    pthread_cond_broadcast(&receiver->changed);
    pthread_mutex_unlock(&receiver->lock);
    shutdown(receiver->listen_fd, SHUT_RDWR);
    pthread_join(receiver->acceptor, NULL);
    close(receiver->listen_fd);
    for (size_t i = 0; i < receiver->connection_count; i++) {
        struct connection *connection = &receiver->connections[i];
        if (connection->fd < 0)
            continue;
        shutdown(connection->fd, SHUT_RDWR);
        pthread_join(connection->thread, NULL);
        close(connection->fd);
        connection->fd = -1;
    }
}

struct otlp_receiver *otlp_receiver_new(void)
{
    struct otlp_receiver *receiver = calloc(1, sizeof *receiver);
    assert(receiver);
    pthread_mutex_init(&receiver->lock, NULL);
    pthread_cond_init(&receiver->changed, NULL);
    otlp_receiver_return(receiver);
    snprintf(receiver->url, sizeof receiver->url, "http://127.0.0.1:%u", receiver->port);
    return receiver;
}

void otlp_receiver_free(struct otlp_receiver *receiver)
{
    if (!receiver)
        return;
    if (!receiver->away)
        otlp_receiver_leave(receiver);
    for (size_t i = 0; i < receiver->request_count; i++)
        request_free(receiver->requests[i]);
    pthread_cond_destroy(&receiver->changed);
    pthread_mutex_destroy(&receiver->lock);
    free(receiver);
}

const char *otlp_receiver_url(const struct otlp_receiver *receiver)
{
    return receiver->url;
}

static void behave(struct otlp_receiver *receiver, enum behaviour behaviour, struct text reply)
{
    pthread_mutex_lock(&receiver->lock);
    receiver->behaviour = behaviour;
    receiver->reply = reply;
    pthread_cond_broadcast(&receiver->changed);
    pthread_mutex_unlock(&receiver->lock);
}

void otlp_receiver_take(struct otlp_receiver *receiver)
{
    behave(receiver, TAKE, TEXT_NONE);
}

void otlp_receiver_hang(struct otlp_receiver *receiver)
{
    behave(receiver, HANG, TEXT_NONE);
}

void otlp_receiver_reply(struct otlp_receiver *receiver, const char *bytes)
{
    behave(receiver, REPLY, text_of(bytes));
}

void otlp_receiver_reply_bytes(struct otlp_receiver *receiver, struct text bytes)
{
    behave(receiver, REPLY, bytes);
}

/* ---- what it got ---- */

size_t otlp_receiver_request_count(struct otlp_receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    size_t count = receiver->request_count;
    pthread_mutex_unlock(&receiver->lock);
    return count;
}

const struct otlp_request *otlp_receiver_request(struct otlp_receiver *receiver, size_t at)
{
    pthread_mutex_lock(&receiver->lock);
    assert(at < receiver->request_count);
    const struct otlp_request *request = receiver->requests[at];
    pthread_mutex_unlock(&receiver->lock);
    return request;
}

struct wanted {
    struct otlp_receiver *receiver;
    size_t requests;
};

static bool has_come(void *context)
{
    const struct wanted *wanted = context;
    return otlp_receiver_request_count(wanted->receiver) >= wanted->requests;
}

bool otlp_receiver_wait(struct otlp_receiver *receiver, size_t requests)
{
    return process_until(has_come, &(struct wanted){receiver, requests}, OTLP_RECEIVER_PATIENCE_MS);
}

bool otlp_receiver_spans(struct otlp_receiver *receiver, struct received *ret)
{
    struct received received = {.count = 0};
    for (size_t i = 0; i < otlp_receiver_request_count(receiver); i++) {
        const struct otlp_request *request = otlp_receiver_request(receiver, i);
        pthread_mutex_lock(&receiver->lock);
        bool taken = request->taken;
        pthread_mutex_unlock(&receiver->lock);
        struct json_object *decoded = taken ? otlp_decode(request->content_type, request->body) : NULL;
        if (taken && (!decoded || !received_add(&received, decoded))) {
            received_fini(&received);
            return false;
        }
    }
    *ret = received;
    return true;
}
