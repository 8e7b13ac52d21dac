/*
 * What the connections of one lane of the native transport share. Internal to net/; for the lane's thread.
 */
#ifndef TANDEM_NET_FCGI_LANE_H
#define TANDEM_NET_FCGI_LANE_H

#include <stdbool.h>

#include "net/fcgi_call.h"
#include "net/fcgi_parser.h"
#include "net/reactor.h"
#include "net/server_transport.h"

struct fcgi_connection;

/* One read takes at most this much; an idle connection has no buffer of its own. */
enum { FCGI_SCRATCH_SIZE = 64 * 1024 };

struct fcgi_lane {
    struct reactor reactor;
    unsigned index;
    const struct server_opts *opts;
    struct fcgi_limits limits;
    struct server_counters *counters;
    struct fcgi_call_pool pool;
    struct fcgi_connection *connections;      /* a list of all */
    struct deadline_queue idle, header, body, write, fresh;
    const atomic_bool *retiring;              /* connections close after their next answer */
    bool draining;                            /* and those without a request, unless they are fresh, at once */
    void (*closed)(struct fcgi_lane *);       /* a connection of this lane has gone */
    char scratch[FCGI_SCRATCH_SIZE];
};

/** The server must outlive the lane. ERR_IO with the cause. */
enum err must_check fcgi_lane_init(struct fcgi_lane *lane, const struct server *server, unsigned index);

/** Closes every connection. After the end of reactor_run(). */
void fcgi_lane_fini(struct fcgi_lane *lane);

/** From now on connections close after the request under way; those without one, at once, but for fresh ones: these
 *  have SERVER_FRESH_MS for their first. */
void fcgi_lane_drain(struct fcgi_lane *lane);

#endif
