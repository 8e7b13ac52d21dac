#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apps/order/store.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/order_fixture.h"

enum { ARENA_BYTES = 4 * 1024 * 1024 };

static struct arena arena;
static struct db_connection *reader;

static void begin(void)
{
    fixture_begin();
    arena_init(&arena, ARENA_BYTES);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &reader), ERR_NONE);
}

static void end(void)
{
    db_reader_close(reader);
    arena_fini(&arena);
    fixture_end();
}

/* ---- items ---- */

struct putting {
    struct known_item item;
    bool kept;
};

static enum err put_work(struct db_connection *db, void *context)
{
    struct putting *putting = context;
    return store_item_put(db, &putting->item, &putting->kept);
}

static bool put(const char *sku, const char *name, int64_t amount_minor, int64_t version)
{
    struct putting putting = {
        {text_of(sku), text_of(name), {amount_minor, currency_find(TEXT("EUR"))}, version}, false};
    CU_ASSERT_EQUAL(db_write(fixture.db, put_work, &putting), ERR_NONE);
    return putting.kept;
}

static void test_newest_version_wins(void)
{
    struct known_item item;
    begin();
    CU_ASSERT_TRUE(put("pot", "Pot", 100, 2));
    CU_ASSERT_FALSE(put("pot", "Old pot", 50, 1));
    CU_ASSERT_FALSE(put("pot", "Same pot", 60, 2));
    CU_ASSERT_EQUAL_FATAL(store_item_find(reader, &arena, TEXT("pot"), &item), ERR_NONE);
    CU_ASSERT_TRUE(text_equal_string(item.name, "Pot"));
    CU_ASSERT_TRUE(put("pot", "New pot", 70, 9));
    CU_ASSERT_EQUAL_FATAL(store_item_find(reader, &arena, TEXT("pot"), &item), ERR_NONE);
    CU_ASSERT_TRUE(text_equal_string(item.name, "New pot"));
    CU_ASSERT_EQUAL(item.price.amount_minor, 70);
    CU_ASSERT_STRING_EQUAL(item.price.currency->code, "EUR");
    CU_ASSERT_EQUAL(store_item_find(reader, &arena, TEXT("pan"), &item), ERR_NOT_FOUND);
    end();
}

/* ---- orders ---- */

static void test_order_reads_back(void)
{
    char id[ID_SIZE];
    struct order order;
    begin();
    fixture_place("sandbox_approve", "tea", 3, id);
    CU_ASSERT_EQUAL_FATAL(store_order_find(reader, &arena, text_of(id), &order), ERR_NONE);
    CU_ASSERT_TRUE(text_equal_string(order.id, id));
    CU_ASSERT_EQUAL(order.state, ORDER_PLACED);
    CU_ASSERT_EQUAL(order.version, 1);
    CU_ASSERT_EQUAL(order.total.amount_minor, 3750);
    CU_ASSERT_TRUE(text_equal_string(secret_reveal(order.payment_method), "sandbox_approve"));
    CU_ASSERT_EQUAL_FATAL(order.line_count, 1);
    CU_ASSERT_TRUE(text_equal_string(order.lines[0].sku, "tea"));
    CU_ASSERT_EQUAL(order.lines[0].quantity, 3);
    CU_ASSERT_EQUAL(order.lines[0].unit_price.amount_minor, 1250);
    CU_ASSERT_EQUAL(order.lines[0].total.amount_minor, 3750);
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_EQUAL_FATAL(store_order_head(reader, &arena, text_of(id), &order), ERR_NONE);
    CU_ASSERT_FALSE(secret_is_given(order.payment_method));
    CU_ASSERT_EQUAL(store_order_head(reader, &arena, TEXT("none"), &order), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(store_order_find(reader, &arena, TEXT(""), &order), ERR_NOT_FOUND);
    end();
}

static enum err move_stale(struct db_connection *db, void *context)
{
    return store_order_move(db, context);
}

static void test_stale_version(void)
{
    char id[ID_SIZE];
    struct order order;
    begin();
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_EQUAL_FATAL(store_order_head(reader, &arena, text_of(id), &order), ERR_NONE);
    order.state = ORDER_CANCELLED;   /* as version 1, which is stored already */
    CU_ASSERT_EQUAL(db_write(fixture.db, move_stale, &order), ERR_CONFLICT);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "placed");
    end();
}

static void test_no_memory(void)
{
    char id[ID_SIZE];
    struct order order;
    struct order_step *steps;
    struct arena small;
    size_t count;
    begin();
    fixture_place(NULL, "tea", 1, id);
    arena_init(&small, 0);
    CU_ASSERT_EQUAL(store_order_find(reader, &small, text_of(id), &order), ERR_MEMORY);
    CU_ASSERT_EQUAL(store_step_list(reader, &small, text_of(id), &steps, &count), ERR_MEMORY);
    arena_fini(&small);
    end();
}

