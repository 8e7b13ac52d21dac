#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/server_libfcgi.h"

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_error;

/* The library takes SIGPIPE and SIGUSR1 for itself; they stay the program's. */
static void library_init(void)
{
    struct sigaction pipe_action, usr1_action;
    sigaction(SIGPIPE, NULL, &pipe_action);
    sigaction(SIGUSR1, NULL, &usr1_action);
    library_error = FCGX_Init();
    sigaction(SIGPIPE, &pipe_action, NULL);
    sigaction(SIGUSR1, &usr1_action, NULL);
}

static void lane_hold(struct libfcgi_lane *lane, int fd, enum libfcgi_phase phase, int64_t since_ns)
{
    pthread_mutex_lock(&lane->lock);
    lane->fd = fd;
    lane->phase = phase;
    lane->since_ns = since_ns;
    lane->call = NULL;
    lane->shut = false;
    pthread_mutex_unlock(&lane->lock);
}

/* The next connection to serve; NULL when the lanes stop. It is held under the pool's lock, so that whoever stops the
 * lanes finds it there. */
static struct libfcgi_connection *dequeue(struct libfcgi_lane *lane)
{
    struct libfcgi_pool *pool = lane->pool;
    struct libfcgi_connection *connection = NULL;
    pthread_mutex_lock(&pool->lock);
    while (!pool->queue_count && !pool->stopping)
        pthread_cond_wait(&pool->filled, &pool->lock);
    if (!pool->stopping) {
        connection = pool->queue[pool->queue_head];
        pool->queue_head = (pool->queue_head + 1) % pool->server.opts.connections_max;
        pool->queue_count--;
        lane_hold(lane, connection->source.fd, LIBFCGI_HEADER, connection->since_ns);
    }
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

static void *lane_main(void *argument)
{
    struct libfcgi_lane *lane = argument;
    struct libfcgi_pool *pool = lane->pool;
    struct libfcgi_connection *connection;
    while ((connection = dequeue(lane))) {
        bool keep = libfcgi_call_serve(lane, connection);
        lane_hold(lane, -1, LIBFCGI_FREE, 0);
        if (keep)
            libfcgi_park(pool, connection);
        else
            libfcgi_close(pool, connection);
        atomic_fetch_sub(&pool->server.counters->busy, 1);
    }
    return NULL;
}

static void *poller_main(void *argument)
{
    struct libfcgi_pool *pool = argument;
    reactor_run(&pool->reactor);
    return NULL;
}

/* Signals are the main thread's. A lane has SIGPIPE blocked, so that the library's writes fail with EPIPE. */
static enum err thread_start(pthread_t *thread, void *(*run)(void *), void *argument, bool *ret_started)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return err_because(ERR_IO, "pthread_create: %s", strerror(error));
    *ret_started = true;
    return ERR_NONE;
}

static void libfcgi_drain(struct server *server)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)server;
    atomic_store(&pool->draining, true);
    if (atomic_exchange(&pool->drain_posted, true))
        return;
    atomic_fetch_add(&pool->server.counters->busy, 1);   /* until the poller has heard */
    reactor_post(&pool->reactor, &pool->drain_mail);
}

static void nudge_deliver(struct reactor_mail *mail)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)((char *)mail - offsetof(struct libfcgi_pool, nudge_mail));
    atomic_store(&pool->nudge_posted, false);
}

/* The poller's is the one loop; that a lane is busy for long means nothing here. */
static void libfcgi_nudge(struct server *server)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)server;
    if (!atomic_exchange(&pool->nudge_posted, true))
        reactor_post(&pool->reactor, &pool->nudge_mail);
}

static unsigned libfcgi_silent(const struct server *server, unsigned *ret_loops)
{
    *ret_loops = 1;
    return atomic_load(&((const struct libfcgi_pool *)server)->nudge_posted);
}

/* Shutting its socket down is what gets a lane out of the library. */
static void lanes_stop(struct libfcgi_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->server.opts.lanes; i++) {
        struct libfcgi_lane *lane = &pool->lanes[i];
        pthread_mutex_lock(&lane->lock);
        lane->shut = true;
        if (lane->fd >= 0)
            shutdown(lane->fd, SHUT_RDWR);
        pthread_mutex_unlock(&lane->lock);
    }
    for (unsigned i = 0; i < pool->server.opts.lanes; i++)
        if (pool->lanes[i].started)
            pthread_join(pool->lanes[i].thread, NULL);
}

static void lanes_free(struct libfcgi_pool *pool)
{
    for (unsigned i = 0; pool->lanes && i < pool->server.opts.lanes; i++) {
        fcgi_call_pool_fini(&pool->lanes[i].calls);
        sem_destroy(&pool->lanes[i].finished);
        pthread_mutex_destroy(&pool->lanes[i].lock);
    }
    free(pool->lanes);
}

