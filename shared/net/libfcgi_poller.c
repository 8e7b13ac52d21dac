#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/server_libfcgi.h"

static const uint32_t CONNECTION_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;

static void listener_settle(struct libfcgi_pool *pool)
{
    bool wanted = !pool->held && !pool->pause.queue && !atomic_load(&pool->draining);
    if (reactor_watch(&pool->reactor, &pool->listener, wanted ? EPOLLIN : 0) && wanted)
        deadline_arm(&pool->pause_queue, &pool->pause, pool->reactor.now_ns);
}

static void pause_over(struct deadline *deadline)
{
    listener_settle((struct libfcgi_pool *)((char *)deadline - offsetof(struct libfcgi_pool, pause)));
}

static void pause_begin(struct libfcgi_pool *pool)
{
    server_count(pool->server.counters, SERVER_ACCEPT_FAILED);
    deadline_arm(&pool->pause_queue, &pool->pause, pool->reactor.now_ns);
    listener_settle(pool);
}

static void resume_deliver(struct reactor_mail *mail)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)((char *)mail - offsetof(struct libfcgi_pool, resume_mail));
    atomic_store(&pool->resume_posted, false);
    pthread_mutex_lock(&pool->lock);
    pool->held = pool->open >= pool->server.opts.connections_max;
    pthread_mutex_unlock(&pool->lock);
    listener_settle(pool);
}

/* A front does not connect without need: its request is on the way. The lock is held, here and below. */
static void await_first_locked(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    connection->awaited = true;
    connection->since_ns = clock_now_ns();
    atomic_fetch_add(&pool->server.counters->busy, 1);
}

static void awaited_no_more_locked(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    if (connection->awaited)
        atomic_fetch_sub(&pool->server.counters->busy, 1);
    connection->awaited = false;
}

/* Takes it off the list. */
static void unlink_locked(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    awaited_no_more_locked(pool, connection);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        pool->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    pool->open--;
    server_count(pool->server.counters, SERVER_CLOSED);
    if (pool->held && !atomic_exchange(&pool->resume_posted, true))
        reactor_post(&pool->reactor, &pool->resume_mail);
}

static void descriptors_close(struct libfcgi_connection *connection)
{
    if (connection->library_fd >= 0)
        close(connection->library_fd);
    close(connection->source.fd);
}

/* One-shot: while a lane has it, no event of the poller's batch can name it. */
void libfcgi_close(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    descriptors_close(connection);
    pthread_mutex_lock(&pool->lock);
    unlink_locked(pool, connection);
    pthread_mutex_unlock(&pool->lock);
    free(connection);
}

void libfcgi_park(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    struct epoll_event event = {.events = CONNECTION_EVENTS, .data.ptr = &connection->source};
    int error;
    pthread_mutex_lock(&pool->lock);
    connection->state = LIBFCGI_IDLE;
    connection->since_ns = clock_now_ns();
    error = epoll_ctl(pool->reactor.epoll_fd, EPOLL_CTL_MOD, connection->source.fd, &event);
    if (error)
        connection->state = LIBFCGI_WITH_LANE;
    pthread_mutex_unlock(&pool->lock);
    if (error)
        libfcgi_close(pool, connection);
}

static void connection_free(struct reactor_source *source)
{
    free(source);
}

/* An idle one, by the poller. The lock is held. */
static void idle_close_locked(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    unlink_locked(pool, connection);
    close(connection->library_fd);
    reactor_unwatch(&pool->reactor, &connection->source);
    reactor_retire(&pool->reactor, &connection->source);
}

static bool has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void enqueue_locked(struct libfcgi_pool *pool, struct libfcgi_connection *connection)
{
    unsigned places = pool->server.opts.connections_max;
    connection->state = LIBFCGI_WITH_LANE;
    connection->used = true;
    connection->since_ns = pool->reactor.now_ns;
    pool->queue[(pool->queue_head + pool->queue_count++) % places] = connection;
    atomic_fetch_add(&pool->server.counters->busy, 1);
    awaited_no_more_locked(pool, connection);
    pthread_cond_signal(&pool->filled);
}

static void connection_ready(struct reactor_source *source, uint32_t events)
{
    struct libfcgi_connection *connection = (struct libfcgi_connection *)source;
    struct libfcgi_pool *pool = source->owner;
    bool ended = events & (EPOLLHUP | EPOLLERR) || (events & EPOLLRDHUP && has_ended(source->fd));
    pthread_mutex_lock(&pool->lock);
    if (ended)
        idle_close_locked(pool, connection);
    else
        enqueue_locked(pool, connection);
    pthread_mutex_unlock(&pool->lock);
}

static void connection_open(struct libfcgi_pool *pool, struct libfcgi_connection *connection, int fd)
{
    connection->source = (struct reactor_source){
        .fd = fd, .ready = connection_ready, .release = connection_free, .owner = pool};
    connection->since_ns = pool->reactor.now_ns;
    dup3(fd, connection->library_fd, O_CLOEXEC);   /* cannot fail: in the place of one that is held for it */
    pthread_mutex_lock(&pool->lock);
    connection->next = pool->connections;
    if (pool->connections)
        pool->connections->previous = connection;
    pool->connections = connection;
    pool->open++;
    pthread_mutex_unlock(&pool->lock);
    server_count(pool->server.counters, SERVER_ACCEPTED);
    if (reactor_watch(&pool->reactor, &connection->source, CONNECTION_EVENTS))
        libfcgi_close(pool, connection);
}

/* A connection needs two descriptors. Both are to be had before one is accepted, since it can wait in the backlog, and
 * could only be dropped later. False when descriptors or memory do not suffice. */
