/*
 * Every metric there is. A row: its enumerator, its name as scraped, its type, the unit of its values, the names of its
 * labels, and what it tells. check/tree holds that each is documented. By type, of several processes of a service:
 *   COUNTER            the sum, those that have ended included
 *   HISTOGRAM          the same; in SECONDS the buckets are durations, in ONE they are sizes
 *   TRACED_HISTOGRAM   with an exemplar for each bucket
 *   GAUGE              the sum over those that live
 *   LEAST_GAUGE, GREATEST_GAUGE   the least, the greatest, among those that live
 *   SHARED_GAUGE, SHARED_COUNTER   of what they have in common: what the process that is scraped says
 */
#ifndef TANDEM_TELEMETRY_METRIC_TABLE_H
#define TANDEM_TELEMETRY_METRIC_TABLE_H

#define METRIC_TABLE(ROW)                                                                                              \
    ROW(METRIC_HTTP_REQUESTS, "http_requests_total", COUNTER, ONE, "method,route,status_code",                         \
        "Requests answered")                                                                                           \
    ROW(METRIC_HTTP_DURATION, "http_request_duration_seconds", TRACED_HISTOGRAM, SECONDS, "method,route,status_code",  \
        "From a request being whole to its response being handed to the transport")                                    \
    ROW(METRIC_HTTP_IN_FLIGHT, "http_requests_in_flight", GAUGE, ONE, "", "Requests being worked on")                  \
    ROW(METRIC_HTTP_SHED, "http_requests_shed_total", COUNTER, ONE, "",                                                \
        "Requests refused early, for lack of capacity")                                                                \
    ROW(METRIC_HTTP_QUEUE, "tandem_http_queue_seconds", HISTOGRAM, SECONDS, "",                                        \
        "Time that requests waited for a lane, a worker and the writer")                                               \
    ROW(METRIC_SERVER_ACCEPTED, "tandem_server_connections_accepted_total", COUNTER, ONE, "",                          \
        "Connections accepted from the web server")                                                                    \
    ROW(METRIC_SERVER_CONNECTIONS, "tandem_server_connections", GAUGE, ONE, "state",                                   \
        "Connections open: idle, reading a request, handling one, writing a response")                                 \
    ROW(METRIC_SERVER_REQUESTS, "tandem_server_requests_total", COUNTER, ONE, "", "Requests dispatched")               \
    ROW(METRIC_SERVER_FAULTS, "tandem_server_faults_total", COUNTER, ONE, "kind",                                      \
        "What went wrong with the web server: protocol, header_timeout, body_timeout, write_timeout, too_large, "      \
        "aborted, accept")                                                                                             \
    ROW(METRIC_POOL_QUEUED, "tandem_pool_queued", GAUGE, ONE, "", "Tasks that wait for a worker")                      \
    ROW(METRIC_POOL_BUSY, "tandem_pool_busy", GAUGE, ONE, "", "Workers with a task")                                   \
    ROW(METRIC_POOL_THREADS, "tandem_pool_threads", GAUGE, ONE, "", "Workers")                                         \
    ROW(METRIC_DB_READS, "tandem_db_reads_total", COUNTER, ONE, "", "Statements run by readers")                       \
    ROW(METRIC_DB_JOBS, "tandem_db_jobs_total", COUNTER, ONE, "", "Changes run by the database's writer")              \
    ROW(METRIC_DB_JOBS_FAILED, "tandem_db_jobs_failed_total", COUNTER, ONE, "", "Changes that were undone")            \
    ROW(METRIC_DB_BATCHES, "tandem_db_batches_total", COUNTER, ONE, "", "Transactions committed")                      \
    ROW(METRIC_DB_BATCH_SIZE, "tandem_db_batch_size", HISTOGRAM, ONE, "", "Changes committed in one transaction")      \
    ROW(METRIC_DB_COMMIT, "tandem_db_commit_seconds", HISTOGRAM, SECONDS, "", "Time that a commit took")               \
    ROW(METRIC_DB_COMMIT_FAILURES, "tandem_db_commit_failures_total", COUNTER, ONE, "", "Commits that failed")         \
    ROW(METRIC_DB_BUSY, "tandem_db_busy_total", COUNTER, ONE, "",                                                      \
        "Times that SQLite waited for another process's transaction")                                                  \
    ROW(METRIC_DB_TURN, "tandem_db_turn_wait_seconds_total", COUNTER, SECONDS, "",                                     \
        "Time that the writer waited for its turn among the processes")                                                \
    ROW(METRIC_DB_RERUNS, "tandem_db_reruns_total", COUNTER, ONE, "",                                                  \
        "Transactions run again, since others were in their way or the connection was lost")                           \
    ROW(METRIC_DB_RECONNECTS, "tandem_db_reconnects_total", COUNTER, ONE, "", "Connections to PostgreSQL made anew")   \
    ROW(METRIC_DB_CONNECTIONS, "tandem_db_connections", GAUGE, ONE, "", "Connections to PostgreSQL that are open")     \
    ROW(METRIC_DB_AWAY, "tandem_db_away", GREATEST_GAUGE, ONE, "",                                                     \
        "1 while PostgreSQL cannot be reached, as of the latest try to connect")                                       \
    ROW(METRIC_DB_REPLICA_AWAY, "tandem_db_replica_away", GREATEST_GAUGE, ONE, "",                                     \
        "1 while the replica of db.read_url cannot be reached, and the primary answers for it")                        \
    ROW(METRIC_DB_REPLICA_LAG, "tandem_db_replica_lag_seconds", SHARED_GAUGE, SECONDS, "",                             \
        "How far what the replica of db.read_url tells may be behind; 0 when it has all, or there is none")            \
    ROW(METRIC_DB_SIZE, "tandem_db_size_bytes", SHARED_GAUGE, BYTES, "",                                               \
        "Size of the database: of SQLite's file, of what PostgreSQL has")                                              \
    ROW(METRIC_DB_WAL, "tandem_db_wal_bytes", SHARED_GAUGE, BYTES, "", "Size of SQLite's write-ahead log")             \
    ROW(METRIC_DB_QUEUED, "tandem_db_queued", GAUGE, ONE, "", "Changes that wait for the writer")                      \
    ROW(METRIC_DISK_FREE, "tandem_disk_free_bytes", SHARED_GAUGE, BYTES, "",                                           \
        "Free space on the file system of the database")                                                               \
    ROW(METRIC_OUTBOX_WAITING, "tandem_outbox_waiting", SHARED_GAUGE, ONE, "", "Events that wait to be published")     \
    ROW(METRIC_OUTBOX_AGE, "tandem_outbox_oldest_age_seconds", SHARED_GAUGE, SECONDS, "",                              \
        "Age of the oldest event that waits to be published")                                                          \
    ROW(METRIC_BUS_LAG, "tandem_bus_lag", SHARED_GAUGE, ONE, "group", "Events that a group has yet to acknowledge")    \
    ROW(METRIC_BUS_UNREAD_AGE, "tandem_bus_oldest_unread_age_seconds", SHARED_GAUGE, SECONDS, "group",                 \
        "Age on the bus of the oldest event that a group has yet to acknowledge")                                      \
    ROW(METRIC_BUS_SIZE, "tandem_bus_size_bytes", SHARED_GAUGE, BYTES, "", "Size of the embedded bus")                 \
    ROW(METRIC_BUS_MAX, "tandem_bus_max_bytes", SHARED_GAUGE, BYTES, "",                                               \
        "Size past which the bus takes no more events: bus.max_bytes")                                                 \
    ROW(METRIC_BUS_AWAY, "tandem_bus_away", GREATEST_GAUGE, ONE, "",                                                   \
        "1 while the bus takes no events: its broker cannot be reached or has blocked us, or its file is damaged")     \
    ROW(METRIC_BUS_RECONNECTS, "tandem_bus_reconnects_total", COUNTER, ONE, "",                                        \
        "Connections to a broker that were made again")                                                                \
    ROW(METRIC_BUS_BLOCKED, "tandem_bus_blocked", GREATEST_GAUGE, ONE, "",                                             \
        "1 while a broker takes no events, for lack of memory or disk")                                                \
    ROW(METRIC_BUS_REFUSED, "tandem_bus_refused_total", COUNTER, ONE, "reason",                                        \
        "Publications that a broker did not take, and that are repeated: blocked, timeout, nacked, unroutable")        \
    ROW(METRIC_BUS_BROKERS_UP, "tandem_bus_brokers_up", LEAST_GAUGE, ONE, "",                                          \
        "Brokers that a process is connected to")                                                                      \
    ROW(METRIC_BUS_ROUND_TRIP, "tandem_bus_round_trip_seconds", GREATEST_GAUGE, SECONDS, "",                           \
        "Time to a broker's answer: of Kafka the slowest broker's mean, of RabbitMQ from the latest publication until "\
        "all of it was confirmed")                                                                                     \
    ROW(METRIC_BUS_QUEUED, "tandem_bus_queued", GAUGE, ONE, "",                                                        \
        "Events that were given to a broker which has not confirmed them")                                             \
    ROW(METRIC_BUS_REBALANCES, "tandem_bus_rebalances_total", COUNTER, ONE, "",                                        \
        "Times that partitions were given to a process or taken from it")                                              \
    ROW(METRIC_BUS_UNREADABLE, "tandem_bus_unreadable_total", COUNTER, ONE, "",                                        \
        "Messages on a broker that are no events, and were put aside or passed over")                                  \
    ROW(METRIC_BUS_REDELIVERED, "tandem_bus_redelivered_total", COUNTER, ONE, "",                                      \
        "Deliveries that RabbitMQ says it may have made before: whoever had them first has not acknowledged them")     \
    ROW(METRIC_CONSUMER_HANDLED, "tandem_consumer_handled_total", COUNTER, ONE, "", "Events applied")                  \
    ROW(METRIC_CONSUMER_REPEATED, "tandem_consumer_repeated_total", COUNTER, ONE, "",                                  \
        "Events that were delivered again and had no second effect")                                                   \
    ROW(METRIC_CONSUMER_RETRIED, "tandem_consumer_retried_total", COUNTER, ONE, "",                                    \
        "Handlings that failed and were tried again")                                                                  \
    ROW(METRIC_CONSUMER_DEAD, "tandem_consumer_dead_total", COUNTER, ONE, "", "Events set aside as dead letters")      \
    ROW(METRIC_DEAD_LETTERS, "tandem_dead_letters", SHARED_GAUGE, ONE, "", "Dead letters that wait for an operator")   \
    ROW(METRIC_EVENTS_UNKNOWN, "tandem_events_unknown_total", COUNTER, ONE, "family",                                  \
        "Events passed over for being of a version that is not known here, by their type without it")                  \
    ROW(METRIC_EVENTS_IGNORED, "tandem_events_ignored_total", COUNTER, ONE, "type",                                    \
        "Events that were repeated or late and changed nothing")                                                       \
    ROW(METRIC_CLIENT_REQUESTS, "tandem_client_requests_total", COUNTER, ONE, "target,outcome",                        \
        "Calls to another service: answered, throttled (429), failed (5xx), unreachable, timeout, protocol, refused "  \
        "(by the breaker), unsent")                                                                                    \
    ROW(METRIC_CLIENT_RETRIES, "tandem_client_retries_total", COUNTER, ONE, "target",                                  \
        "Tries of such calls after the first")                                                                         \
    ROW(METRIC_BREAKER_STATE, "tandem_breaker_state", GREATEST_GAUGE, ONE, "target",                                   \
        "Of the circuit breaker before another service: 0 closed, 1 half open, 2 open")                                \
    ROW(METRIC_CLIENT_INSTANCES, "tandem_client_instances", GAUGE, ONE, "target,state",                                \
        "Instances of another service, counted by each process: in (it is called), out (it has failed too often in a " \
        "row, and is not called for a while), probation (it is tried again)")                                          \
    ROW(METRIC_DISCOVERY_INSTANCES, "tandem_discovery_instances", LEAST_GAUGE, ONE, "target",                          \
        "Instances of another service that are known, each address of one counted")                                    \
    ROW(METRIC_DISCOVERY_AWAY, "tandem_discovery_away", GREATEST_GAUGE, ONE, "target",                                 \
        "1 while the registry cannot be asked about a service, and what was known last is used")                       \
    ROW(METRIC_DISCOVERY_ANSWERED, "tandem_discovery_last_answer_time_seconds", LEAST_GAUGE, SECONDS, "target",        \
        "When the registry last answered about a service, since 1970, to the process that has waited longest")         \
    ROW(METRIC_DISCOVERY_REGISTERED, "tandem_discovery_registered", LEAST_GAUGE, ONE, "",                              \
        "1 while the registry knows this instance")                                                                    \
    ROW(METRIC_DISCOVERY_FAILURES, "tandem_discovery_failures_total", COUNTER, ONE, "target",                          \
        "Questions to the registry that failed, by the service they were about; without one: signs of life")           \
    ROW(METRIC_AUTH_LOOKUPS, "tandem_auth_lookups_total", COUNTER, ONE, "result",                                      \
        "Bearer tokens looked up: fresh, unknown or stale in the cache, asked (the user service is), joined (a "       \
        "question under way), refused (nobody can be asked)")                                                          \
    ROW(METRIC_AUTH_REVOCATIONS, "tandem_auth_revocations_total", COUNTER, ONE, "",                                    \
        "Events that had tokens forgotten")                                                                            \
    ROW(METRIC_CACHE_LOOKUPS, "tandem_cache_lookups_total", COUNTER, ONE, "cache,result",                              \
        "Looks into a cache in memory: fresh, due (one is to load it anew already), stale, absent, filtered (by the "  \
        "filter of all keys), miss")                                                                                   \
    ROW(METRIC_CACHE_LOADS, "tandem_cache_loads_total", COUNTER, ONE, "cache,outcome",                                 \
        "Loads of what a cache had not: loaded, absent (there is none), failed, refused (too many at once), shared "   \
        "(another process had loaded it), unkept (invalidated meanwhile, again and again)")                            \
    ROW(METRIC_CACHE_EVICTIONS, "tandem_cache_evictions_total", COUNTER, ONE, "cache",                                 \
        "Values that left a cache in memory for lack of room")                                                         \
    ROW(METRIC_CACHE_BYTES, "tandem_cache_bytes", GAUGE, BYTES, "cache", "Size of what a cache has in memory")         \
    ROW(METRIC_CACHE_ENTRIES, "tandem_cache_entries", GAUGE, ONE, "cache", "Values that a cache has in memory")        \
    ROW(METRIC_CACHE_FILTER_KEYS, "tandem_cache_filter_keys", SHARED_GAUGE, ONE, "cache",                              \
        "About how many keys are in a cache's filter, by which others are known to be absent")                         \
    ROW(METRIC_CACHE_FILTER_KEYS_MAX, "tandem_cache_filter_keys_max", SHARED_GAUGE, ONE, "cache",                      \
        "How many keys such a filter has room for; while there are more, it is not used")                              \
    ROW(METRIC_CACHE_FILTER_LISTINGS, "tandem_cache_filter_listings_total", COUNTER, ONE, "cache,outcome",             \
        "Listings of keys for such a filter: new (made since the last), all, full (found to be too many), failed")     \
    ROW(METRIC_CACHE_REMOTE, "tandem_cache_remote_total", COUNTER, ONE, "outcome",                                     \
        "Commands to Redis: answered, failed, refused (by the breaker), redirected (to another node)")                 \
    ROW(METRIC_CACHE_REMOTE_AWAY, "tandem_cache_remote_away", GREATEST_GAUGE, ONE, "",                                 \
        "1 while Redis cannot be reached, and each process has its own memory alone")                                  \
    ROW(METRIC_CACHE_REMOTE_OWED, "tandem_cache_remote_owed", GAUGE, ONE, "",                                          \
        "Invalidations that Redis has yet to be told of")                                                              \
    ROW(METRIC_CACHE_REMOTE_LOST, "tandem_cache_remote_lost_total", COUNTER, ONE, "",                                  \
        "Invalidations that Redis was not told of in time, so that what is there lives out its time")                  \
    ROW(METRIC_SIGN_IN_REFUSED, "tandem_sign_in_refused_total", COUNTER, ONE, "limit",                                 \
        "Attempts to sign in that were refused for their number, by the limit: account or source")                     \
    ROW(METRIC_PAYMENTS, "tandem_payments_total", COUNTER, ONE, "outcome",                                             \
        "Answers of the payment gateway: approved, declined, unknown (it is asked again), refunded, refund-refused "   \
        "(which needs a person); and failed: outcomes that could not be recorded, which are asked for again")          \
    ROW(METRIC_PAYMENTS_DECLINED, "tandem_payments_declined_total", COUNTER, ONE, "reason",                            \
        "Payments declined, by why")                                                                                   \
    ROW(METRIC_PAYMENT_EVENTS, "tandem_payment_events_total", COUNTER, ONE, "result",                                  \
        "Events of the payment gateway: asked (a payment is due at once), settled (nothing was open), ignored, "       \
        "foreign, refused (not signed as it should be), malformed")                                                    \
    ROW(METRIC_ORDER_TRANSITIONS, "tandem_order_transitions_total", SHARED_COUNTER, ONE, "status",                     \
        "Orders that came to this state")                                                                              \
    ROW(METRIC_ORDERS_OPEN, "tandem_orders_open", SHARED_GAUGE, ONE, "status", "Orders that are in this state now")    \
    ROW(METRIC_ORDERS_STUCK, "tandem_orders_stuck", SHARED_GAUGE, ONE, "status",                                       \
        "Orders that have been open for longer than order.stuck_after_s, by the state they are in")                    \
    ROW(METRIC_ORDER_NUDGES, "tandem_order_nudges_total", COUNTER, ONE, "status",                                      \
        "Stuck orders that were helped on, by the state they were in")                                                 \
    ROW(METRIC_ORDER_REVENUE, "tandem_order_revenue_minor_total", SHARED_COUNTER, ONE, "currency",                     \
        "Amounts of orders paid, in the currency's minor unit")                                                        \
    ROW(METRIC_RESERVATIONS_EXPIRED, "tandem_reservations_expired_total", COUNTER, ONE, "",                            \
        "Times that an order was told that its reservation has expired")                                               \
    ROW(METRIC_CONFIG_RELOADS, "tandem_config_reloads_total", COUNTER, ONE, "",                                        \
        "Times the settings were read again, failures included")                                                       \
    ROW(METRIC_CONFIG_RELOAD_FAILURES, "tandem_config_reload_failures_total", COUNTER, ONE, "",                        \
        "Times what was read was wrong, and the old settings stayed")                                                  \
    ROW(METRIC_CONFIG_LAST_RELOAD, "tandem_config_last_reload_success", LEAST_GAUGE, ONE, "",                          \
        "1 when the latest reload succeeded or there was none, 0 when it failed")                                      \
    ROW(METRIC_LOG_LINES, "tandem_log_lines_total", COUNTER, ONE, "", "Log lines written")                             \
    ROW(METRIC_LOG_DROPPED, "tandem_log_lines_dropped_total", COUNTER, ONE, "",                                        \
        "Log lines lost because the sink stalled or failed")                                                           \
    ROW(METRIC_TRACE_SPANS, "tandem_trace_spans_total", COUNTER, ONE, "", "Spans of traces that were kept")            \
    ROW(METRIC_TRACE_EXPORTED, "tandem_trace_exported_spans_total", COUNTER, ONE, "",                                  \
        "Spans that the OTLP receiver took")                                                                           \
    ROW(METRIC_TRACE_DROPPED, "tandem_trace_spans_dropped_total", COUNTER, ONE, "reason",                              \
        "Spans that were lost: queue_full, overflow (of one part), export_full, refused, expired")                     \
    ROW(METRIC_FAULTS, "tandem_faults_total", COUNTER, ONE, "point",                                                   \
        "Faults that happened since the settings ask for them, as tests do")                                           \
    ROW(METRIC_BUILD_INFO, "tandem_build_info", SHARED_GAUGE, ONE, "service,version",                                  \
        "1; the labels tell what is running")                                                                          \
    ROW(METRIC_PROCESSES, "tandem_processes", SHARED_GAUGE, ONE, "", "Processes of the service")                       \
    ROW(METRIC_PROCESS_CPU, "process_cpu_seconds_total", COUNTER, SECONDS, "", "Processor time used")                  \
    ROW(METRIC_PROCESS_MEMORY, "process_resident_memory_bytes", GAUGE, BYTES, "",                                      \
        "Memory resident, what the processes share counted for each")                                                  \
    ROW(METRIC_PROCESS_FDS, "process_open_fds", GAUGE, ONE, "", "File descriptors open")                               \
    ROW(METRIC_PROCESS_MAX_FDS, "process_max_fds", LEAST_GAUGE, ONE, "", "File descriptors that a process may open")   \
    ROW(METRIC_PROCESS_START, "process_start_time_seconds", LEAST_GAUGE, SECONDS, "",                                  \
        "When the oldest process started, since 1970")

#endif
