#include "config.h"

#include <stddef.h>
#include <string.h>

#include "base/hex.h"
#include "telemetry/trace_private.h"
#include "telemetry/trace_recorder.h"
#include "telemetry/trace_sampler.h"

enum { TRACE_AT = 3, SPAN_AT = 36 };

#define ID_STEP UINT64_C(0x9e3779b97f4a7c15)   /* odd, and of the golden ratio: far from each other */

_Static_assert(sizeof(struct trace_part) < offsetof(struct trace_part, here) + TRACEPARENT_SIZE + sizeof(void *),
               "nothing is behind what is not cleared");

static _Thread_local struct trace_part *entered;

/* ---- the current span ---- */

/* When somebody wants to know, which for most spans is nobody: the whole of it once, and then the span's id in it. */
static void write_here(struct trace_part *part)
{
    if (part->written == part->current)
        return;
    if (part->written) {
        hex_write(part->current->id, SPAN_ID_BYTES, part->here + SPAN_AT);
    } else {
        struct trace_context context = {.flags = part->flags};
        memcpy(context.trace_id, part->trace_id, TRACE_ID_BYTES);
        memcpy(context.span_id, part->current->id, SPAN_ID_BYTES);
        trace_context_write(&context, part->here);
    }
    part->written = part->current;
}

bool trace_part_records(const struct trace_part *part)
{
    return part && part->arena;
}

struct text trace_part_here(struct trace_part *part)
{
    if (!trace_part_records(part))
        return TEXT_NONE;
    write_here(part);
    return (struct text){part->here, TRACEPARENT_LENGTH};
}

struct text trace_part_id(struct trace_part *part)
{
    struct text here = trace_part_here(part);
    return here.at ? (struct text){here.at + TRACE_AT, TRACE_ID_LENGTH} : TEXT_NONE;
}

/* ---- spans ---- */

static struct trace_span *add_span(struct trace_part *part, const unsigned char id[static SPAN_ID_BYTES],
                                   struct text name, enum span_kind kind, int64_t now_ns)
{
    struct trace_span *span =
        part->count < TRACE_SPANS_MAX ? arena_alloc(part->arena, sizeof *span) : NULL;
    if (!span) {
        part->overflow++;
        return NULL;
    }
    *span = (struct trace_span){.parent = part->current, .name = name, .start_ns = now_ns, .kind = (uint8_t)kind};
    memcpy(span->id, id, SPAN_ID_BYTES);
    if (part->last)
        part->last->next = span;
    part->last = span;
    part->count++;
    return span;
}

/* The root's is drawn, and the others are steps from there that do not meet again. */
static void next_id(struct trace_part *part, unsigned char ret[static SPAN_ID_BYTES])
{
    part->latest_id += ID_STEP;
    if (part->latest_id == 0)
        part->latest_id += ID_STEP;
    memcpy(ret, &part->latest_id, SPAN_ID_BYTES);
}

struct trace_span *trace_begin(struct trace_part *part, struct text name, enum span_kind kind, int64_t now_ns)
{
    unsigned char id[SPAN_ID_BYTES];
    if (!trace_part_records(part))
        return NULL;
    next_id(part, id);
    struct trace_span *span = add_span(part, id, name, kind, now_ns);
    if (span)
        part->current = span;
    return span;
}

static bool is_under(const struct trace_span *span, const struct trace_span *above)
{
    while (span && span != above)
        span = span->parent;
    return span != NULL;
}

void trace_end(struct trace_part *part, struct trace_span *span, int64_t now_ns)
{
    if (!trace_part_records(part) || !span || span->end_ns)
        return;
    span->end_ns = now_ns;
    if (!is_under(part->current, span))
        return;
    for (struct trace_span *open = part->current; open != span; open = open->parent)
        open->end_ns = open->end_ns ? open->end_ns : now_ns;
    part->current = span->parent ? span->parent : span;
}

void trace_unwind(struct trace_part *part, int64_t now_ns)
{
    if (!trace_part_records(part) || part->current == part->root)
        return;
    for (struct trace_span *open = part->current; open != part->root; open = open->parent)
        open->end_ns = open->end_ns ? open->end_ns : now_ns;
    part->current = part->root;
}

struct trace_span *trace_mark(const struct trace_part *part)
{
    return trace_part_records(part) ? part->last : NULL;
}

void trace_rewind(struct trace_part *part, struct trace_span *mark)
{
    if (!trace_part_records(part) || !mark || !mark->next)
        return;
    for (struct trace_span *gone = mark->next; gone; gone = gone->next) {
        part->count--;
        if (part->current == gone)
            part->current = NULL;
    }
    /* What was current is either still there, or was begun under what is. */
    if (!part->current) {
        struct trace_span *open = mark;
        while (open->end_ns && open->parent)
            open = open->parent;
        part->current = open;
    }
    mark->next = NULL;
    part->last = mark;
    part->failed = false;
    for (const struct trace_span *left = part->root; left; left = left->next)
        part->failed = part->failed || left->status == SPAN_ERROR;
}

/* ---- attributes ---- */

