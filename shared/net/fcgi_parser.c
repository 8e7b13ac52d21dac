#include "config.h"

#include <assert.h>
#include <string.h>

#include "net/fcgi_inbound.h"
#include "net/fcgi_parser.h"

void fcgi_parser_init(struct fcgi_parser *parser, const struct fcgi_limits *limits, struct buf *replies)
{
    *parser = (struct fcgi_parser){.limits = limits, .replies = replies};
    buf_init(&parser->values, FCGI_VALUES_MAX_BYTES);
}

void fcgi_parser_fini(struct fcgi_parser *parser)
{
    buf_fini(&parser->values);
}

void fcgi_parser_accept(struct fcgi_parser *parser, struct fcgi_inbound *inbound)
{
    assert(parser->stage == FCGI_STAGE_NONE && !parser->inbound);
    inbound->id = parser->header.request_id;
    inbound->keep_connection = parser->begin.flags & FCGI_WIRE_KEEP_CONN;
    inbound->content_length = 0;
    parser->inbound = inbound;
    parser->stage = FCGI_STAGE_PARAMS;
    parser->discarded_bytes = 0;
}

void fcgi_parser_done(struct fcgi_parser *parser)
{
    parser->inbound = NULL;
    parser->stage = FCGI_STAGE_NONE;
    if (parser->phase == FCGI_PHASE_CONTENT)
        parser->sink = FCGI_SINK_SKIP;
}

bool fcgi_parser_quiet(const struct fcgi_parser *parser)
{
    return parser->stage == FCGI_STAGE_NONE && parser->phase == FCGI_PHASE_HEADER && !parser->gathered;
}

static enum fcgi_event broken(const char *why)
{
    enum err err = err_because(ERR_PROTOCOL, "FastCGI: %s", why);
    (void)err;
    return FCGI_EVENT_BROKEN;
}

static enum fcgi_event refuse(struct fcgi_parser *parser, enum err err)
{
    parser->stage = FCGI_STAGE_REFUSED;
    parser->sink = FCGI_SINK_SKIP;
    parser->refusal = err;
    parser->ended = parser->header.type == FCGI_WIRE_STDIN && !parser->header.content_length;
    return FCGI_EVENT_REFUSED;
}

static enum fcgi_event sink_to(struct fcgi_parser *parser, enum fcgi_sink sink)
{
    parser->sink = sink;
    return FCGI_EVENT_MORE;
}

static enum fcgi_event open_management(struct fcgi_parser *parser)
{
    unsigned char reply[FCGI_WIRE_RECORD_SIZE];
    if (parser->header.type == FCGI_WIRE_GET_VALUES) {
        if (parser->header.content_length > FCGI_VALUES_MAX_BYTES)
            return broken("a GET_VALUES record is too long");
        return sink_to(parser, FCGI_SINK_VALUES);
    }
    fcgi_wire_unknown_type(parser->header.type, reply);
    buf_add(parser->replies, reply, sizeof reply);
    return sink_to(parser, FCGI_SINK_SKIP);
}

static enum fcgi_event open_begin(struct fcgi_parser *parser)
{
    bool same_id = parser->inbound && parser->header.request_id == parser->inbound->id;
    if (parser->header.content_length != FCGI_WIRE_BODY_SIZE)
        return broken("a BEGIN_REQUEST record is not of its size");
    if (parser->stage == FCGI_STAGE_NONE)
        return sink_to(parser, FCGI_SINK_BEGIN);
    if (!same_id)
        return sink_to(parser, FCGI_SINK_TURN_AWAY);
    if (parser->stage == FCGI_STAGE_WHOLE)
        return FCGI_EVENT_NEXT;
    return broken("a request begins twice");
}

static enum fcgi_event open_params(struct fcgi_parser *parser)
{
    size_t length = parser->header.content_length;
    if (parser->stage != FCGI_STAGE_PARAMS)
        return refuse(parser, err_because(ERR_MALFORMED, "parameters after their end"));
    if (length > parser->limits->params_max_bytes - parser->inbound->params.length)
        return refuse(parser, err_because(ERR_HEADERS_TOO_LARGE, "more than %zu bytes of parameters",
                                          parser->limits->params_max_bytes));
    return sink_to(parser, FCGI_SINK_PARAMS);
}

