/* tandemctl events: what it shows of the bus and of dead letters, and what it does with these. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/idempotency.h"
#include "base/json.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"
#include "check/unit/events_fixture.h"
#include "events/consumer.h"
#include "state/migrate.h"

enum { PATH_SIZE = 512 };

extern const struct migration_set user_migrations, order_migrations, inventory_migrations;

static struct ctl ctl;
static char config[PATH_SIZE];
static struct bus *bus;
static struct db *orders, *inventory;      /* held open, as the services do */

#define EVENTS(...) ctl_run(&ctl, false, (const char *const[]){"events", __VA_ARGS__, "--config", config, NULL})
#define SAYS(text) CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, text))
#define SAYS_NOT(text) CU_ASSERT_PTR_NULL(strstr(ctl.out, text))
#define COMPLAINS(text) CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, text))

static const char *path_of(const char *name)
{
    static char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", ctl.folder, name);
    return path;
}

static struct db *make(const char *name, const struct migration_set *set)
{
    const struct migration_set sets[] = {events_migrations, app_migrations, *set};
    struct db_opts opts = scratch_db_opts(path_of(name));
    struct db *db = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, sets, 3), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    return db;
}

static void begin(void)
{
    char content[4 * PATH_SIZE], url[PATH_SIZE + 16];
    ctl_begin(&ctl);
    snprintf(content, sizeof content,
             "bus = { url = \"embedded:%s/bus.db\"; };\nservice = {\n  user = { db = { path = \"%s/user.db\"; }; };\n"
             "  order = { db = { path = \"%s/order.db\"; }; };\n"
             "  inventory = { db = { path = \"%s/inventory.db\"; }; };\n};\n",
             ctl.folder, ctl.folder, ctl.folder, ctl.folder);
    ctl_file(&ctl, "all.conf", content, 0644, config, sizeof config);
    orders = make("order.db", &order_migrations);
    inventory = make("inventory.db", &inventory_migrations);
    snprintf(url, sizeof url, "embedded:%s/bus.db", ctl.folder);
    struct bus_opts opts = {.url = url, .retention_s = 3600, .max_bytes = 16 * 1024 * 1024, .busy_timeout_ms = 5000};
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
}

static void end(void)
{
    bus_close(bus);
    db_close(orders);
    db_close(inventory);
    ctl_end(&ctl);
}

static void publish(const char *type, const char *subject, int number, const char *data)
{
    struct event event = fixture_event(type, subject, number);
    if (data)
        event.data = text_of(data);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
}

/* A dead letter whose event has that number; it died so many seconds after 2026-01-01T00:00:00Z. */
static void bury(struct db *db, const char *group, const char *type, const char *subject, int number, int second)
{
    char sql[2048];
    long long us = (1767225600 + second) * 1000000LL;
    snprintf(sql, sizeof sql,
             "INSERT INTO dead_letter (number, consumer_group, subject, event_id, type, envelope, attempts, cause,"
             " parked_us, died_us) VALUES (%d, '%s', '%s', 'event-%d', '%s', '{\"specversion\":\"1.0\","
             "\"id\":\"event-%d\",\"data\":{\"empty\":[ ],\"quote\":\"a\\\"{,\"}}', 3,"
             " 'ERR_INVALID: it\tbroke', %lld, %lld);"
             "INSERT INTO event_failure SELECT coalesce(max(number), 0) + 1, '%s', 'event-%d', 3, %lld,"
             " 'ERR_INVALID: it broke' FROM event_failure",
             number, group, subject, number, type, number, us - 5000000, us, group, number, us);
    CU_ASSERT_EQUAL(scratch_script(db, sql), ERR_NONE);
}

static void bury_some(void)
{
    bury(orders, "order", "stock.reserved.v1", "o1", 1, 10);
    bury(orders, "order", "stock.rejected.v1", "o2", 2, 20);
    bury(orders, "order", "item.changed.v1", "tea", 3, 30);
    bury(inventory, "inventory", "order.placed.v1", "o1", 4, 40);
}

/* How many lines of the output are JSON objects; -1 when one is not. */
static int objects(void)
{
    int count = 0;
    struct text rest = text_of(ctl.out);
    while (rest.length) {
        struct text line = text_split(&rest, '\n');
        size_t members;
        if (json_check(line, &members) || line.at[0] != '{')
            return -1;
        count++;
    }
    return count;
}

/* ---- the bus ---- */

