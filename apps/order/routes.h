/*
 * The order service's endpoints: HTTP only, the rules are elsewhere.
 */
#ifndef TANDEM_ORDER_ROUTES_H
#define TANDEM_ORDER_ROUTES_H

#include <stddef.h>

#include "app/call.h"

extern const struct endpoint order_endpoints[];
extern const size_t order_endpoint_count;

/* What the payment gateway tells by itself; routes_payment.c. */
call_work payment_events_check, payment_events_command;

/** Has there be what is counted of them, at nought. */
void payment_events_metrics(void);

#endif
