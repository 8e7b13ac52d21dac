#include "config.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/trace_export.h"
#include "base/clock.h"
#include "conf/option.h"
#include "conf/secret_file.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_APP

enum { HEADERS_MAX_BYTES = 64 * 1024, ENDPOINT_SIZE = 2048, ATTRIBUTES_MAX = 64, INSTANCE_SIZE = 128 };

/* Of lines that say that export fails: it may for hours. */
enum { LOG_INTERVAL_S = 60 };

struct trace_export {
    struct otlp_exporter *exporter;
    char endpoint[ENDPOINT_SIZE];
    pthread_mutex_t lock;            /* of what is counted until the next line */
    int64_t logged_ns;               /* 0: never */
    uint64_t failures, spans_lost;
    pthread_mutex_t counting;        /* of what was told so far */
    struct otlp_exporter_stats told;
    struct metric_series exported, refused, expired, queue_full;
};

/* ---- the resource ---- */

static enum err read_attribute(struct text pair, struct arena *arena, struct span_attribute *ret)
{
    struct text value = pair;
    struct text key = text_trim(text_split(&value, '='));
    value = text_trim(value);
    if (!value.at || key.length == 0)
        return err_because(ERR_CONFIG, "trace.resource_attributes: \"%.*s\" is not written as key=value",
                           TEXT_ARGS(pair));
    char *decoded = arena_alloc(arena, value.length + 1);
    const char *name = arena_string(arena, key);
    if (!decoded || !name)
        return err_because(ERR_MEMORY, "no memory for trace.resource_attributes");
    size_t length;
    if (text_percent_decode(value, false, decoded, &length) != ERR_NONE || !text_is_utf8(key))
        return err_because(ERR_CONFIG, "trace.resource_attributes: %.*s is not percent-encoded UTF-8", TEXT_ARGS(key));
    decoded[length] = '\0';
    *ret = (struct span_attribute){.key = name, .type = SPAN_ATTRIBUTE_TEXT, .text = {decoded, length}};
    return ERR_NONE;
}

/* A key that is there has its value replaced. */
static enum err put_attribute(struct span_attribute *attributes, size_t *count, const struct span_attribute *attribute)
{
    size_t at = 0;
    while (at < *count && strcmp(attributes[at].key, attribute->key) != 0)
        at++;
    if (at == ATTRIBUTES_MAX)
        return err_because(ERR_CONFIG, "trace.resource_attributes has more than %d", ATTRIBUTES_MAX);
    attributes[at] = *attribute;
    if (at == *count)
        ++*count;
    return ERR_NONE;
}

/* Those three have places of their own. What the operator says of them wins, but for the name, which has a setting. */
static bool take_own(const struct span_attribute *attribute, const struct settings *settings,
                     struct otlp_resource *resource)
{
    if (strcmp(attribute->key, "service.name") == 0) {
        if (!*settings_text(settings, OPTION_TRACE_SERVICE_NAME) && attribute->text.length > 0)
            resource->service_name = attribute->text.at;
        return true;
    }
    if (strcmp(attribute->key, "service.version") == 0)
        resource->service_version = attribute->text.at;
    else if (strcmp(attribute->key, "service.instance.id") == 0)
        resource->service_instance_id = attribute->text.at;
    else
        return false;
    return true;
}

static enum err read_attributes(const struct settings *settings, struct arena *arena, struct otlp_resource *resource)
{
    struct span_attribute *attributes = arena_calloc(arena, ATTRIBUTES_MAX, sizeof *attributes);
    struct text rest = text_of(settings_text(settings, OPTION_TRACE_RESOURCE_ATTRIBUTES));
    enum err err = attributes ? ERR_NONE : err_because(ERR_MEMORY, "no memory for trace.resource_attributes");
    while (!err && rest.at) {
        struct span_attribute attribute;
        struct text pair = text_trim(text_split(&rest, ','));
        if (pair.length == 0)
            continue;
        err = read_attribute(pair, arena, &attribute);
        if (!err && !take_own(&attribute, settings, resource))
            err = put_attribute(attributes, &resource->attribute_count, &attribute);
    }
    resource->attributes = attributes;
    return err;
}

