/* What is delivered, and how. */
#include "config.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/service/bus_cases.h"
#include "check/service/bus_world.h"
#include "state/thread.h"

enum { QUIET_MS = 200 };

static struct world world;
static struct tally tally;

void bus_case_order(void)
{
    enum { KEYS = 30, EVENTS = 1500 };
    world_begin(&world);
    tally_init(&tally, KEYS);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    world_publish(&world, KEYS, 0, EVENTS);
    world_drain(&world, subscription, &tally, EVENTS, false);
    CU_ASSERT(tally_is_whole(&tally, EVENTS));
    CU_ASSERT_EQUAL(tally.repeats, 0);
    bus_unsubscribe(subscription);
    world_end(&world);
}

static void publish(const char *type, int number)
{
    struct world_event made;
    world_event(&made, &world, 1, number);
    made.event.type = text_of(type);
    CU_ASSERT_EQUAL(bus_publish(world.bus, &made.event, 1), ERR_NONE);
}

void bus_case_types(void)
{
    /* Of one first word, which all that happens to the same things has: order is promised for those. */
    static const char *const types[] = {"t.a.v", "t.b.v1", NULL};
    static const struct {
        const char *type;
        bool is_wanted;
    } published[] = {{"t.a.v1", true}, {"t.a.v2", true}, {"t.b.v1", true}, {"t.b.v2", false}, {"t.a.v17", true},
                     {"t.a.vx", false}, {"t.aa.v1", false}, {"t.a.b.v1", false}, {"other", false}, {"t.a.v3", true}};
    enum { COUNT = sizeof published / sizeof published[0] };
    struct bus_subscription *subscription = NULL, *own = NULL;
    world_begin(&world);
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(world.bus, "group", types, &subscription), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(world.bus, NULL, types, &own), ERR_NONE);
    CU_ASSERT_EQUAL(world_fetch_within(&world, own, 1, 0), 0);
    for (int i = 0; i < COUNT; i++)
        publish(published[i].type, i);
    struct bus_subscription *const both[] = {subscription, own};
    for (int i = 0; i < 2; i++) {
        for (int next = 0; next < COUNT; next++) {
            if (!published[next].is_wanted)
                continue;
            CU_ASSERT_EQUAL_FATAL(world_fetch(&world, both[i], 1), 1);
            CU_ASSERT_EQUAL(world_number(&world.deliveries[0].event), next);
            CU_ASSERT(text_equal_string(world.deliveries[0].event.type, published[next].type));
        }
        CU_ASSERT_EQUAL(world_fetch_within(&world, both[i], 1, QUIET_MS), 0);
    }
    bus_unsubscribe(subscription);
    bus_unsubscribe(own);
    world_end(&world);
}

void bus_case_whole(void)
{
    const struct event event = {
        .id = TEXT("0190b5a0-0000-7000-8000-000000000001"),
        .type = text_of(world_type),
        .source = TEXT("/tandem/\"quoted\""),
        .subject = TEXT("an order's \xc3\xa9 key | with . # and *"),
        .time_us = INT64_C(1764175509123456),
        .traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        .tracestate = TEXT("congo=t61rcWkgMzE,rojo@vendor=\"00f067aa\""),
        .request_id = TEXT("request 1"),
        .data = TEXT("{\"a\": [1, 2.50, \"\\u00e9\"], \"b\":  null}"),
    };
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL(bus_publish(world.bus, &event, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, WORLD_BATCH), 1);
    const struct event *got = &world.deliveries[0].event;
    CU_ASSERT(text_equal(got->id, event.id));
    CU_ASSERT(text_equal(got->type, event.type));
    CU_ASSERT(text_equal(got->source, event.source));
    CU_ASSERT(text_equal(got->subject, event.subject));
    CU_ASSERT_EQUAL(got->time_us, event.time_us);
    CU_ASSERT(text_equal(got->traceparent, event.traceparent));
    CU_ASSERT(text_equal(got->tracestate, event.tracestate));
    CU_ASSERT(text_equal(got->request_id, event.request_id));
    CU_ASSERT(text_equal(got->data, event.data));
    CU_ASSERT_PTR_NULL(world.deliveries[0].dead.at);
    bus_unsubscribe(subscription);
    world_end(&world);
}

