/*
 * A service: what the three programs have in common, from main() to exit.
 *
 * A program is a definition (below) and service_main(). Its parts are rows of a table, started forward and stopped
 * backward (service.c): settings, log, database, bus, pool, outbox relay, consumer, the application, the server.
 */
#ifndef TANDEM_APP_SERVICE_H
#define TANDEM_APP_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "app/call.h"
#include "conf/current.h"
#include "conf/settings.h"
#include "events/consumer.h"
#include "events/outbox.h"
#include "net/client.h"
#include "net/listen.h"
#include "state/migrate.h"
#include "telemetry/metric.h"

struct auth;
struct cache_remote;
struct claims;
struct discovery;
struct discovery_watch;
struct health;
struct marks;
struct observation;
struct reload;

/** Who a bearer token belongs to, by its digest, read with call->db. ERR_UNAUTHENTICATED when nobody. */
typedef enum err identify_work(struct call *call, const char *token_digest, struct identity *ret);

struct service_definition {
    const char *name;                              /* "order": its prefix at the front, its event source, its group */
    const char *summary;                           /* one line, for --help */
    const struct endpoint *endpoints;
    size_t endpoint_count;
    const struct migration_set *migrations;
    const struct event_handler *handlers;          /* of events; their context is the struct service */
    size_t handler_count;
    struct settings_rules rules;                   /* what has to hold of the settings beside service_rules */
    identify_work *identify;                       /* NULL: tokens are introspected at the user service */
    /* After the migrations and before the writer starts, so that it may db_listen(); what it submits from threads of
     * its own waits for the writer. Sets app. On an error it has cleaned up after itself. May be NULL. */
    enum err (*start)(struct service *service);
    void (*stop)(struct service *service);         /* after the last request and event, while the writer still runs */
    /* Other settings are in effect: for what keeps some beside its calls. On a thread of its own, between start and
     * stop. May be NULL. */
    void (*reload)(struct service *service, const struct settings *settings);
    /* A scrape: sets the application's metrics of what its processes have in common, read with this connection. On
     * what runs queries. May be NULL. */
    enum err (*measure)(struct service *service, struct db_connection *reader);
};

enum { SERVICE_TRACE_ATTRIBUTES = 3 };

/* Attributes that all spans of a kind have. */
struct service_trace {
    struct span_attribute query[SERVICE_TRACE_ATTRIBUTES], transaction[SERVICE_TRACE_ATTRIBUTES];
};

struct service {
    const struct service_definition *definition;
    const struct settings_opts *settings_opts;     /* where the settings come from */
    const struct settings *settings;               /* as they were at the start: for what cannot change later */
    struct current current;                        /* as they are now */
    struct reload *reload;
    void *app;                                     /* the application's own state */
    struct db *db;
    struct bus *bus;
    struct relay *relay;
    struct consumer *consumer;
    struct pool *pool;
    struct pool *reading_pool;                     /* where queries run; NULL where they do on their lanes */
    struct marks *marks;                           /* of what was invalidated, for all caches of its processes */
    struct cache_remote *remote;                   /* what caches share beyond this machine; NULL: nothing */
    struct client *user_client;                    /* NULL where definition->identify is set */
    struct discovery *discovery;
    struct discovery_watch *user_watch;            /* NULL where the user service is at user.url */
    struct auth *auth;
    struct claims *claims;                         /* to idempotency keys */
    struct health *health;
    struct listener listener;
    struct server *_Atomic server;                 /* set after its lanes run, which may serve already */
    struct router *router;
    struct endpoint *endpoints;                    /* the application's and those every service has */
    size_t endpoint_count;
    struct db_connection **lane_readers;           /* one a lane; NULLs where there is a reading_pool */
    unsigned lanes;
    struct service_trace trace;
    struct observation *observations;              /* the metrics of each endpoint, see app/observe.c */
    struct metric_series queue_time, shed;
    enum err metrics_err;                          /* why the metrics are of this process alone, if they are */
    char metrics_fault[256];
    atomic_bool draining;                          /* no new connections; told by /readyz */
    atomic_bool closed;                            /* no new requests: they are answered 503 on their lane */
    _Alignas(64) atomic_uint in_flight;            /* all lanes write it, and only read what is above */
};

/** Everything from arguments to exit status. Options: --help, --version, --config FILE, --set PATH=VALUE,
 *  --check-config, --print-config. */
int service_main(const struct service_definition *definition, int argc, char **argv);

/** Adds an event caused by this call (its request id and trace go along) to the transaction under way.
 *  data is JSON. */
enum err must_check call_emit(struct call *call, const char *type, struct text subject, struct text data);

/** The same for an event that is caused by another, or by nothing but time (cause may be NULL). */
enum err must_check service_emit(struct service *service, struct db_connection *connection, const struct event *cause,
                                 const char *type, struct text subject, struct text data);

#endif
