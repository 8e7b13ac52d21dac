#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/server_transport.h"
#include "telemetry/metric.h"

static const struct server_transport *const transports[] = {&server_native, &server_libfcgi};

static void register_series(void);

enum { TRANSPORTS = sizeof transports / sizeof transports[0] };

enum err server_open(const struct server_opts *opts, struct server **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_series);
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
    uint64_t sums[SERVER_COUNTS] = {0};
    for (unsigned i = 0; i < server->opts.lanes; i++)
        for (unsigned j = 0; j < SERVER_COUNTS; j++)
            sums[j] += atomic_load_explicit(&server->counters[i].counts[j], memory_order_relaxed);
    /* the sums are of one moment only roughly: a close may have been seen whose accept was not */
    bool closed_more = sums[SERVER_CLOSED] > sums[SERVER_ACCEPTED];
    *ret = (struct server_stats){
        .connections_accepted = sums[SERVER_ACCEPTED],
        .connections_open = closed_more ? 0 : sums[SERVER_ACCEPTED] - sums[SERVER_CLOSED],
        .requests = sums[SERVER_REQUESTS],
        .protocol_errors = sums[SERVER_PROTOCOL],
        .timeouts = sums[SERVER_HEADER_TIMEOUT] + sums[SERVER_BODY_TIMEOUT] + sums[SERVER_WRITE_TIMEOUT],
        .header_timeouts = sums[SERVER_HEADER_TIMEOUT],
        .refused_too_large = sums[SERVER_TOO_LARGE],
        .aborted = sums[SERVER_ABORTED],
        .accept_failures = sums[SERVER_ACCEPT_FAILED],
    };
}

void server_connections(const struct server *server, unsigned ret[static SERVER_STATES])
{
    server->transport->connections(server, ret);
}

/* ---- metrics ---- */

static const struct {
    enum metric metric;
    const char *kind;                /* of the faults; NULL: it has no label */
} measured[SERVER_COUNTS] = {
    [SERVER_ACCEPTED] = {METRIC_SERVER_ACCEPTED, NULL},
    [SERVER_CLOSED] = {METRICS, NULL},
    [SERVER_REQUESTS] = {METRIC_SERVER_REQUESTS, NULL},
    [SERVER_PROTOCOL] = {METRIC_SERVER_FAULTS, "protocol"},
    [SERVER_HEADER_TIMEOUT] = {METRIC_SERVER_FAULTS, "header_timeout"},
    [SERVER_BODY_TIMEOUT] = {METRIC_SERVER_FAULTS, "body_timeout"},
    [SERVER_WRITE_TIMEOUT] = {METRIC_SERVER_FAULTS, "write_timeout"},
    [SERVER_TOO_LARGE] = {METRIC_SERVER_FAULTS, "too_large"},
    [SERVER_ABORTED] = {METRIC_SERVER_FAULTS, "aborted"},
    [SERVER_ACCEPT_FAILED] = {METRIC_SERVER_FAULTS, "accept"},
};

static struct metric_series series[SERVER_COUNTS];

static void register_series(void)
{
    for (size_t i = 0; i < SERVER_COUNTS; i++)
        if (measured[i].metric != METRICS)
            series[i] = metric_series_of(measured[i].metric, &measured[i].kind, measured[i].kind ? 1 : 0);
}

void server_count(struct server_counters *counters, enum server_counter which)
{
    atomic_fetch_add_explicit(&counters->counts[which], 1, memory_order_relaxed);
    metric_add(series[which], 1);
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
        server_count(counters, SERVER_TOO_LARGE);
    else if (err == ERR_MALFORMED)
        server_count(counters, SERVER_PROTOCOL);
}
