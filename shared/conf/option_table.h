/*
 * Every option there is. The parser, --print-config, the manual and the samples all come from here; so do the
 * enumerators that code asks for values by, so that a name that does not exist does not compile.
 *
 * A row: its enumerator, its path in a file, its default (written as in a file but without quotes), what is allowed,
 * when a change takes effect (LIVE: with the next reload), and one line of help. By kind:
 *   INTEGER   id, path, default, least, most, unit ("ms", "s", "bytes", "KiB"; "" when it counts), effect, help
 *   MODE      id, path, default, effect, help: an integer, permission bits, which a file has as octal in a string
 *   TEXTUAL   id, path, default, longest in bytes, effect, help
 *   CHOICE    id, path, default, the only values with '|' between them, effect, help
 *   SECRET    as TEXTUAL: the path of a file that holds a secret, which others may not read
 *   OUTSIDE   as TEXTUAL: taken from the environment and the command line only, never from a file
 *   HIDDEN    as TEXTUAL: a secret itself. Taken from the environment only, and never shown
 */
#ifndef TANDEM_CONF_OPTION_TABLE_H
#define TANDEM_CONF_OPTION_TABLE_H

#include <stdint.h>

#define OPTION_MEBI INT64_C(1048576)
#define OPTION_DAY_S INT64_C(86400)
#define OPTION_LEVELS "debug|info|warning|error|critical"
#define OPTION_SAMPLERS                                                                                               \
    "always_on|always_off|traceidratio|parentbased_always_on|parentbased_always_off|parentbased_traceidratio"

