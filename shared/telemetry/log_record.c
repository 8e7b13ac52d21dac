#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/hex.h"
#include "telemetry/log_record.h"

enum context_part { REQUEST_ID, TRACE_ID, SPAN_ID, USER_ID, CONTEXT_PARTS };
enum { OWN_IDS = 1 << CONTEXT_PARTS, LEFT_OUT = OWN_IDS << 1 };

#define ABSENT UINT16_MAX

/*
 * A record is its message's address and a word, then the parts of the context, own ids as bytes, and the fields. A
 * field is its key's address and half a word, then its number, its text, or where its members are.
 *
 * A word is put together before it is stored: what is stored in pieces and read again as a whole, to be copied, has to
 * wait until all that was stored before has left the processor, and that goes to a ring which another one has read.
 */
enum {
    RECORD_HEAD_BYTES = sizeof(const char *) + sizeof(uint64_t),
    FIELD_HEAD_BYTES = sizeof(const char *) + sizeof(uint32_t),
};

/* Where in the word they are, a byte each. There is a flag for each part of the context that there is, and the two
 * above. */
enum { MODULE_AT = 0, LEVEL_AT = 8, COUNT_AT = 16, FLAGS_AT = 24, LENGTHS_AT = 32 };

/* Of a field's, whose length has two; ABSENT: there is no value. */
enum { LENGTH_AT = 0, KEY_LENGTH_AT = 16, TYPE_AT = 24 };

static uint8_t byte_at(uint64_t word, int at)
{
    return (uint8_t)(word >> at);
}

_Static_assert(LOG_RECORD_SMALL_BYTES >= RECORD_HEAD_BYTES + CONTEXT_PARTS * (size_t)LOG_CONTEXT_MAX_BYTES +
               sizeof(struct trace_ids), "the head has room in any case");
_Static_assert(LOG_VALUE_MAX_BYTES < ABSENT, "two bytes tell the length of a text");
_Static_assert(sizeof(int64_t) == sizeof(double), "numbers are as long");
_Static_assert(LOG_FIELDS_MAX <= UINT8_MAX && LOG_CONTEXT_MAX_BYTES <= UINT8_MAX, "a byte tells them");

/* ---- packing ---- */

struct packer {
    char *at, *end;
    uint64_t count;
    bool failed;                           /* there is no room for it all */
};

/* The value's length is known to the compiler, but for texts. */
static inline void put(struct packer *packer, struct text key, enum log_field_type type, const void *value,
                       size_t length)
{
    uint32_t word = (uint32_t)(value ? length : ABSENT) << LENGTH_AT | (uint32_t)key.length << KEY_LENGTH_AT |
                    (uint32_t)type << TYPE_AT;

    assert(key.length <= UINT8_MAX);
    if (packer->count == LOG_FIELDS_MAX || (size_t)(packer->end - packer->at) < FIELD_HEAD_BYTES + length) {
        packer->failed = true;
        return;
    }
    packer->at = mempcpy(packer->at, &key.at, sizeof key.at);
    packer->at = mempcpy(packer->at, &word, sizeof word);
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

static inline char *put_part(uint64_t *word, enum context_part part, struct text text, char *at)
{
    if (!text.at)
        return at;
    if (text.length > LOG_CONTEXT_MAX_BYTES)
        text.length = LOG_CONTEXT_MAX_BYTES;
    *word |= UINT64_C(1) << (FLAGS_AT + part) | (uint64_t)text.length << (LENGTHS_AT + 8 * part);
    return mempcpy(at, text.at, text.length);
}

static inline char *put_context(uint64_t *word, const struct log_context *context, const struct trace_ids *own,
                                char *at)
{
    at = put_part(word, REQUEST_ID, context->request_id, at);
    at = put_part(word, USER_ID, context->user_id, at);
    if (own) {
        *word |= (uint64_t)OWN_IDS << FLAGS_AT;
        return mempcpy(at, own, sizeof *own);
    }
    at = put_part(word, TRACE_ID, context->trace_id, at);
    return put_part(word, SPAN_ID, context->span_id, at);
}

size_t log_record_write(const struct log_what *what, const struct log_context *context, const struct trace_ids *own,
                        const struct log_field *fields, size_t count, char *out, size_t size)
{
    uint64_t word = (uint64_t)what->module << MODULE_AT | (uint64_t)what->level << LEVEL_AT;
    char *at = put_context(&word, context, own, out + RECORD_HEAD_BYTES);
    struct packer packer = {at, out + size, 0, false};

    for (size_t i = 0; i < count; i++)
        put_field(&packer, &fields[i]);
    if (packer.failed) {
        if (size < LOG_RECORD_MAX_BYTES)
            return 0;
        packer.at = at;
        packer.count = 0;
        word |= (uint64_t)LEFT_OUT << FLAGS_AT;
    }
    word |= packer.count << COUNT_AT;
    memcpy(mempcpy(out, &what->message, sizeof what->message), &word, sizeof word);
    return (size_t)(packer.at - out);
}

/* ---- reading ---- */

static struct text take_part(uint64_t word, enum context_part part, const char **at)
{
    if (!(byte_at(word, FLAGS_AT) & 1U << part))
        return TEXT_NONE;
    struct text text = {*at, byte_at(word, LENGTHS_AT + 8 * part)};
    *at += text.length;
    return text;
}

const char *log_record_field(const char *at, struct log_field *ret)
{
    uint32_t word;
    uint16_t length;

    memcpy(&ret->key.at, at, sizeof ret->key.at);
    memcpy(&word, at + sizeof ret->key.at, sizeof word);
    at += FIELD_HEAD_BYTES;
    ret->key.length = byte_at(word, KEY_LENGTH_AT);
    ret->type = byte_at(word, TYPE_AT);
    length = (uint16_t)(word >> LENGTH_AT);
    if (length == ABSENT) {
        ret->text = TEXT_NONE;
        return at;
    }
    if (ret->type == LOG_FIELD_TEXT)
        ret->text = (struct text){at, length};
    else if (ret->type == LOG_FIELD_BOOLEAN)
        memcpy(&ret->boolean, at, sizeof ret->boolean);
    else if (ret->type == LOG_FIELD_MEMBERS)
        memcpy(&ret->members, at, sizeof ret->members);
    else
        memcpy(&ret->integer, at, sizeof ret->integer);   /* or the number, which begins where it does */
    return at + length;
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
    const char *message, *at = record.at + RECORD_HEAD_BYTES;
    uint64_t word;

    memcpy(&message, record.at, sizeof message);
    memcpy(&word, record.at + sizeof message, sizeof word);
    ret->what = (struct log_what){byte_at(word, MODULE_AT), byte_at(word, LEVEL_AT), message, false};
    ret->own_ids = byte_at(word, FLAGS_AT) & OWN_IDS;
    ret->left_out = byte_at(word, FLAGS_AT) & LEFT_OUT;
    ret->field_count = byte_at(word, COUNT_AT);
    ret->context.request_id = take_part(word, REQUEST_ID, &at);
    ret->context.user_id = take_part(word, USER_ID, &at);
    if (ret->own_ids) {
        take_own_ids(ret, &at);
    } else {
        ret->context.trace_id = take_part(word, TRACE_ID, &at);
        ret->context.span_id = take_part(word, SPAN_ID, &at);
    }
    ret->fields = at;
}