static void add_attribute(struct trace_part *part, struct trace_span *span, struct span_attribute attribute)
{
    if (!trace_part_records(part) || !span || span->attribute_count + span->shared_count >= TRACE_ATTRIBUTES_MAX)
        return;
    struct trace_attribute *node = arena_alloc(part->arena, sizeof *node);
    if (!node)
        return;
    *node = (struct trace_attribute){NULL, attribute};
    *(span->last ? &span->last->next : &span->first) = node;
    span->last = node;
    span->attribute_count++;
}

void trace_text(struct trace_part *part, struct trace_span *span, const char *key, struct text value)
{
    if (value.at)
        add_attribute(part, span, (struct span_attribute){.key = key, .type = SPAN_ATTRIBUTE_TEXT, .text = value});
}

void trace_integer(struct trace_part *part, struct trace_span *span, const char *key, int64_t value)
{
    add_attribute(part, span, (struct span_attribute){.key = key, .type = SPAN_ATTRIBUTE_INTEGER, .integer = value});
}

void trace_boolean(struct trace_part *part, struct trace_span *span, const char *key, bool value)
{
    add_attribute(part, span, (struct span_attribute){.key = key, .type = SPAN_ATTRIBUTE_BOOLEAN, .boolean = value});
}

struct text trace_copy(struct trace_part *part, struct text text)
{
    return trace_part_records(part) && text.at ? arena_text(part->arena, text) : TEXT_NONE;
}

void trace_target(struct trace_span *span, struct text target)
{
    if (span)
        span->target = target;
}

void trace_later(struct trace_span *span, trace_describe *describe, const void *context)
{
    if (!span)
        return;
    span->describe = describe;
    span->context = context;
}

void trace_shared(struct trace_span *span, const struct span_attribute *attributes, size_t count)
{
    if (!span)
        return;
    size_t room = (size_t)TRACE_ATTRIBUTES_MAX - span->attribute_count;
    span->shared = attributes;
    span->shared_count = count < room ? count : room;
}

void trace_fail(struct trace_part *part, struct trace_span *span, const char *type, const char *message)
{
    if (!trace_part_records(part) || !span)
        return;
    span->status = SPAN_ERROR;
    span->error_type = type;
    span->message = message;
    part->failed = true;
}

/* ---- a part ---- */

void trace_part_begin(struct trace_part *part, struct arena *arena, const struct trace_context *parent,
                      struct text name, enum span_kind kind, int64_t now_ns)
{
    struct trace_ids ids;
    part->arena = NULL;
    if (!trace_is_enabled())
        return;
    memset(part, 0, offsetof(struct trace_part, here));
    part->arena = arena;
    part->start_ns = now_ns;
    if (parent) {
        part->has_parent = true;
        memcpy(part->parent_id, parent->span_id, SPAN_ID_BYTES);
        part->state = parent->state;
        memcpy(ids.trace_id, parent->trace_id, TRACE_ID_BYTES);
        trace_random(ids.span_id, SPAN_ID_BYTES);
    } else {
        trace_random(&ids, sizeof ids);
    }
    memcpy(part->trace_id, ids.trace_id, TRACE_ID_BYTES);
    memcpy(&part->latest_id, ids.span_id, SPAN_ID_BYTES);
    part->flags = trace_is_sampled(ids.trace_id, parent) ? TRACE_SAMPLED : 0;
    part->root = part->current = add_span(part, ids.span_id, name, kind, now_ns);
    if (!part->root)
        part->arena = NULL;
}

void trace_part_mute(struct trace_part *part)
{
    if (!trace_part_records(part) || part->has_parent)
        return;
    part->flags = 0;
    part->written = NULL;
}

bool trace_part_end(struct trace_part *part, int64_t now_ns)
{
    if (!trace_part_records(part))
        return false;
    if (!(part->flags & TRACE_SAMPLED) && !part->failed && !trace_is_slow(now_ns - part->start_ns)) {
        part->current = part->root;   /* which is what is still logged of */
        return false;
    }
    trace_unwind(part, now_ns);
    part->root->end_ns = now_ns;
    return true;
}

void trace_part_keep(struct trace_part *part)
{
    if (!trace_part_records(part))
        return;
    for (struct trace_span *span = part->root; span; span = span->next)
        if (span->describe)
            span->describe(part, span, span->context);
    trace_recorder_put(part);
}

/* ---- what the calling thread works on ---- */

void trace_enter(struct trace_part *part)
{
    entered = trace_part_records(part) ? part : NULL;
}

struct trace_part *trace_current(void)
{
    return entered;
}

struct text trace_here(struct text otherwise)
{
    return entered ? trace_part_here(entered) : otherwise;
}

bool trace_here_ids(struct trace_ids *ret)
{
    if (!entered)
        return false;
    memcpy(ret->trace_id, entered->trace_id, TRACE_ID_BYTES);
    memcpy(ret->span_id, entered->current->id, SPAN_ID_BYTES);
    return true;
}

struct text trace_here_state(struct text otherwise)
{
    return entered ? entered->state : otherwise;
}