void bus_case_sizes(void)
{
    enum { LARGEST = EVENT_MAX_BYTES - EVENT_ENVELOPE_BYTES, COUNT = 6 };
    char *data = malloc(LARGEST);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 'x', LARGEST);
    data[0] = data[LARGEST - 1] = '"';
    const struct text payloads[COUNT] = {TEXT_NONE, {data, LARGEST}, TEXT("\"\""), TEXT_NONE, {data, LARGEST},
                                         TEXT("{}")};
    struct world_event made[COUNT];
    struct event events[COUNT];
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    for (int i = 0; i < COUNT; i++) {
        world_event(&made[i], &world, 1, i);
        events[i] = made[i].event;
        events[i].data = payloads[i];
    }
    CU_ASSERT_EQUAL(bus_publish(world.bus, events, COUNT), ERR_NONE);
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
        CU_ASSERT(text_equal(world.deliveries[0].event.id, events[i].id));
        CU_ASSERT(text_equal(world.deliveries[0].event.data, payloads[i]));
    }
    bus_unsubscribe(subscription);
    world_end(&world);
    free(data);
}

void bus_case_refused(void)
{
    struct world_event made[3];
    struct event events[3];
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    for (int i = 0; i < 3; i++) {
        world_event(&made[i], &world, 1, i);
        events[i] = made[i].event;
    }
    events[2].data = TEXT("{");
    CU_ASSERT_EQUAL(bus_publish(world.bus, events, 3), ERR_INVALID);
    CU_ASSERT_EQUAL(bus_publish(world.bus, events, 0), ERR_NONE);
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, WORLD_BATCH, QUIET_MS), 0);
    bus_unsubscribe(subscription);
    world_end(&world);
}

void bus_case_nobody_listens(void)
{
    world_begin(&world);
    publish("nobody.cares.v1", 0);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    publish("nobody.cares.v1", 1);
    world_publish(&world, 1, 2, 1);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, WORLD_BATCH), 1);
    CU_ASSERT_EQUAL(world_number(&world.deliveries[0].event), 2);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- waiting ---- */

static void *wake_it(void *context)
{
    bus_wake(context);
    return NULL;
}

static void *publish_one(void *context)
{
    const int *number = context;
    CU_ASSERT_EQUAL(world_publish_batch(&world, world.bus, 1, *number, 1), ERR_NONE);
    return NULL;
}

void bus_case_waiting(void)
{
    enum { LONG_MS = 60000 };
    int number = 0;
    pthread_t thread;
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, 0), 0);   /* it has connected */
    int64_t start_ns = clock_now_ns();
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, 100), 0);
    int64_t took_ns = clock_now_ns() - start_ns;
    CU_ASSERT(took_ns >= 100 * NS_PER_MS && took_ns < LONG_MS / 2 * NS_PER_MS);

    start_ns = clock_now_ns();
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, "waker", wake_it, subscription), ERR_NONE);
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, LONG_MS), 0);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, "publisher", publish_one, &number), ERR_NONE);
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, LONG_MS), 1);
    pthread_join(thread, NULL);
    CU_ASSERT(clock_now_ns() - start_ns < LONG_MS / 2 * NS_PER_MS);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- who begins where ---- */

