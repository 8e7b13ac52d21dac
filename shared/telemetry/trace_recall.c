/* What the memory of recent traces is asked. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "telemetry/trace_memory.h"
#include "telemetry/trace_private.h"
#include "telemetry/trace_record.h"
#include "telemetry/trace_recorder.h"

enum { DECODE_MAX_BYTES = 256 * 1024 };

/* The records, as they were at one moment. */
struct recollection {
    struct buf bytes;
    struct text *records;      /* the oldest first */
    size_t count;
    struct arena arena;        /* of the record that is looked at */
};

static enum err recollect(struct recollection *all)
{
    struct trace_memory *memory = trace_recorder_memory();
    struct text rest, record;
    *all = (struct recollection){.records = NULL};
    arena_init(&all->arena, DECODE_MAX_BYTES);
    buf_init(&all->bytes, memory ? trace_memory_size(memory) : 0);
    if (!memory)
        return ERR_NONE;
    trace_memory_read(memory, &all->bytes);
    if (buf_check(&all->bytes))
        return err_because(ERR_MEMORY, "no memory to look at recent traces");
    for (rest = buf_text(&all->bytes); trace_memory_next(&rest, &record);)
        all->count++;
    all->records = calloc(all->count + 1, sizeof *all->records);
    if (!all->records)
        return err_because(ERR_MEMORY, "no memory to look at recent traces");
    size_t at = 0;
    for (rest = buf_text(&all->bytes); trace_memory_next(&rest, &record);)
        all->records[at++] = record;
    return ERR_NONE;
}

static void forget(struct recollection *all)
{
    free(all->records);
    buf_fini(&all->bytes);
    arena_fini(&all->arena);
}

/* What is damaged is passed over. */
static bool look_at(struct recollection *all, size_t at, struct span **ret, size_t *ret_count)
{
    arena_reset(&all->arena);
    return trace_record_read(all->records[at], &all->arena, ret, ret_count) == ERR_NONE;
}

/* ---- the list ---- */

static bool tells_of(const struct span *spans, size_t count, struct text of)
{
    static const char *const keys[] = {"tandem.order.id", "tandem.request.id"};
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < spans[i].attribute_count; j++) {
            const struct span_attribute *attribute = &spans[i].attributes[j];
            bool is_id = strcmp(attribute->key, keys[0]) == 0 || strcmp(attribute->key, keys[1]) == 0;
            if (is_id && attribute->type == SPAN_ATTRIBUTE_TEXT && text_equal(attribute->text, of))
                return true;
        }
    }
    return false;
}

/* One of the traces that are listed. */
struct listed {
    unsigned char id[TRACE_ID_BYTES];
    struct trace_summary summary;
    int64_t root_start_ns;
};

static struct listed *find_listed(struct listed *list, size_t count, const unsigned char *id)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(list[i].id, id, TRACE_ID_BYTES) == 0)
            return &list[i];
    return NULL;
}

/* The newest traces, or those of them that tell of something. */
static size_t choose(struct recollection *all, struct text of, struct listed *list, size_t max)
{
    size_t count = 0, span_count;
    struct span *spans;
    for (size_t i = all->count; i-- > 0 && count < max;) {
        const unsigned char *id = trace_record_id(all->records[i]);
        if (!id || find_listed(list, count, id))
            continue;
        if (of.at && !(look_at(all, i, &spans, &span_count) && tells_of(spans, span_count, of)))
            continue;
        memcpy(list[count++].id, id, TRACE_ID_BYTES);
    }
    return count;
}

static enum err sum_up(struct listed *listed, const struct span *spans, size_t count, struct arena *arena)
{
    struct trace_summary *summary = &listed->summary;
    if (summary->span_count == 0 || spans[0].start_ns < listed->root_start_ns) {
        listed->root_start_ns = spans[0].start_ns;
        summary->root_name = arena_text(arena, spans[0].name);
        if (!summary->root_name.at)
            return err_because(ERR_MEMORY, "no memory for the names of traces");
    }
    for (size_t i = 0; i < count; i++) {
        bool is_first = summary->span_count == 0;
        summary->start_ns = is_first || spans[i].start_ns < summary->start_ns ? spans[i].start_ns : summary->start_ns;
        summary->end_ns = is_first || spans[i].end_ns > summary->end_ns ? spans[i].end_ns : summary->end_ns;
        summary->is_error = summary->is_error || spans[i].status == SPAN_ERROR;
        summary->span_count++;
    }
    return ERR_NONE;
}

