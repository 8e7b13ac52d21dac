#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/events_fixture.h"
#include "state/thread.h"

enum { MAX = 32 };

static struct scratch scratch;
static struct bus *bus;
static struct arena arena;
static struct bus_delivery deliveries[MAX];

static const char *const both[] = {"a.v1", "b.v1", NULL};
static const char *const only_b[] = {"b.v1", NULL};

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

static enum err publish(const char *type, int number)
{
    struct event event = fixture_event(type, "subject", number);
    return bus_publish(bus, &event, 1);
}

static size_t fetch(struct bus_subscription *subscription, unsigned timeout_ms, size_t max)
{
    size_t count = 0;
    arena_reset(&arena);
    CU_ASSERT_EQUAL(bus_fetch(subscription, timeout_ms, &arena, deliveries, max, &count), ERR_NONE);
    return count;
}

static uint64_t lag(struct bus_subscription *subscription)
{
    struct bus_lag now = {.events = 0};
    CU_ASSERT_EQUAL(bus_lag(subscription, &now), ERR_NONE);
    CU_ASSERT(now.events == 0 ? now.oldest_us == 0 : now.oldest_us > 0 && now.oldest_us <= clock_wall_us());
    return now.events;
}

static void test_in_order(void)
{
    begin();
    struct event events[10];
    for (int i = 0; i < 10; i++)
        events[i] = fixture_event(i % 2 ? "b.v1" : "a.v1", "subject", i);
    CU_ASSERT_EQUAL(bus_publish(bus, events, 10), ERR_NONE);
    CU_ASSERT_EQUAL(bus_publish(bus, events, 0), ERR_NONE);
    CU_ASSERT_EQUAL(publish("c.v1", 10), ERR_NONE);
    struct bus_subscription *all = subscribe("all", both), *some = subscribe("some", only_b);

    CU_ASSERT_EQUAL(fetch(all, 0, 4), 4);
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 0);
    CU_ASSERT(text_equal_string(deliveries[3].event.type, "b.v1"));
    CU_ASSERT_EQUAL(fetch(all, 0, MAX), 6);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(fixture_number(&deliveries[i].event), i + 4);
    CU_ASSERT_EQUAL(fetch(all, 0, MAX), 0);
    CU_ASSERT_EQUAL(fetch(some, 0, MAX), 5);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(fixture_number(&deliveries[i].event), 2 * i + 1);
    bus_unsubscribe(all);
    bus_unsubscribe(some);
    end();
}

static void test_acknowledge(void)
{
    begin();
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(publish("a.v1", i), ERR_NONE);
    struct bus_subscription *subscription = subscribe("group", both);
    CU_ASSERT_EQUAL(lag(subscription), 6);
    CU_ASSERT_EQUAL(fetch(subscription, 0, 4), 4);
    CU_ASSERT_EQUAL(lag(subscription), 6);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[1].offset), ERR_NONE);
    CU_ASSERT_EQUAL(lag(subscription), 4);
    bus_rewind(subscription);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 4);
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 2);
    bus_unsubscribe(subscription);

    subscription = subscribe("group", both);   /* a group goes on where it acknowledged, not where it read */
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 4);
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 2);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[3].offset), ERR_NONE);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[0].offset), ERR_NONE);   /* never goes back */
    CU_ASSERT_EQUAL(lag(subscription), 0);
    bus_unsubscribe(subscription);
    subscription = subscribe("group", both);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 0);
    bus_unsubscribe(subscription);
    end();
}

static void test_without_group(void)
{
    begin();
    CU_ASSERT_EQUAL(publish("a.v1", 0), ERR_NONE);
    struct bus_subscription *one = subscribe(NULL, both), *two = subscribe(NULL, only_b);
    CU_ASSERT_EQUAL(fetch(one, 0, MAX), 0);   /* what was before is not for it */
    CU_ASSERT_EQUAL(publish("b.v1", 1), ERR_NONE);
    CU_ASSERT_EQUAL(publish("a.v1", 2), ERR_NONE);
    CU_ASSERT_EQUAL(lag(one), 2);
    CU_ASSERT_EQUAL(fetch(one, 0, 1), 1);
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 1);
    CU_ASSERT_EQUAL(bus_acknowledge(one, deliveries[0].offset), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(one, 0, MAX), 1);
    bus_rewind(one);
    CU_ASSERT_EQUAL(lag(one), 1);
    CU_ASSERT_EQUAL(fetch(one, 0, MAX), 1);
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 2);
    CU_ASSERT_EQUAL(fetch(two, 0, MAX), 1);   /* each has all, whatever the others have read */
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 1);
    bus_unsubscribe(one);
    bus_unsubscribe(two);
    one = subscribe(NULL, both);              /* and nothing of it stays */
    CU_ASSERT_EQUAL(fetch(one, 0, MAX), 0);
    bus_unsubscribe(one);
    end();
}

