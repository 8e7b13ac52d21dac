/*
 * FastCGI in: however a connection's bytes are cut into pieces, the same requests come out of them, within the limits.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "check/fuzz/fuzz.h"
#include "net/fcgi_parser.h"

enum { TRACE_MAX = 8 * 1024 * 1024, ARENA_MAX = 4096, REPLIES_MAX = 1024 * 1024 };

static const struct fcgi_limits limits = {
    .params_max_bytes = 600,
    .params_max_count = 12,
    .body_max_bytes = 300,
    .discard_max_bytes = 1000,
    .values = {.max_conns = 7, .max_reqs = 7},
};

/* A connection, as far as the parser is concerned. */
struct connection {
    struct fcgi_parser parser;
    struct http_request request;
    struct fcgi_inbound inbound;
    struct buf replies;
    struct buf *trace;           /* everything that happened, to compare */
    bool hold;                   /* a request is under way until the next one begins */
    bool closed;
};

static void finish(struct connection *connection)
{
    struct arena arena = connection->request.arena;
    fcgi_parser_done(&connection->parser);
    arena_reset(&arena);
    connection->request = (struct http_request){.arena = arena};
    buf_reset(&connection->inbound.params, 0);
    buf_reset(&connection->inbound.body, 0);
}

static void note_request(struct connection *connection)
{
    const struct http_request *request = &connection->request;
    assert(request->path.length && request->path.at[0] == '/');
    assert(request->param_count <= limits.params_max_count);
    assert(connection->inbound.params.length <= limits.params_max_bytes);
    assert(request->body.length <= limits.body_max_bytes);
    assert(request->body.length == connection->inbound.content_length);
    buf_addf(connection->trace, "%d %d %d ", connection->inbound.id, connection->inbound.keep_connection,
             request->method);
    buf_add_text(connection->trace, request->path);
    for (size_t i = 0; i < request->param_count; i++) {
        buf_add_text(connection->trace, request->params[i].name);
        buf_add_text(connection->trace, request->params[i].value);
    }
    buf_add_text(connection->trace, request->body);
}

static void happen(struct connection *connection, enum fcgi_event event)
{
    buf_addf(connection->trace, "[%d]", event);
    switch (event) {
    case FCGI_EVENT_BEGIN:
        fcgi_parser_accept(&connection->parser, &connection->inbound);
        break;
    case FCGI_EVENT_REQUEST:
        note_request(connection);
        if (!connection->hold)
            finish(connection);
        break;
    case FCGI_EVENT_NEXT:
        assert(connection->hold);
        finish(connection);
        break;
    case FCGI_EVENT_ABORT:
        finish(connection);
        break;
    case FCGI_EVENT_REFUSED:
        assert(connection->parser.refusal);
        buf_addf(connection->trace, "%d", connection->parser.refusal);
        connection->closed = connection->parser.ended;
        break;
    default:
        connection->closed = true;
        break;
    }
}

static void feed(struct connection *connection, const char *bytes, size_t length)
{
    while (!connection->closed) {
        size_t used;
        enum fcgi_event event = fcgi_parser_feed(&connection->parser, bytes, length, &used);
        assert(used <= length);
        bytes += used;
        length -= used;
        if (event == FCGI_EVENT_MORE) {
            assert(!length);
            return;
        }
        happen(connection, event);
    }
}

/* Feeds everything in pieces of the sizes that a little generator gives; seed 0 is one piece. */
static void run(struct text bytes, unsigned seed, bool hold, struct buf *trace)
{
    struct connection connection = {.trace = trace, .hold = hold};
    arena_init(&connection.request.arena, ARENA_MAX);
    connection.inbound.request = &connection.request;
    buf_init(&connection.inbound.params, limits.params_max_bytes);
    buf_init(&connection.inbound.body, limits.body_max_bytes);
    buf_init(&connection.replies, REPLIES_MAX);
    fcgi_parser_init(&connection.parser, &limits, &connection.replies);
    while (bytes.length && !connection.closed) {
        seed = seed ? seed * 1103515245u + 12345u : 0;
        size_t piece = seed ? 1 + (seed >> 16) % 20 : bytes.length;
        piece = piece < bytes.length ? piece : bytes.length;
        feed(&connection, bytes.at, piece);
        bytes.at += piece;
        bytes.length -= piece;
    }
    buf_add_text(trace, buf_text(&connection.replies));
    fcgi_parser_fini(&connection.parser);
    buf_fini(&connection.replies);
    buf_fini(&connection.inbound.params);
    buf_fini(&connection.inbound.body);
    arena_fini(&connection.request.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text bytes = {(const char *)data, size};
    for (int hold = 0; hold < 2; hold++) {
        struct buf whole, pieces;
        buf_init(&whole, TRACE_MAX);
        buf_init(&pieces, TRACE_MAX);
        run(bytes, 0, hold, &whole);
        for (unsigned seed = 1; seed < 4; seed++) {
            buf_reset(&pieces, TRACE_MAX);
            run(bytes, seed + (unsigned)size, hold, &pieces);
            assert(text_equal(buf_text(&whole), buf_text(&pieces)));
        }
        buf_fini(&pieces);
        buf_fini(&whole);
    }
    return 0;
}
