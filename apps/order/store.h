/*
 * The store: the order service's SQL for items and orders, and nothing but SQL. Payments: payment_store.h.
 *
 * Reading functions take any connection; changing ones the writer's. Texts read are copied into the arena. Every
 * function may fail with what db_done() may (state/db.h), and with ERR_MEMORY.
 */
#ifndef TANDEM_ORDER_STORE_H
#define TANDEM_ORDER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/order/order.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "state/db.h"
#include "state/migrate.h"

/* ---- the projection of inventory's items ---- */

struct known_item {
    struct text sku, name;
    struct money price;
    int64_t version;
};

/** Keeps the item, unless one of the same or a newer version is known; *ret_kept says which. */
enum err must_check store_item_put(struct db_connection *db, const struct known_item *item, bool *ret_kept);

/** ERR_NOT_FOUND. */
enum err must_check store_item_find(struct db_connection *db, struct arena *arena, struct text sku,
                                    struct known_item *ret);

/* ---- orders ---- */

/** Adds the order with its lines, as it stands. */
enum err must_check store_order_add(struct db_connection *db, const struct order *order);

/** Without its lines. ERR_NOT_FOUND. */
enum err must_check store_order_head(struct db_connection *db, struct arena *arena, struct text id, struct order *ret);

/** With its lines. ERR_NOT_FOUND. */
enum err must_check store_order_find(struct db_connection *db, struct arena *arena, struct text id, struct order *ret);

struct order_filter {
    struct text user_id;       /* absent: of everybody */
    enum order_state state;    /* ORDER_NEW: in any */
    struct text before;        /* an order's id; empty: from the newest on */
    int64_t limit;             /* 1 at least */
};

/** The newest first, with their lines: filter->limit of them, or fewer when those would fill more than half of the
 *  arena, but one at least. *ret_more says whether there are others behind. */
enum err must_check store_order_list(struct db_connection *db, struct arena *arena, const struct order_filter *filter,
                                     struct order **ret_orders, size_t *ret_count, bool *ret_more);

/** Up to max orders in a state whose ids lie after after and at before at the most, the oldest first. ret_ids are
 *  written one behind the other. */
enum err must_check store_order_range(struct db_connection *db, enum order_state state, const char *after,
                                      const char *before, char (*ret_ids)[ID_SIZE], size_t max, size_t *ret_count);

/** How many orders are in a state whose ids lie before before; not past a number that tells enough. */
enum err must_check store_order_count(struct db_connection *db, enum order_state state, const char *before,
                                      int64_t *ret_count);

/** To order->state at order->updated_us, as version order->version, which follows the stored one. ERR_CONFLICT when it
 *  does not. */
enum err must_check store_order_move(struct db_connection *db, const struct order *order);

/* ---- history ---- */

enum err must_check store_step_add(struct db_connection *db, const struct order *order, const struct order_step *step);

enum err must_check store_step_list(struct db_connection *db, struct arena *arena, struct text order_id,
                                    struct order_step **ret_steps, size_t *ret_count);

extern const struct migration_set order_migrations;

#endif
