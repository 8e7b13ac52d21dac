/*
 * Where a subscription stands in each of its partitions, and which of them a delivery's number is about.
 *
 * Kafka counts by partition; events/bus.h counts by one number that rises. So what is delivered gets the next number,
 * and a ring remembers of which partition and offset that was, until it is acknowledged. What a partition's group has
 * acknowledged is then the offset behind its last delivery up to that number; or, with nothing of the partition left
 * in the ring, behind all that was seen of it, events of other types included.
 *
 * Knows nothing of librdkafka. The caller's storage; one thread at a time.
 */
#ifndef TANDEM_EVENTS_BUS_KAFKA_PLACES_H
#define TANDEM_EVENTS_BUS_KAFKA_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { KAFKA_PLACES_MAX = 4096, KAFKA_TOPIC_SIZE = 250, KAFKA_NOWHERE = -1 };

struct kafka_place {
    char topic[KAFKA_TOPIC_SIZE];
    int32_t partition;
    int64_t seen;              /* behind the last that was looked at; KAFKA_NOWHERE before the first */
    int64_t acknowledged;      /* the next that is to be delivered after a rewind; KAFKA_NOWHERE likewise */
    int64_t committed;         /* what the broker was told of that */
    size_t outstanding;        /* deliveries in the ring */
};

struct kafka_places {
    struct kafka_place *list;
    size_t count;
    struct kafka_delivered {
        ptrdiff_t place;       /* KAFKA_NOWHERE: its partition is another's now */
        int64_t offset;
    } *ring;
    size_t ring_size;
    int64_t first, next;       /* numbers: of the oldest in the ring, and of the next delivery */
};

/** With room for so many deliveries that are yet to be acknowledged. */
enum err must_check kafka_places_init(struct kafka_places *places, size_t outstanding_max);
void kafka_places_fini(struct kafka_places *places);

/** A partition that is this subscription's from now on, from that offset (KAFKA_NOWHERE: as the broker says).
 *  ERR_MEMORY, also past KAFKA_PLACES_MAX. */
enum err must_check kafka_places_add(struct kafka_places *places, const char *topic, int32_t partition, int64_t offset);

/** It is not any more: what was delivered of it is forgotten. */
void kafka_places_remove(struct kafka_places *places, const char *topic, int32_t partition);
struct kafka_place *kafka_places_find(struct kafka_places *places, const char *topic, int32_t partition);

bool kafka_places_full(const struct kafka_places *places);

/** Passes over a message. */
void kafka_places_pass(struct kafka_place *place, int64_t offset);

/** Takes a message as delivered, and returns its number. The ring is not full. */
int64_t kafka_places_deliver(struct kafka_places *places, struct kafka_place *place, int64_t offset);

/** All deliveries up to and including this number are dealt with. */
void kafka_places_acknowledge(struct kafka_places *places, int64_t number);

/** Every place goes back to what it has acknowledged. */
void kafka_places_rewind(struct kafka_places *places);

/** Whether nothing has come yet of some place. */
bool kafka_places_unknown(const struct kafka_places *places);

/** How many messages of all places have been acknowledged, or passed over, and the broker was not told. */
int64_t kafka_places_uncommitted(const struct kafka_places *places);

#endif
