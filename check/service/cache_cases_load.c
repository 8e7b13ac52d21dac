/* Loading, and what is not loaded. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_world.h"

enum { CROWD = 64, LATE_MS = 50 };

static struct site site;
static struct source source;

static void begin(const struct site_opts *opts)
{
    site_open(&site, opts);
    source_init(&source, 1);
}

static void start_crowd(struct asker *askers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        askers[i] = (struct asker){.site = &site, .key = "k", .source = &source};
        asker_start(&askers[i]);
    }
}

void cache_case_load(void)
{
    int64_t value = 0;
    begin(NULL);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
        CU_ASSERT_EQUAL(value, 1);
    }
    CU_ASSERT_EQUAL(source.asked, 1);
    source_set(&source, 2, 0);
    cache_invalidate(site.cache, TEXT("k"));
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(value, 2);
    CU_ASSERT(source.asked == 2 || (source.asked == 3 && world->url()));
    site_close(&site);
}

void cache_case_absent(void)
{
    int64_t value = 0;
    begin(NULL);
    source.err = ERR_NOT_FOUND;
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(source.asked, 1);
    source.err = ERR_NONE;   /* it is made, and seen at once */
    cache_invalidate(site.cache, TEXT("k"));
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(value, 1);
    /* With a remote part once more, when that hears of the invalidation while it is loaded. */
    CU_ASSERT(source.asked == 2 || (source.asked == 3 && world->url()));
    site_close(&site);
}

/* A hundred thousand requests for a thousand keys that have no value; and values stay where they are meanwhile. */
void cache_case_absent_many(void)
{
    enum { REQUESTS = 100000, IDS = 1000 };
    char key[24];
    unsigned requests = world->abilities & WORLD_SHARED ? REQUESTS / 10 : REQUESTS, ids = requests / 100;
    begin(NULL);
    CU_ASSERT_EQUAL(world_ask(&site, "good", &source, NULL), ERR_NONE);
    source.err = ERR_NOT_FOUND;
    for (unsigned i = 0; i < requests; i++) {
        snprintf(key, sizeof key, "absent%u", i % ids);
        CU_ASSERT_EQUAL(world_ask(&site, key, &source, NULL), ERR_NOT_FOUND);
    }
    printf("# %s: of %u requests for %u absent keys %u reached the source\n", world->name, requests, ids,
           source.asked - 1);
    CU_ASSERT(source.asked - 1 <= requests / 100);
    CU_ASSERT_NOT_EQUAL(world_look(&site, "good", NULL), CACHE_NOTHING);
    site_close(&site);
}

void cache_case_one_load(void)
{
    struct asker askers[CROWD];
    begin(NULL);
    source_pause(&source);
    start_crowd(askers, CROWD);
    CU_ASSERT(source_holds(&source, 1));
    source_go_on(&source);
    for (int i = 0; i < CROWD; i++) {
        asker_join(&askers[i]);
        CU_ASSERT_EQUAL(askers[i].err, ERR_NONE);
        CU_ASSERT_EQUAL(askers[i].value, 1);
    }
    CU_ASSERT_EQUAL(source.asked, 1);
    site_close(&site);
}

enum { WAITERS = 4 };

static bool all_but_waiters_told(void *context)
{
    const struct asker *askers = context;
    unsigned told = 0;
    for (int i = 0; i < CROWD; i++)
        told += askers[i].told;
    return told == CROWD - 1 - WAITERS;
}