#define OPTION_TABLE(INTEGER, MODE, TEXTUAL, CHOICE, SECRET, OUTSIDE, HIDDEN)                                         \
    OUTSIDE(OPTION_CONF_PUBLIC_KEY_FILE, "conf.public_key_file", "", 4000, AT_START,                                  \
            "minisign public key that every settings file must be signed with; empty: none need be")                  \
    CHOICE(OPTION_SERVER_TRANSPORT, "server.transport", "native", "native|libfcgi", AT_START,                         \
           "who speaks FastCGI: Tandem's own reactors, or the library with a thread per request")                     \
    TEXTUAL(OPTION_SERVER_LISTEN, "server.listen", "", 256, AT_START,                                                 \
            "unix:/path.sock, 127.0.0.1:9001 or [::1]:9001; not used when a socket is inherited")                     \
    MODE(OPTION_SERVER_SOCKET_MODE, "server.socket_mode", "0660", AT_START,                                           \
         "permission bits of the unix socket: octal in quotes, with a zero before it; a number without is decimal")   \
    INTEGER(OPTION_SERVER_LANES, "server.lanes", "0", 0, 64, "", AT_START,                                            \
            "threads that read requests; 0 is one per core, with libfcgi 16")                                         \
    INTEGER(OPTION_SERVER_CONNECTIONS_MAX, "server.connections_max", "4096", 1, 1000000, "", AT_START,                \
            "connections at once; further ones wait in the backlog")                                                  \
    INTEGER(OPTION_SERVER_PARAMS_MAX_BYTES, "server.params_max_bytes", "65536", 1024, 16 * OPTION_MEBI, "bytes",      \
            AT_START, "of the parameters (header fields) of a request; more is answered 431")                         \
    INTEGER(OPTION_SERVER_PARAMS_MAX_COUNT, "server.params_max_count", "256", 16, 65536, "", AT_START,                \
            "parameters of a request")                                                                                \
    INTEGER(OPTION_SERVER_BODY_MAX_BYTES, "server.body_max_bytes", "1048576", 0, 1024 * OPTION_MEBI, "bytes",         \
            AT_START, "of the body of a request; more is answered 413")                                               \
    INTEGER(OPTION_SERVER_ARENA_MAX_BYTES, "server.arena_max_bytes", "4194304", 65536, 1024 * OPTION_MEBI, "bytes",   \
            AT_START, "of the memory that one request may use")                                                       \
    INTEGER(OPTION_SERVER_RESPONSE_MAX_BYTES, "server.response_max_bytes", "16777216", 65536, 1024 * OPTION_MEBI,     \
            "bytes", AT_START, "of the body of a response; more is answered 500")                                     \
    INTEGER(OPTION_SERVER_HEADER_TIMEOUT_MS, "server.header_timeout_ms", "10000", 10, 3600000, "ms", AT_START,        \
            "from the first byte of a request to its last parameter")                                                 \
    INTEGER(OPTION_SERVER_BODY_TIMEOUT_MS, "server.body_timeout_ms", "30000", 10, 3600000, "ms", AT_START,            \
            "from the last parameter to the last byte of the body")                                                   \
    INTEGER(OPTION_SERVER_WRITE_TIMEOUT_MS, "server.write_timeout_ms", "30000", 10, 3600000, "ms", AT_START,          \
            "without progress in sending a response")                                                                 \
    INTEGER(OPTION_SERVER_IDLE_TIMEOUT_MS, "server.idle_timeout_ms", "75000", 10, 86400000, "ms", AT_START,           \
            "a kept connection without a request")                                                                    \
    INTEGER(OPTION_SERVER_REQUEST_TIMEOUT_MS, "server.request_timeout_ms", "10000", 10, 3600000, "ms", LIVE,          \
            "from a request's arrival to the start of its handler; later it is answered 504")                         \
    INTEGER(OPTION_SERVER_REQUESTS_MAX, "server.requests_max", "4096", 1, 1000000, "", LIVE,                          \
            "requests under way at once; more are answered 503")                                                      \
    INTEGER(OPTION_SERVER_DRAIN_DELAY_MS, "server.drain_delay_ms", "0", 0, 3600000, "ms", AT_START,                   \
            "how long a service that stops still takes requests, while /readyz says that it is not ready")            \
    INTEGER(OPTION_SERVER_DRAIN_TIMEOUT_MS, "server.drain_timeout_ms", "10000", 0, 3600000, "ms", AT_START,           \
            "how long requests under way may take to end when the service stops")                                     \
    INTEGER(OPTION_POOL_THREADS, "pool.threads", "4", 1, 256, "", AT_START, "workers for what blocks")                \
    INTEGER(OPTION_POOL_QUEUE_MAX, "pool.queue_max", "256", 1, 1000000, "", AT_START,                                 \
            "jobs that may wait for a worker")                                                                        \
    TEXTUAL(OPTION_DB_PATH, "db.path", "", 4000, AT_START, "the SQLite file of the service")                          \
    TEXTUAL(OPTION_DB_URL, "db.url", "", 4000, AT_START,                                                              \
            "the database instead of db.path: postgresql://USER@HOST/tandem_{service}, {service} being its name")     \
    TEXTUAL(OPTION_DB_READ_URL, "db.read_url", "", 4000, AT_START,                                                    \
            "a replica of db.url, for lists that may be a moment old; empty: there is none")                          \
    SECRET(OPTION_DB_PASSWORD_FILE, "db.password_file", "", 4000, AT_START,                                           \
           "holds the password for db.url and db.read_url, which may not hold one; empty: none is given")             \
    INTEGER(OPTION_DB_CONNECTIONS, "db.connections", "1", 1, 64, "", AT_START,                                        \
            "to PostgreSQL for changes, of each process; more than one is for servers far away")                      \
    INTEGER(OPTION_DB_READERS, "db.readers", "8", 1, 256, "", AT_START,                                               \
            "threads that read from PostgreSQL for requests, over a connection each")                                 \
    INTEGER(OPTION_DB_CONNECT_TIMEOUT_MS, "db.connect_timeout_ms", "2000", 10, 600000, "ms", AT_START,                \
            "of a try to connect to PostgreSQL")                                                                      \
    INTEGER(OPTION_DB_START_TIMEOUT_MS, "db.start_timeout_ms", "30000", 0, 3600000, "ms", AT_START,                   \
            "how long a service that starts waits for PostgreSQL")                                                    \
    INTEGER(OPTION_DB_STATEMENT_TIMEOUT_MS, "db.statement_timeout_ms", "10000", 0, 3600000, "ms", AT_START,           \
            "of a statement at PostgreSQL; 0: none")                                                                  \
    INTEGER(OPTION_DB_BATCH_MAX, "db.batch_max", "256", 1, 65536, "", AT_START, "changes committed together")         \
    INTEGER(OPTION_DB_QUEUE_MAX, "db.queue_max", "8192", 1, 1000000, "", AT_START,                                    \
            "changes that may wait for the writer")                                                                   \
    INTEGER(OPTION_DB_BUSY_TIMEOUT_MS, "db.busy_timeout_ms", "5000", 0, 600000, "ms", AT_START,                       \
            "waiting for another process's transaction")                                                              \
    INTEGER(OPTION_DB_CACHE_KIB, "db.cache_kib", "512", 64, OPTION_MEBI, "KiB", AT_START,                            \
            "page cache of each connection")                                                                          \
    INTEGER(OPTION_DB_WAL_CHECKPOINT_BYTES, "db.wal_checkpoint_bytes", "4194304", 65536, 1024 * OPTION_MEBI, "bytes", \
            AT_START, "size of the write-ahead log at which it begins to be copied back")                             \
    INTEGER(OPTION_DB_WAL_MAX_BYTES, "db.wal_max_bytes", "67108864", 65536, 16384 * OPTION_MEBI, "bytes", AT_START,   \
            "size of the write-ahead log at which the writer waits until it is copied back")                          \
    TEXTUAL(OPTION_BUS_URL, "bus.url", "embedded:/var/lib/tandem/bus.db", 4000, AT_START,                             \
            "what carries events: embedded:/path/bus.db, amqp://user@host:5672,host2/vhost, amqps://, or "            \
            "kafka:host:9092,host2:9092")                                                                             \
    TEXTUAL(OPTION_BUS_PREFIX, "bus.prefix", "tandem", 64, AT_START,                                                  \
            "what all that is made on a broker is called by, so that several systems may share one")                  \
    TEXTUAL(OPTION_BUS_GROUPS, "bus.groups", "order, inventory", 1000, AT_START,                                      \
            "that a broker keeps events for from the first publication on, before they have ever subscribed")         \
    SECRET(OPTION_BUS_PASSWORD_FILE, "bus.password_file", "", 4000, AT_START,                                         \
            "the password of the user that bus.url names; empty: none")                                               \
    TEXTUAL(OPTION_BUS_TLS_CA_FILE, "bus.tls_ca_file", "", 4000, AT_START,                                            \
            "certificates that the broker's must be signed by; empty: those that the system trusts")                  \
    TEXTUAL(OPTION_BUS_TLS_CERT_FILE, "bus.tls_cert_file", "", 4000, AT_START,                                        \
            "the certificate shown to the broker; empty: none")                                                       \
    SECRET(OPTION_BUS_TLS_KEY_FILE, "bus.tls_key_file", "", 4000, AT_START, "the key of bus.tls_cert_file")           \
    INTEGER(OPTION_BUS_QUEUES, "bus.queues", "4", 1, 256, "", AT_START,                                               \
            "queues or partitions that a broker spreads subjects over; the same for all who use it, and for good")    \
    INTEGER(OPTION_BUS_PREFETCH, "bus.prefetch", "256", 1, 65535, "", AT_START,                                       \
            "events that a consumer takes from a broker ahead of what it has dealt with")                             \
    INTEGER(OPTION_BUS_DELIVERY_LIMIT, "bus.delivery_limit", "250", 1, 1000000, "", AT_START,                         \
            "ends of a consumer in the midst of an event, after which a broker gives it up as a dead letter")         \
    INTEGER(OPTION_BUS_HEARTBEAT_S, "bus.heartbeat_s", "10", 0, 3600, "s", AT_START,                                  \
            "silence after which a broker is given up for dead twice over; 0: only the network tells")                \
    INTEGER(OPTION_BUS_CONNECT_TIMEOUT_MS, "bus.connect_timeout_ms", "2000", 10, 600000, "ms", AT_START,              \
            "connecting to each of a broker's hosts")                                                                 \
    INTEGER(OPTION_BUS_PUBLISH_TIMEOUT_MS, "bus.publish_timeout_ms", "5000", 10, 600000, "ms", AT_START,              \
            "until a broker has confirmed what was given to it together; then it is given again")                     \
    INTEGER(OPTION_BUS_REPLICATION, "bus.replication", "0", 0, 32767, "", AT_START,                                   \
            "Kafka's brokers that have each topic that is made; 0: as many as the broker makes by itself")            \
    SECRET(OPTION_BUS_KAFKA_PROPERTIES_FILE, "bus.kafka_properties_file", "", 4000, AT_START,                         \
           "librdkafka's own properties, a line each, \"sasl.username = tandem\": for SASL, TLS and the like")         \
    INTEGER(OPTION_BUS_RETENTION_S, "bus.retention_s", "604800", 0, 3650 * OPTION_DAY_S, "s", AT_START,               \
            "how long events are kept after every group has read them")                                               \
    INTEGER(OPTION_BUS_MAX_BYTES, "bus.max_bytes", "1073741824", OPTION_MEBI, 1048576 * OPTION_MEBI, "bytes",         \
            AT_START, "size of the embedded bus at which it takes no more events")                                    \
    INTEGER(OPTION_BUS_BUSY_TIMEOUT_MS, "bus.busy_timeout_ms", "5000", 0, 600000, "ms", AT_START,                     \
            "waiting for another process's transaction on the bus")                                                   \
    INTEGER(OPTION_EVENTS_BATCH_MAX, "events.batch_max", "128", 1, 65536, "", AT_START,                               \
            "events taken from or given to the bus together")                                                         \
    INTEGER(OPTION_EVENTS_ATTEMPTS_MAX, "events.attempts_max", "10", 1, 1000, "", AT_START,                           \
            "tries of a failing event before it is a dead letter")                                                    \
    INTEGER(OPTION_EVENTS_RETRY_FIRST_MS, "events.retry_first_ms", "100", 1, 3600000, "ms", AT_START,                 \
            "pause before the second try; doubles from there")                                                        \
    INTEGER(OPTION_EVENTS_RETRY_MAX_MS, "events.retry_max_ms", "60000", 1, 86400000, "ms", AT_START,                  \
            "the longest pause between tries")                                                                        \
    INTEGER(OPTION_EVENTS_INBOX_RETENTION_S, "events.inbox_retention_s", "1209600", 60, 3650 * OPTION_DAY_S, "s",     \
            AT_START, "how long ids of handled events are remembered")                                                \
    INTEGER(OPTION_IDEMPOTENCY_RETENTION_S, "idempotency.retention_s", "86400", 60, 365 * OPTION_DAY_S, "s", LIVE,    \
            "how long the answer to an Idempotency-Key is kept")                                                      \
    CHOICE(OPTION_LOG_LEVEL, "log.level", "info", OPTION_LEVELS, LIVE, "what is logged, and above")                   \
    CHOICE(OPTION_LOG_LEVEL_BASE, "log.level_base", "inherit", "inherit|" OPTION_LEVELS, LIVE,                        \
           "of what the log tells of itself; inherit is log.level")                                                   \
    CHOICE(OPTION_LOG_LEVEL_CONF, "log.level_conf", "inherit", "inherit|" OPTION_LEVELS, LIVE,                        \
           "of settings and their reloading; inherit is log.level")                                                   \
    CHOICE(OPTION_LOG_LEVEL_STATE, "log.level_state", "inherit", "inherit|" OPTION_LEVELS, LIVE,                      \
           "of the database; inherit is log.level")                                                                   \
    CHOICE(OPTION_LOG_LEVEL_NET, "log.level_net", "inherit", "inherit|" OPTION_LEVELS, LIVE,                          \
           "of requests: access lines are of level info, and warning from status 500 on; inherit is log.level")       \
    CHOICE(OPTION_LOG_LEVEL_EVENTS, "log.level_events", "inherit", "inherit|" OPTION_LEVELS, LIVE,                    \
           "of events: applied ones are of level info; inherit is log.level")                                         \
    CHOICE(OPTION_LOG_LEVEL_APP, "log.level_app", "inherit", "inherit|" OPTION_LEVELS, LIVE,                          \
           "of what every service does: its start and end, for one; inherit is log.level")                            \
    CHOICE(OPTION_LOG_LEVEL_USER, "log.level_user", "inherit", "inherit|" OPTION_LEVELS, LIVE,                        \
           "of accounts and sessions; inherit is log.level")                                                          \
    CHOICE(OPTION_LOG_LEVEL_ORDER, "log.level_order", "inherit", "inherit|" OPTION_LEVELS, LIVE,                      \
           "of orders and payments; inherit is log.level")                                                            \
    CHOICE(OPTION_LOG_LEVEL_INVENTORY, "log.level_inventory", "inherit", "inherit|" OPTION_LEVELS, LIVE,              \
           "of items and stock; inherit is log.level")                                                                \
    CHOICE(OPTION_LOG_FORMAT, "log.format", "json", "json|text", AT_START,                                            \
           "JSON lines, or text for a person's terminal")                                                             \
    CHOICE(OPTION_LOG_SINK, "log.sink", "stderr", "stderr|file|syslog", AT_START, "where the log goes")               \
    TEXTUAL(OPTION_LOG_FILE, "log.file", "", 4000, AT_START,                                                          \
            "the file, when log.sink is file; opened anew on SIGUSR1, as after logrotate has renamed it")             \
    TEXTUAL(OPTION_LOG_SYSLOG_SOCKET, "log.syslog_socket", "/dev/log", 100, AT_START,                                 \
            "the local syslog's socket, when log.sink is syslog; the facility is daemon")                             \
    INTEGER(OPTION_LOG_REPEAT_BURST, "log.repeat_burst", "100", 0, 1000000, "", LIVE,                                 \
            "how often a second a message is logged before it is counted only, and told as \"repeated\"; 0 is always")\
    INTEGER(OPTION_LOG_ACCESS_SAMPLE, "log.access_sample", "1", 1, 1000000, "", LIVE,                                 \
            "one request id in so many has its access lines and its applied events logged; what failed is always")    \
    CHOICE(OPTION_METRICS_ENABLED, "metrics.enabled", "on", "on|off", LIVE,                                          \
           "whether anything is counted; off, /metrics is answered 404")                                             \
    CHOICE(OPTION_TRACE_ENABLED, "trace.enabled", "on", "on|off", LIVE,                                               \
           "whether requests, events and payments are traced; ENABLE_TRACING=true or false says so, too")             \
    CHOICE(OPTION_TRACE_SAMPLER, "trace.sampler", "parentbased_always_on", OPTION_SAMPLERS, LIVE,                     \
           "which traces are kept: the parentbased ones do as the caller did, and as they are called without one")    \
    TEXTUAL(OPTION_TRACE_RATIO, "trace.ratio", "1", 20, LIVE,                                                         \
            "how many of all traces a traceidratio sampler keeps, from 0 to 1")                                       \
    INTEGER(OPTION_TRACE_SLOW_MS, "trace.slow_ms", "1000", 0, 3600000, "ms", LIVE,                                    \
            "what took longer is kept whatever the sampler says, as what failed is; 0: it is not")                    \
    INTEGER(OPTION_TRACE_MEMORY_KIB, "trace.memory_kib", "512", 64, 16384, "KiB", AT_START,                           \
            "of recent traces, for GET /traces and tandemctl trace, in a file beside db.path")                        \
    INTEGER(OPTION_TRACE_QUEUE_MAX_BYTES, "trace.queue_max_bytes", "262144", 65536, 64 * OPTION_MEBI, "bytes",        \
            AT_START, "of spans that wait to be kept; further ones are dropped and counted")                          \
    TEXTUAL(OPTION_TRACE_SERVICE_NAME, "trace.service_name", "", 255, AT_START,                                       \
            "what the service is called in traces; empty: tandem- and its name, as tandem-order")                     \
    TEXTUAL(OPTION_TRACE_RESOURCE_ATTRIBUTES, "trace.resource_attributes", "", 4000, AT_START,                        \
            "further attributes of all its spans, key=value,key2=value2, values percent-encoded")                     \
    TEXTUAL(OPTION_TRACE_OTLP_ENDPOINT, "trace.otlp_endpoint", "", 2000, AT_START,                                    \
            "where spans are sent, http://127.0.0.1:4318; /v1/traces is added to it; empty: nowhere")                 \
    TEXTUAL(OPTION_TRACE_OTLP_TRACES_ENDPOINT, "trace.otlp_traces_endpoint", "", 2000, AT_START,                      \
            "the same as the whole URL, to which nothing is added; wins over trace.otlp_endpoint")                    \
    CHOICE(OPTION_TRACE_OTLP_PROTOCOL, "trace.otlp_protocol", "http/protobuf", "http/protobuf|http/json", AT_START,   \
           "how spans are encoded")                                                                                   \
    CHOICE(OPTION_TRACE_OTLP_COMPRESSION, "trace.otlp_compression", "none", "gzip|none", AT_START,                    \
           "how they are compressed: gzip makes them several times smaller, for processor time")                      \
    HIDDEN(OPTION_TRACE_OTLP_HEADERS, "trace.otlp_headers", "", 8192, AT_START,                                       \
           "header fields sent along, name=value,name2=value2, values percent-encoded; wins over the file")           \
    SECRET(OPTION_TRACE_OTLP_HEADERS_FILE, "trace.otlp_headers_file", "", 4000, AT_START,                             \
           "holds header fields to send along, such as a token: a line name=value each; empty: none")                 \
    INTEGER(OPTION_TRACE_OTLP_TIMEOUT_MS, "trace.otlp_timeout_ms", "10000", 10, 600000, "ms", AT_START,               \
            "of one request to the receiver")                                                                         \
    INTEGER(OPTION_TRACE_OTLP_QUEUE_MAX_BYTES, "trace.otlp_queue_max_bytes", "2097152", 65536, 1024 * OPTION_MEBI,    \
            "bytes", AT_START, "of spans that wait to be sent; further ones are dropped and counted")                 \
    INTEGER(OPTION_TRACE_OTLP_BATCH_MAX, "trace.otlp_batch_max", "512", 1, 65536, "", AT_START,                       \
            "spans in one request")                                                                                   \
    INTEGER(OPTION_TRACE_OTLP_BATCH_DELAY_MS, "trace.otlp_batch_delay_ms", "1000", 0, 600000, "ms", AT_START,         \
            "the longest that a span waits for others to be sent with")                                               \
    INTEGER(OPTION_TRACE_OTLP_RETRY_MAX_MS, "trace.otlp_retry_max_ms", "60000", 0, 3600000, "ms", AT_START,           \
            "how long a request is tried again, with growing pauses, before its spans are dropped; 0: once")          \
    TEXTUAL(OPTION_USER_URL, "user.url", "http://127.0.0.1:8080", 1000, AT_START,                                     \
            "where order and inventory reach the user service")                                                       \
    SECRET(OPTION_USER_TOKEN_FILE, "user.token_file", "/etc/tandem/secrets/service.token", 4000, AT_START,            \
           "holds the bearer token that order and inventory introspect with (tandemctl token create)")                \
    INTEGER(OPTION_USER_TIMEOUT_MS, "user.timeout_ms", "2000", 10, 600000, "ms", LIVE,                                \
            "of a call to the user service")                                                                          \
    INTEGER(OPTION_CLIENT_RETRIES_MAX, "client.retries_max", "2", 0, 10, "", AT_START,                                \
            "tries after the first of a call to another service that failed in passing")                              \
    INTEGER(OPTION_CLIENT_RETRY_FIRST_MS, "client.retry_first_ms", "25", 1, 60000, "ms", AT_START,                    \
            "longest pause before the first of them, of which any part is waited; doubles from there")                \
    INTEGER(OPTION_CLIENT_RETRY_MAX_MS, "client.retry_max_ms", "1000", 1, 60000, "ms", AT_START,                      \
            "the longest such pause")                                                                                 \
    INTEGER(OPTION_CLIENT_RETRY_BUDGET_PERCENT, "client.retry_budget_percent", "20", 0, 100, "", AT_START,            \
            "how many calls in a hundred may be tried again, beside client.retry_budget_per_s")                       \
    INTEGER(OPTION_CLIENT_RETRY_BUDGET_PER_S, "client.retry_budget_per_s", "10", 0, 100000, "", AT_START,             \
            "how many calls a second may be tried again, beside client.retry_budget_percent")                         \
    INTEGER(OPTION_CLIENT_BREAKER_FAILURES, "client.breaker_failures", "5", 0, 100000, "", AT_START,                  \
            "failures in a row after which a service is left alone, calls to it failing at once; 0 is never")         \
    INTEGER(OPTION_CLIENT_BREAKER_OPEN_MS, "client.breaker_open_ms", "500", 10, 3600000, "ms", AT_START,              \
            "for how long, and up to a half more by chance, before it is probed")                                     \
    INTEGER(OPTION_CLIENT_BREAKER_PROBES, "client.breaker_probes", "1", 1, 1000, "", AT_START,                        \
            "calls at once that probe it")                                                                            \
    INTEGER(OPTION_CLIENT_BREAKER_OPEN_MAX_MS, "client.breaker_open_max_ms", "30000", 10, 3600000, "ms", AT_START,    \
            "one of several instances that keeps failing is left alone for twice as long each time, up to this")      \
    INTEGER(OPTION_CLIENT_SLOW_START_MS, "client.slow_start_ms", "2000", 0, 3600000, "ms", AT_START,                  \
            "how long an instance that has come to others takes to get its whole part of the calls")                  \
    CHOICE(OPTION_DISCOVERY_DRIVER, "discovery.driver", "static", "static|dns|etcd|consul", AT_START,                 \
           "who knows where the instances of a service are: the settings, the DNS, etcd, or Consul")                  \
    TEXTUAL(OPTION_DISCOVERY_ENDPOINTS, "discovery.endpoints", "", 16000, LIVE,                                       \
            "static: user=http://10.0.0.7:8080 user=http://10.0.0.8:8080;zone=b;weight=50; none of user: user.url")   \
    TEXTUAL(OPTION_DISCOVERY_SERVERS, "discovery.servers", "", 2000, AT_START,                                        \
            "etcd, consul: their URLs, with spaces between; dns: ADDRESS:PORT or [ADDRESS]:PORT, empty: the "  \
            "system's")                                                                                               \
    TEXTUAL(OPTION_DISCOVERY_ADVERTISE, "discovery.advertise", "", 2000, AT_START,                                    \
            "where this instance is reached: its front, http://10.0.0.7:8080, and for fronts elsewhere "              \
            "fcgi://10.0.0.7:9001, with spaces between; empty: it is not registered")                                 \
    TEXTUAL(OPTION_DISCOVERY_ZONE, "discovery.zone", "", 63, AT_START,                                                \
            "where this instance is; calls go to instances of the same zone while half of those are well")            \
    INTEGER(OPTION_DISCOVERY_WEIGHT, "discovery.weight", "100", 1, 10000, "", AT_START,                               \
            "how much this instance takes, compared to others")                                                       \
    TEXTUAL(OPTION_DISCOVERY_PREFIX, "discovery.prefix", "/services", 200, AT_START,                                  \
            "etcd: what its records begin with, PREFIX/NAME/INSTANCE")                                                \
    TEXTUAL(OPTION_DISCOVERY_DOMAIN, "discovery.domain", "", 200, AT_START,                                           \
            "dns: what follows the name of a service, as shop.svc.cluster.local")                                     \
    INTEGER(OPTION_DISCOVERY_PORT, "discovery.port", "0", 0, 65535, "", AT_START,                                     \
            "dns: of instances that have an address and no SRV record; 0: there must be such a record")               \
    TEXTUAL(OPTION_DISCOVERY_USER, "discovery.user", "", 128, AT_START,                                               \
            "etcd: who signs in, with the password in discovery.secret_file; empty: nobody")                          \
    SECRET(OPTION_DISCOVERY_SECRET_FILE, "discovery.secret_file", "", 4000, AT_START,                                 \
           "holds the password for etcd, or the ACL token for Consul; read at each use")                              \
    TEXTUAL(OPTION_DISCOVERY_CA_FILE, "discovery.ca_file", "", 4000, AT_START,                                        \
            "who may have signed the certificates of etcd or Consul; empty: whom the system trusts")                  \
    TEXTUAL(OPTION_DISCOVERY_CERTIFICATE_FILE, "discovery.certificate_file", "", 4000, AT_START,                      \
            "a certificate to show to them; empty: none")                                                             \
    SECRET(OPTION_DISCOVERY_KEY_FILE, "discovery.key_file", "", 4000, AT_START, "its key")                            \
    INTEGER(OPTION_DISCOVERY_TTL_MS, "discovery.ttl_ms", "10000", 2000, 3600000, "ms", AT_START,                      \
            "an instance that gives no sign of life for so long is forgotten; it gives three in that time")           \
    INTEGER(OPTION_DISCOVERY_TIMEOUT_MS, "discovery.timeout_ms", "2000", 10, 60000, "ms", AT_START,                   \
            "of one question to the registry")                                                                        \
    INTEGER(OPTION_DISCOVERY_REFRESH_MS, "discovery.refresh_ms", "30000", 100, 3600000, "ms", AT_START,               \
            "what is known is read again after so long at the latest")                                                \
    INTEGER(OPTION_DISCOVERY_RETRY_FIRST_MS, "discovery.retry_first_ms", "100", 1, 60000, "ms", AT_START,             \
            "pause after a question that failed; doubles from there")                                                 \
    INTEGER(OPTION_DISCOVERY_RETRY_MAX_MS, "discovery.retry_max_ms", "5000", 1, 600000, "ms", AT_START,               \
            "the longest such pause")                                                                                 \
    INTEGER(OPTION_DISCOVERY_EMPTY_AFTER_MS, "discovery.empty_after_ms", "15000", 0, 3600000, "ms", AT_START,         \
            "that a service has no instances any more is believed when the registry has said so for so long")         \
    INTEGER(OPTION_DISCOVERY_CRITICAL_AFTER_MS, "discovery.critical_after_ms", "60000", 60000, 86400000, "ms",        \
            AT_START, "consul: an instance that is critical for so long is forgotten")                                \
    INTEGER(OPTION_DISCOVERY_REMEMBER_MAX_S, "discovery.remember_max_s", "86400", 0, 365 * OPTION_DAY_S, "s",         \
            AT_START, "a service that starts while the registry is away uses instances known up to so long before; "  \
            "0: none")                                                                                                \
    TEXTUAL(OPTION_DISCOVERY_REMEMBER_FILE, "discovery.remember_file", "", 4000, AT_START,                            \
            "what the files that keep them begin with; empty: db.path and -instances, without that none is kept")     \
    INTEGER(OPTION_DISCOVERY_WITHDRAW_MS, "discovery.withdraw_ms", "1000", 0, 60000, "ms", AT_START,                  \
            "how long a service that stops waits for the registry to confirm that it is forgotten")                   \
    INTEGER(OPTION_AUTH_CACHE_ENTRIES, "auth.cache_entries", "10000", 4, 10000000, "", AT_START, "tokens remembered") \
    INTEGER(OPTION_AUTH_CACHE_TTL_S, "auth.cache_ttl_s", "30", 1, OPTION_DAY_S, "s", LIVE,                            \
            "how long at most a token is trusted without asking again; the bound of a sign-out no event tells of")    \
    INTEGER(OPTION_AUTH_STALE_MAX_S, "auth.stale_max_s", "300", 0, OPTION_DAY_S, "s", LIVE,                           \
            "how much longer while the user service cannot be asked; until then whoever signs out is told by event")  \
    INTEGER(OPTION_AUTH_UNKNOWN_ENTRIES, "auth.unknown_entries", "4096", 4, 1000000, "", AT_START,                    \
            "tokens remembered to be of nobody, beside the others")                                                   \
    INTEGER(OPTION_AUTH_UNKNOWN_TTL_MS, "auth.unknown_ttl_ms", "5000", 0, 3600000, "ms", LIVE,                        \
            "how long a token that is of nobody is refused without asking again")                                     \
    INTEGER(OPTION_AUTH_FLIGHTS_MAX, "auth.flights_max", "256", 1, 65536, "", AT_START,                               \
            "tokens that are being asked about at once; requests with others are answered 503")                       \
    INTEGER(OPTION_AUTH_WAITERS_MAX, "auth.waiters_max", "1024", 0, 1000000, "", AT_START,                            \
            "requests that wait for the answer to another one's question; more are answered 503")                     \
    CHOICE(OPTION_CACHE_DRIVER, "cache.driver", "memory", "memory|redis", AT_START,                                   \
           "what caches are in: each process's memory, or behind that also a Redis that all share")                   \
    INTEGER(OPTION_CACHE_ITEM_MAX_BYTES, "cache.item_max_bytes", "4194304", 65536, 1024 * OPTION_MEBI, "bytes",       \
            AT_START, "of items in the memory of each process of inventory")                                          \
    INTEGER(OPTION_CACHE_ITEM_TTL_MS, "cache.item_ttl_ms", "1000", 0, 86400000, "ms", LIVE,                           \
            "how long an item is served from memory unless it changes, which on this machine is noticed at once; 0: " \
            "never")                                                                                                  \
    INTEGER(OPTION_CACHE_ITEM_ABSENT_TTL_MS, "cache.item_absent_ttl_ms", "1000", 0, 86400000, "ms", LIVE,             \
            "how long it is remembered that there is no such item, unless it is made")                                \
    INTEGER(OPTION_CACHE_ITEM_ABSENT_ENTRIES, "cache.item_absent_entries", "4096", 4, 10000000, "", AT_START,         \
            "items remembered not to be there")                                                                       \
    INTEGER(OPTION_CACHE_ITEM_FILTER_KEYS, "cache.item_filter_keys", "200000", 0, 10000000, "", AT_START,             \
            "items of which it is known that there are no others, for 4 bytes each; 0: absent ones are all read")     \
    TEXTUAL(OPTION_CACHE_REDIS_URL, "cache.redis_url", "redis://127.0.0.1:6379", 1000, AT_START,                      \
            "one Redis, or some nodes of a cluster: redis://HOST:PORT,HOST:PORT; rediss: with TLS; redis+unix:/path") \
    TEXTUAL(OPTION_CACHE_REDIS_USER, "cache.redis_user", "", 200, AT_START, "an ACL user; empty: the default one")    \
    SECRET(OPTION_CACHE_REDIS_PASSWORD_FILE, "cache.redis_password_file", "", 4000, AT_START,                         \
           "holds the password; read at each connection, so that it can be renewed; empty: none")                     \
    TEXTUAL(OPTION_CACHE_REDIS_CA_FILE, "cache.redis_ca_file", "", 4000, AT_START,                                    \
            "TLS: who may have signed the servers' certificates; empty: whom the system trusts")                      \
    TEXTUAL(OPTION_CACHE_REDIS_CERTIFICATE_FILE, "cache.redis_certificate_file", "", 4000, AT_START,                  \
            "TLS: a certificate to show to the servers; empty: none")                                                 \
    SECRET(OPTION_CACHE_REDIS_KEY_FILE, "cache.redis_key_file", "", 4000, AT_START, "its key")                        \
    INTEGER(OPTION_CACHE_REDIS_TIMEOUT_MS, "cache.redis_timeout_ms", "50", 1, 60000, "ms", AT_START,                  \
            "to connect, with TLS and signing in, and of commands sent together; then it is done without")            \
    INTEGER(OPTION_CACHE_REDIS_CONNECTIONS_MAX, "cache.redis_connections_max", "4", 1, 256, "", AT_START,             \
            "kept to each node")                                                                                      \
    CHOICE(OPTION_CACHE_REDIS_REPLICAS, "cache.redis_replicas", "off", "off|on", AT_START,                            \
           "whether values may be read from replicas, which are a little behind")                                     \
    INTEGER(OPTION_CACHE_REDIS_CLAIM_MS, "cache.redis_claim_ms", "3000", 10, 600000, "ms", AT_START,                  \
            "how long others wait for the process that loads a value and has died")                                   \
    INTEGER(OPTION_CACHE_REDIS_QUEUE_MAX, "cache.redis_queue_max", "4096", 1, 1000000, "", AT_START,                  \
            "invalidations that wait to be sent; further ones are lost, and counted")                                 \
    INTEGER(OPTION_CACHE_REDIS_BREAKER_FAILURES, "cache.redis_breaker_failures", "3", 0, 100000, "", AT_START,        \
            "failures in a row after which Redis is left alone; 0 is never")                                          \
    INTEGER(OPTION_CACHE_REDIS_BREAKER_OPEN_MS, "cache.redis_breaker_open_ms", "500", 10, 3600000, "ms", AT_START,    \
            "for how long, and up to a half more by chance, before it is probed")                                     \
    INTEGER(OPTION_SESSION_LIFETIME_S, "session.lifetime_s", "86400", 60, 3650 * OPTION_DAY_S, "s", LIVE,             \
            "of a bearer token")                                                                                      \
    INTEGER(OPTION_SESSION_PER_USER_MAX, "session.per_user_max", "20", 1, 10000, "", LIVE,                            \
            "sessions of one user; the oldest makes room")                                                            \
    INTEGER(OPTION_SESSION_ATTEMPTS_PER_MINUTE, "session.attempts_per_minute", "10", 0, 100000, "", LIVE,             \
            "tries of one account's password, right ones not counted; more are answered 429; 0 is no limit")          \
    INTEGER(OPTION_SESSION_SOURCE_ATTEMPTS_PER_MINUTE, "session.source_attempts_per_minute", "60", 0, 1000000, "",    \
            LIVE, "the same from one client address, for IPv6 of one /64 network; 0 is no limit")                     \
    INTEGER(OPTION_SESSION_ATTEMPTS_ENTRIES, "session.attempts_entries", "16384", 16, 10000000, "", AT_START,         \
            "accounts and addresses whose tries are remembered, in each process by itself")                           \
    INTEGER(OPTION_PASSWORD_MIN_LENGTH, "password.min_length", "8", 1, 128, "", LIVE, "characters of a password")     \
    INTEGER(OPTION_PASSWORD_PASSES, "password.passes", "2", 1, 100, "", LIVE, "passes of argon2id")                   \
    INTEGER(OPTION_PASSWORD_MEMORY_KIB, "password.memory_kib", "19456", 8, 4 * OPTION_MEBI, "KiB", LIVE,              \
            "memory of argon2id")                                                                                     \
    INTEGER(OPTION_PASSWORD_CONCURRENCY, "password.concurrency", "2", 1, 256, "", AT_START,                           \
            "passwords hashed at once, by workers of pool.threads; each takes password.memory_kib")                   \
    INTEGER(OPTION_PASSWORD_QUEUE_MAX, "password.queue_max", "64", 1, 1000000, "", AT_START,                          \
            "requests that may wait for that; more are answered 503")                                                 \
    CHOICE(OPTION_PAYMENT_DRIVER, "payment.driver", "sandbox", "sandbox|stripe", AT_START,                            \
           "who is charged: nobody, which is for tests, or by way of Stripe")                                         \
    TEXTUAL(OPTION_PAYMENT_SANDBOX_FILE, "payment.sandbox_file", "", 4000, AT_START,                                  \
            "the sandbox gateway's ledger, a SQLite file; empty: payments.db beside db.path")                         \
    TEXTUAL(OPTION_PAYMENT_STRIPE_URL, "payment.stripe_url", "https://api.stripe.com", 1000, AT_START,                \
            "where Stripe is, or what stands for it in a test; http only to this machine")                            \
    SECRET(OPTION_PAYMENT_STRIPE_KEY_FILE, "payment.stripe_key_file", "", 4000, AT_START,                             \
           "holds Stripe's secret key; read at each question, so that it can be renewed")                             \
    SECRET(OPTION_PAYMENT_WEBHOOK_SECRET_FILE, "payment.webhook_secret_file", "", 4000, AT_START,                     \
           "holds the secrets that Stripe signs its events with, a line each; empty: none are taken")                 \
    INTEGER(OPTION_PAYMENT_WEBHOOK_TOLERANCE_S, "payment.webhook_tolerance_s", "300", 1, 86400, "s", LIVE,            \
            "how far from now an event of the gateway may have been signed")                                          \
    INTEGER(OPTION_PAYMENT_CONCURRENCY, "payment.concurrency", "4", 1, 256, "", AT_START,                             \
            "questions to the gateway at once")                                                                       \
    INTEGER(OPTION_PAYMENT_TIMEOUT_MS, "payment.timeout_ms", "5000", 10, 600000, "ms", AT_START,                      \
            "of a call to the gateway; what takes longer has an unknown outcome, and is asked again")                 \
    INTEGER(OPTION_PAYMENT_RETRY_FIRST_MS, "payment.retry_first_ms", "200", 1, 3600000, "ms", LIVE,                   \
            "pause after an unknown outcome; doubles from there")                                                     \
    INTEGER(OPTION_PAYMENT_RETRY_MAX_MS, "payment.retry_max_ms", "60000", 1, 86400000, "ms", LIVE,                    \
            "the longest such pause")                                                                                 \
    INTEGER(OPTION_ORDER_LINES_MAX, "order.lines_max", "100", 1, 2000, "", LIVE,                                      \
            "lines of an order; no more than an event has room for")                                                  \
    INTEGER(OPTION_ORDER_QUANTITY_MAX, "order.quantity_max", "10000", 1, 1000000000, "", LIVE,                        \
            "pieces of an order line")                                                                                \
    INTEGER(OPTION_ORDER_STUCK_AFTER_S, "order.stuck_after_s", "60", 1, 30 * OPTION_DAY_S, "s", LIVE,                 \
            "how long an order may be placed or reserved before it counts as stuck; it is then nudged, and again at " \
            "twice that age, at four times, and so on")                                                               \
    INTEGER(OPTION_STOCK_RESERVATION_TTL_S, "stock.reservation_ttl_s", "900", 1, 365 * OPTION_DAY_S, "s", LIVE,       \
            "how long stock is held for an order that is not paid; then the order is cancelled and the stock given "  \
            "back; longer than a payment takes whose gateway is away for a while")                                    \
    TEXTUAL(OPTION_FAULT_POINTS, "fault.points", "", 1000, LIVE,                                                      \
            "faults on demand, such as \"relay-before-mark kill nth=3\"; see FAULTS ON DEMAND")                       \
    CHOICE(OPTION_FAULT_FORCE, "fault.force", "off", "off|on", LIVE,                                                  \
           "whether there may be faults on demand where TANDEM_ENV is prod")                                          \
    INTEGER(OPTION_HEALTH_CACHE_MS, "health.cache_ms", "1000", 0, 60000, "ms", LIVE,                                  \
            "how long what a health check found is told again, so that probes cannot load the system")                \
    INTEGER(OPTION_HEALTH_LOCAL_TIMEOUT_MS, "health.local_timeout_ms", "1500", 10, 60000, "ms", LIVE,                 \
            "of a check of /healthz: one that takes longer has failed")                                               \
    INTEGER(OPTION_HEALTH_NEEDS_TIMEOUT_MS, "health.needs_timeout_ms", "4000", 10, 60000, "ms", LIVE,                 \
            "of a check that only /readyz makes")                                                                     \
    INTEGER(OPTION_HEALTH_DISK_FREE_MIN_BYTES, "health.disk_free_min_bytes", "67108864", 0, 1048576 * OPTION_MEBI,    \
            "bytes", LIVE, "free space for the database and the bus, below which a service is unhealthy")             \
    INTEGER(OPTION_HEALTH_LAG_MAX, "health.lag_max", "10000", 0, 1000000000, "", LIVE,                                \
            "events yet to be handled, above which a service is degraded")                                            \
    CHOICE(OPTION_HEALTH_NEEDS_HARD, "health.needs_hard", "off", "off|on", LIVE,                                      \
           "whether a needed service that is away makes this one unready; off: degraded")                             \
    INTEGER(OPTION_PAGE_LIMIT_DEFAULT, "page.limit_default", "20", 1, 10000, "", LIVE,                                \
            "rows of a page when none are asked for")                                                                 \
    INTEGER(OPTION_PAGE_LIMIT_MAX, "page.limit_max", "100", 1, 10000, "", LIVE,                                       \
            "rows of a page that may be asked for")

