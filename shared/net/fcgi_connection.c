#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/fcgi_connection.h"
#include "net/problem.h"

/* Replies that one read can cause: a management record takes eight bytes and is answered by sixteen. */
enum { REPLIES_MAX_BYTES = FCGI_SCRATCH_SIZE * 4 };

static void connection_ready(struct reactor_source *source, uint32_t events);

static struct fcgi_connection *of_source(struct reactor_source *source)
{
    return (struct fcgi_connection *)((char *)source - offsetof(struct fcgi_connection, source));
}

static struct fcgi_connection *of_deadline(struct deadline *deadline)
{
    return (struct fcgi_connection *)((char *)deadline - offsetof(struct fcgi_connection, deadline));
}

static void connection_free(struct reactor_source *source)
{
    free(of_source(source));
}

static void list_add(struct fcgi_lane *lane, struct fcgi_connection *connection)
{
    connection->next = lane->connections;
    if (lane->connections)
        lane->connections->previous = connection;
    lane->connections = connection;
}

static void list_remove(struct fcgi_lane *lane, struct fcgi_connection *connection)
{
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        lane->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
}

static bool is_idle(const struct fcgi_connection *connection)
{
    return connection->state == FCGI_CONNECTION_READING && fcgi_parser_quiet(&connection->parser);
}

/* Only this thread writes these. */
static void count_state(struct fcgi_lane *lane, unsigned state, int by)
{
    atomic_uint *count = &lane->counters->connections[state];
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + (unsigned)by,
                          memory_order_relaxed);
}

/* A front does not connect without need: its request is on the way. */
static void await_first(struct fcgi_connection *connection)
{
    if (connection->awaited)
        return;
    connection->awaited = true;
    atomic_fetch_add(&connection->lane->counters->busy, 1);
    deadline_arm(&connection->lane->fresh, &connection->deadline, connection->lane->reactor.now_ns);
}

static void awaited_no_more(struct fcgi_connection *connection)
{
    if (!connection->awaited)
        return;
    connection->awaited = false;
    atomic_fetch_sub(&connection->lane->counters->busy, 1);
}

enum err fcgi_connection_open(struct fcgi_lane *lane, int fd)
{
    struct fcgi_connection *connection = calloc(1, sizeof *connection);
    enum err err;
    if (!connection) {
        close(fd);
        return err_because(ERR_MEMORY, "there is no memory for a connection");
    }
    connection->lane = lane;
    connection->source = (struct reactor_source){.fd = fd, .ready = connection_ready, .release = connection_free};
    err = reactor_watch(&lane->reactor, &connection->source, EPOLLIN | EPOLLRDHUP);
    if (err) {
        close(fd);
        free(connection);
        return err;
    }
    buf_init(&connection->replies, REPLIES_MAX_BYTES);
    buf_init(&connection->leftover, FCGI_SCRATCH_SIZE);
    fcgi_parser_init(&connection->parser, &lane->limits, &connection->replies);
    deadline_arm(&lane->idle, &connection->deadline, lane->reactor.now_ns);
    list_add(lane, connection);
    count_state(lane, connection->shown, 1);
    server_count(lane->counters, SERVER_ACCEPTED);
    if (lane->draining)
        await_first(connection);
    return ERR_NONE;
}

void fcgi_connection_close(struct fcgi_connection *connection)
{
    struct fcgi_lane *lane = connection->lane;
    if (connection->state == FCGI_CONNECTION_CLOSED)
        return;
    assert(connection->state != FCGI_CONNECTION_BUSY);
    fcgi_connection_release(connection);
    awaited_no_more(connection);
    connection->state = FCGI_CONNECTION_CLOSED;
    deadline_disarm(&connection->deadline);
    list_remove(lane, connection);
    count_state(lane, connection->shown, -1);
    fcgi_parser_fini(&connection->parser);
    buf_fini(&connection->replies);
    buf_fini(&connection->leftover);
    reactor_retire(&lane->reactor, &connection->source);
    server_count(lane->counters, SERVER_CLOSED);
    if (lane->closed)
        lane->closed(lane);
}

/* Nothing more can be said to the front; what the callee has, it finishes first. */
static void give_up(struct fcgi_connection *connection)
{
    connection->gone = true;
    if (connection->state == FCGI_CONNECTION_BUSY)
        atomic_store(&connection->call->exchange.abandoned, true);
    else
        fcgi_connection_close(connection);
}

void fcgi_connection_idle(struct deadline *deadline)
{
    fcgi_connection_close(of_deadline(deadline));
}

static enum server_counter timeout_of(const struct fcgi_lane *lane, const struct deadline_queue *queue)
{
    if (queue == &lane->header || queue == &lane->fresh)
        return SERVER_HEADER_TIMEOUT;
    return queue == &lane->body ? SERVER_BODY_TIMEOUT : SERVER_WRITE_TIMEOUT;
}

