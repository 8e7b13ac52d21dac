/* The broker goes away, is killed, comes back, or is not there at all. */
#include "config.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "check/service/bus_cases.h"
#include "check/service/bus_world.h"
#include "state/thread.h"

enum { KEYS = 20, PAUSE_MS = 20, QUIET_MS = 200 };

static struct world world;
static struct tally tally;

/* ---- a relay: publishes batch after batch, each until the bus has it ---- */

struct relaying {
    pthread_t thread;
    struct bus *bus;
    atomic_bool stopping;
    atomic_uint published, refused;
    atomic_llong longest_ns;           /* that a batch took to be taken */
};

static void *relay(void *context)
{
    enum { BATCH = 10 };
    struct relaying *relaying = context;
    while (!relaying->stopping) {
        int64_t start_ns = clock_now_ns();
        while (world_publish_batch(&world, relaying->bus, KEYS, (int)relaying->published, BATCH)) {
            relaying->refused++;
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
            if (clock_now_ns() - start_ns > 2 * WORLD_PATIENCE_MS * NS_PER_MS)
                return NULL;
        }
        relaying->published += BATCH;
        if (clock_now_ns() - start_ns > relaying->longest_ns)
            relaying->longest_ns = clock_now_ns() - start_ns;
    }
    return NULL;
}

static void begin_relay(struct relaying *relaying)
{
    *relaying = (struct relaying){.bus = world.bus};
    CU_ASSERT_EQUAL_FATAL(thread_start(&relaying->thread, "relay", relay, relaying), ERR_NONE);
}

static void end_relay(struct relaying *relaying)
{
    atomic_store(&relaying->stopping, true);
    pthread_join(relaying->thread, NULL);
    printf("# published %u, refused %u times, the longest took %.1f s\n", relaying->published, relaying->refused,
           (double)relaying->longest_ns / 1e9);
}

static void pause_ms(unsigned ms)
{
    int64_t until_ns = clock_now_ns() + ms * NS_PER_MS;
    while (clock_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
}

/* ---- away ---- */

void bus_case_away(void)
{
    static struct relaying relaying;
    world_begin(&world);
    tally_init(&tally, KEYS);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    begin_relay(&relaying);
    world_drain(&world, subscription, &tally, 200, false);
    CU_ASSERT_EQUAL_FATAL(world_broker->end(), ERR_NONE);
    pause_ms(1000 * world_setting("AWAY_S", 3));
    unsigned before = relaying.published;
    CU_ASSERT_EQUAL_FATAL(world_broker->start_again(), ERR_NONE);
    world_drain(&world, subscription, &tally, before + 100, true);
    end_relay(&relaying);
    CU_ASSERT(relaying.refused > 0);
    world_drain(&world, subscription, &tally, relaying.published, true);
    CU_ASSERT(tally_is_whole(&tally, relaying.published));
    bus_unsubscribe(subscription);
    world_end(&world);
}

void bus_case_away_from_start(void)
{
    world_begin(&world);
    tally_init(&tally, KEYS);
    bus_unsubscribe(world_subscribe(world.bus, "group"));
    world_publish(&world, KEYS, 0, 50);
    bus_close(world.bus);
    CU_ASSERT_EQUAL_FATAL(world_broker->end(), ERR_NONE);

    world.bus = world_open(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    size_t fetched;
    CU_ASSERT_NOT_EQUAL(world_publish_batch(&world, world.bus, KEYS, 50, 1), ERR_NONE);
    CU_ASSERT(*err_cause());
    CU_ASSERT_NOT_EQUAL(bus_fetch(subscription, QUIET_MS, &world.arena, world.deliveries, 1, &fetched), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(world_broker->start_again(), ERR_NONE);
    world_drain(&world, subscription, &tally, 50, true);
    enum err err = ERR_BUSY;
    for (int64_t until_ns = clock_now_ns() + WORLD_PATIENCE_MS * NS_PER_MS; err && clock_now_ns() < until_ns;)
        err = world_publish_batch(&world, world.bus, KEYS, 50, 50);
    CU_ASSERT_EQUAL(err, ERR_NONE);
    world_drain(&world, subscription, &tally, 100, true);
    CU_ASSERT(tally_is_whole(&tally, 100));
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* Under load. */
void bus_case_killed(void)
{
    static struct relaying relaying;
    unsigned wanted = 0, kills = world_setting("KILLS", 1);
    world_begin(&world);
    tally_init(&tally, KEYS);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    begin_relay(&relaying);
    pause_ms(world_broker->settle_ms);
    for (unsigned i = 0; i < kills; i++) {
        world_drain(&world, subscription, &tally, wanted += 200, true);
        world_broker->kill();
        CU_ASSERT_EQUAL_FATAL(world_broker->start_again(), ERR_NONE);
    }
    world_drain(&world, subscription, &tally, wanted += 200, true);
    end_relay(&relaying);
    world_drain(&world, subscription, &tally, relaying.published, true);
    CU_ASSERT(tally_is_whole(&tally, relaying.published));
    bus_unsubscribe(subscription);
    world_end(&world);
}

void bus_case_without_group_away(void)
{
    world_begin(&world);
    tally_init(&tally, 1);
    struct bus_subscription *subscription = world_subscribe(world.bus, NULL);
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, 0), 0);
    world_publish(&world, 1, 0, 10);
    pause_ms(world_broker->settle_ms);
    world_broker->kill();
    CU_ASSERT_EQUAL_FATAL(world_broker->start_again(), ERR_NONE);
    enum err err = ERR_BUSY;
    for (int64_t until_ns = clock_now_ns() + WORLD_PATIENCE_MS * NS_PER_MS; err && clock_now_ns() < until_ns;)
        err = world_publish_batch(&world, world.bus, 1, 10, 10);
    CU_ASSERT_EQUAL(err, ERR_NONE);
    world_drain(&world, subscription, &tally, 20, true);
    CU_ASSERT(tally_is_whole(&tally, 20));
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- a node of several ---- */

void bus_case_node_killed(void)
{
    enum { STALL_MAX_S = 10 };
    static struct relaying relaying;
    world_begin(&world);
    tally_init(&tally, KEYS);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    begin_relay(&relaying);
    pause_ms(world_broker->settle_ms);
    world_drain(&world, subscription, &tally, 200, true);
    unsigned wanted = 200;
    for (int i = 0; i < 2; i++) {
        world_broker->kill_node();
        int64_t start_ns = clock_now_ns();
        wanted = relaying.published + 500;
        world_drain(&world, subscription, &tally, wanted, true);
        double took_s = (double)(clock_now_ns() - start_ns) / 1e9;
        printf("# 500 more were through %.1f s after a node was killed\n", took_s);
        CU_ASSERT(took_s < STALL_MAX_S);
        CU_ASSERT_EQUAL_FATAL(world_broker->start_again(), ERR_NONE);
    }
    end_relay(&relaying);
    world_drain(&world, subscription, &tally, relaying.published, true);
    CU_ASSERT(tally_is_whole(&tally, relaying.published));
    bus_unsubscribe(subscription);
    world_end(&world);
}
