/* Acknowledging, going back, and who shares a group. */
#include "config.h"

#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/bus_cases.h"
#include "check/service/bus_world.h"
#include "state/thread.h"

enum { QUIET_MS = 200, FETCH_MS = 200 };

static struct world world;
static struct tally tally;

/* ---- acknowledging ---- */

/* What comes next, one at a time, is these numbers. */
static void expect(struct bus_subscription *subscription, int first, int last)
{
    for (int number = first; number <= last; number++) {
        CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
        CU_ASSERT_EQUAL(world_number(&world.deliveries[0].event), number);
    }
}

void bus_case_acknowledge(void)
{
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    world_publish(&world, 1, 0, 10);
    expect(subscription, 0, 3);
    int64_t fourth = world.deliveries[0].offset;
    expect(subscription, 4, 6);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, fourth), ERR_NONE);
    bus_unsubscribe(subscription);

    subscription = world_subscribe(world.bus, "group");   /* it goes on where it acknowledged, not where it read */
    expect(subscription, 4, 9);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, fourth), ERR_NONE);   /* never goes back */
    bus_unsubscribe(subscription);

    subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, WORLD_BATCH, QUIET_MS), 0);
    bus_unsubscribe(subscription);
    world_end(&world);
}

void bus_case_rewind(void)
{
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    world_publish(&world, 1, 0, 6);
    expect(subscription, 0, 1);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    for (int i = 0; i < 3; i++) {
        bus_rewind(subscription);
        expect(subscription, 2, 5);
    }
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    bus_rewind(subscription);
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, QUIET_MS), 0);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- a process that is killed ---- */

/* Tells the numbers of the events that had their effect, and acknowledges but the first half of them. */
static void consume_and_die(int told)
{
    enum { EVENTS = 20 };
    struct bus *bus = world_open(&world);
    struct bus_subscription *subscription = world_subscribe(bus, "group");
    for (int i = 0; i < EVENTS; i++) {
        if (world_fetch(&world, subscription, 1) != 1)
            _exit(1);
        int number = world_number(&world.deliveries[0].event);
        if (write(told, &number, sizeof number) != sizeof number)
            _exit(1);
        if (i == EVENTS / 2 - 1 && bus_acknowledge(subscription, world.deliveries[0].offset))
            _exit(1);
    }
    raise(SIGKILL);
}

