/*
 * What follows from a gateway's answer: the payment's new state, and the order's transition, in one transaction.
 */
#ifndef TANDEM_ORDER_PAYMENT_RECORD_H
#define TANDEM_ORDER_PAYMENT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/order/payment.h"
#include "apps/order/payment_store.h"
#include "apps/order/workflow.h"
#include "base/err.h"
#include "state/db.h"

struct payment_record {
    const struct payment_due *due;
    const struct payment_answer *answer;
    int64_t now_us, retry_us;      /* PAYMENT_UNKNOWN: when to ask again */
    order_emit *emit;
    void *emitter;
};

/** In the writer's transaction. An outcome that was recorded already changes nothing. */
enum err must_check payment_record(struct db_connection *db, const struct payment_record *record);

#endif
