/*
 * Scaling out and losing parts under load, on two machines' worth of services that find each other by etcd: one
 * instance killed, stopped, added; a machine added; etcd's leader killed, then all of etcd.
 *
 * FRONT=lighttpd has that web server at the edge, instead of nginx.
 *
 * The load asks for what needs a call between services each time (tokens of nobody), and for what does not.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/registry_server.h"
#include "check/harness/suite.h"
#include "check/service/machines.h"
#include "check/service/scale_load.h"

enum { AWAY_MS = 4000, SHARE_MS = 3000, MEASURE_MS = 1000, RESTART_MS = 1000, DRAIN_DELAY_MS = 1000 };
enum { SETTING_SIZE = 600, THIRD = 2 };

/* ---- cases ---- */

static void test_killed(void)
{
    scale_load_begin();
    scale_load_calm_soon();
    machines_service_kill(1, SYSTEM_USER);
    scale_load_wait_ms(AWAY_MS);
    scale_load_end("user of machine 1 killed", SCALE_LOAD_CONNECTIONS);
}

/* Of all that is answered in a second, the newcomer has at least half of what would be its part of it. */
static void share_is_taken(unsigned newcomer, enum system_service service, unsigned machines)
{
    unsigned long before[MACHINES_MAX], sum = 0, own = 0;
    for (unsigned i = 0; i < machines; i++)
        before[i] = machines_answered(i, service);
    scale_load_wait_ms(MEASURE_MS);
    for (unsigned i = 0; i < machines; i++) {
        unsigned long answered = machines_answered(i, service) - before[i];
        sum += answered;
        own += i == newcomer ? answered : 0;
    }
    printf("# %s: %lu of %lu by the newcomer, of %u\n", system_service_name(service), own, sum, machines);
    CU_ASSERT(own * machines * 2 >= sum);
}

static void test_added(void)
{
    scale_load_begin();
    scale_load_calm_soon();
    CU_ASSERT_EQUAL(machines_service_start(1, SYSTEM_USER), ERR_NONE);
    scale_load_wait_ms(SHARE_MS - MEASURE_MS);
    share_is_taken(1, SYSTEM_USER, 2);
    scale_load_end("user of machine 1 added", 0);
}

static void test_stopped(void)
{
    static const enum system_service services[] = {SYSTEM_USER, SYSTEM_ORDER, SYSTEM_INVENTORY};
    scale_load_begin();
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        if (machines_service_stop(1, services[i]) != ERR_NONE)
            printf("# %s\n", err_cause());
        scale_load_wait_ms(RESTART_MS);
        CU_ASSERT_EQUAL(machines_service_start(1, services[i]), ERR_NONE);
    }
    scale_load_end("each service of machine 1 stopped and started", 0);
}

static void test_machine_added(void)
{
    scale_load_begin();
    CU_ASSERT_EQUAL(machines_add(THIRD), ERR_NONE);
    scale_load_wait_ms(SHARE_MS - MEASURE_MS);
    share_is_taken(THIRD, SYSTEM_USER, THIRD + 1);
    share_is_taken(THIRD, SYSTEM_ORDER, THIRD + 1);
    scale_load_end("machine 2 added", 0);
}

static void test_leader_killed(void)
{
    scale_load_begin();
    CU_ASSERT_EQUAL(registry_server_etcd_three.kill_leader(), ERR_NONE);
    scale_load_wait_ms(AWAY_MS);
    scale_load_end("etcd's leader killed", 0);
}

static void test_etcd_gone(void)
{
    scale_load_begin();
    registry_server_etcd_three.kill();
    scale_load_wait_ms(AWAY_MS);
    const char *seen = machines_endpoints(0, SYSTEM_ORDER);
    CU_ASSERT(strstr(seen, "the registry is away") != NULL);
    CU_ASSERT(strstr(seen, " in ") != NULL);
    scale_load_end("all of etcd killed", 0);
}

static void test_killed_without_etcd(void)
{
    scale_load_begin();
    scale_load_calm_soon();
    machines_service_kill(1, SYSTEM_USER);
    scale_load_wait_ms(AWAY_MS);
    const char *seen = machines_endpoints(0, SYSTEM_ORDER);
    CU_ASSERT(strstr(seen, "failed too often in a row") != NULL || strstr(seen, "is to be tried next") != NULL);
    scale_load_end("user of machine 1 killed while etcd is away", SCALE_LOAD_CONNECTIONS);
}

static const struct suite_case cases[] = {
    {"an instance killed fails no more than a request a connection, and none after a second", test_killed},
    {"an instance that is added takes its share within three seconds", test_added},
    {"an instance that is stopped fails nothing", test_stopped},
    {"a machine that is added takes its share within three seconds", test_machine_added},
    {"etcd's leader killed fails nothing", test_leader_killed},
    {"all of etcd killed fails nothing, and what was known last is used", test_etcd_gone},
    {"an instance killed while etcd is away is left out all the same", test_killed_without_etcd},
};

/* ---- the world ---- */

static void test_missing(void)
{
    suite_skip(registry_server_etcd_three.lacks());
}

static enum err start(void)
{
    static char servers[SETTING_SIZE], delay[SETTING_SIZE];
    const char *front = getenv("FRONT"), *edge = front ? front : "nginx";
    static const char *const settings[] = {
        "discovery.driver=etcd", servers, "discovery.ttl_ms=3000", "discovery.timeout_ms=1000",
        "discovery.retry_max_ms=500", "auth.cache_ttl_s=1", "auth.stale_max_s=0", "auth.unknown_ttl_ms=0",
        "user.url=http://127.0.0.1:1", "pool.threads=16", delay, NULL};
    struct discovery_opts opts = {.driver = NULL};
    enum err err = registry_server_etcd_three.start();
    if (err)
        return err;
    registry_server_etcd_three.opts(&opts);
    snprintf(servers, sizeof servers, "discovery.servers=%s", opts.servers);
    /* lighttpd sends nothing twice that it has sent: who ends takes requests until it has heard of that. */
    snprintf(delay, sizeof delay, "server.drain_delay_ms=%d", strcmp(edge, "lighttpd") == 0 ? DRAIN_DELAY_MS : 0);
    err = machines_start(edge, 2, settings);
    return err ? err : scale_load_prepare();
}

int main(void)
{
    static const struct suite_case missing[] = {{"there is an etcd to run it on", test_missing}};
    if (registry_server_etcd_three.lacks())
        return suite_main("scale_out", missing, 1);
    enum err err = start();
    int status = EXIT_FAILURE;
    if (err)
        printf("Bail out! %s\n", err_cause());
    else
        status = suite_main("scale_out", cases, sizeof cases / sizeof cases[0]);
    if (machines_stop() != ERR_NONE)
        printf("# %s\n", err_cause());
    registry_server_etcd_three.stop();
    return status;
}
