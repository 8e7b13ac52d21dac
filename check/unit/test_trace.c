/* Trace context, ids, samplers, and what a part of a trace holds. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "telemetry/trace.h"
#include "telemetry/trace_record.h"
#include "telemetry/trace_sampler.h"

static void test_well_formed(void)
{
    struct text given = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    CU_ASSERT_TRUE(traceparent_is_valid(given));
    CU_ASSERT_TRUE(text_equal_string(traceparent_trace_id(given), "0af7651916cd43dd8448eb211c80319c"));
    CU_ASSERT_TRUE(traceparent_is_valid(TEXT("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")));
}

static void test_malformed(void)
{
    static const struct text given[] = {
        TEXT(""),
        TEXT("00"),
        TEXT("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        TEXT("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        TEXT("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333z-01"),
        TEXT("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"),
        TEXT("00-0af7651916cd43dd8448eb211c8031 c-b7ad6b7169203331-01"),
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        CU_ASSERT_FALSE(traceparent_is_valid(given[i]));
        CU_ASSERT_PTR_NULL(traceparent_trace_id(given[i]).at);
    }
    CU_ASSERT_FALSE(traceparent_is_valid(TEXT_NONE));
}

/* ---- context ---- */

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void test_context(void)
{
    struct trace_context context;
    char written[TRACEPARENT_SIZE];
    CU_ASSERT_TRUE(trace_context_read(TEXT(PARENT), TEXT_NONE, &context));
    CU_ASSERT_EQUAL(context.trace_id[0], 0x0a);
    CU_ASSERT_EQUAL(context.trace_id[15], 0x9c);
    CU_ASSERT_EQUAL(context.span_id[0], 0xb7);
    CU_ASSERT_EQUAL(context.flags, 1);
    CU_ASSERT_PTR_NULL(context.state.at);
    CU_ASSERT_STRING_EQUAL(trace_context_write(&context, written), PARENT);
    CU_ASSERT_TRUE(text_equal_string(traceparent_span_id(TEXT(PARENT)), "b7ad6b7169203331"));
    CU_ASSERT_TRUE(trace_context_read(TEXT("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"), TEXT_NONE,
                                      &context));
    CU_ASSERT_FALSE(trace_context_read(TEXT("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more"), TEXT_NONE,
                                       &context));
    CU_ASSERT_FALSE(trace_context_read(TEXT(PARENT "-more"), TEXT_NONE, &context));
}

