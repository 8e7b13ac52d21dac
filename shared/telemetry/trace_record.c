#include "config.h"

#include <assert.h>
#include <string.h>

#include "telemetry/trace_private.h"
#include "telemetry/trace_record.h"

enum { RECORD_MAGIC = 0x54524332 };   /* "TRC2": another form is another number */

/* Heads are written where they stay, member by member: what is written in pieces and then copied as a whole has to wait
 * for its pieces. */
#define IN_PLACE __attribute__((packed, may_alias))

struct IN_PLACE head {
    uint32_t magic;
    uint16_t state_length;
    uint8_t flags, span_count;
    unsigned char trace_id[TRACE_ID_BYTES];
    int64_t offset_ns;
};

/* Then its name, its message, and its attributes. */
struct IN_PLACE span_head {
    int64_t start_ns, end_ns;
    unsigned char span_id[SPAN_ID_BYTES], parent_id[SPAN_ID_BYTES];
    uint8_t kind, status, parent_is_remote, attribute_count;
    uint16_t name_length, message_length;
};

/* Then the key with its zero, and the text when it is one. */
struct IN_PLACE attribute_head {
    int64_t number;            /* of what is no text; else its length */
    uint8_t type, key_length;
};

/* ---- writing ---- */

struct out {
    char *at, *end;
    bool is_full;
};

/* NULL, and all that follows is left out, when it is not there. */
static void *room_for(struct out *out, size_t length)
{
    if (out->is_full || (size_t)(out->end - out->at) < length) {
        out->is_full = true;
        return NULL;
    }
    char *room = out->at;
    out->at += length;
    return room;
}

static void put(struct out *out, const char *bytes, size_t length)
{
    char *room = length > 0 ? room_for(out, length) : NULL;
    if (room)
        memcpy(room, bytes, length);
}

static struct text cut(struct text text)
{
    return text_begin(text, TRACE_TEXT_MAX_BYTES);
}

static void put_attribute(struct out *out, const struct span_attribute *attribute)
{
    struct attribute_head *head = room_for(out, sizeof *head);
    size_t key_length = strlen(attribute->key) + 1;
    struct text text = TEXT_NONE;
    if (!head)
        return;
    assert(key_length <= UINT8_MAX);
    head->type = (uint8_t)attribute->type;
    head->key_length = (uint8_t)key_length;
    switch (attribute->type) {
    case SPAN_ATTRIBUTE_TEXT:
        text = cut(attribute->text);
        head->number = (int64_t)text.length;
        break;
    case SPAN_ATTRIBUTE_INTEGER:
        head->number = attribute->integer;
        break;
    case SPAN_ATTRIBUTE_BOOLEAN:
        head->number = attribute->boolean;
        break;
    }
    put(out, attribute->key, key_length);
    put(out, text.at, text.length);
}

static void put_attributes(struct out *out, const struct trace_span *span)
{
    for (size_t i = 0; i < span->shared_count; i++)
        put_attribute(out, &span->shared[i]);
    for (const struct trace_attribute *node = span->first; node; node = node->next)
        put_attribute(out, &node->is);
    if (span->error_type)
        put_attribute(out, &(struct span_attribute){.key = "error.type", .type = SPAN_ATTRIBUTE_TEXT,
                                                    .text = text_of(span->error_type)});
}

static void put_span(struct out *out, const struct trace_part *part, const struct trace_span *span)
{
    struct text name = cut(span->name), target = cut(span->target), message = cut(text_of(span->message));
    struct span_head *head = room_for(out, sizeof *head);
    if (!head)
        return;
    head->start_ns = span->start_ns;
    head->end_ns = span->end_ns > span->start_ns ? span->end_ns : span->start_ns;
    memcpy(head->span_id, span->id, SPAN_ID_BYTES);
    memcpy(head->parent_id, span->parent ? span->parent->id : part->parent_id, SPAN_ID_BYTES);
    head->kind = span->kind;
    head->status = span->status;
    head->parent_is_remote = span == part->root && part->has_parent;
    head->attribute_count = (uint8_t)(span->shared_count + span->attribute_count + (span->error_type != NULL));
    head->name_length = (uint16_t)(name.length + (target.at ? 1 + target.length : 0));
    head->message_length = (uint16_t)message.length;
    put(out, name.at, name.length);
    if (target.at)
        put(out, " ", 1);
    put(out, target.at, target.length);
    put(out, message.at, message.length);
    put_attributes(out, span);
}

size_t trace_record_write(const struct trace_part *part, char out[static TRACE_RECORD_MAX_BYTES], unsigned *ret_spans)
{
    struct out to = {.at = out, .end = out + TRACE_RECORD_MAX_BYTES};
    struct head *head = room_for(&to, sizeof *head);
    unsigned spans = 0;
    put(&to, part->state.at, part->state.length);
    for (const struct trace_span *span = part->root; span; span = span->next) {
        char *before = to.at;
        put_span(&to, part, span);
        if (to.is_full) {
            to.at = before;
            break;
        }
        spans++;
    }
    head->magic = RECORD_MAGIC;
    head->state_length = (uint16_t)part->state.length;
    head->flags = part->flags;
    head->span_count = (uint8_t)spans;
    memcpy(head->trace_id, part->trace_id, TRACE_ID_BYTES);
    head->offset_ns = 0;
    *ret_spans = spans;
    return (size_t)(to.at - out);
}

