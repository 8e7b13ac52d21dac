/*
 * The native transport: lanes that share one listening socket. Internal to net/.
 *
 * Each lane is a thread with its own reactor, and accepts for itself (EPOLLEXCLUSIVE wakes one). Since the kernel tends
 * to wake the same one, a lane that has more connections than another hands a new one over: fronts keep their
 * connections for long, and an uneven share would last as long.
 */
#ifndef TANDEM_NET_SERVER_NATIVE_H
#define TANDEM_NET_SERVER_NATIVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "net/fcgi_lane.h"
#include "net/server_transport.h"

struct native;

struct native_lane {
    struct fcgi_lane lane;
    struct native *native;
    pthread_t thread;
    bool ready, started;                         /* initialised; its thread runs */
    struct reactor_source listener;
    struct deadline_queue pause_queue;
    struct deadline pause;                       /* armed: accepting failed a moment ago */
    bool held;                                   /* connections_max is reached */
    atomic_uint open;                            /* connections, also those on their way to this lane */
    struct reactor_mail resume_mail, drain_mail, nudge_mail;
    atomic_bool resume_posted, drain_posted, nudge_posted;
};

struct native {
    struct server server;
    bool tcp;
    atomic_uint open;                            /* connections of all lanes */
    atomic_uint held;                            /* lanes that are */
    struct native_lane *lanes;
};

/** Makes the lane accept connections; before its thread starts. ERR_IO. */
enum err must_check native_accept_start(struct native_lane *lane);

/** Ends that, but for what waits already. On the lane's thread. */
void native_accept_stop(struct native_lane *lane);

#endif
