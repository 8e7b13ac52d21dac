/*
 * The store: inventory's SQL, and nothing but SQL.
 *
 * Reading functions take any connection; changing ones the writer's. Texts read are copied into the arena. Every
 * function may fail with what db_done() may (state/db.h), and with ERR_MEMORY.
 */
#ifndef TANDEM_INVENTORY_STORE_H
#define TANDEM_INVENTORY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/inventory/item.h"
#include "base/arena.h"
#include "base/err.h"
#include "state/db.h"
#include "state/migrate.h"

/* ---- items ---- */

/** ERR_NOT_FOUND. */
enum err must_check store_item_find(struct db_connection *db, struct arena *arena, struct text sku, struct item *ret);

/** Up to limit items in order of sku, after the given one (empty: from the first). */
enum err must_check store_item_list(struct db_connection *db, struct arena *arena, struct text after, int64_t limit,
                                    struct item **ret_items, size_t *ret_count);

/** Tells of up to limit items, the first in order of when they were made and then of sku that come after this time and
 *  sku. One that was made by a program that notes no time was so at INT64_MAX. */
typedef void store_item_seen(void *context, int64_t made_us, struct text sku);
enum err must_check store_item_made(struct db_connection *db, int64_t made_us, struct text sku, int64_t limit,
                                    store_item_seen *seen, void *context);

/** Makes or replaces name and price of item->sku at item->updated_us, and fills in the rest of *item. */
enum err must_check store_item_put(struct db_connection *db, struct item *item);

/** Adds delta to what is on hand, if that leaves 0 <= reserved <= on_hand <= STOCK_MAX; else *ret_changed is false and
 *  *ret_item untouched. */
enum err must_check store_stock_add(struct db_connection *db, struct arena *arena, struct text sku, int64_t delta,
                                    int64_t now_us, struct item *ret_item, bool *ret_changed);

struct movement {
    struct text sku;
    int64_t delta;
    struct text reason;
    struct text cause;       /* "user ID", "order ID" */
    int64_t at_us;
};

enum err must_check store_movement_add(struct db_connection *db, const struct movement *movement);

/* ---- reservations ---- */

struct stock_line {
    struct text sku;
    int64_t quantity;
};

/** Makes an order's row in the given state, unless it has one; *ret_added says which. */
enum err must_check store_reservation_add(struct db_connection *db, struct text order_id, const char *state,
                                          int64_t now_us, bool *ret_added);

/** From one state to another; *ret_moved is false when it is not in the first. */
enum err must_check store_reservation_move(struct db_connection *db, struct text order_id, const char *from,
                                           const char *to, int64_t now_us, bool *ret_moved);

/** Writes the state of an order's row to ret_state; "" when there is none. */
enum { RESERVATION_STATE_SIZE = 16 };
enum err must_check store_reservation_state(struct db_connection *db, struct text order_id,
                                            char ret_state[static RESERVATION_STATE_SIZE]);

/** Up to max orders that have stock reserved and have waited since before_us, the longest first. */
enum err must_check store_reservation_waiting(struct db_connection *db, struct arena *arena, int64_t before_us,
                                              struct text *ret_ids, size_t max, size_t *ret_count);

/** Has it wait from now on; *ret_asked is false when it does not wait since before_us any more. */
enum err must_check store_reservation_asked(struct db_connection *db, struct text order_id, int64_t before_us,
                                            int64_t now_us, bool *ret_asked);

enum err must_check store_reservation_line_add(struct db_connection *db, struct text order_id, size_t at,
                                               const struct stock_line *line);

enum err must_check store_reservation_lines(struct db_connection *db, struct arena *arena, struct text order_id,
                                            struct stock_line **ret_lines, size_t *ret_count);

/** Reserves, if that much is available; else *ret_reserved is false. */
enum err must_check store_reserve(struct db_connection *db, const struct stock_line *line, int64_t now_us,
                                  bool *ret_reserved);

/** Gives back what was reserved. */
enum err must_check store_unreserve(struct db_connection *db, const struct stock_line *line, int64_t now_us);

/** What was reserved is gone for good. */
enum err must_check store_sell(struct db_connection *db, const struct stock_line *line, int64_t now_us);

extern const struct migration_set inventory_migrations;

#endif