static void test_none_or_all(void)
{
    begin();
    struct event events[3];
    for (int i = 0; i < 3; i++)
        events[i] = fixture_event("a.v1", "subject", i);
    events[2].data = TEXT("{");
    struct bus_subscription *subscription = subscribe("group", both);
    CU_ASSERT_EQUAL(bus_publish(bus, events, 3), ERR_INVALID);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 0);
    bus_unsubscribe(subscription);
    end();
}

static void test_arena_limit(void)
{
    begin();
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(publish("a.v1", i), ERR_NONE);
    struct bus_subscription *subscription = subscribe("group", both);
    struct arena small;
    size_t count = 0, total = 0;
    for (size_t max = 16; total < 3 && max < 4096; max += 16) {
        arena_init(&small, max);
        enum err err = bus_fetch(subscription, 0, &small, deliveries, MAX, &count);
        CU_ASSERT(err == ERR_NONE || (err == ERR_MEMORY && total == 0));
        for (size_t i = 0; !err && i < count; i++)
            CU_ASSERT_EQUAL(fixture_number(&deliveries[i].event), (int)(total + i));
        total += err ? 0 : count;
        arena_fini(&small);
    }
    CU_ASSERT_EQUAL(total, 3);
    bus_unsubscribe(subscription);
    end();
}

/* ---- waiting ---- */

static void test_timeout(void)
{
    begin();
    struct bus_subscription *subscription = subscribe("group", both);
    int64_t start_ns = clock_now_ns();
    CU_ASSERT_EQUAL(fetch(subscription, 60, MAX), 0);
    CU_ASSERT(clock_now_ns() - start_ns >= 60 * NS_PER_MS);
    CU_ASSERT(clock_now_ns() - start_ns < 5000 * NS_PER_MS);
    bus_unsubscribe(subscription);
    end();
}

static void *wake_it(void *context)
{
    bus_wake(context);
    return NULL;
}

static void *publish_one(void *context)
{
    (void)context;
    CU_ASSERT_EQUAL(publish("a.v1", 5), ERR_NONE);
    return NULL;
}

static int64_t wake_ns(void)
{
    struct bus_subscription *subscription = subscribe("group", both);
    pthread_t thread;
    int64_t start_ns = clock_now_ns();
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, "waker", wake_it, subscription), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(subscription, 60000, MAX), 0);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, "publisher", publish_one, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(subscription, 60000, MAX), 1);
    int64_t took_ns = clock_now_ns() - start_ns;
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[0].offset), ERR_NONE);
    pthread_join(thread, NULL);
    bus_unsubscribe(subscription);
    return took_ns;
}

static void test_wakes(void)
{
    begin();
    CU_ASSERT(suite_is_prompt(wake_ns, 500));   /* that is, not by the look of each second */
    end();
}

/* Publishes a word for each byte that comes, until the pipe ends. */
static int publish_on_demand(int pipe)
{
    bus = fixture_bus_open(&scratch);
    char byte;
    int number = 0;
    while (read(pipe, &byte, 1) == 1)
        if (publish("a.v1", number++))
            return 1;
    bus_close(bus);
    return 0;
}

static void test_two_processes(void)
{
    enum { ROUNDS = 20 };
    int ends[2], status = -1;
    scratch_init(&scratch);
    arena_init(&arena, 1024 * 1024);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        close(ends[1]);
        _exit(publish_on_demand(ends[0]));
    }
    close(ends[0]);
    bus = fixture_bus_open(&scratch);
    struct bus_subscription *subscription = subscribe("group", both);
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        CU_ASSERT_EQUAL(write(ends[1], "", 1), 1);
        CU_ASSERT_EQUAL_FATAL(fetch(subscription, 60000, MAX), 1);
        CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), i);
        CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[0].offset), ERR_NONE);
    }
    CU_ASSERT(clock_now_ns() - start_ns < ROUNDS * 900 * NS_PER_MS);
    close(ends[1]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    bus_unsubscribe(subscription);
    end();
}

