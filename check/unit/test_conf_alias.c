/* OpenTelemetry's own variables: which options they set, what they win over, and what is not shown of them. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "conf/option.h"
#include "conf/option_alias.h"
#include "conf/settings.h"

enum { VARIABLES_MAX = 8, PATH_SIZE = 256, FAULTS_BYTES = 16384, PRINT_BYTES = 262144 };

static char file[PATH_SIZE];
static char *folder;
static char *environment[VARIABLES_MAX + 1];
static const char *overrides[1];
static struct settings_opts opts;
static struct settings *settings;
static struct buf faults;

static void write_settings(const char *content)
{
    FILE *to = fopen(file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    fputs(content, to);
    CU_ASSERT_EQUAL_FATAL(fclose(to), 0);
}

static void begin(void)
{
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(file, sizeof file, "%s/tandem.conf", folder);
    write_settings("");
    buf_init(&faults, FAULTS_BYTES);
    settings = NULL;
    opts = (struct settings_opts){.service = "order", .file = file, .environment = environment, .overrides = overrides};
}

static void end(void)
{
    settings_unref(settings);
    buf_fini(&faults);
    process_remove(folder);
    free(folder);
}

/* With these variables, separated by spaces, in that order. */
static enum err load(const char *variables)
{
    char *copy = strdup(variables);
    size_t count = 0;
    struct text rest = text_of(*variables ? copy : NULL);
    while (rest.at) {
        struct text variable = text_split(&rest, ' ');
        copy[variable.at + variable.length - copy] = '\0';
        CU_ASSERT_FATAL(count < VARIABLES_MAX);
        environment[count++] = copy + (variable.at - copy);
    }
    environment[count] = NULL;
    settings_unref(settings);
    settings = NULL;
    buf_reset(&faults, FAULTS_BYTES);
    enum err err = settings_load(&opts, &faults, &settings);
    free(copy);
    return err;
}

static bool is(enum option_id option, const char *expected)
{
    char number[32];
    const char *value = number;
    if (option_table[option].type == OPTION_INTEGER)
        snprintf(number, sizeof number, "%lld", (long long)settings_int(settings, option));
    else
        value = settings_text(settings, option);
    if (strcmp(value, expected) != 0)
        printf("# %s is %s\n", option_table[option].path, value);
    return strcmp(value, expected) == 0;
}

/* ---- what they set ---- */

static void test_each(void)
{
    static const struct {
        const char *variables;
        enum option_id option;
        const char *expected;
    } rows[] = {
        {"ENABLE_TRACING=false", OPTION_TRACE_ENABLED, "off"},
        {"ENABLE_TRACING=true", OPTION_TRACE_ENABLED, "on"},
        {"ENABLE_TRACING=", OPTION_TRACE_ENABLED, "on"},
        {"OTEL_SDK_DISABLED=True", OPTION_TRACE_ENABLED, "off"},
        {"OTEL_SDK_DISABLED=false ENABLE_TRACING=false", OPTION_TRACE_ENABLED, "off"},
        {"OTEL_SDK_DISABLED=true ENABLE_TRACING=true", OPTION_TRACE_ENABLED, "off"},
        {"OTEL_TRACES_SAMPLER=parentbased_traceidratio", OPTION_TRACE_SAMPLER, "parentbased_traceidratio"},
        {"OTEL_TRACES_SAMPLER_ARG=0.25", OPTION_TRACE_RATIO, "0.25"},
        {"OTEL_SERVICE_NAME=shop", OPTION_TRACE_SERVICE_NAME, "shop"},
        {"OTEL_RESOURCE_ATTRIBUTES=a=1,b=2", OPTION_TRACE_RESOURCE_ATTRIBUTES, "a=1,b=2"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1", OPTION_TRACE_OTLP_ENDPOINT, "http://a:1"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://a:1/x", OPTION_TRACE_OTLP_TRACES_ENDPOINT, "http://a:1/x"},
        {"OTEL_TRACES_EXPORTER=otlp", OPTION_TRACE_OTLP_ENDPOINT, "http://localhost:4318"},
        {"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1", OPTION_TRACE_OTLP_ENDPOINT, "http://a:1"},
        {"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1", OPTION_TRACE_OTLP_ENDPOINT, ""},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://a:1/ OTEL_TRACES_EXPORTER=none", OPTION_TRACE_OTLP_TRACES_ENDPOINT,
         ""},
        {"OTEL_EXPORTER_OTLP_PROTOCOL=http/json", OPTION_TRACE_OTLP_PROTOCOL, "http/json"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
         OPTION_TRACE_OTLP_PROTOCOL, "http/json"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION=gzip", OPTION_TRACE_OTLP_COMPRESSION, "gzip"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION=gzip OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=none",
         OPTION_TRACE_OTLP_COMPRESSION, "none"},
        {"OTEL_EXPORTER_OTLP_HEADERS=a=1", OPTION_TRACE_OTLP_HEADERS, "a=1"},
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS=b=2 OTEL_EXPORTER_OTLP_HEADERS=a=1", OPTION_TRACE_OTLP_HEADERS, "b=2"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT=3000", OPTION_TRACE_OTLP_TIMEOUT_MS, "3000"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT=3000 OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=4000", OPTION_TRACE_OTLP_TIMEOUT_MS,
         "4000"},
        {"OTEL_BSP_MAX_QUEUE_SIZE=2048", OPTION_TRACE_OTLP_QUEUE_MAX_BYTES, "2097152"},
        {"OTEL_BSP_MAX_QUEUE_SIZE=1", OPTION_TRACE_OTLP_QUEUE_MAX_BYTES, "65536"},
        {"OTEL_BSP_MAX_QUEUE_SIZE=9000000000000000000", OPTION_TRACE_OTLP_QUEUE_MAX_BYTES, "1073741824"},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=7", OPTION_TRACE_OTLP_BATCH_MAX, "7"},
        {"OTEL_BSP_SCHEDULE_DELAY=77", OPTION_TRACE_OTLP_BATCH_DELAY_MS, "77"},
        {"OTEL_SERVICE_NAMES=shop OTEL_SERVICE=shop", OPTION_TRACE_SERVICE_NAME, ""},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(load(rows[i].variables), ERR_NONE);
        CU_ASSERT(is(rows[i].option, rows[i].expected));
    }
    end();
}

