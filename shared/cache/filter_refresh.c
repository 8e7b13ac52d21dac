/* Listing: what is new into the half that answers, or everything into the other one. */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "cache/cache.h"
#include "cache/filter_private.h"

/* Where a listing is: after the last key that was told of. */
struct filter_listing {
    struct filter *filter;
    const struct filter_refresh *refresh;
    unsigned half, told;           /* told: in this page */
    int64_t made_us;
    size_t length;
    char key[CACHE_KEY_MAX];
};

static struct filter_half *half_of(const struct filter *filter, unsigned half)
{
    return &filter->page->halves[half];
}

static bool is_too_full(const struct filter *filter, unsigned half)
{
    return atomic_load(&half_of(filter, half)->keys) > filter->page->keys_max;
}

/* ---- pages ---- */

void filter_listed(struct filter_listing *listing, int64_t made_us, struct text key)
{
    assert(key.length > 0 && key.length <= CACHE_KEY_MAX);
    filter_half_add(listing->filter, listing->half, key);
    memcpy(listing->key, key.at, key.length);
    listing->length = key.length;
    listing->made_us = made_us;
    listing->told++;
}

static enum err list_page(struct filter_listing *listing, bool *ret_more)
{
    const struct filter_refresh *refresh = listing->refresh;
    if (refresh->given_up && atomic_load(refresh->given_up))
        return err_because(ERR_CLOSED, "the listing was given up");
    char after[CACHE_KEY_MAX];
    memcpy(after, listing->key, listing->length);
    listing->told = 0;
    enum err err = refresh->list(refresh->context, listing->made_us, (struct text){after, listing->length}, listing);
    assert(listing->told <= FILTER_PAGE_MAX);
    *ret_more = !err && listing->told == FILTER_PAGE_MAX && !is_too_full(listing->filter, listing->half);
    return err;
}

/* ---- what is new ---- */

/* A clock that was set back has what is made from then on from its new time. */
static int64_t since_us(const struct filter_half *half, int64_t wall_us)
{
    int64_t last_us = atomic_load(&half->since_us);
    return (last_us < wall_us ? last_us : wall_us) - FILTER_OVERLAP_US;
}

static enum err list_new(struct filter *filter, const struct filter_refresh *refresh, unsigned at)
{
    struct filter_half *half = half_of(filter, at);
    int64_t mark = clock_now_ns(), wall_us = clock_wall_us();
    struct filter_listing listing = {
        .filter = filter, .refresh = refresh, .half = at, .made_us = since_us(half, wall_us)};
    bool more = true;
    enum err err = ERR_NONE;
    while (!err && more)
        err = list_page(&listing, &more);
    if (err)
        return err;
    atomic_store(&half->since_us, wall_us);
    atomic_store(&half->complete_ns, mark);
    return ERR_NONE;
}

static bool is_late(const struct filter *filter, const struct filter_refresh *refresh, unsigned half)
{
    return clock_now_ns() - atomic_load(&half_of(filter, half)->complete_ns) >= refresh->absent_ns / 2;
}

/* ---- everything ---- */

/* The half that answers goes on answering while the other one is made, however long that takes. */
static enum err keep_up(struct filter *filter, const struct filter_refresh *refresh, unsigned current)
{
    if (!filter_is_trusted(filter, current) || !is_late(filter, refresh, current) || is_too_full(filter, current))
        return ERR_NONE;
    return list_new(filter, refresh, current);
}

static enum err list_all(struct filter *filter, const struct filter_refresh *refresh, unsigned at, unsigned current)
{
    struct filter_listing listing = {.filter = filter, .refresh = refresh, .half = at, .made_us = INT64_MIN};
    bool more = true;
    enum err err = ERR_NONE;
    while (!err && more) {
        err = list_page(&listing, &more);
        if (!err)
            err = keep_up(filter, refresh, current);
    }
    return err;
}

static enum filter_outcome be_full(struct filter *filter, unsigned current)
{
    atomic_store(&half_of(filter, current)->complete_ns, 0);
    atomic_store(&half_of(filter, current)->whole_ns, 0);
    return atomic_exchange(&filter->page->full_ns, clock_now_ns()) ? FILTER_STAYED_FULL : FILTER_FULL;
}

static enum err rebuild(struct filter *filter, const struct filter_refresh *refresh, enum filter_outcome *ret)
{
    unsigned current = atomic_load(&filter->page->current), at = !current;
    struct filter_half *half = half_of(filter, at);
    filter_half_clear(filter, at);
    int64_t mark = clock_now_ns(), wall_us = clock_wall_us();
    enum err err = list_all(filter, refresh, at, current);
    if (err)
        return err;
    if (is_too_full(filter, at)) {
        *ret = be_full(filter, current);
        return ERR_NONE;
    }
    atomic_store(&half->whole_ns, mark);
    atomic_store(&half->since_us, wall_us);
    atomic_store(&half->complete_ns, mark);
    atomic_store(&filter->page->current, at);
    atomic_store(&filter->page->full_ns, 0);
    *ret = FILTER_REBUILT;
    return is_late(filter, refresh, at) ? list_new(filter, refresh, at) : ERR_NONE;
}

/* ---- which of them ---- */

static bool is_to_be_rebuilt(const struct filter *filter, unsigned current, int64_t rebuild_ns)
{
    int64_t whole_ns = atomic_load(&half_of(filter, current)->whole_ns);
    return !filter_is_trusted(filter, current) || clock_now_ns() - whole_ns >= rebuild_ns ||
           is_too_full(filter, current);
}

static enum err refresh_taken(struct filter *filter, const struct filter_refresh *refresh, enum filter_outcome *ret)
{
    unsigned current = atomic_load(&filter->page->current);
    int64_t rebuild_ns = refresh->rebuild_ns ? refresh->rebuild_ns : FILTER_REBUILD_NS;
    int64_t full_ns = atomic_load(&filter->page->full_ns);
    if (full_ns && clock_now_ns() - full_ns < rebuild_ns) {
        *ret = FILTER_STAYED_FULL;
        return ERR_NONE;
    }
    if (is_to_be_rebuilt(filter, current, rebuild_ns))
        return rebuild(filter, refresh, ret);
    if (!is_late(filter, refresh, current))
        return ERR_NONE;
    *ret = FILTER_REFRESHED;
    return list_new(filter, refresh, current);
}

enum err filter_refresh(struct filter *filter, const struct filter_refresh *refresh, enum filter_outcome *ret)
{
    enum filter_outcome outcome = FILTER_IDLE;
    if (refresh->absent_ns > 0 && filter_file_take(filter)) {
        enum err err = refresh_taken(filter, refresh, &outcome);
        filter_file_give_back(filter);
        metric_add(err ? filter->failures : filter->outcomes[outcome], 1);
        if (err)
            return err;
    }
    if (ret)
        *ret = outcome;
    return ERR_NONE;
}
