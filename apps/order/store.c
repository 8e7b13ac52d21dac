#include "config.h"

#include <stdio.h>

#include "apps/order/store.h"

#define ORDER_COLUMNS "id, user_id, status, total_minor, currency, payment_method, version, created_us, updated_us"

static const char ITEM_PUT[] =
    "INSERT INTO item (sku, name, price_minor, currency, version) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_minor = excluded.price_minor,"
    " currency = excluded.currency, version = excluded.version WHERE excluded.version > item.version";
static const char ITEM_FIND[] = "SELECT name, price_minor, currency, version FROM item WHERE sku = $1";
static const char ORDER_ADD[] =
    "INSERT INTO orders (" ORDER_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
static const char LINE_ADD[] =
    "INSERT INTO order_line (order_id, line, sku, name, quantity, unit_price_minor) VALUES ($1, $2, $3, $4, $5, $6)";
static const char ORDER_FIND[] = "SELECT " ORDER_COLUMNS " FROM orders WHERE id = $1";
/* How many there are is counted by itself: for a window's count SQLite makes a table of its own, which costs more than
 * all the rest. */
static const char LINE_LIST[] =
    "SELECT sku, name, quantity, unit_price_minor, (SELECT count(*) FROM order_line WHERE order_id = $1)"
    " FROM order_line WHERE order_id = $1 ORDER BY line";
static const char ORDER_LIST[] = "SELECT " ORDER_COLUMNS " FROM orders WHERE id < $1 ORDER BY id DESC LIMIT $2";
static const char ORDER_LIST_USER[] =
    "SELECT " ORDER_COLUMNS " FROM orders WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
static const char ORDER_LIST_STATUS[] =
    "SELECT " ORDER_COLUMNS " FROM orders WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
/* The expression keeps the planner from walking everybody's orders of that status, of which this user may have none. */
static const char ORDER_LIST_BOTH[] =
    "SELECT " ORDER_COLUMNS " FROM orders WHERE user_id = $1 AND status || '' = $2 AND id < $3"
    " ORDER BY id DESC LIMIT $4";
static const char ORDER_RANGE[] =
    "SELECT id FROM orders WHERE status = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4";
static const char ORDER_COUNT[] =
    "SELECT count(*) FROM (SELECT 1 FROM orders WHERE status = $1 AND id < $2 LIMIT 100000) AS counted";
static const char ORDER_MOVE[] =
    "UPDATE orders SET status = $1, version = $2, updated_us = $3 WHERE id = $4 AND version = $2 - 1";
static const char STEP_ADD[] =
    "INSERT INTO order_history (order_id, version, from_status, to_status, cause, at_us)"
    " VALUES ($1, $2, $3, $4, $5, $6)";
static const char STEP_LIST[] =
    "SELECT from_status, to_status, cause, at_us, (SELECT count(*) FROM order_history WHERE order_id = $1)"
    " FROM order_history WHERE order_id = $1 ORDER BY version";

/* ---- the projection of inventory's items ---- */

enum err store_item_put(struct db_connection *db, const struct known_item *item, bool *ret_kept)
{
    struct db_statement *insert = db_query(db, ITEM_PUT);
    int64_t changes = 0;
    db_bind_text(insert, 1, item->sku);
    db_bind_text(insert, 2, item->name);
    db_bind_int(insert, 3, item->price.amount_minor);
    db_bind_string(insert, 4, item->price.currency->code);
    db_bind_int(insert, 5, item->version);
    enum err err = db_run(insert, &changes);
    if (!err)
        *ret_kept = changes > 0;
    return err;
}

enum err store_item_find(struct db_connection *db, struct arena *arena, struct text sku, struct known_item *ret)
{
    struct db_statement *row = db_query(db, ITEM_FIND);
    struct known_item item = {.sku = sku};
    bool found = false;
    db_bind_text(row, 1, sku);
    if (db_next(row)) {
        found = true;
        item.name = arena_text(arena, db_text(row, 0));
        item.price = (struct money){db_int(row, 1), currency_find(db_text(row, 2))};
        item.version = db_int(row, 3);
    }
    enum err err = db_done(row);
    if (err || !found)
        return err ? err : ERR_NOT_FOUND;
    if (!item.name.at)
        return err_because(ERR_MEMORY, "no memory for an item");
    if (!item.price.currency)
        return err_because(ERR_STORAGE, "item %.*s has an unknown currency", TEXT_ARGS(sku));
    *ret = item;
    return ERR_NONE;
}

/* ---- orders ---- */

static enum err add_line(struct db_connection *db, struct text order_id, size_t at, const struct order_line *line)
{
    struct db_statement *insert = db_query(db, LINE_ADD);
    db_bind_text(insert, 1, order_id);
    db_bind_int(insert, 2, (int64_t)at);
    db_bind_text(insert, 3, line->sku);
    db_bind_text(insert, 4, line->name);
    db_bind_int(insert, 5, line->quantity);
    db_bind_int(insert, 6, line->unit_price.amount_minor);
    return db_run(insert, NULL);
}

