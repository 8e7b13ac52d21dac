#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "apps/inventory/item_cache.h"
#include "apps/inventory/item_filter.h"
#include "apps/inventory/store.h"
#include "base/clock.h"
#include "cache/cache.h"
#include "conf/settings.h"

enum {
    JSON_MAX_BYTES = 2048,     /* an item of the longest name, all of it escaped, has less */
    CHANGED_MAX = 1024,        /* noted one by one until the commit; of more, all are forgotten */
    NO_FLIGHTS = 1,            /* a lane reads for itself */
};

static const char CHANGED[] = "items";

struct changed {
    uint8_t length;
    char sku[SKU_MAX];
};

struct changes {
    size_t count;
    bool too_many;
    struct changed list[CHANGED_MAX];
};

/* Of one of the database's writers, whose thread alone uses it: what it has not committed yet. */
struct noted {
    struct noted *next;
    pthread_t writer;
    struct changes changed, made;
};

struct item_cache {
    struct cache *cache;
    struct item_filter *filter;
    struct db *db;
    pthread_mutex_t lock;      /* of the list */
    struct noted *noted;
    atomic_bool unnoted;       /* there was no memory for one: from then on each commit has all forgotten */
};

/* ---- what changes ---- */

static struct text sku_of(const struct changed *changed)
{
    return (struct text){changed->sku, changed->length};
}

/* This thread's; NULL when it has none, and when there is no memory for it. */
static struct noted *noted_here(struct item_cache *cache, bool make)
{
    pthread_mutex_lock(&cache->lock);
    struct noted *noted = cache->noted;
    while (noted && !pthread_equal(noted->writer, pthread_self()))
        noted = noted->next;
    if (!noted && make && (noted = calloc(1, sizeof *noted)) != NULL) {
        noted->writer = pthread_self();
        noted->next = cache->noted;
        cache->noted = noted;
    }
    pthread_mutex_unlock(&cache->lock);
    return noted;
}

static void note(struct changes *changes, struct text sku)
{
    const struct changed *last = changes->count ? &changes->list[changes->count - 1] : NULL;
    if (last && text_equal(sku_of(last), sku))
        return;
    if (changes->count == CHANGED_MAX) {
        changes->too_many = true;
        return;
    }
    struct changed *changed = &changes->list[changes->count++];
    memcpy(changed->sku, sku.at, sku.length);
    changed->length = (uint8_t)sku.length;
}

void item_cache_changed(struct item_cache *cache, struct db_connection *db, struct text sku, bool is_made)
{
    if (!cache || !item_sku_is_valid(sku))
        return;
    struct noted *noted = noted_here(cache, true);
    if (noted)
        note(is_made ? &noted->made : &noted->changed, sku);
    else
        atomic_store(&cache->unnoted, true);
    db_notify(db, CHANGED);
}

/* Returns whether that was all. */
static bool forget_listed(struct cache *cache, struct changes *changes)
{
    bool is_all = !changes->too_many;
    for (size_t i = 0; i < changes->count; i++)
        cache_invalidate(cache, sku_of(&changes->list[i]));
    changes->count = 0;
    changes->too_many = false;
    return is_all;
}

/* After the commit. What was noted by a job that was undone is among it, which costs a read. */
static void forget(void *context)
{
    struct item_cache *cache = context;
    struct noted *noted = noted_here(cache, false);
    bool all_changed = !noted || forget_listed(cache->cache, &noted->changed);
    bool all_made = !noted || forget_listed(cache->cache, &noted->made);
    if (!all_made || atomic_load(&cache->unnoted))
        cache_invalidate_all(cache->cache);
    else if (!all_changed)
        cache_invalidate_values(cache->cache);
}

/* ---- life ---- */

