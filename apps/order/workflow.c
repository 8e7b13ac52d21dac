#include "config.h"

#include "apps/order/payment_store.h"
#include "apps/order/store.h"
#include "apps/order/tally.h"
#include "apps/order/workflow.h"
#include "base/buf.h"
#include "events/event.h"
#include "telemetry/trace.h"

/* ---- actions ---- */

static enum err emit(const struct order_change *change, const char *type, const struct order *order, struct buf *data)
{
    enum err err = buf_check(data);
    if (!err)
        err = change->emit(change->emitter, change->db, &change->origin, type, order->id, buf_text(data));
    buf_fini(data);
    return err;
}

/* Most events say which order, and some why. */
static enum err announce(const struct order_change *change, const char *type, const struct order *order,
                         struct text reason)
{
    struct buf data;
    struct json_writer writer;
    buf_init(&data, EVENT_MAX_BYTES);
    json_writer_init(&writer, &data);
    json_object_begin(&writer);
    json_member_text(&writer, "order_id", order->id);
    if (reason.at)
        json_member_text(&writer, "reason", reason);
    json_object_end(&writer);
    return emit(change, type, order, &data);
}

static enum err announce_placed(const struct order_change *change, const struct order *order)
{
    struct buf data;
    struct json_writer writer;
    buf_init(&data, EVENT_MAX_BYTES);
    json_writer_init(&writer, &data);
    order_write_placed(&writer, order);
    return emit(change, "order.placed.v1", order, &data);
}

static enum err announce_paid(const struct order_change *change, const struct order *order)
{
    return announce(change, "order.paid.v1", order, TEXT_NONE);
}

static enum err announce_rejected(const struct order_change *change, const struct order *order)
{
    return announce(change, "order.rejected.v1", order, change->cause);
}

static enum err announce_cancelled(const struct order_change *change, const struct order *order)
{
    return announce(change, "order.cancelled.v1", order, change->cause);
}

/* A payment that the gateway was never asked for is dropped. One that it was asked for stays due until its outcome is
 * known; if that is a charge, the last row of the table gives it back. */
static enum err void_payment(const struct order_change *change, const struct order *order)
{
    enum err err = payment_store_void(change->db, order->id, change->now_us);
    return err ? err : announce_cancelled(change, order);
}

static enum err request_payment(const struct order_change *change, const struct order *order)
{
    struct order_origin origin = {change->origin.request_id, trace_here(change->origin.traceparent),
                                  trace_here_state(change->origin.tracestate)};
    return payment_store_add(change->db, order->id, &origin, change->now_us);
}

/* It is due already, unless something went wrong that nobody has thought of. */
static enum err hasten_payment(const struct order_change *change, const struct order *order)
{
    return payment_store_hasten(change->db, order->id, change->now_us);
}

static enum err request_refund(const struct order_change *change, const struct order *order)
{
    return payment_store_refund(change->db, order->id, change->now_us);
}

/* ---- the table ---- */

const struct order_transition order_transitions[] = {
    {ORDER_NEW, ORDER_PLACE, ORDER_PLACED, announce_placed},
    {ORDER_PLACED, ORDER_STOCK_RESERVED, ORDER_RESERVED, request_payment},
    {ORDER_PLACED, ORDER_STOCK_REJECTED, ORDER_REJECTED, announce_rejected},
    {ORDER_PLACED, ORDER_CANCEL, ORDER_CANCELLED, announce_cancelled},
    {ORDER_RESERVED, ORDER_CANCEL, ORDER_CANCELLED, void_payment},
    {ORDER_RESERVED, ORDER_PAYMENT_APPROVED, ORDER_PAID, announce_paid},
    {ORDER_RESERVED, ORDER_PAYMENT_DECLINED, ORDER_CANCELLED, announce_cancelled},
    {ORDER_PAID, ORDER_SHIP, ORDER_SHIPPED, NULL},
    {ORDER_CANCELLED, ORDER_PAYMENT_APPROVED, ORDER_CANCELLED, request_refund},
    {ORDER_PLACED, ORDER_EXPIRE, ORDER_CANCELLED, announce_cancelled},
    {ORDER_RESERVED, ORDER_EXPIRE, ORDER_CANCELLED, void_payment},
    {ORDER_PAID, ORDER_EXPIRE, ORDER_PAID, announce_paid},
    {ORDER_SHIPPED, ORDER_EXPIRE, ORDER_SHIPPED, announce_paid},
    {ORDER_CANCELLED, ORDER_EXPIRE, ORDER_CANCELLED, announce_cancelled},
    {ORDER_PLACED, ORDER_NUDGE, ORDER_PLACED, announce_placed},
    {ORDER_RESERVED, ORDER_NUDGE, ORDER_RESERVED, hasten_payment},
};
const size_t order_transition_count = sizeof order_transitions / sizeof order_transitions[0];

static const struct order_transition *rows = order_transitions;
static size_t row_count = sizeof order_transitions / sizeof order_transitions[0];

void order_transitions_use(const struct order_transition *given, size_t count)
{
    rows = given ? given : order_transitions;
    row_count = given ? count : order_transition_count;
}

const struct order_transition *order_transition_find(enum order_state from, enum order_event event)
{
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].from == from && rows[i].event == event)
            return &rows[i];
    }
    return NULL;
}

enum err order_apply(const struct order_change *change, struct order *order, bool *ret_applied)
{
    const struct order_transition *transition = order_transition_find(order->state, change->event);
    if (!transition) {
        *ret_applied = false;
        return ERR_NONE;
    }
    struct order after = *order;
    struct order_step step = {transition->from, transition->next, change->cause, change->now_us};
    after.state = transition->next;
    after.version++;
    after.updated_us = change->now_us;
    enum err err = transition->from == ORDER_NEW ? store_order_add(change->db, &after)
                                                 : store_order_move(change->db, &after);
    if (!err)
        err = store_step_add(change->db, &after, &step);
    if (!err)
        err = tally_add(change->db, transition->from, &after);
    if (!err && transition->action)
        err = transition->action(change, &after);
    if (err)
        return err;
    *order = after;
    *ret_applied = true;
    return ERR_NONE;
}
