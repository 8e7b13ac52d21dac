#include "config.h"

#include <stdio.h>

#include "app/service.h"
#include "apps/order/events.h"
#include "apps/order/store.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/order_fixture.h"
#include "conf/option.h"
#include "telemetry/metric.h"

static const struct service_definition definition = {.name = "order"};
static struct service service = {.definition = &definition};

/* The fixture's database, with an outbox in it. */
static void begin(void)
{
    CU_ASSERT_EQUAL(metric_open("order", NULL), ERR_NONE);
    fixture_begin();
    db_close(fixture.db);
    const struct migration_set sets[] = {events_migrations, order_migrations};
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "order.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(fixture.db, sets, 2), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
}

static void end(void)
{
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

static enum err hand(const char *type, const char *data)
{
    struct handing handing = {
        .event = {
            .id = TEXT("0190a000-0000-7000-8000-0000000000ff"),
            .type = text_of(type),
            .source = TEXT("/tandem/inventory"),
            .subject = TEXT("subject"),
            .time_us = clock_wall_us(),
            .request_id = TEXT("the-request"),
            .data = text_of(data),
        },
    };
    for (size_t i = 0; i < order_handler_count; i++) {
        if (text_equal_string(handing.event.type, order_handlers[i].type))
            handing.work = order_handlers[i].work;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(handing.work);
    return db_write(fixture.db, hand_work, &handing);
}

static enum err hand_stock(const char *type, const char *order_id, const char *more)
{
    char data[256];
    snprintf(data, sizeof data, "{\"order_id\":\"%s\"%s}", order_id, more);
    return hand(type, data);
}

static int64_t ignored(const char *type)
{
    return metric_value(metric_series(METRIC_EVENTS_IGNORED, type));
}

static void test_items(void)
{
    static const char newer[] = "{\"sku\":\"tea\",\"name\":\"Black tea\",\"colour\":\"unheard of\",\"version\":7,"
                                "\"price\":{\"amount_minor\":900,\"currency\":\"EUR\",\"tax\":19}}";
    begin();
    CU_ASSERT_EQUAL(hand("item.changed.v1", newer), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT name FROM item WHERE sku = $1", "tea"), "Black tea");
    CU_ASSERT_EQUAL(ignored("item.changed.v1"), 0);
    CU_ASSERT_EQUAL(hand("item.changed.v1", newer), ERR_NONE);
    CU_ASSERT_EQUAL(ignored("item.changed.v1"), 1);
    end();
}

static void test_stock(void)
{
    char id[ID_SIZE], rejected[ID_SIZE];
    begin();
    fixture_place(NULL, "tea", 1, id);
    fixture_place(NULL, "tea", 1, rejected);
    CU_ASSERT_EQUAL(hand_stock("stock.reserved.v1", id, ""), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "reserved");
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "due");
    CU_ASSERT_EQUAL(hand_stock("stock.rejected.v1", rejected, ",\"reason\":\"insufficient stock\",\"sku\":\"tea\""),
                    ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_status(rejected), "rejected");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT cause FROM order_history WHERE order_id = $1 AND version = 2",
                                        rejected),
                           "insufficient stock: tea");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT type FROM outbox WHERE subject = $1", rejected), "order.rejected.v1");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT source FROM outbox WHERE subject = $1", rejected), "/tandem/order");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT request_id FROM outbox WHERE subject = $1", rejected), "the-request");
    CU_ASSERT_EQUAL(ignored("stock.reserved.v1") + ignored("stock.rejected.v1"), 0);
    end();
}

static void test_late_and_repeated(void)
{
    char id[ID_SIZE];
    begin();
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_CANCEL, "cancelled by customer"));
    CU_ASSERT_EQUAL(hand_stock("stock.reserved.v1", id, ""), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "cancelled");
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "");
    fixture_place(NULL, "tea", 1, id);
    CU_ASSERT_EQUAL(hand_stock("stock.reserved.v1", id, ""), ERR_NONE);
    CU_ASSERT_EQUAL(hand_stock("stock.reserved.v1", id, ""), ERR_NONE);
    CU_ASSERT_EQUAL(hand_stock("stock.rejected.v1", id, ""), ERR_NONE);
    CU_ASSERT_EQUAL(hand_stock("stock.reserved.v1", "nobody-knows", ""), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_status(id), "reserved");
    CU_ASSERT_EQUAL(ignored("stock.reserved.v1"), 3);
    CU_ASSERT_EQUAL(ignored("stock.rejected.v1"), 1);
    CU_ASSERT_EQUAL(scratch_number(fixture.db, "SELECT count(*) FROM outbox"), 0);
    end();
}

