/* tandemctl trace: the waterfall of an order over all services, with four processes of each. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { WORKERS = 4, PATIENCE_MS = 20000, PATH_SIZE = 512, OUTPUT_MAX = 256 * 1024, TAKES = 2 * SYSTEM_SERVICES };

/* A run of tandemctl: what it is called with, and what it said. */
struct run {
    const char *arguments[8];
    char out[OUTPUT_MAX];
    bool is_well;
};

static void run(struct run *run)
{
    char program[PATH_SIZE], log[PATH_SIZE], sockets[SYSTEM_SERVICES][PATH_SIZE];
    const char *argv[16 + TAKES];
    size_t count = 0;
    const char *build = getenv("TANDEM_BUILDDIR");
    snprintf(program, sizeof program, "%s/tandemctl", build ? build : ".");
    snprintf(log, sizeof log, "%s/tandemctl.log", system_folder(variant_system()));
    argv[count++] = program;
    for (size_t i = 0; i < sizeof run->arguments / sizeof run->arguments[0] && run->arguments[i]; i++)
        argv[count++] = run->arguments[i];
    for (enum system_service service = 0; service < SYSTEM_SERVICES; service++) {
        snprintf(sockets[service], sizeof sockets[service], "%s=unix:%s", system_service_name(service),
                 system_socket(variant_system(), service));
        argv[count++] = "--socket";
        argv[count++] = sockets[service];
    }
    argv[count] = NULL;
    unlink(log);
    run->is_well = process_run(argv, log) == ERR_NONE;
    FILE *stream = fopen(log, "re");
    size_t length = stream ? fread(run->out, 1, sizeof run->out - 1, stream) : 0;
    run->out[length] = '\0';
    if (stream)
        fclose(stream);
}

/* The line that has both; absent (NULL) when none does. */
static const char *line_with(const char *out, const char *first, const char *second)
{
    static char line[1024];
    for (const char *at = out; *at;) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        if (strstr(line, first) && strstr(line, second))
            return line;
        at += length + (at[length] == '\n');
    }
    return NULL;
}

static struct run show;

static const char *const lines[][2] = {
    {"order", "POST /v1/orders 201"},
    {"order", "task"},
    {"order", "POST /v1/sessions/introspect 200"},
    {"user", "POST /v1/sessions/introspect 200"},
    {"order", "transaction"},
    {"order", "produce order.placed.v1"},
    {"order", "publish order.placed.v1"},
    {"inventory", "consume order.placed.v1"},
    {"inventory", "produce stock.reserved.v1"},
    {"order", "consume stock.reserved.v1"},
    {"order", "payment"},
    {"order", "charge approved"},
    {"order", "produce order.paid.v1"},
    {"order", "publish order.paid.v1"},
    {"inventory", "consume order.paid.v1"},
    {"trace ", "of 3 services"},
};

/* What happens for an order is told of by whichever process did it, a moment later. */
static bool is_whole(void *context)
{
    (void)context;
    run(&show);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!line_with(show.out, lines[i][0], lines[i][1]))
            return false;
    return show.is_well;
}

static void expect_whole(void)
{
    char said[256] = "";
    if (process_until(is_whole, NULL, PATIENCE_MS))
        return;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!line_with(show.out, lines[i][0], lines[i][1]))
            snprintf(said, sizeof said, "no line with \"%s\" and \"%s\"", lines[i][0], lines[i][1]);
    CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_TRUE);
}

static void place(const char *method, char out[static STEP_ID_SIZE], char request[static 64])
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE];
    step_item(5, sku);
    struct http_answer *order = step_order(client, sku, 1, method);
    EXPECT_STATUS(order, 201);
    snprintf(out, STEP_ID_SIZE, "%s", http_json_text(order, "/id"));
    snprintf(request, 64, "%s", http_answer_header(order, "X-Request-Id"));
}

static void expect_waterfall(void)
{
    expect_whole();
    CU_ASSERT_PTR_NOT_NULL(line_with(show.out, "waited ", " ms"));
    CU_ASSERT_PTR_NULL(strchr(show.out, '\033'));
}

static void test_order(void)
{
    char id[STEP_ID_SIZE], request[64], trace_id[64];
    place(NULL, id, request);
    show = (struct run){.arguments = {"trace", "show", id}};
    expect_waterfall();
    const char *waited = strstr(show.out, "waited "), *consumed = strstr(show.out, "consume order.placed.v1");
    CU_ASSERT(waited && consumed && waited < consumed);

    snprintf(trace_id, sizeof trace_id, "%.32s", strstr(show.out, "trace ") + strlen("trace "));
    show = (struct run){.arguments = {"trace", "show", trace_id}};
    expect_waterfall();
    show = (struct run){.arguments = {"trace", "show", request}};
    expect_waterfall();
    CU_ASSERT_PTR_NOT_NULL(strstr(show.out, trace_id));
}

static bool has_failed_charge(void *context)
{
    (void)context;
    run(&show);
    return show.is_well && line_with(show.out, "charge", "! unknown") &&
           line_with(show.out, "charge approved", "(attempt 2)");
}

static void test_error(void)
{
    char id[STEP_ID_SIZE], request[64];
    place("sandbox_timeout_once", id, request);
    show = (struct run){.arguments = {"trace", "show", id}};
    CU_ASSERT_TRUE_FATAL(process_until(has_failed_charge, NULL, PATIENCE_MS));
    CU_ASSERT_PTR_NOT_NULL(line_with(show.out, "trace ", "1 in error"));
}

static void test_list(void)
{
    char id[STEP_ID_SIZE], request[64], trace_id[64];
    place(NULL, id, request);
    show = (struct run){.arguments = {"trace", "show", id}};
    expect_whole();
    snprintf(trace_id, sizeof trace_id, "%.32s", strstr(show.out, "trace ") + strlen("trace "));
    show = (struct run){.arguments = {"trace", "list"}};
    run(&show);
    CU_ASSERT_TRUE(show.is_well);
    CU_ASSERT_PTR_NOT_NULL(line_with(show.out, trace_id, "POST /v1/orders"));
    CU_ASSERT_PTR_NOT_NULL(line_with(show.out, trace_id, "user, inventory, order"));
    show = (struct run){.arguments = {"trace", "list", "--service", "inventory", "--limit", "200"}};
    run(&show);
    CU_ASSERT_PTR_NOT_NULL(line_with(show.out, trace_id, "consume order.placed.v1"));
    CU_ASSERT_PTR_NULL(line_with(show.out, "user, ", ""));
}

static void test_unknown(void)
{
    show = (struct run){.arguments = {"trace", "show", "0190a000-0000-7000-8000-000000000001"}};
    run(&show);
    CU_ASSERT_FALSE(show.is_well);
    CU_ASSERT_PTR_NOT_NULL(strstr(show.out, "no service has kept a trace"));
}

static const struct suite_case cases[] = {
    {"a paid order's waterfall has all services, and the waits between them", test_order},
    {"an error is marked", test_error},
    {"the list has a trace once, with all its services", test_list},
    {"what is not there is told so", test_unknown},
};

int main(void)
{
    return variants_main_supervised("trace show", cases, sizeof cases / sizeof cases[0], NULL, WORKERS);
}
