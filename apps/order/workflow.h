/*
 * The workflow: which event takes an order from which state to which, and what else is done about it.
 *
 * A table, not ifs. Every transition is one function, order_apply(): the state, a row of history, and what its
 * action adds (events, a payment), all in the transaction under way. An event that has no row for an order's state
 * is a repeat or too late, and changes nothing.
 *
 * WHO DECIDES. An order is paid or cancelled here, in one transaction of one database, and never both: what comes
 * second finds no row. Inventory sells or releases what it holds upon that alone. When it has held it for too long
 * it asks (ORDER_EXPIRE), and whatever the order is by then is the answer, told once more if it was before: one that
 * is not paid is cancelled, one that is stays paid. So no order is paid without stock. A payment that was on its way
 * to the gateway meanwhile is asked for until it is known, and a charge given back.
 *
 * An order that stays in a state for too long is nudged (stuck.h): what should bring it on is done once more. All
 * that follow events take such a repeat as one.
 */
#ifndef TANDEM_ORDER_WORKFLOW_H
#define TANDEM_ORDER_WORKFLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "apps/order/order.h"
#include "base/err.h"
#include "state/db.h"

enum order_event {
    ORDER_PLACE,
    ORDER_STOCK_RESERVED,
    ORDER_STOCK_REJECTED,
    ORDER_CANCEL,
    ORDER_PAYMENT_APPROVED,
    ORDER_PAYMENT_DECLINED,
    ORDER_SHIP,                 /* nothing gives this yet */
    ORDER_EXPIRE,               /* inventory has held its stock for too long */
    ORDER_NUDGE,
    ORDER_EVENTS,
};

/** Adds an event to the transaction under way, of this origin; data is JSON. */
typedef enum err order_emit(void *emitter, struct db_connection *db, const struct order_origin *origin,
                            const char *type, struct text subject, struct text data);

struct order_change {
    struct db_connection *db;     /* the writer's */
    order_emit *emit;
    void *emitter;
    enum order_event event;
    struct text cause;            /* kept in the history; what others are told as the reason */
    int64_t now_us;
    struct order_origin origin;   /* goes with the events and the payment that follow */
};

typedef enum err order_action(const struct order_change *change, const struct order *order);

struct order_transition {
    enum order_state from;
    enum order_event event;
    enum order_state next;
    order_action *action;         /* NULL: none. Sees the order as it is after the transition */
};

extern const struct order_transition order_transitions[];
extern const size_t order_transition_count;

/** Has other rows apply from now on; NULL: order_transitions again. For tests, which plant faults with it; no other
 *  thread may be at work. */
void order_transitions_use(const struct order_transition *rows, size_t count);

/** The row; NULL when there is none. */
const struct order_transition *order_transition_find(enum order_state from, enum order_event event);

/** Makes the transition, if there is one; *ret_applied says so. The order needs its lines for ORDER_PLACE, when
 *  it is not stored yet, and for ORDER_NUDGE. On success it is as it is stored now. */
enum err must_check order_apply(const struct order_change *change, struct order *order, bool *ret_applied);

#endif