static void test_state(void)
{
    static const struct text good[] = {
        TEXT("a=1"), TEXT("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"), TEXT("fw529a3039@dt=FfFf , b=2"),
        TEXT("a=1,,b=2"), TEXT("0a_-*/=x y"),
    };
    static const struct text bad[] = {
        TEXT(""), TEXT(","), TEXT("a"), TEXT("=1"), TEXT("a="), TEXT("A=1"), TEXT("a=b=c"), TEXT("a=1\x01"),
        TEXT("-a=1"),
    };
    struct trace_context context;
    char many[4 * 40];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_TRUE(trace_context_read(TEXT(PARENT), good[i], &context));
        CU_ASSERT_TRUE(text_equal(context.state, good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_TRUE(trace_context_read(TEXT(PARENT), bad[i], &context));
        CU_ASSERT_PTR_NULL(context.state.at);
    }
    for (size_t i = 0; i < 33; i++)
        memcpy(many + 4 * i, "a=1,", 4);
    CU_ASSERT_TRUE(trace_context_read(TEXT(PARENT), (struct text){many, 4 * 32}, &context));
    CU_ASSERT_PTR_NOT_NULL(context.state.at);
    CU_ASSERT_TRUE(trace_context_read(TEXT(PARENT), (struct text){many, 4 * 33}, &context));
    CU_ASSERT_PTR_NULL(context.state.at);
}

/* ---- ids ---- */

enum { IDS = 4096, ID_THREADS = 4 };

static int by_bytes(const void *left, const void *right)
{
    return memcmp(left, right, TRACE_ID_BYTES);
}

static void *draw_ids(void *context)
{
    unsigned char (*ids)[TRACE_ID_BYTES] = context;
    for (size_t i = 0; i < IDS; i++)
        trace_random(ids[i], TRACE_ID_BYTES);
    return NULL;
}

/* Of several threads, and in a child that would go on with its parent's numbers. */
static void test_ids_differ(void)
{
    static unsigned char ids[ID_THREADS + 2][IDS][TRACE_ID_BYTES];
    pthread_t threads[ID_THREADS];
    int pipes[2];
    for (size_t i = 0; i < ID_THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, draw_ids, ids[i]), 0);
    for (size_t i = 0; i < ID_THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
    draw_ids(ids[ID_THREADS]);
    pid_t child = fork();
    if (child == 0) {
        unsigned char id[TRACE_ID_BYTES];
        trace_random(id, sizeof id);
        _exit(write(pipes[1], id, sizeof id) == (ssize_t)sizeof id ? 0 : 1);
    }
    draw_ids(ids[ID_THREADS + 1]);
    CU_ASSERT_EQUAL(read(pipes[0], ids[ID_THREADS][0], TRACE_ID_BYTES), TRACE_ID_BYTES);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    close(pipes[0]);
    close(pipes[1]);
    qsort(ids, sizeof ids / TRACE_ID_BYTES, TRACE_ID_BYTES, by_bytes);
    const unsigned char(*all)[TRACE_ID_BYTES] = ids[0];
    static const unsigned char zero[TRACE_ID_BYTES];
    size_t same = 0;
    for (size_t i = 1; i < sizeof ids / TRACE_ID_BYTES; i++)
        same += memcmp(all[i - 1], all[i], TRACE_ID_BYTES) == 0;
    CU_ASSERT_EQUAL(same, 0);
    CU_ASSERT_NOT_EQUAL(memcmp(all[0], zero, TRACE_ID_BYTES), 0);
}

/* ---- samplers ---- */

static void sample(enum trace_sampler sampler, double ratio)
{
    trace_sampling_set(&(struct trace_sampling){.enabled = true, .sampler = sampler, .ratio = ratio});
}

static void test_sampler_names(void)
{
    enum trace_sampler sampler = TRACE_RATIO;
    CU_ASSERT_EQUAL(trace_sampler_of(TEXT("parentbased_always_off"), &sampler), ERR_NONE);
    CU_ASSERT_EQUAL(sampler, TRACE_PARENT_ALWAYS_OFF);
    CU_ASSERT_EQUAL(trace_sampler_of(TEXT("sometimes"), &sampler), ERR_INVALID);
    CU_ASSERT_EQUAL(sampler, TRACE_PARENT_ALWAYS_OFF);
}

static void test_ratio_text(void)
{
    static const struct {
        const char *text;
        double ratio;
    } good[] = {{"0", 0}, {"1", 1}, {"0.25", 0.25}, {".5", 0.5}, {"1.000", 1}, {"0.000001", 0.000001}};
    static const char *const bad[] = {"", ".", "-1", "2", "1.01", "0,5", "1e-3", "0.5.5", "half", " 1", "0x1"};
    double ratio = -1;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL(trace_ratio_of(text_of(good[i].text), &ratio), ERR_NONE);
        CU_ASSERT_DOUBLE_EQUAL(ratio, good[i].ratio, 1e-12);
    }
    ratio = -1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(trace_ratio_of(text_of(bad[i]), &ratio), ERR_INVALID);
    CU_ASSERT_EQUAL(ratio, -1);
}

static size_t sampled_of(double ratio, size_t count)
{
    size_t sampled = 0;
    sample(TRACE_RATIO, ratio);
    for (size_t i = 0; i < count; i++) {
        unsigned char id[TRACE_ID_BYTES];
        trace_random(id, sizeof id);
        sampled += trace_is_sampled(id, NULL);
    }
    return sampled;
}

static void test_ratio(void)
{
    enum { MANY = 200000 };
    CU_ASSERT_EQUAL(sampled_of(0, MANY), 0);
    CU_ASSERT_EQUAL(sampled_of(1, MANY), MANY);
    /* Six standard deviations. */
    size_t tenth = sampled_of(0.1, MANY), half = sampled_of(0.5, MANY);
    CU_ASSERT(tenth > MANY / 10 - 810 && tenth < MANY / 10 + 810);
    CU_ASSERT(half > MANY / 2 - 1350 && half < MANY / 2 + 1350);
}

/* The rule that other SDKs have: the low eight bytes, halved, below the ratio of 2 to the 63rd. */
static void test_ratio_rule(void)
{
    unsigned char id[TRACE_ID_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff};
    sample(TRACE_RATIO, 0.25);
    CU_ASSERT_TRUE(trace_is_sampled(id, NULL));
    id[8] = 0x40;
    memset(id + 9, 0, 7);
    CU_ASSERT_FALSE(trace_is_sampled(id, NULL));
    sample(TRACE_RATIO, 0.2500001);
    CU_ASSERT_TRUE(trace_is_sampled(id, NULL));
}

