/* What every service is made of. Each part turns settings into the plain options of the module it starts. */
#include "config.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/auth.h"
#include "app/bus_settings.h"
#include "app/cache_settings.h"
#include "app/claims.h"
#include "app/database_settings.h"
#include "app/discovery_settings.h"
#include "app/health.h"
#include "app/idempotency.h"
#include "app/metrics.h"
#include "app/observe.h"
#include "app/part.h"
#include "app/pipeline.h"
#include "app/reload.h"
#include "app/service.h"
#include "app/trace_settings.h"
#include "cache/marks.h"
#include "conf/settings.h"

enum {
    CLIENT_RESPONSE_MAX = 64 * 1024,
    CONNECT_TIMEOUT_MS = 1000,
    RELAY_STOP_MS = 2000,
    RELAY_RETRY_MAX_MS = 5000,
    LIBFCGI_LANES = 16,
};

static unsigned number(const struct service *service, enum option_id option)
{
    return (unsigned)settings_int(service->settings, option);
}

static size_t size(const struct service *service, enum option_id option)
{
    return (size_t)settings_int(service->settings, option);
}

static const char *string(const struct service *service, enum option_id option)
{
    return settings_text(service->settings, option);
}

/* ---- endpoints: the common ones first, then the application's ---- */

static enum err start_endpoints(struct service *service)
{
    const struct service_definition *definition = service->definition;
    service->endpoint_count = common_endpoint_count + definition->endpoint_count;
    service->endpoints = calloc(service->endpoint_count, sizeof service->endpoints[0]);
    if (!service->endpoints)
        return err_because(ERR_MEMORY, "no memory for the table of endpoints");
    for (size_t i = 0; i < service->endpoint_count; i++)
        service->endpoints[i] =
            i < common_endpoint_count ? common_endpoints[i] : definition->endpoints[i - common_endpoint_count];
    enum err err = router_new(service->endpoints, service->endpoint_count, sizeof service->endpoints[0],
                              &service->router);
    if (!err)
        err = observe_start(service);
    if (err) {
        router_free(service->router);
        free(service->endpoints);
    }
    return err;
}

static void stop_endpoints(struct service *service)
{
    observe_stop(service);
    router_free(service->router);
    free(service->endpoints);
}

/* ---- the listening socket: early, so that a port that is taken is said before anything is touched ---- */

static enum err start_listener(struct service *service)
{
    struct listen_opts opts = {
        .address = string(service, OPTION_SERVER_LISTEN),
        .socket_mode = number(service, OPTION_SERVER_SOCKET_MODE),
    };
    return listener_open(&opts, &service->listener);
}

static void stop_listener(struct service *service)
{
    listener_close(&service->listener);
}

/* ---- the database ---- */

static enum err start_database(struct service *service)
{
    const struct migration_set sets[] = {events_migrations, app_migrations, *service->definition->migrations};
    struct database_settings given;
    database_settings(service->settings, service->definition->name, &given);
    given.opts.measured = true;
    given.opts.noticed = observe_database;
    given.opts.noticed_context = service;
    enum err err = db_open(&given.opts, &service->db);
    if (err)
        return err;
    err = migrate(service->db, sets, sizeof sets / sizeof sets[0]);
    if (err)
        db_close(service->db);
    return err;
}

static void stop_database(struct service *service)
{
    db_close(service->db);
}

static enum err start_writer(struct service *service)
{
    return db_start(service->db);
}

/* ---- events ---- */

static enum err start_bus(struct service *service)
{
    struct bus_opts opts = bus_settings(service->settings);
    return bus_open(&opts, &service->bus);
}

static void stop_bus(struct service *service)
{
    bus_close(service->bus);
}

/* Made before the writer starts, since it listens for commits; runs after. */
static enum err make_relay(struct service *service)
{
    struct relay_opts opts = {
        .db = service->db,
        .bus = service->bus,
        .batch_max = number(service, OPTION_EVENTS_BATCH_MAX),
        .retry_max_ms = RELAY_RETRY_MAX_MS,
        .failed = observe_relay_failure,
    };
    return relay_new(&opts, &service->relay);
}

static void free_relay(struct service *service)
{
    relay_free(service->relay);
}

static enum err start_relay(struct service *service)
{
    return relay_start(service->relay);
}

static void stop_relay(struct service *service)
{
    relay_stop(service->relay, RELAY_STOP_MS);
}

static enum err start_consumer(struct service *service)
{
    struct consumer_opts opts = {
        .db = service->db,
        .bus = service->bus,
        .group = service->definition->name,
        .handlers = service->definition->handlers,
        .handler_count = service->definition->handler_count,
        .context = service,
        .batch_max = number(service, OPTION_EVENTS_BATCH_MAX),
        .attempts_max = number(service, OPTION_EVENTS_ATTEMPTS_MAX),
        .retry_first_ms = number(service, OPTION_EVENTS_RETRY_FIRST_MS),
        .retry_max_ms = number(service, OPTION_EVENTS_RETRY_MAX_MS),
        .inbox_retention_s = number(service, OPTION_EVENTS_INBOX_RETENTION_S),
        .failed = observe_event_failure,
        .applied = observe_event,
        .unknown = observe_unknown_event,
    };
    if (opts.handler_count == 0)
        return ERR_NONE;
    enum err err = consumer_new(&opts, &service->consumer);
    if (err)
        return err;
    err = consumer_start(service->consumer);
    if (err) {
        consumer_free(service->consumer);
        service->consumer = NULL;
    }
    return err;
}