static void write_id(const unsigned char *id, char out[static TRACE_ID_LENGTH + 1])
{
    struct trace_context context = {.flags = 0};
    char traceparent[TRACEPARENT_SIZE];
    memcpy(context.trace_id, id, TRACE_ID_BYTES);
    trace_context_write(&context, traceparent);
    memcpy(out, traceparent + 3, TRACE_ID_LENGTH);
    out[TRACE_ID_LENGTH] = '\0';
}

static enum err fill(struct recollection *all, struct listed *list, size_t count, struct arena *arena)
{
    enum err err = ERR_NONE;
    struct span *spans;
    size_t span_count;
    for (size_t i = 0; !err && i < all->count; i++) {
        const unsigned char *id = trace_record_id(all->records[i]);
        struct listed *listed = id ? find_listed(list, count, id) : NULL;
        if (listed && look_at(all, i, &spans, &span_count))
            err = sum_up(listed, spans, span_count, arena);
    }
    return err;
}

enum err trace_recent(struct text of, size_t max, struct arena *arena, struct trace_summary **ret, size_t *ret_count)
{
    struct recollection all;
    struct listed *list = arena_calloc(arena, max, sizeof *list);
    struct trace_summary *summaries = arena_calloc(arena, max, sizeof *summaries);
    if (!list || !summaries)
        return err_because(ERR_MEMORY, "no memory for a list of traces");
    size_t count = 0, known = 0;
    enum err err = recollect(&all);
    if (!err) {
        count = choose(&all, of, list, max);
        err = fill(&all, list, count, arena);
    }
    forget(&all);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (list[i].summary.span_count == 0)   /* its records were damaged */
            continue;
        write_id(list[i].id, list[i].summary.trace_id);
        summaries[known++] = list[i].summary;
    }
    *ret = summaries;
    *ret_count = known;
    return ERR_NONE;
}

/* ---- one trace ---- */

static bool read_id(struct text text, unsigned char id[static TRACE_ID_BYTES])
{
    if (text.length != TRACE_ID_LENGTH)
        return false;
    for (size_t i = 0; i < TRACE_ID_BYTES; i++) {
        int high = hex_digit(text.at[2 * i]), low = hex_digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        id[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* The spans of all its records, one behind another; their texts are views into the records. */
static enum err gather(struct recollection *all, const unsigned char *id, struct arena *arena, struct span **ret,
                       size_t *ret_count)
{
    struct span *spans = arena_alloc(arena, TRACE_ANSWER_SPANS_MAX * sizeof *spans);
    size_t count = 0, some;
    if (!spans)
        return err_because(ERR_MEMORY, "no memory for the spans of a trace");
    for (size_t i = 0; i < all->count; i++) {
        struct span *found;
        const unsigned char *its = trace_record_id(all->records[i]);
        if (!its || memcmp(its, id, TRACE_ID_BYTES) != 0 || !look_at(all, i, &found, &some))
            continue;
        some = some < TRACE_ANSWER_SPANS_MAX - count ? some : TRACE_ANSWER_SPANS_MAX - count;
        memcpy(spans + count, found, some * sizeof *spans);
        count += some;
    }
    *ret = spans;
    *ret_count = count;
    return count > 0 ? ERR_NONE : err_because(ERR_NOT_FOUND, "no recent trace has this id");
}

enum err trace_recall(struct text trace_id, struct arena *arena, struct buf *out)
{
    unsigned char id[TRACE_ID_BYTES];
    struct recollection all;
    struct span *spans = NULL;
    size_t count = 0;
    if (!read_id(trace_id, id))
        return err_because(ERR_INVALID, "a trace id is %d hexadecimal digits", TRACE_ID_LENGTH);
    enum err err = recollect(&all);
    if (!err)
        err = gather(&all, id, arena, &spans, &count);
    if (!err) {
        /* They are of several processes. */
        struct otlp_resource resource = *trace_recorder_resource();
        resource.service_instance_id = NULL;
        otlp_write_json(&resource, spans, count, out);
    }
    forget(&all);
    return err;
}
