/*
 * The events of orders that inventory follows, and what it says to them.
 *
 * Repeated and late events change nothing; each is counted. An order that is placed again is told again how its stock
 * stands, since the order service asks so when it has not heard.
 */
#ifndef TANDEM_INVENTORY_EVENTS_H
#define TANDEM_INVENTORY_EVENTS_H

#include <stddef.h>

#include "app/service.h"
#include "base/err.h"
#include "events/consumer.h"

/* Their context is the struct service. */
extern const struct event_handler inventory_handlers[];
extern const size_t inventory_handler_count;

/** Asks whose order it is, by stock.expiring.v1 in the transaction under way, whether it will be paid. */
enum err must_check stock_say_expiring(struct service *service, struct db_connection *db, struct text order_id);

#endif
