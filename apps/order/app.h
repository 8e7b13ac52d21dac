/*
 * What the order service holds beside what every service has: service->app.
 */
#ifndef TANDEM_ORDER_APP_H
#define TANDEM_ORDER_APP_H

#include "apps/order/payment.h"
#include "apps/order/payment_worker.h"

struct order_app {
    struct payment *payment;
    struct payment_worker *worker;
};

#endif
