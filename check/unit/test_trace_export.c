/* Traces to a receiver, from the settings: what the resource says, where spans go, what is logged and counted. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/trace_export.h"
#include "check/harness/otlp_receiver.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/spans.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

enum { OVERRIDES_MAX = 16, FAULTS_BYTES = 16384, LINE_SIZE = 512, PAGE_BYTES = 262144, ARENA_BYTES = 262144,
       PATIENCE_MS = 20000, LOG_CLOSE_MS = 5000 };

static char lines[OVERRIDES_MAX][LINE_SIZE];
static const char *overrides[OVERRIDES_MAX];
static size_t override_count;
static char *environment[2];
static struct settings *settings;
static struct arena arena;
static struct otlp_resource resource;
static struct trace_export *export;
static struct otlp_receiver *receiver;

static void set(const char *path, const char *value)
{
    CU_ASSERT_FATAL(override_count < OVERRIDES_MAX);
    snprintf(lines[override_count], LINE_SIZE, "%s=%s", path, value);
    overrides[override_count] = lines[override_count];
    override_count++;
}

static void load(void)
{
    struct settings_opts opts = {.service = "order", .environment = environment, .overrides = overrides,
                                 .override_count = override_count};
    struct buf faults;
    buf_init(&faults, FAULTS_BYTES);
    enum err err = settings_load(&opts, &faults, &settings);
    if (err)
        printf("# %s\n", buf_string(&faults));
    buf_fini(&faults);
    CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
}

static void begin(void)
{
    override_count = 0;
    environment[0] = NULL;
    export = NULL;
    receiver = otlp_receiver_new();
    arena_init(&arena, ARENA_BYTES);
    CU_ASSERT_EQUAL(metric_open("order", NULL), ERR_NONE);
    set("trace.otlp_endpoint", otlp_receiver_url(receiver));
    set("trace.otlp_batch_delay_ms", "5");
    set("trace.otlp_protocol", "http/json");
}

static enum err open_export(void)
{
    load();
    CU_ASSERT_EQUAL_FATAL(trace_export_resource("order", settings, &arena, &resource), ERR_NONE);
    return trace_export_open(settings, &resource, &export);
}

static void end(void)
{
    trace_export_close(export);
    metric_close();
    arena_fini(&arena);
    settings_unref(settings);
    settings = NULL;
    otlp_receiver_free(receiver);
}

static void add(unsigned number)
{
    struct span span = spans_plain(number);
    CU_ASSERT(otlp_exporter_add(trace_export_exporter(export), &span, 1));
}

static bool page_has(void *context)
{
    struct buf page;
    buf_init(&page, PAGE_BYTES);
    metric_write(METRIC_PROMETHEUS, &page);
    bool has = strstr(buf_string(&page), context) != NULL;
    buf_fini(&page);
    return has;
}

static bool counts(const char *line)
{
    char copy[LINE_SIZE];
    snprintf(copy, sizeof copy, "%s", line);
    return process_until(page_has, copy, PATIENCE_MS);
}

/* ---- the resource ---- */

static const struct span_attribute *attribute(const char *key)
{
    for (size_t i = 0; i < resource.attribute_count; i++) {
        if (strcmp(resource.attributes[i].key, key) == 0)
            return &resource.attributes[i];
    }
    return NULL;
}