static void test_parent_based(void)
{
    static const struct {
        enum trace_sampler sampler;
        bool alone, under_sampled, under_unsampled;
    } rows[] = {
        {TRACE_ALWAYS_ON, true, true, true},         {TRACE_ALWAYS_OFF, false, false, false},
        {TRACE_RATIO, false, false, false},          {TRACE_PARENT_ALWAYS_ON, true, true, false},
        {TRACE_PARENT_ALWAYS_OFF, false, true, false}, {TRACE_PARENT_RATIO, false, true, false},
    };
    struct trace_context sampled, unsampled;
    CU_ASSERT_TRUE_FATAL(trace_context_read(TEXT(PARENT), TEXT_NONE, &sampled));
    unsampled = sampled;
    unsampled.flags = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sample(rows[i].sampler, 0);
        CU_ASSERT_EQUAL(trace_is_sampled(sampled.trace_id, NULL), rows[i].alone);
        CU_ASSERT_EQUAL(trace_is_sampled(sampled.trace_id, &sampled), rows[i].under_sampled);
        CU_ASSERT_EQUAL(trace_is_sampled(sampled.trace_id, &unsampled), rows[i].under_unsampled);
    }
}

/* ---- a part ---- */

struct recorded {
    struct arena arena, reading;
    struct trace_part part;
    char record[TRACE_RECORD_MAX_BYTES];
    struct span *spans;
    size_t count;
};

static void begin(struct recorded *recorded, const char *traceparent)
{
    struct trace_context parent;
    arena_init(&recorded->arena, 1024 * 1024);
    arena_init(&recorded->reading, 1024 * 1024);
    bool has_parent = traceparent && trace_context_read(text_of(traceparent), TEXT("a=1"), &parent);
    trace_part_begin(&recorded->part, &recorded->arena, has_parent ? &parent : NULL, TEXT("root"), SPAN_SERVER, 100);
}

/* As it comes out on the other side. */
static void write_and_read(struct recorded *recorded)
{
    unsigned spans;
    size_t length = trace_record_write(&recorded->part, recorded->record, &spans);
    struct text record = {recorded->record, length};
    CU_ASSERT_EQUAL_FATAL(trace_record_read(record, &recorded->reading, &recorded->spans, &recorded->count), ERR_NONE);
    CU_ASSERT_EQUAL(recorded->count, spans);
}

static void end(struct recorded *recorded)
{
    arena_fini(&recorded->arena);
    arena_fini(&recorded->reading);
}

static void test_off(void)
{
    struct recorded recorded;
    trace_sampling_set(&(struct trace_sampling){.enabled = false, .sampler = TRACE_ALWAYS_ON});
    begin(&recorded, PARENT);
    CU_ASSERT_FALSE(trace_part_records(&recorded.part));
    CU_ASSERT_PTR_NULL(trace_begin(&recorded.part, TEXT("query"), SPAN_CLIENT, 1));
    trace_text(&recorded.part, NULL, "key", TEXT("value"));
    trace_end(&recorded.part, NULL, 2);
    trace_fail(&recorded.part, NULL, "type", NULL);
    trace_rewind(&recorded.part, trace_mark(&recorded.part));
    trace_enter(&recorded.part);
    CU_ASSERT_PTR_NULL(trace_current());
    CU_ASSERT_TRUE(text_equal_string(trace_here(TEXT("as it came")), "as it came"));
    CU_ASSERT_FALSE(trace_part_end(&recorded.part, 3));
    CU_ASSERT_FALSE(trace_part_records(NULL));
    CU_ASSERT_EQUAL(recorded.arena.total_bytes, 0);
    end(&recorded);
}

