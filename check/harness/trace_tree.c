#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "check/harness/trace_tree.h"
#include "telemetry/span.h"

enum { CLOCK_SLACK_NS = 1000, FLAGS_KNOWN = 0x3ff, FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 };

struct tree {
    const struct received *received;
    const char *trace_id;
    const struct trace_tree_rules *rules;
};

static bool is_of(const struct tree *tree, const struct received_span *span)
{
    return strcasecmp(span->trace_id, tree->trace_id) == 0;
}

const struct received_span *receiver_tree_find(const struct received *received, const char *trace_id,
                                               const char *span_id)
{
    for (size_t i = 0; i < received->count; i++) {
        const struct received_span *span = &received->spans[i];
        if (strcasecmp(span->trace_id, trace_id) == 0 && strcasecmp(span->span_id, span_id) == 0)
            return span;
    }
    return NULL;
}

static const struct received_span *parent_of(const struct tree *tree, const struct received_span *span)
{
    return *span->parent_id ? receiver_tree_find(tree->received, tree->trace_id, span->parent_id) : NULL;
}

static bool wrong(const struct received_span *span, const char *what)
{
    err_because(ERR_INVALID, "span %s \"%s\" of %s %s", span->span_id, span->name, span->service, what);
    return false;
}

/* ---- each by itself ---- */

static bool is_zero(const char *id)
{
    return strspn(id, "0") == strlen(id);
}

static bool check_span(const struct tree *tree, const struct received_span *span)
{
    if (is_zero(span->trace_id) || is_zero(span->span_id))
        return wrong(span, "has an id that is all zero");
    if (!*span->name || !*span->service)
        return wrong(span, "has no name, or is of no service");
    if (span->kind < SPAN_INTERNAL || span->kind > SPAN_CONSUMER)
        return wrong(span, "has a kind that there is not");
    if (span->status < SPAN_UNSET || span->status > SPAN_ERROR)
        return wrong(span, "has a status that there is not");
    if (*span->status_message && span->status != SPAN_ERROR)
        return wrong(span, "has a message and is no error");
    if (span->status == SPAN_ERROR && !tree->rules->errors_allowed)
        return wrong(span, "is an error");
    if (span->flags & ~FLAGS_KNOWN || !(span->flags & FLAG_HAS_IS_REMOTE))
        return wrong(span, "has flags that there are not, or does not say whether its parent is remote");
    if (span->start_ns <= 0 || span->end_ns < span->start_ns)
        return wrong(span, "ends before it begins");
    if (receiver_tree_find(tree->received, tree->trace_id, span->span_id) != span)
        return wrong(span, "has the id of another span");
    return true;
}

/* ---- with its parent ---- */

static bool is_within(const struct received_span *span, const struct received_span *parent, int64_t slack_ns)
{
    return span->start_ns >= parent->start_ns - slack_ns && span->end_ns <= parent->end_ns + slack_ns;
}

static bool check_times(const struct received_span *span, const struct received_span *parent)
{
    bool same = strcmp(span->service, parent->service) == 0;
    bool within = same ? span->kind == SPAN_INTERNAL || span->kind == SPAN_SERVER
                       : span->kind == SPAN_SERVER && parent->kind == SPAN_CLIENT;
    if (within && !is_within(span, parent, same ? 0 : CLOCK_SLACK_NS))
        return wrong(span, "is not within the time of its parent");
    if (span->start_ns < parent->start_ns - (same ? 0 : CLOCK_SLACK_NS))
        return wrong(span, "begins before its parent");
    return true;
}

/* Of a root there is no telling: whoever called may send its spans elsewhere. */
static bool check_remote(const struct received_span *span, const struct received_span *parent)
{
    bool remote = span->flags & FLAG_IS_REMOTE;
    if (strcmp(span->service, parent->service) != 0 && !remote)
        return wrong(span, "has a parent of another service that is not marked as remote");
    if (span->kind == SPAN_INTERNAL && remote)
        return wrong(span, "is inside a process, with a parent that is marked as remote");
    return true;
}

/* Up to the root, in no more steps than there are spans. */
static bool check_ancestors(const struct tree *tree, const struct received_span *span)
{
    const struct received_span *above = span;
    for (size_t steps = 0; *above->parent_id; steps++) {
        above = parent_of(tree, above);
        if (!above)
            return wrong(span, "has an ancestor that is not there");
        if (steps > tree->received->count)
            return wrong(span, "is its own ancestor");
    }
    return true;
}

static bool check_parent(const struct tree *tree, const struct received_span *span)
{
    const struct received_span *parent = parent_of(tree, span);
    if (!*span->parent_id)
        return true;
    if (!parent)
        return wrong(span, "has a parent that is not there");
    return check_times(span, parent) && check_remote(span, parent) && check_ancestors(tree, span);
}

/* ---- all ---- */

static bool check_services(const struct tree *tree)
{
    for (const char *const *service = tree->rules->services; service && *service; service++) {
        size_t i = 0;
        while (i < tree->received->count
               && !(is_of(tree, &tree->received->spans[i])
                    && strcmp(tree->received->spans[i].service, *service) == 0))
            i++;
        if (i == tree->received->count) {
            err_because(ERR_NOT_FOUND, "%s has no part in the trace", *service);
            return false;
        }
    }
    return true;
}

bool receiver_tree_check(const struct received *received, const char *trace_id, const struct trace_tree_rules *rules)
{
    struct tree tree = {received, trace_id, rules};
    const struct received_span *root = NULL;
    for (size_t i = 0; i < received->count; i++) {
        const struct received_span *span = &received->spans[i];
        if (!is_of(&tree, span))
            continue;
        if (!check_span(&tree, span) || !check_parent(&tree, span))
            return false;
        if (!*span->parent_id && root)
            return wrong(span, "is a second root");
        root = *span->parent_id ? root : span;
    }
    if (!root) {
        err_because(ERR_NOT_FOUND, "there is no root of trace %s", trace_id);
        return false;
    }
    return check_services(&tree);
}
