/* With a filter of all keys that there are: what was never asked for is known to be absent. */
#include "config.h"

#include <malloc.h>
#include <stdio.h>

#include "base/clock.h"
#include "cache/filter.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_world.h"

enum { REQUESTS = 100000, THINGS_MAX = 16, KEY_SIZE = 24, FILTER_KEYS = 1000 };

/* What there is: a database that all processes read. */
static struct {
    struct {
        char key[KEY_SIZE];
        int64_t made_us;
    } things[THINGS_MAX];
    unsigned count, pages;
} table;

/* One of the machine's processes. */
struct member {
    struct site site;
    struct filter *filter;
    int64_t absent_ns;
};

static struct source source;

static void commit(const char *key)
{
    snprintf(table.things[table.count].key, KEY_SIZE, "%s", key);
    table.things[table.count++].made_us = clock_wall_us();
    source.err = ERR_NONE;
}

static enum err list(void *context, int64_t made_us, struct text key, struct filter_listing *listing)
{
    (void)context;
    (void)key;
    table.pages++;
    for (unsigned i = 0; i < table.count; i++) {
        if (table.things[i].made_us > made_us)
            filter_listed(listing, table.things[i].made_us, text_of(table.things[i].key));
    }
    return ERR_NONE;
}

/* By who asks: a case may wait for it. */
static void refresh(void *context)
{
    struct member *member = context;
    CU_ASSERT_EQUAL(filter_refresh(member->filter, &(struct filter_refresh){.list = list,
                    .absent_ns = member->absent_ns}, NULL), ERR_NONE);
}

static void begin(void)
{
    table.count = table.pages = 0;
    source_init(&source, 1);
    commit("good");
}

static void member_open(struct member *member, const struct site_opts *opts, const char *path)
{
    const struct filter_opts filter_opts = {
        .name = "case", .path = path, .keys_max = FILTER_KEYS, .want = refresh, .context = member};
    struct site_opts site_opts = opts ? *opts : (struct site_opts){.name = NULL};
    member->absent_ns = world_lifetimes.absent_ns;
    CU_ASSERT_EQUAL_FATAL(filter_open(&filter_opts, &member->filter), ERR_NONE);
    site_opts.filter = member->filter;
    site_open(&member->site, &site_opts);
}

static void member_close(struct member *member)
{
    site_close(&member->site);
    filter_close(member->filter);
}

static void ask_for_many(struct member *member)
{
    char key[KEY_SIZE];
    for (unsigned i = 0; i < REQUESTS; i++) {
        snprintf(key, sizeof key, "absent%u", i);
        CU_ASSERT_EQUAL(world_ask(&member->site, key, &source, NULL), ERR_NOT_FOUND);
    }
}

/* A hundred thousand requests for as many keys that have no value, none of which was asked for before. */
void cache_case_distinct(void)
{
    struct member member;
    int64_t value = 0;
    begin();
    member_open(&member, NULL, NULL);
    CU_ASSERT_EQUAL(world_ask(&member.site, "good", &source, NULL), ERR_NONE);
    unsigned asked = source.asked;
    source.err = ERR_NOT_FOUND;
    size_t before = mallinfo2().uordblks;
    ask_for_many(&member);
    if (world->abilities & WORLD_ALONE)
        CU_ASSERT_EQUAL(mallinfo2().uordblks, before);
    asked = source.asked - asked + table.pages;
    printf("# %s: of %d requests for as many absent keys %u reached the source, listings among them\n", world->name,
           REQUESTS, asked);
    CU_ASSERT(asked <= REQUESTS / 100);
    CU_ASSERT_NOT_EQUAL(world_look(&member.site, "good", NULL), CACHE_NOTHING);
    commit("absent77777");   /* it is made, and seen at once */
    cache_invalidate(member.site.cache, TEXT("absent77777"));
    CU_ASSERT_EQUAL(world_ask(&member.site, "absent77777", &source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(value, 1);
    member_close(&member);
}

void cache_case_made(void)
{
    struct member first, second;
    char path[200];
    begin();
    snprintf(path, sizeof path, "%s/filter", world_folder());
    member_open(&first, NULL, path);
    member_open(&second, &(struct site_opts){.name = first.site.name, .marks = first.site.own_marks}, path);
    source.err = ERR_NOT_FOUND;
    refresh(&first);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(world_ask(&second.site, "k", &source, NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(source.asked, 0);
    commit("k");
    CU_ASSERT_EQUAL(world_ask(&second.site, "k", &source, NULL), ERR_NOT_FOUND);   /* nobody was told of it yet */
    cache_invalidate(first.site.cache, TEXT("k"));
    CU_ASSERT_EQUAL(world_ask(&second.site, "k", &source, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(world_ask(&first.site, "k", &source, NULL), ERR_NONE);
    member_close(&second);
    member_close(&first);
}

static const struct cache_lifetimes short_lived = {
    .fresh_ns = 20 * NS_PER_S, .absent_ns = 400 * NS_PER_MS, .near_ns = SITE_NEAR_MS * NS_PER_MS};

static bool is_there(void *context)
{
    struct member *member = context;
    return world_ask_for(&member->site, "k", &source, &short_lived, WORLD_DEADLINE_MS, NULL) == ERR_NONE;
}

/* Nobody invalidates it: it is made on another machine, or by one who was killed before he could. */
void cache_case_made_elsewhere(void)
{
    struct member member;
    begin();
    member_open(&member, NULL, NULL);
    member.absent_ns = short_lived.absent_ns;
    source.err = ERR_NOT_FOUND;
    refresh(&member);
    CU_ASSERT_FALSE(is_there(&member));
    commit("k");
    int64_t made_ns = clock_now_ns();
    CU_ASSERT_FALSE(is_there(&member));
    CU_ASSERT_EQUAL(source.asked, 0);
    CU_ASSERT_TRUE(process_until(is_there, &member, WORLD_DEADLINE_MS));
    int64_t took_ms = (clock_now_ns() - made_ns) / NS_PER_MS;
    printf("# %s: what was made on another machine was seen after %lld ms, absences being remembered for %lld ms\n",
           world->name, (long long)took_ms, (long long)(short_lived.absent_ns / NS_PER_MS));
    member_close(&member);
}