static enum fcgi_event open_stdin(struct fcgi_parser *parser)
{
    if (parser->stage != FCGI_STAGE_STDIN)
        return refuse(parser, err_because(ERR_MALFORMED, "a body before the end of the parameters"));
    if (parser->header.content_length > parser->inbound->content_length - parser->inbound->body.length)
        return refuse(parser, err_because(ERR_MALFORMED, "more body than CONTENT_LENGTH says"));
    return sink_to(parser, FCGI_SINK_STDIN);
}

/* A record of a request that was refused: passed over, within bounds. */
static enum fcgi_event open_refused(struct fcgi_parser *parser)
{
    bool ends = parser->header.type == FCGI_WIRE_STDIN && !parser->header.content_length;
    parser->discarded_bytes += FCGI_WIRE_HEADER_SIZE + parser->header.content_length;
    parser->sink = FCGI_SINK_SKIP;
    if (ends || parser->header.type == FCGI_WIRE_ABORT_REQUEST)
        return FCGI_EVENT_DISCARDED;
    if (parser->discarded_bytes > parser->limits->discard_max_bytes)
        return broken("the rest of a refused request is too long");
    return FCGI_EVENT_MORE;
}

static enum fcgi_event open_application(struct fcgi_parser *parser)
{
    parser->sink = FCGI_SINK_SKIP;
    if (parser->header.type == FCGI_WIRE_BEGIN_REQUEST)
        return open_begin(parser);
    /* records of requests that are not under way are passed over (section 3.3) */
    if (!parser->inbound || parser->header.request_id != parser->inbound->id)
        return FCGI_EVENT_MORE;
    if (parser->stage == FCGI_STAGE_REFUSED)
        return open_refused(parser);
    if (parser->header.type == FCGI_WIRE_ABORT_REQUEST)
        return FCGI_EVENT_ABORT;
    if (parser->stage == FCGI_STAGE_WHOLE)
        return FCGI_EVENT_MORE;
    if (parser->header.type == FCGI_WIRE_PARAMS)
        return open_params(parser);
    return parser->header.type == FCGI_WIRE_STDIN ? open_stdin(parser) : FCGI_EVENT_MORE;
}

static enum fcgi_event record_open(struct fcgi_parser *parser)
{
    fcgi_wire_header_decode(parser->fixed, &parser->header);
    if (parser->header.version != FCGI_WIRE_VERSION)
        return broken("the version is not 1");
    enum fcgi_event event = parser->header.request_id ? open_application(parser) : open_management(parser);
    if (event == FCGI_EVENT_NEXT)
        return event;  /* the phase stays, and the record is opened again after fcgi_parser_done() */
    parser->gathered = 0;
    parser->content_left = parser->header.content_length;
    parser->padding_left = parser->header.padding_length;
    parser->phase = FCGI_PHASE_CONTENT;
    return event;
}

static enum fcgi_event turn_away(struct fcgi_parser *parser, enum fcgi_wire_status status)
{
    unsigned char reply[FCGI_WIRE_RECORD_SIZE];
    fcgi_wire_end_request(parser->header.request_id, 0, status, reply);
    buf_add(parser->replies, reply, sizeof reply);
    return FCGI_EVENT_MORE;
}

static enum fcgi_event close_begin(struct fcgi_parser *parser)
{
    fcgi_wire_begin_decode(parser->fixed, &parser->begin);
    parser->gathered = 0;
    if (parser->begin.role == FCGI_WIRE_RESPONDER)
        return FCGI_EVENT_BEGIN;
    turn_away(parser, FCGI_WIRE_UNKNOWN_ROLE);
    return parser->begin.flags & FCGI_WIRE_KEEP_CONN ? FCGI_EVENT_MORE : FCGI_EVENT_CLOSE;
}

static enum fcgi_event close_values(struct fcgi_parser *parser)
{
    unsigned char reply[FCGI_WIRE_VALUES_RESULT_MAX];
    size_t size;
    if (fcgi_wire_values_result(buf_text(&parser->values), &parser->limits->values, reply, &size))
        return broken("a GET_VALUES record is not pairs");
    buf_add(parser->replies, reply, size);
    buf_reset(&parser->values, 0);
    return FCGI_EVENT_MORE;
}

static enum fcgi_event close_params(struct fcgi_parser *parser)
{
    if (parser->header.content_length)
        return FCGI_EVENT_MORE;
    enum err err = fcgi_inbound_params_end(parser->inbound, parser->limits);
    if (err)
        return refuse(parser, err);
    parser->stage = FCGI_STAGE_STDIN;
    return FCGI_EVENT_MORE;
}