static void test_resource(void)
{
    char pid[32];
    begin();
    set("trace.resource_attributes", "deployment.environment.name=prod, team=a%2Cb%3D ,team=c,empty=");
    load();
    CU_ASSERT_EQUAL_FATAL(trace_export_resource("order", settings, &arena, &resource), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(resource.service_name, "tandem-order");
    CU_ASSERT_STRING_EQUAL(resource.service_version, PACKAGE_VERSION);
    snprintf(pid, sizeof pid, ":%ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(resource.service_instance_id, pid));
    CU_ASSERT_EQUAL(resource.attribute_count, 3);
    CU_ASSERT(text_equal_string(attribute("deployment.environment.name")->text, "prod"));
    CU_ASSERT(text_equal_string(attribute("team")->text, "c"));   /* a key is not repeated */
    CU_ASSERT(text_equal_string(attribute("empty")->text, ""));
    end();
}

static void test_own_names(void)
{
    begin();
    set("trace.resource_attributes", "service.name=shop,service.version=9,service.instance.id=me,service.namespace=n");
    load();
    CU_ASSERT_EQUAL_FATAL(trace_export_resource("order", settings, &arena, &resource), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(resource.service_name, "shop");
    CU_ASSERT_STRING_EQUAL(resource.service_version, "9");
    CU_ASSERT_STRING_EQUAL(resource.service_instance_id, "me");
    CU_ASSERT_EQUAL(resource.attribute_count, 1);
    settings_unref(settings);
    set("trace.service_name", "store");
    load();
    CU_ASSERT_EQUAL_FATAL(trace_export_resource("order", settings, &arena, &resource), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(resource.service_name, "store");
    end();
}

static void test_bad_attributes(void)
{
    static const char *const bad[] = {"team", "a=1,team", "=x", "team=%zz", "team=%ff"};
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        settings_unref(settings);
        override_count = 0;
        set("trace.resource_attributes", bad[i]);
        load();
        CU_ASSERT_EQUAL(trace_export_resource("order", settings, &arena, &resource), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "trace.resource_attributes"));
    }
    end();
}

/* ---- whether, where and how ---- */

static void test_nowhere(void)
{
    begin();
    set("trace.otlp_endpoint", "");
    CU_ASSERT_EQUAL(open_export(), ERR_NONE);
    CU_ASSERT_PTR_NULL(export);
    CU_ASSERT_PTR_NULL(trace_export_exporter(export));
    end();
}

/* /v1/traces is added to a base, with one slash between; the other endpoint is used as it is. */
static void test_endpoints(void)
{
    static const struct {
        const char *suffix, *whole, *line;
    } rows[] = {
        {"", "", "POST /v1/traces HTTP/1.1\r\n"},
        {"/", "", "POST /v1/traces HTTP/1.1\r\n"},
        {"/otlp//", "", "POST /otlp/v1/traces HTTP/1.1\r\n"},
        {"", "/traces?x=1", "POST /traces?x=1 HTTP/1.1\r\n"},
        {"", "/", "POST / HTTP/1.1\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[LINE_SIZE];
        begin();
        snprintf(url, sizeof url, "%s%s", otlp_receiver_url(receiver), rows[i].suffix);
        set("trace.otlp_endpoint", url);
        snprintf(url, sizeof url, "%s%s", otlp_receiver_url(receiver), rows[i].whole);
        set("trace.otlp_traces_endpoint", *rows[i].whole ? url : "");
        CU_ASSERT_EQUAL_FATAL(open_export(), ERR_NONE);
        add(1);
        CU_ASSERT_FATAL(otlp_receiver_wait(receiver, 1));
        const struct otlp_request *request = otlp_receiver_request(receiver, 0);
        CU_ASSERT_EQUAL(strncmp(request->head, rows[i].line, strlen(rows[i].line)), 0);
        end();
    }
}

static void write_headers(const char *path, const char *content, mode_t mode)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
    CU_ASSERT_EQUAL_FATAL(chmod(path, mode), 0);
}

static void test_headers(void)
{
    char path[LINE_SIZE / 2], *folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(path, sizeof path, "%s/headers", folder);
    write_headers(path, "authorization=Bearer file\n", 0600);
    begin();
    set("trace.otlp_headers_file", path);
    CU_ASSERT_EQUAL_FATAL(open_export(), ERR_NONE);
    add(1);
    CU_ASSERT_FATAL(otlp_receiver_wait(receiver, 1));
    const struct otlp_request *request = otlp_receiver_request(receiver, 0);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "authorization"), "Bearer file");
    end();

    begin();
    set("trace.otlp_headers_file", path);
    environment[0] = (char[]){"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20environment"};
    CU_ASSERT_EQUAL_FATAL(open_export(), ERR_NONE);
    add(1);
    CU_ASSERT_FATAL(otlp_receiver_wait(receiver, 1));
    request = otlp_receiver_request(receiver, 0);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "authorization"), "Bearer environment");
    end();

    begin();
    write_headers(path, "very-secret\n", 0600);
    set("trace.otlp_headers_file", path);
    CU_ASSERT_EQUAL(open_export(), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(strstr(err_cause(), "secret"));
    end();

    begin();
    set("trace.otlp_headers_file", "/nowhere/headers");
    CU_ASSERT_EQUAL(open_export(), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "/nowhere/headers"));
    end();
    process_remove(folder);
    free(folder);
}

