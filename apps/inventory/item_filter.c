#include "config.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/background.h"
#include "apps/inventory/item_filter.h"
#include "apps/inventory/store.h"
#include "base/clock.h"
#include "conf/settings.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_INVENTORY

enum { IDLE_MS = 3600000, PAGE_TIMEOUT_MS = 10000 };

struct item_filter {
    struct service *service;
    struct filter *filter;
    struct background *_Atomic background;     /* NULL until it stands by */
    atomic_bool stopping;
};

/* ---- listing ---- */

struct source {
    struct item_filter *items;
    struct db_connection *reader;
};

static void seen(void *listing, int64_t made_us, struct text sku)
{
    filter_listed(listing, made_us, sku);
}

static enum err list(void *context, int64_t made_us, struct text sku, struct filter_listing *listing)
{
    const struct source *source = context;
    db_reader_limit(source->reader, clock_now_ns() + PAGE_TIMEOUT_MS * NS_PER_MS, &source->items->stopping);
    return store_item_made(source->reader, made_us, sku, FILTER_PAGE_MAX, seen, listing);
}

static void tell(const struct item_filter *items, enum filter_outcome outcome)
{
    if (outcome != FILTER_FULL)
        return;
    struct filter_stats stats;
    filter_stats(items->filter, &stats);
    log_event(LOG_WARNING, "there are more items than cache.item_filter_keys; absent ones are read again",
              LOG_INT("room", (int64_t)stats.keys_max));
}

static enum err step(void *context, struct db_connection *reader, bool *ret_more)
{
    struct item_filter *items = context;
    struct source source = {items, reader};
    struct settings *settings = current_take(&items->service->current);
    const struct filter_refresh refresh = {
        .list = list,
        .context = &source,
        .absent_ns = settings_int(settings, OPTION_CACHE_ITEM_ABSENT_TTL_MS) * NS_PER_MS,
        .given_up = &items->stopping,
    };
    settings_unref(settings);
    enum filter_outcome outcome = FILTER_IDLE;
    enum err err = filter_refresh(items->filter, &refresh, &outcome);
    *ret_more = false;
    tell(items, outcome);
    return atomic_load(&items->stopping) ? ERR_NONE : err;
}

/* By a look, on a lane. */
static void want(void *context)
{
    struct item_filter *items = context;
    struct background *background = atomic_load(&items->background);
    if (background)
        background_hurry(background);
}

/* ---- life ---- */

static enum err open_filter(struct item_filter *items, unsigned keys_max)
{
    char path[PATH_MAX];
    const char *database = settings_text(items->service->settings, OPTION_DB_PATH);
    if (snprintf(path, sizeof path, "%s-filter", database) >= (int)sizeof path)
        return err_because(ERR_CONFIG, "db.path is too long");
    const struct filter_opts opts = {
        .name = "item", .path = *database ? path : NULL, .keys_max = keys_max, .want = want, .context = items};
    return filter_open(&opts, &items->filter);
}

static enum err stand_by(struct item_filter *items)
{
    const struct background_opts opts = {
        .db = items->service->db,
        .what = "listing items",
        .interval_ms = IDLE_MS,
        .in_each = true,
        .step = step,
        .context = items,
    };
    struct background *background;
    enum err err = background_start(&opts, &background);
    if (err)
        return err;
    atomic_store(&items->background, background);
    background_hurry(background);
    return ERR_NONE;
}

enum err item_filter_new(struct service *service, struct item_filter **ret)
{
    unsigned keys_max = (unsigned)settings_int(service->settings, OPTION_CACHE_ITEM_FILTER_KEYS);
    struct item_filter *items = NULL;
    if (keys_max == 0) {
        *ret = NULL;
        return ERR_NONE;
    }
    if ((items = calloc(1, sizeof *items)) == NULL)
        return err_because(ERR_MEMORY, "no memory for the filter of items");
    items->service = service;
    enum err err = open_filter(items, keys_max);
    if (!err)
        err = stand_by(items);
    if (err)
        item_filter_free(items);
    else
        *ret = items;
    return err;
}

void item_filter_free(struct item_filter *items)
{
    if (!items)
        return;
    atomic_store(&items->stopping, true);
    background_stop(atomic_load(&items->background));
    filter_close(items->filter);
    free(items);
}

struct filter *item_filter_keys(const struct item_filter *items)
{
    return items ? items->filter : NULL;
}
