#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/hex.h"
#include "telemetry/log_record.h"

enum context_part { REQUEST_ID, TRACE_ID, SPAN_ID, USER_ID, CONTEXT_PARTS };
enum { OWN_IDS = 1 << CONTEXT_PARTS, LEFT_OUT = OWN_IDS << 1 };

#define ABSENT UINT16_MAX

/* What a record begins with; then come the parts of the context, own ids as bytes, and the fields. */
struct record_head {
    const char *message;
    uint8_t module, level, count, flags;   /* a flag for each part of the context that there is, and the two above */
    uint8_t lengths[CONTEXT_PARTS];
};

/* Of a field; then come its number, its text, or where its members are. */
struct field_head {
    const char *key;
    uint16_t length;                       /* of that; ABSENT: there is none */
    uint8_t key_length, type;
};

/* Without what the compiler adds to it. */
enum { FIELD_HEAD_BYTES = offsetof(struct field_head, type) + 1 };

_Static_assert(LOG_RECORD_SMALL_BYTES >= sizeof(struct record_head) + CONTEXT_PARTS * (size_t)LOG_CONTEXT_MAX_BYTES +
               sizeof(struct trace_ids), "the head has room in any case");
_Static_assert(LOG_VALUE_MAX_BYTES < ABSENT, "two bytes tell the length of a text");
_Static_assert(LOG_FIELDS_MAX <= UINT8_MAX && LOG_CONTEXT_MAX_BYTES <= UINT8_MAX, "a byte tells them");

/* ---- packing ---- */

struct packer {
    char *at, *end;
    uint8_t count;
    bool failed;                           /* there is no room for it all */
};

/* The value's length is known to the compiler, but for texts. */
static inline void put(struct packer *packer, struct text key, enum log_field_type type, const void *value,
                       size_t length)
{
    struct field_head head = {key.at, value ? (uint16_t)length : ABSENT, (uint8_t)key.length, (uint8_t)type};

    assert(key.length <= UINT8_MAX);
    if (packer->count == LOG_FIELDS_MAX || (size_t)(packer->end - packer->at) < FIELD_HEAD_BYTES + length) {
        packer->failed = true;
        return;
    }
    packer->at = mempcpy(packer->at, &head, FIELD_HEAD_BYTES);
    if (length > 0)
        packer->at = mempcpy(packer->at, value, length);
    packer->count++;
}

static void put_text(struct packer *packer, struct text key, struct text value)
{
    value = log_value(value);
    put(packer, key, LOG_FIELD_TEXT, value.at, value.length);
}

static void put_field(struct packer *packer, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_NONE:
        break;
    case LOG_FIELD_TEXT:
        put_text(packer, field->key, field->text);
        break;
    case LOG_FIELD_INTEGER:
    case LOG_FIELD_DURATION:
        put(packer, field->key, field->type, &field->integer, sizeof field->integer);
        break;
    case LOG_FIELD_NUMBER:
        put(packer, field->key, field->type, &field->number, sizeof field->number);
        break;
    case LOG_FIELD_BOOLEAN:
        put(packer, field->key, field->type, &field->boolean, sizeof field->boolean);
        break;
    case LOG_FIELD_ERR:
        put_text(packer, field->key, text_of(err_name(field->err)));
        if (err_cause()[0])
            put_text(packer, LOG_KEY("cause"), text_of(err_cause()));
        break;
    case LOG_FIELD_SECRET:
        put(packer, field->key, field->type, NULL, 0);
        break;
    case LOG_FIELD_MEMBERS:
        if (field->members)
            put(packer, TEXT_NONE, field->type, &field->members, sizeof field->members);
        break;
    }
}

static char *put_part(struct record_head *head, enum context_part part, struct text text, char *at)
{
    if (text.length > LOG_CONTEXT_MAX_BYTES)
        text.length = LOG_CONTEXT_MAX_BYTES;
    head->lengths[part] = (uint8_t)text.length;
    if (!text.at)
        return at;
    head->flags |= (uint8_t)(1U << part);
    return mempcpy(at, text.at, text.length);
}