static void test_nesting(void)
{
    struct recorded recorded;
    static const struct span_attribute shared[] = {{.key = "shared", .type = SPAN_ATTRIBUTE_BOOLEAN, .boolean = true}};
    sample(TRACE_PARENT_ALWAYS_ON, 0);
    begin(&recorded, PARENT);
    struct trace_part *part = &recorded.part;
    struct trace_span *task = trace_begin(part, TEXT("task"), SPAN_INTERNAL, 110);
    struct trace_span *call = trace_begin(part, TEXT("call"), SPAN_CLIENT, 120);
    CU_ASSERT_PTR_EQUAL(part->current, call);
    trace_shared(call, shared, 1);
    trace_text(part, call, "text", TEXT("one"));
    trace_integer(part, call, "number", -7);
    trace_text(part, call, "absent", TEXT_NONE);
    trace_end(part, task, 150);
    CU_ASSERT_PTR_EQUAL(part->current, part->root);
    trace_end(part, call, 500);
    struct trace_span *query = trace_begin(part, TEXT("query"), SPAN_CLIENT, 160);
    trace_fail(part, query, "ERR_BUSY", "too busy");
    CU_ASSERT_TRUE(trace_part_end(part, 200));
    write_and_read(&recorded);
    const struct span *spans = recorded.spans;
    CU_ASSERT_EQUAL_FATAL(recorded.count, 4);
    CU_ASSERT_TRUE(text_equal_string(spans[0].name, "root") && text_equal_string(spans[2].name, "call"));
    CU_ASSERT_TRUE(spans[0].parent_is_remote && !spans[1].parent_is_remote);
    CU_ASSERT_TRUE(text_equal_string(spans[0].trace_state, "a=1"));
    CU_ASSERT_EQUAL(spans[0].parent_id[0], 0xb7);
    CU_ASSERT_EQUAL(memcmp(spans[1].parent_id, spans[0].span_id, SPAN_ID_BYTES), 0);
    CU_ASSERT_EQUAL(memcmp(spans[2].parent_id, spans[1].span_id, SPAN_ID_BYTES), 0);
    CU_ASSERT_EQUAL(memcmp(spans[3].parent_id, spans[0].span_id, SPAN_ID_BYTES), 0);
    CU_ASSERT(spans[2].start_ns == 120 && spans[2].end_ns == 150 && spans[3].end_ns == 200 && spans[0].end_ns == 200);
    CU_ASSERT_EQUAL(spans[2].attribute_count, 3);
    CU_ASSERT_STRING_EQUAL(spans[2].attributes[0].key, "shared");
    CU_ASSERT_TRUE(text_equal_string(spans[2].attributes[1].text, "one"));
    CU_ASSERT_EQUAL(spans[2].attributes[2].integer, -7);
    CU_ASSERT_EQUAL(spans[3].status, SPAN_ERROR);
    CU_ASSERT_TRUE(text_equal_string(spans[3].status_message, "too busy"));
    CU_ASSERT_STRING_EQUAL(spans[3].attributes[0].key, "error.type");
    end(&recorded);
}

/* The text that others are told follows the current span. */
static void test_here(void)
{
    struct recorded recorded;
    struct trace_ids ids;
    struct trace_context context;
    char root[TRACEPARENT_SIZE];
    sample(TRACE_PARENT_ALWAYS_ON, 0);
    begin(&recorded, PARENT);
    snprintf(root, sizeof root, "%.*s", TEXT_ARGS(trace_part_here(&recorded.part)));
    CU_ASSERT_TRUE(traceparent_is_valid(text_of(root)));
    CU_ASSERT_TRUE(text_equal_string(traceparent_trace_id(text_of(root)), "0af7651916cd43dd8448eb211c80319c"));
    CU_ASSERT_FALSE(text_equal_string(traceparent_span_id(text_of(root)), "b7ad6b7169203331"));
    CU_ASSERT_FALSE(trace_here_ids(&ids));
    trace_enter(&recorded.part);
    CU_ASSERT_TRUE(text_equal_string(trace_here(TEXT_NONE), root));
    struct trace_span *span = trace_begin(&recorded.part, TEXT("query"), SPAN_CLIENT, 1);
    CU_ASSERT_FALSE(text_equal_string(trace_here(TEXT_NONE), root));
    CU_ASSERT_TRUE(trace_here_ids(&ids) && trace_context_read(trace_here(TEXT_NONE), TEXT_NONE, &context));
    CU_ASSERT_EQUAL(memcmp(ids.trace_id, context.trace_id, sizeof ids.trace_id), 0);
    CU_ASSERT_EQUAL(memcmp(ids.span_id, context.span_id, sizeof ids.span_id), 0);
    CU_ASSERT_EQUAL(memcmp(ids.span_id, span->id, sizeof ids.span_id), 0);
    trace_end(&recorded.part, span, 2);
    CU_ASSERT_TRUE(text_equal_string(trace_here(TEXT_NONE), root));
    trace_enter(NULL);
    CU_ASSERT_TRUE(text_equal_string(trace_here(TEXT("otherwise")), "otherwise"));
    end(&recorded);
}

