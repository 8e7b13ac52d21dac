/*
 * What a bus makes on RabbitMQ, by name; PREFIX is bus.prefix, N bus.queues.
 *
 *   PREFIX.events        topic exchange, to which all is published with the key TYPE.I: I is the queue, from 0, that
 *                        the subject falls to
 *   PREFIX.GROUP.I       quorum queue of a group, of the subjects that fall to I: bound to its types with .I behind.
 *                        One consumer of it is active at a time, so that the events of a subject come in order
 *   PREFIX.GROUP.dead    quorum queue of what was delivered bus.delivery_limit times without an answer
 *   PREFIX.unrouted.N    fanout exchange for what no queue wants, and
 *   PREFIX.unrouted      its queue, which keeps the latest of that for a week, for whoever misses something
 *   PREFIX.watch.ID      queue of a subscription without a group; gone with it, or ten minutes after its connection
 *
 * So N is a part of the exchange of events, whose alternate is PREFIX.unrouted.N: RabbitMQ refuses another, which is
 * told as what it is. A queue that exists is taken as it is: its limits were set when it was made.
 *
 * A subject falls to FNV-1a (64 bits) of its bytes modulo N.
 *
 * All questions and declarations are made on the channel BUS_AMQP_QUESTIONS.
 */
#ifndef TANDEM_EVENTS_BUS_AMQP_TOPOLOGY_H
#define TANDEM_EVENTS_BUS_AMQP_TOPOLOGY_H

#include "events/bus_amqp_link.h"

enum { BUS_AMQP_NAME_SIZE = 256 };       /* of a queue, an exchange, a key: a short string */

/** The queue that events of this subject fall to, below `queues`. Pure. */
unsigned bus_amqp_queue_of(struct text subject, unsigned queues);

/** PREFIX.GROUP.I; PREFIX.GROUP.dead for I == N. Cut at its size, which bus_amqp_check_group() rules out. */
const char *bus_amqp_queue_name(const struct bus_amqp_settings *settings, const char *group, unsigned index,
                                char out[static BUS_AMQP_NAME_SIZE]);

const char *bus_amqp_exchange_name(const struct bus_amqp_settings *settings, char out[static BUS_AMQP_NAME_SIZE]);

/** ERR_CONFIG for a group whose names do not fit. */
enum err must_check bus_amqp_check_group(const struct bus_amqp_settings *settings, const char *group);

/** Has the exchanges and the queue of the unrouted be there, and the queues of the groups of the settings. One that is
 *  new there is bound to all types until it subscribes. */
enum err must_check bus_amqp_declare_exchanges(struct bus_amqp_link *link);

/** Has a group's queues be there, bound to these types. */
enum err must_check bus_amqp_declare_group(struct bus_amqp_link *link, const char *group, const char *const *types);

/** Has the queue of a subscription without a group be there. */
enum err must_check bus_amqp_declare_watch(struct bus_amqp_link *link, const char *queue, const char *const *types);

/** How many messages a queue has for whoever comes. ERR_NOT_FOUND. */
enum err must_check bus_amqp_count(struct bus_amqp_link *link, const char *queue, uint64_t *ret);

#endif
