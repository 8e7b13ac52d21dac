#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/service/cache_traffic.h"

enum { SITES = 2, READERS = 2, CHANGES_MAX = 20000, TIMES_MAX = 400000, CHANGE_EVERY_MS = 5, TIMEOUT_MS = 5000,
       AWAIT_MS = 60000, PAUSE_US = 200 };

/* A key's value is how often it was changed. */
struct changing {
    struct source source;
    _Atomic int64_t acknowledged[CHANGES_MAX];   /* when value i was; 0: not yet */
    _Atomic int64_t latest;                      /* that was acknowledged */
};

struct reader {
    struct traffic *traffic;
    struct site *site;
    pthread_t thread;
};

struct traffic {
    struct traffic_opts opts;
    struct site sites[SITES];
    struct changing *keys;                       /* TRAFFIC_KEYS */
    struct reader readers[SITES * READERS];
    pthread_t writer;
    atomic_bool stopping;
    atomic_uint requests, failed, changes, times_used;
    _Atomic int64_t stalest_ns;
    int64_t *times;
};

static void note_age(struct traffic *traffic, const struct changing *key, int64_t value, int64_t asked_ns,
                     int64_t latest)
{
    if (value >= latest)
        return;
    int64_t age_ns = asked_ns - key->acknowledged[value + 1], seen_ns = traffic->stalest_ns;
    while (age_ns > seen_ns && !atomic_compare_exchange_weak(&traffic->stalest_ns, &seen_ns, age_ns))
        continue;
}

static void *read_on(void *context)
{
    struct reader *reader = context;
    struct traffic *traffic = reader->traffic;
    while (!traffic->stopping) {
        unsigned at = random_below(TRAFFIC_KEYS);
        struct changing *key = &traffic->keys[at];
        int64_t value = 0, latest = key->latest, asked_ns = clock_now_ns();
        enum err err = world_ask_for(reader->site, traffic->opts.keys[at], &key->source, &traffic->opts.lifetimes,
                                     TIMEOUT_MS, &value);
        int64_t took_ns = clock_now_ns() - asked_ns;
        unsigned slot = traffic->times_used++;
        if (slot < TIMES_MAX)
            traffic->times[slot] = took_ns;
        if (err)
            traffic->failed++;
        else
            note_age(traffic, key, value, asked_ns, latest);
        traffic->requests++;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_US * 1000}, NULL);
    }
    return NULL;
}

static void *change_on(void *context)
{
    struct traffic *traffic = context;
    while (!traffic->stopping) {
        unsigned at = random_below(TRAFFIC_KEYS);
        struct changing *key = &traffic->keys[at];
        int64_t next = key->latest + 1;
        if (next < CHANGES_MAX) {
            source_set(&key->source, next, (uint64_t)next + 1);
            cache_invalidate(traffic->sites[0].cache, text_of(traffic->opts.keys[at]));
            key->acknowledged[next] = clock_now_ns();
            key->latest = next;
            traffic->changes++;
        }
        nanosleep(&(struct timespec){.tv_nsec = CHANGE_EVERY_MS * NS_PER_MS}, NULL);
    }
    return NULL;
}

struct traffic *traffic_start(const struct traffic_opts *opts)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    traffic->opts = *opts;
    traffic->keys = calloc(TRAFFIC_KEYS, sizeof traffic->keys[0]);
    traffic->times = calloc(TIMES_MAX, sizeof traffic->times[0]);
    for (int i = 0; i < TRAFFIC_KEYS; i++) {
        source_init(&traffic->keys[i].source, 0);
        traffic->keys[i].source.version = 1;
    }
    for (int i = 0; i < SITES; i++)
        site_open_other(&traffic->sites[i], opts->like);
    for (int i = 0; i < SITES * READERS; i++) {
        traffic->readers[i] = (struct reader){.traffic = traffic, .site = &traffic->sites[i % SITES]};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&traffic->readers[i].thread, NULL, read_on, &traffic->readers[i]), 0);
    }
    CU_ASSERT_EQUAL_FATAL(pthread_create(&traffic->writer, NULL, change_on, traffic), 0);
    return traffic;
}

struct awaiting {
    const struct traffic *traffic;
    unsigned requests;
};

static bool has_more(void *context)
{
    const struct awaiting *awaiting = context;
    return awaiting->traffic->requests >= awaiting->requests;
}

void traffic_await(struct traffic *traffic, unsigned requests)
{
    struct awaiting awaiting = {traffic, traffic->requests + requests};
    CU_ASSERT(process_until(has_more, &awaiting, AWAIT_MS));
}

static int compare(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

void traffic_stop(struct traffic *traffic, struct traffic_result *ret)
{
    traffic->stopping = true;
    for (int i = 0; i < SITES * READERS; i++)
        pthread_join(traffic->readers[i].thread, NULL);
    pthread_join(traffic->writer, NULL);
    size_t count = traffic->times_used < TIMES_MAX ? traffic->times_used : TIMES_MAX;
    qsort(traffic->times, count, sizeof traffic->times[0], compare);
    *ret = (struct traffic_result){
        .requests = traffic->requests,
        .failed = traffic->failed,
        .changes = traffic->changes,
        .p50_ns = traffic->times[count / 2],
        .p99_ns = traffic->times[count * 99 / 100],
        .longest_ns = traffic->times[count - 1],
        .stalest_ns = traffic->stalest_ns,
    };
    for (int i = 0; i < SITES; i++)
        site_close(&traffic->sites[i]);
    free(traffic->times);
    free(traffic->keys);
    free(traffic);
}

void traffic_print(const char *what, const struct traffic_result *result)
{
    printf("# %s: %s: %u requests, %u failed, %u changes; p50 %.3f ms, p99 %.3f ms, longest %.0f ms; the oldest served"
           " was %.0f ms out of date\n",
           world->name, what, result->requests, result->failed, result->changes, (double)result->p50_ns / 1e6,
           (double)result->p99_ns / 1e6, (double)result->longest_ns / 1e6, (double)result->stalest_ns / 1e6);
}
