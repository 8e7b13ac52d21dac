#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apps/inventory/store.h"
#include "base/id.h"

#define ITEM_COLUMNS "sku, name, price_minor, currency, on_hand, reserved, version, updated_us"

static const char ITEM_FIND[] = "SELECT " ITEM_COLUMNS " FROM item WHERE sku = $1";
static const char ITEM_LIST[] = "SELECT " ITEM_COLUMNS " FROM item WHERE sku > $1 ORDER BY sku LIMIT $2";
static const char ITEM_MADE[] =
    "SELECT made_us, sku FROM item WHERE (made_us, sku) > ($1, $2) ORDER BY made_us, sku LIMIT $3";
static const char ITEM_PUT[] =
    "INSERT INTO item (sku, name, price_minor, currency, version, updated_us, made_us)"
    " VALUES ($1, $2, $3, $4, 1, $5, $5)"
    " ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_minor = excluded.price_minor,"
    " currency = excluded.currency, version = item.version + 1, updated_us = excluded.updated_us"
    " RETURNING on_hand, reserved, version";
static const char STOCK_ADD[] =
    "UPDATE item SET on_hand = on_hand + $1, version = version + 1, updated_us = $2"
    " WHERE sku = $3 AND on_hand + $1 >= reserved AND on_hand + $1 <= $4 RETURNING " ITEM_COLUMNS;
static const char MOVEMENT_ADD[] =
    "INSERT INTO stock_movement (id, sku, delta, reason, cause, at_us) VALUES ($1, $2, $3, $4, $5, $6)";
static const char RESERVATION_ADD[] =
    "INSERT INTO reservation (order_id, state, updated_us, waiting_since_us) VALUES ($1, $2, $3, $3)"
    " ON CONFLICT (order_id) DO NOTHING";
static const char RESERVATION_MOVE[] =
    "UPDATE reservation SET state = $1, updated_us = $2 WHERE order_id = $3 AND state = $4";
static const char RESERVATION_STATE[] = "SELECT state FROM reservation WHERE order_id = $1";
static const char RESERVATION_WAITING[] =
    "SELECT order_id FROM reservation WHERE state = 'reserved' AND waiting_since_us < $1 ORDER BY waiting_since_us"
    " LIMIT $2";
static const char RESERVATION_ASKED[] =
    "UPDATE reservation SET waiting_since_us = $1 WHERE order_id = $2 AND state = 'reserved'"
    " AND waiting_since_us < $3";
static const char RESERVATION_LINE_ADD[] =
    "INSERT INTO reservation_line (order_id, line, sku, quantity) VALUES ($1, $2, $3, $4)";
/* Counted by itself, for the reason that order's lines are. */
static const char RESERVATION_LINES[] =
    "SELECT sku, quantity, (SELECT count(*) FROM reservation_line WHERE order_id = $1)"
    " FROM reservation_line WHERE order_id = $1 ORDER BY line";
static const char RESERVE[] =
    "UPDATE item SET reserved = reserved + $1, version = version + 1, updated_us = $2"
    " WHERE sku = $3 AND on_hand - reserved >= $1";
static const char UNRESERVE[] =
    "UPDATE item SET reserved = reserved - $1, version = version + 1, updated_us = $2 WHERE sku = $3";
static const char SELL[] =
    "UPDATE item SET on_hand = on_hand - $1, reserved = reserved - $1, version = version + 1, updated_us = $2"
    " WHERE sku = $3";

/* ---- items ---- */

static enum err read_item(struct db_statement *row, struct arena *arena, struct item *ret)
{
    struct item item = {
        .sku = arena_text(arena, db_text(row, 0)),
        .name = arena_text(arena, db_text(row, 1)),
        .price = {db_int(row, 2), currency_find(db_text(row, 3))},
        .on_hand = db_int(row, 4),
        .reserved = db_int(row, 5),
        .version = db_int(row, 6),
        .updated_us = db_int(row, 7),
    };
    if (!item.sku.at || !item.name.at)
        return err_because(ERR_MEMORY, "no memory for an item");
    if (!item.price.currency)
        return err_because(ERR_STORAGE, "item %.*s has an unknown currency", TEXT_ARGS(item.sku));
    *ret = item;
    return ERR_NONE;
}

