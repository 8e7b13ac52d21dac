#include "config.h"

#include <amqp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_amqp_held.h"
#include "events/bus_amqp_link.h"
#include "events/bus_amqp_message.h"

static struct bus_amqp_message *at(const struct bus_amqp_held *held, size_t i)
{
    return &held->ring[(held->first + i) % held->capacity];
}

enum err bus_amqp_held_init(struct bus_amqp_held *held, size_t capacity)
{
    *held = (struct bus_amqp_held){.capacity = capacity};
    held->ring = calloc(capacity, sizeof *held->ring);
    return held->ring ? ERR_NONE : err_because(ERR_MEMORY, "subscribe: no memory for %zu messages", capacity);
}

void bus_amqp_held_fini(struct bus_amqp_held *held)
{
    if (held->ring)
        bus_amqp_held_clear(held);
    free(held->ring);
}

bool bus_amqp_held_has_room(const struct bus_amqp_held *held)
{
    return held->used < held->capacity && held->bytes < BUS_AMQP_HELD_BYTES;
}

/* The first with a body is the oldest, but for what came again behind newer ones. */
static void note_oldest(struct bus_amqp_held *held)
{
    int64_t oldest_us = 0;
    for (size_t i = 0; i < held->used && !oldest_us; i++)
        oldest_us = at(held, i)->body ? at(held, i)->time_us : 0;
    atomic_store(&held->oldest_us, oldest_us);
}

enum err bus_amqp_held_add(struct bus_amqp_held *held, const amqp_envelope_t *envelope, bool is_wanted, bool is_dead)
{
    const amqp_basic_properties_t *properties = &envelope->message.properties;
    struct bus_amqp_message message = {.tag = envelope->delivery_tag, .length = envelope->message.body.len,
                                       .is_dead = is_dead};
    if (is_wanted) {
        message.body = malloc(message.length + 1);
        if (!message.body)
            return err_because(ERR_MEMORY, "no memory for a message of %zu bytes", message.length);
        if (message.length)
            memcpy(message.body, envelope->message.body.bytes, message.length);
        if (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
            message.time_us = (int64_t)properties->timestamp * US_PER_S;
        snprintf(message.death, sizeof message.death, "%.*s", TEXT_ARGS(bus_amqp_death(properties)));
        held->bytes += message.length;
        held->count++;
    }
    message.offset = ++held->last_offset;
    *at(held, held->used++) = message;
    if (is_wanted && held->count == 1)
        note_oldest(held);
    return ERR_NONE;
}

const struct bus_amqp_message *bus_amqp_held_next(struct bus_amqp_held *held)
{
    while (held->delivered < held->used && !at(held, held->delivered)->body)
        held->delivered++;
    return held->delivered < held->used ? at(held, held->delivered) : NULL;
}

void bus_amqp_held_pass(struct bus_amqp_held *held)
{
    held->delivered++;
}

void bus_amqp_held_rewind(struct bus_amqp_held *held)
{
    held->delivered = 0;
}

static void drop_first(struct bus_amqp_held *held)
{
    struct bus_amqp_message *message = at(held, 0);
    if (message->body) {
        held->bytes -= message->length;
        held->count--;
    }
    free(message->body);
    held->first = (held->first + 1) % held->capacity;
    held->used--;
    held->delivered -= held->delivered > 0;
}

uint64_t bus_amqp_held_drop(struct bus_amqp_held *held, int64_t offset)
{
    uint64_t tag = 0;
    while (held->used > 0 && (at(held, 0)->offset <= offset || !at(held, 0)->body)) {
        tag = at(held, 0)->tag;
        drop_first(held);
    }
    note_oldest(held);
    return tag;
}

void bus_amqp_held_clear(struct bus_amqp_held *held)
{
    while (held->used > 0)
        drop_first(held);
    note_oldest(held);
}
