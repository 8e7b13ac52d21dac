#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "apps/inventory/item_cache.h"
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

struct item_cache {
    struct cache *cache;
    struct db *db;
    size_t changed_count;      /* the writer's thread's, as is what follows */
    bool too_many;
    struct changed changed[CHANGED_MAX];
};

/* ---- what changes ---- */

static struct text sku_of(const struct changed *changed)
{
    return (struct text){changed->sku, changed->length};
}

static void note(struct item_cache *cache, struct text sku)
{
    const struct changed *last = cache->changed_count ? &cache->changed[cache->changed_count - 1] : NULL;
    if (last && text_equal(sku_of(last), sku))
        return;
    if (cache->changed_count == CHANGED_MAX) {
        cache->too_many = true;
        return;
    }
    struct changed *changed = &cache->changed[cache->changed_count++];
    memcpy(changed->sku, sku.at, sku.length);
    changed->length = (uint8_t)sku.length;
}

void item_cache_changed(struct item_cache *cache, struct db_connection *db, struct text sku)
{
    if (!cache || !item_sku_is_valid(sku))
        return;
    note(cache, sku);
    db_notify(db, CHANGED);
}

/* After the commit. What was noted by a job that was undone is among it, which costs a read. */
static void forget(void *context)
{
    struct item_cache *cache = context;
    for (size_t i = 0; i < cache->changed_count; i++)
        cache_invalidate(cache->cache, sku_of(&cache->changed[i]));
    if (cache->too_many)
        cache_invalidate_all(cache->cache);
    cache->changed_count = 0;
    cache->too_many = false;
}

/* ---- life ---- */

enum err item_cache_new(struct service *service, struct item_cache **ret)
{
    const struct cache_opts opts = {
        .name = "item",
        .marks = service->marks,
        .max_bytes = (size_t)settings_int(service->settings, OPTION_CACHE_ITEM_MAX_BYTES),
        .value_max_bytes = JSON_MAX_BYTES,
        .absent_entries = (unsigned)settings_int(service->settings, OPTION_CACHE_ITEM_ABSENT_ENTRIES),
        .flights_max = NO_FLIGHTS,
        .waiters_max = NO_FLIGHTS,
    };
    struct item_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_because(ERR_MEMORY, "no memory for the cache of items");
    enum err err = cache_new(&opts, &cache->cache);
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
