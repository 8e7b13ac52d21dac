/*
 * One connection of the native transport: what has come in is parsed, a whole request is dispatched, and its response
 * leaves, with as few system calls as that takes (one read, one write).
 *
 * A front that hangs up is noticed while the callee has its request, and marks it abandoned; on TCP, where hanging up
 * cannot be told from closing one direction, only when the response is sent.
 *
 * For the lane's thread. No function blocks. A connection that closes stays in memory until its reactor's batch is
 * over, in state FCGI_CONNECTION_CLOSED.
 */
#ifndef TANDEM_NET_FCGI_CONNECTION_H
#define TANDEM_NET_FCGI_CONNECTION_H

#include <stdbool.h>

#include "net/fcgi_lane.h"

enum fcgi_connection_state {
    FCGI_CONNECTION_READING,      /* no request, or one that is coming in */
    FCGI_CONNECTION_BUSY,         /* the callee has it */
    FCGI_CONNECTION_SENDING,      /* its response is leaving; nothing is read meanwhile */
    FCGI_CONNECTION_LINGERING,    /* a refusal has been sent; the rest of that request is passed over */
    FCGI_CONNECTION_CLOSED,
};

struct fcgi_connection {
    struct reactor_source source;
    struct deadline deadline;
    struct fcgi_lane *lane;
    struct fcgi_connection *previous, *next;
    struct fcgi_parser parser;
    struct buf replies;           /* short records to send before anything else */
    struct buf leftover;          /* bytes that were read and cannot be parsed yet */
    struct fcgi_call *call;       /* the request under way */
    struct fcgi_stdout response;
    size_t response_bytes;        /* on the wire; 0: none is sent */
    size_t sent_bytes;            /* of these */
    uint8_t state;                /* enum fcgi_connection_state */
    uint8_t shown;                /* enum server_state that it is counted under */
    bool dispatching;             /* inside the callee's dispatch */
    bool aborted;                 /* by ABORT_REQUEST: only END_REQUEST is sent */
    bool closing;                 /* after what is being sent */
    bool next_waiting;            /* the parser holds the beginning of the next request */
    bool blocked;                 /* the socket takes no more at present */
    bool used;                    /* has brought a request before */
    bool awaited;                 /* fresh while the lane drains: counted as busy until it brings its first */
    bool ended;                   /* the front has closed its direction; it may still wait for the response */
    bool gone;                    /* nobody is there any more */
};

/** Takes over a connected, non-blocking descriptor; closes it on failure. ERR_MEMORY, ERR_IO. */
enum err must_check fcgi_connection_open(struct fcgi_lane *lane, int fd);

void fcgi_connection_close(struct fcgi_connection *connection);

/** The lane drains: serves what may have come in already, and closes when there is nothing under way, unless the
 *  connection is fresh. */
void fcgi_connection_drain(struct fcgi_connection *connection);

/* What happens at the deadlines. */
void fcgi_connection_idle(struct deadline *deadline);
void fcgi_connection_late(struct deadline *deadline);

/* Between fcgi_connection.c (in) and fcgi_connection_send.c (out). */

/** Sends what there is to send, as far as the socket takes it; goes on with the next state when all is sent. */
void fcgi_connection_flush(struct fcgi_connection *connection);

/** Begins to send the response of the call, or what stands for it. */
void fcgi_connection_answer(struct fcgi_connection *connection);

/** Ends the call under way. */
void fcgi_connection_release(struct fcgi_connection *connection);

#endif
