/*
 * Two machines, in network namespaces of their own as far as one machine allows: one is cut off under load, and comes
 * back. Who calls it notices nothing but time, the registry forgets it, and it goes on by what it knew last.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/registry_server.h"
#include "check/harness/suite.h"
#include "check/service/apart.h"
#include "check/service/machines.h"
#include "check/service/scale_load.h"

enum { SETTING_SIZE = 600, CAUSE_SIZE = 256, FORGOTTEN_MS = 20000, CUT_MS = 4000 };

static char missing[CAUSE_SIZE];

static bool sees_other(void *context)
{
    bool *expected = context;
    return (strstr(machines_endpoints(0, SYSTEM_ORDER), apart_address_there()) != NULL) == *expected;
}

static void test_cut_off(void)
{
    bool there = true, gone = false;
    CU_ASSERT(process_until(sees_other, &there, FORGOTTEN_MS));
    scale_load_begin();
    CU_ASSERT_EQUAL(apart_cut(true), ERR_NONE);
    scale_load_wait_ms(CUT_MS);
    CU_ASSERT(process_until(sees_other, &gone, FORGOTTEN_MS));   /* its lease is over */
    scale_load_end("machine 1 cut off", 0);
    const char *seen = machines_endpoints(1, SYSTEM_ORDER);
    CU_ASSERT(strstr(seen, "the registry is away") != NULL);
    CU_ASSERT(strstr(seen, apart_address_there()) != NULL);
}

static void test_comes_back(void)
{
    bool there = true;
    scale_load_begin();
    CU_ASSERT_EQUAL(apart_cut(false), ERR_NONE);
    CU_ASSERT(process_until(sees_other, &there, FORGOTTEN_MS));
    unsigned long before = machines_answered(1, SYSTEM_USER);
    scale_load_wait_ms(CUT_MS);
    printf("# %lu requests answered by what has come back\n", machines_answered(1, SYSTEM_USER) - before);
    CU_ASSERT(machines_answered(1, SYSTEM_USER) - before > 0);
    scale_load_end("machine 1 is back", 0);
}

static const struct suite_case cases[] = {
    {"a machine that is cut off fails nothing, is forgotten, and goes on by what it knew last", test_cut_off},
    {"a machine that is back is found again, and takes its part", test_comes_back},
};

/* ---- the world ---- */

static void test_missing(void)
{
    suite_skip(missing);
}

static enum err start(void)
{
    /* The calls that are under way at one instance fail together: as many retries have to be saved up. */
    static char servers[SETTING_SIZE];
    static const char *const settings[] = {
        "discovery.driver=etcd", servers, "discovery.ttl_ms=3000", "discovery.timeout_ms=1000",
        "discovery.refresh_ms=2000", "discovery.retry_max_ms=500", "auth.cache_ttl_s=1", "auth.stale_max_s=0",
        "auth.unknown_ttl_ms=0", "user.url=http://127.0.0.1:1", "pool.threads=16", "client.retry_budget_per_s=50",
        NULL};
    struct discovery_opts opts = {.driver = NULL};
    setenv("REGISTRY_ADDRESS", apart_address_here(), 1);
    enum err err = registry_server_etcd.start();
    if (err)
        return err;
    registry_server_etcd.opts(&opts);
    snprintf(servers, sizeof servers, "discovery.servers=%s", opts.servers);
    machines_set_apart(1);
    err = machines_start("nginx", 2, settings);
    return err ? err : scale_load_prepare();
}

int main(void)
{
    static const struct suite_case skipped[] = {{"there is an etcd, and a network that can be cut", test_missing}};
    char *folder = process_folder(), log[CAUSE_SIZE];
    snprintf(log, sizeof log, "%s/apart.log", folder ? folder : "/tmp");
    if (registry_server_etcd.lacks())
        snprintf(missing, sizeof missing, "%s", registry_server_etcd.lacks());
    else if (apart_start(log) != ERR_NONE)
        snprintf(missing, sizeof missing, "%s", err_cause());
    int status = EXIT_FAILURE;
    if (*missing) {
        status = suite_main("cut_off", skipped, 1);
    } else {
        if (start() != ERR_NONE)
            printf("Bail out! %s\n", err_cause());
        else
            status = suite_main("cut_off", cases, sizeof cases / sizeof cases[0]);
        if (machines_stop() != ERR_NONE)
            printf("# %s\n", err_cause());
        registry_server_etcd.stop();
        apart_stop();
    }
    if (folder)
        process_remove(folder);
    free(folder);
    return status;
}
