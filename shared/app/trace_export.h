/*
 * Traces to an OTLP receiver, as the settings have it: what the spans' resource says, the exporter, the log's lines of
 * what fails, and the metrics.
 *
 * Main thread.
 */
#ifndef TANDEM_APP_TRACE_EXPORT_H
#define TANDEM_APP_TRACE_EXPORT_H

#include "base/arena.h"
#include "conf/settings.h"
#include "telemetry/otlp_exporter.h"

/* How long spans that wait may still be sent when the service ends. */
enum { TRACE_EXPORT_CLOSE_MS = 2000 };

/** Who makes the spans of this service: trace.service_name, trace.resource_attributes, and which process this is. All
 *  in arena. ERR_CONFIG for attributes that are not written as key=value, ERR_MEMORY. */
enum err must_check trace_export_resource(const char *service, const struct settings *settings, struct arena *arena,
                                          struct otlp_resource *ret);

/** Whether what trace.otlp_headers_file holds can be sent along, if anything is sent. ERR_CONFIG, ERR_IO,
 *  ERR_FORBIDDEN with a cause. */
enum err must_check trace_export_check_headers(const struct settings *settings);

struct trace_export;

/** Opens the exporter, and has its counters collected as metrics. *ret is NULL when there is no endpoint; whether there
 *  are spans to send is for trace.enabled, which may change. resource must outlive it. ERR_CONFIG, ERR_MEMORY; ERR_IO
 *  and ERR_FORBIDDEN of the headers' file. */
enum err must_check trace_export_open(const struct settings *settings, const struct otlp_resource *resource,
                                      struct trace_export **ret);

/** For otlp_exporter_add(); NULL for NULL. */
struct otlp_exporter *trace_export_exporter(struct trace_export *export);

/** Counts what became of spans since the last time. At each scrape it is done anyhow; other processes are scraped, too,
 *  so every second. Any thread; NULL is fine. */
void trace_export_measure(struct trace_export *export);

/** Sends what waits, for at most TRACE_EXPORT_CLOSE_MS. Nobody may add any more. NULL is fine. */
void trace_export_close(struct trace_export *export);

#endif
