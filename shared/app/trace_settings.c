#include "config.h"

#include <stdio.h>
#include <string.h>

#include "app/service.h"
#include "app/trace_export.h"
#include "app/trace_settings.h"
#include "telemetry/log.h"
#include "telemetry/trace_recorder.h"
#include "telemetry/trace_sampler.h"

#define LOG_MODULE LOG_MODULE_APP

enum { CLOSE_MS = 2000, MEMORY_PATH_SIZE = 4352, KIB = 1024, RESOURCE_MAX_BYTES = 64 * 1024 };

/* There is one recorder in a process. */
static struct {
    struct arena arena;            /* of what the resource says */
    struct otlp_resource resource;
    struct trace_export *export;   /* NULL: nothing is sent */
} tracing;

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

void trace_settings_measure(void)
{
    trace_export_measure(tracing.export);
}

/* ---- the part ---- */

#define TEXT_ATTRIBUTE(name, value) \
    (struct span_attribute){.key = (name), .type = SPAN_ATTRIBUTE_TEXT, .text = text_of(value)}

static void name_spans(struct service *service)
{
    struct service_trace *trace = &service->trace;
    trace->query[0] = trace->transaction[0] = TEXT_ATTRIBUTE("db.system.name", db_system_name(service->db));
    trace->query[1] = trace->transaction[1] = TEXT_ATTRIBUTE("db.namespace", service->definition->name);
    trace->query[2] = TEXT_ATTRIBUTE("db.operation.name", "query");
    trace->transaction[2] = TEXT_ATTRIBUTE("db.operation.name", "transaction");
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

static enum err start_recorder(const struct settings *settings)
{
    char path[MEMORY_PATH_SIZE];
    const char *database = settings_text(settings, OPTION_DB_PATH);
    snprintf(path, sizeof path, "%s-trace", database);
    struct trace_opts opts = {
        .resource = tracing.resource,
        .exporter = trace_export_exporter(tracing.export),
        .memory_path = *database ? path : NULL,
        .memory_bytes = (size_t)settings_int(settings, OPTION_TRACE_MEMORY_KIB) * KIB,
        .queue_max_bytes = (size_t)settings_int(settings, OPTION_TRACE_QUEUE_MAX_BYTES),
    };
    return open_recorder(&opts);
}

enum err trace_settings_start(struct service *service)
{
    const struct settings *settings = service->settings;
    arena_init(&tracing.arena, RESOURCE_MAX_BYTES);
    name_spans(service);
    enum err err =
        trace_export_resource(service->definition->name, settings, &tracing.arena, &tracing.resource);
    if (!err)
        err = trace_export_open(settings, &tracing.resource, &tracing.export);
    if (!err)
        err = start_recorder(settings);
    if (!err) {
        trace_settings_apply(settings);
        return ERR_NONE;
    }
    trace_export_close(tracing.export);
    tracing.export = NULL;
    arena_fini(&tracing.arena);
    return err;
}

/* The recorder still hands to the exporter. */
void trace_settings_stop(struct service *service)
{
    (void)service;
    trace_sampling_set(&(struct trace_sampling){.enabled = false});
    trace_close(CLOSE_MS);
    trace_export_close(tracing.export);
    tracing.export = NULL;
    arena_fini(&tracing.arena);
}
