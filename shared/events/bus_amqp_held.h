/*
 * The messages that a subscription has from the broker and did not acknowledge, in the order in which they came: the
 * same memory serves to deliver them, and to deliver them again, so that going back costs the broker nothing and counts
 * as no delivery there.
 *
 * Their offsets rise for as long as the subscription lives, whatever connection they came on; of the broker's tags
 * those of the present connection are known. Messages of types that were not asked for have a place in the row and no
 * body, since acknowledging is up to a tag.
 *
 * Bounded in number by what the broker sends ahead, and in bytes: past BUS_AMQP_HELD_BYTES nothing is taken in before
 * something was acknowledged.
 *
 * Under a lock of its user's, but for count and oldest_us.
 */
#ifndef TANDEM_EVENTS_BUS_AMQP_HELD_H
#define TANDEM_EVENTS_BUS_AMQP_HELD_H

#include <amqp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "events/bus.h"

enum { BUS_AMQP_HELD_BYTES = 8 * 1024 * 1024 };

struct bus_amqp_message {
    int64_t offset;
    uint64_t tag;
    int64_t time_us;                     /* of the event, in whole seconds; 0: not told */
    char *body;                          /* NULL: of no type that was asked for */
    size_t length;
    bool is_dead;                        /* from the queue for the dead */
    char death[32];
};

struct bus_amqp_held {
    struct bus_amqp_message *ring;
    size_t capacity, first, used;        /* of the ring */
    size_t delivered;                    /* of those used, from the first on */
    size_t bytes;
    int64_t last_offset;
    atomic_uint_fast64_t count;          /* of those with a body */
    atomic_llong oldest_us;              /* of the first with a body; 0: there is none, or it does not say */
};

enum err must_check bus_amqp_held_init(struct bus_amqp_held *held, size_t capacity);
void bus_amqp_held_fini(struct bus_amqp_held *held);

/** Whether another may be taken in. */
bool bus_amqp_held_has_room(const struct bus_amqp_held *held);

/** Adds a message; without a body when it is not wanted. Takes its place among the offsets. ERR_MEMORY. */
enum err must_check bus_amqp_held_add(struct bus_amqp_held *held, const amqp_envelope_t *envelope, bool is_wanted,
                                      bool is_dead);

/** The next to deliver; NULL when there is none. bus_amqp_held_pass() has it be the one after. */
const struct bus_amqp_message *bus_amqp_held_next(struct bus_amqp_held *held);
void bus_amqp_held_pass(struct bus_amqp_held *held);

/** Goes back to the first. */
void bus_amqp_held_rewind(struct bus_amqp_held *held);

/** Drops all up to this offset, and what is not wanted behind it; the tag up to which the broker is to be told, 0 when
 *  there is nothing to tell. */
uint64_t bus_amqp_held_drop(struct bus_amqp_held *held, int64_t offset);

/** Drops all: their connection is gone, and they come again. */
void bus_amqp_held_clear(struct bus_amqp_held *held);

#endif
