#include "config.h"

#include <errno.h>
#include <sys/socket.h>

#include "net/fcgi_connection.h"

/* Records the outcome of a send; returns how much went. */
static size_t sent(struct fcgi_connection *connection, ssize_t count)
{
    if (count >= 0) {
        if (connection->deadline.queue == &connection->lane->write)
            deadline_disarm(&connection->deadline);  /* progress: it is armed afresh */
        return (size_t)count;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        connection->blocked = true;
    else if (errno != EINTR)
        connection->gone = true;
    return 0;
}

static void send_replies(struct fcgi_connection *connection)
{
    struct buf *replies = &connection->replies;
    while (replies->length && !connection->blocked && !connection->gone)
        buf_consume(replies, sent(connection, send(connection->source.fd, replies->data, replies->length,
                                                   MSG_NOSIGNAL | MSG_DONTWAIT)));
    if (!replies->length)
        buf_reset(replies, 0);
}

static void send_response(struct fcgi_connection *connection)
{
    struct fcgi_stdout_batch batch;
    while (connection->sent_bytes < connection->response_bytes && !connection->blocked && !connection->gone) {
        fcgi_stdout_batch(&connection->response, connection->sent_bytes, &batch);
        struct msghdr message = {.msg_iov = batch.vectors, .msg_iovlen = batch.count};
        size_t went = sent(connection, sendmsg(connection->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
        connection->sent_bytes += went;
        /* a short write means a full socket: asking again at once would only be told so */
        if (went && went < batch.size)
            connection->blocked = true;
    }
}

/* A refusal has been sent: the front may still be sending the request, and would lose the answer by a reset. */
static void linger(struct fcgi_connection *connection)
{
    connection->state = FCGI_CONNECTION_LINGERING;
    connection->response_bytes = connection->sent_bytes = 0;
    shutdown(connection->source.fd, SHUT_WR);
}

static void all_sent(struct fcgi_connection *connection)
{
    const struct fcgi_parser *parser = &connection->parser;
    if (parser->stage == FCGI_STAGE_REFUSED && !parser->ended && !connection->ended) {
        linger(connection);
        return;
    }
    if (connection->closing || atomic_load_explicit(connection->lane->retiring, memory_order_relaxed)) {
        fcgi_connection_close(connection);
        return;
    }
    fcgi_connection_release(connection);
    connection->state = FCGI_CONNECTION_READING;
}

void fcgi_connection_flush(struct fcgi_connection *connection)
{
    connection->blocked = false;
    send_replies(connection);
    if (!connection->replies.length)
        send_response(connection);
    if (connection->gone && connection->state != FCGI_CONNECTION_BUSY)
        fcgi_connection_close(connection);
    else if (connection->state == FCGI_CONNECTION_SENDING && !connection->blocked)
        all_sent(connection);
}

void fcgi_connection_answer(struct fcgi_connection *connection)
{
    struct fcgi_call *call = connection->call;
    connection->state = FCGI_CONNECTION_SENDING;
    connection->closing |= !call->inbound.keep_connection || connection->parser.stage == FCGI_STAGE_REFUSED;
    if (connection->aborted) {
        unsigned char end[FCGI_WIRE_RECORD_SIZE];
        fcgi_wire_end_request(call->inbound.id, 0, FCGI_WIRE_REQUEST_COMPLETE, end);
        buf_add(&connection->replies, end, sizeof end);
    } else {
        fcgi_call_seal(call, &connection->response);
        connection->response_bytes = fcgi_stdout_size(&connection->response);
    }
    fcgi_connection_flush(connection);
}

void fcgi_connection_release(struct fcgi_connection *connection)
{
    struct fcgi_lane *lane = connection->lane;
    if (!connection->call)
        return;
    fcgi_parser_done(&connection->parser);
    fcgi_call_put(&lane->pool, connection->call);
    connection->call = NULL;
    connection->aborted = false;
    connection->response_bytes = connection->sent_bytes = 0;
    atomic_fetch_sub(&lane->counters->busy, 1);
}