static void stop_consumer(struct service *service)
{
    if (!service->consumer)
        return;
    consumer_stop(service->consumer);
    consumer_free(service->consumer);
}

/* ---- caches: what all of them stand on ---- */

static enum err start_remote(struct service *service)
{
    if (!cache_settings_has_remote(service->settings))
        return ERR_NONE;
    const struct cache_remote_opts opts = cache_settings_remote(service->settings);
    return cache_remote_open(&opts, &service->remote);
}

static enum err start_caches(struct service *service)
{
    char path[PATH_MAX];
    const char *database = string(service, OPTION_DB_PATH);
    int length = snprintf(path, sizeof path, "%s-cache", database);
    if (length >= (int)sizeof path)
        return err_because(ERR_CONFIG, "db.path is too long");
    enum err err = marks_open(*database ? path : NULL, &service->marks);
    if (err)
        return err;
    err = start_remote(service);
    if (err)
        marks_close(service->marks);
    return err;
}

static void stop_caches(struct service *service)
{
    cache_remote_close(service->remote);
    marks_close(service->marks);
}

/* ---- who is asking ---- */

static void stop_user_client(struct service *service)
{
    discovery_settings_leave_user(service);
    client_free(service->user_client);
}

static enum err start_auth(struct service *service)
{
    if (service->definition->identify)
        return ERR_NONE;
    struct client_opts client_opts = {
        .base_url = string(service, OPTION_USER_URL),
        .has_instances = discovery_settings_finds_user(service->settings),
        .zone = string(service, OPTION_DISCOVERY_ZONE),
        .slow_start_ms = number(service, OPTION_CLIENT_SLOW_START_MS),
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .response_max_bytes = CLIENT_RESPONSE_MAX,
        .target = "user",
        .passes_deadline = true,
        .retries_max = number(service, OPTION_CLIENT_RETRIES_MAX),
        .retry_first_ms = number(service, OPTION_CLIENT_RETRY_FIRST_MS),
        .retry_max_ms = number(service, OPTION_CLIENT_RETRY_MAX_MS),
        .retry_budget_percent = number(service, OPTION_CLIENT_RETRY_BUDGET_PERCENT),
        .retry_budget_per_s = number(service, OPTION_CLIENT_RETRY_BUDGET_PER_S),
        .breaker_failures = number(service, OPTION_CLIENT_BREAKER_FAILURES),
        .breaker_open_ms = number(service, OPTION_CLIENT_BREAKER_OPEN_MS),
        .breaker_probes = number(service, OPTION_CLIENT_BREAKER_PROBES),
    };
    if (client_opts.has_instances)   /* at one URL there is nobody else to call meanwhile */
        client_opts.breaker_open_max_ms = number(service, OPTION_CLIENT_BREAKER_OPEN_MAX_MS);
    enum err err = client_new(&client_opts, &service->user_client);
    if (err)
        return err;
    err = discovery_settings_follow_user(service);
    if (err) {
        client_free(service->user_client);
        return err;
    }
    struct auth_opts opts = {
        .client = service->user_client,
        .token_file = string(service, OPTION_USER_TOKEN_FILE),
        .bus = service->bus,
        .marks = service->marks,
        .remote = service->remote,
        .cache_entries = number(service, OPTION_AUTH_CACHE_ENTRIES),
        .unknown_entries = number(service, OPTION_AUTH_UNKNOWN_ENTRIES),
        .flights_max = number(service, OPTION_AUTH_FLIGHTS_MAX),
        .waiters_max = number(service, OPTION_AUTH_WAITERS_MAX),
    };
    err = auth_new(&opts, &service->auth);
    if (err)
        stop_user_client(service);
    return err;
}

static void stop_auth(struct service *service)
{
    auth_free(service->auth);
    stop_user_client(service);
}

/* ---- the application's own part ---- */

static enum err start_application(struct service *service)
{
    return service->definition->start ? service->definition->start(service) : ERR_NONE;
}

static void stop_application(struct service *service)
{
    if (service->definition->stop)
        service->definition->stop(service);
}

/* ---- threads that serve requests ---- */

/* One worker is left for what else there is, however many tokens are asked about. */
static enum err start_pool(struct service *service)
{
    unsigned threads = number(service, OPTION_POOL_THREADS);
    struct pool_opts opts = {
        .db = service->db,
        .threads = threads,
        .queue_max = number(service, OPTION_POOL_QUEUE_MAX),
        .shares = {
            [POOL_ASKING] = {.running_max = threads > 1 ? threads - 1 : 1},
            [POOL_HASHING] = {.running_max = number(service, OPTION_PASSWORD_CONCURRENCY),
                              .queue_max = number(service, OPTION_PASSWORD_QUEUE_MAX)},
        },
    };
    return pool_open(&opts, &service->pool);
}