enum err store_order_add(struct db_connection *db, const struct order *order)
{
    struct db_statement *insert = db_query(db, ORDER_ADD);
    db_bind_text(insert, 1, order->id);
    db_bind_text(insert, 2, order->user_id);
    db_bind_string(insert, 3, order_state_name(order->state));
    db_bind_int(insert, 4, order->total.amount_minor);
    db_bind_string(insert, 5, order->total.currency->code);
    db_bind_text(insert, 6, secret_reveal(order->payment_method));
    db_bind_int(insert, 7, order->version);
    db_bind_int(insert, 8, order->created_us);
    db_bind_int(insert, 9, order->updated_us);
    enum err err = db_run(insert, NULL);
    for (size_t i = 0; i < order->line_count && !err; i++)
        err = add_line(db, order->id, i, &order->lines[i]);
    return err;
}

static enum err read_head(struct db_statement *row, struct arena *arena, struct order *ret)
{
    struct order order = {
        .id = arena_text(arena, db_text(row, 0)),
        .user_id = arena_text(arena, db_text(row, 1)),
        .state = order_state_of(db_text(row, 2)),
        .total = {db_int(row, 3), currency_find(db_text(row, 4))},
        .version = db_int(row, 6),
        .created_us = db_int(row, 7),
        .updated_us = db_int(row, 8),
    };
    bool whole = order.id.at && order.user_id.at;
    if (!db_is_null(row, 5)) {
        order.payment_method = secret_of(arena_text(arena, db_text(row, 5)));
        whole = whole && secret_is_given(order.payment_method);
    }
    if (!whole)
        return err_because(ERR_MEMORY, "no memory for an order");
    if (order.state == ORDER_NEW || !order.total.currency)
        return err_because(ERR_STORAGE, "order %.*s has an unknown status or currency", TEXT_ARGS(order.id));
    *ret = order;
    return ERR_NONE;
}

enum err store_order_head(struct db_connection *db, struct arena *arena, struct text id, struct order *ret)
{
    struct db_statement *row = db_query(db, ORDER_FIND);
    struct order order;
    enum err err = ERR_NOT_FOUND;
    db_bind_text(row, 1, id);
    if (db_next(row))
        err = read_head(row, arena, &order);
    enum err done = db_done(row);
    if (done || err)
        return done ? done : err;
    *ret = order;
    return ERR_NONE;
}

static enum err read_line(struct db_statement *row, struct arena *arena, struct order *order)
{
    if (!order->lines)
        order->lines = arena_calloc(arena, (size_t)db_int(row, 4), sizeof order->lines[0]);
    struct order_line line = {
        .sku = arena_text(arena, db_text(row, 0)),
        .name = arena_text(arena, db_text(row, 1)),
        .quantity = db_int(row, 2),
        .unit_price = {db_int(row, 3), order->total.currency},
    };
    if (!order->lines || !line.sku.at || !line.name.at)
        return err_because(ERR_MEMORY, "no memory for the lines of an order");
    enum err err = money_multiply(line.unit_price, line.quantity, &line.total);
    if (err)
        return err_because(ERR_STORAGE, "a line of order %.*s is beyond all numbers", TEXT_ARGS(order->id));
    order->lines[order->line_count++] = line;
    return ERR_NONE;
}

static enum err read_lines(struct db_connection *db, struct arena *arena, struct order *order)
{
    struct db_statement *row = db_query(db, LINE_LIST);
    enum err err = ERR_NONE;
    db_bind_text(row, 1, order->id);
    while (!err && db_next(row))
        err = read_line(row, arena, order);
    enum err done = db_done(row);
    return done ? done : err;
}

enum err store_order_find(struct db_connection *db, struct arena *arena, struct text id, struct order *ret)
{
    struct order order;
    enum err err = store_order_head(db, arena, id, &order);
    if (!err)
        err = read_lines(db, arena, &order);
    if (!err)
        *ret = order;
    return err;
}

static struct db_statement *list_query(struct db_connection *db, const struct order_filter *filter)
{
    static const char *const queries[2][2] = {
        {ORDER_LIST, ORDER_LIST_STATUS},
        {ORDER_LIST_USER, ORDER_LIST_BOTH},
    };
    bool by_user = filter->user_id.at != NULL, by_status = filter->state != ORDER_NEW;
    struct db_statement *row = db_query(db, queries[by_user][by_status]);
    int at = 1;
    if (by_user)
        db_bind_text(row, at++, filter->user_id);
    if (by_status)
        db_bind_string(row, at++, order_state_name(filter->state));
    db_bind_text(row, at++, filter->before.length ? filter->before : TEXT(ORDER_ID_LAST));
    db_bind_int(row, at, filter->limit + 1);
    return row;
}