static void test_order(void)
{
    begin();
    write_settings("trace = { service_name = \"of-the-file\"; otlp_endpoint = \"http://file:1\"; };\n"
                   "service = { order = { trace = { otlp_timeout_ms = 5000; }; }; };\n");
    CU_ASSERT_EQUAL_FATAL(load(""), ERR_NONE);
    CU_ASSERT(is(OPTION_TRACE_SERVICE_NAME, "of-the-file"));
    CU_ASSERT_EQUAL_FATAL(load("OTEL_SERVICE_NAME=alias OTEL_EXPORTER_OTLP_TIMEOUT=6000"), ERR_NONE);
    CU_ASSERT(is(OPTION_TRACE_SERVICE_NAME, "alias"));
    CU_ASSERT(is(OPTION_TRACE_OTLP_TIMEOUT_MS, "6000"));
    CU_ASSERT_EQUAL_FATAL(load("TANDEM_TRACE_SERVICE_NAME=ours OTEL_SERVICE_NAME=alias"), ERR_NONE);
    CU_ASSERT(is(OPTION_TRACE_SERVICE_NAME, "ours"));
    overrides[0] = "trace.service_name=argument";
    opts.override_count = 1;
    CU_ASSERT_EQUAL_FATAL(load("TANDEM_TRACE_SERVICE_NAME=ours OTEL_SERVICE_NAME=alias"), ERR_NONE);
    CU_ASSERT(is(OPTION_TRACE_SERVICE_NAME, "argument"));
    CU_ASSERT_EQUAL_FATAL(load("OTEL_TRACES_EXPORTER=otlp"), ERR_NONE);
    CU_ASSERT(is(OPTION_TRACE_OTLP_ENDPOINT, "http://file:1"));
    CU_ASSERT_EQUAL_FATAL(load("OTEL_TRACES_EXPORTER=none"), ERR_NONE);
    CU_ASSERT(is(OPTION_TRACE_OTLP_ENDPOINT, ""));
    end();
}

/* ---- what is wrong ---- */

