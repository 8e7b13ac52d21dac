/*
 * What the cache in memory costs and how often it hits: the time of a hit, alone and with threads, and of a look for
 * what a filter of all keys knows to be absent, with the time that it takes to list these; and hit ratios
 * beside those of plain LRU with the same room, on a trace whose keys are asked for by Zipf's law, and on the same with
 * scans.
 *
 *     bench_cache            all of it
 *     bench_cache hits N     N hits and nothing else, for callgrind
 */
#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/filter.h"

enum {
    KEYS = 100000, REQUESTS = 2000000, SCAN_EVERY = 200000, SCAN_LENGTH = 50000,
    KEYS_EVER = 1 + KEYS + SCAN_LENGTH * (REQUESTS / SCAN_EVERY),
    VALUE_BYTES = 100, ENTRY_BYTES = 233, HITS = 2000000, HOT_KEYS = 1000, THREADS_MAX = 4, KEY_SIZE = 24,
};

static const struct cache_lifetimes lifetimes = {.fresh_ns = 3600 * NS_PER_S, .absent_ns = 3600 * NS_PER_S};

static struct marks *marks;

static struct cache *make_cache(size_t max_bytes, struct filter *filter)
{
    struct cache *cache;
    const struct cache_opts opts = {.name = "bench", .marks = marks, .filter = filter, .max_bytes = max_bytes,
                                    .value_max_bytes = VALUE_BYTES, .flights_max = 1};
    if (cache_new(&opts, &cache)) {
        fprintf(stderr, "%s\n", err_cause());
        exit(EXIT_FAILURE);
    }
    return cache;
}

static struct text key_of(char out[static KEY_SIZE], unsigned number)
{
    int length = snprintf(out, KEY_SIZE, "item-%08u", number);
    return (struct text){out, (size_t)length};
}

static bool get(struct cache *cache, struct text key, int64_t now_ns)
{
    char storage[VALUE_BYTES];
    struct cache_value value = {.data = storage, .capacity = sizeof storage};
    return cache_get(cache, key, &lifetimes, now_ns, &value) == CACHE_FRESH;
}

static void put(struct cache *cache, struct text key, int64_t now_ns)
{
    static char bytes[VALUE_BYTES];
    const struct cache_value value = {.data = bytes, .length = sizeof bytes};
    if (!cache_put(cache, key, &value, cache_mark(), now_ns))
        abort();
}

/* ---- hits ---- */

struct hitting {
    struct cache *cache;
    unsigned hits;
    int64_t took_ns;
};

static void *hit(void *context)
{
    struct hitting *hitting = context;
    char keys[HOT_KEYS][KEY_SIZE];
    struct text texts[HOT_KEYS];
    unsigned found = 0;
    for (unsigned i = 0; i < HOT_KEYS; i++)
        texts[i] = key_of(keys[i], i);
    int64_t began_ns = clock_now_ns();
    for (unsigned i = 0; i < hitting->hits; i++)
        found += get(hitting->cache, texts[i * 7919 % HOT_KEYS], clock_now_ns());
    hitting->took_ns = clock_now_ns() - began_ns;
    if (found != hitting->hits)
        abort();
    return NULL;
}

static struct cache *warm(void)
{
    char storage[KEY_SIZE];
    struct cache *cache = make_cache(4 * 1024 * 1024, NULL);
    for (unsigned i = 0; i < HOT_KEYS; i++)
        put(cache, key_of(storage, i), clock_now_ns());
    return cache;
}

static void time_hits(unsigned threads, unsigned hits)
{
    struct hitting hitting[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    struct cache *cache = warm();
    for (unsigned i = 0; i < threads; i++) {
        hitting[i] = (struct hitting){.cache = cache, .hits = hits};
        pthread_create(&ids[i], NULL, hit, &hitting[i]);
    }
    int64_t took_ns = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        took_ns += hitting[i].took_ns;
    }
    printf("a hit, %u thread(s), %d keys, %d bytes: %lld ns\n", threads, HOT_KEYS, VALUE_BYTES,
           (long long)(took_ns / threads / hits));
    cache_free(cache);
}

/* ---- what is not there ---- */

static enum err list(void *context, int64_t made_us, struct text key, struct filter_listing *listing)
{
    char storage[KEY_SIZE];
    unsigned from = made_us < 0 ? 0 : (unsigned)made_us + 1;   /* its number is when it was made */
    (void)context;
    (void)key;
    for (unsigned i = from; i < KEYS && i < from + FILTER_PAGE_MAX; i++)
        filter_listed(listing, i, key_of(storage, i));
    return ERR_NONE;
}