static struct deadline_queue *queue_of(struct fcgi_connection *connection)
{
    struct fcgi_lane *lane = connection->lane;
    if (connection->blocked)
        return &lane->write;
    if (connection->state == FCGI_CONNECTION_BUSY)
        return NULL;
    if (connection->state == FCGI_CONNECTION_LINGERING || connection->parser.stage == FCGI_STAGE_STDIN)
        return &lane->body;
    if (!fcgi_parser_quiet(&connection->parser))
        return &lane->header;
    return connection->awaited ? &lane->fresh : &lane->idle;
}

void fcgi_connection_late(struct deadline *deadline)
{
    struct fcgi_connection *connection = of_deadline(deadline);
    server_count(connection->lane->counters, timeout_of(connection->lane, queue_of(connection)));
    give_up(connection);
    /* with the callee still: a front that does not take a short reply */
    if (connection->state == FCGI_CONNECTION_BUSY)
        reactor_unwatch(&connection->lane->reactor, &connection->source);
}

static uint32_t events_of(const struct fcgi_connection *connection)
{
    if (connection->gone)
        return 0;
    if (connection->blocked)
        return EPOLLOUT;
    if (connection->ended)
        return EPOLLERR;  /* nothing but errors and hanging up, which are told always */
    return connection->next_waiting ? EPOLLRDHUP : EPOLLIN | EPOLLRDHUP;
}

static enum server_state shown_state(const struct fcgi_connection *connection)
{
    if (connection->blocked || connection->state == FCGI_CONNECTION_SENDING)
        return SERVER_WRITING;
    if (connection->state == FCGI_CONNECTION_BUSY)
        return SERVER_HANDLING;
    return is_idle(connection) ? SERVER_IDLE : SERVER_READING;
}

static void show_state(struct fcgi_connection *connection)
{
    enum server_state state = shown_state(connection);
    if (state == connection->shown)
        return;
    count_state(connection->lane, connection->shown, -1);
    count_state(connection->lane, state, 1);
    connection->shown = (uint8_t)state;
}

/* Waits for what the connection's state asks for. A deadline that is armed already stays where it is. */
static void settle(struct fcgi_connection *connection)
{
    struct fcgi_lane *lane = connection->lane;
    struct deadline_queue *queue;
    if (connection->state == FCGI_CONNECTION_READING && connection->ended)
        fcgi_connection_close(connection);
    if (connection->state == FCGI_CONNECTION_CLOSED)
        return;
    show_state(connection);
    queue = queue_of(connection);
    if (!queue)
        deadline_disarm(&connection->deadline);
    else if (queue != connection->deadline.queue)
        deadline_arm(queue, &connection->deadline, lane->reactor.now_ns);
    if (reactor_watch(&lane->reactor, &connection->source, events_of(connection)) == ERR_NONE)
        return;
    connection->gone = true;
    if (connection->state != FCGI_CONNECTION_BUSY)
        fcgi_connection_close(connection);
}

static void when_begin(struct fcgi_connection *connection)
{
    struct fcgi_lane *lane = connection->lane;
    struct fcgi_call *call = fcgi_call_get(&lane->pool);
    if (!call) {
        fcgi_connection_close(connection);
        return;
    }
    call->owner = connection;
    connection->call = call;
    atomic_fetch_add(&lane->counters->busy, 1);
    connection->used = true;
    awaited_no_more(connection);
    fcgi_parser_accept(&connection->parser, &call->inbound);
}

static void mail_deliver(struct reactor_mail *mail);
static void exchange_done(struct exchange *exchange);

static void when_request(struct fcgi_connection *connection)
{
    struct fcgi_lane *lane = connection->lane;
    struct exchange *exchange = &connection->call->exchange;
    exchange->request.received_ns = lane->reactor.now_ns;
    exchange->lane = lane->index;
    exchange->finish = exchange_done;
    connection->call->mail.deliver = mail_deliver;
    connection->state = FCGI_CONNECTION_BUSY;
    deadline_disarm(&connection->deadline);
    server_count(lane->counters, SERVER_REQUESTS);
    connection->dispatching = true;
    lane->opts->dispatch(exchange, lane->opts->context);
    connection->dispatching = false;
}

static void when_refused(struct fcgi_connection *connection)
{
    struct exchange *exchange = &connection->call->exchange;
    struct problem problem = {.err = connection->parser.refusal};
    server_count_refusal(connection->lane->counters, problem.err);
    problem_respond(&problem, &exchange->request, &exchange->response);
    deadline_disarm(&connection->deadline);
    fcgi_connection_answer(connection);
}

static void when_abort(struct fcgi_connection *connection)
{
    server_count(connection->lane->counters, SERVER_ABORTED);
    connection->aborted = true;
    if (connection->state == FCGI_CONNECTION_BUSY)
        atomic_store(&connection->call->exchange.abandoned, true);
    else
        fcgi_connection_answer(connection);
}

static void when_next(struct fcgi_connection *connection)
{
    connection->next_waiting = true;
}

static void when_close(struct fcgi_connection *connection)
{
    connection->closing = true;
    connection->state = FCGI_CONNECTION_SENDING;
    fcgi_connection_flush(connection);
}

static void hang_up(struct fcgi_connection *connection)
{
    if (connection->call && connection->state != FCGI_CONNECTION_LINGERING)
        server_count(connection->lane->counters, SERVER_ABORTED);
    give_up(connection);
}

