#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events/bus_kafka_places.h"

enum { PLACES_FIRST = 16 };

enum err kafka_places_init(struct kafka_places *places, size_t outstanding_max)
{
    *places = (struct kafka_places){.ring_size = outstanding_max, .first = 1, .next = 1};
    places->ring = calloc(outstanding_max, sizeof *places->ring);
    return places->ring ? ERR_NONE : err_because(ERR_MEMORY, "no memory for what a subscription has delivered");
}

void kafka_places_fini(struct kafka_places *places)
{
    free(places->list);
    free(places->ring);
    *places = (struct kafka_places){.list = NULL};
}

static bool is_at(const struct kafka_place *place, const char *topic, int32_t partition)
{
    return place->partition == partition && strcmp(place->topic, topic) == 0;
}

struct kafka_place *kafka_places_find(struct kafka_places *places, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < places->count; i++)
        if (is_at(&places->list[i], topic, partition))
            return &places->list[i];
    return NULL;
}

enum err kafka_places_add(struct kafka_places *places, const char *topic, int32_t partition, int64_t offset)
{
    kafka_places_remove(places, topic, partition);
    if (places->count >= KAFKA_PLACES_MAX)
        return err_because(ERR_MEMORY, "a subscription with more than %d partitions", KAFKA_PLACES_MAX);
    /* Twice as large at each power of two. */
    if (places->count == 0 || (places->count >= PLACES_FIRST && (places->count & (places->count - 1)) == 0)) {
        size_t room = places->count ? 2 * places->count : PLACES_FIRST;
        struct kafka_place *list = reallocarray(places->list, room, sizeof *list);
        if (!list)
            return err_because(ERR_MEMORY, "no memory for a subscription's partitions");
        places->list = list;
    }
    struct kafka_place *place = &places->list[places->count];
    *place = (struct kafka_place){.partition = partition, .seen = offset, .acknowledged = offset, .committed = offset};
    snprintf(place->topic, sizeof place->topic, "%s", topic);
    places->count++;
    return ERR_NONE;
}

static struct kafka_delivered *delivered(const struct kafka_places *places, int64_t number)
{
    return &places->ring[(size_t)number % places->ring_size];
}

void kafka_places_remove(struct kafka_places *places, const char *topic, int32_t partition)
{
    struct kafka_place *place = kafka_places_find(places, topic, partition);
    if (!place)
        return;
    ptrdiff_t gone = place - places->list, last = (ptrdiff_t)places->count - 1;
    for (int64_t number = places->first; number < places->next; number++) {
        struct kafka_delivered *entry = delivered(places, number);
        if (entry->place == gone)
            entry->place = KAFKA_NOWHERE;
        else if (entry->place == last)
            entry->place = gone;
    }
    *place = places->list[last];
    places->count--;
}

bool kafka_places_full(const struct kafka_places *places)
{
    return (size_t)(places->next - places->first) >= places->ring_size;
}

/* Of a partition that nothing was known of, the first message says where the group stands. */
static void see(struct kafka_place *place, int64_t offset)
{
    if (place->acknowledged == KAFKA_NOWHERE)
        place->acknowledged = place->committed = offset;
    place->seen = offset + 1;
}

void kafka_places_pass(struct kafka_place *place, int64_t offset)
{
    see(place, offset);
    if (place->outstanding == 0)
        place->acknowledged = place->seen;
}

int64_t kafka_places_deliver(struct kafka_places *places, struct kafka_place *place, int64_t offset)
{
    assert(!kafka_places_full(places));
    see(place, offset);
    place->outstanding++;
    *delivered(places, places->next) = (struct kafka_delivered){place - places->list, offset};
    return places->next++;
}

void kafka_places_acknowledge(struct kafka_places *places, int64_t number)
{
    for (; places->first <= number && places->first < places->next; places->first++) {
        const struct kafka_delivered *entry = delivered(places, places->first);
        if (entry->place == KAFKA_NOWHERE)
            continue;
        struct kafka_place *place = &places->list[entry->place];
        place->outstanding--;
        place->acknowledged = place->outstanding ? entry->offset + 1 : place->seen;
    }
}

void kafka_places_rewind(struct kafka_places *places)
{
    places->first = places->next;
    for (size_t i = 0; i < places->count; i++) {
        places->list[i].seen = places->list[i].acknowledged;
        places->list[i].outstanding = 0;
    }
}

int64_t kafka_places_uncommitted(const struct kafka_places *places)
{
    int64_t sum = 0;
    for (size_t i = 0; i < places->count; i++)
        sum += places->list[i].acknowledged - places->list[i].committed;
    return sum;
}

bool kafka_places_unknown(const struct kafka_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->list[i].acknowledged == KAFKA_NOWHERE)
            return true;
    return false;
}
