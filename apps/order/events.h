/*
 * The events of others that the order service follows: inventory's items and what became of reservations.
 *
 * Repeated and late events change nothing; each is counted.
 */
#ifndef TANDEM_ORDER_EVENTS_H
#define TANDEM_ORDER_EVENTS_H

#include <stddef.h>

#include "apps/order/workflow.h"
#include "events/consumer.h"

/* Their context is the struct service. */
extern const struct event_handler order_handlers[];
extern const size_t order_handler_count;

/** An order_emit into the service's outbox; the emitter is the struct service. */
order_emit order_emit_event;

#endif
