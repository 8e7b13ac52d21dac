#include "config.h"

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/inventory_fixture.h"

struct fixture fixture;
const char *fixture_short;

void fixture_begin(void)
{
    scratch_init(&fixture.scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "inventory.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(fixture.db, &inventory_migrations, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &fixture.reader), ERR_NONE);
    arena_init(&fixture.arena, 4 * 1024 * 1024);
}

void fixture_end(void)
{
    arena_fini(&fixture.arena);
    db_reader_close(fixture.reader);
    db_close(fixture.db);
    scratch_fini(&fixture.scratch);
}

/* ---- items ---- */

static enum err put_work(struct db_connection *db, void *context)
{
    return store_item_put(db, context);
}

int64_t fixture_put(const char *sku, const char *name, int64_t amount_minor)
{
    struct item item = {
        .sku = text_of(sku),
        .name = text_of(name),
        .price = {amount_minor, currency_find(TEXT("EUR"))},
        .updated_us = clock_wall_us(),
    };
    CU_ASSERT_EQUAL(db_write(fixture.db, put_work, &item), ERR_NONE);
    return item.version;
}

static enum err move_work(struct db_connection *db, void *context)
{
    struct arena arena;
    struct item item;
    arena_init(&arena, 65536);
    enum err err = stock_move(db, &arena, context, &item);
    arena_fini(&arena);
    return err;
}

enum err fixture_move(const char *sku, int64_t delta)
{
    struct movement movement = {text_of(sku), delta, TEXT("delivery"), TEXT("user u"), clock_wall_us()};
    return db_write(fixture.db, move_work, &movement);
}

/* ---- orders ---- */

struct step {
    struct text order_id;
    const struct stock_line *lines;
    size_t count, short_at;
    enum stock_result result;
    struct stock_lines changed;    /* gone with the arena */
};

static enum err reserve_work(struct db_connection *db, void *context)
{
    struct step *step = context;
    return stock_reserve(db, step->order_id, step->lines, step->count, clock_wall_us(), &step->result,
                         &step->short_at);
}

static enum err sell_work(struct db_connection *db, void *context)
{
    struct step *step = context;
    struct arena arena;
    arena_init(&arena, 65536);
    enum err err = stock_sell(db, &arena, step->order_id, clock_wall_us(), &step->result, &step->changed);
    arena_fini(&arena);
    return err;
}

static enum err release_work(struct db_connection *db, void *context)
{
    struct step *step = context;
    struct arena arena;
    arena_init(&arena, 65536);
    enum err err = stock_release(db, &arena, step->order_id, clock_wall_us(), &step->result, &step->changed);
    arena_fini(&arena);
    return err;
}

enum stock_result fixture_reserve(const char *order_id, const struct stock_line *lines, size_t count)
{
    struct step step = {.order_id = text_of(order_id), .lines = lines, .count = count};
    CU_ASSERT_EQUAL(db_write(fixture.db, reserve_work, &step), ERR_NONE);
    fixture_short = step.result == STOCK_REJECTED ? lines[step.short_at].sku.at : NULL;
    return step.result;
}

enum stock_result fixture_sell(const char *order_id)
{
    struct step step = {.order_id = text_of(order_id)};
    CU_ASSERT_EQUAL(db_write(fixture.db, sell_work, &step), ERR_NONE);
    return step.result;
}

enum stock_result fixture_release(const char *order_id)
{
    struct step step = {.order_id = text_of(order_id)};
    CU_ASSERT_EQUAL(db_write(fixture.db, release_work, &step), ERR_NONE);
    return step.result;
}

/* ---- looking ---- */

bool fixture_holds(const char *sku, int64_t on_hand, int64_t reserved)
{
    struct item item;
    CU_ASSERT_EQUAL_FATAL(store_item_find(fixture.reader, &fixture.arena, text_of(sku), &item), ERR_NONE);
    return item.on_hand == on_hand && item.reserved == reserved;
}

bool fixture_adds_up(void)
{
    return scratch_number(fixture.db, "SELECT count(*) FROM item WHERE on_hand <> (SELECT coalesce(sum(delta), 0)"
                                      " FROM stock_movement m WHERE m.sku = item.sku)") == 0 &&
           scratch_number(fixture.db, "SELECT count(*) FROM item WHERE reserved <> (SELECT coalesce(sum(quantity), 0)"
                                      " FROM reservation_line l JOIN reservation r ON r.order_id = l.order_id"
                                      " WHERE r.state = 'reserved' AND l.sku = item.sku)") == 0;
}
