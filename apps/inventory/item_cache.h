/*
 * Items as clients see them, in memory, so that asking for one neither reads the database nor writes JSON.
 *
 * An item is kept for cache.item_ttl_ms, and forgotten by all processes of this machine when it changes: what a
 * transaction changes is noted in it, and invalidated after its commit, before anybody is told of that
 * (cache/marks.h). So who has been told of a change sees it, whichever process he asks. Processes of other machines
 * that share the database, and those whose writer was killed between commit and invalidation, have cache.item_ttl_ms as
 * their bound.
 *
 * Which items there are is known as well (item_filter.h), so that who asks for such as there are not reads nothing.
 *
 * It is in memory only, also with cache.driver redis: the lane that asks may not wait, and its own database is as near.
 */
#ifndef TANDEM_INVENTORY_ITEM_CACHE_H
#define TANDEM_INVENTORY_ITEM_CACHE_H

#include "app/call.h"
#include "app/service.h"
#include "apps/inventory/item.h"
#include "base/err.h"

struct item_cache;

/** Before the service's writer starts. ERR_MEMORY, and what item_filter_new() says. */
enum err must_check item_cache_new(struct service *service, struct item_cache **ret);

/** NULL is fine. */
void item_cache_free(struct item_cache *cache);

/* An item as it is answered: JSON, in the call's arena. */
struct item_answer {
    struct text json;
    int64_t version;
};

/** From memory, or read with call->db and remembered. ERR_NOT_FOUND, and what reading may fail with. On a lane. */
enum err must_check item_cache_find(struct item_cache *cache, struct call *call, struct text sku,
                                    struct item_answer *ret);

/** In a transaction that changes the item, or makes it: it is to be forgotten after the commit, also that there was
 *  none. On the writer's thread. cache NULL: nothing is cached. */
void item_cache_changed(struct item_cache *cache, struct db_connection *db, struct text sku, bool is_made);

#endif
