/* Families of types, and what an operator sees of the bus. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/events_fixture.h"

enum { MAX = 32 };

static struct scratch scratch;
static struct bus *bus;
static struct arena arena;
static struct bus_delivery deliveries[MAX];

static void begin(void)
{
    scratch_init(&scratch);
    arena_init(&arena, 4 * 1024 * 1024);
    bus = fixture_bus_open(&scratch);
}

static void end(void)
{
    bus_close(bus);
    bus = NULL;
    arena_fini(&arena);
    scratch_fini(&scratch);
}

static struct bus_subscription *subscribe(const char *group, const char *const *types)
{
    struct bus_subscription *subscription = NULL;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, group, types, &subscription), ERR_NONE);
    return subscription;
}

static void publish(const char *type, const char *subject, int number)
{
    struct event event = fixture_event(type, subject, number);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
}

static size_t fetch(struct bus_subscription *subscription)
{
    size_t count = 0;
    arena_reset(&arena);
    CU_ASSERT_EQUAL(bus_fetch(subscription, 0, &arena, deliveries, MAX, &count), ERR_NONE);
    return count;
}

/* ---- families ---- */

static void test_family(void)
{
    CU_ASSERT(text_equal_string(event_family(TEXT("order.placed.v1")), "order.placed.v"));
    CU_ASSERT(text_equal_string(event_family(TEXT("a.v123")), "a.v"));
    CU_ASSERT_PTR_NULL(event_family(TEXT("order.placed")).at);
    CU_ASSERT_PTR_NULL(event_family(TEXT("order.placed.v")).at);
    CU_ASSERT_PTR_NULL(event_family(TEXT("order.placed.x1")).at);
    CU_ASSERT_PTR_NULL(event_family(TEXT("v1")).at);
    CU_ASSERT_PTR_NULL(event_family(TEXT(".v1")).at);
    CU_ASSERT_PTR_NULL(event_family(TEXT("17")).at);
    CU_ASSERT_PTR_NULL(event_family(TEXT("")).at);
}

static void test_every_version(void)
{
    static const char *const types[] = {"a.v", "b.v1", NULL};
    struct bus_lag lag;
    begin();
    struct bus_subscription *subscription = subscribe("group", types), *own = subscribe(NULL, types);
    publish("a.v1", "s", 1);
    publish("a.v2", "s", 2);
    publish("b.v1", "s", 3);
    publish("b.v2", "s", 4);
    publish("a.v17", "s", 5);
    publish("a.vx", "s", 6);
    publish("aa.v1", "s", 7);
    CU_ASSERT_EQUAL(bus_lag(subscription, &lag), ERR_NONE);
    CU_ASSERT_EQUAL(lag.events, 4);
    CU_ASSERT_EQUAL(fetch(own), 4);
    CU_ASSERT_EQUAL(fetch(subscription), 4);
    static const int expected[] = {1, 2, 3, 5};
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(fixture_number(&deliveries[i].event), expected[i]);
    bus_unsubscribe(subscription);
    bus_unsubscribe(own);
    end();
}

/* ---- browsing ---- */

struct seen {
    char numbers[128];             /* "1 2 3" */
    int64_t published_us[MAX];
    size_t count;
    enum err verdict;
};

static enum err see(const struct bus_entry *entry, void *context)
{
    struct seen *seen = context;
    struct event event;
    CU_ASSERT_EQUAL_FATAL(event_read(entry->envelope, &arena, &event), ERR_NONE);
    CU_ASSERT(text_equal(event.type, entry->type));
    CU_ASSERT(text_equal(event.subject, entry->subject));
    size_t length = strlen(seen->numbers);
    snprintf(seen->numbers + length, sizeof seen->numbers - length, "%s%d", length ? " " : "", fixture_number(&event));
    seen->published_us[seen->count++] = entry->published_us;
    return seen->verdict;
}

static struct seen browse(struct bus_filter filter)
{
    struct seen seen = {.count = 0};
    CU_ASSERT_EQUAL(bus_browse(bus, &filter, see, &seen), ERR_NONE);
    return seen;
}

static void publish_some(void)
{
    publish("order.placed.v1", "one", 1);
    publish("order.paid.v1", "one", 2);
    publish("order.placed.v1", "two", 3);
    publish("stock.reserved.v1", "two", 4);
    publish("order.placed.v2", "one", 5);
}

