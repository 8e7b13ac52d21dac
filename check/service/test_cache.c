/*
 * The conformance suite of cache/cache.h: what every cache holds, whatever it is in. Compiled once for each world
 * (WORLD, of cache_worlds.c), so that each is a program.
 *
 * doc/conformance-cache.md is the table of what came out, by case and world (make update-cache-conformance).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/suite.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_world.h"

enum { LINE_SIZE = 512 };

#if HAVE_REDIS
#define REMOTE(run) run
#else
#define REMOTE(run) NULL
#endif

static void test_table(void);

/* Those that need what a world lacks are not run on it. */
static const struct {
    unsigned needs;            /* enum world_ability */
    struct suite_case suite_case;
} table[] = {
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
    {0, {"the table of cases and worlds has these cases", test_table}},
};

enum { CASES = sizeof table / sizeof table[0] };

/* A row begins with "| case |". */
static void test_table(void)
{
    char line[LINE_SIZE];
    const char *folder = getenv("TANDEM_SRCDIR");
    size_t next = 0;
    snprintf(line, sizeof line, "%s/doc/conformance-cache.md", folder ? folder : ".");
    FILE *file = fopen(line, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        struct text rest = text_of(line);
        if (!text_starts(rest, TEXT("| ")) || text_starts(rest, TEXT("| Case ")))
            continue;
        text_split(&rest, '|');
        struct text name = text_trim(text_split(&rest, '|'));
        bool is_next = next < CASES && text_equal_string(name, table[next].suite_case.name);
        if (!is_next)
            printf("# \"%.*s\" is not in its place; run make update-cache-conformance\n", TEXT_ARGS(name));
        CU_ASSERT(is_next);
        next++;
    }
    CU_ASSERT_EQUAL(next, CASES);
    fclose(file);
}

static void test_missing(void)
{
    suite_skip(world->lacks());
}

int main(void)
{
    static struct suite_case cases[CASES];
    size_t count = 0;
    char suite[64];
    snprintf(suite, sizeof suite, "cache in %s", world->name);
    if (world->lacks()) {
        cases[0] = (struct suite_case){"there is what it is in", test_missing};
        return suite_main(suite, cases, 1);
    }
    enum err err = world->start();
    if (err) {
        printf("Bail out! %s does not start: %s\n", world->name, err_cause());
        world->stop();
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < CASES; i++)
        if ((table[i].needs & ~world->abilities) == 0)
            cases[count++] = table[i].suite_case;
    int status = suite_main(suite, cases, count);
    world->stop();
    return status;
}
