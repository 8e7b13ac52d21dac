#include "config.h"

#include <stdio.h>
#include <string.h>

#include "app/service.h"
#include "apps/inventory/events.h"
#include "apps/inventory/stock.h"
#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/saga_sides.h"
#include "check/unit/scratch.h"

enum { ARENA_MAX_BYTES = 64 * 1024 };

static const struct service_definition definition = {.name = "inventory"};
static struct service service = {.definition = &definition};

struct db *saga_inventory_open(const char *path, int64_t on_hand)
{
    const struct migration_set sets[] = {events_migrations, inventory_migrations};
    struct db_opts opts = scratch_db_opts(path);
    struct db *db;
    char sql[256];
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, sets, 2), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    snprintf(sql, sizeof sql, "INSERT INTO item (sku, name, price_minor, currency, on_hand, version, updated_us)"
                              " VALUES ('tea', 'Green tea', 100, 'EUR', %lld, 1, 1)", (long long)on_hand);
    CU_ASSERT_EQUAL_FATAL(scratch_script(db, sql), ERR_NONE);
    return db;
}

enum err saga_inventory_deliver(struct db_connection *db, enum saga_message message, int order, struct text data)
{
    const struct event event = {.type = text_of(saga_message_types[message]), .subject = text_of(saga_order_id(order)),
                                .data = data};
    for (size_t i = 0; i < inventory_handler_count; i++) {
        if (text_equal_string(event.type, inventory_handlers[i].type))
            return inventory_handlers[i].work(db, &event, &service);
    }
    return err_because(ERR_NOT_FOUND, "inventory does not follow %s", saga_message_types[message]);
}

enum err saga_inventory_expire(struct db_connection *db, int order)
{
    bool asked = false;
    struct text id = text_of(saga_order_id(order));
    enum err err = stock_ask(db, id, INT64_MAX, clock_wall_us(), &asked);
    return err || !asked ? err : stock_say_expiring(&service, db, id);
}

enum err saga_inventory_expire_rashly(struct db_connection *db, int order)
{
    struct arena arena;
    enum stock_result result;
    struct stock_lines changed;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = saga_inventory_expire(db, order);
    if (!err)
        err = stock_release(db, &arena, text_of(saga_order_id(order)), clock_wall_us(), &result, &changed);
    arena_fini(&arena);
    return err;
}

static enum err look_at_reservation(struct db_connection *db, int order, uint8_t *ret)
{
    static const char *const states[] = {"", "reserved", "sold", "released"};
    char state[RESERVATION_STATE_SIZE];
    enum err err = store_reservation_state(db, text_of(saga_order_id(order)), state);
    for (uint8_t i = 0; i < 4 && !err; i++) {
        if (strcmp(state, states[i]) == 0)
            *ret = i;
    }
    return err;
}

enum err saga_inventory_look(struct db_connection *db, int orders, struct saga_stock_view *ret)
{
    struct db_statement *row = db_query(db, "SELECT on_hand, reserved FROM item WHERE sku = 'tea'");
    memset(ret, 0, sizeof *ret);
    while (db_next(row)) {
        ret->on_hand = db_int(row, 0);
        ret->reserved = db_int(row, 1);
    }
    enum err err = db_done(row);
    for (int i = 0; i < orders && !err; i++)
        err = look_at_reservation(db, i, &ret->stock[i]);
    return err;
}