static void when_broken(struct fcgi_connection *connection)
{
    server_count(connection->lane->counters, SERVER_PROTOCOL);
    give_up(connection);
}

static void (*const when[])(struct fcgi_connection *) = {
    [FCGI_EVENT_BEGIN] = when_begin,
    [FCGI_EVENT_REQUEST] = when_request,
    [FCGI_EVENT_REFUSED] = when_refused,
    [FCGI_EVENT_DISCARDED] = fcgi_connection_close,
    [FCGI_EVENT_ABORT] = when_abort,
    [FCGI_EVENT_NEXT] = when_next,
    [FCGI_EVENT_CLOSE] = when_close,
    [FCGI_EVENT_BROKEN] = when_broken,
};

static bool may_parse(const struct fcgi_connection *connection)
{
    return connection->state != FCGI_CONNECTION_CLOSED && connection->state != FCGI_CONNECTION_SENDING &&
           !connection->blocked && !connection->next_waiting && !connection->gone;
}

static void leftover_save(struct fcgi_connection *connection, const char *bytes, size_t length)
{
    if (!length || connection->state == FCGI_CONNECTION_CLOSED || connection->gone)
        return;
    buf_add(&connection->leftover, bytes, length);
    if (connection->leftover.failed)
        hang_up(connection);
}

static void parse(struct fcgi_connection *connection, const char *bytes, size_t length)
{
    size_t used;
    while (may_parse(connection)) {
        enum fcgi_event event = fcgi_parser_feed(&connection->parser, bytes, length, &used);
        bytes += used;
        length -= used;
        if (event == FCGI_EVENT_MORE)
            break;
        when[event](connection);
    }
    if (may_parse(connection) && connection->replies.failed)
        hang_up(connection);
    else if (may_parse(connection) && connection->replies.length)
        fcgi_connection_flush(connection);
    leftover_save(connection, bytes, length);
}

static bool may_resume(const struct fcgi_connection *connection)
{
    bool open = connection->state == FCGI_CONNECTION_READING || connection->state == FCGI_CONNECTION_LINGERING;
    return open && !connection->blocked && (connection->leftover.length || connection->next_waiting);
}

/* Parses, then what had to wait for the response that has left meanwhile; a loop, so that requests never nest. */
static void serve(struct fcgi_connection *connection, const char *bytes, size_t length)
{
    parse(connection, bytes, length);
    while (may_resume(connection)) {
        struct buf leftover = connection->leftover;
        buf_init(&connection->leftover, FCGI_SCRATCH_SIZE);
        connection->next_waiting = false;
        parse(connection, leftover.data, leftover.length);
        buf_fini(&leftover);
    }
    settle(connection);
}

static void receive(struct fcgi_connection *connection)
{
    char *scratch = connection->lane->scratch;
    ssize_t count = recv(connection->source.fd, scratch, FCGI_SCRATCH_SIZE, MSG_DONTWAIT);
    if (count > 0) {
        serve(connection, scratch, (size_t)count);
        return;
    }
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    /* lighttpd closes its own direction after the last byte of a request, and waits for the response */
    if (count == 0 && connection->state == FCGI_CONNECTION_BUSY)
        connection->ended = true;
    else
        hang_up(connection);
    settle(connection);
}

static void connection_ready(struct reactor_source *source, uint32_t events)
{
    struct fcgi_connection *connection = of_source(source);
    if (!source->events)
        return;  /* unwatched earlier in this batch */
    if (events & (EPOLLHUP | EPOLLERR)) {
        hang_up(connection);
        settle(connection);
    } else if (connection->blocked) {
        fcgi_connection_flush(connection);
        serve(connection, "", 0);
    } else if (connection->next_waiting) {
        connection->ended = true;
        settle(connection);
    } else {
        receive(connection);
    }
}

void fcgi_connection_drain(struct fcgi_connection *connection)
{
    if (is_idle(connection) && !connection->blocked)
        receive(connection);
    if (is_idle(connection) && !connection->used)
        await_first(connection);
    else if (is_idle(connection) || connection->state == FCGI_CONNECTION_LINGERING)
        fcgi_connection_close(connection);
}

static void mail_deliver(struct reactor_mail *mail)
{
    struct fcgi_call *call = (struct fcgi_call *)((char *)mail - offsetof(struct fcgi_call, mail));
    struct fcgi_connection *connection = call->owner;
    if (connection->gone) {
        connection->state = FCGI_CONNECTION_SENDING;
        fcgi_connection_close(connection);
        return;
    }
    fcgi_connection_answer(connection);
    serve(connection, "", 0);
}

static void exchange_done(struct exchange *exchange)
{
    struct fcgi_call *call = (struct fcgi_call *)exchange;
    struct fcgi_connection *connection = call->owner;
    struct reactor *reactor = &connection->lane->reactor;
    if (reactor_is_mine(reactor) && connection->dispatching)
        fcgi_connection_answer(connection);
    else
        reactor_post(reactor, &call->mail);
}