enum err store_item_find(struct db_connection *db, struct arena *arena, struct text sku, struct item *ret)
{
    struct db_statement *row = db_query(db, ITEM_FIND);
    struct item item;
    enum err err = ERR_NOT_FOUND;
    db_bind_text(row, 1, sku);
    if (db_next(row))
        err = read_item(row, arena, &item);
    enum err done = db_done(row);
    if (done || err)
        return done ? done : err;
    *ret = item;
    return ERR_NONE;
}

enum err store_item_list(struct db_connection *db, struct arena *arena, struct text after, int64_t limit,
                         struct item **ret_items, size_t *ret_count)
{
    struct item *items = arena_calloc(arena, (size_t)limit, sizeof *items);
    size_t count = 0;
    enum err err = ERR_NONE;
    if (!items)
        return err_because(ERR_MEMORY, "no memory for a list of items");
    struct db_statement *row = db_query(db, ITEM_LIST);
    db_bind_text(row, 1, after);
    db_bind_int(row, 2, limit);
    while (!err && db_next(row)) {
        err = read_item(row, arena, &items[count]);
        count += err == ERR_NONE;
    }
    enum err done = db_done(row);
    if (done || err)
        return done ? done : err;
    *ret_items = items;
    *ret_count = count;
    return ERR_NONE;
}

enum err store_item_made(struct db_connection *db, int64_t made_us, struct text sku, int64_t limit,
                         store_item_seen *seen, void *context)
{
    struct db_statement *row = db_query(db, ITEM_MADE);
    db_bind_int(row, 1, made_us);
    db_bind_text(row, 2, sku);
    db_bind_int(row, 3, limit);
    while (db_next(row))
        seen(context, db_int(row, 0), db_text(row, 1));
    return db_done(row);
}

enum err store_item_put(struct db_connection *db, struct item *item)
{
    struct db_statement *row = db_query(db, ITEM_PUT);
    struct item put = *item;
    db_bind_text(row, 1, item->sku);
    db_bind_text(row, 2, item->name);
    db_bind_int(row, 3, item->price.amount_minor);
    db_bind_string(row, 4, item->price.currency->code);
    db_bind_int(row, 5, item->updated_us);
    while (db_next(row)) {
        put.on_hand = db_int(row, 0);
        put.reserved = db_int(row, 1);
        put.version = db_int(row, 2);
    }
    enum err err = db_done(row);
    if (!err)
        *item = put;
    return err;
}

enum err store_stock_add(struct db_connection *db, struct arena *arena, struct text sku, int64_t delta, int64_t now_us,
                         struct item *ret_item, bool *ret_changed)
{
    struct db_statement *row = db_query(db, STOCK_ADD);
    struct item item;
    bool changed = false;
    enum err err = ERR_NONE;
    db_bind_int(row, 1, delta);
    db_bind_int(row, 2, now_us);
    db_bind_text(row, 3, sku);
    db_bind_int(row, 4, STOCK_MAX);
    while (!err && db_next(row)) {
        err = read_item(row, arena, &item);
        changed = true;
    }
    enum err done = db_done(row);
    if (done || err)
        return done ? done : err;
    if (changed)
        *ret_item = item;
    *ret_changed = changed;
    return ERR_NONE;
}

enum err store_movement_add(struct db_connection *db, const struct movement *movement)
{
    struct db_statement *insert = db_query(db, MOVEMENT_ADD);
    char id[ID_SIZE];
    db_bind_string(insert, 1, id_new(id));
    db_bind_text(insert, 2, movement->sku);
    db_bind_int(insert, 3, movement->delta);
    db_bind_text(insert, 4, movement->reason);
    db_bind_text(insert, 5, movement->cause);
    db_bind_int(insert, 6, movement->at_us);
    return db_run(insert, NULL);
}

/* ---- reservations ---- */

/* Runs a change that touches one row or none. */
static enum err run_one(struct db_statement *change, bool *ret_changed)
{
    int64_t changes = 0;
    enum err err = db_run(change, &changes);
    if (!err)
        *ret_changed = changes > 0;
    return err;
}

enum err store_reservation_add(struct db_connection *db, struct text order_id, const char *state, int64_t now_us,
                               bool *ret_added)
{
    struct db_statement *insert = db_query(db, RESERVATION_ADD);
    db_bind_text(insert, 1, order_id);
    db_bind_string(insert, 2, state);
    db_bind_int(insert, 3, now_us);
    return run_one(insert, ret_added);
}

