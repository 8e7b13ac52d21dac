/*
 * Events that cannot be handled, in the whole system. What poisons an order's event is a trigger in inventory's
 * database that refuses to reserve one item; other orders, and other items, are as ever.
 */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/control.h"
#include "check/service/steps.h"
#include "check/service/variants.h"
#include "events/bus.h"

enum { PATIENCE_MS = 20000, NOTICE_MS = 1500, SLOW_NOTICE_MS = 8000, ID_TEXT = 64 };

static const char *const settings[] = {"events.attempts_max=3", "events.retry_first_ms=20", "events.retry_max_ms=60",
                                       NULL};

/* ---- poison ---- */

static void change_inventory(const char *sql)
{
    sqlite3 *db;
    char *said = NULL;
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(system_database(variant_system(), SYSTEM_INVENTORY), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, PATIENCE_MS);
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
        CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_FALSE);
    sqlite3_free(said);
    sqlite3_close(db);
}

static void poison(const char *sku)
{
    char sql[512];
    snprintf(sql, sizeof sql, "CREATE TRIGGER poison BEFORE UPDATE OF reserved ON item WHEN OLD.sku = '%s'"
                              " AND NEW.reserved > OLD.reserved BEGIN SELECT RAISE(ABORT, 'it is poisoned'); END", sku);
    change_inventory(sql);
}

static void lift(void)
{
    change_inventory("DROP TRIGGER poison");
}

static void place(struct http_client *client, const char *sku, char ret_id[static STEP_ID_SIZE])
{
    struct http_answer *answer = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(answer, 201);
    snprintf(ret_id, STEP_ID_SIZE, "%s", http_json_text(answer, "/id"));
}

static const char *status_of(struct http_client *client, const char *id)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/orders/%s", id);
    return http_json_text(http_get(client, path), "/status");
}

/* ---- dead letters ---- */

static bool is_dead(void *context)
{
    return CONTROL("events", "dead", "list", "--json", "--subject", context) && strstr(control_said, "\"event_id\":");
}

/* Waits until an event about this is a dead letter, and says which. */
static void await_dead(const char *subject, char ret_event[static ID_TEXT])
{
    bool dead = process_until(is_dead, (void *)(uintptr_t)subject, PATIENCE_MS);
    const char *at = strstr(control_said, "\"event_id\":\"");
    CU_ASSERT_TRUE_FATAL(dead && at);
    snprintf(ret_event, ID_TEXT, "%.36s", at + strlen("\"event_id\":\""));
}

static int lines_with(const char *what)
{
    int count = 0;
    for (const char *at = control_said; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

struct wanted_metric {
    struct http_client *client;
    const char *line;
};

static bool has_metric(void *context)
{
    const struct wanted_metric *wanted = context;
    return strstr(http_get(wanted->client, "/inventory/metrics")->body, wanted->line) != NULL;
}

static void expect_metric(const char *line)
{
    struct wanted_metric wanted = {variant_anonymous(), line};
    if (!process_until(has_metric, &wanted, PATIENCE_MS))
        CU_assertImplementation(CU_FALSE, __LINE__, line, "never said by /metrics", "", CU_FALSE);
}

/* ---- the cases ---- */

static void test_redrive(void)
{
    struct http_client *client = variant_new_customer();
    char bad[STEP_ID_SIZE], good[STEP_ID_SIZE], poisoned[STEP_ID_SIZE], other[STEP_ID_SIZE], event[ID_TEXT];
    step_item(5, bad);
    step_item(5, good);
    poison(bad);
    place(client, bad, poisoned);
    for (int i = 0; i < 5; i++) {                  /* other keys flow on */
        place(client, good, other);
        step_await(client, other, "paid");
    }
    await_dead(poisoned, event);
    CU_ASSERT_STRING_EQUAL(status_of(client, poisoned), "placed");
    CU_ASSERT_EQUAL(lines_with("\n"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "\"group\":\"inventory\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "\"type\":\"order.placed.v1\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "\"attempts\":3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "it is poisoned"));
    CU_ASSERT_TRUE(CONTROL("events", "dead", "show", event));
    CU_ASSERT_EQUAL(lines_with("it is poisoned"), 4);       /* the cause, and each of the attempts */
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, poisoned));
    CU_ASSERT_TRUE(CONTROL("events", "show", event));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "inventory  is past it"));
    expect_metric("\ntandem_dead_letters 1\n");

    CU_ASSERT_TRUE(CONTROL("events", "dead", "redrive", event, "--yes"));      /* too early: it dies again */
    await_dead(poisoned, event);
    CU_ASSERT_TRUE(CONTROL("events", "dead", "redrive", event));               /* a rehearsal */
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "1 dead letter would be sent again"));
    lift();
    CU_ASSERT_STRING_EQUAL(status_of(client, poisoned), "placed");
    CU_ASSERT_TRUE(CONTROL("events", "dead", "redrive", "--type", "order.placed.*", "--since", "1h", "--reason",
                           "the trigger is gone", "--yes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "1 dead letter sent again"));
    int64_t start_ns = clock_now_ns();
    step_await(client, poisoned, "paid");
    CU_ASSERT(clock_now_ns() - start_ns < (system_is_slow() ? SLOW_NOTICE_MS : NOTICE_MS) * NS_PER_MS);
    step_await_stock(bad, 4, 0);
    step_await_stock(good, 0, 0);
    CU_ASSERT_TRUE(CONTROL("events", "dead", "list", "--json"));
    CU_ASSERT_STRING_EQUAL(control_said, "");
    CU_ASSERT_TRUE(CONTROL("events", "dead", "list", "--decided"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "the trigger is gone"));
    expect_metric("\ntandem_dead_letters 0\n");
}

/* The customer does not wait for it. What was dead comes too late then, and nothing is held for it. */
static void test_cancelled_meanwhile(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], event[ID_TEXT], path[128];
    step_item(5, sku);
    poison(sku);
    place(client, sku, id);
    await_dead(id, event);
    snprintf(path, sizeof path, "/v1/orders/%s/cancel", id);
    http_with(client, "Idempotency-Key: cancel-%u", step_number());
    EXPECT_STATUS(http_send(client, "POST", path, "{}"), 200);
    lift();
    CU_ASSERT_TRUE(CONTROL("events", "dead", "redrive", event, "--yes"));
    expect_metric("tandem_events_ignored_total{type=\"order.placed.v1\"} 1\n");
    step_await(client, id, "cancelled");
    step_await_stock(sku, 5, 0);
}

