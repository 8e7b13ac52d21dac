#include "config.h"

#include "app/metrics.h"
#include "app/service.h"
#include "base/clock.h"
#include "telemetry/metric.h"

/* A metric of this service's that a module counts by itself. */
static void set(enum metric metric, uint64_t value)
{
    metric_set(metric_series_of(metric, NULL, 0), (int64_t)value);
}

static void collect_server(struct service *service)
{
    struct server_stats stats = {.requests = 0};
    struct server *server = atomic_load(&service->server);
    if (server)
        server_stats(server, &stats);
    set(METRIC_SERVER_ACCEPTED, stats.connections_accepted);
    set(METRIC_SERVER_OPEN, stats.connections_open);
    set(METRIC_SERVER_REQUESTS, stats.requests);
    set(METRIC_SERVER_PROTOCOL_ERRORS, stats.protocol_errors);
    set(METRIC_SERVER_TIMEOUTS, stats.timeouts);
    set(METRIC_SERVER_REFUSED_TOO_LARGE, stats.refused_too_large);
    set(METRIC_SERVER_ABORTED, stats.aborted);
    set(METRIC_SERVER_ACCEPT_FAILURES, stats.accept_failures);
    set(METRIC_HTTP_IN_FLIGHT, atomic_load_explicit(&service->in_flight, memory_order_relaxed));
    set(METRIC_HTTP_SHED, atomic_load_explicit(&service->shed, memory_order_relaxed));
    set(METRIC_POOL_QUEUED, pool_queued(service->pool));
}

static void collect_database(struct service *service)
{
    struct db_stats stats;
    db_stats(service->db, &stats);
    set(METRIC_DB_JOBS, stats.jobs);
    set(METRIC_DB_JOBS_FAILED, stats.jobs_failed);
    set(METRIC_DB_BATCHES, stats.batches);
    set(METRIC_DB_COMMIT_FAILURES, stats.commit_failures);
    set(METRIC_DB_BUSY, stats.busy);
    set(METRIC_DB_COMMIT, stats.commit_ns);
    set(METRIC_DB_WAL, stats.wal_bytes);
    set(METRIC_DB_QUEUED, stats.queued);
}

static enum err collect_outbox(struct db_connection *reader)
{
    uint64_t waiting;
    int64_t oldest_us;
    enum err err = outbox_backlog(reader, &waiting, &oldest_us);
    if (err)
        return err;
    set(METRIC_OUTBOX_WAITING, waiting);
    set(METRIC_OUTBOX_AGE, oldest_us ? (uint64_t)(clock_wall_us() - oldest_us) * (NS_PER_S / US_PER_S) : 0);
    return ERR_NONE;
}

static enum err collect_consumer(struct consumer *consumer)
{
    struct consumer_stats stats;
    uint64_t lag;
    if (!consumer)
        return ERR_NONE;
    consumer_stats(consumer, &stats);
    set(METRIC_CONSUMER_HANDLED, stats.handled);
    set(METRIC_CONSUMER_REPEATED, stats.repeated);
    set(METRIC_CONSUMER_RETRIED, stats.retried);
    set(METRIC_CONSUMER_DEAD, stats.dead);
    enum err err = consumer_lag(consumer, &lag);
    if (!err)
        set(METRIC_CONSUMER_LAG, lag);
    return err;
}

enum err metrics_page(struct call *call)
{
    struct http_response *response = &call->exchange->response;
    collect_server(call->service);
    collect_database(call->service);
    enum err err = collect_outbox(call->db);
    if (!err)
        err = collect_consumer(call->service->consumer);
    if (err)
        return err;
    metric_write(&response->body);
    response->status = 200;
    return http_header_add(&call->exchange->request, response, "Content-Type", TEXT(METRIC_CONTENT_TYPE));
}
