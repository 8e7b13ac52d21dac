#include "config.h"

#include <stdio.h>

#include "app/service.h"
#include "apps/inventory/events.h"
#include "apps/inventory/expiry.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/inventory_fixture.h"
#include "telemetry/metric.h"

static const struct service_definition definition = {.name = "inventory"};
static struct service service = {.definition = &definition};

/* The fixture's database, with an outbox in it; tea: 10 on hand, cup: 3. */
static void begin(void)
{
    CU_ASSERT_EQUAL(metric_open("inventory", NULL), ERR_NONE);
    fixture_begin();
    db_reader_close(fixture.reader);
    db_close(fixture.db);
    const struct migration_set sets[] = {events_migrations, inventory_migrations};
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "inventory.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(fixture.db, sets, 2), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &fixture.reader), ERR_NONE);
    fixture_put("tea", "Tea", 100);
    fixture_put("cup", "Cup", 399);
    CU_ASSERT_EQUAL(fixture_move("tea", 10), ERR_NONE);
    CU_ASSERT_EQUAL(fixture_move("cup", 3), ERR_NONE);
}

static void end(void)
{
    CU_ASSERT_TRUE(fixture_adds_up());
    fixture_end();
    metric_close();
}

struct handing {
    struct event event;
    event_work *work;
};

static enum err hand_work(struct db_connection *db, void *context)
{
    struct handing *handing = context;
    return handing->work(db, &handing->event, &service);
}

static enum err hand_data(const char *type, const char *order_id, struct text data)
{
    struct handing handing = {
        .event = {.type = text_of(type), .subject = text_of(order_id), .time_us = clock_wall_us(), .data = data},
    };
    for (size_t i = 0; i < inventory_handler_count; i++) {
        if (text_equal_string(handing.event.type, inventory_handlers[i].type))
            handing.work = inventory_handlers[i].work;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(handing.work);
    return db_write(fixture.db, hand_work, &handing);
}

/* lines may be "": for events that have none. */
static enum err hand(const char *type, const char *order_id, const char *lines)
{
    char data[512];
    snprintf(data, sizeof data, "{\"order_id\":\"%s\",\"user_id\":\"u\"%s}", order_id, lines);
    return hand_data(type, order_id, text_of(data));
}

#define TEA_2_CUP_1 ",\"lines\":[{\"sku\":\"tea\",\"quantity\":2},{\"sku\":\"cup\",\"quantity\":1}]"
#define TEA_2_CUP_9 ",\"lines\":[{\"sku\":\"tea\",\"quantity\":2},{\"sku\":\"cup\",\"quantity\":9}]"

static int64_t ignored(const char *type)
{
    return metric_value(metric_series(METRIC_EVENTS_IGNORED, type));
}

static int64_t said(const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM outbox WHERE type || ' ' || data = '%s'", what);
    return scratch_number(fixture.db, sql);
}

static void test_answers(void)
{
    begin();
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.reserved.v1 {\"order_id\":\"o1\"}"), 1);
    CU_ASSERT_EQUAL(hand("order.paid.v1", "o1", ""), ERR_NONE);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o2", TEA_2_CUP_9), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.rejected.v1 {\"order_id\":\"o2\",\"reason\":\"insufficient stock\",\"sku\":\"cup\"}"),
                    1);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o3", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.cancelled.v1", "o3", ",\"reason\":\"cancelled by customer\""), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.released.v1 {\"order_id\":\"o3\"}"), 1);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM outbox"), 4);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM outbox WHERE subject IN ('o1', 'o2', 'o3')"
                                               " AND source = '/tandem/inventory'"), 4);
    end();
}

static void test_late_and_repeated(void)
{
    begin();
    CU_ASSERT_EQUAL(hand("order.cancelled.v1", "o1", ""), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.paid.v1", "o1", ""), ERR_NONE);
    CU_ASSERT_EQUAL(ignored("order.cancelled.v1"), 1);
    CU_ASSERT_EQUAL(ignored("order.placed.v1"), 1);
    CU_ASSERT_EQUAL(ignored("order.paid.v1"), 1);
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 0));
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM outbox WHERE type <> 'stock.rejected.v1'"), 0);
    end();
}

static void test_asked_again(void)
{
    begin();
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.reserved.v1 {\"order_id\":\"o1\"}"), 3);
    CU_ASSERT_TRUE(fixture_holds("tea", 10, 2));
    for (unsigned i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(hand("order.placed.v1", "o2", TEA_2_CUP_9), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.rejected.v1 {\"order_id\":\"o2\",\"reason\":\"insufficient stock\",\"sku\":\"cup\"}"),
                    1);
    CU_ASSERT_EQUAL(said("stock.rejected.v1 {\"order_id\":\"o2\",\"reason\":\"insufficient stock\"}"), 1);
    CU_ASSERT_EQUAL(ignored("order.placed.v1"), 3);
    CU_ASSERT_EQUAL(hand("order.paid.v1", "o1", ""), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.reserved.v1 {\"order_id\":\"o1\"}"), 3);
    end();
}

/* What order.lines_max may be at the most, with the longest skus and quantities. */
enum { LINES_MAX = 2000, QUANTITY_MAX = 1000000000 };

#define ZEROS_16 "0000000000000000"
#define ZEROS_64 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16

