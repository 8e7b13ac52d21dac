#include "config.h"

#include "base/clock.h"
#include "events/consumer_private.h"

static struct span_attribute attribute(const char *key, const char *value)
{
    return (struct span_attribute){.key = key, .type = SPAN_ATTRIBUTE_TEXT, .text = text_of(value)};
}

void consumer_trace_init(struct consumer *consumer)
{
    struct span_attribute *at = consumer->transaction;
    *at++ = attribute("db.operation.name", "transaction");
    *at++ = attribute("db.system.name", db_system_name(consumer->opts.db));
    *at++ = attribute("db.namespace", consumer->opts.group);
}

struct consumer_trace *consumer_trace_begin(struct consumer *consumer, const struct event *event, unsigned attempts)
{
    if (consumer->trace_count == consumer->opts.batch_max)
        return NULL;
    struct consumer_trace *trace = &consumer->traces[consumer->trace_count];
    int64_t now_ns = clock_now_ns();
    trace->consumption = (struct event_consumption){consumer->opts.bus, consumer->opts.group, event, attempts};
    event_trace_consume(&trace->part, &consumer->applied_arena, &trace->consumption, now_ns);
    if (!trace_part_records(&trace->part))
        return NULL;
    trace->transaction = trace_begin(&trace->part, TEXT("transaction"), SPAN_CLIENT, now_ns);
    trace_shared(trace->transaction, consumer->transaction, CONSUMER_TRACE_ATTRIBUTES);
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
        if (!trace_part_end(&trace->part, committed->at_ns))
            continue;
        trace_integer(&trace->part, trace->transaction, "tandem.db.batch_size", committed->batch_size);
        trace_part_keep(&trace->part);
    }
    consumer->trace_count = 0;
}