static void test_expiry(void)
{
    static const char reason[] = ",\"reason\":\"reservation expired\"";
    char reserved[ID_SIZE], paid[ID_SIZE];
    begin();
    fixture_place(NULL, "tea", 1, reserved);
    fixture_place(NULL, "tea", 1, paid);
    CU_ASSERT_TRUE(fixture_apply(reserved, ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(paid, ORDER_STOCK_RESERVED, "stock reserved"));
    CU_ASSERT_TRUE(fixture_apply(paid, ORDER_PAYMENT_APPROVED, "payment approved"));
    CU_ASSERT_EQUAL(hand_stock("stock.expiring.v1", reserved, reason), ERR_NONE);
    CU_ASSERT_EQUAL(hand_stock("stock.expiring.v1", paid, reason), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_status(reserved), "cancelled");
    CU_ASSERT_STRING_EQUAL(fixture_payment(reserved), "voided");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT cause FROM order_history WHERE order_id = $1 AND version = 3",
                                        reserved), "reservation expired");
    CU_ASSERT_STRING_EQUAL(fixture_status(paid), "paid");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT type FROM outbox WHERE subject = $1", reserved), "order.cancelled.v1");
    CU_ASSERT_STRING_EQUAL(fixture_text("SELECT type FROM outbox WHERE subject = $1", paid), "order.paid.v1");
    CU_ASSERT_EQUAL(hand_stock("stock.expiring.v1", "nobody-knows", reason), ERR_NONE);
    CU_ASSERT_EQUAL(ignored("stock.expiring.v1"), 1);
    end();
}

/* ---- the largest order ---- */

static char skus[ORDER_LINES_MAX][SKU_MAX + 1];
static struct order_line lines[ORDER_LINES_MAX];

static enum err place_largest(struct db_connection *db, void *context)
{
    struct order_change change = {.db = db, .emit = order_emit_event, .emitter = &service, .event = ORDER_PLACE,
                                  .cause = TEXT("placed"), .now_us = clock_wall_us()};
    struct order order = {.id = text_of(context), .user_id = TEXT("0190a000-0000-7000-8000-000000000001"),
                          .total = {1, currency_find(TEXT("EUR"))}, .lines = lines, .line_count = ORDER_LINES_MAX};
    bool applied;
    return order_apply(&change, &order, &applied);
}

static void test_largest_order(void)
{
    char id[ID_SIZE];
    begin();
    for (size_t i = 0; i < ORDER_LINES_MAX; i++) {
        snprintf(skus[i], sizeof skus[i], "%064zu", i);
        lines[i] = (struct order_line){text_of(skus[i]), TEXT("An item"), 1000000000, {1, currency_find(TEXT("EUR"))},
                                       {1, currency_find(TEXT("EUR"))}};
    }
    CU_ASSERT_EQUAL(option_table[OPTION_ORDER_LINES_MAX].max, ORDER_LINES_MAX);
    CU_ASSERT_EQUAL(option_table[OPTION_ORDER_QUANTITY_MAX].max, 1000000000);
    CU_ASSERT_EQUAL(db_write(fixture.db, place_largest, id_new(id)), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(fixture_text(engines_is_sqlite()
                                            ? "SELECT CAST(json_array_length(data, '$.lines') AS TEXT) FROM outbox"
                                              " WHERE subject = $1"
                                            : "SELECT CAST(json_array_length(CAST(data AS JSON)->'lines') AS TEXT)"
                                              " FROM outbox WHERE subject = $1", id), "2000");
    CU_ASSERT_TRUE(fixture_apply(id, ORDER_NUDGE, "stuck"));
    end();
}

static void test_malformed(void)
{
    begin();
    CU_ASSERT_EQUAL(hand("stock.reserved.v1", "{}"), ERR_INVALID);
    CU_ASSERT_EQUAL(hand("stock.reserved.v1", "nonsense"), ERR_MALFORMED);
    CU_ASSERT_EQUAL(hand("item.changed.v1", "{\"sku\":\"tea\",\"name\":\"Tea\",\"version\":9,"
                                            "\"price\":{\"amount_minor\":1,\"currency\":\"XXQ\"}}"), ERR_INVALID);
    end();
}

static const struct suite_case cases[] = {
    {"an item's newest version is kept, members nobody knows are passed over", test_items},
    {"reserved stock makes a payment due, rejected stock rejects the order and says why", test_stock},
    {"an order whose reservation expires is cancelled unless it is paid, which it says again", test_expiry},
    {"the largest order that the settings allow fits an event", test_largest_order},
    {"late and repeated events change nothing and are counted", test_late_and_repeated},
    {"an event that cannot be read is an error, to be tried again and set aside", test_malformed},
};

int main(void)
{
    return engines_main("order_events", cases, sizeof cases / sizeof cases[0]);
}