static void test_kept(void)
{
    struct recorded recorded;
    trace_sampling_set(&(struct trace_sampling){.enabled = true, .sampler = TRACE_ALWAYS_OFF, .slow_ms = 5});
    begin(&recorded, NULL);
    CU_ASSERT_FALSE(trace_part_end(&recorded.part, 100 + 5 * NS_PER_MS));
    end(&recorded);
    begin(&recorded, NULL);
    CU_ASSERT_TRUE(trace_part_end(&recorded.part, 101 + 5 * NS_PER_MS));
    end(&recorded);
    begin(&recorded, NULL);
    trace_fail(&recorded.part, trace_begin(&recorded.part, TEXT("query"), SPAN_CLIENT, 110), "ERR_IO", NULL);
    CU_ASSERT_TRUE(trace_part_end(&recorded.part, 120));
    end(&recorded);
    sample(TRACE_ALWAYS_ON, 0);
    begin(&recorded, NULL);
    trace_part_mute(&recorded.part);
    CU_ASSERT_TRUE(text_equal_string((struct text){trace_part_here(&recorded.part).at + 53, 2}, "00"));
    CU_ASSERT_FALSE(trace_part_end(&recorded.part, 120));
    end(&recorded);
    begin(&recorded, PARENT);
    trace_part_mute(&recorded.part);
    CU_ASSERT_TRUE(trace_part_end(&recorded.part, 120));
    end(&recorded);
}

/* A change is run again after a conflict: what its first run did is not told of. */
static void test_rewind(void)
{
    struct recorded recorded;
    sample(TRACE_ALWAYS_ON, 0);
    begin(&recorded, NULL);
    struct trace_part *part = &recorded.part;
    trace_end(part, trace_begin(part, TEXT("task"), SPAN_INTERNAL, 110), 120);
    struct trace_span *mark = trace_mark(part);
    for (int i = 0; i < 3; i++) {
        trace_rewind(part, mark);
        CU_ASSERT_PTR_EQUAL(part->current, part->root);
        struct trace_span *change = trace_begin(part, TEXT("transaction"), SPAN_CLIENT, 130);
        trace_fail(part, trace_begin(part, TEXT("produce"), SPAN_PRODUCER, 140), "ERR_BUSY", NULL);
        if (i == 2)
            trace_rewind(part, change);
        CU_ASSERT_EQUAL(part->failed, i < 2);
    }
    CU_ASSERT_TRUE(trace_part_end(part, 150));
    write_and_read(&recorded);
    CU_ASSERT_EQUAL(recorded.count, 3);
    CU_ASSERT_TRUE(text_equal_string(recorded.spans[2].name, "transaction"));
    end(&recorded);
}

static void test_limits(void)
{
    struct recorded recorded;
    char long_name[TRACE_TEXT_MAX_BYTES + 10];
    sample(TRACE_ALWAYS_ON, 0);
    begin(&recorded, NULL);
    struct trace_part *part = &recorded.part;
    for (int i = 0; i < TRACE_SPANS_MAX + 9; i++)
        trace_end(part, trace_begin(part, TEXT("query"), SPAN_CLIENT, 110), 120);
    CU_ASSERT_EQUAL(part->count, TRACE_SPANS_MAX);
    CU_ASSERT_EQUAL(part->overflow, 10);
    for (int i = 0; i < 2 * SPAN_ATTRIBUTES_MAX; i++)
        trace_integer(part, part->root, "number", i);
    trace_fail(part, part->root, "ERR_IO", NULL);
    memset(long_name, 'x', TRACE_TEXT_MAX_BYTES - 1);
    memcpy(long_name + TRACE_TEXT_MAX_BYTES - 1, "\xc3\xa4\xc3\xa4", 5);
    part->root->name = text_of(long_name);
    CU_ASSERT_TRUE(trace_part_end(part, 150));
    write_and_read(&recorded);
    CU_ASSERT_EQUAL(recorded.count, TRACE_SPANS_MAX);
    CU_ASSERT_EQUAL(recorded.spans[0].attribute_count, SPAN_ATTRIBUTES_MAX);
    CU_ASSERT_EQUAL(recorded.spans[0].name.length, TRACE_TEXT_MAX_BYTES - 1);
    end(&recorded);
}

static uint64_t id_of(const struct trace_span *span)
{
    uint64_t id;
    memcpy(&id, span->id, sizeof id);
    return id;
}

