/*
 * The libfcgi transport: the library reads and writes the records, and a thread is held by each request under way.
 * Internal to net/.
 *
 * One thread, the poller, accepts, keeps idle connections in an epoll, and hands one with something to read to the
 * lanes through a bounded queue. A lane gives the connection to the library, which never accepts by itself (its
 * listening socket is -1), dispatches, waits for the callee, and writes. The poller is also the watchdog: it shuts down
 * the socket of a peer that is past a deadline, which is the only way to get the library out of a read or a write.
 *
 * What the library cannot do, and this transport therefore does not (check/unit/test_server_libfcgi.c names the cases):
 *   - a slow or silent peer holds a lane up to its deadline, and deadlines are kept to within LIBFCGI_TICK_MS;
 *   - the parameters are bounded only after the library has read them all into memory;
 *   - while the callee has a request nothing is read: ABORT_REQUEST is not seen (hanging up is, at the next tick), and
 *     what the front sends meanwhile is lost, as is what the library has read ahead: no pipelining;
 *   - a request with parameters that are cut, with records out of order, aborted while it comes in, or of another role
 *     than responder closes the connection instead of being answered;
 *   - an empty record of another request on the connection makes it pass over the record that follows;
 *   - padding of the last STDIN record must arrive with it;
 *   - GET_VALUES always says one connection and one request, and holds a lane until a request follows. One that repeats
 *     names overruns a buffer on the library's stack, which ends the process: the socket must be for the front alone;
 *   - each management record of another type leaks 48 bytes in the library;
 *   - a zero byte in a parameter ends it, and a name with '=' in it is cut there;
 *   - a request takes some 30 allocations, a response above 8 KiB a system call for each 8 KiB;
 *   - without memory the library ends the process, also when a parameter only claims such a length; libraries that lack
 *     the fix of CVE-2025-23016 overrun the heap instead.
 */
#ifndef TANDEM_NET_SERVER_LIBFCGI_H
#define TANDEM_NET_SERVER_LIBFCGI_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/fcgi_call.h"
#include "net/reactor.h"
#include "net/server_transport.h"

enum { LIBFCGI_TICK_MS = 50 };

enum libfcgi_state { LIBFCGI_IDLE, LIBFCGI_WITH_LANE };

struct libfcgi_connection {
    struct reactor_source source;        /* first; its descriptor is blocking */
    int library_fd;                      /* a duplicate, for the library to close when it likes */
    struct libfcgi_connection *previous, *next;
    enum libfcgi_state state;
    int64_t since_ns;                    /* idle, or ready, since */
    bool used;                           /* has brought a request before */
    bool awaited;                        /* fresh while the server drains: counted as busy */
};

/* What the lane's thread is doing, and with it the deadline that runs. */
enum libfcgi_phase {
    LIBFCGI_FREE, LIBFCGI_HEADER, LIBFCGI_BODY, LIBFCGI_CALLEE, LIBFCGI_WRITE, LIBFCGI_PHASES,
};

struct libfcgi_pool;

struct libfcgi_lane {
    struct libfcgi_pool *pool;
    unsigned index;
    pthread_t thread;
    bool started;
    struct server_counters *counters;
    struct fcgi_call_pool calls;
    sem_t finished;                      /* by the callee */
    pthread_mutex_t lock;                /* guards what follows, which the watchdog reads */
    enum libfcgi_phase phase;
    int64_t since_ns;
    int fd;                              /* -1: no connection. Stays open while it stands here */
    struct fcgi_call *call;              /* with the callee */
    bool shut;                           /* the watchdog has shut it down */
};

struct libfcgi_pool {
    struct server server;
    struct reactor reactor;
    pthread_t thread;
    bool ready, started, tcp, held;      /* held: connections_max is reached */
    struct reactor_source listener;
    struct deadline_queue pause_queue, tick_queue;
    struct deadline pause, tick;
    struct reactor_mail resume_mail, drain_mail, nudge_mail;
    atomic_bool resume_posted, drain_posted, nudge_posted, draining;
    pthread_mutex_t lock;                /* guards what follows */
    pthread_cond_t filled;
    bool stopping;
    unsigned open;                       /* connections */
    struct libfcgi_connection *connections;
    struct libfcgi_connection **queue;   /* a ring of connections_max places: no connection stands in it twice */
    unsigned queue_head, queue_count;
    struct libfcgi_lane *lanes;
};

/** The poller: prepares its part of the pool, before its thread runs. ERR_IO. */
enum err must_check libfcgi_poller_init(struct libfcgi_pool *pool);

/** Gives a connection back, to wait for its next request, or to be closed. Any lane. */
void libfcgi_park(struct libfcgi_pool *pool, struct libfcgi_connection *connection);
void libfcgi_close(struct libfcgi_pool *pool, struct libfcgi_connection *connection);

/** Serves one request of a connection; whether the connection can be kept. On the lane's thread. */
bool libfcgi_call_serve(struct libfcgi_lane *lane, struct libfcgi_connection *connection);

/** Tells the watchdog what the lane does from now on. */
void libfcgi_phase(struct libfcgi_lane *lane, enum libfcgi_phase phase, int64_t since_ns);

#endif