static char *put_context(struct record_head *head, const struct log_context *context, const struct trace_ids *own,
                         char *at)
{
    at = put_part(head, REQUEST_ID, context->request_id, at);
    at = put_part(head, USER_ID, context->user_id, at);
    if (own) {
        head->flags |= OWN_IDS;
        return mempcpy(at, own, sizeof *own);
    }
    at = put_part(head, TRACE_ID, context->trace_id, at);
    return put_part(head, SPAN_ID, context->span_id, at);
}

size_t log_record_write(const struct log_what *what, const struct log_context *context, const struct trace_ids *own,
                        const struct log_field *fields, size_t count, char *out, size_t size)
{
    struct record_head head = {what->message, (uint8_t)what->module, (uint8_t)what->level, 0, 0, {0}};
    char *at = put_context(&head, context, own, out + sizeof head);
    struct packer packer = {at, out + size, 0, false};

    for (size_t i = 0; i < count; i++)
        put_field(&packer, &fields[i]);
    if (packer.failed) {
        if (size < LOG_RECORD_MAX_BYTES)
            return 0;
        packer.at = at;
        packer.count = 0;
        head.flags |= LEFT_OUT;
    }
    head.count = packer.count;
    memcpy(out, &head, sizeof head);
    return (size_t)(packer.at - out);
}

/* ---- reading ---- */

static struct text take_part(const struct record_head *head, enum context_part part, const char **at)
{
    if (!(head->flags & 1U << part))
        return TEXT_NONE;
    struct text text = {*at, head->lengths[part]};
    *at += text.length;
    return text;
}

static const char *take_field(const char *at, struct log_field *ret)
{
    struct field_head head;

    memcpy(&head, at, FIELD_HEAD_BYTES);
    at += FIELD_HEAD_BYTES;
    *ret = (struct log_field){.key = {head.key, head.key_length}, .type = (enum log_field_type)head.type};
    if (head.length == ABSENT)
        return at;
    if (ret->type == LOG_FIELD_TEXT)
        ret->text = (struct text){at, head.length};
    else
        memcpy(&ret->integer, at, head.length);   /* or another member of the union, which begins where it does */
    return at + head.length;
}

static void take_own_ids(struct log_event *event, const char **at)
{
    struct trace_ids own;

    memcpy(&own, *at, sizeof own);
    *at += sizeof own;
    hex_write(own.trace_id, TRACE_ID_BYTES, event->own_trace_id);
    hex_write(own.span_id, SPAN_ID_BYTES, event->own_span_id);
    event->context.trace_id = (struct text){event->own_trace_id, TRACE_ID_LENGTH};
    event->context.span_id = (struct text){event->own_span_id, SPAN_ID_LENGTH};
}

void log_record_read(struct text record, struct log_event *ret)
{
    struct record_head head;
    const char *at = record.at + sizeof head;

    memcpy(&head, record.at, sizeof head);
    ret->what = (struct log_what){(enum log_module)head.module, (enum log_level)head.level, head.message, false};
    ret->own_ids = head.flags & OWN_IDS;
    ret->left_out = head.flags & LEFT_OUT;
    ret->count = head.count;
    ret->context.request_id = take_part(&head, REQUEST_ID, &at);
    ret->context.user_id = take_part(&head, USER_ID, &at);
    if (ret->own_ids) {
        take_own_ids(ret, &at);
    } else {
        ret->context.trace_id = take_part(&head, TRACE_ID, &at);
        ret->context.span_id = take_part(&head, SPAN_ID, &at);
    }
    for (size_t i = 0; i < ret->count; i++)
        at = take_field(at, &ret->fields[i]);
    assert(at == record.at + record.length);
}
