#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/events_fixture.h"
#include "events/bus_driver.h"
#include "events/consumer.h"
#include "events/outbox_private.h"
#include "state/migrate.h"

static struct scratch scratch;
static struct db *db;
static struct bus *bus;

static void begin(void)
{
    scratch_init(&scratch);
    db = fixture_db_open(&scratch, "service.db");
    bus = fixture_bus_open(&scratch);
}

static void end(void)
{
    bus_close(bus);
    db_close(db);
    scratch_fini(&scratch);
}

/* Adds `count` events from `first` on, and then perhaps fails. */
struct addition {
    int first, count;
    enum err fail_with;
};

static enum err add_events(struct db_connection *connection, void *context)
{
    const struct addition *addition = context;
    enum err err = ERR_NONE;
    for (int i = 0; !err && i < addition->count; i++) {
        struct event event = fixture_event("a.v1", "subject", addition->first + i);
        err = outbox_add(connection, &event);
    }
    return err ? err : addition->fail_with;
}

static enum err add(int first, int count)
{
    struct addition addition = {first, count, ERR_NONE};
    return db_write(db, add_events, &addition);
}

static bool outbox_is_empty(void *context)
{
    (void)context;
    return scratch_number(db, "SELECT count(*) FROM outbox") == 0;
}

/* ---- the table ---- */

static void test_with_the_change(void)
{
    begin();
    struct addition addition = {1, 3, ERR_CONFLICT};
    CU_ASSERT_EQUAL(db_write(db, add_events, &addition), ERR_CONFLICT);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM outbox"), 0);
    CU_ASSERT_EQUAL(add(1, 3), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM outbox"), 3);
    CU_ASSERT(!engines_is_sqlite() || scratch_number(db, "SELECT max(position) FROM outbox") == 3);
    end();
}

static enum err add_bare(struct db_connection *connection, void *context)
{
    return outbox_add(connection, context);
}

static void test_filled_in(void)
{
    begin();
    struct event event = {.type = TEXT("a.v1"), .source = TEXT("/test"), .subject = TEXT("s")};
    CU_ASSERT_EQUAL(db_write(db, add_bare, &event), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM outbox WHERE length(id) = 36"
                                       " AND time_us > 1600000000000000 AND data IS NULL"), 1);
    event.data = TEXT("{]");
    CU_ASSERT_EQUAL(db_write(db, add_bare, &event), ERR_INVALID);
    event.data = TEXT("{}");
    event.subject = TEXT_NONE;
    CU_ASSERT_EQUAL(db_write(db, add_bare, &event), ERR_INVALID);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM outbox"), 1);
    end();
}

