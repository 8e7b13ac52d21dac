#include "config.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "cache/cache_private.h"
#include "cache/filter.h"
#include "cache/remote.h"

enum {
    SPREADS = 256,             /* a lifetime is shorter by 0 to SPREADS - 1 parts of … */
    SPREAD_WHOLE = 5 * SPREADS,
    EARLY_COSTS = 16,          /* the chance to be loaded anew so many times its cost before its end is e^-16 */
};

static const char *const result_names[CACHE_RESULTS] = {
    [CACHE_NOTHING] = "miss", [CACHE_FRESH] = "fresh", [CACHE_DUE] = "due", [CACHE_STALE] = "stale",
    [CACHE_ABSENT] = "absent", [CACHE_FILTERED] = "filtered",
};

static const char *const outcome_names[LOAD_OUTCOMES] = {
    [LOAD_LOADED] = "loaded", [LOAD_ABSENT] = "absent", [LOAD_FAILED] = "failed",
    [LOAD_REFUSED] = "refused", [LOAD_SHARED] = "shared", [LOAD_UNKEPT] = "unkept",
};

/* ---- life ---- */

static void measure(void *context)
{
    struct cache *cache = context;
    struct memory_stats stats;
    memory_stats(cache->memory, &stats);
    metric_set(cache->bytes, (int64_t)stats.bytes);
    metric_set(cache->entries, (int64_t)stats.entries);
    metric_set(cache->evictions, (int64_t)stats.evictions);
}

static enum err begin_metrics(struct cache *cache)
{
    for (int i = 0; i < CACHE_RESULTS; i++)
        cache->results[i] = metric_series(METRIC_CACHE_LOOKUPS, cache->opts.name, result_names[i]);
    for (int i = 0; i < LOAD_OUTCOMES; i++)
        cache->loads[i] = metric_series(METRIC_CACHE_LOADS, cache->opts.name, outcome_names[i]);
    cache->evictions = metric_series(METRIC_CACHE_EVICTIONS, cache->opts.name);
    cache->bytes = metric_series(METRIC_CACHE_BYTES, cache->opts.name);
    cache->entries = metric_series(METRIC_CACHE_ENTRIES, cache->opts.name);
    return metric_collect(measure, cache);
}

/* FNV-1a: it only has to tell the few caches of a process apart. */
static uint64_t hash_of_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

enum err cache_new(const struct cache_opts *opts, struct cache **ret)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_because(ERR_MEMORY, "no memory for a cache");
    cache->opts = *opts;
    cache->name_hash = hash_of_name(opts->name);
    enum err err = memory_new(opts->max_bytes, &cache->memory);
    if (!err)
        err = absences_new(opts->absent_entries, &cache->absences);
    if (!err)
        err = flights_new(opts->flights_max, opts->waiters_max, &cache->flights);
    if (!err)
        err = begin_metrics(cache);
    if (err)
        cache_free(cache);
    else
        *ret = cache;
    return err;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    metric_collect_end(cache);
    flights_free(cache->flights);
    absences_free(cache->absences);
    memory_free(cache->memory);
    free(cache);
}

/* ---- looking ---- */

static uint64_t hash_of(const struct cache *cache, struct text key)
{
    assert(key.length > 0 && key.length <= CACHE_KEY_MAX);
    return marks_hash(cache->opts.marks, cache->name_hash, key);
}

/* A group is told apart from a key of the same name. */
static uint64_t hash_of_group(const struct cache *cache, struct text group)
{
    return group.at ? marks_hash(cache->opts.marks, ~cache->name_hash, group) : 0;
}

/* XFetch: it is loaded anew the earlier the longer that takes, by chance, so that of many who ask one does. */
static bool is_due(const struct memory_note *note, int64_t left_ns)
{
    if (left_ns > note->cost_ns * EARLY_COSTS)
        return false;
    double chance = (random_below(UINT32_MAX) + 1.0) / UINT32_MAX;
    return -(double)note->cost_ns * log(chance) >= (double)left_ns;
}

static enum cache_found judge(const struct cache *cache, const struct memory_note *note,
                              const struct cache_lifetimes *lifetimes, int64_t now_ns)
{
    int64_t fresh_ns = lifetimes->fresh_ns - lifetimes->fresh_ns / SPREAD_WHOLE * note->spread;
    int64_t left_ns = fresh_ns - (now_ns - note->loaded_ns);
    bool is_near = !cache->opts.remote || now_ns - note->checked_ns < lifetimes->near_ns;
    if (now_ns >= note->until_ns)
        return CACHE_NOTHING;
    if (left_ns > 0 && is_near)
        return is_due(note, left_ns) ? CACHE_DUE : CACHE_FRESH;
    return now_ns - note->loaded_ns < lifetimes->fresh_ns + lifetimes->stale_ns ? CACHE_STALE : CACHE_NOTHING;
}

