/*
 * What a transport gives to server.c, and what both transports count. Internal to net/.
 */
#ifndef TANDEM_NET_SERVER_TRANSPORT_H
#define TANDEM_NET_SERVER_TRANSPORT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "net/server.h"

/* What is counted: of each lane here, and of the service as a metric (server.c). */
enum server_counter {
    SERVER_ACCEPTED, SERVER_CLOSED, SERVER_REQUESTS, SERVER_PROTOCOL, SERVER_HEADER_TIMEOUT, SERVER_BODY_TIMEOUT,
    SERVER_WRITE_TIMEOUT, SERVER_TOO_LARGE, SERVER_ABORTED, SERVER_ACCEPT_FAILED,
    SERVER_COUNTS,
};

/* One set a lane, on cache lines of its own. */
struct server_counters {
    alignas(64) atomic_uint_least64_t counts[SERVER_COUNTS];
    atomic_uint busy;                            /* see server_busy() */
    atomic_uint connections[SERVER_STATES];      /* native: by state; the lane's thread alone changes them */
};

/* The first member of each transport's own struct. */
struct server {
    const struct server_transport *transport;
    struct server_opts opts;
    struct server_counters *counters;        /* one set a lane; the transport's to free */
    atomic_bool retiring;                    /* connections close after their next answer */
};

struct server_transport {
    const char *name;
    enum err (*open)(const struct server_opts *opts, struct server **ret);
    void (*drain)(struct server *server);
    void (*nudge)(struct server *server);
    unsigned (*silent)(const struct server *server, unsigned *ret_loops);
    void (*connections)(const struct server *server, unsigned ret[static SERVER_STATES]);
    void (*close)(struct server *server);
};

extern const struct server_transport server_native;
extern const struct server_transport server_libfcgi;

/** The counter sets of a server; NULL without memory. */
struct server_counters *server_counters_new(unsigned lanes);

void server_count(struct server_counters *counters, enum server_counter which);

/* How long accepting rests after a failure that only time can mend. */
enum { SERVER_ACCEPT_PAUSE_MS = 100 };

/** Whether an accept failed with this errno for want of descriptors or memory. */
bool server_is_exhaustion(int error);

/** Counts a request that was refused for this reason. */
void server_count_refusal(struct server_counters *counters, enum err err);

#endif
