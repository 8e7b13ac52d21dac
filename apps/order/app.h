/*
 * What the order service holds beside what every service has: service->app.
 */
#ifndef TANDEM_ORDER_APP_H
#define TANDEM_ORDER_APP_H

#include "app/background.h"
#include "apps/order/payment.h"
#include "apps/order/payment_worker.h"
#include "apps/order/stuck.h"

struct order_app {
    struct payment *payment;
    struct payment_worker *worker;
    struct stuck stuck;
    struct background *sweeper;      /* of the stuck ones */
};

#endif
