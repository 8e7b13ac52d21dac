/*
 * Payments in traces: one part for each time that the gateway is asked, which goes on where the order's trace made the
 * payment due.
 *
 * "payment" is all of it, of the kind of what takes up work that waited; in it are "charge" or "refund", the question
 * itself, and the transaction that records the answer. Where tracing is off all of this does nothing.
 *
 * Threads: the worker's, and the writer's while the worker waits for it.
 */
#ifndef TANDEM_ORDER_PAYMENT_TRACE_H
#define TANDEM_ORDER_PAYMENT_TRACE_H

#include "apps/order/payment.h"
#include "apps/order/payment_store.h"
#include "telemetry/trace.h"

struct payment_trace {
    struct trace_part part;
    struct trace_span *question, *transaction, *mark;
    bool is_open;
};

/** Begins it, and the question. What due says outlives the trace. */
void payment_trace_ask(struct payment_trace *trace, struct arena *arena, const struct payment_due *due);

/** What the gateway said. An unknown outcome is an error. */
void payment_trace_answered(struct payment_trace *trace, enum payment_outcome outcome);

/** The answer is being recorded, in the writer's transaction, perhaps not for the first time; system_name is as of
 *  db_system_name() … */
void payment_trace_record(struct payment_trace *trace, const char *system_name);

/** … and was, or was not. */
void payment_trace_recorded(struct payment_trace *trace, const struct db_committed *committed, enum err err);

/** Ends it. */
void payment_trace_end(struct payment_trace *trace);

#endif
