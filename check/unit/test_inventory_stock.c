#include "config.h"

#include <stdio.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/inventory_fixture.h"

static const struct stock_line tea_2_cup_1[] = {{{"tea", 3}, 2}, {{"cup", 3}, 1}};
static const struct stock_line tea_2_cup_9[] = {{{"tea", 3}, 2}, {{"cup", 3}, 9}};
static const struct stock_line tea_2_pan_1[] = {{{"tea", 3}, 2}, {{"pan", 3}, 1}};

/* tea: 10 on hand, cup: 3. */
static void begin(void)
{
    fixture_begin();
    fixture_put("tea", "Tea", 100);
    fixture_put("cup", "Cup", 399);
    CU_ASSERT_EQUAL(fixture_move("tea", 10), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_move("cup", 3), ERR_NONE);
}

static void end(void)
{
    CU_ASSERT_TRUE(fixture_adds_up());
    fixture_end();
}

static void test_movements(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_move("tea", -10), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_move("tea", -1), ERR_CONFLICT);
    CU_ASSERT_EQUAL(fixture_move("pan", 1), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(fixture_move("tea", STOCK_MAX), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_move("tea", 1), ERR_TOO_LARGE);
    CU_ASSERT_TRUE(fixture_holds("tea", STOCK_MAX, 0));
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM stock_movement WHERE sku = 'tea'"), 3);
    end();
}

static void test_not_below_reserved(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_1, 2), STOCK_RESERVED);
    CU_ASSERT_EQUAL(fixture_move("tea", -9), ERR_CONFLICT);
    CU_ASSERT_EQUAL(fixture_move("tea", -8), ERR_NONE);
    CU_ASSERT_TRUE(fixture_holds("tea", 2, 2));
    end();
}

static void test_life(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_1, 2), STOCK_RESERVED);
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 2));
    CU_ASSERT_TRUE(fixture_holds("cup", 3, 1));
    CU_ASSERT_EQUAL(fixture_sell("o1"), STOCK_SOLD);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    CU_ASSERT_TRUE(fixture_holds("cup", 2, 0));
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT delta FROM stock_movement WHERE cause = 'order o1' AND"
                                               " sku = 'tea'"), -2);
    CU_ASSERT_EQUAL(fixture_reserve("o2", tea_2_cup_1, 2), STOCK_RESERVED);
    CU_ASSERT_EQUAL(fixture_release("o2"), STOCK_RELEASED);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    CU_ASSERT_TRUE(fixture_holds("cup", 2, 0));
    end();
}

static void test_all_or_none(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_9, 2), STOCK_REJECTED);
    CU_ASSERT_STRING_EQUAL(fixture_short, "cup");
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 0));
    CU_ASSERT_TRUE(fixture_holds("cup", 3, 0));
    CU_ASSERT_EQUAL(fixture_reserve("o2", tea_2_pan_1, 2), STOCK_REJECTED);
    CU_ASSERT_STRING_EQUAL(fixture_short, "pan");
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 0));
    CU_ASSERT_EQUAL(fixture_move("cup", 100), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_9, 2), STOCK_STILL_REJECTED);
    CU_ASSERT_EQUAL(fixture_release("o1"), STOCK_IGNORED);
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 0));
    end();
}

static void test_tombstone(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_release("o1"), STOCK_IGNORED);
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_1, 2), STOCK_STILL_REJECTED);
    CU_ASSERT_EQUAL(fixture_sell("o1"), STOCK_IGNORED);
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 0));
    end();
}