static void libfcgi_pool_close(struct server *server)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)server;
    atomic_store(&pool->draining, true);
    if (pool->started) {
        reactor_stop(&pool->reactor);
        pthread_join(pool->thread, NULL);
    }
    if (pool->lanes)
        lanes_stop(pool);
    while (pool->connections)
        libfcgi_close(pool, pool->connections);
    if (pool->ready)
        reactor_fini(&pool->reactor);
    lanes_free(pool);
    pthread_cond_destroy(&pool->filled);
    pthread_mutex_destroy(&pool->lock);
    free(pool->queue);
    free(pool->server.counters);
    free(pool);
}

static bool is_tcp(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    return !getsockname(fd, (struct sockaddr *)&address, &size) && address.ss_family != AF_UNIX;
}

static void lane_init(struct libfcgi_pool *pool, unsigned index)
{
    struct libfcgi_lane *lane = &pool->lanes[index];
    *lane = (struct libfcgi_lane){.pool = pool, .index = index, .fd = -1};
    lane->counters = &pool->server.counters[index];
    lane->calls = (struct fcgi_call_pool){.opts = &pool->server.opts};
    pthread_mutex_init(&lane->lock, NULL);
    sem_init(&lane->finished, 0, 0);
}

static enum err threads_start(struct libfcgi_pool *pool)
{
    enum err err = libfcgi_poller_init(pool);
    for (unsigned i = 0; i < pool->server.opts.lanes && !err; i++)
        err = thread_start(&pool->lanes[i].thread, lane_main, &pool->lanes[i], &pool->lanes[i].started);
    if (!err)
        err = thread_start(&pool->thread, poller_main, pool, &pool->started);
    return err;
}

static enum err libfcgi_open(const struct server_opts *opts, struct server **ret)
{
    struct libfcgi_pool *pool = calloc(1, sizeof *pool);
    enum err err = ERR_MEMORY;
    assert(opts->lanes && opts->connections_max && opts->dispatch);
    if (!pool)
        return err_because(ERR_MEMORY, "there is no memory for a server");
    pool->server = (struct server){.transport = &server_libfcgi, .opts = *opts};
    pool->tcp = is_tcp(opts->listen_fd);
    pool->nudge_mail.deliver = nudge_deliver;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->filled, NULL);
    pool->server.counters = server_counters_new(opts->lanes);
    pool->queue = calloc(opts->connections_max, sizeof(struct libfcgi_connection *));
    struct libfcgi_lane *lanes = calloc(opts->lanes, sizeof *lanes);
    if (!lanes || !pool->server.counters || !pool->queue) {
        free(lanes);
        err = err_because(ERR_MEMORY, "there is no memory for lanes");
        goto out;
    }
    pool->lanes = lanes;
    for (unsigned i = 0; i < opts->lanes; i++)
        lane_init(pool, i);
    pthread_once(&library_once, library_init);
    err = library_error ? err_because(ERR_IO, "FCGX_Init: %d", library_error) : threads_start(pool);
    if (!err)
        *ret = &pool->server;
out:
    if (err)
        libfcgi_pool_close(&pool->server);
    return err;
}

static void libfcgi_connections(const struct server *server, unsigned ret[static SERVER_STATES])
{
    static const enum server_state state_of[LIBFCGI_PHASES] = {
        [LIBFCGI_FREE] = SERVER_READING,    [LIBFCGI_HEADER] = SERVER_READING, [LIBFCGI_BODY] = SERVER_READING,
        [LIBFCGI_CALLEE] = SERVER_HANDLING, [LIBFCGI_WRITE] = SERVER_WRITING,
    };
    struct libfcgi_pool *pool = (struct libfcgi_pool *)server;   /* its locks */
    unsigned with_lanes = 0;
    memset(ret, 0, SERVER_STATES * sizeof *ret);
    for (unsigned i = 0; i < server->opts.lanes; i++) {
        struct libfcgi_lane *lane = &pool->lanes[i];
        pthread_mutex_lock(&lane->lock);
        if (lane->fd >= 0) {
            ret[state_of[lane->phase]]++;
            with_lanes++;
        }
        pthread_mutex_unlock(&lane->lock);
    }
    pthread_mutex_lock(&pool->lock);
    ret[SERVER_READING] += pool->queue_count;
    with_lanes += pool->queue_count;
    ret[SERVER_IDLE] = pool->open > with_lanes ? pool->open - with_lanes : 0;
    pthread_mutex_unlock(&pool->lock);
}

const struct server_transport server_libfcgi = {
    .name = "libfcgi",
    .open = libfcgi_open,
    .drain = libfcgi_drain,
    .nudge = libfcgi_nudge,
    .silent = libfcgi_silent,
    .connections = libfcgi_connections,
    .close = libfcgi_pool_close,
};
