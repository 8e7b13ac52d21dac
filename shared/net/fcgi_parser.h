/*
 * From the bytes of one FastCGI connection to whole requests: a pure state machine that does no I/O.
 *
 * Bytes are given in pieces of any size; what they mean is told as events, one at a time. At most one request is under
 * way on a connection; a request for a second one at the same time is answered CANT_MPX_CONN (section 3.3 of the
 * specification leaves that choice to the application). Record boundaries are always kept, also while a request that
 * was refused is passed over, so that no byte of a body is ever read as a record.
 *
 * Used by one thread at a time. Allocates only what the limits allow, for a request under way.
 */
#ifndef TANDEM_NET_FCGI_PARSER_H
#define TANDEM_NET_FCGI_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/fcgi_wire.h"
#include "net/http.h"

enum { FCGI_VALUES_MAX_BYTES = 1024 };   /* of a GET_VALUES query; a longer one breaks the connection */

struct fcgi_limits {
    size_t params_max_bytes;             /* more is ERR_HEADERS_TOO_LARGE */
    unsigned params_max_count;           /* likewise */
    size_t body_max_bytes;               /* more is ERR_TOO_LARGE */
    size_t discard_max_bytes;            /* of a refused request's rest; more breaks the connection */
    struct fcgi_wire_values values;
};

/* A request while it comes in; the caller's, with empty buffers whose ceilings are at least the limits. */
struct fcgi_inbound {
    struct http_request *request;        /* is filled; its texts point into the buffers and its arena */
    struct buf params, body;
    size_t content_length;
    uint16_t id;
    bool keep_connection;
};

enum fcgi_event {
    FCGI_EVENT_MORE,        /* all bytes are used up */
    FCGI_EVENT_BEGIN,       /* a request begins: call fcgi_parser_accept() before going on */
    FCGI_EVENT_REQUEST,     /* it is whole */
    FCGI_EVENT_REFUSED,     /* it breaks a limit or a rule, see refusal; answer it, the rest is passed over */
    FCGI_EVENT_DISCARDED,   /* the rest of a refused request has been passed over */
    FCGI_EVENT_ABORT,       /* the front gives up the request under way */
    FCGI_EVENT_NEXT,        /* the front sends the next request early: give the rest after fcgi_parser_done() */
    FCGI_EVENT_CLOSE,       /* a request was turned away, and its front asked to close after it */
    FCGI_EVENT_BROKEN,      /* not FastCGI, or past all bounds: close. The cause is in err_cause() */
};

/* Where the request under way is. */
enum fcgi_stage { FCGI_STAGE_NONE, FCGI_STAGE_PARAMS, FCGI_STAGE_STDIN, FCGI_STAGE_WHOLE, FCGI_STAGE_REFUSED };

/* Where the record being read is. */
enum fcgi_phase { FCGI_PHASE_HEADER, FCGI_PHASE_OPEN, FCGI_PHASE_CONTENT, FCGI_PHASE_CLOSE, FCGI_PHASE_PADDING };

/* What is done with its content. */
enum fcgi_sink {
    FCGI_SINK_SKIP, FCGI_SINK_BEGIN, FCGI_SINK_TURN_AWAY, FCGI_SINK_PARAMS, FCGI_SINK_STDIN, FCGI_SINK_VALUES,
};

struct fcgi_parser {
    const struct fcgi_limits *limits;
    struct fcgi_inbound *inbound;        /* from fcgi_parser_accept() to fcgi_parser_done() */
    struct buf *replies;                 /* whole records to send come here, whatever the event */
    struct buf values;                   /* a GET_VALUES query, gathered */
    size_t discarded_bytes;
    enum err refusal;
    bool ended;                          /* a refused request has nothing left to pass over */
    uint8_t stage, phase, sink;          /* enum fcgi_stage, fcgi_phase, fcgi_sink */
    uint8_t gathered;                    /* bytes in fixed */
    unsigned char fixed[FCGI_WIRE_HEADER_SIZE];   /* a header, then a body of eight bytes */
    struct fcgi_wire_header header;
    struct fcgi_wire_begin begin;
    size_t content_left, padding_left;
};

void fcgi_parser_init(struct fcgi_parser *parser, const struct fcgi_limits *limits, struct buf *replies);
void fcgi_parser_fini(struct fcgi_parser *parser);

/** Reads on; *ret_used says how many bytes up to and with the event, all of them with FCGI_EVENT_MORE. May be called
 *  with no bytes. After BROKEN it must not be called again. */
enum fcgi_event fcgi_parser_feed(struct fcgi_parser *parser, const char *bytes, size_t length, size_t *ret_used);

/** After FCGI_EVENT_BEGIN: where the request is to be gathered. Sets the id and keep_connection of inbound. */
void fcgi_parser_accept(struct fcgi_parser *parser, struct fcgi_inbound *inbound);

/** The request under way has been answered (or given up); its id is free again. */
void fcgi_parser_done(struct fcgi_parser *parser);

/** Whether nothing is under way: no request, and no record in part. */
bool fcgi_parser_quiet(const struct fcgi_parser *parser);

#endif