static void test_repeats(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_sell("o1"), STOCK_IGNORED);
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_1, 2), STOCK_RESERVED);
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_1, 2), STOCK_STILL_RESERVED);
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 2));
    CU_ASSERT_EQUAL(fixture_sell("o1"), STOCK_SOLD);
    CU_ASSERT_EQUAL(fixture_reserve("o1", tea_2_cup_1, 2), STOCK_IGNORED);
    CU_ASSERT_EQUAL(fixture_sell("o1"), STOCK_IGNORED);
    CU_ASSERT_EQUAL(fixture_release("o1"), STOCK_IGNORED);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    CU_ASSERT_EQUAL(fixture_reserve("o2", tea_2_cup_1, 2), STOCK_RESERVED);
    CU_ASSERT_EQUAL(fixture_release("o2"), STOCK_RELEASED);
    CU_ASSERT_EQUAL(fixture_release("o2"), STOCK_IGNORED);
    CU_ASSERT_EQUAL(fixture_sell("o2"), STOCK_IGNORED);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    end();
}

static void test_last_piece(void)
{
    const struct stock_line all = {TEXT("tea"), 10}, one = {TEXT("tea"), 1};
    begin();
    CU_ASSERT_EQUAL(fixture_reserve("o1", &all, 1), STOCK_RESERVED);
    CU_ASSERT_EQUAL(fixture_reserve("o2", &one, 1), STOCK_REJECTED);
    CU_ASSERT_EQUAL(fixture_release("o1"), STOCK_RELEASED);
    CU_ASSERT_EQUAL(fixture_reserve("o3", &one, 1), STOCK_RESERVED);
    end();
}

/* ---- a hundred orders for what is enough for seventy, in one batch ---- */

enum { CROWD = 100, ENOUGH_FOR = 70 };

struct rush {
    struct db_job job;
    char order_id[16];
    enum stock_result result;
};

static enum err rush_work(struct db_connection *db, void *context)
{
    struct rush *rush = context;
    const struct stock_line line = {TEXT("tea"), 3};
    size_t short_at;
    return stock_reserve(db, text_of(rush->order_id), &line, 1, clock_wall_us(), &rush->result, &short_at);
}

static void rush_done(struct db_job *job, enum err err)
{
    (void)job;
    CU_ASSERT_EQUAL(err, ERR_NONE);
}

static enum err nothing(struct db_connection *db, void *context)
{
    (void)db, (void)context;
    return ERR_NONE;
}

static void test_crowd(void)
{
    static struct rush rushes[CROWD];
    int reserved = 0;
    begin();
    CU_ASSERT_EQUAL(fixture_move("tea", ENOUGH_FOR * 3 + 2 - 10), ERR_NONE);
    for (int i = 0; i < CROWD; i++) {
        snprintf(rushes[i].order_id, sizeof rushes[i].order_id, "crowd-%d", i);
        rushes[i].job = (struct db_job){.work = rush_work, .done = rush_done, .context = &rushes[i]};
        while (db_submit(fixture.db, &rushes[i].job) == ERR_BUSY)
            CU_ASSERT_EQUAL(db_write(fixture.db, nothing, NULL), ERR_NONE);
    }
    while (db_write(fixture.db, nothing, NULL) == ERR_BUSY)
        continue;
    for (int i = 0; i < CROWD; i++)
        reserved += rushes[i].result == STOCK_RESERVED;
    CU_ASSERT_EQUAL(reserved, ENOUGH_FOR);
    CU_ASSERT_TRUE(fixture_holds("tea", ENOUGH_FOR * 3 + 2, ENOUGH_FOR * 3));
    end();
}

static const struct suite_case cases[] = {
    {"movements are kept, and leave neither less than nothing nor more than the ceiling", test_movements},
    {"what is reserved cannot be taken away", test_not_below_reserved},
    {"an order is reserved, then sold or released", test_life},
    {"an order is reserved whole or not at all, and stays rejected", test_all_or_none},
    {"an order that was cancelled before it was heard of is never reserved", test_tombstone},
    {"repeated and late events change nothing", test_repeats},
    {"the last piece goes to one order", test_last_piece},
    {"a crowd after one item gets exactly what there is", test_crowd},
};

int main(void)
{
    return engines_main("inventory_stock", cases, sizeof cases / sizeof cases[0]);
}
