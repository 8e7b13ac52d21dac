#include "config.h"

#include <fcgiapp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/fcgi_inbound.h"
#include "net/problem.h"
#include "net/server_libfcgi.h"

enum {
    BODY_STEP = 64 * 1024,              /* memory for a body is taken as it comes in */
    WRITE_STEP = 64 * 1024,             /* between two signs of progress to the watchdog */
    DISCARD_MAX_BYTES = 1024 * 1024,    /* of a refused request's rest */
};

void libfcgi_phase(struct libfcgi_lane *lane, enum libfcgi_phase phase, int64_t since_ns)
{
    pthread_mutex_lock(&lane->lock);
    lane->phase = phase;
    lane->since_ns = since_ns;
    pthread_mutex_unlock(&lane->lock);
}

/* The first entry is the library's own, FCGI_ROLE. */
static enum err params_measure(char **envp, const struct server_opts *opts, size_t *ret_count)
{
    size_t bytes = 0, count = 0;
    for (char **at = envp + 1; *at; at++, count++) {
        unsigned char lengths[FCGI_WIRE_PAIR_HEADER_MAX];
        struct text value = text_of(*at), name = text_split(&value, '=');
        bytes += fcgi_wire_pair_header(name.length, value.length, lengths) + name.length + value.length;
    }
    if (bytes > opts->params_max_bytes)
        return err_because(ERR_HEADERS_TOO_LARGE, "more than %zu bytes of parameters", opts->params_max_bytes);
    if (count > opts->params_max_count)
        return err_because(ERR_HEADERS_TOO_LARGE, "more than %u parameters", opts->params_max_count);
    *ret_count = count;
    return ERR_NONE;
}

/* The parameters stay in the library's memory, which lives until the response has been sent. */
static enum err params_take(struct http_request *request, char **envp, const struct server_opts *opts)
{
    size_t count = 0;
    enum err err = params_measure(envp, opts, &count);
    if (err)
        return err;
    struct http_param *params = arena_alloc(&request->arena, count * sizeof *params);
    if (!params)
        return err_because(ERR_MEMORY, "there is no memory for parameters");
    for (size_t i = 0; i < count; i++) {
        struct text value = text_of(envp[i + 1]);
        params[i].name = text_split(&value, '=');
        params[i].value = value;
    }
    request->params = params;
    request->param_count = count;
    return http_request_line(request);
}

/* The body to its end, so that nothing of it is left for the next request. */
static enum err body_read(FCGX_Stream *in, struct buf *body, size_t length)
{
    while (body->length < length) {
        size_t left = length - body->length, wanted = left < BODY_STEP ? left : BODY_STEP;
        char *room = buf_reserve(body, wanted);
        if (!room)
            return err_because(ERR_MEMORY, "there is no memory for a body");
        int got = FCGX_GetStr(room, (int)wanted, in);
        buf_commit(body, got > 0 ? (size_t)got : 0);
        if (got < (int)wanted)
            return err_because(ERR_MALFORMED, "less body than CONTENT_LENGTH says");
    }
    if (FCGX_GetChar(in) != EOF)
        return err_because(ERR_MALFORMED, "more body than CONTENT_LENGTH says");
    return ERR_NONE;
}

static enum err request_take(struct libfcgi_lane *lane, FCGX_Request *library, struct fcgi_call *call)
{
    const struct server_opts *opts = &lane->pool->server.opts;
    struct http_request *request = &call->exchange.request;
    bool absent = false;
    size_t length = 0;
    enum err err = params_take(request, library->envp, opts);
    if (!err)
        err = fcgi_content_length(http_param(request, "CONTENT_LENGTH"), opts->body_max_bytes, &absent, &length);
    if (!err)
        err = body_read(library->in, &call->inbound.body, length);
    if (!err && !absent)
        request->body = length ? buf_text(&call->inbound.body) : TEXT("");
    return err;
}

static void exchange_done(struct exchange *exchange)
{
    struct libfcgi_lane *lane = ((struct fcgi_call *)exchange)->owner;
    sem_post(&lane->finished);
}

static void dispatch(struct libfcgi_lane *lane, struct fcgi_call *call)
{
    const struct server_opts *opts = &lane->pool->server.opts;
    struct exchange *exchange = &call->exchange;
    exchange->lane = lane->index;
    exchange->finish = exchange_done;
    exchange->request.received_ns = clock_now_ns();
    call->owner = lane;
    server_count(lane->counters, SERVER_REQUESTS);
    pthread_mutex_lock(&lane->lock);
    lane->call = call;
    lane->phase = LIBFCGI_CALLEE;
    pthread_mutex_unlock(&lane->lock);
    opts->dispatch(exchange, opts->context);
    while (sem_wait(&lane->finished))
        continue;
}

