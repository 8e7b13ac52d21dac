#include "config.h"

#include "apps/order/payment_trace.h"
#include "base/clock.h"

static const struct span_attribute transaction[] = {
    {.key = "db.namespace", .type = SPAN_ATTRIBUTE_TEXT, .text = {"order", sizeof "order" - 1}},
    {.key = "db.operation.name", .type = SPAN_ATTRIBUTE_TEXT, .text = {"transaction", sizeof "transaction" - 1}},
};

enum { SHARED = sizeof transaction / sizeof transaction[0] };

void payment_trace_ask(struct payment_trace *trace, struct arena *arena, const struct payment_due *due)
{
    const struct order_origin origin = payment_due_origin(due);
    struct trace_context parent;
    bool has_parent = trace_context_read(origin.traceparent, origin.tracestate, &parent);
    int64_t now_ns = clock_now_ns();
    *trace = (struct payment_trace){.is_open = true};
    trace_part_begin(&trace->part, arena, has_parent ? &parent : NULL, TEXT("payment"), SPAN_CONSUMER, now_ns);
    if (!trace_part_records(&trace->part))
        return;
    trace_text(&trace->part, trace->part.root, "tandem.order.id", text_of(due->order_id));
    trace_text(&trace->part, trace->part.root, "tandem.request.id", origin.request_id);
    trace->question = trace_begin(&trace->part, due->is_refund ? TEXT("refund") : TEXT("charge"), SPAN_CLIENT, now_ns);
    trace_integer(&trace->part, trace->question, "tandem.attempts", due->attempts);
    trace_enter(&trace->part);
}

void payment_trace_answered(struct payment_trace *trace, enum payment_outcome outcome)
{
    static const struct text names[] = {
        [PAYMENT_UNKNOWN] = {"unknown", sizeof "unknown" - 1},
        [PAYMENT_APPROVED] = {"approved", sizeof "approved" - 1},
        [PAYMENT_DECLINED] = {"declined", sizeof "declined" - 1},
    };
    trace_text(&trace->part, trace->question, "tandem.payment.outcome", names[outcome]);
    if (outcome == PAYMENT_UNKNOWN)
        trace_fail(&trace->part, trace->question, "unknown", "the outcome is not known; it will be asked for again");
    trace_end(&trace->part, trace->question, clock_now_ns());
    trace->mark = trace_mark(&trace->part);
    trace_enter(NULL);
}

void payment_trace_record(struct payment_trace *trace, const char *system_name)
{
    trace_rewind(&trace->part, trace->mark);
    trace->transaction = trace_begin(&trace->part, TEXT("transaction"), SPAN_CLIENT, clock_now_ns());
    trace_shared(trace->transaction, transaction, SHARED);
    trace_text(&trace->part, trace->transaction, "db.system.name", text_of(system_name));
    trace_enter(&trace->part);
}

void payment_trace_recorded(struct payment_trace *trace, const struct db_committed *committed, enum err err)
{
    trace_integer(&trace->part, trace->transaction, "tandem.db.batch_size", committed->batch_size);
    if (err)
        trace_fail(&trace->part, trace->transaction, err_name(err), err_text(err));
    trace_end(&trace->part, trace->transaction, committed->at_ns);
}

void payment_trace_end(struct payment_trace *trace)
{
    if (trace->is_open && trace_part_end(&trace->part, clock_now_ns()))
        trace_part_keep(&trace->part);
    trace->is_open = false;
}