void bus_case_without_group(void)
{
    world_begin(&world);
    world_publish(&world, 1, 0, 1);
    struct bus_subscription *one = world_subscribe(world.bus, NULL), *two = world_subscribe(world.bus, NULL);
    CU_ASSERT_EQUAL(world_fetch_within(&world, one, WORLD_BATCH, QUIET_MS), 0);   /* what was before is not for it */
    CU_ASSERT_EQUAL(world_fetch_within(&world, two, WORLD_BATCH, QUIET_MS), 0);
    world_publish(&world, 1, 1, 2);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, one, 1), 1);
    CU_ASSERT_EQUAL(world_number(&world.deliveries[0].event), 1);
    CU_ASSERT_EQUAL(bus_acknowledge(one, world.deliveries[0].offset), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, one, 1), 1);
    bus_rewind(one);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, one, 1), 1);
    CU_ASSERT_EQUAL(world_number(&world.deliveries[0].event), 2);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, two, 1), 1);
    CU_ASSERT_EQUAL(world_number(&world.deliveries[0].event), 1);
    bus_unsubscribe(one);
    bus_unsubscribe(two);
    one = world_subscribe(world.bus, NULL);   /* and nothing of it stays */
    CU_ASSERT_EQUAL(world_fetch_within(&world, one, WORLD_BATCH, QUIET_MS), 0);
    bus_unsubscribe(one);
    world_end(&world);
}

void bus_case_new_group(void)
{
    world_begin(&world);
    tally_init(&tally, 3);
    world_publish(&world, 3, 0, 30);
    struct bus_subscription *subscription = world_subscribe(world.bus, "late");
    world_drain(&world, subscription, &tally, 30, false);
    CU_ASSERT(tally_is_whole(&tally, 30));
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- many, and slowly ---- */

void bus_case_backlog(void)
{
    unsigned count = world_setting("BACKLOG", 5000), keys = count < WORLD_KEYS_MAX ? count / 10 + 1 : WORLD_KEYS_MAX;
    world_begin(&world);
    tally_init(&tally, keys);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, 0), 0);
    bus_unsubscribe(subscription);
    int64_t start_ns = clock_now_ns();
    world_publish(&world, keys, 0, count);
    int64_t published_ns = clock_now_ns() - start_ns;
    subscription = world_subscribe(world.bus, "group");
    start_ns = clock_now_ns();
    world_drain(&world, subscription, &tally, count, false);
    int64_t drained_ns = clock_now_ns() - start_ns;
    CU_ASSERT(tally_is_whole(&tally, count));
    CU_ASSERT_EQUAL(tally.repeats, 0);
    printf("# %u events of %u keys: published %.0f a second, drained %.0f a second\n", count, keys,
           count / (published_ns / 1e9), count / (drained_ns / 1e9));
    bus_unsubscribe(subscription);
    world_end(&world);
}

void bus_case_slow(void)
{
    enum { EVENTS = 400, KEYS = 10 };
    static struct tally slow_tally;
    world_begin(&world);
    tally_init(&tally, KEYS);
    tally_init(&slow_tally, KEYS);
    struct bus_subscription *slow = world_subscribe(world.bus, "slow"), *quick = world_subscribe(world.bus, "quick");
    world_publish(&world, KEYS, 0, EVENTS / 2);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, slow, 1), 1);   /* and it is busy with that one for long */
    tally_take(&slow_tally, &world.deliveries[0]);
    int64_t first = world.deliveries[0].offset;
    world_publish(&world, KEYS, EVENTS / 2, EVENTS / 2);
    world_drain(&world, quick, &tally, EVENTS, false);
    CU_ASSERT(tally_is_whole(&tally, EVENTS));
    CU_ASSERT_EQUAL(bus_acknowledge(slow, first), ERR_NONE);
    while (tally_taken(&slow_tally) < EVENTS && world_fetch(&world, slow, 1) == 1) {
        tally_take(&slow_tally, &world.deliveries[0]);
        CU_ASSERT_EQUAL(bus_acknowledge(slow, world.deliveries[0].offset), ERR_NONE);
    }
    CU_ASSERT(tally_is_whole(&slow_tally, EVENTS));
    bus_unsubscribe(slow);
    bus_unsubscribe(quick);
    world_end(&world);
}
