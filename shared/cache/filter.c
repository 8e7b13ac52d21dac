#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "cache/filter_private.h"

enum { WANT_PAUSE_MS = 250, PLACE_BITS = 6, BLOCK_SHIFT = 32 };

_Static_assert(1 << PLACE_BITS == FILTER_WORD_BITS, "a place is that of a bit in a word");

static const char *const outcome_names[FILTER_OUTCOMES] = {
    [FILTER_REFRESHED] = "new", [FILTER_REBUILT] = "all", [FILTER_FULL] = "full",
};

/* ---- life ---- */

static void measure(void *context)
{
    struct filter *filter = context;
    struct filter_stats stats;
    filter_stats(filter, &stats);
    metric_set(filter->keys, (int64_t)stats.keys);
    metric_set(filter->keys_max, (int64_t)stats.keys_max);
}

static enum err begin_metrics(struct filter *filter)
{
    for (int i = 0; i < FILTER_OUTCOMES; i++) {
        if (outcome_names[i])
            filter->outcomes[i] = metric_series(METRIC_CACHE_FILTER_LISTINGS, filter->opts.name, outcome_names[i]);
    }
    filter->failures = metric_series(METRIC_CACHE_FILTER_LISTINGS, filter->opts.name, "failed");
    filter->keys = metric_series(METRIC_CACHE_FILTER_KEYS, filter->opts.name);
    filter->keys_max = metric_series(METRIC_CACHE_FILTER_KEYS_MAX, filter->opts.name);
    return metric_collect(measure, filter);
}

enum err filter_open(const struct filter_opts *opts, struct filter **ret)
{
    assert(opts->keys_max > 0);
    struct filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return err_because(ERR_MEMORY, "no memory for the filter of a cache");
    filter->opts = *opts;
    pthread_mutex_init(&filter->refreshing, NULL);
    enum err err = filter_file_open(filter);
    if (!err)
        err = begin_metrics(filter);
    if (err)
        filter_close(filter);
    else
        *ret = filter;
    return err;
}

void filter_close(struct filter *filter)
{
    if (!filter)
        return;
    metric_collect_end(filter);
    filter_file_close(filter);
    pthread_mutex_destroy(&filter->refreshing);
    free(filter);
}

void filter_stats(const struct filter *filter, struct filter_stats *ret)
{
    const struct filter_page *page = filter->page;
    unsigned current = atomic_load(&page->current) % FILTER_HALVES;
    uint64_t keys = atomic_load(&page->halves[current].keys), other = atomic_load(&page->halves[!current].keys);
    if (atomic_load(&page->full_ns) && other > keys)   /* it was being made anew when that was found out */
        keys = other;
    *ret = (struct filter_stats){keys, page->keys_max, filter->mapped_bytes};
}

/* ---- bits ---- */

static uint64_t hash_of(const struct filter *filter, struct text key)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.at, key.length, filter->page->hash_key);
    return hash;
}

/* The upper half of a hash says which block; the bits in it are by the lower 48, which are all but independent of that
 * while there are fewer than 65,536 blocks, and enough so beyond. */
static _Atomic uint64_t *block_of(const struct filter *filter, unsigned half, uint64_t hash)
{
    uint64_t block = half * filter->blocks + ((hash >> BLOCK_SHIFT) * filter->blocks >> BLOCK_SHIFT);
    return &filter->page->words[block * FILTER_WORDS];
}

static uint64_t bit_of(uint64_t hash, unsigned word)
{
    return UINT64_C(1) << (hash >> (word * PLACE_BITS) & (FILTER_WORD_BITS - 1));
}

static bool has(const struct filter *filter, unsigned half, uint64_t hash)
{
    const _Atomic uint64_t *block = block_of(filter, half, hash);
    bool all = true;
    for (unsigned i = 0; i < FILTER_WORDS && all; i++)
        all = atomic_load_explicit(&block[i], memory_order_acquire) & bit_of(hash, i);
    return all;
}

static void add(struct filter *filter, unsigned half, uint64_t hash)
{
    _Atomic uint64_t *block = block_of(filter, half, hash);
    bool is_new = false;
    for (unsigned i = 0; i < FILTER_WORDS; i++)
        is_new |= !(atomic_fetch_or(&block[i], bit_of(hash, i)) & bit_of(hash, i));
    if (is_new)
        atomic_fetch_add(&filter->page->halves[half].keys, 1);
}

void filter_half_add(struct filter *filter, unsigned half, struct text key)
{
    add(filter, half, hash_of(filter, key));
}

/* Who adds meanwhile has committed: it stays, or the listing that follows has it. These stores are done before that. */
void filter_half_clear(struct filter *filter, unsigned half)
{
    uint64_t count = filter->blocks * FILTER_WORDS;
    atomic_store(&filter->page->halves[half].complete_ns, 0);
    atomic_store(&filter->page->halves[half].whole_ns, 0);
    atomic_store(&filter->page->halves[half].keys, 0);
    for (uint64_t i = 0; i < count; i++)
        atomic_store(&filter->page->words[half * count + i], 0);
}

/* ---- looking and adding ---- */

static void want(struct filter *filter, int64_t now_ns)
{
    int64_t wanted_ns = atomic_load(&filter->wanted_ns);
    if (filter->opts.want && (!wanted_ns || now_ns - wanted_ns >= WANT_PAUSE_MS * NS_PER_MS) &&
        atomic_compare_exchange_strong(&filter->wanted_ns, &wanted_ns, now_ns))
        filter->opts.want(filter->opts.context);
}

/* What was made anew while it was looked at is not complete as of the same time. */
bool filter_lacks(struct filter *filter, struct text key, int64_t absent_ns, int64_t now_ns)
{
    if (absent_ns <= 0)
        return false;
    unsigned current = atomic_load(&filter->page->current) % FILTER_HALVES;
    _Atomic int64_t *complete = &filter->page->halves[current].complete_ns;
    int64_t complete_ns = atomic_load(complete), age_ns = now_ns - complete_ns;
    bool is_good = complete_ns > 0 && age_ns < absent_ns && filter_is_trusted(filter, current);
    if (!is_good || age_ns >= absent_ns / 2)
        want(filter, now_ns);
    return is_good && !has(filter, current, hash_of(filter, key)) && atomic_load(complete) == complete_ns;
}

/* To both halves, whichever is being made anew. */
void filter_add(struct filter *filter, struct text key)
{
    uint64_t hash = hash_of(filter, key);
    for (unsigned i = 0; i < FILTER_HALVES; i++)
        add(filter, i, hash);
}

void filter_distrust(struct filter *filter)
{
    int64_t now_ns = clock_now_ns(), from_ns = atomic_load(&filter->page->distrusted_ns);
    while (from_ns < now_ns && !atomic_compare_exchange_weak(&filter->page->distrusted_ns, &from_ns, now_ns))
        continue;
}
