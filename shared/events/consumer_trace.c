#include "config.h"

#include "base/clock.h"
#include "events/consumer_private.h"
#include "events/event_trace.h"

static const struct span_attribute transaction[] = {
    {.key = "db.operation.name", .type = SPAN_ATTRIBUTE_TEXT, .text = {"transaction", sizeof "transaction" - 1}},
};

enum { SHARED = sizeof transaction / sizeof transaction[0] };

struct consumer_trace *consumer_trace_begin(struct consumer *consumer, const struct event *event, unsigned attempts)
{
    if (consumer->trace_count == consumer->opts.batch_max)
        return NULL;
    struct consumer_trace *trace = &consumer->traces[consumer->trace_count];
    int64_t now_ns = clock_now_ns();
    const struct consumer_opts *opts = &consumer->opts;
    const struct event_consumption consumption = {bus_system(opts->bus), opts->group, attempts};
    event_trace_consume(&trace->part, &consumer->applied_arena, event, &consumption, now_ns);
    if (!trace_part_records(&trace->part))
        return NULL;
    trace->transaction = trace_begin(&trace->part, TEXT("transaction"), SPAN_CLIENT, now_ns);
    trace_shared(trace->transaction, transaction, SHARED);
    trace_text(&trace->part, trace->transaction, "db.system.name", text_of(db_system_name(consumer->opts.db)));
    trace_text(&trace->part, trace->transaction, "db.namespace", text_of(consumer->opts.group));
    consumer->trace_count++;
    return trace;
}

void consumer_trace_handled(struct consumer_trace *trace, enum err outcome)
{
    if (!trace || !outcome)
        return;
    trace_rewind(&trace->part, trace->transaction);
    trace_fail(&trace->part, trace->part.root, err_name(outcome), err_text(outcome));
}

void consumer_trace_end(struct consumer *consumer, const struct db_committed *committed)
{
    for (size_t i = 0; i < consumer->trace_count; i++) {
        struct consumer_trace *trace = &consumer->traces[i];
        trace_integer(&trace->part, trace->transaction, "tandem.db.batch_size", committed->batch_size);
        trace_end(&trace->part, trace->transaction, committed->at_ns);
        if (trace_part_end(&trace->part, committed->at_ns))
            trace_part_keep(&trace->part);
    }
    consumer->trace_count = 0;
}