static bool holds(const struct cache *cache, const struct memory_note *note)
{
    return marks_hold(cache->opts.marks, note->hash, note->mark) &&
           (!note->group || marks_hold(cache->opts.marks, note->group, note->mark));
}

static enum cache_found look(struct cache *cache, uint64_t hash, struct text key,
                             const struct cache_lifetimes *lifetimes, int64_t now_ns, struct cache_value *value)
{
    struct memory_note note;
    struct absence absence;
    enum cache_found found = CACHE_NOTHING;
    if (memory_find(cache->memory, hash, key, value->data, value->capacity, &note, &value->length)) {
        value->version = note.version;
        if (holds(cache, &note))
            found = judge(cache, &note, lifetimes, now_ns);
        else
            memory_remove(cache->memory, hash, key);   /* its version is to keep nothing out */
    }
    if (found == CACHE_NOTHING && absences_find(cache->absences, hash, &absence) &&
        now_ns - absence.asked_ns < lifetimes->absent_ns && marks_hold(cache->opts.marks, hash, absence.mark))
        found = CACHE_ABSENT;
    return found;
}

enum cache_found cache_get(struct cache *cache, struct text key, const struct cache_lifetimes *lifetimes,
                           int64_t now_ns, struct cache_value *value)
{
    assert(value->capacity >= cache->opts.value_max_bytes);
    enum cache_found found = look(cache, hash_of(cache, key), key, lifetimes, now_ns, value);
    bool is_filtered = found == CACHE_NOTHING && cache->opts.filter &&
                       filter_lacks(cache->opts.filter, key, lifetimes->absent_ns, now_ns);
    metric_add(cache->results[is_filtered ? CACHE_FILTERED : found], 1);
    return is_filtered ? CACHE_ABSENT : found;
}

/* ---- remembering ---- */

int64_t cache_mark(void)
{
    return marks_now();
}

bool cache_holds(const struct cache *cache, struct text key, int64_t mark)
{
    return marks_hold(cache->opts.marks, hash_of(cache, key), mark);
}

bool cache_group_holds(const struct cache *cache, struct text group, int64_t mark)
{
    return marks_hold(cache->opts.marks, hash_of_group(cache, group), mark);
}

bool cache_keep(struct cache *cache, struct text key, const struct cache_value *value,
                const struct cache_note_opts *opts)
{
    const struct memory_note note = {
        .hash = hash_of(cache, key),
        .group = hash_of_group(cache, value->group),
        .mark = opts->mark,
        .version = value->version,
        .loaded_ns = opts->loaded_ns,
        .checked_ns = opts->checked_ns,
        .until_ns = value->until_ns ? value->until_ns : INT64_MAX,
        .cost_ns = opts->cost_ns,
        .spread = random_below(SPREADS),
    };
    if (!holds(cache, &note))
        return false;
    absences_remove(cache->absences, note.hash);
    /* What is invalidated from here on is so when it is looked at. */
    return memory_put(cache->memory, &note, key, (struct text){value->data, value->length}) != MEMORY_OLDER &&
           holds(cache, &note);
}

bool cache_put(struct cache *cache, struct text key, const struct cache_value *value, int64_t mark, int64_t now_ns)
{
    return cache_keep(cache, key, value,
                      &(struct cache_note_opts){.mark = mark, .loaded_ns = now_ns, .checked_ns = now_ns});
}

void cache_put_absent(struct cache *cache, struct text key, int64_t mark, int64_t now_ns)
{
    const struct absence absence = {.hash = hash_of(cache, key), .mark = mark, .asked_ns = now_ns};
    memory_remove(cache->memory, absence.hash, key);
    absences_put(cache->absences, &absence);
}

/* ---- invalidating: the marks alone would do; the memory is given back and the absence forgotten by the way ---- */

void cache_invalidate(struct cache *cache, struct text key)
{
    uint64_t hash = hash_of(cache, key);
    if (cache->opts.filter)
        filter_add(cache->opts.filter, key);
    marks_invalidate(cache->opts.marks, hash);
    memory_remove(cache->memory, hash, key);
    absences_remove(cache->absences, hash);
    if (cache->opts.remote)
        cache_remote_invalidate(cache->opts.remote, cache->opts.name, key);
}

void cache_invalidate_group(struct cache *cache, struct text group)
{
    marks_invalidate(cache->opts.marks, hash_of_group(cache, group));
    if (cache->opts.remote)
        cache_remote_invalidate_group(cache->opts.remote, cache->opts.name, group);
}

void cache_invalidate_values(struct cache *cache)
{
    marks_invalidate_all(cache->opts.marks);
}

void cache_invalidate_all(struct cache *cache)
{
    if (cache->opts.filter)
        filter_distrust(cache->opts.filter);
    marks_invalidate_all(cache->opts.marks);
}
