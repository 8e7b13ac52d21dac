/*
 * Stock: the rules of adding to it, of reserving it for an order, and of selling or releasing what is reserved.
 *
 * An order is reserved whole or not at all. Each function may meet an event again, late, or before the one that should
 * have come first. All run in the writer's transaction.
 *
 *     state      order.placed             order.paid   order.cancelled   its time is up
 *     (none)     reserved, or released    -            released          -
 *     reserved   - said again             sold         released          stays so, and its order is asked
 *     sold       -                        -            -                 -
 *     released   - said again: rejected   -            -                 -
 *
 * A dash changes nothing. Said again: the order service has not heard yet, or would not ask, so it is told once more
 * how things stand; an order that was cancelled ignores it.
 *
 * WHO DECIDES. Whether an order is paid or not is known in the order service alone, so what is reserved is sold or
 * released upon its word only: order.paid or order.cancelled, of which it gives one. That nobody has confirmed an order
 * in time is therefore a question, stock.expiring.v1. An order that is not paid is cancelled by it, which is told as
 * every cancellation is, and gives the stock back; one that is paid says so again. Whatever the order of arrival, no
 * order is paid whose stock was given back. Should the order service be away, the stock is held until it is there.
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
    STOCK_STILL_RESERVED,   /* the latter two changed nothing, and are to be said again */
    STOCK_STILL_REJECTED,
};

/* Lines of an order whose items an event has changed. */
struct stock_lines {
    struct stock_line *lines;      /* in the arena */
    size_t count;
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
                               enum stock_result *ret, struct stock_lines *ret_changed);

/** order.cancelled. For an order never heard of it leaves the tombstone. */
enum err must_check stock_release(struct db_connection *db, struct arena *arena, struct text order_id, int64_t now_us,
                                  enum stock_result *ret, struct stock_lines *ret_changed);

/** Its time is up: makes the order wait from now on, once it is asked. *ret_asked is false when it does not wait since
 *  before_us any more. */
enum err must_check stock_ask(struct db_connection *db, struct text order_id, int64_t before_us, int64_t now_us,
                              bool *ret_asked);

#endif