enum err store_reservation_move(struct db_connection *db, struct text order_id, const char *from, const char *to,
                                int64_t now_us, bool *ret_moved)
{
    struct db_statement *update = db_query(db, RESERVATION_MOVE);
    db_bind_string(update, 1, to);
    db_bind_int(update, 2, now_us);
    db_bind_text(update, 3, order_id);
    db_bind_string(update, 4, from);
    return run_one(update, ret_moved);
}

enum err store_reservation_state(struct db_connection *db, struct text order_id,
                                 char ret_state[static RESERVATION_STATE_SIZE])
{
    struct db_statement *row = db_query(db, RESERVATION_STATE);
    char state[RESERVATION_STATE_SIZE] = "";
    db_bind_text(row, 1, order_id);
    while (db_next(row))
        snprintf(state, sizeof state, "%.*s", TEXT_ARGS(db_text(row, 0)));
    enum err err = db_done(row);
    if (!err)
        memcpy(ret_state, state, sizeof state);
    return err;
}

enum err store_reservation_waiting(struct db_connection *db, struct arena *arena, int64_t before_us,
                                   struct text *ret_ids, size_t max, size_t *ret_count)
{
    struct db_statement *row = db_query(db, RESERVATION_WAITING);
    size_t count = 0;
    bool whole = true;
    db_bind_int(row, 1, before_us);
    db_bind_int(row, 2, (int64_t)max);
    while (whole && count < max && db_next(row)) {
        ret_ids[count] = arena_text(arena, db_text(row, 0));
        whole = ret_ids[count++].at != NULL;
    }
    enum err err = db_done(row);
    if (!err && !whole)
        err = err_because(ERR_MEMORY, "no memory for a reservation");
    if (!err)
        *ret_count = count;
    return err;
}

enum err store_reservation_asked(struct db_connection *db, struct text order_id, int64_t before_us, int64_t now_us,
                                 bool *ret_asked)
{
    struct db_statement *update = db_query(db, RESERVATION_ASKED);
    db_bind_int(update, 1, now_us);
    db_bind_text(update, 2, order_id);
    db_bind_int(update, 3, before_us);
    return run_one(update, ret_asked);
}

enum err store_reservation_line_add(struct db_connection *db, struct text order_id, size_t at,
                                    const struct stock_line *line)
{
    struct db_statement *insert = db_query(db, RESERVATION_LINE_ADD);
    db_bind_text(insert, 1, order_id);
    db_bind_int(insert, 2, (int64_t)at);
    db_bind_text(insert, 3, line->sku);
    db_bind_int(insert, 4, line->quantity);
    return db_run(insert, NULL);
}

enum err store_reservation_lines(struct db_connection *db, struct arena *arena, struct text order_id,
                                 struct stock_line **ret_lines, size_t *ret_count)
{
    struct db_statement *row = db_query(db, RESERVATION_LINES);
    struct stock_line *lines = NULL;
    size_t count = 0;
    enum err err = ERR_NONE;
    db_bind_text(row, 1, order_id);
    while (!err && db_next(row)) {
        if (!lines)
            lines = arena_calloc(arena, (size_t)db_int(row, 2), sizeof *lines);
        struct text sku = arena_text(arena, db_text(row, 0));
        if (lines && sku.at)
            lines[count++] = (struct stock_line){sku, db_int(row, 1)};
        else
            err = err_because(ERR_MEMORY, "no memory for the lines of a reservation");
    }
    enum err done = db_done(row);
    if (done || err)
        return done ? done : err;
    *ret_lines = lines;
    *ret_count = count;
    return ERR_NONE;
}

static enum err change_stock(struct db_connection *db, const char *sql, const struct stock_line *line, int64_t now_us,
                             bool *ret_changed)
{
    struct db_statement *update = db_query(db, sql);
    db_bind_int(update, 1, line->quantity);
    db_bind_int(update, 2, now_us);
    db_bind_text(update, 3, line->sku);
    return run_one(update, ret_changed);
}

enum err store_reserve(struct db_connection *db, const struct stock_line *line, int64_t now_us, bool *ret_reserved)
{
    return change_stock(db, RESERVE, line, now_us, ret_reserved);
}

enum err store_unreserve(struct db_connection *db, const struct stock_line *line, int64_t now_us)
{
    bool changed;
    return change_stock(db, UNRESERVE, line, now_us, &changed);
}

enum err store_sell(struct db_connection *db, const struct stock_line *line, int64_t now_us)
{
    bool changed;
    return change_stock(db, SELL, line, now_us, &changed);
}