/* ---- lists ---- */

enum { PAGED = 25 };

static size_t walk(struct order_filter filter, char seen[][ID_SIZE])
{
    struct order *orders;
    size_t count, total = 0;
    bool more = false;
    filter.limit = 4;
    filter.before = TEXT("");
    do {
        CU_ASSERT_EQUAL_FATAL(store_order_list(reader, &arena, &filter, &orders, &count, &more), ERR_NONE);
        CU_ASSERT_EQUAL(more && count < 4, false);
        for (size_t i = 0; i < count; i++) {
            snprintf(seen[total + i], ID_SIZE, "%.*s", TEXT_ARGS(orders[i].id));
            CU_ASSERT_EQUAL(orders[i].line_count, 1);
            CU_ASSERT_TRUE(filter.state == ORDER_NEW || orders[i].state == filter.state);
        }
        total += count;
        if (count > 0)
            filter.before = orders[count - 1].id;
    } while (more);
    return total;
}

/* A page ends early rather than fail; what comes after is on the next one. */
static void test_list_in_little_memory(void)
{
    char id[ID_SIZE];
    struct order_filter filter = {.state = ORDER_NEW, .limit = PAGED, .before = TEXT("")};
    struct order *orders;
    size_t count, total = 0, pages = 0;
    bool more = false;
    begin();
    for (int i = 0; i < PAGED; i++)
        fixture_place(NULL, "tea", 1, id);
    do {
        struct arena small;
        arena_init(&small, 24 * 1024);
        CU_ASSERT_EQUAL_FATAL(store_order_list(reader, &small, &filter, &orders, &count, &more), ERR_NONE);
        CU_ASSERT_TRUE_FATAL(count > 0);
        CU_ASSERT_EQUAL(orders[count - 1].line_count, 1);
        snprintf(id, sizeof id, "%.*s", TEXT_ARGS(orders[count - 1].id));
        filter.before = text_of(id);
        total += count;
        pages++;
        arena_fini(&small);
    } while (more);
    CU_ASSERT_EQUAL(total, PAGED);
    CU_ASSERT_TRUE(pages > 1);
    end();
}

static void test_lists(void)
{
    char ids[PAGED][ID_SIZE], seen[PAGED + 4][ID_SIZE];
    const struct text user = TEXT("0190a000-0000-7000-8000-000000000001"), other = TEXT("nobody");
    begin();
    for (int i = 0; i < PAGED; i++) {
        fixture_place(NULL, "tea", 1, ids[i]);
        if (i % 5 == 0)
            CU_ASSERT_TRUE(fixture_apply(ids[i], ORDER_CANCEL, "cancelled by customer"));
    }
    CU_ASSERT_EQUAL(walk((struct order_filter){.user_id = user}, seen), PAGED);
    for (int i = 0; i < PAGED; i++)
        CU_ASSERT_STRING_EQUAL(seen[i], ids[PAGED - 1 - i]);   /* the newest first */
    CU_ASSERT_EQUAL(walk((struct order_filter){.state = ORDER_NEW}, seen), PAGED);
    CU_ASSERT_EQUAL(walk((struct order_filter){.state = ORDER_CANCELLED}, seen), PAGED / 5);
    CU_ASSERT_EQUAL(walk((struct order_filter){.user_id = user, .state = ORDER_PLACED}, seen), PAGED - PAGED / 5);
    CU_ASSERT_EQUAL(walk((struct order_filter){.user_id = user, .state = ORDER_PAID}, seen), 0);
    CU_ASSERT_EQUAL(walk((struct order_filter){.user_id = other}, seen), 0);
    CU_ASSERT_EQUAL(walk((struct order_filter){.user_id = other, .state = ORDER_PLACED}, seen), 0);
    end();
}

/* The plan says "SEARCH … USING INDEX" or it reads everything. */
static void test_lists_use_indexes(void)
{
    static const struct {
        const char *query, *index;
    } plans[] = {
        {"EXPLAIN QUERY PLAN SELECT * FROM orders WHERE user_id = 'u' AND id < '~' ORDER BY id DESC LIMIT 2",
         "orders_user"},
        {"EXPLAIN QUERY PLAN SELECT * FROM orders WHERE status = 'paid' AND id < '~' ORDER BY id DESC LIMIT 2",
         "orders_status"},
        {"EXPLAIN QUERY PLAN SELECT * FROM orders WHERE user_id = 'u' AND status || '' = 'paid' AND id < '~'"
         " ORDER BY id DESC LIMIT 2", "orders_user"},
        {"EXPLAIN QUERY PLAN SELECT order_id FROM payment WHERE due_us <= 1 ORDER BY due_us LIMIT 2", "payment_due"},
    };
    if (!engines_is_sqlite())
        return;   /* whose planner goes by what is in the tables, and would read these whole */
    begin();
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct db_statement *row = db_query(reader, plans[i].query);
        int rows = 0;
        while (db_next(row)) {
            char detail[256];
            snprintf(detail, sizeof detail, "%.*s", TEXT_ARGS(db_text(row, 3)));
            CU_ASSERT_PTR_NOT_NULL(strstr(detail, plans[i].index));
            rows++;
        }
        CU_ASSERT_EQUAL(db_done(row), ERR_NONE);
        CU_ASSERT_EQUAL(rows, 1);   /* a second would be a sort */
    }
    end();
}