/* One row more than asked for tells whether there are others. */
static enum err read_heads(struct db_connection *db, struct arena *arena, const struct order_filter *filter,
                           struct order *orders, size_t *ret_count)
{
    struct db_statement *row = list_query(db, filter);
    size_t count = 0;
    enum err err = ERR_NONE;
    while (!err && db_next(row)) {
        err = read_head(row, arena, &orders[count]);
        count += err == ERR_NONE;
    }
    enum err done = db_done(row);
    if (!err && !done)
        *ret_count = count;
    return err ? err : done;
}

enum err store_order_list(struct db_connection *db, struct arena *arena, const struct order_filter *filter,
                          struct order **ret_orders, size_t *ret_count, bool *ret_more)
{
    size_t limit = (size_t)filter->limit, found = 0, count = 0;
    struct order *orders = arena_calloc(arena, limit + 1, sizeof *orders);
    if (!orders)
        return err_because(ERR_MEMORY, "no memory for a list of orders");
    enum err err = read_heads(db, arena, filter, orders, &found);
    while (!err && count < found && count < limit && (count == 0 || arena->total_bytes < arena->max_bytes / 2))
        err = read_lines(db, arena, &orders[count++]);
    if (err)
        return err;
    *ret_orders = orders;
    *ret_count = count;
    *ret_more = count < found;
    return ERR_NONE;
}

enum err store_order_range(struct db_connection *db, enum order_state state, const char *after, const char *before,
                           char (*ret_ids)[ID_SIZE], size_t max, size_t *ret_count)
{
    struct db_statement *row = db_query(db, ORDER_RANGE);
    size_t count = 0;
    db_bind_string(row, 1, order_state_name(state));
    db_bind_string(row, 2, after);
    db_bind_string(row, 3, before);
    db_bind_int(row, 4, (int64_t)max);
    while (count < max && db_next(row))
        snprintf(ret_ids[count++], ID_SIZE, "%.*s", TEXT_ARGS(db_text(row, 0)));
    enum err err = db_done(row);
    if (!err)
        *ret_count = count;
    return err;
}

enum err store_order_count(struct db_connection *db, enum order_state state, const char *before, int64_t *ret_count)
{
    struct db_statement *row = db_query(db, ORDER_COUNT);
    int64_t count = 0;
    db_bind_string(row, 1, order_state_name(state));
    db_bind_string(row, 2, before);
    while (db_next(row))
        count = db_int(row, 0);
    enum err err = db_done(row);
    if (!err)
        *ret_count = count;
    return err;
}

enum err store_order_move(struct db_connection *db, const struct order *order)
{
    struct db_statement *update = db_query(db, ORDER_MOVE);
    int64_t changes = 0;
    db_bind_string(update, 1, order_state_name(order->state));
    db_bind_int(update, 2, order->version);
    db_bind_int(update, 3, order->updated_us);
    db_bind_text(update, 4, order->id);
    enum err err = db_run(update, &changes);
    if (!err && changes == 0)
        err = err_because(ERR_CONFLICT, "order %.*s was changed meanwhile", TEXT_ARGS(order->id));
    return err;
}

/* ---- history ---- */

enum err store_step_add(struct db_connection *db, const struct order *order, const struct order_step *step)
{
    struct db_statement *insert = db_query(db, STEP_ADD);
    db_bind_text(insert, 1, order->id);
    db_bind_int(insert, 2, order->version);
    db_bind_string(insert, 3, order_state_name(step->from));
    db_bind_string(insert, 4, order_state_name(step->to));
    db_bind_text(insert, 5, step->cause);
    db_bind_int(insert, 6, step->at_us);
    return db_run(insert, NULL);
}

enum err store_step_list(struct db_connection *db, struct arena *arena, struct text order_id,
                         struct order_step **ret_steps, size_t *ret_count)
{
    struct db_statement *row = db_query(db, STEP_LIST);
    struct order_step *steps = NULL;
    size_t count = 0;
    enum err err = ERR_NONE;
    db_bind_text(row, 1, order_id);
    while (!err && db_next(row)) {
        if (!steps)
            steps = arena_calloc(arena, (size_t)db_int(row, 4), sizeof *steps);
        struct text cause = arena_text(arena, db_text(row, 2));
        if (steps && cause.at)
            steps[count++] = (struct order_step){order_state_of(db_text(row, 0)), order_state_of(db_text(row, 1)),
                                                 cause, db_int(row, 3)};
        else
            err = err_because(ERR_MEMORY, "no memory for a history");
    }
    enum err done = db_done(row);
    if (done || err)
        return done ? done : err;
    *ret_steps = steps;
    *ret_count = count;
    return ERR_NONE;
}
