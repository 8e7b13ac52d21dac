/*
 * The server: takes FastCGI requests from a listening socket and hands them over as exchanges.
 *
 * Two transports stand behind this interface. "native" is Tandem's own: reactors that never block. "libfcgi" is
 * the library, with a thread per request under way. Both keep the same promises:
 *   - an exchange is dispatched only when it is whole (parameters complete, body as long as CONTENT_LENGTH says);
 *   - every limit and deadline in server_opts holds;
 *   - dispatch is called on a lane: one of `lanes` threads, numbered from 0, so that the callee may keep something
 *     per lane (a read connection) without a lock. dispatch must not block for long on the native transport.
 *   - the callee finishes every exchange exactly once, from any thread.
 */
#ifndef TANDEM_NET_SERVER_H
#define TANDEM_NET_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/http.h"

struct exchange {
    struct http_request request;
    struct http_response response;
    unsigned lane;
    atomic_bool abandoned;             /* the front has given up (ABORT_REQUEST, or hung up); finish all the same */
    void (*finish)(struct exchange *); /* the transport's; call exchange_finish() */
    void *call;                        /* the callee's own */
};

/** Sends the response and gives the exchange back to its transport. Any thread, once; the exchange is gone after. */
void exchange_finish(struct exchange *exchange);

struct server_opts {
    const char *transport;           /* "native" or "libfcgi" */
    int listen_fd;                   /* listening and non-blocking; stays the caller's to close */
    unsigned lanes;                  /* reactors, or threads of libfcgi */
    unsigned connections_max;        /* over all lanes; further ones wait in the listen backlog */
    size_t params_max_bytes;         /* of one request; more is answered 431 */
    unsigned params_max_count;
    size_t body_max_bytes;           /* of one request; more is answered 413 */
    size_t arena_max_bytes;          /* of one request */
    size_t response_max_bytes;       /* of one response; more is answered 500 */
    unsigned header_timeout_ms;      /* from a request's first byte to its last parameter */
    unsigned body_timeout_ms;        /* from there to the last byte of the body */
    unsigned write_timeout_ms;       /* without progress in sending a response */
    unsigned idle_timeout_ms;        /* a kept connection without a request */
    void (*dispatch)(struct exchange *exchange, void *context);
    void *context;
};

/* What a connection is doing. */
enum server_state { SERVER_IDLE, SERVER_READING, SERVER_HANDLING, SERVER_WRITING, SERVER_STATES };

/* What the transport has seen so far; counters only rise. */
struct server_stats {
    uint64_t connections_accepted, connections_open, requests, protocol_errors, refused_too_large, aborted;
    uint64_t accept_failures;
    uint64_t timeouts, header_timeouts;            /* all, and of them those of headers */
};

struct server;

/** Starts the lanes. ERR_CONFIG for an unknown transport, ERR_MEMORY, ERR_IO. */
enum err must_check server_open(const struct server_opts *opts, struct server **ret);

/* An end that no front notices has two steps. A kept connection that is closed right after an answer is hardly ever
 * about to be used; one that is closed at any other moment may be, so that the first step goes on for as long as can be
 * waited. A connection that was accepted and has not brought a request yet is about to: it is not closed for
 * SERVER_FRESH_MS. */
enum { SERVER_FRESH_MS = 1000 };

/** The first: from now on connections are closed after their next answer; new ones are still taken. Any thread. */
void server_retire(struct server *server);

/** The second: takes no new connections, closes idle ones, and others after the request under way. Any thread. */
void server_drain(struct server *server);

/** How many exchanges are under way, plus connections in the middle of sending or of reading one; while draining also
 *  those that are waited for. Any thread. */
unsigned server_busy(const struct server *server);

/** Has every loop of the server, one a lane (with libfcgi one in all), show that it goes round. Any thread. */
void server_nudge(struct server *server);

/** How many have not since, and how many there are. Any thread. */
unsigned server_silent(const struct server *server, unsigned *ret_loops);

/** Ends the lanes: closes every connection, whatever its state. Exchanges that are still with the callee must have
 *  been finished before. NULL is fine. */
void server_close(struct server *server);

void server_stats(const struct server *server, struct server_stats *ret);

/** How many connections there are in each state, of one moment only roughly. Any thread. */
void server_connections(const struct server *server, unsigned ret[static SERVER_STATES]);

#endif
