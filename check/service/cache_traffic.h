/*
 * Traffic on a shared cache: two machines whose threads ask for a few keys without pause while one changes them, and
 * what came of it: whether a request failed, how long they took, and how old what they were given was, counted from
 * when the newer value had been acknowledged.
 */
#ifndef TANDEM_CHECK_SERVICE_CACHE_TRAFFIC_H
#define TANDEM_CHECK_SERVICE_CACHE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "check/service/cache_world.h"

enum { TRAFFIC_KEYS = 8, TRAFFIC_KEY_SIZE = 32 };

struct traffic_opts {
    const char (*keys)[TRAFFIC_KEY_SIZE];      /* TRAFFIC_KEYS of them */
    const struct site *like;                   /* whose name is the cache's */
    struct cache_lifetimes lifetimes;
};

struct traffic_result {
    unsigned requests, failed, changes;
    int64_t p50_ns, p99_ns, longest_ns;
    int64_t stalest_ns;                        /* 0: nothing that was older than acknowledged */
};

struct traffic;

struct traffic *traffic_start(const struct traffic_opts *opts);

/** Until so many more requests were answered. */
void traffic_await(struct traffic *traffic, unsigned requests);
void traffic_stop(struct traffic *traffic, struct traffic_result *ret);

/** Says it as a comment of TAP. */
void traffic_print(const char *what, const struct traffic_result *result);

#endif
