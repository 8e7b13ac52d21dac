#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/fcgi_connection.h"
#include "net/server_native.h"

/* Connections a lane may have more than another before it hands one over. */
enum { UNEVEN_MAX = 2 };

/* A connection on its way to another lane. */
struct handover {
    struct reactor_mail mail;
    struct native_lane *to;
    int fd;
};

static struct native_lane *of_listener(struct reactor_source *source)
{
    return (struct native_lane *)((char *)source - offsetof(struct native_lane, listener));
}

/* Accepts, or not, as the lane's state asks for. What fails is tried again after the pause. */
static void listener_settle(struct native_lane *lane)
{
    bool wanted = !lane->held && !lane->pause.queue && !lane->lane.draining;
    if (reactor_watch(&lane->lane.reactor, &lane->listener, wanted ? EPOLLIN | EPOLLEXCLUSIVE : 0) && wanted)
        deadline_arm(&lane->pause_queue, &lane->pause, lane->lane.reactor.now_ns);
}

static void pause_over(struct deadline *deadline)
{
    listener_settle((struct native_lane *)((char *)deadline - offsetof(struct native_lane, pause)));
}

static void pause_begin(struct native_lane *lane)
{
    server_count(lane->lane.counters, SERVER_ACCEPT_FAILED);
    deadline_arm(&lane->pause_queue, &lane->pause, lane->lane.reactor.now_ns);
    listener_settle(lane);
}

static void resume(struct native_lane *lane)
{
    if (lane->held) {
        lane->held = false;
        atomic_fetch_sub(&lane->native->held, 1);
    }
    listener_settle(lane);
}

static void resume_deliver(struct reactor_mail *mail)
{
    struct native_lane *lane = (struct native_lane *)((char *)mail - offsetof(struct native_lane, resume_mail));
    atomic_store(&lane->resume_posted, false);
    resume(lane);
}

/* There is room for a connection again: lanes that wait for it are told. */
static void place_free(struct native_lane *lane)
{
    struct native *native = lane->native;
    atomic_fetch_sub(&native->open, 1);
    if (!atomic_load(&native->held))
        return;
    for (unsigned i = 0; i < native->server.opts.lanes; i++) {
        struct native_lane *other = &native->lanes[i];
        if (other == lane)
            resume(lane);
        else if (!atomic_exchange(&other->resume_posted, true))
            reactor_post(&other->lane.reactor, &other->resume_mail);
    }
}

static bool place_take(struct native *native)
{
    if (atomic_fetch_add(&native->open, 1) < native->server.opts.connections_max)
        return true;
    atomic_fetch_sub(&native->open, 1);
    return false;
}

static void hold(struct native_lane *lane)
{
    lane->held = true;
    atomic_fetch_add(&lane->native->held, 1);
    /* A place that was freed before this lane counted as held was told to nobody. */
    if (atomic_load(&lane->native->open) < lane->native->server.opts.connections_max)
        resume(lane);
    else
        listener_settle(lane);
}

static void lane_closed(struct fcgi_lane *lane)
{
    struct native_lane *native_lane = (struct native_lane *)lane;
    atomic_fetch_sub_explicit(&native_lane->open, 1, memory_order_relaxed);
    place_free(native_lane);
}

static void connection_open(struct native_lane *lane, int fd)
{
    if (fcgi_connection_open(&lane->lane, fd)) {
        server_count(lane->lane.counters, SERVER_ACCEPT_FAILED);
        lane_closed(&lane->lane);
    }
}

static void handover_deliver(struct reactor_mail *mail)
{
    struct handover *handover = (struct handover *)mail;
    connection_open(handover->to, handover->fd);
    atomic_fetch_sub(&handover->to->lane.counters->busy, 1);
    free(handover);
}

static struct native_lane *emptiest(struct native_lane *lane)
{
    struct native *native = lane->native;
    struct native_lane *found = lane;
    unsigned least = atomic_load_explicit(&lane->open, memory_order_relaxed);
    least = least > UNEVEN_MAX ? least - UNEVEN_MAX : 0;
    for (unsigned i = 0; i < native->server.opts.lanes; i++) {
        unsigned open = atomic_load_explicit(&native->lanes[i].open, memory_order_relaxed);
        if (open < least) {
            least = open;
            found = &native->lanes[i];
        }
    }
    return found;
}

static void place(struct native_lane *lane, int fd)
{
    struct native_lane *to = lane->lane.draining ? lane : emptiest(lane);
    struct handover *handover = to == lane ? NULL : malloc(sizeof *handover);
    if (!handover)
        to = lane;
    atomic_fetch_add_explicit(&to->open, 1, memory_order_relaxed);
    if (!handover) {
        connection_open(lane, fd);
        return;
    }
    atomic_fetch_add(&to->lane.counters->busy, 1);   /* until it has arrived */
    *handover = (struct handover){.mail = {.deliver = handover_deliver}, .to = to, .fd = fd};
    reactor_post(&to->lane.reactor, &handover->mail);
}

/* False when there is none, or no place for it. */
static bool accept_one(struct native_lane *lane)
{
    int on = 1;
    if (!place_take(lane->native)) {
        hold(lane);
        return false;
    }
    int fd = accept4(lane->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        place_free(lane);
        if (server_is_exhaustion(error))
            pause_begin(lane);
        return false;
    }
    if (lane->native->tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    place(lane, fd);
    return true;
}

/* One connection a time: the rest of the backlog is also for the other lanes, which are woken while there is any. */
static void listener_ready(struct reactor_source *source, uint32_t events)
{
    (void)events;
    if (source->events)
        accept_one(of_listener(source));
}

enum err native_accept_start(struct native_lane *lane)
{
    lane->listener = (struct reactor_source){.fd = lane->native->server.opts.listen_fd, .ready = listener_ready};
    lane->resume_mail.deliver = resume_deliver;
    lane->lane.closed = lane_closed;
    deadline_queue_init(&lane->pause_queue, SERVER_ACCEPT_PAUSE_MS, pause_over);
    reactor_add_queue(&lane->lane.reactor, &lane->pause_queue);
    return reactor_watch(&lane->lane.reactor, &lane->listener, EPOLLIN | EPOLLEXCLUSIVE);
}

/* The kernel wakes one of those who listen, in whatever process, for a connection: if that was this lane, which has not
 * heard of it yet, nobody else will. */
void native_accept_stop(struct native_lane *lane)
{
    listener_settle(lane);
    while (accept_one(lane))
        continue;
}
