#include "config.h"

#include <stdio.h>

#include "apps/order/store.h"
#include "apps/order/tally.h"
#include "telemetry/metric.h"

enum { LABEL_SIZE = 32 };

static const char ADD[] =
    "INSERT INTO tally (name, label, value) VALUES ($1, $2, $3)"
    " ON CONFLICT (name, label) DO UPDATE SET value = tally.value + excluded.value";
static const char READ[] = "SELECT label, value FROM tally WHERE name = $1";

static const struct {
    const char *name;
    enum metric metric;
} tallies[] = {
    {"entered", METRIC_ORDER_TRANSITIONS},
    {"revenue", METRIC_ORDER_REVENUE},
};

static const enum order_state open_states[] = {ORDER_PLACED, ORDER_RESERVED};

static enum err add(struct db_connection *db, const char *name, const char *label, int64_t value)
{
    struct db_statement *statement = db_query(db, ADD);
    db_bind_string(statement, 1, name);
    db_bind_string(statement, 2, label);
    db_bind_int(statement, 3, value);
    return db_run(statement, NULL);
}

enum err tally_add(struct db_connection *db, enum order_state from, const struct order *order)
{
    if (from == order->state)
        return ERR_NONE;
    enum err err = add(db, "entered", order_state_name(order->state), 1);
    if (!err && order->state == ORDER_PAID)
        err = add(db, "revenue", order->total.currency->code, order->total.amount_minor);
    return err;
}

static enum err measure_tally(struct db_connection *db, const char *name, enum metric metric)
{
    struct db_statement *row = db_query(db, READ);
    db_bind_string(row, 1, name);
    while (db_next(row)) {
        char label[LABEL_SIZE];
        snprintf(label, sizeof label, "%.*s", TEXT_ARGS(db_text(row, 0)));
        metric_set(metric_series_of(metric, (const char *const[]){label}, 1), db_int(row, 1));
    }
    return db_done(row);
}

static enum err measure_count(struct db_connection *db, enum order_state state, const char *before, enum metric metric)
{
    int64_t count;
    enum err err = store_order_count(db, state, before, &count);
    if (!err)
        metric_set(metric_series(metric, order_state_name(state)), count);
    return err;
}

enum err tally_measure(struct db_connection *db, int64_t stuck_before_us)
{
    char before[ID_SIZE];
    enum err err = ERR_NONE;
    id_first_of(stuck_before_us, before);
    for (size_t i = 0; i < sizeof tallies / sizeof tallies[0] && !err; i++)
        err = measure_tally(db, tallies[i].name, tallies[i].metric);
    for (size_t i = 0; i < sizeof open_states / sizeof open_states[0] && !err; i++) {
        err = measure_count(db, open_states[i], ORDER_ID_LAST, METRIC_ORDERS_OPEN);
        if (!err)
            err = measure_count(db, open_states[i], before, METRIC_ORDERS_STUCK);
    }
    return err;
}
