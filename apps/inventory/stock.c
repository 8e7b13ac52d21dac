#include "config.h"

#include <string.h>

#include "apps/inventory/stock.h"

static const char RESERVED[] = "reserved";
static const char SOLD[] = "sold";
static const char RELEASED[] = "released";

enum err stock_move(struct db_connection *db, struct arena *arena, const struct movement *movement, struct item *ret)
{
    struct item item;
    bool changed = false;
    enum err err = store_stock_add(db, arena, movement->sku, movement->delta, movement->at_us, &item, &changed);
    if (!err && !changed) {
        err = store_item_find(db, arena, movement->sku, &item);
        if (!err)
            err = movement->delta > 0 ? ERR_TOO_LARGE : ERR_CONFLICT;
    }
    if (!err)
        err = store_movement_add(db, movement);
    if (!err)
        *ret = item;
    return err;
}

/* The lines before the one that is short were reserved already; an error would undo that as well, but the answer
 * "rejected" has to be kept. */
static enum err take_back(struct db_connection *db, struct text order_id, const struct stock_line *lines, size_t count,
                          int64_t now_us)
{
    bool moved;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < count && !err; i++)
        err = store_unreserve(db, &lines[i], now_us);
    return err ? err : store_reservation_move(db, order_id, RESERVED, RELEASED, now_us, &moved);
}

/* An order that is placed and has nothing reserved is one that was rejected, or it was cancelled and does not mind. */
static enum err reserve_again(struct db_connection *db, struct text order_id, enum stock_result *ret)
{
    char state[RESERVATION_STATE_SIZE];
    enum err err = store_reservation_state(db, order_id, state);
    if (!err)
        *ret = strcmp(state, RESERVED) == 0   ? STOCK_STILL_RESERVED
               : strcmp(state, RELEASED) == 0 ? STOCK_STILL_REJECTED
                                              : STOCK_IGNORED;
    return err;
}

enum err stock_reserve(struct db_connection *db, struct text order_id, const struct stock_line *lines, size_t count,
                       int64_t now_us, enum stock_result *ret, size_t *ret_short)
{
    bool added = false, reserved = true;
    size_t at = 0;
    enum err err = store_reservation_add(db, order_id, RESERVED, now_us, &added);
    if (err)
        return err;
    if (!added)
        return reserve_again(db, order_id, ret);
    while (!err && reserved && at < count) {
        err = store_reserve(db, &lines[at], now_us, &reserved);
        at += !err && reserved;
    }
    if (!err && !reserved)
        err = take_back(db, order_id, lines, at, now_us);
    for (size_t i = 0; i < count && reserved && !err; i++)
        err = store_reservation_line_add(db, order_id, i, &lines[i]);
    if (err)
        return err;
    if (!reserved)
        *ret_short = at;
    *ret = reserved ? STOCK_RESERVED : STOCK_REJECTED;
    return ERR_NONE;
}

static enum err sell_line(struct db_connection *db, struct arena *arena, struct text order_id,
                          const struct stock_line *line, int64_t now_us)
{
    struct movement movement = {
        .sku = line->sku,
        .delta = -line->quantity,
        .reason = TEXT("sold"),
        .cause = text_of(arena_printf(arena, "order %.*s", TEXT_ARGS(order_id))),
        .at_us = now_us,
    };
    if (!movement.cause.at)
        return err_because(ERR_MEMORY, "no memory for a movement of stock");
    enum err err = store_sell(db, line, now_us);
    return err ? err : store_movement_add(db, &movement);
}

enum err stock_sell(struct db_connection *db, struct arena *arena, struct text order_id, int64_t now_us,
                    enum stock_result *ret, struct stock_lines *ret_changed)
{
    struct stock_lines changed = {.count = 0};
    bool moved = false;
    enum err err = store_reservation_move(db, order_id, RESERVED, SOLD, now_us, &moved);
    if (!err && moved)
        err = store_reservation_lines(db, arena, order_id, &changed.lines, &changed.count);
    for (size_t i = 0; i < changed.count && !err; i++)
        err = sell_line(db, arena, order_id, &changed.lines[i], now_us);
    if (err)
        return err;
    *ret = moved ? STOCK_SOLD : STOCK_IGNORED;
    *ret_changed = changed;
    return ERR_NONE;
}

enum err stock_release(struct db_connection *db, struct arena *arena, struct text order_id, int64_t now_us,
                       enum stock_result *ret, struct stock_lines *ret_changed)
{
    struct stock_lines changed = {.count = 0};
    bool buried = false, moved = false;
    enum err err = store_reservation_add(db, order_id, RELEASED, now_us, &buried);
    if (!err && !buried)
        err = store_reservation_move(db, order_id, RESERVED, RELEASED, now_us, &moved);
    if (!err && moved)
        err = store_reservation_lines(db, arena, order_id, &changed.lines, &changed.count);
    for (size_t i = 0; i < changed.count && !err; i++)
        err = store_unreserve(db, &changed.lines[i], now_us);
    if (err)
        return err;
    *ret = moved ? STOCK_RELEASED : STOCK_IGNORED;
    *ret_changed = changed;
    return ERR_NONE;
}

enum err stock_ask(struct db_connection *db, struct text order_id, int64_t before_us, int64_t now_us, bool *ret_asked)
{
    return store_reservation_asked(db, order_id, before_us, now_us, ret_asked);
}
