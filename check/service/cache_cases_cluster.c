/* On a cluster. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cache/redis_slot.h"
#include "check/harness/redis.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_traffic.h"
#include "check/service/cache_world.h"

enum { KEYS = 200, WELL_MS = 30000, MIGRATIONS = 6, STALE_BOUND_MS = 1000, P99_MS = 100 };

static struct site site, other;
static struct source source;

static unsigned slot_of(const char *key)
{
    char name[128];
    snprintf(name, sizeof name, "%s:{%s}", site.name, key);
    return redis_slot(text_of(name));
}

/* Keys of any slots, and of which each finds its node by being sent on, or by the map. */
void cache_case_moved(void)
{
    char key[TRAFFIC_KEY_SIZE];
    unsigned on_node[REDIS_MASTERS] = {0};
    site_open(&site, NULL);
    site_open_other(&other, &site);
    source_init(&source, 1);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        CU_ASSERT_EQUAL(world_ask(&site, key, &source, NULL), ERR_NONE);
        CU_ASSERT_EQUAL(world_ask(&other, key, &source, NULL), ERR_NONE);
        on_node[slot_of(key) * REDIS_MASTERS / REDIS_SLOTS]++;
    }
    CU_ASSERT_EQUAL(source.asked, KEYS);
    for (int i = 0; i < REDIS_MASTERS; i++)
        CU_ASSERT(on_node[i] > 0);
    site_close(&other);
    site_close(&site);
}

static unsigned gets_of_replicas(void)
{
    unsigned gets = 0;
    for (int i = REDIS_MASTERS; i < REDIS_CLUSTER_NODES; i++) {
        char stats[REDIS_ANSWER_SIZE];
        const char *at;
        unsigned calls = 0;
        CU_ASSERT_EQUAL(redis_ask(world_cluster()->nodes[i].port, "INFO commandstats", stats), ERR_NONE);
        at = strstr(stats, "cmdstat_get:calls=");
        if (at && sscanf(at, "cmdstat_get:calls=%u", &calls) == 1)
            gets += calls;
    }
    return gets;
}

static bool map_is_known(void *context)
{
    char key[TRAFFIC_KEY_SIZE];
    unsigned *turn = context;
    snprintf(key, sizeof key, "m%u", (*turn)++);
    CU_ASSERT_EQUAL(world_ask(&site, key, &source, NULL), ERR_NONE);
    return gets_of_replicas() > 0;
}

void cache_case_replicas(void)
{
    unsigned turn = 0;
    site_open(&site, &(struct site_opts){.replicas = true});
    source_init(&source, 1);
    CU_ASSERT(process_until(map_is_known, &turn, WELL_MS));   /* values are read from them, once the map is there */
    site_close(&site);
}

/* ---- under load ---- */

/* Keys that are all in the slot of the first. */
static void keys_of_one_slot(char keys[TRAFFIC_KEYS][TRAFFIC_KEY_SIZE])
{
    unsigned found = 1;
    snprintf(keys[0], TRAFFIC_KEY_SIZE, "t");
    for (unsigned i = 0; found < TRAFFIC_KEYS; i++) {
        snprintf(keys[found], TRAFFIC_KEY_SIZE, "t%u", i);
        found += slot_of(keys[found]) == slot_of(keys[0]);
    }
}

static struct traffic *start(char keys[TRAFFIC_KEYS][TRAFFIC_KEY_SIZE], int64_t fresh_ns)
{
    site_open(&site, NULL);   /* for its name */
    keys_of_one_slot(keys);
    const struct traffic_opts opts = {
        .keys = (const char(*)[TRAFFIC_KEY_SIZE])keys,
        .like = &site,
        .lifetimes = {.fresh_ns = fresh_ns, .absent_ns = NS_PER_S, .near_ns = SITE_NEAR_MS * NS_PER_MS},
    };
    struct traffic *traffic = traffic_start(&opts);
    traffic_await(traffic, 1000);
    return traffic;
}