static enum err make_cache(struct item_cache *cache, const struct service *service)
{
    const struct cache_opts opts = {
        .name = "item",
        .marks = service->marks,
        .filter = item_filter_keys(cache->filter),
        .max_bytes = (size_t)settings_int(service->settings, OPTION_CACHE_ITEM_MAX_BYTES),
        .value_max_bytes = JSON_MAX_BYTES,
        .absent_entries = (unsigned)settings_int(service->settings, OPTION_CACHE_ITEM_ABSENT_ENTRIES),
        .flights_max = NO_FLIGHTS,
        .waiters_max = NO_FLIGHTS,
    };
    return cache_new(&opts, &cache->cache);
}

enum err item_cache_new(struct service *service, struct item_cache **ret)
{
    struct item_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_because(ERR_MEMORY, "no memory for the cache of items");
    pthread_mutex_init(&cache->lock, NULL);
    enum err err = item_filter_new(service, &cache->filter);
    if (!err)
        err = make_cache(cache, service);
    if (!err)
        err = db_listen(service->db, CHANGED, forget, cache);
    if (err) {
        item_cache_free(cache);
        return err;
    }
    cache->db = service->db;
    *ret = cache;
    return ERR_NONE;
}

void item_cache_free(struct item_cache *cache)
{
    if (!cache)
        return;
    if (cache->db)
        db_unlisten(cache->db, CHANGED, cache);
    cache_free(cache->cache);
    item_filter_free(cache->filter);
    for (struct noted *noted = cache->noted, *next; noted; noted = next) {
        next = noted->next;
        free(noted);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* ---- finding ---- */

/* Reads it and writes it as JSON to value. */
static enum err read_item(struct call *call, struct text sku, struct cache_value *value)
{
    struct item item;
    struct json_writer writer;
    struct buf json;
    enum err err = store_item_find(call->db, call_arena(call), sku, &item);
    if (err)
        return err;
    buf_init(&json, JSON_MAX_BYTES);
    json_writer_init(&writer, &json);
    item_write(&writer, &item);
    err = buf_check(&json);
    if (!err) {
        memcpy(value->data, json.data, json.length);
        value->length = json.length;
        value->version = (uint64_t)item.version;
    }
    buf_fini(&json);
    return err;
}

static enum err find(struct item_cache *cache, struct call *call, struct text sku, struct cache_value *value)
{
    const struct cache_lifetimes lifetimes = {
        .fresh_ns = call_setting(call, OPTION_CACHE_ITEM_TTL_MS) * NS_PER_MS,
        .absent_ns = call_setting(call, OPTION_CACHE_ITEM_ABSENT_TTL_MS) * NS_PER_MS,
    };
    int64_t now_ns = clock_now_ns(), mark = cache_mark();
    switch (cache_get(cache->cache, sku, &lifetimes, now_ns, value)) {
    case CACHE_FRESH:
        return ERR_NONE;
    case CACHE_ABSENT:
        return ERR_NOT_FOUND;
    case CACHE_DUE:
    case CACHE_STALE:
    case CACHE_NOTHING:
        break;
    }
    enum err err = read_item(call, sku, value);
    if (err == ERR_NOT_FOUND)
        cache_put_absent(cache->cache, sku, mark, now_ns);
    else if (!err && !cache_put(cache->cache, sku, value, mark, now_ns))
        return ERR_NONE;   /* it changed meanwhile: this caller asked before that was told, and nobody else has it */
    return err;
}

enum err item_cache_find(struct item_cache *cache, struct call *call, struct text sku, struct item_answer *ret)
{
    struct cache_value value = {.data = arena_alloc(call_arena(call), JSON_MAX_BYTES), .capacity = JSON_MAX_BYTES};
    if (!item_sku_is_valid(sku))
        return ERR_NOT_FOUND;
    if (!value.data)
        return err_because(ERR_MEMORY, "no memory for an item");
    enum err err = find(cache, call, sku, &value);
    if (!err)
        *ret = (struct item_answer){{value.data, value.length}, (int64_t)value.version};
    return err;
}
