#include "config.h"

#include "apps/order/payment_record.h"
#include "apps/order/store.h"
#include "base/arena.h"

enum { ORDER_MAX_BYTES = 16 * 1024 };

struct consequence {
    bool is_refund;
    enum payment_outcome outcome;
    const char *from, *to;             /* of the payment */
    enum order_event event;            /* ORDER_EVENTS: none */
    const char *cause;                 /* NULL: by the reason */
};

static const struct consequence consequences[] = {
    {false, PAYMENT_APPROVED, "due", "approved", ORDER_PAYMENT_APPROVED, "payment approved"},
    {false, PAYMENT_DECLINED, "due", "declined", ORDER_PAYMENT_DECLINED, NULL},
    {true, PAYMENT_APPROVED, "refund_due", "refunded", ORDER_EVENTS, NULL},
    {true, PAYMENT_DECLINED, "refund_due", "refund_refused", ORDER_EVENTS, NULL},
};

static const struct consequence *find_consequence(const struct payment_record *record)
{
    for (size_t i = 0; i < sizeof consequences / sizeof consequences[0]; i++) {
        if (consequences[i].is_refund == record->due->is_refund && consequences[i].outcome == record->answer->outcome)
            return &consequences[i];
    }
    return NULL;
}

static enum err apply(struct db_connection *db, const struct payment_record *record,
                      const struct consequence *consequence)
{
    char declined[PAYMENT_CAUSE_SIZE];
    const char *cause = consequence->cause ? consequence->cause
                                           : payment_reason_cause(record->answer->reason, declined);
    struct order_change change = {
        .db = db,
        .emit = record->emit,
        .emitter = record->emitter,
        .event = consequence->event,
        .cause = text_of(cause),
        .now_us = record->now_us,
        .origin = payment_due_origin(record->due),
    };
    struct arena arena;
    struct order order;
    bool applied;
    arena_init(&arena, ORDER_MAX_BYTES);
    enum err err = store_order_head(db, &arena, text_of(record->due->order_id), &order);
    if (!err)
        err = order_apply(&change, &order, &applied);
    arena_fini(&arena);
    return err;
}

enum err payment_record(struct db_connection *db, const struct payment_record *record)
{
    const struct consequence *consequence = find_consequence(record);
    struct text order_id = text_of(record->due->order_id), reference = text_of(record->answer->reference);
    bool settled = false;
    if (!consequence)
        return payment_store_postpone(db, order_id, reference, record->now_us, record->retry_us);
    struct payment_settling settling = {consequence->from, consequence->to, reference, record->now_us};
    enum err err = payment_store_settle(db, order_id, &settling, &settled);
    if (!err && settled && consequence->event != ORDER_EVENTS)
        err = apply(db, record, consequence);
    return err;
}