static void test_list(void)
{
    begin();
    publish("order.placed.v1", "o1", 1, "{\"order_id\":\"o1\",\"lines\":[]}");
    publish("order.placed.v1", "o2", 2, NULL);
    publish("item.changed.v1", "tea", 3, NULL);
    CU_ASSERT_EQUAL(EVENTS("list"), 0);
    SAYS("PUBLISHED");
    SAYS("order.placed.v1            event-1                              o1\n");
    SAYS("event-3");
    CU_ASSERT_EQUAL(EVENTS("list", "--type", "order.*", "--subject", "o2"), 0);
    SAYS("event-2");
    SAYS_NOT("event-1 ");
    CU_ASSERT_EQUAL(EVENTS("list", "--limit", "1"), 0);
    SAYS("event-3");
    SAYS_NOT("event-2");
    CU_ASSERT_EQUAL(EVENTS("list", "--since", "1h", "--json"), 0);
    CU_ASSERT_EQUAL(objects(), 3);
    CU_ASSERT_EQUAL(EVENTS("list", "--until", "1000000000d"), 2);
    CU_ASSERT_EQUAL(EVENTS("list", "--until", "1h", "--json"), 0);
    CU_ASSERT_STRING_EQUAL(ctl.out, "");
    CU_ASSERT_EQUAL(EVENTS("list", "--since", "yesterday"), 2);
    COMPLAINS("15m");
    CU_ASSERT_EQUAL(EVENTS("list", "--limit", "0"), 2);
    CU_ASSERT_EQUAL(EVENTS("list", "more"), 2);
    end();
}

static void test_show(void)
{
    static const char *const types[] = {"order.placed.v", NULL};
    begin();
    struct bus_subscription *group = NULL;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "inventory", types, &group), ERR_NONE);
    publish("order.placed.v1", "o1", 1, "{\"order_id\":\"o1\",\"lines\":[ ],\"note\":\"\\\"{,\"}");
    CU_ASSERT_EQUAL(EVENTS("show", "event-1"), 0);
    SAYS("at position 1");
    SAYS("  \"data\": {\n    \"order_id\": \"o1\",\n    \"lines\": [],\n    \"note\": \"\\\"{,\"\n  }\n}\n");
    SAYS("inventory  has yet to come to it");
    struct arena arena;
    struct bus_delivery delivery;
    size_t count = 0;
    arena_init(&arena, 64 * 1024);
    CU_ASSERT_EQUAL(bus_fetch(group, 0, &arena, &delivery, 1, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_EQUAL(bus_acknowledge(group, delivery.offset), ERR_NONE);
    arena_fini(&arena);
    CU_ASSERT_EQUAL(EVENTS("show", "event-1"), 0);
    SAYS("inventory  is past it");
    CU_ASSERT_EQUAL(EVENTS("show", "event-1", "--json"), 0);
    CU_ASSERT_EQUAL(objects(), 1);
    CU_ASSERT_EQUAL(EVENTS("show", "event-9"), 1);
    COMPLAINS("not on the bus");
    CU_ASSERT_EQUAL(EVENTS("show"), 2);
    bus_unsubscribe(group);
    end();
}

static void test_lag(void)
{
    static const char *const types[] = {"order.placed.v", NULL};
    begin();
    struct bus_subscription *group = NULL;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "inventory", types, &group), ERR_NONE);
    publish("order.placed.v1", "o1", 1, NULL);
    publish("item.changed.v1", "tea", 2, NULL);
    bury_some();
    CU_ASSERT_EQUAL(scratch_script(orders, "INSERT INTO outbox VALUES (1, 'i', 't', 's', 's', 1767225600000000, NULL,"
                                           " NULL, '{}', NULL)"), ERR_NONE);
    CU_ASSERT_EQUAL(EVENTS("lag"), 0);
    SAYS("inventory           1      0 s  order.placed.v*\n");
    char row[64];
    snprintf(row, sizeof row, "%-10s %10d", "order", 1);
    SAYS(row);
    SAYS(" d          0          3\n");
    CU_ASSERT_EQUAL(EVENTS("lag", "--json"), 0);
    CU_ASSERT_EQUAL(objects(), 1);
    SAYS("{\"group\":\"inventory\",\"events\":1,\"oldest_age_s\":");
    SAYS("{\"service\":\"inventory\",\"outbox\":0,\"oldest_age_s\":0,\"set_aside\":0,\"dead\":1}");
    bus_unsubscribe(group);
    end();
}