void cache_case_waiters(void)
{
    struct asker askers[CROWD];
    unsigned busy = 0, served = 0;
    begin(&(struct site_opts){.flights_max = 1, .waiters_max = WAITERS});
    source_pause(&source);
    start_crowd(askers, 1);
    CU_ASSERT(source_holds(&source, 1));
    CU_ASSERT_EQUAL(world_ask(&site, "other", &source, NULL), ERR_BUSY);   /* one key at a time, here */
    for (int i = 1; i < CROWD; i++) {
        askers[i] = (struct asker){.site = &site, .key = "k", .source = &source};
        asker_start(&askers[i]);
    }
    CU_ASSERT(process_until(all_but_waiters_told, askers, WORLD_DEADLINE_MS));
    source_go_on(&source);
    for (int i = 0; i < CROWD; i++) {
        asker_join(&askers[i]);
        busy += askers[i].err == ERR_BUSY;
        served += askers[i].err == ERR_NONE;
    }
    CU_ASSERT_EQUAL(served, 1 + WAITERS);
    CU_ASSERT_EQUAL(busy, CROWD - 1 - WAITERS);
    CU_ASSERT_EQUAL(source.asked, 1);
    site_close(&site);
}

void cache_case_deadline(void)
{
    struct asker leader[1];
    int64_t began_ns;
    begin(NULL);
    source_pause(&source);
    start_crowd(leader, 1);
    CU_ASSERT(source_holds(&source, 1));
    began_ns = clock_now_ns();
    CU_ASSERT_EQUAL(world_ask_for(&site, "k", &source, &world_lifetimes, LATE_MS, NULL), ERR_DEADLINE);
    CU_ASSERT(clock_now_ns() - began_ns >= LATE_MS * NS_PER_MS);
    source_go_on(&source);
    asker_join(leader);
    CU_ASSERT_EQUAL(leader[0].err, ERR_NONE);
    CU_ASSERT_EQUAL(source.asked, 1);
    site_close(&site);
}

static const struct cache_lifetimes old = {
    .fresh_ns = 1, .stale_ns = 60 * NS_PER_S, .absent_ns = NS_PER_S, .near_ns = NS_PER_S};

void cache_case_failing(void)
{
    struct asker askers[CROWD];
    int64_t value = 0;
    begin(NULL);
    source.err = ERR_UNAVAILABLE;
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, NULL), ERR_UNAVAILABLE);
    source_pause(&source);
    start_crowd(askers, CROWD);
    CU_ASSERT(source_holds(&source, 1));
    source_go_on(&source);
    for (int i = 0; i < CROWD; i++) {
        asker_join(&askers[i]);
        CU_ASSERT_EQUAL(askers[i].err, ERR_UNAVAILABLE);
    }
    source.err = ERR_NONE;
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    source.err = ERR_UNAVAILABLE;   /* what is known is served, also when it is old */
    value = 0;
    CU_ASSERT_EQUAL(world_ask_for(&site, "k", &source, &old, WORLD_DEADLINE_MS, &value), ERR_NONE);
    CU_ASSERT_EQUAL(value, 1);
    cache_invalidate(site.cache, TEXT("k"));   /* but not what is known to be wrong */
    CU_ASSERT_EQUAL(world_ask_for(&site, "k", &source, &old, WORLD_DEADLINE_MS, &value), ERR_UNAVAILABLE);
    site_close(&site);
}

void cache_case_stale_served(void)
{
    struct asker leader = {.site = &site, .key = "k", .source = &source, .lifetimes = &old};
    int64_t value = 0;
    begin(NULL);
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    source_set(&source, 2, 0);
    source_pause(&source);
    asker_start(&leader);
    CU_ASSERT(source_holds(&source, 1));
    for (int i = 0; i < 10; i++) {   /* while one loads it anew, the others have the old one, and do not wait */
        CU_ASSERT_EQUAL(world_ask_for(&site, "k", &source, &old, WORLD_DEADLINE_MS, &value), ERR_NONE);
        CU_ASSERT_EQUAL(value, 1);
    }
    source_go_on(&source);
    asker_join(&leader);
    CU_ASSERT_EQUAL(leader.err, ERR_NONE);
    CU_ASSERT_EQUAL(leader.value, 2);
    CU_ASSERT_EQUAL(source.asked, 2);
    site_close(&site);
}

