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

#define SERVER_COUNTERS(ROW)                                                                                           \
    ROW(connections_accepted)                                                                                          \
    ROW(connections_closed)                                                                                            \
    ROW(requests)                                                                                                      \
    ROW(protocol_errors)                                                                                               \
    ROW(timeouts)                                                                                                      \
    ROW(refused_too_large)                                                                                             \
    ROW(aborted)                                                                                                       \
    ROW(accept_failures)

/* One set a lane, on cache lines of its own. */
struct server_counters {
#define SERVER_COUNTER_MEMBER(name) atomic_uint_least64_t name;
    alignas(64) SERVER_COUNTERS(SERVER_COUNTER_MEMBER)
#undef SERVER_COUNTER_MEMBER
    atomic_uint busy;          /* see server_busy() */
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
    void (*close)(struct server *server);
};

extern const struct server_transport server_native;
extern const struct server_transport server_libfcgi;

/** The counter sets of a server; NULL without memory. */
struct server_counters *server_counters_new(unsigned lanes);

static inline void server_count(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* How long accepting rests after a failure that only time can mend. */
enum { SERVER_ACCEPT_PAUSE_MS = 100 };

/** Whether an accept failed with this errno for want of descriptors or memory. */
bool server_is_exhaustion(int error);

/** Counts a request that was refused for this reason. */
void server_count_refusal(struct server_counters *counters, enum err err);

#endif