void trace_record_shift(char *record, size_t length, int64_t offset_ns)
{
    struct head head;
    if (length < sizeof head)
        return;
    memcpy(&head, record, sizeof head);
    head.offset_ns += offset_ns;
    memcpy(record, &head, sizeof head);
}

/* ---- reading: each step takes what it needs off the front, or says no ---- */

static bool take(struct text *from, void *out, size_t length)
{
    if (from->length < length)
        return false;
    memcpy(out, from->at, length);
    from->at += length;
    from->length -= length;
    return true;
}

static bool take_text(struct text *from, size_t length, struct text *ret)
{
    if (from->length < length)
        return false;
    *ret = (struct text){from->at, length};
    from->at += length;
    from->length -= length;
    return true;
}

static bool take_attribute(struct text *from, struct span_attribute *ret)
{
    struct attribute_head head;
    struct text key, text;
    if (!take(from, &head, sizeof head) || head.key_length == 0 || !take_text(from, head.key_length, &key) ||
        key.at[key.length - 1] != '\0' || head.type > SPAN_ATTRIBUTE_BOOLEAN)
        return false;
    *ret = (struct span_attribute){.key = key.at, .type = head.type};
    switch (ret->type) {
    case SPAN_ATTRIBUTE_TEXT:
        if (head.number < 0 || head.number > TRACE_TEXT_MAX_BYTES || !take_text(from, (size_t)head.number, &text))
            return false;
        ret->text = text;
        break;
    case SPAN_ATTRIBUTE_INTEGER:
        ret->integer = head.number;
        break;
    case SPAN_ATTRIBUTE_BOOLEAN:
        ret->boolean = head.number != 0;
        break;
    }
    return true;
}

static bool take_span(struct text *from, const struct head *part, struct text state, struct span *ret)
{
    struct span_head head;
    if (!take(from, &head, sizeof head) || head.kind < SPAN_INTERNAL || head.kind > SPAN_CONSUMER ||
        head.status > SPAN_ERROR || head.attribute_count > SPAN_ATTRIBUTES_MAX)
        return false;
    ret->kind = head.kind;
    ret->status = head.status;
    ret->flags = part->flags;
    ret->parent_is_remote = head.parent_is_remote != 0;
    ret->start_ns = (int64_t)((uint64_t)head.start_ns + (uint64_t)part->offset_ns);
    ret->end_ns = (int64_t)((uint64_t)head.end_ns + (uint64_t)part->offset_ns);
    ret->trace_state = state.length > 0 ? state : TEXT_NONE;
    ret->status_message = TEXT_NONE;
    memcpy(ret->trace_id, part->trace_id, TRACE_ID_BYTES);
    memcpy(ret->span_id, head.span_id, SPAN_ID_BYTES);
    memcpy(ret->parent_id, head.parent_id, SPAN_ID_BYTES);
    if (!take_text(from, head.name_length, &ret->name) ||
        (head.message_length > 0 && !take_text(from, head.message_length, &ret->status_message)))
        return false;
    for (ret->attribute_count = 0; ret->attribute_count < head.attribute_count; ret->attribute_count++)
        if (!take_attribute(from, &ret->attributes[ret->attribute_count]))
            return false;
    return true;
}

static bool take_head(struct text *from, struct head *ret)
{
    return take(from, ret, sizeof *ret) && ret->magic == RECORD_MAGIC && ret->span_count > 0;
}

unsigned trace_record_span_count(struct text record)
{
    struct head head;
    return take_head(&record, &head) ? head.span_count : 0;
}

const unsigned char *trace_record_id(struct text record)
{
    struct head head;
    struct text rest = record;
    return take_head(&rest, &head) ? (const unsigned char *)record.at + offsetof(struct head, trace_id) : NULL;
}

enum err trace_record_read(struct text record, struct arena *arena, struct span **ret, size_t *ret_count)
{
    struct head head;
    struct text state;
    if (!take_head(&record, &head) || !take_text(&record, head.state_length, &state))
        return err_because(ERR_MALFORMED, "this is no record of a trace");
    struct span *spans = arena_calloc(arena, head.span_count, sizeof *spans);
    if (!spans)
        return err_because(ERR_MEMORY, "no memory for the spans of a trace");
    for (size_t i = 0; i < head.span_count; i++)
        if (!take_span(&record, &head, state, &spans[i]))
            return err_because(ERR_MALFORMED, "a record of a trace is damaged");
    *ret = spans;
    *ret_count = head.span_count;
    return ERR_NONE;
}