/* A forgotten span's is not given again, and the one that is none is passed over. */
static void test_span_ids(void)
{
    struct recorded recorded;
    uint64_t ids[TRACE_SPANS_MAX];
    size_t count = 0, same = 0;
    sample(TRACE_ALWAYS_ON, 0);
    begin(&recorded, NULL);
    struct trace_part *part = &recorded.part;
    ids[count++] = id_of(part->root);
    for (struct trace_span *mark = trace_mark(part); count < 10; trace_rewind(part, mark))
        ids[count++] = id_of(trace_begin(part, TEXT("transaction"), SPAN_CLIENT, 110));
    while (count < TRACE_SPANS_MAX)
        ids[count++] = id_of(trace_begin(part, TEXT("query"), SPAN_CLIENT, 110));
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            same += ids[i] == ids[k] || ids[i] == 0;
    CU_ASSERT_EQUAL(same, 0);
    part->latest_id = ids[0] - ids[1];   /* the next step leads to zero */
    CU_ASSERT_EQUAL(id_of(trace_begin(part, TEXT("query"), SPAN_CLIENT, 110)), ids[1] - ids[0]);
    end(&recorded);
}

/* What does not fit a record is left out, the first spans stay. */
static void test_record_full(void)
{
    struct recorded recorded;
    char big[TRACE_TEXT_MAX_BYTES];
    sample(TRACE_ALWAYS_ON, 0);
    begin(&recorded, NULL);
    struct trace_part *part = &recorded.part;
    memset(big, 'x', sizeof big);
    for (int i = 1; i < TRACE_SPANS_MAX; i++) {
        struct trace_span *span = trace_begin(part, TEXT("query"), SPAN_CLIENT, 110);
        trace_text(part, span, "big", (struct text){big, sizeof big});
        trace_end(part, span, 120);
    }
    CU_ASSERT_TRUE(trace_part_end(part, 150));
    write_and_read(&recorded);
    CU_ASSERT(recorded.count > 10 && recorded.count < TRACE_SPANS_MAX);
    end(&recorded);
}

/* Whatever a damaged file holds is either read or refused. */
static void test_record_damaged(void)
{
    struct recorded recorded;
    unsigned spans, seed = 1, refused = 0;
    sample(TRACE_ALWAYS_ON, 0);
    begin(&recorded, PARENT);
    struct trace_part *part = &recorded.part;
    trace_text(part, trace_begin(part, TEXT("query"), SPAN_CLIENT, 110), "key", TEXT("value"));
    trace_part_end(part, 150);
    size_t length = trace_record_write(part, recorded.record, &spans);
    for (size_t cut = 0; cut < length; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, recorded.record, cut);
        arena_reset(&recorded.reading);
        CU_ASSERT_EQUAL(trace_record_read((struct text){copy, cut}, &recorded.reading, &recorded.spans,
                                          &recorded.count), ERR_MALFORMED);
        free(copy);
    }
    for (int i = 0; i < 20000; i++) {
        char *copy = malloc(length);
        memcpy(copy, recorded.record, length);
        for (int j = 0; j < 3; j++) {
            seed = seed * 1664525u + 1013904223u;
            copy[seed % length] = (char)(seed >> 16);
        }
        arena_reset(&recorded.reading);
        refused += trace_record_read((struct text){copy, length}, &recorded.reading, &recorded.spans,
                                     &recorded.count) != ERR_NONE;
        free(copy);
    }
    CU_ASSERT(refused > 0);
    end(&recorded);
}

static const struct suite_case cases[] = {
    {"a well-formed traceparent gives its trace id", test_well_formed},
    {"what is not well formed gives none", test_malformed},
    {"a context is read and written", test_context},
    {"a tracestate is passed on when it is well formed", test_state},
    {"ids differ between threads and across a fork", test_ids_differ},
    {"the ids of a part's spans differ, and none is zero", test_span_ids},
    {"samplers have OpenTelemetry's names", test_sampler_names},
    {"a ratio is a number from 0 to 1", test_ratio_text},
    {"a ratio is kept over many traces", test_ratio},
    {"a ratio is decided as other SDKs do", test_ratio_rule},
    {"parent-based samplers follow the parent", test_parent_based},
    {"where tracing is off nothing is done", test_off},
    {"spans nest, and end with those above them", test_nesting},
    {"what others are told is the current span", test_here},
    {"what failed or was slow is kept, what is muted is not", test_kept},
    {"a change that is run again is told of once", test_rewind},
    {"spans, attributes and texts have limits", test_limits},
    {"a record that is full leaves out the last spans", test_record_full},
    {"a damaged record does no harm", test_record_damaged},
};

int main(void)
{
    return suite_main("trace", cases, sizeof cases / sizeof cases[0]);
}
