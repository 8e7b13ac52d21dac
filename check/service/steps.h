/*
 * Steps that many service tests take: an item with stock, an order, waiting for what events bring about.
 */
#ifndef TANDEM_CHECK_SERVICE_STEPS_H
#define TANDEM_CHECK_SERVICE_STEPS_H

#include <stdint.h>

#include "check/service/variants.h"

enum { STEP_ID_SIZE = 64 };

/** A number that no call before gave, for names. */
unsigned step_number(void);

/** Makes an item of EUR 12.50 with this many pieces, and waits until orders can be placed for it. Fails the case. */
void step_item(int64_t pieces, char ret_sku[static STEP_ID_SIZE]);

/** Places an order for quantity pieces with a key of its own. method may be NULL. */
struct http_answer *step_order(struct http_client *client, const char *sku, int64_t quantity, const char *method);

/** Waits until the order has this status; fails the case when it has not in time. */
void step_await(struct http_client *client, const char *order_id, const char *status);

/** Waits until the item's stock is this; fails the case when it is not in time. */
void step_await_stock(const char *sku, int64_t on_hand, int64_t reserved);

/** What order's page of metrics says of a series, "tandem_bus_lag{group=\"order\"}"; -1 when it says nothing. */
long long step_metric(const char *series);

#endif
