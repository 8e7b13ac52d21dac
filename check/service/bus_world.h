/*
 * What the cases of the conformance suite of events/bus.h share: a world of events on the broker that the suite is run
 * on, events with numbers, and a tally that sees whether those of each key come in order, and all of them.
 *
 * The event with number n is of key n % keys, so that of each key the numbers rise by keys.
 */
#ifndef TANDEM_CHECK_SERVICE_BUS_WORLD_H
#define TANDEM_CHECK_SERVICE_BUS_WORLD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "check/harness/broker.h"
#include "events/bus.h"

enum { WORLD_BATCH = 64, WORLD_KEYS_MAX = 10000, WORLD_PATIENCE_MS = 60000 };

/** The broker that the suite is run on; the program's (test_bus.c). */
extern const struct broker *const world_broker;

struct world {
    char name[24];
    struct bus *bus;
    unsigned delivery_limit;               /* of what is opened from now on; 0: the broker's row says */
    struct arena arena;
    struct bus_delivery deliveries[WORLD_BATCH];
};

/* The types that cases publish, and subscriptions to them. */
extern const char world_type[];                     /* "thing.made.v1" */
extern const char *const world_types[];

void world_begin(struct world *world);
void world_end(struct world *world);

/** Another bus in this world, as another process has it. Any thread. */
struct bus *world_open(const struct world *world);

struct bus_subscription *world_subscribe(struct bus *bus, const char *group);

/* ---- publishing ---- */

/* An event and the room for its texts. */
struct world_event {
    struct event event;
    char id[48], subject[24], data[16];
};

void world_event(struct world_event *ret, const struct world *world, unsigned keys, int number);

/** Publishes events with numbers from first on, a batch of them at most; the bus's error. */
enum err must_check world_publish_batch(const struct world *world, struct bus *bus, unsigned keys, int first,
                                        size_t count);

/** Publishes as many as that, which is not to fail. */
void world_publish(const struct world *world, unsigned keys, int first, size_t count);

/* ---- what came ---- */

/* Any thread. */
struct tally {
    pthread_mutex_t lock;
    unsigned keys;
    int last[WORLD_KEYS_MAX];           /* of each key, the number; -1: none yet */
    unsigned taken, repeats, out_of_order, foreign, dead;
};

void tally_init(struct tally *tally, unsigned keys);

/** Has this event have its effect, unless it had it before. */
void tally_take(struct tally *tally, const struct bus_delivery *delivery);

/** How many have had their effect. */
unsigned tally_taken(struct tally *tally);

/** Holds when all of so many had their effect, once, in order. Prints what did not. */
bool tally_is_whole(struct tally *tally, unsigned count);

/** Fetches, takes and acknowledges until so many have had their effect, or the world's patience is over. Errors of a
 *  broker that is away are waited out when it may be. */
void world_drain(struct world *world, struct bus_subscription *subscription, struct tally *tally, unsigned count,
                 bool may_be_away);

/** Fetches once, with some patience while there is nothing; not to fail. */
size_t world_fetch(struct world *world, struct bus_subscription *subscription, size_t max);

/** The same without patience for what is not there: so long, for what should not come. */
size_t world_fetch_within(struct world *world, struct bus_subscription *subscription, size_t max, unsigned timeout_ms);

/** The number of such an event; -1 for another. */
int world_number(const struct event *event);

/** A whole number of the environment. */
unsigned world_setting(const char *variable, unsigned fallback);

#endif