static void test_filters(void)
{
    begin();
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.limit = 0}).numbers, "");
    publish_some();
    struct seen all = browse((struct bus_filter){.limit = 0});
    CU_ASSERT_STRING_EQUAL(all.numbers, "1 2 3 4 5");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.limit = 2}).numbers, "4 5");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.type = "order.placed.v1"}).numbers, "1 3");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.type = "order.*"}).numbers, "1 2 3 5");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.type = "order.placed.*", .subject = "one"}).numbers, "1 5");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.subject = "two"}).numbers, "3 4");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.id = "event-4"}).numbers, "4");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.id = "event"}).numbers, "");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.since_us = all.published_us[4]}).numbers, "5");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.until_us = all.published_us[0]}).numbers, "");
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.until_us = all.published_us[4]}).numbers, "1 2 3 4");
    struct seen stopped = {.verdict = ERR_MEMORY};
    CU_ASSERT_EQUAL(bus_browse(bus, &(struct bus_filter){.limit = 0}, see, &stopped), ERR_MEMORY);
    CU_ASSERT_EQUAL(stopped.count, 1);
    end();
}

static enum err tell(const struct bus_group *group, void *context)
{
    char *out = context;
    size_t length = strlen(out);
    CU_ASSERT(group->lag.events == 0 ? group->lag.oldest_us == 0 : group->lag.oldest_us > 0);
    snprintf(out + length, 512 - length, "%.*s [%.*s] %lld: %llu\n", TEXT_ARGS(group->name), TEXT_ARGS(group->types),
             (long long)group->offset, (unsigned long long)group->lag.events);
    return ERR_NONE;
}

static void test_groups(void)
{
    static const char *const placed[] = {"order.placed.v", NULL}, *const two[] = {"order.paid.v1", "stock.reserved.v",
                                                                                   NULL};
    char said[512] = "";
    begin();
    CU_ASSERT_EQUAL(bus_groups(bus, tell, said), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(said, "");
    struct bus_subscription *stock = subscribe("stock", placed), *book = subscribe("book", two);
    publish_some();
    CU_ASSERT_EQUAL(bus_groups(bus, tell, said), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(said, "book [order.paid.v1, stock.reserved.v] 0: 2\nstock [order.placed.v] 0: 3\n");
    CU_ASSERT_EQUAL(fetch(stock), 3);
    CU_ASSERT_EQUAL(bus_acknowledge(stock, deliveries[2].offset), ERR_NONE);
    bus_unsubscribe(book);
    book = subscribe("book", placed);   /* as a newer program has it */
    said[0] = '\0';
    CU_ASSERT_EQUAL(bus_groups(bus, tell, said), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(said, "book [order.placed.v] 0: 3\nstock [order.placed.v] 5: 0\n");
    bus_unsubscribe(book);
    bus_unsubscribe(stock);
    end();
}

/* Beside those who use it; of one that is not there nothing is made. */
static void test_only_looks(void)
{
    begin();
    publish_some();
    struct bus *used = bus;
    struct bus_opts opts = fixture_bus_opts(&scratch);
    opts.only_looks = true;
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(browse((struct bus_filter){.limit = 0}).numbers, "1 2 3 4 5");
    bus_close(bus);
    bus = used;
    struct db_opts db_opts = scratch_db_opts(scratch_path(&scratch, "bus.db"));
    struct db *db = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&db_opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "DELETE FROM schema_migration WHERE number = 2"), ERR_NONE);
    db_close(db);
    CU_ASSERT_EQUAL(bus_open(&opts, &used), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "older schema"));
    char url[SCRATCH_PATH_SIZE + 16];
    snprintf(url, sizeof url, "embedded:%s", scratch_path(&scratch, "none.db"));
    opts.url = url;
    CU_ASSERT_EQUAL(bus_open(&opts, &used), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "none.db"));
    db_opts.path = scratch_path(&scratch, "none.db");
    FILE *file = fopen(db_opts.path, "r");
    CU_ASSERT_PTR_NULL(file);
    end();
}

static const struct suite_case cases[] = {
    {"a family is a type without the number of its version", test_family},
    {"a family has every version, also of the lag", test_every_version},
    {"events are found by type, subject, id and time, the newest of them", test_filters},
    {"groups tell what they follow and how much they have yet to read", test_groups},
    {"who only looks makes nothing and changes nothing", test_only_looks},
};

int main(void)
{
    return suite_main("bus_browse", cases, sizeof cases / sizeof cases[0]);
}
