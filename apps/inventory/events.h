/*
 * The events of orders that inventory follows, and what it says to them.
 *
 * Repeated and late events change nothing; each is counted.
 */
#ifndef TANDEM_INVENTORY_EVENTS_H
#define TANDEM_INVENTORY_EVENTS_H

#include <stddef.h>

#include "events/consumer.h"

/* Their context is the struct service. */
extern const struct event_handler inventory_handlers[];
extern const size_t inventory_handler_count;

#endif