static void time_absent(void)
{
    char storage[KEY_SIZE], bytes[VALUE_BYTES];
    struct cache_value value = {.data = bytes, .capacity = sizeof bytes};
    struct filter *filter;
    const struct filter_opts opts = {.name = "bench", .keys_max = KEYS};
    if (filter_open(&opts, &filter))
        abort();
    struct cache *cache = make_cache(4 * 1024 * 1024, filter);
    int64_t began_ns = clock_now_ns();
    if (filter_refresh(filter, &(struct filter_refresh){.list = list, .absent_ns = lifetimes.absent_ns}, NULL))
        abort();
    int64_t listed_ns = clock_now_ns() - began_ns, took_ns = 0;
    unsigned absent = 0;
    for (unsigned i = 0; i < HITS; i++) {
        struct text key = key_of(storage, KEYS + i);
        int64_t now_ns = clock_now_ns();
        absent += cache_get(cache, key, &lifetimes, now_ns, &value) == CACHE_ABSENT;
        took_ns += clock_now_ns() - now_ns;
    }
    printf("%d keys listed in a filter: %lld ns each; an absent one by it, the clock read twice: %lld ns; "
           "it let %.3f%% pass\n", KEYS, (long long)(listed_ns / KEYS), (long long)(took_ns / HITS),
           100.0 * (HITS - absent) / HITS);
    cache_free(cache);
    filter_close(filter);
}

/* ---- plain LRU, to compare with: as many entries as the cache has room for, of ENTRY_BYTES each ---- */

struct lru {
    unsigned max, count;
    unsigned newer[KEYS_EVER], older[KEYS_EVER];
    bool in[KEYS_EVER];
};

/* Key 0 is the ring's head: newer[0] the oldest, older[0] the newest. */
static void lru_unlink(struct lru *lru, unsigned key)
{
    lru->newer[lru->older[key]] = lru->newer[key];
    lru->older[lru->newer[key]] = lru->older[key];
}

static bool lru_ask(struct lru *lru, unsigned key)
{
    bool hits = lru->in[key];
    if (hits)
        lru_unlink(lru, key);
    else
        lru->count++;
    if (lru->count > lru->max) {
        unsigned oldest = lru->newer[0];
        lru_unlink(lru, oldest);
        lru->in[oldest] = false;
        lru->count--;
    }
    lru->in[key] = true;
    lru->older[key] = lru->older[0];
    lru->newer[key] = 0;
    lru->newer[lru->older[0]] = key;
    lru->older[0] = key;
    return hits;
}

/* ---- traces ---- */

static double *zipf_sums(double exponent)
{
    double *sums = malloc(KEYS * sizeof *sums), sum = 0;
    for (unsigned i = 0; i < KEYS; i++)
        sums[i] = sum += 1 / pow(i + 1, exponent);
    return sums;
}

/* A generator of our own, so that each run has the same trace. */
static double next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static unsigned next_zipf(const double *sums, uint64_t *state)
{
    double wanted = next_random(state) * sums[KEYS - 1];
    unsigned low = 0, high = KEYS - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (sums[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return 1 + low;
}

struct ratio {
    unsigned asked, ours, lru;
};

static void ask_both(struct cache *cache, struct lru *lru, unsigned key, bool counts, struct ratio *ratio)
{
    char storage[KEY_SIZE];
    struct text text = key_of(storage, key);
    bool ours = get(cache, text, 1), theirs = lru_ask(lru, key);
    if (!ours)
        put(cache, text, 1);
    ratio->asked += counts;
    ratio->ours += counts && ours;
    ratio->lru += counts && theirs;
}

/* Scans ask for keys that nobody asks for again, and are not counted: what counts is what they do to the others. */
static void compare(double exponent, bool with_scans, unsigned percent)
{
    unsigned entries = KEYS / 100 * percent, scanned = KEYS;
    struct cache *cache = make_cache((size_t)entries * ENTRY_BYTES, NULL);
    struct lru *lru = calloc(1, sizeof *lru);
    double *sums = zipf_sums(exponent);
    struct ratio ratio = {0, 0, 0};
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    lru->max = entries;
    for (unsigned i = 0; i < REQUESTS; i++) {
        if (with_scans && i % SCAN_EVERY == SCAN_EVERY / 2) {
            for (unsigned j = 0; j < SCAN_LENGTH; j++)
                ask_both(cache, lru, ++scanned, false, &ratio);
        }
        ask_both(cache, lru, next_zipf(sums, &state), i > REQUESTS / 10, &ratio);
    }
    printf("Zipf %.1f, room for %2u%% of %d keys%s: S3-FIFO %.2f%%, LRU %.2f%%\n", exponent, percent, KEYS,
           with_scans ? ", with scans" : "            ", 100.0 * ratio.ours / ratio.asked,
           100.0 * ratio.lru / ratio.asked);
    free(sums);
    free(lru);
    cache_free(cache);
}

int main(int argc, char **argv)
{
    if (marks_open(NULL, &marks))
        return EXIT_FAILURE;
    if (argc == 3 && strcmp(argv[1], "hits") == 0) {
        time_hits(1, (unsigned)strtoul(argv[2], NULL, 10));
        return EXIT_SUCCESS;
    }
    for (unsigned threads = 1; threads <= THREADS_MAX; threads *= 2)
        time_hits(threads, HITS / threads);
    time_absent();
    for (unsigned percent = 1; percent <= 10; percent *= 10) {
        for (int scans = 0; scans <= 1; scans++) {
            compare(0.8, scans, percent);
            compare(1.0, scans, percent);
        }
    }
    return EXIT_SUCCESS;
}
