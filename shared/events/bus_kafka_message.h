/*
 * An event as a message of Kafka, after the CloudEvents binding for Kafka 1.0.2.
 *
 * What is published is of the binary mode: the attributes are headers, "ce_type" and so on, the value is the event's
 * data, and the key is its subject. Messages of others are also read when they are of the structured mode, the whole
 * envelope being the value, with the content type application/cloudevents+json. Any thread.
 */
#ifndef TANDEM_EVENTS_BUS_KAFKA_MESSAGE_H
#define TANDEM_EVENTS_BUS_KAFKA_MESSAGE_H

#include <librdkafka/rdkafka.h>

#include "base/arena.h"
#include "base/err.h"
#include "events/event.h"

/** The headers of an event, which rd_kafka_producev() takes over; or rd_kafka_headers_destroy(). NULL without
 *  memory. */
rd_kafka_headers_t *kafka_message_headers(const struct event *event);

/** The type that its headers tell, valid as long as the message; absent when there is none, as in the structured
 *  mode. */
struct text kafka_message_type(const rd_kafka_message_t *message);

/** Reads either mode; the texts are copied into arena. ERR_MALFORMED for what is no event, with what is wrong;
 *  ERR_MEMORY when arena is full. */
enum err must_check kafka_message_read(const rd_kafka_message_t *message, struct arena *arena, struct event *ret);

/** The topic of a type's events: PREFIX.order of order.placed.v1. One for all that happens to the same things, since
 *  Kafka keeps the order within a topic only. ERR_INVALID when it would be none. */
enum err must_check kafka_topic(const char *prefix, struct text type, char *out, size_t size);

#endif