enum err trace_export_resource(const char *service, const struct settings *settings, struct arena *arena,
                               struct otlp_resource *ret)
{
    char host[INSTANCE_SIZE / 2] = "";
    const char *name = settings_text(settings, OPTION_TRACE_SERVICE_NAME);
    gethostname(host, sizeof host - 1);
    struct otlp_resource resource = {
        .service_name = *name ? arena_string(arena, text_of(name)) : arena_printf(arena, "tandem-%s", service),
        .service_version = PACKAGE_VERSION,
        .service_instance_id = arena_printf(arena, "%s:%ld", host, (long)getpid()),   /* as in the log */
    };
    if (!resource.service_name || !resource.service_instance_id)
        return err_because(ERR_MEMORY, "no memory for what traces say of the service");
    enum err err = read_attributes(settings, arena, &resource);
    if (!err)
        *ret = resource;
    return err;
}

/* ---- what fails ---- */

/* Begun with the first failure, and then once in a while, with what came to pass in between. */
static bool is_time(struct trace_export *export, size_t spans_lost, uint64_t *ret_failures, uint64_t *ret_lost)
{
    int64_t now_ns = clock_now_ns();
    pthread_mutex_lock(&export->lock);
    export->failures++;
    export->spans_lost += spans_lost;
    bool is_time = export->logged_ns == 0 || now_ns - export->logged_ns >= LOG_INTERVAL_S * NS_PER_S;
    if (is_time) {
        *ret_failures = export->failures;
        *ret_lost = export->spans_lost;
        export->logged_ns = now_ns;
        export->failures = export->spans_lost = 0;
    }
    pthread_mutex_unlock(&export->lock);
    return is_time;
}

/* What stands behind a question mark may be a secret. */
static struct text shown_endpoint(const struct trace_export *export)
{
    return (struct text){export->endpoint, strcspn(export->endpoint, "?")};
}

static void on_failure(void *context, enum err err, size_t spans_lost)
{
    struct trace_export *export = context;
    uint64_t failures, lost;
    if (is_time(export, spans_lost, &failures, &lost))
        log_event(LOG_WARNING, "traces are not sent as they should be", LOG_TEXT("endpoint", shown_endpoint(export)),
                  LOG_INT("failures", (int64_t)failures), LOG_INT("spans_lost", (int64_t)lost), LOG_ERR(err));
}

/* What came to pass since the last line, when there is no thread any more. */
static void log_rest(const struct trace_export *export)
{
    if (export->spans_lost > 0)
        log_event(LOG_WARNING, "traces were lost", LOG_TEXT("endpoint", shown_endpoint(export)),
                  LOG_INT("failures", (int64_t)export->failures), LOG_INT("spans_lost", (int64_t)export->spans_lost));
}

/* ---- metrics ---- */

/* What was counted since the last time is added, so that no two who do this at once can take it back. */
void trace_export_measure(struct trace_export *export)
{
    struct otlp_exporter_stats stats;
    if (!export)
        return;
    pthread_mutex_lock(&export->counting);
    otlp_exporter_stats(export->exporter, &stats);
    metric_add(export->exported, (int64_t)(stats.exported - export->told.exported));
    metric_add(export->refused, (int64_t)(stats.dropped_refused - export->told.dropped_refused));
    metric_add(export->expired, (int64_t)(stats.dropped_expired - export->told.dropped_expired));
    metric_add(export->queue_full, (int64_t)(stats.dropped_queue_full - export->told.dropped_queue_full));
    export->told = stats;
    pthread_mutex_unlock(&export->counting);
}

static void collect(void *context)
{
    trace_export_measure(context);
}

/* Also where nothing is sent: a rate of zero is told, and not nothing. */
static void register_series(struct trace_export *export)
{
    export->exported = metric_series(METRIC_TRACE_EXPORTED);
    export->refused = metric_series(METRIC_TRACE_DROPPED, "refused");
    export->expired = metric_series(METRIC_TRACE_DROPPED, "expired");
    export->queue_full = metric_series(METRIC_TRACE_DROPPED, "export_full");
}

/* ---- opening and closing ---- */

/* The whole URL; "" when there is none. The options are shorter than its place. */
static void write_endpoint(const struct settings *settings, char out[static ENDPOINT_SIZE])
{
    const char *whole = settings_text(settings, OPTION_TRACE_OTLP_TRACES_ENDPOINT);
    const char *base = settings_text(settings, OPTION_TRACE_OTLP_ENDPOINT);
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    if (*whole)
        snprintf(out, ENDPOINT_SIZE, "%s", whole);
    else
        snprintf(out, ENDPOINT_SIZE, "%.*s%s", (int)length, base, length > 0 ? "/v1/traces" : "");
}