void bus_case_crash(void)
{
    int ends[2], number, status = 0;
    world_begin(&world);
    tally_init(&tally, 1);
    bus_unsubscribe(world_subscribe(world.bus, "group"));
    world_publish(&world, 1, 0, 30);
    bus_close(world.bus);   /* nothing of it is to be in two processes */
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        close(ends[0]);
        consume_and_die(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    for (int i = 0; i < 20 && read(ends[0], &number, sizeof number) == sizeof number; i++)
        CU_ASSERT_EQUAL(number, i);
    close(ends[0]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    world.bus = world_open(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
    int first = world_number(&world.deliveries[0].event);
    CU_ASSERT(first == 10 || first == 0);   /* what it acknowledged last may not have been heard */
    expect(subscription, first + 1, 29);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- groups ---- */

void bus_case_groups(void)
{
    static const char *const names[] = {"one", "two", "three"};
    struct bus_subscription *groups[3];
    world_begin(&world);
    for (int i = 0; i < 3; i++)
        groups[i] = world_subscribe(world.bus, names[i]);
    world_publish(&world, 7, 0, 300);
    for (int i = 0; i < 3; i++) {
        tally_init(&tally, 7);
        world_drain(&world, groups[i], &tally, 300, false);
        CU_ASSERT(tally_is_whole(&tally, 300));
        CU_ASSERT_EQUAL(tally.repeats, 0);
        bus_unsubscribe(groups[i]);
    }
    world_end(&world);
}

struct expected_lag {
    struct bus_subscription *subscription;
    uint64_t events;
};

static bool has_lag(void *context)
{
    const struct expected_lag *expected = context;
    struct bus_lag own = {0}, by_name = {0};
    return bus_lag(expected->subscription, &own) == ERR_NONE && own.events == expected->events
        && bus_group_lag(world.bus, "group", &by_name) == ERR_NONE && by_name.events == expected->events;
}

static void expect_lag(struct bus_subscription *subscription, uint64_t events)
{
    CU_ASSERT(process_until(has_lag, &(struct expected_lag){subscription, events}, WORLD_PATIENCE_MS));
}

void bus_case_lag(void)
{
    struct bus_lag lag = {.events = 99};
    world_begin(&world);
    CU_ASSERT_EQUAL(bus_group_lag(world.bus, "group", &lag), ERR_NONE);
    CU_ASSERT_EQUAL(lag.events, 0);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    expect_lag(subscription, 0);
    world_publish(&world, 1, 0, 60);
    expect_lag(subscription, 60);
    expect(subscription, 0, 9);
    int64_t tenth = world.deliveries[0].offset;
    expect(subscription, 10, 39);
    expect_lag(subscription, 60);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, tenth), ERR_NONE);
    expect_lag(subscription, 50);
    expect(subscription, 40, 59);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    expect_lag(subscription, 0);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- several of one group ---- */

struct member {
    pthread_t thread;
    struct world world;            /* the same one, with a bus of its own */
    atomic_bool stopping;
};

static void *consume(void *context)
{
    struct member *member = context;
    struct bus_subscription *subscription = world_subscribe(member->world.bus, "group");
    while (!member->stopping) {
        size_t fetched = world_fetch_within(&member->world, subscription, 16, FETCH_MS);
        for (size_t i = 0; i < fetched; i++)
            tally_take(&tally, &member->world.deliveries[i]);
        if (fetched && !member->stopping)   /* whoever goes leaves what it had last unacknowledged */
            CU_ASSERT_EQUAL(bus_acknowledge(subscription, member->world.deliveries[fetched - 1].offset), ERR_NONE);
    }
    bus_unsubscribe(subscription);
    return NULL;
}

static void join(struct member *member)
{
    member->world = world;
    member->world.bus = world_open(&world);
    arena_init(&member->world.arena, world.arena.max_bytes);
    atomic_store(&member->stopping, false);
    CU_ASSERT_EQUAL_FATAL(thread_start(&member->thread, "member", consume, member), ERR_NONE);
}

static void leave(struct member *member)
{
    atomic_store(&member->stopping, true);
    pthread_join(member->thread, NULL);
    bus_close(member->world.bus);
    arena_fini(&member->world.arena);
}

static bool is_taken(void *context)
{
    return tally_taken(&tally) >= *(unsigned *)context;
}

static void await_taken(unsigned count)
{
    CU_ASSERT(process_until(is_taken, &count, WORLD_PATIENCE_MS));
}

void bus_case_sharing(void)
{
    enum { KEYS = 40, STEP = 600 };
    static struct member members[3];
    unsigned published = 0;
    world_begin(&world);
    tally_init(&tally, KEYS);
    bus_unsubscribe(world_subscribe(world.bus, "group"));
    for (int i = 0; i < 3; i++) {
        join(&members[i]);
        world_publish(&world, KEYS, (int)published, STEP);
        published += STEP;
        await_taken(published - STEP / 2);
    }
    for (int i = 0; i < 3; i++) {
        leave(&members[i]);
        if (i == 1)
            join(&members[0]);     /* one comes back */
        world_publish(&world, KEYS, (int)published, STEP);
        published += STEP;
        await_taken(published - STEP / 2);
    }
    await_taken(published);
    leave(&members[0]);
    CU_ASSERT(tally_is_whole(&tally, published));
    world_end(&world);
}

/* ---- looking ---- */

static enum err count_entry(const struct bus_entry *entry, void *context)
{
    CU_ASSERT(text_equal_string(entry->type, world_type));
    ++*(unsigned *)context;
    return ERR_NONE;
}

void bus_case_browse(void)
{
    unsigned count = 0;
    world_begin(&world);
    world_publish(&world, 5, 0, 20);
    CU_ASSERT_EQUAL(bus_browse(world.bus, &(struct bus_filter){.type = "thing.*"}, count_entry, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 20);
    count = 0;
    CU_ASSERT_EQUAL(bus_browse(world.bus, &(struct bus_filter){.subject = "key 3"}, count_entry, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 4);
    world_end(&world);
}
