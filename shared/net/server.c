#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/server_transport.h"

static const struct server_transport *const transports[] = {&server_native, &server_libfcgi};

enum { TRANSPORTS = sizeof transports / sizeof transports[0] };

enum err server_open(const struct server_opts *opts, struct server **ret)
{
    for (size_t i = 0; i < TRANSPORTS; i++)
        if (!strcmp(transports[i]->name, opts->transport))
            return transports[i]->open(opts, ret);
    return err_because(ERR_CONFIG, "unknown transport \"%s\"", opts->transport);
}

void exchange_finish(struct exchange *exchange)
{
    exchange->finish(exchange);
}

void server_retire(struct server *server)
{
    atomic_store(&server->retiring, true);
}

void server_drain(struct server *server)
{
    server_retire(server);
    server->transport->drain(server);
}

void server_nudge(struct server *server)
{
    server->transport->nudge(server);
}

unsigned server_silent(const struct server *server, unsigned *ret_loops)
{
    return server->transport->silent(server, ret_loops);
}

void server_close(struct server *server)
{
    if (server)
        server->transport->close(server);
}

unsigned server_busy(const struct server *server)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < server->opts.lanes; i++)
        busy += atomic_load(&server->counters[i].busy);
    return busy;
}

void server_stats(const struct server *server, struct server_stats *ret)
{
    struct {
#define SUM_MEMBER(name) uint64_t name;
        SERVER_COUNTERS(SUM_MEMBER)
#undef SUM_MEMBER
    } sum = {0};
    for (unsigned i = 0; i < server->opts.lanes; i++) {
#define SUM_ADD(name) sum.name += atomic_load_explicit(&server->counters[i].name, memory_order_relaxed);
        SERVER_COUNTERS(SUM_ADD)
#undef SUM_ADD
    }
    /* the sums are of one moment only roughly: a close may have been seen whose accept was not */
    bool closed_more = sum.connections_closed > sum.connections_accepted;
    *ret = (struct server_stats){
        .connections_accepted = sum.connections_accepted,
        .connections_open = closed_more ? 0 : sum.connections_accepted - sum.connections_closed,
        .requests = sum.requests,
        .protocol_errors = sum.protocol_errors,
        .timeouts = sum.timeouts,
        .refused_too_large = sum.refused_too_large,
        .aborted = sum.aborted,
        .accept_failures = sum.accept_failures,
    };
}

struct server_counters *server_counters_new(unsigned lanes)
{
    struct server_counters *counters = aligned_alloc(alignof(struct server_counters), lanes * sizeof *counters);
    if (counters)
        memset(counters, 0, lanes * sizeof *counters);
    return counters;
}

bool server_is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void server_count_refusal(struct server_counters *counters, enum err err)
{
    if (err == ERR_TOO_LARGE || err == ERR_HEADERS_TOO_LARGE)
        server_count(&counters->refused_too_large);
    else if (err == ERR_MALFORMED)
        server_count(&counters->protocol_errors);
}