static bool write_text(struct libfcgi_lane *lane, FCGX_Stream *out, struct text text)
{
    while (text.length) {
        size_t step = text.length < WRITE_STEP ? text.length : WRITE_STEP;
        if (FCGX_PutStr(text.at, (int)step, out) < 0)
            return false;
        text.at += step;
        text.length -= step;
        libfcgi_phase(lane, LIBFCGI_WRITE, clock_now_ns());
    }
    return true;
}

/* Whether all of it went out. */
static bool answer(struct libfcgi_lane *lane, FCGX_Request *library, struct fcgi_call *call)
{
    struct fcgi_stdout response;
    fcgi_call_seal(call, &response);
    libfcgi_phase(lane, LIBFCGI_WRITE, clock_now_ns());
    bool sent = write_text(lane, library->out, response.head) && write_text(lane, library->out, response.payload);
    if (!sent || atomic_load(&lane->pool->server.retiring))
        library->keepConnection = 0;
    FCGX_Finish_r(library);
    return sent;
}

/* A refusal has been sent: the front may still be sending the request, and would lose the answer by a reset. */
static void linger(struct libfcgi_lane *lane, int fd)
{
    char passed_over[4096];
    size_t total = 0;
    ssize_t count;
    libfcgi_phase(lane, LIBFCGI_BODY, clock_now_ns());
    shutdown(fd, SHUT_WR);
    while (total < DISCARD_MAX_BYTES && (count = recv(fd, passed_over, sizeof passed_over, 0)) > 0)
        total += (size_t)count;
}

static void refuse(struct libfcgi_lane *lane, FCGX_Request *library, struct fcgi_call *call, enum err err)
{
    const struct problem problem = {.err = err};
    int fd = lane->fd;
    server_count_refusal(lane->counters, err);
    problem_respond(&problem, &call->exchange.request, &call->exchange.response);
    library->keepConnection = 0;
    if (answer(lane, library, call))
        linger(lane, fd);
}

/* One that the watchdog shut down has been counted. */
static void count_drop(struct libfcgi_lane *lane, bool by_front)
{
    pthread_mutex_lock(&lane->lock);
    bool shut = lane->shut;
    pthread_mutex_unlock(&lane->lock);
    if (!shut)
        server_count(lane->counters, by_front ? SERVER_ABORTED : SERVER_PROTOCOL);
}

/* Whatever the library made of it, it is neither a whole request nor one that can be answered. */
static void drop(struct libfcgi_lane *lane, FCGX_Request *library, bool by_front)
{
    count_drop(lane, by_front);
    FCGX_Free(library, 1);
}

static bool request_serve(struct libfcgi_lane *lane, FCGX_Request *library, struct fcgi_call *call)
{
    libfcgi_phase(lane, LIBFCGI_BODY, clock_now_ns());
    enum err err = request_take(lane, library, call);
    if (FCGX_GetError(library->in)) {
        drop(lane, library, FCGX_GetError(library->in) > 0);
        return false;
    }
    if (err) {
        refuse(lane, library, call, err);
        return false;
    }
    dispatch(lane, call);
    answer(lane, library, call);
    return library->ipcFd >= 0;
}

/* The library would close what it takes for an old connection unless told that it is kept; detached, it closes without
 * waiting for the peer. */
bool libfcgi_call_serve(struct libfcgi_lane *lane, struct libfcgi_connection *connection)
{
    FCGX_Request library;
    bool keep = false;
    struct fcgi_call *call = fcgi_call_get(&lane->calls);
    if (!call)
        return false;
    FCGX_InitRequest(&library, -1, 0);
    library.ipcFd = connection->library_fd;
    library.keepConnection = 1;
    library.detached = 1;
    if (FCGX_Accept_r(&library)) {
        connection->library_fd = -1;
        count_drop(lane, false);
    } else if (FCGX_GetError(library.in) || library.role != FCGI_WIRE_RESPONDER) {
        connection->library_fd = -1;
        drop(lane, &library, false);
    } else {
        keep = request_serve(lane, &library, call);
        if (!keep)
            connection->library_fd = -1;
    }
    fcgi_call_put(&lane->calls, call);
    return keep;
}
