/* What the relay promises: batches, marked after the bus has confirmed, resumed where it stopped, by one process at a
 * time, in the order of each subject, also through a bus that is full. */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "check/unit/engines.h"
#include "check/unit/events_fixture.h"
#include "events/bus_driver.h"
#include "events/outbox.h"

enum { BATCH = 8, RETRY_MAX_MS = 40, SUBJECTS = 3 };

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
    CU_ASSERT_EQUAL(fault_arm(TEXT("")), ERR_NONE);
    bus_close(bus);
    db_close(db);
    scratch_fini(&scratch);
}

struct addition {
    int first, count;
    size_t padding;
};

static enum err add_work(struct db_connection *connection, void *context)
{
    static const char *const subjects[SUBJECTS] = {"x", "y", "z"};
    const struct addition *addition = context;
    char *data = malloc(addition->padding + 32);
    enum err err = data ? ERR_NONE : ERR_MEMORY;
    for (int i = 0; !err && i < addition->count; i++) {
        int number = addition->first + i;
        struct event event = fixture_event("a.v1", subjects[number % SUBJECTS], number);
        int length = snprintf(data, addition->padding + 32, "[%d, \"", number);
        memset(data + length, '.', addition->padding);
        memcpy(data + length + addition->padding, "\"]", sizeof "\"]");
        event.data = text_of(data);
        err = outbox_add(connection, &event);
    }
    free(data);
    return err;
}

static void add(int first, int count, size_t padding)
{
    struct addition addition = {first, count, padding};
    CU_ASSERT_EQUAL(db_write(db, add_work, &addition), ERR_NONE);
}

static bool outbox_is_empty(void *context)
{
    (void)context;
    return scratch_number(db, "SELECT count(*) FROM outbox") == 0;
}

/* ---- a bus that watches what it is given ---- */

struct watched {
    struct bus base;
    atomic_int calls, most, full, inside, overlaps;
    atomic_int hold_ms;            /* how long a publication takes */
};

static enum err publish_watched(struct bus *base, const struct event *events, size_t count)
{
    struct watched *watched = (struct watched *)base;
    watched->calls++;
    if ((int)count > watched->most)
        watched->most = (int)count;
    if (atomic_fetch_add(&watched->inside, 1) > 0)
        watched->overlaps++;
    int64_t until_ns = clock_now_ns() + watched->hold_ms * NS_PER_MS;
    while (clock_now_ns() < until_ns)
        continue;
    enum err err = bus_publish(bus, events, count);
    atomic_fetch_sub(&watched->inside, 1);
    return err;
}

static const struct bus_driver watched_driver = {.scheme = "watched", .publish = publish_watched};

static void note_failure(void *context, enum err err)
{
    struct watched *watched = context;
    if (err == ERR_STORAGE_FULL)
        watched->full++;
}

static struct relay *start_relay(struct watched *to, struct db *of)
{
    struct relay *relay = NULL;
    struct relay_opts opts = {.db = of, .bus = &to->base, .batch_max = BATCH, .retry_max_ms = RETRY_MAX_MS,
                              .failed = note_failure, .context = to};
    CU_ASSERT_EQUAL_FATAL(relay_new(&opts, &relay), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(relay_start(relay), ERR_NONE);
    return relay;
}

static void stop_relay(struct relay *relay)
{
    relay_stop(relay, 1000);
    relay_free(relay);
}

/* ---- what arrived ---- */

struct arrived {
    int count, repeated, disordered;
    int latest[SUBJECTS];
};

static int number_of(const struct event *event)
{
    return (int)strtol(event->id.at + strlen("event-"), NULL, 10);
}

static void look(struct arrived *arrived, const struct event *event)
{
    char id[32];
    snprintf(id, sizeof id, "%.*s", TEXT_ARGS(event->id));
    struct event copy = {.id = text_of(id)};
    int number = number_of(&copy), *latest = &arrived->latest[number % SUBJECTS];
    arrived->count++;
    arrived->repeated += number == *latest;
    arrived->disordered += number < *latest;
    *latest = number;
}

static struct bus_subscription *subscribe(void)
{
    static const char *const types[] = {"a.v", NULL};
    struct bus_subscription *subscription = NULL;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "test", types, &subscription), ERR_NONE);
    return subscription;
}