static void stop_pool(struct service *service)
{
    pool_close(service->pool);
}

/* Where reading means waiting for a server, no lane does it. */
static enum err start_reading_pool(struct service *service)
{
    struct pool_opts opts = {
        .db = service->db,
        .reads_stale = true,
        .threads = number(service, OPTION_DB_READERS),
        .queue_max = number(service, OPTION_DB_QUEUE_MAX),
    };
    return db_reads_are_local(service->db) ? ERR_NONE : pool_open(&opts, &service->reading_pool);
}

static void stop_reading_pool(struct service *service)
{
    pool_close(service->reading_pool);
}

/* A native lane never waits, so one a core is enough; one of libfcgi waits for each request. */
static unsigned default_lanes(const char *transport)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (strcmp(transport, "libfcgi") == 0)
        return LIBFCGI_LANES;
    return cores > 0 ? (unsigned)cores : 1;
}

static void stop_readers(struct service *service)
{
    for (unsigned i = 0; i < service->lanes; i++)
        db_reader_close(service->lane_readers[i]);
    free(service->lane_readers);
}

static enum err start_readers(struct service *service)
{
    service->lanes = number(service, OPTION_SERVER_LANES);
    if (service->lanes == 0)
        service->lanes = default_lanes(string(service, OPTION_SERVER_TRANSPORT));
    service->lane_readers = calloc(service->lanes, sizeof(struct db_connection *));
    if (!service->lane_readers)
        return err_because(ERR_MEMORY, "no memory for %u reading connections", service->lanes);
    for (unsigned i = 0; i < service->lanes && db_reads_are_local(service->db); i++) {
        enum err err = db_reader_open(service->db, &service->lane_readers[i]);
        if (err) {
            stop_readers(service);
            return err;
        }
    }
    return ERR_NONE;
}

static enum err start_claims(struct service *service)
{
    return claims_start(pipeline_overdue, &service->claims);
}

static void stop_claims(struct service *service)
{
    claims_stop(service->claims);
}

static enum err start_server(struct service *service)
{
    struct server_opts opts = {
        .transport = string(service, OPTION_SERVER_TRANSPORT),
        .listen_fd = service->listener.fd,
        .lanes = service->lanes,
        .connections_max = number(service, OPTION_SERVER_CONNECTIONS_MAX),
        .params_max_bytes = size(service, OPTION_SERVER_PARAMS_MAX_BYTES),
        .params_max_count = number(service, OPTION_SERVER_PARAMS_MAX_COUNT),
        .body_max_bytes = size(service, OPTION_SERVER_BODY_MAX_BYTES),
        .arena_max_bytes = size(service, OPTION_SERVER_ARENA_MAX_BYTES),
        .response_max_bytes = size(service, OPTION_SERVER_RESPONSE_MAX_BYTES),
        .header_timeout_ms = number(service, OPTION_SERVER_HEADER_TIMEOUT_MS),
        .body_timeout_ms = number(service, OPTION_SERVER_BODY_TIMEOUT_MS),
        .write_timeout_ms = number(service, OPTION_SERVER_WRITE_TIMEOUT_MS),
        .idle_timeout_ms = number(service, OPTION_SERVER_IDLE_TIMEOUT_MS),
        .dispatch = pipeline_dispatch,
        .context = service,
    };
    struct server *server;
    enum err err = server_open(&opts, &server);
    if (!err)
        atomic_store(&service->server, server);
    return err;
}

/* No check may look at lanes that are gone. */
static void stop_server(struct service *service)
{
    health_stop(service);
    server_close(service->server);
}

const struct part service_parts[] = {
    {"metrics", metrics_start, metrics_stop},
    {"endpoints", start_endpoints, stop_endpoints},
    {"listener", start_listener, stop_listener},
    {"database", start_database, stop_database},
    {"traces", trace_settings_start, trace_settings_stop},
    {"bus", start_bus, stop_bus},
    {"outbox", make_relay, free_relay},
    {"caches", start_caches, stop_caches},
    {"discovery", discovery_settings_start, discovery_settings_stop},
    {"authentication", start_auth, stop_auth},
    {"application", start_application, stop_application},
    {"writer", start_writer, NULL},
    {"relay", start_relay, stop_relay},
    {"pool", start_pool, stop_pool},
    {"reading", start_reading_pool, stop_reading_pool},
    {"consumer", start_consumer, stop_consumer},
    {"readers", start_readers, stop_readers},
    {"settings", reload_start, reload_stop},
    {"health", health_start, health_stop},
    {"claims", start_claims, stop_claims},
    {"server", start_server, stop_server},
};
const size_t service_part_count = sizeof service_parts / sizeof service_parts[0];
