/*
 * A service that is started anew while the registry is away goes on: it knows where the user service was. Not so when
 * that is damaged; then it has to wait for the registry, and says why.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/http_client.h"
#include "check/harness/process.h"
#include "check/harness/registry_server.h"
#include "check/harness/suite.h"
#include "check/service/machines.h"

enum { PATIENCE_MS = 20000, SETTING_SIZE = 600 };

static const struct registry_server *const server = &registry_server_etcd;

/* A token of nobody has to be asked about each time: 401 says that the user service was reached, 503 that it was
 * not. */
static int asked(void)
{
    char token[64];
    static unsigned number;
    struct http_client *client = http_client_new(machines_url());
    snprintf(token, sizeof token, "nobody-%ld-%u", (long)getpid(), ++number);
    http_client_token(client, token);
    int status = http_get(client, "/v1/orders")->status;
    http_client_free(client);
    return status;
}

static bool is_reached(void *context)
{
    (void)context;
    return asked() == 401;
}

static bool sees_it_away(void *context)
{
    (void)context;
    return strstr(machines_endpoints(0, SYSTEM_ORDER), "the registry is away") != NULL;
}

static bool has_told_use(void *context)
{
    (void)context;
    return machines_log_has(0, SYSTEM_ORDER, "instances from before the start are used until the registry answers");
}

static bool has_told_damage(void *context)
{
    (void)context;
    return machines_log_has(0, SYSTEM_ORDER, "is damaged, or of another version");
}

static void restart_order(void)
{
    CU_ASSERT_EQUAL(machines_service_stop(0, SYSTEM_ORDER), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(machines_service_start(0, SYSTEM_ORDER), ERR_NONE);
}

static void test_restart(void)
{
    char file[512];
    CU_ASSERT(process_until(is_reached, NULL, PATIENCE_MS));
    snprintf(file, sizeof file, "%s/order.db-instances-user", machines_folder());
    CU_ASSERT_EQUAL(access(file, R_OK), 0);
    server->kill();
    restart_order();
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(asked(), 401);
    CU_ASSERT(process_until(sees_it_away, NULL, PATIENCE_MS));
    CU_ASSERT(process_until(has_told_use, NULL, PATIENCE_MS));

    CU_ASSERT_EQUAL(truncate(file, 40), 0);
    restart_order();
    CU_ASSERT_EQUAL(asked(), 503);
    CU_ASSERT(process_until(has_told_damage, NULL, PATIENCE_MS));

    CU_ASSERT_EQUAL(server->start_again(false), ERR_NONE);
    CU_ASSERT(process_until(is_reached, NULL, PATIENCE_MS));
}

static const struct suite_case cases[] = {
    {"a service started anew while etcd is away reaches the instances it knew", test_restart},
};

static void test_missing(void)
{
    suite_skip(server->lacks());
}

static enum err start(void)
{
    static char servers[SETTING_SIZE];
    /* Nobody listens at user.url, so who is reached is known by discovery alone. */
    static const char *const settings[] = {
        "discovery.driver=etcd", servers, "discovery.ttl_ms=10000", "discovery.withdraw_ms=100",
        "discovery.retry_max_ms=500", "auth.unknown_ttl_ms=0",
        "user.url=http://127.0.0.1:1", NULL,
    };
    struct discovery_opts opts = {.driver = NULL};
    enum err err = server->start();
    if (err)
        return err;
    server->opts(&opts);
    snprintf(servers, sizeof servers, "discovery.servers=%s", opts.servers);
    return machines_start("nginx", 1, settings);
}

int main(void)
{
    static const struct suite_case missing[] = {{"there is an etcd to run it on", test_missing}};
    int status = EXIT_FAILURE;
    if (server->lacks())
        return suite_main("restart_registry", missing, 1);
    enum err err = start();
    if (err)
        printf("Bail out! %s\n", err_cause());
    else
        status = suite_main("restart_registry", cases, sizeof cases / sizeof cases[0]);
    if (machines_stop() != ERR_NONE)
        printf("# %s\n", err_cause());
    server->stop();
    return status;
}