static void test_history(void)
{
    char id[ID_SIZE];
    struct order_step *steps;
    size_t count;
    begin();
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    CU_ASSERT_EQUAL_FATAL(store_step_list(reader, &arena, text_of(id), &steps, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 3);
    CU_ASSERT_EQUAL(steps[0].from, ORDER_NEW);
    CU_ASSERT_EQUAL(steps[0].to, ORDER_PLACED);
    CU_ASSERT_EQUAL(steps[1].from, ORDER_PLACED);
    CU_ASSERT_EQUAL(steps[2].to, ORDER_CANCELLED);
    CU_ASSERT_TRUE(text_equal_string(steps[2].cause, "cancelled by customer"));
    CU_ASSERT_TRUE(steps[0].at_us <= steps[1].at_us && steps[1].at_us <= steps[2].at_us);
    end();
}

/* ---- how long an order takes ---- */

enum { TIMED = 5000 };

static void count_done(struct db_job *job, enum err err)
{
    (void)job;
    CU_ASSERT_EQUAL(err, ERR_NONE);
}

struct timed {
    struct db_job job;
    char id[ID_SIZE];
    int at;
};

static enum err place_timed(struct db_connection *db, void *context)
{
    struct timed *timed = context;
    const struct currency *euro = currency_find(TEXT("EUR"));
    struct order_line lines[2] = {
        {TEXT("tea"), TEXT("Green tea"), 2, {1250, euro}, {2500, euro}},
        {TEXT("cup"), TEXT("A cup"), 1, {399, euro}, {399, euro}},
    };
    char user[ID_SIZE];
    snprintf(user, sizeof user, "0190a000-0000-7000-8000-%012d", timed->at % 1000);
    struct order order = {
        .id = text_of(id_new(timed->id)), .user_id = text_of(user), .total = {2899, euro},
        .lines = lines, .line_count = 2, .created_us = clock_wall_us(),
    };
    struct order_change change = {.db = db, .emit = fixture_emit, .event = ORDER_PLACE, .cause = TEXT("placed"),
                                  .now_us = order.created_us};
    bool applied;
    fixture.event_count = 0;
    return order_apply(&change, &order, &applied);
}

static enum err nothing(struct db_connection *db, void *context)
{
    (void)db, (void)context;
    return ERR_NONE;
}

static void test_rate(void)
{
    static struct timed timed[TIMED];
    fixture_begin();
    db_close(fixture.db);
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "order.db"));
    opts.batch_max = 256;
    opts.queue_max = TIMED + 1;
    opts.cache_kib = 1024;
    opts.wal_checkpoint_bytes = 4 << 20;
    opts.wal_max_bytes = 64 << 20;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
    int64_t started_ns = clock_now_ns();
    for (int i = 0; i < TIMED; i++) {
        timed[i].at = i;
        timed[i].job = (struct db_job){.work = place_timed, .done = count_done, .context = &timed[i]};
        CU_ASSERT_EQUAL_FATAL(db_submit(fixture.db, &timed[i].job), ERR_NONE);
    }
    CU_ASSERT_EQUAL(db_write(fixture.db, nothing, NULL), ERR_NONE);
    double seconds = (double)(clock_now_ns() - started_ns) / NS_PER_S;
    printf("# %d durable orders of two lines in %.2f s: %.0f a second\n", TIMED, seconds, TIMED / seconds);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM orders"), TIMED);
    fixture_end();
}

static const struct suite_case cases[] = {
    {"of an item's versions the newest wins, in whatever order they come", test_newest_version_wins},
    {"an order reads back as it was placed", test_order_reads_back},
    {"a transition from a version that is not stored any more is refused", test_stale_version},
    {"without memory nothing is returned", test_no_memory},
    {"pages by user, by status, by both and of all have each order once, the newest first", test_lists},
    {"a page ends early rather than take all memory, and the next goes on", test_list_in_little_memory},
    {"every list has an index to walk", test_lists_use_indexes},
    {"the history has every transition in order", test_history},
    {"orders go in by the thousand", test_rate},
};

int main(void)
{
    return engines_main("order_store", cases, sizeof cases / sizeof cases[0]);
}