static void test_faults(void)
{
    static const struct {
        const char *variables, *fault;
    } rows[] = {
        {"ENABLE_TRACING=yes", "ENABLE_TRACING: it is \"yes\", not one of true|false\n"},
        {"OTEL_TRACES_EXPORTER=zipkin", "OTEL_TRACES_EXPORTER: it is \"zipkin\", not one of otlp|none\n"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
         "OTEL_EXPORTER_OTLP_PROTOCOL: trace.otlp_protocol is \"grpc\", not one of http/protobuf|http/json\n"},
        {"OTEL_TRACES_SAMPLER=jaeger_remote", "OTEL_TRACES_SAMPLER: trace.sampler is \"jaeger_remote\""},
        {"OTEL_BSP_MAX_QUEUE_SIZE=many", "OTEL_BSP_MAX_QUEUE_SIZE: it is \"many\", not a positive integer\n"},
        {"OTEL_BSP_MAX_QUEUE_SIZE=0", "OTEL_BSP_MAX_QUEUE_SIZE: it is \"0\", not a positive integer\n"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_TIMEOUT: trace.otlp_timeout_ms is \"10s\""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318", "OTEL_EXPORTER_OTLP_ENDPOINT: trace.otlp_endpoint: "},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "},
        {"OTEL_EXPORTER_OTLP_HEADERS=very-secret", "OTEL_EXPORTER_OTLP_HEADERS: trace.otlp_headers: header 1 "},
        {"TANDEM_TRACE_OTLP_HEADERS=a=1,Host=very-secret", "TANDEM_TRACE_OTLP_HEADERS: trace.otlp_headers: header 2 "},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(load(rows[i].variables), ERR_CONFIG);
        if (!strstr(buf_string(&faults), rows[i].fault))
            printf("# %s\n", buf_string(&faults));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), rows[i].fault));
        CU_ASSERT_PTR_NULL(strstr(buf_string(&faults), "secret\n"));
        CU_ASSERT_PTR_NULL(strstr(buf_string(&faults), "very-secret"));
    }
    end();
}

/* ---- what is shown ---- */

static bool prints(const char *line)
{
    struct buf out;
    buf_init(&out, PRINT_BYTES);
    settings_print(settings, &out);
    bool found = strstr(buf_string(&out), line) != NULL;
    buf_fini(&out);
    return found;
}

static void test_origin(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(load("OTEL_SERVICE_NAME=shop ENABLE_TRACING=false OTEL_TRACES_EXPORTER=otlp"), ERR_NONE);
    CU_ASSERT(prints("service_name = \"shop\";    # environment OTEL_SERVICE_NAME\n"));
    CU_ASSERT(prints("enabled = \"off\";    # environment ENABLE_TRACING\n"));
    CU_ASSERT(prints("otlp_endpoint = \"http://localhost:4318\";    # environment OTEL_TRACES_EXPORTER\n"));
    CU_ASSERT(prints("otlp_headers = \"\";    # default\n"));
    end();
}

static void test_hidden(void)
{
    char digest[65];
    begin();
    CU_ASSERT_EQUAL_FATAL(load("OTEL_EXPORTER_OTLP_HEADERS=authorization=very-secret"), ERR_NONE);
    CU_ASSERT(prints("    # otlp_headers = \"(hidden)\";    # environment OTEL_EXPORTER_OTLP_HEADERS\n"));
    CU_ASSERT(!prints("very-secret"));
    snprintf(digest, sizeof digest, "%s", settings_digest(settings));
    CU_ASSERT_EQUAL_FATAL(load("OTEL_EXPORTER_OTLP_HEADERS=authorization=another"), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_digest(settings), digest);   /* nothing of it can be guessed from there */
    overrides[0] = "trace.otlp_headers=a=very-secret";
    opts.override_count = 1;
    CU_ASSERT_EQUAL(load(""), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "--set: trace.otlp_headers is a secret"));
    CU_ASSERT_PTR_NULL(strstr(buf_string(&faults), "very-secret"));
    opts.override_count = 0;
    write_settings("trace = { otlp_headers = \"a=very-secret\"; };\n");
    CU_ASSERT_EQUAL(load(""), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "is a secret, and is taken from the environment only"));
    CU_ASSERT_PTR_NULL(strstr(buf_string(&faults), "very-secret"));
    end();
}

static const struct suite_case cases[] = {
    {"each variable sets its option", test_each},
    {"they win over files, and ours and the command line over them", test_order},
    {"what is wrong is told by the variable's own name", test_faults},
    {"printing tells the variable", test_origin},
    {"what is secret itself is never shown", test_hidden},
};

int main(void)
{
    return suite_main("conf_alias", cases, sizeof cases / sizeof cases[0]);
}