/* Of the environment; else of the file, which is then in buf. */
static enum err read_headers(const struct settings *settings, struct buf *buf, struct otlp_exporter_opts *opts)
{
    const char *given = settings_text(settings, OPTION_TRACE_OTLP_HEADERS);
    const char *path = settings_text(settings, OPTION_TRACE_OTLP_HEADERS_FILE);
    opts->headers_form = OTLP_HEADERS_LIST;
    opts->headers = *given ? secret_of(text_of(given)) : SECRET_NONE;
    if (*given || !*path)
        return ERR_NONE;
    enum err err = secret_file_read(path, buf);
    opts->headers_form = OTLP_HEADERS_LINES;
    opts->headers = secret_of(buf_text(buf));
    return err;
}

static void erase_headers(struct buf *headers)
{
    if (headers->data)
        sodium_memzero(headers->data, headers->capacity);
    buf_fini(headers);
}

enum err trace_export_check_headers(const struct settings *settings)
{
    struct otlp_exporter_opts opts = {.headers = SECRET_NONE};
    char endpoint[ENDPOINT_SIZE];
    struct buf headers;
    write_endpoint(settings, endpoint);
    if (!*endpoint)
        return ERR_NONE;
    buf_init(&headers, HEADERS_MAX_BYTES);
    enum err err = read_headers(settings, &headers, &opts);
    if (!err)
        err = otlp_exporter_check_headers(opts.headers, opts.headers_form);
    erase_headers(&headers);
    return err;
}

static enum err open_exporter(struct trace_export *export, const struct settings *settings,
                              const struct otlp_resource *resource)
{
    struct otlp_exporter_opts opts = {
        .endpoint = export->endpoint,
        .protocol = strcmp(settings_text(settings, OPTION_TRACE_OTLP_PROTOCOL), "http/json") == 0 ? OTLP_HTTP_JSON
                                                                                                 : OTLP_HTTP_PROTOBUF,
        .gzip = strcmp(settings_text(settings, OPTION_TRACE_OTLP_COMPRESSION), "gzip") == 0,
        .resource = *resource,
        .queue_max_bytes = (size_t)settings_int(settings, OPTION_TRACE_OTLP_QUEUE_MAX_BYTES),
        .batch_max = (unsigned)settings_int(settings, OPTION_TRACE_OTLP_BATCH_MAX),
        .batch_delay_ms = (unsigned)settings_int(settings, OPTION_TRACE_OTLP_BATCH_DELAY_MS),
        .timeout_ms = (unsigned)settings_int(settings, OPTION_TRACE_OTLP_TIMEOUT_MS),
        .retry_max_ms = (unsigned)settings_int(settings, OPTION_TRACE_OTLP_RETRY_MAX_MS),
        .failed = on_failure,
        .context = export,
    };
    struct buf headers;
    buf_init(&headers, HEADERS_MAX_BYTES);
    enum err err = read_headers(settings, &headers, &opts);
    if (!err)
        err = otlp_exporter_open(&opts, &export->exporter);
    erase_headers(&headers);
    return err;
}

enum err trace_export_open(const struct settings *settings, const struct otlp_resource *resource,
                           struct trace_export **ret)
{
    struct trace_export *export = calloc(1, sizeof *export);
    if (!export)
        return err_because(ERR_MEMORY, "no memory to send traces");
    register_series(export);
    write_endpoint(settings, export->endpoint);
    if (!*export->endpoint) {
        free(export);
        *ret = NULL;
        return ERR_NONE;
    }
    pthread_mutex_init(&export->lock, NULL);
    pthread_mutex_init(&export->counting, NULL);
    enum err err = open_exporter(export, settings, resource);
    if (!err)
        err = metric_collect(collect, export);
    if (err) {
        trace_export_close(export);
        return err_because(err, "traces cannot be sent: %s", err_cause());
    }
    *ret = export;
    return ERR_NONE;
}

struct otlp_exporter *trace_export_exporter(struct trace_export *export)
{
    return export ? export->exporter : NULL;
}

void trace_export_close(struct trace_export *export)
{
    if (!export)
        return;
    metric_collect_end(export);
    if (export->exporter)
        trace_export_measure(export);
    otlp_exporter_close(export->exporter, TRACE_EXPORT_CLOSE_MS);
    log_rest(export);
    pthread_mutex_destroy(&export->lock);
    pthread_mutex_destroy(&export->counting);
    free(export);
}