/* ---- what is told ---- */

static void test_metrics(void)
{
    begin();
    set("trace.otlp_retry_max_ms", "0");
    CU_ASSERT_EQUAL_FATAL(open_export(), ERR_NONE);
    CU_ASSERT(counts("\ntandem_trace_exported_spans_total 0\n"));
    add(1);
    CU_ASSERT(counts("\ntandem_trace_exported_spans_total 1\n"));
    otlp_receiver_reply(receiver, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    add(2);
    CU_ASSERT(counts("\ntandem_trace_spans_dropped_total{reason=\"refused\"} 1\n"));
    otlp_receiver_reply(receiver, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    add(3);
    CU_ASSERT(counts("\ntandem_trace_spans_dropped_total{reason=\"expired\"} 1\n"));
    CU_ASSERT(counts("\ntandem_trace_spans_dropped_total{reason=\"export_full\"} 0\n"));
    end();
}

static size_t lines_of(const char *path, const char *part)
{
    char line[LINE_SIZE * 8];
    size_t count = 0;
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, part) != NULL;
    fclose(file);
    return count;
}

/* A receiver that refuses everything for hours does not fill the log. */
static void test_log(void)
{
    char path[LINE_SIZE / 2], url[LINE_SIZE / 2], *folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(path, sizeof path, "%s/log", folder);
    struct log_opts opts = {.service = "order", .instance = "test", .level = LOG_INFO, .format = LOG_JSON,
                            .sink = LOG_TO_FILE, .path = path};
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
    begin();
    environment[0] = (char[]){"OTEL_EXPORTER_OTLP_HEADERS=authorization=very-secret"};
    snprintf(url, sizeof url, "%s/v1/traces?token=1", otlp_receiver_url(receiver));
    set("trace.otlp_traces_endpoint", url);
    CU_ASSERT_EQUAL_FATAL(open_export(), ERR_NONE);
    otlp_receiver_reply(receiver, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 20\r\n\r\n{\"message\":\"who?\"}  ");
    for (unsigned i = 1; i <= 10; i++) {
        add(i);
        CU_ASSERT(otlp_receiver_wait(receiver, i));
    }
    CU_ASSERT(counts("{reason=\"refused\"} 10\n"));
    end();
    log_close(LOG_CLOSE_MS);
    CU_ASSERT_EQUAL(lines_of(path, "traces are not sent as they should be"), 1);
    CU_ASSERT_EQUAL(lines_of(path, "status 401: who?"), 1);
    CU_ASSERT_EQUAL(lines_of(path, "\"spans_lost\":1,"), 1);
    CU_ASSERT_EQUAL(lines_of(path, "traces were lost"), 1);
    CU_ASSERT_EQUAL(lines_of(path, "\"spans_lost\":9}"), 1);
    CU_ASSERT_EQUAL(lines_of(path, "token"), 0);
    CU_ASSERT_EQUAL(lines_of(path, "very-secret"), 0);
    process_remove(folder);
    free(folder);
}

static const struct suite_case cases[] = {
    {"the resource says which service and process it is, and what the operator adds", test_resource},
    {"what the operator says of the service wins", test_own_names},
    {"what is no attribute is refused", test_bad_attributes},
    {"without an endpoint there is no exporter", test_nowhere},
    {"a base gets /v1/traces, a whole URL is used as it is", test_endpoints},
    {"header fields come from the environment, or from a secret file", test_headers},
    {"what becomes of spans is counted", test_metrics},
    {"what fails is logged once in a while, without secrets", test_log},
};

int main(void)
{
    return suite_main("trace_export", cases, sizeof cases / sizeof cases[0]);
}