/* An option, by name: settings_int(settings, OPTION_PAGE_LIMIT_MAX). Also its index in option_table. */
enum option_id {
#define OPTION_ID(id, ...) id,
    OPTION_TABLE(OPTION_ID, OPTION_ID, OPTION_ID, OPTION_ID, OPTION_ID, OPTION_ID, OPTION_ID)
#undef OPTION_ID
    OPTIONS,
};

/* Options that must not be out of order: the first's value is at most the second's. */
#define OPTION_RELATIONS(ROW)                                                                                         \
    ROW(OPTION_PAGE_LIMIT_DEFAULT, OPTION_PAGE_LIMIT_MAX)                                                             \
    ROW(OPTION_EVENTS_RETRY_FIRST_MS, OPTION_EVENTS_RETRY_MAX_MS)                                                     \
    ROW(OPTION_CLIENT_RETRY_FIRST_MS, OPTION_CLIENT_RETRY_MAX_MS)                                                     \
    ROW(OPTION_DISCOVERY_RETRY_FIRST_MS, OPTION_DISCOVERY_RETRY_MAX_MS)                                               \
    ROW(OPTION_PAYMENT_RETRY_FIRST_MS, OPTION_PAYMENT_RETRY_MAX_MS)                                                   \
    ROW(OPTION_DB_WAL_CHECKPOINT_BYTES, OPTION_DB_WAL_MAX_BYTES)

/* The programs that may have a section of their own in a file. */
#define OPTION_SERVICES(ROW) ROW("user") ROW("order") ROW("inventory")

#endif