static bool connection_accept(struct libfcgi_pool *pool)
{
    struct libfcgi_connection *connection = calloc(1, sizeof *connection);
    int on = 1, held = connection ? fcntl(pool->listener.fd, F_DUPFD_CLOEXEC, 0) : -1;
    int fd = held >= 0 ? accept4(pool->listener.fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0) {
        bool suffices = held >= 0 && !server_is_exhaustion(errno);
        if (held >= 0)
            close(held);
        free(connection);
        return suffices;
    }
    if (pool->tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->library_fd = held;
    connection_open(pool, connection, fd);
    return true;
}

static bool is_full(struct libfcgi_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->held = pool->open >= pool->server.opts.connections_max;
    pthread_mutex_unlock(&pool->lock);
    return pool->held;
}

static void listener_ready(struct reactor_source *source, uint32_t events)
{
    struct libfcgi_pool *pool = source->owner;
    (void)events;
    if (!source->events || atomic_load(&pool->draining))
        return;
    if (is_full(pool)) {
        listener_settle(pool);
        return;
    }
    if (!connection_accept(pool))
        pause_begin(pool);
}

static void drain_deliver(struct reactor_mail *mail)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)((char *)mail - offsetof(struct libfcgi_pool, drain_mail));
    struct libfcgi_connection *next;
    listener_settle(pool);
    pthread_mutex_lock(&pool->lock);
    for (struct libfcgi_connection *connection = pool->connections; connection; connection = next) {
        next = connection->next;
        if (connection->state == LIBFCGI_IDLE && connection->used)
            idle_close_locked(pool, connection);
        else if (connection->state == LIBFCGI_IDLE)
            await_first_locked(pool, connection);
    }
    pthread_mutex_unlock(&pool->lock);
    atomic_fetch_sub(&pool->server.counters->busy, 1);
}

static bool is_late(int64_t since_ns, unsigned timeout_ms, int64_t now_ns)
{
    return timeout_ms && now_ns - since_ns > timeout_ms * NS_PER_MS;
}

static void idle_check(struct libfcgi_pool *pool, int64_t now_ns)
{
    struct libfcgi_connection *next;
    pthread_mutex_lock(&pool->lock);
    for (struct libfcgi_connection *connection = pool->connections; connection; connection = next) {
        unsigned idle_ms = connection->awaited ? SERVER_FRESH_MS : pool->server.opts.idle_timeout_ms;
        bool late = is_late(connection->since_ns, idle_ms, now_ns);
        next = connection->next;
        if (connection->state == LIBFCGI_IDLE && late)
            idle_close_locked(pool, connection);
    }
    pthread_mutex_unlock(&pool->lock);
}

static bool has_hung_up(int fd)
{
    struct pollfd poll_fd = {.fd = fd};  /* closing one direction is not hanging up */
    return poll(&poll_fd, 1, 0) > 0;
}

static void lane_check(struct libfcgi_lane *lane, int64_t now_ns)
{
    const struct server_opts *opts = &lane->pool->server.opts;
    const unsigned timeouts_ms[LIBFCGI_PHASES] = {
        [LIBFCGI_HEADER] = opts->header_timeout_ms,
        [LIBFCGI_BODY] = opts->body_timeout_ms,
        [LIBFCGI_WRITE] = opts->write_timeout_ms,
    };
    static const enum server_counter timeout_of[LIBFCGI_PHASES] = {
        [LIBFCGI_HEADER] = SERVER_HEADER_TIMEOUT,
        [LIBFCGI_BODY] = SERVER_BODY_TIMEOUT,
        [LIBFCGI_WRITE] = SERVER_WRITE_TIMEOUT,
    };
    pthread_mutex_lock(&lane->lock);
    if (lane->phase == LIBFCGI_CALLEE && !atomic_load(&lane->call->exchange.abandoned) && has_hung_up(lane->fd)) {
        atomic_store(&lane->call->exchange.abandoned, true);
        server_count(lane->counters, SERVER_ABORTED);
    } else if (lane->fd >= 0 && !lane->shut && is_late(lane->since_ns, timeouts_ms[lane->phase], now_ns)) {
        lane->shut = true;
        server_count(lane->counters, timeout_of[lane->phase]);
        shutdown(lane->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&lane->lock);
}

static void tick(struct deadline *deadline)
{
    struct libfcgi_pool *pool = (struct libfcgi_pool *)((char *)deadline - offsetof(struct libfcgi_pool, tick));
    int64_t now_ns = clock_now_ns();
    for (unsigned i = 0; i < pool->server.opts.lanes; i++)
        lane_check(&pool->lanes[i], now_ns);
    idle_check(pool, now_ns);
    deadline_arm(&pool->tick_queue, &pool->tick, pool->reactor.now_ns);
}

enum err libfcgi_poller_init(struct libfcgi_pool *pool)
{
    enum err err = reactor_init(&pool->reactor);
    if (err)
        return err;
    pool->ready = true;
    pool->listener = (struct reactor_source){.fd = pool->server.opts.listen_fd, .ready = listener_ready, .owner = pool};
    pool->resume_mail.deliver = resume_deliver;
    pool->drain_mail.deliver = drain_deliver;
    deadline_queue_init(&pool->pause_queue, SERVER_ACCEPT_PAUSE_MS, pause_over);
    deadline_queue_init(&pool->tick_queue, LIBFCGI_TICK_MS, tick);
    reactor_add_queue(&pool->reactor, &pool->pause_queue);
    reactor_add_queue(&pool->reactor, &pool->tick_queue);
    deadline_arm(&pool->tick_queue, &pool->tick, pool->reactor.now_ns);
    return reactor_watch(&pool->reactor, &pool->listener, EPOLLIN);
}
