#include "config.h"

#include "net/fcgi_connection.h"
#include "net/fcgi_lane.h"

/* What is still read, and dropped, of a request that was refused, so that its front gets to see the answer. */
enum { DISCARD_MAX_BYTES = 1024 * 1024 };

static void queues_init(struct fcgi_lane *lane, const struct server_opts *opts)
{
    deadline_queue_init(&lane->idle, opts->idle_timeout_ms, fcgi_connection_idle);
    deadline_queue_init(&lane->header, opts->header_timeout_ms, fcgi_connection_late);
    deadline_queue_init(&lane->body, opts->body_timeout_ms, fcgi_connection_late);
    deadline_queue_init(&lane->write, opts->write_timeout_ms, fcgi_connection_late);
    deadline_queue_init(&lane->fresh, SERVER_FRESH_MS, fcgi_connection_idle);
    reactor_add_queue(&lane->reactor, &lane->idle);
    reactor_add_queue(&lane->reactor, &lane->header);
    reactor_add_queue(&lane->reactor, &lane->body);
    reactor_add_queue(&lane->reactor, &lane->write);
    reactor_add_queue(&lane->reactor, &lane->fresh);
}

enum err fcgi_lane_init(struct fcgi_lane *lane, const struct server *server, unsigned index)
{
    const struct server_opts *opts = &server->opts;
    enum err err = reactor_init(&lane->reactor);
    if (err)
        return err;
    lane->index = index;
    lane->opts = opts;
    lane->counters = &server->counters[index];
    lane->retiring = &server->retiring;
    lane->connections = NULL;
    lane->draining = false;
    lane->closed = NULL;
    lane->pool = (struct fcgi_call_pool){.opts = opts};
    lane->limits = (struct fcgi_limits){
        .params_max_bytes = opts->params_max_bytes,
        .params_max_count = opts->params_max_count,
        .body_max_bytes = opts->body_max_bytes,
        .discard_max_bytes = DISCARD_MAX_BYTES,
        .values = {.max_conns = opts->connections_max, .max_reqs = opts->connections_max},
    };
    queues_init(lane, opts);
    return ERR_NONE;
}

void fcgi_lane_fini(struct fcgi_lane *lane)
{
    while (lane->connections)
        fcgi_connection_close(lane->connections);
    reactor_fini(&lane->reactor);
    fcgi_call_pool_fini(&lane->pool);
}

void fcgi_lane_drain(struct fcgi_lane *lane)
{
    struct fcgi_connection *next;
    lane->draining = true;
    for (struct fcgi_connection *connection = lane->connections; connection; connection = next) {
        next = connection->next;
        fcgi_connection_drain(connection);
    }
}
