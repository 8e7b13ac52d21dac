/*
 * The payment store: the SQL of what is to be asked of the gateway, and of how that went.
 *
 * A payment is due from when its stock is reserved. Taking it pushes it away by a lease and counts an attempt, in a
 * transaction before the gateway is asked: if the process dies meanwhile, it comes due again, and is asked again with
 * the same key. What the gateway calls the charge, its reference, is kept as soon as it is known. All functions run on
 * the writer's connection and may fail with what db_done() may (state/db.h).
 */
#ifndef TANDEM_ORDER_PAYMENT_STORE_H
#define TANDEM_ORDER_PAYMENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/order/order.h"
#include "apps/order/payment.h"
#include "base/err.h"
#include "base/id.h"
#include "events/event.h"
#include "state/db.h"
#include "telemetry/trace.h"

/* The topic of commits that made a payment due; see db_listen(). */
extern const char payment_due_topic[];

/** Makes the order's payment due now. Whatever follows from it has this origin. */
enum err must_check payment_store_add(struct db_connection *db, struct text order_id,
                                      const struct order_origin *origin, int64_t now_us);

/** Drops it, if the gateway was never asked for it. */
enum err must_check payment_store_void(struct db_connection *db, struct text order_id, int64_t now_us);

/* No pause between two questions, ours or what the gateway asks for, is as long as the second. */
enum { PAYMENT_IDLE_S = 120, PAYMENT_FAR_S = 86401 };

/** Makes an open payment due now that is not there at all, or that nobody has asked for in the last PAYMENT_IDLE_S and
 *  nobody would within PAYMENT_FAR_S. */
enum err must_check payment_store_hasten(struct db_connection *db, struct text order_id, int64_t now_us);

/** Makes giving an approved charge back due now. */
enum err must_check payment_store_refund(struct db_connection *db, struct text order_id, int64_t now_us);

/** Makes all that was taken and not settled due now: after a restart. */
enum err must_check payment_store_resume(struct db_connection *db, int64_t now_us);

/** The gateway has news of this order's payment: what is open is due now, or, while the gateway is being asked about
 *  it, is due again at once should that bring no outcome. reference (may be absent) is kept where none is known.
 *  *ret_open is false when nothing is to be asked. */
enum err must_check payment_store_nudge(struct db_connection *db, struct text order_id, struct text reference,
                                        int64_t now_us, bool *ret_open);

/* Something to ask the gateway. */
struct payment_due {
    char order_id[ID_SIZE];
    char method[PAYMENT_METHOD_MAX + 1];   /* "" for the driver's default */
    struct money amount;
    bool is_refund;
    bool only_find_out;                    /* the order was cancelled since the gateway was asked first */
    int64_t attempts;                      /* with the one it was taken for */
    int64_t asked_us;                      /* when the gateway was asked for it first; 0: not before this attempt */
    char reference[PAYMENT_REFERENCE_MAX + 1];   /* "" when not known */
    char request_id[EVENT_MAX_ATTRIBUTE_BYTES + 1], traceparent[TRACEPARENT_LENGTH + 1],
        tracestate[TRACESTATE_MAX_BYTES + 1];   /* "" for none */
};

/** Its origin, a view of it. */
struct order_origin payment_due_origin(const struct payment_due *due);

/** Takes up to max of what is due, the longest due first, until now_us + lease_us. *ret_next_us is when the next comes
 *  due, INT64_MAX for never. */
enum err must_check payment_store_take(struct db_connection *db, int64_t now_us, int64_t lease_us,
                                       struct payment_due *due, size_t max, size_t *ret_count, int64_t *ret_next_us);

/** Sets when one that is still open comes due again; nothing when it was settled meanwhile. A reference that is not
 *  empty is kept. */
enum err must_check payment_store_postpone(struct db_connection *db, struct text order_id, struct text reference,
                                           int64_t now_us, int64_t due_us);

/* From one state to one with nothing left to ask. */
struct payment_settling {
    const char *from, *to;
    struct text reference;                 /* kept unless it is empty */
    int64_t now_us;
};

/** *ret_settled is false when it is not in the first of the states. */
enum err must_check payment_store_settle(struct db_connection *db, struct text order_id,
                                         const struct payment_settling *settling, bool *ret_settled);

#endif
