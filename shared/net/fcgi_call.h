/*
 * A request under way, from its first record to the last byte of its response, and the pool in which a lane keeps the
 * finished ones, so that in steady state the native transport allocates nothing for a request.
 *
 * For the lane's thread, but for the exchange while the callee has it.
 */
#ifndef TANDEM_NET_FCGI_CALL_H
#define TANDEM_NET_FCGI_CALL_H

#include "net/fcgi_parser.h"
#include "net/fcgi_stdout.h"
#include "net/reactor.h"
#include "net/server.h"

struct fcgi_call {
    struct exchange exchange;               /* first, so that one can be had from the other */
    struct fcgi_inbound inbound;
    struct buf head;                        /* of the response, as sent */
    struct reactor_mail mail;               /* brings it home when another thread has finished it */
    void *owner;                            /* the connection, or the lane of libfcgi, that serves it */
    struct fcgi_call *next_free;
};

struct fcgi_call_pool {
    const struct server_opts *opts;
    struct fcgi_call *free;
    unsigned count;
};

/** A fresh call; NULL without memory. */
struct fcgi_call *fcgi_call_get(struct fcgi_call_pool *pool);

/** Takes it back, into the pool or out of memory; what was large in it is freed. NULL is fine. */
void fcgi_call_put(struct fcgi_call_pool *pool, struct fcgi_call *call);

void fcgi_call_pool_fini(struct fcgi_call_pool *pool);

/** Makes the response ready to send: *ret_response points into the call. One without a status, or that did not fit its
 *  ceiling, becomes 500. */
void fcgi_call_seal(struct fcgi_call *call, struct fcgi_stdout *ret_response);

#endif