static void test_nothing_there(void)
{
    begin();
    CU_ASSERT_EQUAL(EVENTS("list", "--set", "bus.url=embedded:/none/bus.db"), 1);
    COMPLAINS("/none/bus.db");
    CU_ASSERT_EQUAL(EVENTS("lag", "--set", "bus.url=embedded:/none/bus.db"), 1);
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--group", "user"), 1);
    COMPLAINS("no database of the service user");
    CU_ASSERT_NOT_EQUAL(access(path_of("user.db"), F_OK), 0);   /* nothing was made */
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--group", "shop"), 1);
    COMPLAINS("user, order and inventory");
    CU_ASSERT_EQUAL(scratch_script(orders, "DELETE FROM schema_migration WHERE migration_set = 'events'"
                                           " AND number = 3"), ERR_NONE);
    CU_ASSERT_EQUAL(EVENTS("dead", "list"), 1);
    COMPLAINS("older schema");
    end();
}

/* ---- dead letters ---- */

static void test_dead_list(void)
{
    begin();
    CU_ASSERT_EQUAL(EVENTS("dead", "list"), 0);
    bury_some();
    CU_ASSERT_EQUAL(scratch_script(orders, "INSERT INTO event_parked VALUES (1, 'order', 'o2', 'event-8', 't', '{}', 1,"
                                           " 1, 'c', 1)"), ERR_NONE);
    CU_ASSERT_EQUAL(EVENTS("dead", "list"), 0);
    SAYS("ERR_INVALID: it broke\n");                     /* nothing in a cause moves the cursor */
    SAYS("    3 2026-01-01T00:00:20.000000Z       1  ERR_INVALID");
    SAYS("inventory  event-4");
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--json", "--type", "stock.*"), 0);
    CU_ASSERT_EQUAL(objects(), 2);
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--json", "--subject", "o1"), 0);
    CU_ASSERT_EQUAL(objects(), 2);
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--json", "--group", "inventory"), 0);
    CU_ASSERT_EQUAL(objects(), 1);
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--json", "--since", "2026-01-01T00:00:20Z", "--until",
                           "2026-01-01T00:00:40Z"), 0);
    CU_ASSERT_EQUAL(objects(), 2);
    end();
}

static void test_dead_show(void)
{
    begin();
    bury_some();
    CU_ASSERT_EQUAL(scratch_script(inventory, "INSERT INTO event_parked VALUES (1, 'inventory', 'o1', 'event-8',"
                                              " 'order.paid.v1', '{}', 1, 1, 'c', 1)"), ERR_NONE);
    CU_ASSERT_EQUAL(EVENTS("dead", "show", "event-4"), 0);
    SAYS("event-4 could not be handled by inventory");
    SAYS("3, from 2026-01-01T00:00:35.000000Z to 2026-01-01T00:00:40.000000Z");
    SAYS("3  2026-01-01T00:00:40.000000Z  ERR_INVALID: it broke");
    SAYS("event-8  order.paid.v1, tried 1 times");
    SAYS("\"quote\": \"a\\\"{,\"");
    CU_ASSERT_EQUAL(EVENTS("dead", "show", "event-4", "--json"), 0);
    CU_ASSERT_EQUAL(objects(), 1);
    SAYS("\"failures\":[{\"attempt\":3,");
    SAYS("\"waiting\":[{\"event_id\":\"event-8\"");
    SAYS("\"decisions\":[]");
    CU_ASSERT_EQUAL(EVENTS("dead", "show", "event-9"), 1);
    COMPLAINS("is no dead letter");
    CU_ASSERT_EQUAL(EVENTS("dead", "show"), 2);
    end();
}

static int64_t letters(void)
{
    return scratch_number(orders, "SELECT count(*) FROM dead_letter") +
           scratch_number(inventory, "SELECT count(*) FROM dead_letter");
}

static void test_rehearsal(void)
{
    static const char *const verbs[] = {"redrive", "discard"};
    begin();
    bury_some();
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(EVENTS("dead", verbs[i]), 2);
        COMPLAINS("say which");
        CU_ASSERT_EQUAL(EVENTS("dead", verbs[i], "--yes"), 2);
        CU_ASSERT_EQUAL(EVENTS("dead", verbs[i], "--all"), 0);
        SAYS("4 dead letters would be");
        SAYS("With --yes it is.");
        SAYS("event-4");
        CU_ASSERT_EQUAL(EVENTS("dead", verbs[i], "event-2"), 0);
        SAYS("1 dead letter would be");
        CU_ASSERT_EQUAL(EVENTS("dead", verbs[i], "event-2", "event-9", "--yes"), 1);
        COMPLAINS("event-9 is no dead letter");
        CU_ASSERT_EQUAL(EVENTS("dead", verbs[i], "--type", "none.*", "--yes"), 0);
        SAYS("0 dead letters");
    }
    CU_ASSERT_EQUAL(letters(), 4);
    CU_ASSERT_EQUAL(scratch_number(orders, "SELECT count(*) FROM dead_letter_decision"), 0);
    end();
}