/* What it was added with is what is published. */
static void test_all_of_it(void)
{
    struct db_connection *reader = NULL;
    struct arena arena;
    struct event added = fixture_event("a.v1", "subject", 1), got;
    int64_t position;
    size_t count = 0;
    begin();
    added.traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    added.tracestate = TEXT("congo=t61rcWkgMzE");
    added.request_id = TEXT("request-1");
    arena_init(&arena, 64 * 1024);
    CU_ASSERT_EQUAL(db_write(db, add_bare, &added), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(outbox_oldest(reader, &arena, &got, &position, 1, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT(text_equal(got.id, added.id) && text_equal(got.data, added.data));
    CU_ASSERT(text_equal(got.traceparent, added.traceparent) && text_equal(got.tracestate, added.tracestate));
    CU_ASSERT(text_equal(got.request_id, added.request_id));
    db_reader_close(reader);
    arena_fini(&arena);
    end();
}

/* A program before this one has left events behind, whose table had fewer columns. */
static void test_of_an_older_schema(void)
{
    enum { BEFORE_TRACESTATE = 2 };
    struct scratch folder;
    scratch_init(&folder);
    struct db_opts opts = scratch_db_opts(scratch_path(&folder, "older.db"));
    struct migration_set older = events_migrations;
    struct db *old = NULL;
    struct db_connection *reader = NULL;
    struct arena arena;
    struct event got;
    int64_t position;
    size_t count = 0;
    older.count = BEFORE_TRACESTATE;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &old), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(old, &older, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(old), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(old, "INSERT INTO outbox (position, id, type, source, subject, time_us, traceparent)"
                                        " VALUES (1, 'event-1', 'a.v1', '/test', 's', 1, 'parent')"), ERR_NONE);
    db_close(old);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &old), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(old, &events_migrations, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(old), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(old, &reader), ERR_NONE);
    arena_init(&arena, 64 * 1024);
    CU_ASSERT_EQUAL_FATAL(outbox_oldest(reader, &arena, &got, &position, 1, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT(text_equal(got.id, TEXT("event-1")) && text_equal(got.traceparent, TEXT("parent")));
    CU_ASSERT_PTR_NULL(got.tracestate.at);
    db_reader_close(reader);
    arena_fini(&arena);
    db_close(old);
    scratch_fini(&folder);
}

static void test_backlog(void)
{
    begin();
    struct db_connection *reader = NULL;
    uint64_t count = 99;
    int64_t oldest_us = 99, before_us = clock_wall_us();
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL(outbox_backlog(reader, &count, &oldest_us), ERR_NONE);
    CU_ASSERT(count == 0 && oldest_us == 0);
    CU_ASSERT_EQUAL(add(1, 5), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "DELETE FROM outbox WHERE position = 1"), ERR_NONE);
    CU_ASSERT_EQUAL(outbox_backlog(reader, &count, &oldest_us), ERR_NONE);
    CU_ASSERT_EQUAL(count, 4);
    CU_ASSERT(oldest_us >= before_us && oldest_us <= clock_wall_us());
    db_reader_close(reader);
    end();
}

/* ---- the relay ---- */

static struct relay *start_relay(struct bus *to, unsigned batch_max, void (*failed)(void *, enum err), void *context)
{
    struct relay *relay = NULL;
    struct relay_opts opts = {.db = db, .bus = to, .batch_max = batch_max, .retry_max_ms = 40, .failed = failed,
                              .context = context};
    CU_ASSERT_EQUAL_FATAL(relay_new(&opts, &relay), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(relay_start(relay), ERR_NONE);
    return relay;
}

static int64_t count_on_bus(int *ret_in_order)
{
    static const char *const types[] = {"a.v1", NULL};
    struct bus_subscription *subscription = NULL;
    struct bus_delivery deliveries[32];
    struct arena arena;
    int64_t total = 0;
    size_t count = 1;
    *ret_in_order = 1;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "test", types, &subscription), ERR_NONE);
    arena_init(&arena, 1024 * 1024);
    while (count) {
        arena_reset(&arena);
        CU_ASSERT_EQUAL_FATAL(bus_fetch(subscription, 0, &arena, deliveries, 32, &count), ERR_NONE);
        for (size_t i = 0; i < count; i++)
            *ret_in_order &= fixture_number(&deliveries[i].event) == ++total;
    }
    arena_fini(&arena);
    bus_unsubscribe(subscription);
    return total;
}

static int last_added;

static int64_t relay_one_ns(void)
{
    int64_t start_ns = clock_now_ns();
    CU_ASSERT_EQUAL(add(++last_added, 1), ERR_NONE);
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    return clock_now_ns() - start_ns;
}

static void test_relay(void)
{
    begin();
    int in_order = 0;
    CU_ASSERT_EQUAL(add(1, 50), ERR_NONE);   /* left by a process that was killed, so to say */
    struct relay *relay = start_relay(bus, 8, NULL, NULL);
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    last_added = 50;
    for (int i = 0; i < 10; i++)
        CU_ASSERT(suite_is_prompt(relay_one_ns, 100));   /* woken by the commit, not by the second's look */
    while (last_added < 100)
        CU_ASSERT_EQUAL(add(++last_added, 1), ERR_NONE);
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    CU_ASSERT_EQUAL(count_on_bus(&in_order), last_added);
    CU_ASSERT(in_order);
    relay_stop(relay, 1000);
    relay_free(relay);
    CU_ASSERT_EQUAL(add(last_added + 1, 1), ERR_NONE);   /* nobody listens any more */
    end();
}

/* A bus that fails as often as it is told and then hands on to the real one. */
struct unreliable {
    struct bus base;
    atomic_int failures_left, tries;
};

static enum err publish_unreliably(struct bus *base, const struct event *events, size_t count)
{
    struct unreliable *unreliable = (struct unreliable *)base;
    unreliable->tries++;
    if (unreliable->failures_left > 0) {
        unreliable->failures_left--;
        return err_because(ERR_UNAVAILABLE, "the bus is away");
    }
    return bus_publish(bus, events, count);
}

static const struct bus_driver unreliable_driver = {.scheme = "unreliable", .publish = publish_unreliably};

static void count_failure(void *context, enum err err)
{
    if (err == ERR_UNAVAILABLE && strcmp(err_cause(), "the bus is away") == 0)
        atomic_fetch_add((atomic_int *)context, 1);
}

static void test_bus_fails(void)
{
    begin();
    int in_order = 0;
    atomic_int failures = 0;
    struct unreliable unreliable = {.base = {&unreliable_driver}, .failures_left = 4};
    struct relay *relay = start_relay(&unreliable.base, 8, count_failure, &failures);
    CU_ASSERT_EQUAL(add(1, 20), ERR_NONE);
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    CU_ASSERT_EQUAL(failures, 4);
    CU_ASSERT_EQUAL(count_on_bus(&in_order), 20);
    CU_ASSERT(in_order);
    relay_stop(relay, 1000);
    relay_free(relay);
    end();
}

static void test_pause_under_load(void)
{
    begin();
    struct unreliable unreliable = {.base = {&unreliable_driver}, .failures_left = 1000000};
    struct relay *relay = start_relay(&unreliable.base, 8, NULL, NULL);
    int64_t start_ns = clock_now_ns(), took_ms = 0;
    for (int i = 1; took_ms < 300 || (unreliable.tries <= 2 && took_ms < SCRATCH_PATIENCE_MS); i++) {
        CU_ASSERT_EQUAL(add(i, 1), ERR_NONE);
        took_ms = (clock_now_ns() - start_ns) / NS_PER_MS;
    }
    CU_ASSERT(unreliable.tries < took_ms / 7);   /* pauses of 20 to 40 ms, however many commits there are */
    CU_ASSERT(unreliable.tries > 2);
    relay_stop(relay, 0);
    relay_free(relay);
    end();
}

static int64_t stop_ns(void)
{
    struct relay *relay = start_relay(bus, 4, NULL, NULL);
    int64_t start_ns = clock_now_ns();
    relay_stop(relay, 10000);
    int64_t took_ns = clock_now_ns() - start_ns;
    relay_free(relay);
    return took_ns;
}

static void test_stop(void)
{
    begin();
    CU_ASSERT(suite_is_prompt(stop_ns, 100));

    struct relay *relay = start_relay(bus, 4, NULL, NULL);
    CU_ASSERT_EQUAL(add(1, 60), ERR_NONE);
    relay_stop(relay, 10000);   /* what waits goes out first */
    CU_ASSERT(outbox_is_empty(NULL));
    relay_free(relay);

    struct unreliable unreliable = {.base = {&unreliable_driver}, .failures_left = 1000000};
    CU_ASSERT_EQUAL(add(61, 1), ERR_NONE);
    relay = start_relay(&unreliable.base, 4, NULL, NULL);
    int64_t start_ns = clock_now_ns();
    relay_stop(relay, 80);
    CU_ASSERT(clock_now_ns() - start_ns >= 80 * NS_PER_MS);
    CU_ASSERT(clock_now_ns() - start_ns < 5000 * NS_PER_MS);
    CU_ASSERT_FALSE(outbox_is_empty(NULL));
    relay_free(relay);
    relay_free(NULL);
    end();
}

static const struct suite_case cases[] = {
    {"events are added with the change or not at all", test_with_the_change},
    {"an id and a time are filled in, and what cannot be sent is refused", test_filled_in},
    {"what is published is all that was added", test_all_of_it},
    {"what an older program has left is published", test_of_an_older_schema},
    {"the backlog is counted", test_backlog},
    {"the relay publishes all in order, at once", test_relay},
    {"the relay tries again until the bus confirms", test_bus_fails},
    {"the relay pauses after a failure, however busy the service", test_pause_under_load},
    {"the relay stops promptly, and publishes what waits", test_stop},
};

int main(void)
{
    return engines_main("outbox", cases, sizeof cases / sizeof cases[0]);
}
