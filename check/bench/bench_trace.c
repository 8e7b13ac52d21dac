/* What recording costs a request: figures, never a test. make bench-trace */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_driver.h"
#include "events/event_trace.h"
#include "telemetry/trace.h"
#include "telemetry/trace_recorder.h"
#include "telemetry/trace_sampler.h"

enum { ROUNDS = 5, TIMES = 400000, ARENA_MAX = 1024 * 1024 };

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static const struct span_attribute shared[3] = {
    {.key = "db.system.name", .type = SPAN_ATTRIBUTE_TEXT, .text = {"sqlite", 6}},
    {.key = "db.namespace", .type = SPAN_ATTRIBUTE_TEXT, .text = {"order", 5}},
    {.key = "db.operation.name", .type = SPAN_ATTRIBUTE_TEXT, .text = {"query", 5}},
};

struct load {
    const char *name;
    struct text traceparent;
    bool enabled, sampled, is_change;
};

/* Clocks that a request reads for its own sake are not counted: the times are given. */
static void read_something(struct trace_part *part, int64_t now_ns)
{
    trace_shared(trace_begin(part, TEXT("query"), SPAN_CLIENT, now_ns), shared, 3);
}

static const struct bus_driver driver = {.system = "bench"};
static const struct bus bus = {&driver};

/* A change with its event, which reads the clock twice. */
static void change_something(struct trace_part *part, int64_t now_ns)
{
    struct trace_span *mark = trace_mark(part);
    trace_rewind(part, mark);
    struct trace_span *change = trace_begin(part, TEXT("transaction"), SPAN_CLIENT, now_ns);
    trace_shared(change, shared, 3);
    trace_enter(part);
    trace_text(part, change, "tandem.order.id", TEXT("0190a000-0000-7000-8000-000000000001"));
    const struct event event = {.type = TEXT("order.placed.v1"), .id = TEXT("0190a000-0000-7000-8000-000000000002"),
                                .subject = TEXT("0190a000-0000-7000-8000-000000000001")};
    struct trace_span *produce = event_trace_produce(&event, &bus, clock_now_ns());
    trace_end(part, produce, clock_now_ns());
    trace_enter(NULL);
    trace_integer(part, change, "tandem.db.batch_size", 17);
    trace_end(part, change, now_ns + 1000);
}

/* As the pipeline has it. */
static void request(const struct load *load, struct arena *arena, int64_t now_ns)
{
    struct trace_context parent;
    bool has_parent = load->traceparent.at && trace_context_read(load->traceparent, TEXT_NONE, &parent);
    struct trace_part *part = arena_alloc(arena, sizeof *part);
    trace_part_begin(part, arena, has_parent ? &parent : NULL, TEXT("HTTP"), SPAN_SERVER, now_ns);
    trace_enter(part);
    if (load->is_change)
        change_something(part, now_ns);
    else
        read_something(part, now_ns);
    trace_enter(NULL);
    if (trace_part_end(part, now_ns + 2000)) {
        trace_text(part, part->root, "http.request.method", TEXT("GET"));
        trace_text(part, part->root, "http.route", TEXT("/v1/orders/{id}"));
        trace_text(part, part->root, "url.scheme", TEXT("https"));
        trace_integer(part, part->root, "http.response.status_code", 200);
        trace_text(part, part->root, "tandem.request.id", TEXT("0af7651916cd43dd8448eb211c80319c"));
        trace_part_keep(part);
    }
}

static double measure(const struct load *load)
{
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        trace_sampling_set(&(struct trace_sampling){
            .enabled = load->enabled, .sampler = load->sampled ? TRACE_ALWAYS_ON : TRACE_ALWAYS_OFF, .slow_ms = 1000});
        int64_t cpu_ns = clock_cpu_ns(), now_ns = clock_now_ns();
        for (int i = 0; i < TIMES; i++) {
            arena_reset(&arena);
            request(load, &arena, now_ns);
        }
        double each = (double)(clock_cpu_ns() - cpu_ns) / TIMES;
        best = round == 0 || each < best ? each : best;
        arena_fini(&arena);
    }
    return best;
}

int main(void)
{
    static const struct load loads[] = {
        {"off", TEXT_NONE, false, false, false},
        {"a read, not kept", TEXT_NONE, true, false, false},
        {"a read with a traceparent, not kept", {PARENT, sizeof PARENT - 1}, true, false, false},
        {"a change with an event, not kept", TEXT_NONE, true, false, true},
        {"a read, kept (with the recorder's thread)", TEXT_NONE, true, true, false},
        {"a change with an event, kept (likewise)", TEXT_NONE, true, true, true},
    };
    struct trace_opts opts = {.resource = {.service_name = "bench"}, .queue_max_bytes = 1024 * 1024,
                              .memory_path = "bench.db-trace", .memory_bytes = 512 * 1024};
    if (trace_open(&opts)) {
        fprintf(stderr, "bench_trace: %s\n", err_cause());
        return 1;
    }
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        printf("%-44s %7.0f ns\n", loads[i].name, measure(&loads[i]));
    trace_close(1000);
    remove("bench.db-trace");
    return 0;
}