/* ---- retention ---- */

static struct db *log_db(void)
{
    struct db *db = NULL;
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "bus.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    return db;
}

static void reopen(unsigned retention_s, size_t max_bytes)
{
    bus_close(bus);
    struct bus_opts opts = fixture_bus_opts(&scratch);
    opts.retention_s = retention_s;
    opts.max_bytes = max_bytes;
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
}

static void test_sweep(void)
{
    begin();
    reopen(0, 16 * 1024 * 1024);
    struct db *db = log_db();
    struct bus_subscription *fast = subscribe("fast", both), *slow = subscribe("slow", both);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(publish("a.v1", i), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM log"), 20);   /* none has been read */
    CU_ASSERT_EQUAL(fetch(fast, 0, MAX), 20);
    CU_ASSERT_EQUAL(bus_acknowledge(fast, deliveries[19].offset), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(slow, 0, 10), 10);
    CU_ASSERT_EQUAL(bus_acknowledge(slow, deliveries[4].offset), ERR_NONE);
    CU_ASSERT_EQUAL(publish("a.v1", 20), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM log"), 16);   /* five were read by both */
    bus_rewind(slow);
    CU_ASSERT_EQUAL(fetch(slow, 0, MAX), 16);
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 5);

    CU_ASSERT_EQUAL(bus_acknowledge(slow, deliveries[15].offset), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(fast, 0, MAX), 1);
    CU_ASSERT_EQUAL(bus_acknowledge(fast, deliveries[0].offset), ERR_NONE);
    CU_ASSERT_EQUAL(publish("a.v1", 21), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM log"), 1);
    CU_ASSERT_EQUAL(fetch(fast, 0, MAX), 1);   /* positions go on, though the log was empty */
    CU_ASSERT_EQUAL(fixture_number(&deliveries[0].event), 21);

    struct bus_subscription *late = subscribe("late", both);   /* begins with what there still is */
    CU_ASSERT_EQUAL(fetch(late, 0, MAX), 1);
    bus_unsubscribe(late);
    bus_unsubscribe(fast);
    bus_unsubscribe(slow);
    db_close(db);
    end();
}

static void test_replaced(void)
{
    uint64_t used, most;
    begin();
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_NONE);
    char from[512], to[520];
    snprintf(from, sizeof from, "%s", scratch_path(&scratch, "bus.db"));
    snprintf(to, sizeof to, "%s-away", from);
    CU_ASSERT_EQUAL(rename(from, to), 0);
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "restart the service"));
    CU_ASSERT_EQUAL(rename(to, from), 0);
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_NONE);
    end();
}

static void test_retention_time(void)
{
    begin();
    struct db *db = log_db();
    struct bus_subscription *subscription = subscribe("group", both);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(publish("a.v1", i), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 5);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[4].offset), ERR_NONE);
    CU_ASSERT_EQUAL(publish("a.v1", 5), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM log"), 6);   /* an hour is not over */
    bus_unsubscribe(subscription);
    db_close(db);
    end();
}

static void test_full(void)
{
    enum { MAX_BYTES = 256 * 1024, DATA_BYTES = 8000 };
    begin();
    reopen(3600, MAX_BYTES);
    struct bus_subscription *subscription = subscribe("group", both);
    char *data = malloc(DATA_BYTES);
    memset(data, '1', DATA_BYTES);
    data[0] = data[DATA_BYTES - 1] = '"';
    struct event event = fixture_event("a.v1", "subject", 0);
    event.data = (struct text){data, DATA_BYTES};
    enum err err = ERR_NONE;
    size_t published = 0;
    for (; published < 100 && !err; published += !err)
        err = bus_publish(bus, &event, 1);
    CU_ASSERT_EQUAL(err, ERR_STORAGE_FULL);
    CU_ASSERT(published > 10);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_STORAGE_FULL);
    uint64_t size = 0, most = 0;
    CU_ASSERT_EQUAL(bus_size(bus, &size, &most), ERR_NONE);
    CU_ASSERT_EQUAL(most, MAX_BYTES);
    CU_ASSERT(size > MAX_BYTES - 4 * DATA_BYTES && size < MAX_BYTES + 4 * DATA_BYTES);
    CU_ASSERT_EQUAL(lag(subscription), published);   /* nothing was dropped to make room */

    size_t fetched = fetch(subscription, 0, MAX);
    CU_ASSERT(fetched > 10);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[fetched - 1].offset), ERR_NONE);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);   /* what was read makes room before its time */
    bus_unsubscribe(subscription);
    free(data);
    end();
}