/* What took so long to load is due, as a rule, about that long before its end, and never long before. */
void cache_case_early(void)
{
    enum { COST_MS = 20, LOOKS = 2000 };
    const struct cache_lifetimes lifetimes = {
        .fresh_ns = 100 * NS_PER_S, .stale_ns = NS_PER_S, .near_ns = 1000 * NS_PER_S};
    unsigned due_long_before = 0, due_before = 0;
    begin(NULL);
    CU_ASSERT_EQUAL(world_ask(&site, "first", &source, NULL), ERR_NONE);   /* to be connected costs, too, but once */
    source.delay_ms = COST_MS;
    int64_t end_ns = clock_now_ns();
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, NULL), ERR_NONE);
    int64_t cost_ns = clock_now_ns() - end_ns;
    end_ns += 80 * NS_PER_S;   /* it may end from here on, by the spread of lifetimes */
    for (int i = 0; i < LOOKS; i++) {
        int64_t at_ns = end_ns - 20 * cost_ns;
        due_long_before += world_look_at(&site, "k", &lifetimes, at_ns, NULL) == CACHE_DUE;
    }
    /* The end itself is found by looking. */
    while (world_look_at(&site, "k", &lifetimes, end_ns, NULL) != CACHE_STALE)
        end_ns += cost_ns / 8;
    for (int i = 0; i < LOOKS; i++)
        due_before += world_look_at(&site, "k", &lifetimes, end_ns - cost_ns, NULL) == CACHE_DUE;
    CU_ASSERT_EQUAL(due_long_before, 0);
    CU_ASSERT(due_before > LOOKS / 8 && due_before < LOOKS * 3 / 4);   /* e^-1 of them, about */
    site_close(&site);
}

/* A loader that has read the older value is paused; the newer is written and acknowledged; then the loader goes on. */
void cache_case_stale_refill(void)
{
    struct asker leader = {.site = &site, .key = "k", .source = &source};
    int64_t value = 0;
    begin(NULL);
    source_set(&source, 1, 1);
    source_pause(&source);
    asker_start(&leader);
    CU_ASSERT(source_holds(&source, 1));
    source_set(&source, 2, 2);
    cache_invalidate(site.cache, TEXT("k"));
    source_go_on(&source);
    asker_join(&leader);
    CU_ASSERT_EQUAL(leader.err, ERR_NONE);
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
        CU_ASSERT_EQUAL(value, 2);
    }
    site_close(&site);
}

/* Who joins a load after the invalidation is not given what was read before it. */
void cache_case_joined_late(void)
{
    struct asker leader = {.site = &site, .key = "k", .source = &source};
    struct asker late[CROWD];
    begin(NULL);
    source_pause(&source);
    asker_start(&leader);
    CU_ASSERT(source_holds(&source, 1));
    source_set(&source, 2, 0);
    cache_invalidate(site.cache, TEXT("k"));
    start_crowd(late, CROWD);
    source_go_on(&source);
    asker_join(&leader);
    for (int i = 0; i < CROWD; i++) {
        asker_join(&late[i]);
        CU_ASSERT_EQUAL(late[i].err, ERR_NONE);
        CU_ASSERT_EQUAL(late[i].value, 2);
    }
    site_close(&site);
}

static enum err change_while_loading(void *context, struct cache_value *ret)
{
    unsigned *loads = context;
    cache_invalidate(site.cache, TEXT("k"));
    ret->length = (size_t)snprintf(ret->data, ret->capacity, "%u", ++*loads);
    return ERR_NONE;
}

void cache_case_changing(void)
{
    char storage[SITE_VALUE_MAX];
    struct cache_value value = {.data = storage, .capacity = sizeof storage};
    unsigned loads = 0;
    begin(NULL);
    const struct cache_request request = {.key = TEXT("k"), .lifetimes = world_lifetimes, .load = change_while_loading,
                                          .context = &loads, .deadline_ns = clock_now_ns() + 10 * NS_PER_S};
    CU_ASSERT_EQUAL(cache_get_or_load(site.cache, &request, &value), ERR_NONE);
    CU_ASSERT_EQUAL(loads, 3);   /* then it is told as it is, and not remembered */
    CU_ASSERT_EQUAL(world_look(&site, "k", NULL), CACHE_NOTHING);
    site_close(&site);
}
