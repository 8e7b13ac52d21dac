/*
 * An event as a message of AMQP 0-9-1, in the structured mode of the CloudEvents AMQP binding: the body is the envelope
 * (event_write()), its content type application/cloudevents+json. So that nobody has to parse it to choose, message-id,
 * type and timestamp are properties as well. Pure, but for what is in arenas: any thread.
 */
#ifndef TANDEM_EVENTS_BUS_AMQP_MESSAGE_H
#define TANDEM_EVENTS_BUS_AMQP_MESSAGE_H

#include <amqp.h>

#include "events/event.h"

/** The properties of an event; its texts are the event's. */
amqp_basic_properties_t bus_amqp_properties(const struct event *event);

/** What a message says of the type of its event: absent when it has none in its properties. */
struct text bus_amqp_type(const amqp_basic_properties_t *properties);

/** Whether a type is one of these, which end with NULL and may be families (bus_subscribe()). */
bool bus_amqp_is_of(struct text type, const char *const *types);

/** Why the broker has given a message up, of its headers: "delivery_limit"; absent when it does not say. */
struct text bus_amqp_death(const amqp_basic_properties_t *properties);

/** An event in place of a message that cannot be read, with what there is of it, so that it can be set aside. Its id is
 *  made of the body, so that it is known when it comes again. ERR_MEMORY. */
enum err must_check bus_amqp_unreadable(struct text body, struct arena *arena, struct event *ret);

#endif