static void test_discard(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], event[ID_TEXT];
    step_item(5, sku);
    poison(sku);
    place(client, sku, id);
    await_dead(id, event);
    CU_ASSERT_TRUE(CONTROL("events", "dead", "discard", "--subject", id, "--reason", "a test", "--yes"));
    lift();
    CU_ASSERT_TRUE(CONTROL("events", "dead", "list", "--json"));
    CU_ASSERT_STRING_EQUAL(control_said, "");
    CU_ASSERT_TRUE(CONTROL("events", "dead", "show", event));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "discarded by"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, id));
    CU_ASSERT_FALSE(CONTROL("events", "dead", "redrive", event, "--yes"));
    CU_ASSERT_STRING_EQUAL(status_of(client, id), "placed");
}

/* ---- what no service of ours would send ---- */

static void plant(const char *id, const char *type, const char *subject, const char *data)
{
    char url[512];
    struct bus *bus = NULL;
    snprintf(url, sizeof url, "embedded:%s/bus.db", system_folder(variant_system()));
    const struct bus_opts opts = {.url = url, .retention_s = 3600, .max_bytes = 64 * 1024 * 1024,
                                  .busy_timeout_ms = PATIENCE_MS};
    const struct event event = {.id = text_of(id), .type = text_of(type), .source = TEXT("/tandem/test"),
                                .subject = text_of(subject), .time_us = clock_wall_us(), .data = text_of(data)};
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    bus_close(bus);
}

static void test_invalid(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], event[ID_TEXT];
    step_item(5, sku);
    plant("0190a000-0000-7000-8000-000000000001", "order.placed.v1", "planted",
          "{\"order_id\":\"planted\",\"lines\":[]}");
    place(client, sku, id);
    step_await(client, id, "paid");
    await_dead("planted", event);
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "/lines"));           /* it says what is wrong */
    CU_ASSERT_TRUE(CONTROL("events", "dead", "discard", event, "--yes"));
}

static void test_newer(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    step_item(5, sku);
    plant("0190a000-0000-7000-8000-000000000002", "order.placed.v2", "newer", "{\"order\":{\"id\":\"newer\"}}");
    plant("0190a000-0000-7000-8000-000000000003", "weather.changed.v1", "newer", "{\"rain\":true}");
    plant("0190a000-0000-7000-8000-000000000004", "session.ended.v2", "newer", "{\"user_id\":\"newer\"}");
    place(client, sku, id);
    step_await(client, id, "paid");
    expect_metric("\ntandem_events_unknown_total{family=\"order.placed\"} 1\n");
    expect_metric("\ntandem_events_unknown_total{family=\"session.ended\"} 1\n");
    expect_metric("\ntandem_auth_revocations_total 1\n");   /* all tokens of the user that it names are forgotten */
    expect_metric("\ntandem_bus_lag{group=\"inventory\"} 0\n");
    CU_ASSERT_TRUE(CONTROL("events", "dead", "list", "--json"));
    CU_ASSERT_STRING_EQUAL(control_said, "");
}

static const struct suite_case cases[] = {
    {"a poisoned event dies, others flow on, and sent again it completes its order", test_redrive},
    {"sent again after its order was cancelled it changes nothing", test_cancelled_meanwhile},
    {"a discarded one is told of, and cannot be sent again", test_discard},
    {"an event without what it must have dies with a cause that says so", test_invalid},
    {"a newer version and an unknown type hold nothing up", test_newer},
};

int main(void)
{
    return variants_main("poison", cases, sizeof cases / sizeof cases[0], settings);
}