static void test_redrive(void)
{
    begin();
    bury_some();
    CU_ASSERT_EQUAL(EVENTS("dead", "redrive", "event-1", "--reason", "mended", "--yes"), 0);
    SAYS("1 dead letter sent again");
    CU_ASSERT_EQUAL(letters(), 3);
    CU_ASSERT_EQUAL(scratch_number(orders, "SELECT count(*) FROM event_parked WHERE event_id = 'event-1'"
                                           " AND attempts = 0 AND next_try_us > 0"), 1);
    CU_ASSERT_EQUAL(EVENTS("dead", "redrive", "--since", "2026-01-01T00:00:30Z", "--yes"), 0);
    SAYS("2 dead letters sent again");
    CU_ASSERT_EQUAL(scratch_number(inventory, "SELECT count(*) FROM event_parked WHERE event_id = 'event-4'"), 1);
    CU_ASSERT_EQUAL(EVENTS("dead", "redrive", "--group", "order", "--yes"), 0);
    CU_ASSERT_EQUAL(letters(), 0);
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--decided"), 0);
    SAYS("redriven   order      event-1");
    SAYS("mended");
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--decided", "--json"), 0);
    CU_ASSERT_EQUAL(objects(), 4);
    end();
}

static void test_discard(void)
{
    begin();
    bury_some();
    CU_ASSERT_EQUAL(EVENTS("dead", "discard", "--subject", "o1", "--reason", "never was", "--yes"), 0);
    SAYS("2 dead letters dropped");
    CU_ASSERT_EQUAL(letters(), 2);
    CU_ASSERT_EQUAL(scratch_number(orders, "SELECT count(*) FROM event_parked"), 0);
    CU_ASSERT_EQUAL(EVENTS("dead", "show", "event-1"), 0);
    SAYS("decided of event-1 in order");
    SAYS("discarded by ");
    SAYS(": never was\n");
    SAYS("\"specversion\": \"1.0\"");
    CU_ASSERT_EQUAL(EVENTS("dead", "show", "event-1", "--json"), 0);
    SAYS("\"decision\":\"discarded\"");
    SAYS("\"envelope\":{\"specversion\"");
    CU_ASSERT_EQUAL(objects(), 1);
    CU_ASSERT_EQUAL(EVENTS("dead", "discard", "event-1", "--yes"), 1);
    CU_ASSERT_EQUAL(EVENTS("dead", "discard", "--all", "--yes"), 0);
    CU_ASSERT_EQUAL(letters(), 0);
    end();
}

/* More than there is room for on a page, or in one transaction. */
static void test_many(void)
{
    begin();
    CU_ASSERT_EQUAL(scratch_script(orders, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                                           " WHERE i < 350) INSERT INTO dead_letter SELECT i, 'order', 'o' || (i % 7),"
                                           " 'e' || i, 'a.v1', '{}', 1, 'c', i, i FROM n"), ERR_NONE);
    CU_ASSERT_EQUAL(EVENTS("dead", "list", "--json"), 0);
    CU_ASSERT_EQUAL(objects(), 350);
    CU_ASSERT_EQUAL(EVENTS("dead", "redrive", "--all", "--yes"), 0);
    SAYS("350 dead letters sent again");
    CU_ASSERT_EQUAL(scratch_number(orders, "SELECT count(*) FROM event_parked WHERE next_try_us IS NOT NULL"), 7);
    CU_ASSERT_EQUAL(scratch_number(orders, "SELECT count(*) FROM (SELECT parked_us, lag(parked_us) OVER"
                                           " (ORDER BY number) AS before FROM event_parked) WHERE parked_us < before"),
                    0);
    CU_ASSERT_EQUAL(scratch_number(orders, "SELECT count(*) FROM event_parked WHERE number > 0"), 0);
    end();
}

static const struct suite_case cases[] = {
    {"events on the bus are listed by type, subject and time", test_list},
    {"an event is shown whole, with who is past it", test_show},
    {"lag tells of groups, outboxes and dead letters", test_lag},
    {"what is not there is said, and not made", test_nothing_there},
    {"dead letters of all services are listed", test_dead_list},
    {"a dead letter is shown with its failures and who is set aside", test_dead_show},
    {"nothing is done without --yes, nor without saying to which", test_rehearsal},
    {"dead letters are sent again by id, time and group", test_redrive},
    {"a discarded one stays known, with who did it and why", test_discard},
    {"many are done in portions, in order", test_many},
};

int main(void)
{
    return suite_main("ctl_events", cases, sizeof cases / sizeof cases[0]);
}
