#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apps/inventory/item.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/inventory_fixture.h"

static void test_sku(void)
{
    char longest[SKU_MAX + 2];
    memset(longest, 'a', sizeof longest);
    CU_ASSERT_TRUE(item_sku_is_valid((struct text){longest, SKU_MAX}));
    CU_ASSERT_FALSE(item_sku_is_valid((struct text){longest, SKU_MAX + 1}));
    CU_ASSERT_FALSE(item_sku_is_valid(TEXT("")));
    CU_ASSERT_TRUE(item_sku_is_valid(TEXT("A-z_0.9")));
    CU_ASSERT_FALSE(item_sku_is_valid(TEXT("a b")));
    CU_ASSERT_FALSE(item_sku_is_valid(TEXT("a/b")));
    CU_ASSERT_FALSE(item_sku_is_valid(TEXT("t\xc3\xa9")));
    CU_ASSERT_FALSE(item_sku_is_valid(TEXT("a\0b")));
}

static void test_put(void)
{
    struct item item;
    fixture_begin();
    CU_ASSERT_EQUAL(fixture_put("tea", "Tea", 100), 1);
    CU_ASSERT_EQUAL(fixture_move("tea", 5), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_put("tea", "Green tea", 200), 3);   /* stock has a version of its own in between */
    CU_ASSERT_EQUAL_FATAL(store_item_find(fixture.reader, &fixture.arena, TEXT("tea"), &item), ERR_NONE);
    CU_ASSERT_TRUE(text_equal_string(item.name, "Green tea"));
    CU_ASSERT_EQUAL(item.price.amount_minor, 200);
    CU_ASSERT_EQUAL(item.on_hand, 5);
    CU_ASSERT_EQUAL(item.version, 3);
    CU_ASSERT_EQUAL(store_item_find(fixture.reader, &fixture.arena, TEXT("TEA"), &item), ERR_NOT_FOUND);
    fixture_end();
}

static void test_list(void)
{
    struct item *items;
    struct text after = TEXT("");
    size_t count, total = 0;
    fixture_begin();
    for (int i = 0; i < 23; i++) {
        char sku[16];
        snprintf(sku, sizeof sku, "sku-%02d", (i * 7) % 23);
        fixture_put(sku, "A thing", i);
    }
    do {
        CU_ASSERT_EQUAL_FATAL(store_item_list(fixture.reader, &fixture.arena, after, 5, &items, &count), ERR_NONE);
        for (size_t i = 0; i < count; i++) {
            char sku[16];
            snprintf(sku, sizeof sku, "sku-%02zu", total + i);
            CU_ASSERT_TRUE(text_equal_string(items[i].sku, sku));
        }
        total += count;
        if (count > 0)
            after = items[count - 1].sku;
    } while (count > 0);
    CU_ASSERT_EQUAL(total, 23);
    fixture_end();
}

/* What store_item_made() tells of: the places in the order of what it told. */
struct told {
    char skus[16][16];
    int64_t made_us[16];
    size_t count;
};

static void tell(void *context, int64_t made_us, struct text sku)
{
    struct told *told = context;
    snprintf(told->skus[told->count], sizeof told->skus[0], "%.*s", TEXT_ARGS(sku));
    told->made_us[told->count++] = made_us;
}

static size_t list_made(struct told *told, int64_t after_us, const char *after, int64_t limit)
{
    size_t before = told->count;
    CU_ASSERT_EQUAL(store_item_made(fixture.reader, after_us, text_of(after), limit, tell, told), ERR_NONE);
    return told->count - before;
}

static void test_made(void)
{
    struct told told = {.count = 0};
    fixture_begin();
    int64_t began_us = clock_wall_us();
    fixture_put("tea", "Tea", 100);
    fixture_put("cup", "Cup", 100);
    int64_t ended_us = clock_wall_us();
    CU_ASSERT_EQUAL(fixture_move("tea", 5), ERR_NONE);
    fixture_put("tea", "Green tea", 200);   /* it was made before */
    CU_ASSERT_EQUAL(list_made(&told, INT64_MIN, "", 5), 2);
    CU_ASSERT_STRING_EQUAL(told.skus[0], "tea");
    CU_ASSERT_STRING_EQUAL(told.skus[1], "cup");
    CU_ASSERT(told.made_us[0] >= began_us && told.made_us[1] <= ended_us);
    CU_ASSERT_EQUAL(list_made(&told, ended_us, "", 5), 0);
    /* As programs of before did. */
    CU_ASSERT_EQUAL(scratch_script(fixture.db, "INSERT INTO item (sku, name, price_minor, currency, version,"
                                   " updated_us) VALUES ('old2', 'Old', 1, 'EUR', 1, 1),"
                                   " ('old1', 'Old', 1, 'EUR', 1, 1)"), ERR_NONE);
    CU_ASSERT_EQUAL(list_made(&told, ended_us, "", 1), 1);
    CU_ASSERT_STRING_EQUAL(told.skus[2], "old1");
    CU_ASSERT_EQUAL(list_made(&told, told.made_us[2], told.skus[2], 1), 1);
    CU_ASSERT_STRING_EQUAL(told.skus[3], "old2");
    CU_ASSERT_EQUAL(list_made(&told, told.made_us[3], told.skus[3], 1), 0);
    fixture_end();
}

/* Whatever the rules forget, the schema refuses. */
static void test_checks(void)
{
    static const char *const broken[] = {
        "UPDATE item SET on_hand = -1",
        "UPDATE item SET reserved = -1",
        "UPDATE item SET reserved = on_hand + 1",
        "UPDATE item SET on_hand = reserved - 1",
        "UPDATE item SET price_minor = -1",
        "INSERT INTO reservation (order_id, state, updated_us) VALUES ('o', 'lost', 0)",
        "INSERT INTO reservation_line (order_id, line, sku, quantity) VALUES ('o', 0, 'tea', 0)",
        "INSERT INTO stock_movement (id, sku, delta, reason, cause, at_us) VALUES ('m', 'tea', 0, '', '', 0)",
    };
    const struct stock_line two = {TEXT("tea"), 2};
    fixture_begin();
    fixture_put("tea", "Tea", 100);
    CU_ASSERT_EQUAL(fixture_move("tea", 5), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_reserve("o1", &two, 1), STOCK_RESERVED);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        CU_ASSERT_NOT_EQUAL(scratch_script(fixture.db, broken[i]), ERR_NONE);
    CU_ASSERT_TRUE(fixture_holds("tea", 5, 2));
    fixture_end();
}

static void test_no_memory(void)
{
    struct arena small;
    struct item item, *items;
    size_t count;
    fixture_begin();
    fixture_put("tea", "Tea", 100);
    arena_init(&small, 0);
    CU_ASSERT_EQUAL(store_item_find(fixture.reader, &small, TEXT("tea"), &item), ERR_MEMORY);
    CU_ASSERT_EQUAL(store_item_list(fixture.reader, &small, TEXT(""), 5, &items, &count), ERR_MEMORY);
    arena_fini(&small);
    fixture_end();
}

static const struct suite_case cases[] = {
    {"a sku has 1 to 64 of the allowed characters", test_sku},
    {"an item is made, then replaced, and keeps its stock", test_put},
    {"pages have each item once, in order of sku", test_list},
    {"items are listed in the order they were made, those of unknown time last", test_made},
    {"the schema refuses stock below zero and reservations beyond it", test_checks},
    {"without memory nothing is returned", test_no_memory},
};

int main(void)
{
    return engines_main("inventory_store", cases, sizeof cases / sizeof cases[0]);
}