static enum err add_items(struct db_connection *db, void *context)
{
    (void)context;
    return db_script(db, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)"
                         " INSERT INTO item (sku, name, price_minor, currency, on_hand, version, updated_us)"
                         " SELECT substr('" ZEROS_64 "' || i, length('' || i) + 1), 'An item', 1, 'EUR', 1000000000, 1,"
                         " 1 FROM n;"
                         "INSERT INTO stock_movement SELECT sku, sku, on_hand, 'delivery', 'user u', 1 FROM item"
                         " WHERE on_hand = 1000000000");
}

static void test_largest_order(void)
{
    struct buf largest;
    begin();
    buf_init(&largest, EVENT_MAX_BYTES);
    buf_add_string(&largest, "{\"order_id\":\"largest\",\"lines\":[");
    for (unsigned i = 0; i < LINES_MAX; i++)
        buf_addf(&largest, "%s{\"sku\":\"%064u\",\"quantity\":%d}", i > 0 ? "," : "", i, QUANTITY_MAX);
    buf_add_string(&largest, "]}");
    CU_ASSERT_EQUAL_FATAL(buf_check(&largest), ERR_NONE);
    CU_ASSERT_EQUAL(db_write(fixture.db, add_items, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(hand_data("order.placed.v1", "largest", buf_text(&largest)), ERR_NONE);
    CU_ASSERT_EQUAL(said("stock.reserved.v1 {\"order_id\":\"largest\"}"), 1);
    CU_ASSERT_EQUAL(hand("order.paid.v1", "largest", ""), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM stock_movement WHERE reason = 'sold'"), LINES_MAX);
    buf_fini(&largest);
    end();
}

/* ---- expiry ---- */

enum { LIFETIME_US = 1000000 };

static const char EXPIRING[] = "stock.expiring.v1 {\"order_id\":\"o1\",\"reason\":\"reservation expired\"}";

static unsigned expire(int64_t later_us)
{
    unsigned asked = 0;
    service.db = fixture.db;
    CU_ASSERT_EQUAL(expiry_step(&service, fixture.reader, LIFETIME_US, clock_wall_us() + later_us, &asked), ERR_NONE);
    return asked;
}

static void test_expiry(void)
{
    begin();
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "paid", TEA_2_CUP_1), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.paid.v1", "paid", ""), ERR_NONE);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "rejected", TEA_2_CUP_9), ERR_NONE);
    CU_ASSERT_EQUAL(expire(0), 0);
    CU_ASSERT_EQUAL(expire(LIFETIME_US / 2), 0);
    CU_ASSERT_EQUAL(expire(2 * LIFETIME_US), 1);
    CU_ASSERT_EQUAL(said(EXPIRING), 1);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 2));   /* held until its order answers */
    CU_ASSERT_EQUAL(expire(2 * LIFETIME_US), 0);
    CU_ASSERT_EQUAL(expire(4 * LIFETIME_US), 1);
    CU_ASSERT_EQUAL(said(EXPIRING), 2);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_RESERVATIONS_EXPIRED)), 2);
    CU_ASSERT_EQUAL(hand("order.cancelled.v1", "o1", ",\"reason\":\"reservation expired\""), ERR_NONE);
    CU_ASSERT_TRUE(fixture_holds("tea", 8, 0));
    CU_ASSERT_EQUAL(expire(8 * LIFETIME_US), 0);
    CU_ASSERT_EQUAL(said(EXPIRING), 2);
    end();
}

static void test_expiry_in_steps(void)
{
    char id[16];
    begin();
    for (unsigned i = 0; i < EXPIRY_STEP_MAX + 3; i++) {
        snprintf(id, sizeof id, "gift-%u", i);
        CU_ASSERT_EQUAL(fixture_move("tea", 1), ERR_NONE);
        CU_ASSERT_EQUAL(hand("order.placed.v1", id, ",\"lines\":[{\"sku\":\"tea\",\"quantity\":1}]"), ERR_NONE);
    }
    CU_ASSERT_EQUAL(expire(2 * LIFETIME_US), EXPIRY_STEP_MAX);
    CU_ASSERT_EQUAL(expire(2 * LIFETIME_US), 3);
    CU_ASSERT_EQUAL(expire(2 * LIFETIME_US), 0);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(DISTINCT subject) FROM outbox WHERE type ="
                                               " 'stock.expiring.v1'"), EXPIRY_STEP_MAX + 3);
    end();
}

static void test_malformed(void)
{
    begin();
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", ""), ERR_INVALID);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", ",\"lines\":[]"), ERR_INVALID);
    CU_ASSERT_EQUAL(hand("order.placed.v1", "o1", ",\"lines\":[{\"sku\":\"tea\",\"quantity\":-1}]"), ERR_INVALID);
    CU_ASSERT_EQUAL(hand("order.paid.v1", "", ""), ERR_INVALID);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM reservation"), 0);
    end();
}

static const struct suite_case cases[] = {
    {"each event of an order is answered with what became of its stock", test_answers},
    {"the largest order that there may be is reserved and sold", test_largest_order},
    {"an order that is placed again is told again how its stock stands", test_asked_again},
    {"an order whose reservation nobody confirms is asked, and asked again", test_expiry},
    {"many reservations expire in small steps", test_expiry_in_steps},
    {"late and repeated events change nothing and are counted", test_late_and_repeated},
    {"an event that cannot be read is an error, to be tried again and set aside", test_malformed},
};

int main(void)
{
    return engines_main("inventory_events", cases, sizeof cases / sizeof cases[0]);
}
