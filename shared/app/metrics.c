#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "app/database_settings.h"
#include "app/metrics.h"
#include "app/service.h"
#include "app/trace_settings.h"
#include "base/clock.h"
#include "events/dead_letter.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_APP

enum { METRICS_PATH_MAX_BYTES = 8192 };

/* ---- of each process: told by itself every second, since another may be scraped ---- */

static void set(enum metric metric, int64_t value)
{
    metric_set(metric_series_of(metric, NULL, 0), value);
}

static void measure_server(struct service *service)
{
    static const char *const names[SERVER_STATES] = {"idle", "reading", "handling", "writing"};
    unsigned connections[SERVER_STATES] = {0};
    struct server *server = atomic_load(&service->server);
    if (server)
        server_connections(server, connections);
    for (size_t i = 0; i < SERVER_STATES; i++)
        metric_set(metric_series(METRIC_SERVER_CONNECTIONS, names[i]), connections[i]);
}

/* The gauges of a broker and of a registry are set by whoever has to do with them. */
static void measure_others(struct service *service)
{
    uint64_t used, most;
    set(METRIC_BUS_AWAY, bus_size(service->bus, &used, &most) != ERR_NONE);
    if (service->user_client)
        client_measure(service->user_client);
}

void metrics_measure(struct service *service)
{
    struct db_stats stats;
    measure_server(service);
    db_stats(service->db, &stats);
    set(METRIC_DB_QUEUED, (int64_t)stats.queued);
    set(METRIC_HTTP_IN_FLIGHT, atomic_load_explicit(&service->in_flight, memory_order_relaxed));
    set(METRIC_POOL_QUEUED, pool_queued(service->pool));
    set(METRIC_POOL_BUSY, pool_busy(service->pool));
    set(METRIC_POOL_THREADS, pool_threads(service->pool));
    measure_others(service);
    trace_settings_measure();
}

/* ---- of what they have in common: told by the one that is scraped ---- */

static enum err measure_database(struct service *service, struct db_connection *reader)
{
    const char *path = settings_text(service->settings, OPTION_DB_PATH);
    struct db_stats stats;
    struct statvfs disk;
    int64_t bytes, lag_us;
    db_stats(service->db, &stats);
    set(METRIC_DB_WAL, (int64_t)stats.wal_bytes);
    enum err err = db_size(reader, &bytes);
    if (err)
        return err;
    set(METRIC_DB_SIZE, bytes);
    if (db_replica_lag(service->db, &lag_us) == ERR_NONE)
        set(METRIC_DB_REPLICA_LAG, lag_us * (NS_PER_S / US_PER_S));
    if (!database_is_server(service->settings) && statvfs(path, &disk) == 0)
        set(METRIC_DISK_FREE, (int64_t)(disk.f_bavail * disk.f_frsize));
    return ERR_NONE;
}

/* Of something that may not be. */
static int64_t age_ns(int64_t since_us)
{
    int64_t now_us = clock_wall_us();
    return since_us && since_us < now_us ? (now_us - since_us) * (NS_PER_S / US_PER_S) : 0;
}

/* What a bus that is away does not tell stays as it was: that it is away is for /healthz to say. */
static void measure_bus(struct service *service)
{
    const char *name = service->definition->name;
    uint64_t used, most;
    struct bus_lag lag;
    if (bus_size(service->bus, &used, &most) == ERR_NONE) {
        set(METRIC_BUS_SIZE, (int64_t)used);
        set(METRIC_BUS_MAX, (int64_t)most);
    }
    if (service->consumer && consumer_lag(service->consumer, &lag) == ERR_NONE) {
        metric_set(metric_series(METRIC_BUS_LAG, name), (int64_t)lag.events);
        metric_set(metric_series(METRIC_BUS_UNREAD_AGE, name), age_ns(lag.oldest_us));
    }
}

static enum err measure_events(struct service *service, struct db_connection *reader)
{
    uint64_t waiting, dead;
    int64_t oldest_us;
    enum err err = outbox_backlog(reader, &waiting, &oldest_us);
    if (!err)
        err = dead_letter_count(reader, &dead);
    if (err)
        return err;
    set(METRIC_OUTBOX_WAITING, (int64_t)waiting);
    set(METRIC_OUTBOX_AGE, age_ns(oldest_us));
    set(METRIC_DEAD_LETTERS, (int64_t)dead);
    measure_bus(service);
    return ERR_NONE;
}

static enum err measure_shared(struct call *call)
{
    struct service *service = call->service;
    enum err err = measure_database(service, call->db);
    if (!err)
        err = measure_events(service, call->db);
    if (!err && service->definition->measure)
        err = service->definition->measure(service, call->db);
    return err;
}

enum err metrics_page(struct call *call)
{
    struct http_request *request = &call->exchange->request;
    struct http_response *response = &call->exchange->response;
    enum metric_format format = metric_format_of(http_header(request, "Accept"));
    if (!metric_is_enabled())
        return call_refuse(call, ERR_NOT_FOUND, "metrics-off", "Metrics are switched off: metrics.enabled.");
    metrics_measure(call->service);
    enum err err = measure_shared(call);
    if (err && err != ERR_UNAVAILABLE)   /* of a database that is away all else is told, that above all */
        return err;
    metric_write(format, &response->body);
    response->status = 200;
    return http_header_add(request, response, "Content-Type", text_of(metric_content_type(format)));
}

enum err metrics_start(struct service *service)
{
    const char *database = settings_text(service->settings, OPTION_DB_PATH);
    struct buf path;
    buf_init(&path, METRICS_PATH_MAX_BYTES);
    buf_addf(&path, "%s-metrics", database);
    enum err err = buf_check(&path);
    if (!err)
        err = metric_open(service->definition->name, *database ? buf_string(&path) : NULL);
    buf_fini(&path);
    service->metrics_err = err;
    if (err)
        snprintf(service->metrics_fault, sizeof service->metrics_fault, "%s", err_cause());
    metrics_reload(service->settings);
    return ERR_NONE;
}

void metrics_tell(const struct service *service)
{
    if (service->metrics_err)
        log_event(LOG_WARNING, "metrics are of this process alone",
                  LOG_STRING("error", err_name(service->metrics_err)), LOG_STRING("cause", service->metrics_fault));
}

void metrics_stop(struct service *service)
{
    (void)service;
    metric_close();
}

void metrics_reload(const struct settings *settings)
{
    metric_enable(strcmp(settings_text(settings, OPTION_METRICS_ENABLED), "on") == 0);
}
