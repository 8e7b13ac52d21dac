#include "config.h"

#include "apps/ctl/trace_tree.h"

static struct traced_span *find(struct traced_span *spans, size_t count, struct text id)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(spans[i].id, id))
            return &spans[i];
    return NULL;
}

static void insert(struct traced_span **list, struct traced_span *span)
{
    while (*list && (*list)->start_ns <= span->start_ns)
        list = &(*list)->next_sibling;
    span->next_sibling = *list;
    *list = span;
}

static bool is_new_service(const struct traced_span *spans, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (text_equal(spans[i].service, spans[at].service))
            return false;
    return true;
}

/* A span that is under itself by some way would be under no root. */
static bool is_above(const struct traced_span *span, const struct traced_span *other)
{
    while (other && other != span)
        other = other->up;
    return other != NULL;
}

void trace_tree_grow(struct traced_span *spans, size_t count, struct trace_tree *ret)
{
    *ret = (struct trace_tree){.start_ns = spans[0].start_ns, .end_ns = spans[0].end_ns};
    for (size_t i = 0; i < count; i++) {
        struct traced_span *span = &spans[i];
        if (find(spans, i, span->id))
            continue;
        struct traced_span *parent = span->parent.length > 0 ? find(spans, count, span->parent) : NULL;
        span->up = parent && !is_above(span, parent) ? parent : NULL;
        insert(span->up ? &span->up->first_child : &ret->roots, span);
        ret->start_ns = span->start_ns < ret->start_ns ? span->start_ns : ret->start_ns;
        ret->end_ns = span->end_ns > ret->end_ns ? span->end_ns : ret->end_ns;
        ret->span_count++;
        ret->error_count += span->is_error;
        ret->service_count += is_new_service(spans, i);
    }
}

int64_t trace_tree_wait_ns(const struct traced_span *span)
{
    if (!span->up || span->up->end_ns > span->start_ns)
        return 0;
    int64_t latest_ns = span->up->end_ns;
    for (const struct traced_span *other = span->up->first_child; other && other != span; other = other->next_sibling)
        if (other->end_ns > latest_ns && other->end_ns <= span->start_ns)
            latest_ns = other->end_ns;
    return span->start_ns - latest_ns;
}