static void read_all(struct bus_subscription *subscription, struct arrived *arrived)
{
    struct bus_delivery deliveries[32];
    struct arena arena;
    size_t count = 1;
    arena_init(&arena, 8 * 1024 * 1024);
    while (count) {
        arena_reset(&arena);
        CU_ASSERT_EQUAL_FATAL(bus_fetch(subscription, 0, &arena, deliveries, 32, &count), ERR_NONE);
        for (size_t i = 0; i < count; i++)
            look(arrived, &deliveries[i].event);
        if (count)
            CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[count - 1].offset), ERR_NONE);
    }
    arena_fini(&arena);
}

/* ---- the promises ---- */

static void test_batches(void)
{
    begin();
    struct watched watched = {.base = {&watched_driver}};
    struct bus_subscription *subscription = subscribe();
    struct arrived arrived = {.count = 0};
    add(1, 5 * BATCH + 1, 0);
    struct relay *relay = start_relay(&watched, db);
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    stop_relay(relay);
    CU_ASSERT_EQUAL(watched.most, BATCH);
    CU_ASSERT_EQUAL(watched.calls, 6);
    read_all(subscription, &arrived);
    CU_ASSERT_EQUAL(arrived.count, 5 * BATCH + 1);
    CU_ASSERT_EQUAL(arrived.repeated + arrived.disordered, 0);
    bus_unsubscribe(subscription);
    end();
}

/* Before the bus has confirmed nothing is marked; after, what could not be marked is published again, and all of it, in
 * order. */
static void test_marks_after_confirmation(void)
{
    static const struct {
        const char *plan;
        int repeated;
    } plans[] = {
        {"relay-before-publish error count=3", 0},
        {"relay-after-publish drop count=2", 2},
        {"relay-before-mark error nth=2, relay-before-mark error nth=3", 2},
    };
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        begin();
        struct watched watched = {.base = {&watched_driver}};
        struct bus_subscription *subscription = subscribe();
        struct arrived arrived = {.count = 0};
        CU_ASSERT_EQUAL_FATAL(fault_arm(text_of(plans[i].plan)), ERR_NONE);
        for (int number = 1; number <= 3; number++)
            add(number, 1, 0);
        struct relay *relay = start_relay(&watched, db);
        CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
        add(4, 1, 0);
        CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
        stop_relay(relay);
        read_all(subscription, &arrived);
        CU_ASSERT(arrived.count >= 4 + plans[i].repeated);
        CU_ASSERT_EQUAL(arrived.latest[1], 4);
        CU_ASSERT_EQUAL(arrived.latest[2], 2);
        CU_ASSERT_EQUAL(arrived.latest[0], 3);
        bus_unsubscribe(subscription);
        end();
    }
}

static void test_resumes(void)
{
    begin();
    struct watched watched = {.base = {&watched_driver}};
    struct bus_subscription *subscription = subscribe();
    struct arrived arrived = {.count = 0};
    CU_ASSERT_EQUAL_FATAL(fault_arm(TEXT("relay-before-publish error nth=3 count=1000000")), ERR_NONE);
    add(1, 6 * BATCH, 0);
    struct relay *relay = start_relay(&watched, db);
    for (int i = 0; i < 1000 && fault_count(FAULT_RELAY_BEFORE_PUBLISH) == 0; i++)
        CU_ASSERT(scratch_number(db, "SELECT count(*) FROM outbox") >= 4 * BATCH);
    relay_stop(relay, 0);
    relay_free(relay);
    CU_ASSERT_EQUAL(fault_arm(TEXT("")), ERR_NONE);
    relay = start_relay(&watched, db);
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    stop_relay(relay);
    read_all(subscription, &arrived);
    CU_ASSERT_EQUAL(arrived.count, 6 * BATCH);
    CU_ASSERT_EQUAL(arrived.repeated + arrived.disordered, 0);
    bus_unsubscribe(subscription);
    end();
}

