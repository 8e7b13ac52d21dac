/*
 * The conformance suite of cache/cache.h: what every cache holds, whatever it is in. Compiled once for each world
 * (WORLD, of cache_worlds.c), so that each is a program.
 *
 * doc/conformance-cache.md is the table of what came out, by case and world (make update-cache-conformance).
 */
#include "config.h"

#include <stdio.h>

#include "check/harness/conformance.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_world.h"

#if HAVE_REDIS
#define REMOTE(run) run
#else
#define REMOTE(run) NULL
#endif

/* Those that need what a world lacks are not run on it. */
static const struct conformance_case table[] = {
    {0, {"what was put is got, and what was invalidated is not", cache_case_put}},
    {WORLD_ALONE, {"a hit allocates nothing", cache_case_hit}},
    {0, {"what is kept is fresh, then stale, then gone", cache_case_ages}},
    {0, {"nothing is served past its own end", cache_case_own_end}},
    {0, {"ten thousand keys put at once end spread over a fifth of their lifetime", cache_case_spread}},
    {WORLD_ALONE, {"memory stays within its bytes", cache_case_bounded}},
    {0, {"a scan displaces nothing that is asked for", cache_case_scan}},
    {0, {"an older version does not take a newer one's place", cache_case_versions}},
    {0, {"all values of a group are invalidated together", cache_case_group}},
    {0, {"what one process of a machine invalidates no other serves", cache_case_marks}},
    {0, {"a value is loaded once", cache_case_load}},
    {0, {"that there is no value is remembered, until there is one", cache_case_absent}},
    {0, {"of requests for absent keys one in a hundred reaches the source", cache_case_absent_many}},
    {0, {"of absent keys that are all different one in a hundred reaches the source", cache_case_distinct}},
    {0, {"what is made is seen at once by all processes of the machine, though all keys were known", cache_case_made}},
    {0, {"what another machine makes is seen as soon as absences end", cache_case_made_elsewhere}},
    {0, {"a crowd that asks for one key has it loaded once", cache_case_one_load}},
    {0, {"loads and who waits for them have a limit", cache_case_waiters}},
    {0, {"who waits for a load waits until its deadline", cache_case_deadline}},
    {0, {"a source that fails has what is old served, and nothing that is wrong", cache_case_failing}},
    {0, {"while one loads it anew the others are served", cache_case_stale_served}},
    {0, {"what takes long to load is loaded anew before its end", cache_case_early}},
    {0, {"a loader that was paused does not put an older value back", cache_case_stale_refill}},
    {0, {"who joins a load after an invalidation has what is newer", cache_case_joined_late}},
    {0, {"what changes faster than it can be loaded is told, and not remembered", cache_case_changing}},
    {WORLD_SHARED, {"what one machine has loaded another need not", REMOTE(cache_case_shared)}},
    {WORLD_SHARED, {"what one machine invalidates is gone on another in time", REMOTE(cache_case_shared_invalidated)}},
    {WORLD_SHARED, {"the same of a group", REMOTE(cache_case_shared_group)}},
    {WORLD_SHARED, {"a loader paused on one machine puts nothing older back", REMOTE(cache_case_shared_refill)}},
    {WORLD_SHARED, {"five hundred callers in four processes ask the source once", REMOTE(cache_case_shared_breakdown)}},
    {WORLD_SHARED, {"when the one that loads is killed one other does", REMOTE(cache_case_shared_holder_dies)}},
    {WORLD_ONE_SERVER, {"without its Redis requests go on, and it is told what it missed", REMOTE(cache_case_away)}},
    {WORLD_ONE_SERVER, {"with a Redis that hangs requests go on", REMOTE(cache_case_hangs)}},
    {WORLD_ONE_SERVER, {"it signs in as an ACL user or by a password", REMOTE(cache_case_signs_in)}},
    {WORLD_CLUSTER, {"keys of all slots find their nodes", REMOTE(cache_case_moved)}},
    {WORLD_CLUSTER, {"replicas are read where that is allowed", REMOTE(cache_case_replicas)}},
    {WORLD_CLUSTER, {"a slot migrates under load: no request fails, no value is wrong", REMOTE(cache_case_migrated)}},
    {WORLD_CLUSTER, {"a cluster that is down holds up no request", REMOTE(cache_case_cluster_down)}},
    {WORLD_CLUSTER, {"a master is killed under load: no request fails", REMOTE(cache_case_master_killed)}},
    {0, {"the table of cases and worlds has these cases", conformance_test_page}},
};

int main(void)
{
    char name[64];
    snprintf(name, sizeof name, "cache in %s", world->name);
    struct conformance_subject subject = {name, world->abilities, world->lacks, world->start, world->stop};
    return conformance_main(&subject, table, sizeof table / sizeof table[0], "doc/conformance-cache.md",
                            "update-cache-conformance");
}
