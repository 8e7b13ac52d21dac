/* What the files of a cache share: cache.c remembers, cache_load.c loads. */
#ifndef TANDEM_CACHE_CACHE_PRIVATE_H
#define TANDEM_CACHE_CACHE_PRIVATE_H

#include "cache/absences.h"
#include "cache/cache.h"
#include "cache/memory.h"
#include "telemetry/metric.h"

/* How a load ended. SHARED: another process had loaded it. UNKEPT: it was invalidated meanwhile, again and again. */
enum cache_load_outcome {
    LOAD_LOADED, LOAD_ABSENT, LOAD_FAILED, LOAD_REFUSED, LOAD_SHARED, LOAD_UNKEPT, LOAD_OUTCOMES,
};

/* How a look ended: as who looked is told, or absent by the filter. */
enum { CACHE_FILTERED = CACHE_ABSENT + 1, CACHE_RESULTS };

struct cache {
    struct cache_opts opts;
    uint64_t name_hash;
    struct memory *memory;
    struct absences *absences;
    struct flights *flights;
    struct metric_series results[CACHE_RESULTS], loads[LOAD_OUTCOMES], evictions, bytes, entries;
};

struct cache_note_opts {
    int64_t mark;
    int64_t loaded_ns, checked_ns, cost_ns;
};

/** As cache_put(), with all that is known of it. */
bool cache_keep(struct cache *cache, struct text key, const struct cache_value *value,
                const struct cache_note_opts *opts);

#endif
