#include "config.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/server_native.h"
#include "telemetry/metric.h"

static void drain_deliver(struct reactor_mail *mail)
{
    struct native_lane *lane = (struct native_lane *)((char *)mail - offsetof(struct native_lane, drain_mail));
    fcgi_lane_drain(&lane->lane);
    native_accept_stop(lane);
    atomic_fetch_sub(&lane->lane.counters->busy, 1);
}

static void native_drain(struct server *server)
{
    struct native *native = (struct native *)server;
    for (unsigned i = 0; i < server->opts.lanes; i++) {
        struct native_lane *lane = &native->lanes[i];
        if (atomic_exchange(&lane->drain_posted, true))
            continue;
        atomic_fetch_add(&lane->lane.counters->busy, 1);   /* until it has heard */
        reactor_post(&lane->lane.reactor, &lane->drain_mail);
    }
}

static void nudge_deliver(struct reactor_mail *mail)
{
    struct native_lane *lane = (struct native_lane *)((char *)mail - offsetof(struct native_lane, nudge_mail));
    atomic_store(&lane->nudge_posted, false);
}

static void native_nudge(struct server *server)
{
    struct native *native = (struct native *)server;
    for (unsigned i = 0; i < server->opts.lanes; i++) {
        struct native_lane *lane = &native->lanes[i];
        if (!atomic_exchange(&lane->nudge_posted, true))
            reactor_post(&lane->lane.reactor, &lane->nudge_mail);
    }
}

static unsigned native_silent(const struct server *server, unsigned *ret_loops)
{
    const struct native *native = (const struct native *)server;
    unsigned silent = 0;
    for (unsigned i = 0; i < server->opts.lanes; i++)
        silent += atomic_load(&native->lanes[i].nudge_posted);
    *ret_loops = server->opts.lanes;
    return silent;
}

static void *lane_main(void *argument)
{
    struct native_lane *lane = argument;
    char name[16];
    snprintf(name, sizeof name, "lane-%u", lane->lane.index % 1000);
    pthread_setname_np(pthread_self(), name);
    metric_own_begin();
    reactor_run(&lane->lane.reactor);
    metric_own_end();
    return NULL;
}

/* Signals are the main thread's. */
static enum err lane_start(struct native_lane *lane)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&lane->thread, NULL, lane_main, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return err_because(ERR_IO, "pthread_create: %s", strerror(error));
    lane->started = true;
    return ERR_NONE;
}

static enum err lane_init(struct native *native, unsigned index)
{
    struct native_lane *lane = &native->lanes[index];
    enum err err = fcgi_lane_init(&lane->lane, &native->server, index);
    if (err)
        return err;
    lane->native = native;
    lane->ready = true;
    lane->drain_mail.deliver = drain_deliver;
    lane->nudge_mail.deliver = nudge_deliver;
    return native_accept_start(lane);
}

static void lanes_stop(struct native *native)
{
    for (unsigned i = 0; i < native->server.opts.lanes; i++)
        if (native->lanes[i].started)
            reactor_stop(&native->lanes[i].lane.reactor);
    for (unsigned i = 0; i < native->server.opts.lanes; i++)
        if (native->lanes[i].started)
            pthread_join(native->lanes[i].thread, NULL);
}

/* Mail that nobody took any more: finished exchanges, connections handed over. Then all is closed. */
static void lanes_clear(struct native *native)
{
    for (unsigned i = 0; i < native->server.opts.lanes; i++) {
        if (!native->lanes[i].ready)
            continue;
        native->lanes[i].lane.draining = true;
        reactor_deliver(&native->lanes[i].lane.reactor);
    }
    for (unsigned i = 0; i < native->server.opts.lanes; i++)
        if (native->lanes[i].ready)
            fcgi_lane_fini(&native->lanes[i].lane);
}

static void native_close(struct server *server)
{
    struct native *native = (struct native *)server;
    if (native->lanes) {
        lanes_stop(native);
        lanes_clear(native);
    }
    free(native->lanes);
    free(native->server.counters);
    free(native);
}

static bool is_tcp(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    return !getsockname(fd, (struct sockaddr *)&address, &size) && address.ss_family != AF_UNIX;
}

static enum err native_open(const struct server_opts *opts, struct server **ret)
{
    struct native *native = calloc(1, sizeof *native);
    enum err err = ERR_NONE;
    assert(opts->lanes && opts->connections_max && opts->dispatch);
    if (!native)
        return err_because(ERR_MEMORY, "there is no memory for a server");
    native->server = (struct server){.transport = &server_native, .opts = *opts};
    native->tcp = is_tcp(opts->listen_fd);
    native->server.counters = server_counters_new(opts->lanes);
    native->lanes = calloc(opts->lanes, sizeof *native->lanes);
    if (!native->lanes || !native->server.counters) {
        err = err_because(ERR_MEMORY, "there is no memory for lanes");
        goto out;
    }
    for (unsigned i = 0; i < opts->lanes && !err; i++)
        err = lane_init(native, i);
    for (unsigned i = 0; i < opts->lanes && !err; i++)
        err = lane_start(&native->lanes[i]);
    if (!err)
        *ret = &native->server;
out:
    if (err)
        native_close(&native->server);
    return err;
}

static void native_connections(const struct server *server, unsigned ret[static SERVER_STATES])
{
    for (unsigned state = 0; state < SERVER_STATES; state++) {
        ret[state] = 0;
        for (unsigned i = 0; i < server->opts.lanes; i++)
            ret[state] += atomic_load_explicit(&server->counters[i].connections[state], memory_order_relaxed);
    }
}

const struct server_transport server_native = {
    .name = "native",
    .open = native_open,
    .drain = native_drain,
    .nudge = native_nudge,
    .silent = native_silent,
    .connections = native_connections,
    .close = native_close,
};
