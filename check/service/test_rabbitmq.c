/* The whole system with its events over RabbitMQ, a private one: orders are paid, sign-outs are heard of, and a broker
 * that is killed holds up events and nothing else. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/broker.h"
#include "check/harness/process.h"
#include "check/harness/rabbitmq.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { PIECES = 100, PATIENCE_MS = 30000, STALL_MAX_S = 10, LINE_SIZE = 512 };

static int64_t started_ns;         /* the broker */

static void order(struct http_client *client, const char *sku, char ret_id[static STEP_ID_SIZE])
{
    struct http_answer *answer = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(answer, 201);
    snprintf(ret_id, STEP_ID_SIZE, "%s", http_json_text(answer, "/id"));
}

static void test_paid(void)
{
    struct http_client *client = variant_customer();
    char sku[STEP_ID_SIZE], ids[10][STEP_ID_SIZE];
    step_item(PIECES, sku);
    for (int i = 0; i < 10; i++)
        order(client, sku, ids[i]);
    for (int i = 0; i < 10; i++)
        step_await(client, ids[i], "paid");
    step_await_stock(sku, PIECES - 10, 0);
}

static bool is_signed_out(void *context)
{
    return http_get(context, "/v1/orders")->status == 401;
}

static void test_sign_out(void)
{
    struct http_client *client = variant_new_customer();
    EXPECT_STATUS(http_get(client, "/v1/orders"), 200);
    int64_t start_ns = clock_now_ns();
    EXPECT_STATUS(http_send_nothing(client, "DELETE", "/v1/sessions/current"), 204);
    CU_ASSERT(process_until(is_signed_out, client, PATIENCE_MS));
    CU_ASSERT(clock_now_ns() - start_ns < STALL_MAX_S * NS_PER_S);   /* that is, not by the cache's time alone */
}

/* The system's settings with this bus, which its services have from their command lines. */
static void write_settings(const char *path)
{
    char line[LINE_SIZE], from[LINE_SIZE];
    snprintf(from, sizeof from, "%s/tandem.conf", system_folder(variant_system()));
    FILE *in = fopen(from, "re"), *out = fopen(path, "we");
    CU_ASSERT_FATAL(in && out);
    while (fgets(line, sizeof line, in)) {
        if (strncmp(line, "bus = ", strlen("bus = ")) == 0)
            fprintf(out, "bus = { url = \"amqp://guest@127.0.0.1:%u\"; };\n", rabbitmq_port(0));
        else
            fputs(line, out);
    }
    fclose(in);
    fclose(out);
}

/* What tandemctl events WORD says, with an exit status of 0 or not. */
static void expect_said(const char *word, bool is_well, const char *part)
{
    static char said[64 * 1024];
    char program[LINE_SIZE], path[LINE_SIZE], log[LINE_SIZE];
    const char *folder = getenv("TANDEM_BUILDDIR");
    snprintf(program, sizeof program, "%s/tandemctl", folder ? folder : ".");
    snprintf(path, sizeof path, "%s/operator.conf", system_folder(variant_system()));
    snprintf(log, sizeof log, "%s/operator.log", system_folder(variant_system()));
    write_settings(path);
    remove(log);
    const char *const argv[] = {program, "events", word, "--config", path, NULL};
    CU_ASSERT_EQUAL(process_run(argv, log) == ERR_NONE, is_well);
    FILE *file = fopen(log, "re");
    size_t length = file ? fread(said, 1, sizeof said - 1, file) : 0;
    said[length] = '\0';
    if (file)
        fclose(file);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, part));
    if (!strstr(said, part))
        printf("# \"%s\" has no \"%s\"\n", said, part);
}

static void test_operator(void)
{
    expect_said("lag", true, "inventory");
    expect_said("list", false, "use the broker's own tools");
}

static bool has_settled(void *context)
{
    (void)context;
    return clock_now_ns() - started_ns > broker_rabbitmq.settle_ms * NS_PER_MS;
}

static bool is_degraded(void *context)
{
    struct http_answer *answer = http_get(context, "/order/healthz");
    return answer->status == 200 && strstr(answer->body, "degraded");
}

static void test_broker_killed(void)
{
    struct http_client *client = variant_customer(), *anonymous = variant_anonymous();
    char sku[STEP_ID_SIZE], before[STEP_ID_SIZE], meanwhile[STEP_ID_SIZE];
    step_item(PIECES, sku);
    CU_ASSERT(process_until(has_settled, NULL, PATIENCE_MS));
    order(client, sku, before);
    rabbitmq_kill_node(0);
    order(client, sku, meanwhile);           /* it is taken, and its event waits */
    CU_ASSERT(process_until(is_degraded, anonymous, PATIENCE_MS));
    EXPECT_STATUS(http_get(anonymous, "/order/metrics"), 200);
    CU_ASSERT_EQUAL_FATAL(rabbitmq_start_again(), ERR_NONE);
    int64_t start_ns = clock_now_ns();
    step_await(client, before, "paid");
    step_await(client, meanwhile, "paid");
    CU_ASSERT(clock_now_ns() - start_ns < STALL_MAX_S * NS_PER_S);
    step_await_stock(sku, PIECES - 2, 0);
}

static const struct suite_case cases[] = {
    {"orders are reserved and paid", test_paid},
    {"a sign-out is heard of", test_sign_out},
    {"the operator sees who is behind, and is told what cannot be seen", test_operator},
    {"a broker that is killed holds up events, and no order", test_broker_killed},
};

static void test_missing(void)
{
    suite_skip(broker_rabbitmq.lacks());
}

int main(void)
{
    static const struct suite_case missing = {"there is a broker to run it on", test_missing};
    char url[64];
    if (broker_rabbitmq.lacks())
        return suite_main("rabbitmq", &missing, 1);
    enum err err = rabbitmq_start(1, false);
    started_ns = clock_now_ns();
    int status = EXIT_FAILURE;
    if (err) {
        printf("Bail out! the broker does not start: %s\n", err_cause());
    } else {
        snprintf(url, sizeof url, "bus.url=amqp://guest@127.0.0.1:%u", rabbitmq_port(0));
        const char *const settings[] = {url, "bus.heartbeat_s=4", NULL};
        status = variants_main("rabbitmq", cases, sizeof cases / sizeof cases[0], settings);
    }
    rabbitmq_stop();
    return status;
}
