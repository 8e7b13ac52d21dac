/* What is kept, and for how long. */
#include "config.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_world.h"

enum { MANY = 10000, BUCKETS = 10, HITS = 1000 };

static struct site site;

void cache_case_put(void)
{
    int64_t value = 0;
    site_open(&site, NULL);
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_NOTHING);
    CU_ASSERT(world_put(&site, "k", 1, 0));
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(value, 1);
    CU_ASSERT(world_put(&site, "k", 22, 0));
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(value, 22);
    CU_ASSERT_EQUAL(world_look(&site, "kk", &value), CACHE_NOTHING);
    cache_invalidate(site.cache, TEXT("k"));
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_NOTHING);
    CU_ASSERT(world_put(&site, "k", 3, 0));
    CU_ASSERT(world_put(&site, "l", 4, 0));
    cache_invalidate_all(site.cache);
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_NOTHING);
    CU_ASSERT_EQUAL(world_look(&site, "l", &value), CACHE_NOTHING);
    site_close(&site);
}

void cache_case_hit(void)
{
    int64_t value = 0;
    site_open(&site, NULL);
    CU_ASSERT(world_put(&site, "k", 1, 0));
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < HITS; i++)
        CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(mallinfo2().uordblks, before);
    site_close(&site);
}

/* Of a put 5 s ago, say: the clock is the caller's. */
static const struct cache_lifetimes lifetimes = {
    .fresh_ns = 10 * NS_PER_S, .stale_ns = 60 * NS_PER_S, .absent_ns = 2 * NS_PER_S, .near_ns = 100 * NS_PER_S};