/* Two handles of one database are as two processes; each has a relay, and both are woken. */
static void test_one_at_a_time(void)
{
    enum { ROUNDS = 40 };
    begin();
    struct watched watched = {.base = {&watched_driver}, .hold_ms = 2};
    struct db *other = fixture_db_open(&scratch, "service.db");
    struct bus_subscription *subscription = subscribe();
    struct arrived arrived = {.count = 0};
    struct relay *one = start_relay(&watched, db), *two = start_relay(&watched, other);
    struct db *mine = db;
    for (int i = 0; i < ROUNDS; i++) {
        db = i % 2 ? mine : other;
        add(1 + 3 * i, 3, 0);
    }
    db = mine;
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    stop_relay(one);
    add(1 + 3 * ROUNDS, 3, 0);         /* the other takes over */
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    stop_relay(two);
    CU_ASSERT_EQUAL(watched.overlaps, 0);
    read_all(subscription, &arrived);
    CU_ASSERT_EQUAL(arrived.count, 3 * ROUNDS + 3);
    CU_ASSERT_EQUAL(arrived.repeated + arrived.disordered, 0);
    bus_unsubscribe(subscription);
    db_close(other);
    end();
}

/* ---- a full bus ---- */

static bool was_refused(void *context)
{
    return ((struct watched *)context)->full > 3;
}

static void test_full_bus(void)
{
    enum { MAX_BYTES = 256 * 1024, PADDING = 6000, EVENTS = 120 };
    struct bus_lag lag;
    uint64_t used, most;
    begin();
    bus_close(bus);
    struct bus_opts opts = fixture_bus_opts(&scratch);
    opts.max_bytes = MAX_BYTES;
    opts.retention_s = 0;
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
    struct watched watched = {.base = {&watched_driver}};
    struct bus_subscription *subscription = subscribe();   /* which lags */
    struct arrived arrived = {.count = 0};
    for (int i = 0; i < EVENTS; i += 10)
        add(1 + i, 10, PADDING);
    struct relay *relay = start_relay(&watched, db);
    CU_ASSERT(scratch_eventually(was_refused, &watched));
    CU_ASSERT_EQUAL(bus_lag(subscription, &lag), ERR_NONE);
    CU_ASSERT_EQUAL((int64_t)lag.events + scratch_number(db, "SELECT count(*) FROM outbox"), EVENTS);
    CU_ASSERT(lag.events > 0 && lag.events < EVENTS && lag.oldest_us > 0);
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_NONE);
    CU_ASSERT(used > most && used < most + (BATCH + 2) * (PADDING + 4096));

    for (int i = 0; i < EVENTS && !outbox_is_empty(NULL); i++) {
        int refusals = watched.full;
        read_all(subscription, &arrived);      /* what was read makes room */
        for (int j = 0; j < 200 && watched.full == refusals && !outbox_is_empty(NULL); j++)
            continue;
    }
    CU_ASSERT(scratch_eventually(outbox_is_empty, NULL));
    stop_relay(relay);
    read_all(subscription, &arrived);
    CU_ASSERT_EQUAL(arrived.count, EVENTS);
    CU_ASSERT_EQUAL(arrived.repeated + arrived.disordered, 0);
    struct event event = fixture_event("a.v1", "x", EVENTS + 1);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_NONE);
    CU_ASSERT(used < most / 2);                /* swept, since nothing is kept for its age */
    bus_unsubscribe(subscription);
    end();
}

static const struct suite_case cases[] = {
    {"events are published in batches", test_batches},
    {"what the bus has not confirmed stays, and what was not marked comes again in order",
     test_marks_after_confirmation},
    {"a relay resumes where the one before it stopped", test_resumes},
    {"of two processes one publishes at a time, and the other takes over", test_one_at_a_time},
    {"a full bus loses nothing, and takes on again once its group has read", test_full_bus},
};

int main(void)
{
    return engines_main("relay", cases, sizeof cases / sizeof cases[0]);
}
