#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/service.h"
#include "app/trace_settings.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "telemetry/trace_recorder.h"
#include "telemetry/trace_sampler.h"

#define LOG_MODULE LOG_MODULE_APP

enum { CLOSE_MS = 2000, NAME_SIZE = 64, INSTANCE_SIZE = 128, MEMORY_PATH_SIZE = 4352, KIB = 1024 };

/* There is one recorder in a process, and this is who it is. */
static char service_name[NAME_SIZE], instance[INSTANCE_SIZE];

void trace_settings_apply(const struct settings *settings)
{
    struct trace_sampling sampling = {
        .enabled = strcmp(settings_text(settings, OPTION_TRACE_ENABLED), "on") == 0,
        .slow_ms = (unsigned)settings_int(settings, OPTION_TRACE_SLOW_MS),
        .sampler = TRACE_PARENT_ALWAYS_ON,
        .ratio = 1,
    };
    /* The table and settings_check() have let no other value through. */
    (void)!trace_sampler_of(text_of(settings_text(settings, OPTION_TRACE_SAMPLER)), &sampling.sampler);
    (void)!trace_ratio_of(text_of(settings_text(settings, OPTION_TRACE_RATIO)), &sampling.ratio);
    trace_sampling_set(&sampling);
}

/* ---- metrics ---- */

static void set_dropped(const char *reason, uint64_t count)
{
    metric_set(metric_series(METRIC_TRACE_DROPPED, reason), (int64_t)count);
}

static void collect(void *context)
{
    struct trace_stats stats;
    (void)context;
    trace_stats(&stats);
    metric_set(metric_series_of(METRIC_TRACE_SPANS, NULL, 0), (int64_t)stats.kept);
    set_dropped("queue_full", stats.dropped_queue_full);
    set_dropped("overflow", stats.dropped_overflow);
    set_dropped("export_full", stats.exporter.dropped_queue_full);
    set_dropped("refused", stats.exporter.dropped_refused);
    set_dropped("expired", stats.exporter.dropped_expired);
}

/* ---- the part ---- */

#define TEXT_ATTRIBUTE(name, value) \
    (struct span_attribute){.key = (name), .type = SPAN_ATTRIBUTE_TEXT, .text = text_of(value)}

static void name_spans(struct service *service)
{
    struct service_trace *trace = &service->trace;
    trace->query[0] = trace->transaction[0] = TEXT_ATTRIBUTE("db.system.name", "sqlite");
    trace->query[1] = trace->transaction[1] = TEXT_ATTRIBUTE("db.namespace", service->definition->name);
    trace->query[2] = TEXT_ATTRIBUTE("db.operation.name", "query");
    trace->transaction[2] = TEXT_ATTRIBUTE("db.operation.name", "transaction");
}

static void name_process(const struct service *service, struct otlp_resource *ret)
{
    char host[INSTANCE_SIZE / 2] = "";
    gethostname(host, sizeof host - 1);
    snprintf(service_name, sizeof service_name, "tandem-%s", service->definition->name);
    snprintf(instance, sizeof instance, "%s:%ld", host, (long)getpid());
    *ret = (struct otlp_resource){
        .service_name = service_name,
        .service_version = PACKAGE_VERSION,
        .service_instance_id = instance,
    };
}

static enum err open_recorder(struct trace_opts *opts)
{
    enum err err = trace_open(opts);
    if (err != ERR_IO && err != ERR_STORAGE_FULL)
        return err;
    log_event(LOG_WARNING, "recent traces are not kept", LOG_ERR(err));
    opts->memory_path = NULL;
    return trace_open(opts);
}

enum err trace_settings_start(struct service *service)
{
    const struct settings *settings = service->settings;
    char path[MEMORY_PATH_SIZE];
    snprintf(path, sizeof path, "%s-trace", settings_text(settings, OPTION_DB_PATH));
    struct trace_opts opts = {
        .exporter = NULL,          /* the exporter of the settings, when there is one, is opened here */
        .memory_path = path,
        .memory_bytes = (size_t)settings_int(settings, OPTION_TRACE_MEMORY_KIB) * KIB,
        .queue_max_bytes = (size_t)settings_int(settings, OPTION_TRACE_QUEUE_MAX_BYTES),
    };
    name_process(service, &opts.resource);
    name_spans(service);
    enum err err = open_recorder(&opts);
    if (err)
        return err;
    err = metric_collect(collect, service_name);
    if (err)
        trace_close(0);
    else
        trace_settings_apply(settings);
    return err;
}

/* The exporter, when there is one, is closed after the recorder, which still hands to it. */
void trace_settings_stop(struct service *service)
{
    (void)service;
    metric_collect_end(service_name);
    trace_sampling_set(&(struct trace_sampling){.enabled = false});
    trace_close(CLOSE_MS);
}
