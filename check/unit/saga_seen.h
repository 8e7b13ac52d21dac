/*
 * The states that were seen by the walk over all ways of orders (saga.h), and how many ways lead on from each.
 */
#ifndef TANDEM_CHECK_UNIT_SAGA_SEEN_H
#define TANDEM_CHECK_UNIT_SAGA_SEEN_H

#include "check/unit/saga.h"

enum saga_gateway { SAGA_UNASKED, SAGA_CHARGED, SAGA_REFUSED };

struct saga_flow {
    struct saga_order_view order;
    uint8_t stock;
    uint8_t in_flight[SAGA_MESSAGES];
    uint8_t sent;                       /* a bit for each message that was ever sent */
    uint8_t pending[2];                 /* what is being asked for: charges, refunds */
    uint8_t gateway, refunds;
};

/* Bytes alone, so that two that are the same compare so. */
struct saga_world {
    struct saga_flow flows[SAGA_ORDERS_MAX];
    uint8_t on_hand, reserved, left[SAGA_BUDGETS];
};

struct saga_seen;

struct saga_seen *saga_seen_new(void);
void saga_seen_free(struct saga_seen *seen);

bool saga_seen_find(const struct saga_seen *seen, const struct saga_world *world, uint64_t *ret_ways);

/** False without memory. */
bool saga_seen_add(struct saga_seen *seen, const struct saga_world *world, uint64_t ways);

#endif