static enum fcgi_event close_stdin(struct fcgi_parser *parser)
{
    if (parser->header.content_length)
        return FCGI_EVENT_MORE;
    enum err err = fcgi_inbound_body_end(parser->inbound);
    if (err)
        return refuse(parser, err);
    parser->stage = FCGI_STAGE_WHOLE;
    return FCGI_EVENT_REQUEST;
}

static enum fcgi_event record_close(struct fcgi_parser *parser)
{
    parser->phase = FCGI_PHASE_PADDING;
    switch (parser->sink) {
    case FCGI_SINK_BEGIN:
        return close_begin(parser);
    case FCGI_SINK_TURN_AWAY:
        return turn_away(parser, FCGI_WIRE_CANT_MPX_CONN);
    case FCGI_SINK_VALUES:
        return close_values(parser);
    case FCGI_SINK_PARAMS:
        return close_params(parser);
    case FCGI_SINK_STDIN:
        return close_stdin(parser);
    default:
        return FCGI_EVENT_MORE;
    }
}

/* Gathers the eight bytes of a header or of a body in fixed. */
static size_t fixed_add(struct fcgi_parser *parser, const char *bytes, size_t length)
{
    size_t wanted = FCGI_WIRE_HEADER_SIZE - parser->gathered;
    size_t taken = length < wanted ? length : wanted;
    if (taken)
        memcpy(parser->fixed + parser->gathered, bytes, taken);
    parser->gathered += taken;
    return taken;
}

static struct buf *sink_buf(struct fcgi_parser *parser)
{
    switch (parser->sink) {
    case FCGI_SINK_VALUES:
        return &parser->values;
    case FCGI_SINK_PARAMS:
        return &parser->inbound->params;
    case FCGI_SINK_STDIN:
        return &parser->inbound->body;
    default:
        return NULL;
    }
}

static enum fcgi_event content_feed(struct fcgi_parser *parser, const char *bytes, size_t length, size_t *ret_used)
{
    size_t taken = length < parser->content_left ? length : parser->content_left;
    struct buf *buf = sink_buf(parser);
    *ret_used = taken;
    parser->content_left -= taken;
    if (!parser->content_left)
        parser->phase = FCGI_PHASE_CLOSE;
    if (parser->sink == FCGI_SINK_BEGIN) {
        fixed_add(parser, bytes, taken);
        return FCGI_EVENT_MORE;
    }
    if (!buf || !taken)
        return FCGI_EVENT_MORE;
    buf_add(buf, bytes, taken);
    if (!buf->failed)
        return FCGI_EVENT_MORE;
    if (parser->sink == FCGI_SINK_VALUES)
        return broken("there is no memory for a GET_VALUES record");
    return refuse(parser, err_because(ERR_MEMORY, "there is no memory for a request"));
}

/* One step of the machine, which uses up bytes or changes the phase. */
static enum fcgi_event step(struct fcgi_parser *parser, const char *bytes, size_t length, size_t *ret_used)
{
    *ret_used = 0;
    switch (parser->phase) {
    case FCGI_PHASE_HEADER:
        *ret_used = fixed_add(parser, bytes, length);
        if (parser->gathered == FCGI_WIRE_HEADER_SIZE)
            parser->phase = FCGI_PHASE_OPEN;
        return FCGI_EVENT_MORE;
    case FCGI_PHASE_OPEN:
        return record_open(parser);
    case FCGI_PHASE_CONTENT:
        return content_feed(parser, bytes, length, ret_used);
    case FCGI_PHASE_CLOSE:
        return record_close(parser);
    default:
        *ret_used = length < parser->padding_left ? length : parser->padding_left;
        parser->padding_left -= *ret_used;
        if (!parser->padding_left)
            parser->phase = FCGI_PHASE_HEADER;
        return FCGI_EVENT_MORE;
    }
}

enum fcgi_event fcgi_parser_feed(struct fcgi_parser *parser, const char *bytes, size_t length, size_t *ret_used)
{
    size_t used = 0;
    for (;;) {
        uint8_t phase = parser->phase;
        size_t taken;
        enum fcgi_event event = step(parser, bytes + used, length - used, &taken);
        used += taken;
        if (event != FCGI_EVENT_MORE || (!taken && parser->phase == phase)) {
            *ret_used = used;
            return event;
        }
    }
}