void cache_case_migrated(void)
{
    char keys[TRAFFIC_KEYS][TRAFFIC_KEY_SIZE];
    struct traffic_result result;
    struct traffic *traffic = start(keys, 20 * NS_PER_S);
    for (int i = 0; i < MIGRATIONS; i++) {
        int from = redis_cluster_master_of(world_cluster(), slot_of(keys[0]));
        enum err err = redis_cluster_migrate(world_cluster(), slot_of(keys[0]), (from + 1) % REDIS_MASTERS);
        if (err)
            printf("# %s\n", err_cause());
        CU_ASSERT_EQUAL(err, ERR_NONE);
        traffic_await(traffic, 500);
    }
    traffic_stop(traffic, &result);
    traffic_print("a slot migrated six times", &result);
    CU_ASSERT_EQUAL(result.failed, 0);
    CU_ASSERT(result.stalest_ns < STALE_BOUND_MS * NS_PER_MS);
    site_close(&site);
}

/* A shard is gone, so that the others say CLUSTERDOWN. */
void cache_case_cluster_down(void)
{
    struct redis_cluster *cluster = world_cluster();
    char key[TRAFFIC_KEY_SIZE];
    site_open(&site, NULL);
    source_init(&source, 1);
    redis_kill(&cluster->nodes[2]);
    redis_kill(&cluster->nodes[5]);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "d%d", i);
        CU_ASSERT_EQUAL(world_ask(&site, key, &source, NULL), ERR_NONE);
    }
    CU_ASSERT(redis_cluster_is_down(cluster, WELL_MS));
    int64_t began_ns = clock_now_ns();
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "e%d", i);
        CU_ASSERT_EQUAL(world_ask(&site, key, &source, NULL), ERR_NONE);
    }
    printf("# %s: while it says CLUSTERDOWN %d loads took %lld ms\n", world->name, KEYS,
           (long long)((clock_now_ns() - began_ns) / NS_PER_MS));
    CU_ASSERT_EQUAL(redis_start(&cluster->nodes[2], world_folder(), true), ERR_NONE);
    CU_ASSERT_EQUAL(redis_start(&cluster->nodes[5], world_folder(), true), ERR_NONE);
    CU_ASSERT(redis_cluster_is_well(cluster, WELL_MS));
    site_close(&site);
}

static bool has_master(void *context)
{
    const unsigned *slot = context;
    return redis_cluster_master_of(world_cluster(), *slot) >= 0;
}

/* Replication is asynchronous: what the master was told last may be lost with it; a value's lifetime is the bound. */
void cache_case_master_killed(void)
{
    enum { FRESH_MS = 2000 };
    char keys[TRAFFIC_KEYS][TRAFFIC_KEY_SIZE];
    struct traffic_result result;
    struct traffic *traffic = start(keys, FRESH_MS * NS_PER_MS);
    unsigned slot = slot_of(keys[0]);
    int master = redis_cluster_master_of(world_cluster(), slot);
    CU_ASSERT_FATAL(master >= 0);
    redis_kill(&world_cluster()->nodes[master]);
    CU_ASSERT(process_until(has_master, &slot, WELL_MS));
    traffic_await(traffic, 5000);
    traffic_stop(traffic, &result);
    traffic_print("the master of all keys killed", &result);
    CU_ASSERT_EQUAL(result.failed, 0);
    CU_ASSERT(result.p99_ns < P99_MS * NS_PER_MS);
    CU_ASSERT(result.stalest_ns < (FRESH_MS + SITE_NEAR_MS + STALE_BOUND_MS) * NS_PER_MS);
    CU_ASSERT_EQUAL(redis_start(&world_cluster()->nodes[master], world_folder(), true), ERR_NONE);
    CU_ASSERT(redis_cluster_is_well(world_cluster(), WELL_MS));
    site_close(&site);
}