static void test_other_types_left_behind(void)
{
    enum { OTHERS = 1100 };
    begin();
    struct db *db = log_db();
    struct bus_subscription *subscription = subscribe("group", only_b);
    struct event events[50];
    for (int i = 0; i < OTHERS; i += 50) {
        for (int j = 0; j < 50; j++)
            events[j] = fixture_event("a.v1", "subject", i + j);
        CU_ASSERT_EQUAL(bus_publish(bus, events, 50), ERR_NONE);
    }
    CU_ASSERT_EQUAL(lag(subscription), 0);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT position FROM consumer_group"), OTHERS);
    CU_ASSERT_EQUAL(publish("b.v1", 7), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 1);
    bus_unsubscribe(subscription);
    db_close(db);
    end();
}

/* Few, but they may be large, and fill the log. */
static void test_others_left_behind_in_time(void)
{
    begin();
    struct db *db = log_db();
    struct bus_subscription *subscription = subscribe("group", only_b);
    CU_ASSERT_EQUAL(publish("b.v1", 1), ERR_NONE);
    CU_ASSERT_EQUAL(publish("a.v1", 2), ERR_NONE);
    CU_ASSERT_EQUAL(fetch(subscription, 0, MAX), 1);
    int64_t until_ns = clock_now_ns() + 1200 * NS_PER_MS;
    while (clock_now_ns() < until_ns)
        CU_ASSERT_EQUAL(fetch(subscription, 100, MAX), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT position FROM consumer_group"), 0);   /* its own is not dealt with */
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[0].offset), ERR_NONE);
    CU_ASSERT_EQUAL(publish("a.v1", 3), ERR_NONE);
    for (int i = 0; i < 100 && scratch_number(db, "SELECT position FROM consumer_group") < 3; i++)
        CU_ASSERT_EQUAL(fetch(subscription, 100, MAX), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT position FROM consumer_group"), 3);
    bus_unsubscribe(subscription);
    db_close(db);
    end();
}

/* ---- opening ---- */

static void test_urls(void)
{
    static const char *const wrong[] = {"", "embedded", "embedded:", "kafka://x", "embeddedx:/a", NULL};
    struct bus_opts opts = {.url = NULL, .retention_s = 1, .max_bytes = 1};
    CU_ASSERT_EQUAL(bus_open(&opts, &bus), ERR_CONFIG);
    for (size_t i = 0; wrong[i]; i++) {
        opts.url = wrong[i];
        CU_ASSERT_EQUAL(bus_open(&opts, &bus), ERR_CONFIG);
    }
    opts.url = "amqp://guest:secret@127.0.0.1";
    CU_ASSERT_EQUAL(bus_open(&opts, &bus), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(strstr(err_cause(), "secret"));
#ifndef HAVE_RABBITMQ
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "--with-rabbitmq"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "librabbitmq-dev"));
#endif
    opts.url = "embedded:/no/such/folder/bus.db";
    CU_ASSERT_EQUAL(bus_open(&opts, &bus), ERR_STORAGE);
    bus_close(NULL);
    bus_unsubscribe(NULL);
}

static const struct suite_case cases[] = {
    {"a publisher in another process wakes whoever waits", test_two_processes},
    {"events come in order, by type", test_in_order},
    {"a group goes on behind what it acknowledged", test_acknowledge},
    {"a subscription without a group has what comes after it, for itself", test_without_group},
    {"a publication is whole or not at all", test_none_or_all},
    {"what does not fit the arena comes with the next fetch", test_arena_limit},
    {"a fetch waits no longer than it is told", test_timeout},
    {"a fetch ends by a wake or an event", test_wakes},
    {"only what every group has read is swept", test_sweep},
    {"what was read is kept for its time", test_retention_time},
    {"a full bus refuses, and drops nothing unread", test_full},
    {"a group leaves events of other types behind", test_other_types_left_behind},
    {"however few they are, within about a second", test_others_left_behind_in_time},
    {"a bus whose file was replaced says so", test_replaced},
    {"an URL that no driver takes is refused", test_urls},
};

int main(void)
{
    return suite_main("bus", cases, sizeof cases / sizeof cases[0]);
}