void cache_case_ages(void)
{
    int64_t value = 0;
    site_open(&site, NULL);
    CU_ASSERT(world_put(&site, "k", 1, 0));
    int64_t put_ns = clock_now_ns();
    CU_ASSERT_EQUAL(world_look_at(&site, "k", &lifetimes, put_ns + 7 * NS_PER_S, &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(world_look_at(&site, "k", &lifetimes, put_ns + 10 * NS_PER_S, &value), CACHE_STALE);
    CU_ASSERT_EQUAL(value, 1);
    CU_ASSERT_EQUAL(world_look_at(&site, "k", &lifetimes, put_ns + 69 * NS_PER_S, &value), CACHE_STALE);
    CU_ASSERT_EQUAL(world_look_at(&site, "k", &lifetimes, put_ns + 70 * NS_PER_S, &value), CACHE_NOTHING);
    cache_put_absent(site.cache, TEXT("none"), cache_mark(), put_ns);
    CU_ASSERT_EQUAL(world_look_at(&site, "none", &lifetimes, put_ns + NS_PER_S, &value), CACHE_ABSENT);
    CU_ASSERT_EQUAL(world_look_at(&site, "none", &lifetimes, put_ns + 2 * NS_PER_S, &value), CACHE_NOTHING);
    site_close(&site);
}

void cache_case_own_end(void)
{
    struct source source;
    int64_t value = 0;
    site_open(&site, NULL);
    source_init(&source, 1);
    source.left_ns = 5 * NS_PER_S;
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    int64_t put_ns = clock_now_ns();
    CU_ASSERT_EQUAL(world_look_at(&site, "k", &lifetimes, put_ns + 4 * NS_PER_S, &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(world_look_at(&site, "k", &lifetimes, put_ns + 5 * NS_PER_S, &value), CACHE_NOTHING);
    site_close(&site);
}

/* Ten thousand keys put at once end over a fifth of their lifetime, evenly. */
void cache_case_spread(void)
{
    char key[16];
    unsigned ended[BUCKETS + 1] = {0};   /* by 8 s, by 8.2 s, … by 10 s */
    site_open(&site, NULL);
    int64_t put_ns = clock_now_ns();
    for (int i = 0; i < MANY; i++) {
        struct cache_value value = {.data = key, .length = 1};
        snprintf(key, sizeof key, "k%d", i);
        CU_ASSERT(cache_put(site.cache, text_of(key), &value, cache_mark(), put_ns));
    }
    for (int i = 0; i < MANY; i++) {
        unsigned bucket = 0;
        snprintf(key, sizeof key, "k%d", i);
        while (bucket < BUCKETS && world_look_at(&site, key, &lifetimes, put_ns + 8 * NS_PER_S + bucket * NS_PER_S / 5,
                                                 NULL) == CACHE_FRESH)
            bucket++;
        ended[bucket]++;
    }
    printf("# %s: of %d keys put at once these ended by 8 s, by 8.2 s, … by 10 s:", world->name, MANY);
    for (int i = 0; i <= BUCKETS; i++)
        printf(" %u", ended[i]);
    printf("\n");
    for (int i = 1; i <= BUCKETS; i++)
        CU_ASSERT(ended[i] > MANY / BUCKETS / 2 && ended[i] < MANY / BUCKETS * 2);
    CU_ASSERT_EQUAL(ended[0], 0);
    site_close(&site);
}

void cache_case_bounded(void)
{
    enum { BYTES = 256 * 1024 };
    char key[16], storage[SITE_VALUE_MAX] = "value";
    struct cache_value value = {.data = storage, .length = sizeof storage};
    unsigned kept = 0;
    site_open(&site, &(struct site_opts){.max_bytes = BYTES});
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "k%d", i);
        CU_ASSERT(cache_put(site.cache, text_of(key), &value, cache_mark(), clock_now_ns()));
        CU_ASSERT_FATAL(mallinfo2().uordblks - before <= BYTES + 4096);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kept += world_look(&site, key, NULL) != CACHE_NOTHING;
    }
    CU_ASSERT(kept > BYTES / 1024 && kept < BYTES / sizeof storage);
    CU_ASSERT_EQUAL(world_look(&site, "k9999", NULL), CACHE_FRESH);   /* the latest is there */
    site_close(&site);
}

/* What is asked for is still there after a hundred times as many that nobody asks for again. */
void cache_case_scan(void)
{
    enum { BYTES = 256 * 1024, HOT = 100 };
    char key[16];
    unsigned kept = 0;
    site_open(&site, &(struct site_opts){.max_bytes = BYTES});
    for (int i = 0; i < HOT; i++) {
        snprintf(key, sizeof key, "hot%d", i);
        CU_ASSERT(world_put(&site, key, i, 0));
        CU_ASSERT_NOT_EQUAL(world_look(&site, key, NULL), CACHE_NOTHING);
        CU_ASSERT_NOT_EQUAL(world_look(&site, key, NULL), CACHE_NOTHING);
    }
    for (int i = 0; i < 100 * HOT; i++) {
        snprintf(key, sizeof key, "scan%d", i);
        CU_ASSERT(world_put(&site, key, i, 0));
    }
    for (int i = 0; i < HOT; i++) {
        snprintf(key, sizeof key, "hot%d", i);
        kept += world_look(&site, key, NULL) != CACHE_NOTHING;
    }
    CU_ASSERT(kept >= HOT * 9 / 10);
    site_close(&site);
}

void cache_case_versions(void)
{
    int64_t value = 0;
    site_open(&site, NULL);
    CU_ASSERT(world_put(&site, "k", 2, 2));
    CU_ASSERT_FALSE(world_put(&site, "k", 1, 1));
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(value, 2);
    CU_ASSERT(world_put(&site, "k", 3, 3));
    CU_ASSERT_EQUAL(world_look(&site, "k", &value), CACHE_FRESH);
    CU_ASSERT_EQUAL(value, 3);
    cache_invalidate(site.cache, TEXT("k"));   /* such as when it is deleted and made anew */
    CU_ASSERT(world_put(&site, "k", 1, 1));
    site_close(&site);
}

static bool put_in_group(const char *key, const char *group, int64_t mark)
{
    char storage[] = "1";
    struct cache_value value = {.data = storage, .length = 1, .group = text_of(group)};
    return cache_put(site.cache, text_of(key), &value, mark, clock_now_ns());
}

void cache_case_group(void)
{
    site_open(&site, NULL);
    int64_t mark = cache_mark();
    CU_ASSERT(put_in_group("a", "g", mark) && put_in_group("b", "g", mark) && put_in_group("c", "h", mark));
    cache_invalidate_group(site.cache, TEXT("g"));
    CU_ASSERT_EQUAL(world_look(&site, "a", NULL), CACHE_NOTHING);
    CU_ASSERT_EQUAL(world_look(&site, "b", NULL), CACHE_NOTHING);
    CU_ASSERT_EQUAL(world_look(&site, "c", NULL), CACHE_FRESH);
    CU_ASSERT_FALSE(put_in_group("a", "g", mark));
    CU_ASSERT(put_in_group("a", "g", cache_mark()));
    CU_ASSERT_EQUAL(world_look(&site, "a", NULL), CACHE_FRESH);
    site_close(&site);
}

/* Two processes of one machine: what one of them invalidates the other does not serve. */
void cache_case_marks(void)
{
    struct marks *first, *second;
    struct site other;
    char path[200];
    snprintf(path, sizeof path, "%s/marks", world_folder());
    CU_ASSERT_EQUAL_FATAL(marks_open(path, &first), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(marks_open(path, &second), ERR_NONE);
    site_open(&site, &(struct site_opts){.marks = first});
    site_open(&other, &(struct site_opts){.name = site.name, .marks = second});
    CU_ASSERT(world_put(&site, "k", 1, 0) && world_put(&other, "k", 1, 0));
    cache_put_absent(other.cache, TEXT("none"), cache_mark(), clock_now_ns());
    cache_invalidate(site.cache, TEXT("k"));
    cache_invalidate(site.cache, TEXT("none"));
    CU_ASSERT_EQUAL(world_look(&other, "k", NULL), CACHE_NOTHING);
    CU_ASSERT_EQUAL(world_look(&other, "none", NULL), CACHE_NOTHING);
    CU_ASSERT(world_put(&other, "k", 2, 0));
    CU_ASSERT_EQUAL(world_look(&other, "k", NULL), CACHE_FRESH);
    site_close(&other);
    site_close(&site);
    marks_close(second);
    marks_close(first);
}
