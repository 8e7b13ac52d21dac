/*
 * Stock: the rules of adding to it, of reserving it for an order, and of selling or releasing what is reserved.
 *
 * An order is reserved whole or not at all. Each function may meet an event again, late, or before the one that should
 * have come first; it then changes nothing, or leaves a tombstone, and says so in its result. All run in the writer's
 * transaction.
 */
#ifndef TANDEM_INVENTORY_STOCK_H
#define TANDEM_INVENTORY_STOCK_H

#include <stddef.h>
#include <stdint.h>

#include "apps/inventory/store.h"
#include "base/arena.h"
#include "base/err.h"
#include "state/db.h"

enum stock_result {
    STOCK_IGNORED,      /* a repeat, or too late: nothing changed */
    STOCK_RESERVED,
    STOCK_REJECTED,     /* a line is short, so nothing was reserved, and nothing will be */
    STOCK_SOLD,
    STOCK_RELEASED,
};

/** Adds movement->delta to what is on hand and keeps the movement. ERR_NOT_FOUND; ERR_CONFLICT when less than nothing,
 *  or less than what is reserved, would be left; ERR_TOO_LARGE when more than STOCK_MAX would. */
enum err must_check stock_move(struct db_connection *db, struct arena *arena, const struct movement *movement,
                               struct item *ret);

/** order.placed. *ret_short is the first line there is too little of, set with STOCK_REJECTED only. */
enum err must_check stock_reserve(struct db_connection *db, struct text order_id, const struct stock_line *lines,
                                  size_t count, int64_t now_us, enum stock_result *ret, size_t *ret_short);

/** order.paid. */
enum err must_check stock_sell(struct db_connection *db, struct arena *arena, struct text order_id, int64_t now_us,
                               enum stock_result *ret);

/** order.cancelled. For an order never heard of it leaves the tombstone. */
enum err must_check stock_release(struct db_connection *db, struct arena *arena, struct text order_id, int64_t now_us,
                                  enum stock_result *ret);

#endif
