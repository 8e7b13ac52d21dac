/*
 * Every metric there is. A row: its enumerator, its name as scraped, its type, the unit of its values, the names of its
 * labels, and what it tells. check/tree holds that each is documented.
 */
#ifndef TANDEM_TELEMETRY_METRIC_TABLE_H
#define TANDEM_TELEMETRY_METRIC_TABLE_H

#define METRIC_TABLE(ROW)                                                                                              \
    ROW(METRIC_HTTP_REQUESTS, "http_requests_total", COUNTER, ONE, "method,route,status_code",                         \
        "Requests answered")                                                                                           \
    ROW(METRIC_HTTP_DURATION, "http_request_duration_seconds", HISTOGRAM, SECONDS, "method,route,status_code",         \
        "From a request being whole to its response being handed to the transport")                                    \
    ROW(METRIC_HTTP_IN_FLIGHT, "http_requests_in_flight", GAUGE, ONE, "", "Requests being worked on")                  \
    ROW(METRIC_HTTP_SHED, "http_requests_shed_total", COUNTER, ONE, "",                                                \
        "Requests refused early, for lack of capacity")                                                                \
    ROW(METRIC_SERVER_ACCEPTED, "tandem_server_connections_accepted_total", COUNTER, ONE, "",                          \
        "Connections accepted from the web server")                                                                    \
    ROW(METRIC_SERVER_OPEN, "tandem_server_connections_open", GAUGE, ONE, "", "Connections open")                      \
    ROW(METRIC_SERVER_REQUESTS, "tandem_server_requests_total", COUNTER, ONE, "", "Requests dispatched")               \
    ROW(METRIC_SERVER_PROTOCOL_ERRORS, "tandem_server_protocol_errors_total", COUNTER, ONE, "",                        \
        "Connections closed because the other side broke FastCGI")                                                     \
    ROW(METRIC_SERVER_TIMEOUTS, "tandem_server_timeouts_total", COUNTER, ONE, "",                                      \
        "Requests and responses that ran out of time on the way")                                                      \
    ROW(METRIC_SERVER_REFUSED_TOO_LARGE, "tandem_server_refused_too_large_total", COUNTER, ONE, "",                    \
        "Requests whose parameters or body were over a limit")                                                         \
    ROW(METRIC_SERVER_ABORTED, "tandem_server_aborted_total", COUNTER, ONE, "", "Requests the front gave up")          \
    ROW(METRIC_SERVER_ACCEPT_FAILURES, "tandem_server_accept_failures_total", COUNTER, ONE, "",                        \
        "Failures to accept, such as for lack of descriptors")                                                         \
    ROW(METRIC_POOL_QUEUED, "tandem_pool_queued", GAUGE, ONE, "", "Tasks that wait for a worker")                      \
    ROW(METRIC_DB_JOBS, "tandem_db_jobs_total", COUNTER, ONE, "", "Changes run by the database's writer")              \
    ROW(METRIC_DB_JOBS_FAILED, "tandem_db_jobs_failed_total", COUNTER, ONE, "", "Changes that were undone")            \
    ROW(METRIC_DB_BATCHES, "tandem_db_batches_total", COUNTER, ONE, "", "Transactions committed")                      \
    ROW(METRIC_DB_COMMIT_FAILURES, "tandem_db_commit_failures_total", COUNTER, ONE, "", "Commits that failed")         \
    ROW(METRIC_DB_BUSY, "tandem_db_busy_total", COUNTER, ONE, "", "Waits for another process's transaction")           \
    ROW(METRIC_DB_COMMIT, "tandem_db_commit_seconds_total", COUNTER, SECONDS, "", "Time spent in commits")             \
    ROW(METRIC_DB_WAL, "tandem_db_wal_bytes", GAUGE, BYTES, "", "Size of the write-ahead log")                         \
    ROW(METRIC_DB_QUEUED, "tandem_db_queued", GAUGE, ONE, "", "Changes that wait for the writer")                      \
    ROW(METRIC_OUTBOX_WAITING, "tandem_outbox_waiting", GAUGE, ONE, "", "Events that wait to be published")            \
    ROW(METRIC_OUTBOX_AGE, "tandem_outbox_oldest_age_seconds", GAUGE, SECONDS, "",                                     \
        "Age of the oldest event that waits to be published")                                                          \
    ROW(METRIC_CONSUMER_HANDLED, "tandem_consumer_handled_total", COUNTER, ONE, "", "Events applied")                  \
    ROW(METRIC_CONSUMER_REPEATED, "tandem_consumer_repeated_total", COUNTER, ONE, "",                                  \
        "Events that were delivered again and had no second effect")                                                   \
    ROW(METRIC_CONSUMER_RETRIED, "tandem_consumer_retried_total", COUNTER, ONE, "",                                    \
        "Handlings that failed and were tried again")                                                                  \
    ROW(METRIC_CONSUMER_DEAD, "tandem_consumer_dead_total", COUNTER, ONE, "", "Events set aside as dead letters")      \
    ROW(METRIC_CONSUMER_LAG, "tandem_consumer_lag", GAUGE, ONE, "", "Events yet to be acknowledged")                   \
    ROW(METRIC_EVENTS_IGNORED, "tandem_events_ignored_total", COUNTER, ONE, "type",                                    \
        "Events that were repeated or late and changed nothing")                                                       \
    ROW(METRIC_PAYMENTS, "tandem_payments_total", COUNTER, ONE, "outcome",                                             \
        "Answers of the payment gateway, and outcomes that could not be recorded")                                     \
    ROW(METRIC_CONFIG_RELOADS, "tandem_config_reloads_total", COUNTER, ONE, "",                                        \
        "Times the settings were read again, failures included")                                                       \
    ROW(METRIC_CONFIG_RELOAD_FAILURES, "tandem_config_reload_failures_total", COUNTER, ONE, "",                        \
        "Times what was read was wrong, and the old settings stayed")                                                  \
    ROW(METRIC_CONFIG_LAST_RELOAD, "tandem_config_last_reload_success", GAUGE, ONE, "",                                \
        "1 when the latest reload succeeded or there was none, 0 when it failed")                                      \
    ROW(METRIC_LOG_LINES, "tandem_log_lines_total", COUNTER, ONE, "", "Log lines written")                             \
    ROW(METRIC_LOG_DROPPED, "tandem_log_lines_dropped_total", COUNTER, ONE, "",                                        \
        "Log lines lost because the sink stalled or failed")                                                           \
    ROW(METRIC_FAULTS, "tandem_faults_total", COUNTER, ONE, "point", "Faults on demand that happened")                 \
    ROW(METRIC_BUILD_INFO, "tandem_build_info", GAUGE, ONE, "service,version", "1; the labels tell what is running")   \
    ROW(METRIC_PROCESS_CPU, "process_cpu_seconds_total", COUNTER, SECONDS, "", "Processor time used")                  \
    ROW(METRIC_PROCESS_MEMORY, "process_resident_memory_bytes", GAUGE, BYTES, "", "Memory resident")                   \
    ROW(METRIC_PROCESS_FDS, "process_open_fds", GAUGE, ONE, "", "File descriptors open")                               \
    ROW(METRIC_PROCESS_START, "process_start_time_seconds", GAUGE, SECONDS, "", "When the process started, since 1970")

#endif
