/*
 * The tally: how many orders came to each state and what was paid, kept in the transactions that make it so, and told
 * as metrics. It is right whatever process did it and however that ended.
 */
#ifndef TANDEM_ORDER_TALLY_H
#define TANDEM_ORDER_TALLY_H

#include "apps/order/order.h"
#include "base/err.h"
#include "state/db.h"

/** Counts a transition, in its transaction; nothing when it stays in its state. The order is as it is after it. */
enum err must_check tally_add(struct db_connection *db, enum order_state from, const struct order *order);

/** Sets the metrics of orders. Open ones that were placed before stuck_before_us count as stuck. Any connection. */
enum err must_check tally_measure(struct db_connection *db, int64_t stuck_before_us);

#endif
