#include "config.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/service/bus_world.h"

enum { ARENA_BYTES = 64 * 1024 * 1024, PAUSE_MS = 20, FETCH_MS = 500 };

const char world_type[] = "thing.made.v1";
const char *const world_types[] = {"thing.made.v", NULL};

/* ---- worlds ---- */

struct bus *world_open(const struct world *world)
{
    struct bus *bus = NULL;
    struct bus_opts opts = world_broker->opts(world->name);
    if (world->delivery_limit)
        opts.delivery_limit = world->delivery_limit;
    enum err err = bus_open(&opts, &bus);
    if (err)
        printf("# %s: %s\n", opts.url, err_cause());
    CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
    return bus;
}

void world_begin(struct world *world)
{
    static unsigned worlds;
    world->delivery_limit = 0;
    snprintf(world->name, sizeof world->name, "world-%d-%u", (int)getpid(), ++worlds);
    arena_init(&world->arena, ARENA_BYTES);
    world->bus = world_open(world);
}

void world_end(struct world *world)
{
    bus_close(world->bus);
    world->bus = NULL;
    arena_fini(&world->arena);
}

struct bus_subscription *world_subscribe(struct bus *bus, const char *group)
{
    struct bus_subscription *subscription = NULL;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, group, world_types, &subscription), ERR_NONE);
    return subscription;
}

unsigned world_setting(const char *variable, unsigned fallback)
{
    int64_t value;
    const char *given = getenv(variable);
    return given && *given && !text_to_int(text_of(given), &value) && value > 0 ? (unsigned)value : fallback;
}

/* ---- publishing ---- */

void world_event(struct world_event *ret, const struct world *world, unsigned keys, int number)
{
    snprintf(ret->id, sizeof ret->id, "%s-%d", world->name, number);
    snprintf(ret->subject, sizeof ret->subject, "key %d", number % (int)keys);
    snprintf(ret->data, sizeof ret->data, "%d", number);
    ret->event = (struct event){.id = text_of(ret->id), .type = text_of(world_type), .source = TEXT("/test"),
                                .subject = text_of(ret->subject), .time_us = clock_wall_us(),
                                .data = text_of(ret->data)};
}

enum err world_publish_batch(const struct world *world, struct bus *bus, unsigned keys, int first, size_t count)
{
    struct world_event made[WORLD_BATCH];
    struct event events[WORLD_BATCH];
    for (size_t i = 0; i < count; i++) {
        world_event(&made[i], world, keys, first + (int)i);
        events[i] = made[i].event;
    }
    return bus_publish(bus, events, count);
}

void world_publish(const struct world *world, unsigned keys, int first, size_t count)
{
    for (size_t done = 0; done < count;) {
        size_t now = count - done < WORLD_BATCH ? count - done : WORLD_BATCH;
        enum err err = world_publish_batch(world, world->bus, keys, first + (int)done, now);
        if (err)
            printf("# publish: %s: %s\n", err_name(err), err_cause());
        CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
        done += now;
    }
}

/* ---- what came ---- */

int world_number(const struct event *event)
{
    int64_t number;
    return event->data.at && !text_to_int(event->data, &number) ? (int)number : -1;
}

void tally_init(struct tally *tally, unsigned keys)
{
    *tally = (struct tally){.keys = keys};
    pthread_mutex_init(&tally->lock, NULL);
    for (unsigned i = 0; i < WORLD_KEYS_MAX; i++)
        tally->last[i] = -1;
}

void tally_take(struct tally *tally, const struct bus_delivery *delivery)
{
    int number = world_number(&delivery->event), keys = (int)tally->keys;
    pthread_mutex_lock(&tally->lock);
    if (delivery->dead.at) {
        tally->dead++;
    } else if (number < 0) {
        tally->foreign++;
    } else {
        int *last = &tally->last[number % keys], expected = *last < 0 ? number % keys : *last + keys;
        if (number == expected) {
            *last = number;
            tally->taken++;
        } else if (number < expected) {
            tally->repeats++;
        } else {
            tally->out_of_order++;
        }
    }
    pthread_mutex_unlock(&tally->lock);
}

unsigned tally_taken(struct tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    unsigned taken = tally->taken;
    pthread_mutex_unlock(&tally->lock);
    return taken;
}

bool tally_is_whole(struct tally *tally, unsigned count)
{
    pthread_mutex_lock(&tally->lock);
    bool is_whole = tally->taken == count && tally->out_of_order == 0 && tally->foreign == 0
                && tally->dead == 0;
    if (!is_whole)
        printf("# of %u: %u came in order, %u before their turn, %u again, %u of somebody else's, %u dead\n", count,
               tally->taken, tally->out_of_order, tally->repeats, tally->foreign, tally->dead);
    pthread_mutex_unlock(&tally->lock);
    return is_whole;
}

void world_drain(struct world *world, struct bus_subscription *subscription, struct tally *tally, unsigned count,
                 bool may_be_away)
{
    int64_t until_ns = clock_now_ns() + WORLD_PATIENCE_MS * NS_PER_MS;
    while (tally_taken(tally) < count && clock_now_ns() < until_ns) {
        size_t fetched = 0;
        arena_reset(&world->arena);
        enum err err = bus_fetch(subscription, FETCH_MS, &world->arena, world->deliveries, WORLD_BATCH, &fetched);
        for (size_t i = 0; !err && i < fetched; i++)
            tally_take(tally, &world->deliveries[i]);
        if (!err && fetched)
            err = bus_acknowledge(subscription, world->deliveries[fetched - 1].offset);
        if (err && !may_be_away) {
            printf("# fetch: %s: %s\n", err_name(err), err_cause());
            CU_FAIL("a fetch or an acknowledgement failed");
            return;
        }
        if (err) {
            bus_rewind(subscription);
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
        }
    }
}

size_t world_fetch_within(struct world *world, struct bus_subscription *subscription, size_t max, unsigned timeout_ms)
{
    size_t fetched = 0;
    arena_reset(&world->arena);
    enum err err = bus_fetch(subscription, timeout_ms, &world->arena, world->deliveries, max, &fetched);
    if (err)
        printf("# fetch: %s: %s\n", err_name(err), err_cause());
    CU_ASSERT_EQUAL(err, ERR_NONE);
    return fetched;
}

size_t world_fetch(struct world *world, struct bus_subscription *subscription, size_t max)
{
    size_t fetched = 0;
    int64_t until_ns = clock_now_ns() + WORLD_PATIENCE_MS * NS_PER_MS;
    while (fetched == 0 && clock_now_ns() < until_ns)
        fetched = world_fetch_within(world, subscription, max, FETCH_MS);
    CU_ASSERT(fetched > 0);
    return fetched;
}
