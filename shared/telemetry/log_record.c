#include "config.h"

#include <assert.h>
#include <string.h>

#include "telemetry/log_line.h"
#include "telemetry/log_record.h"

enum context_part { REQUEST_ID, TRACE_ID, SPAN_ID, USER_ID, CONTEXT_PARTS };
enum { OWN_IDS = 1 << CONTEXT_PARTS, LEFT_OUT = OWN_IDS << 1 };

#define ABSENT UINT16_MAX

/*
 * A record is its message's address and a word, then the parts of the context, own ids, and the fields. A field is its
 * key's address and half a word, then its number, its text, or where its members are.
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
_Static_assert(sizeof((struct log_record_context *)0)->at == CONTEXT_PARTS * (size_t)LOG_CONTEXT_MAX_BYTES,
               "and the context in its own");
_Static_assert(LOG_VALUE_MAX_BYTES < ABSENT, "two bytes tell the length of a text");
_Static_assert(sizeof(int64_t) == sizeof(double) && sizeof(int64_t) >= sizeof(void *), "words are as long");
_Static_assert(LOG_FIELDS_MAX <= UINT8_MAX && LOG_CONTEXT_MAX_BYTES <= UINT8_MAX, "a byte tells them");

/* ---- packing ---- */

struct packer {
    char *at, *end;
    uint64_t count;
    bool failed;                           /* there is no room for it all */
};

/* These are as long as each other, and lie in a field at the same place. */
static bool is_word(enum log_field_type type)
{
    return type == LOG_FIELD_INTEGER || type == LOG_FIELD_DURATION || type == LOG_FIELD_NUMBER ||
           type == LOG_FIELD_MEMBERS;
}

static bool is_nothing(const struct log_field *field)
{
    return field->type == LOG_FIELD_NONE || (field->type == LOG_FIELD_MEMBERS && !field->members);
}

static inline void put(struct packer *packer, struct text key, enum log_field_type type, const void *value,
                       size_t length)
{
    uint32_t word = (uint32_t)(value ? length : ABSENT) << LENGTH_AT | (uint32_t)key.length << KEY_LENGTH_AT |
                    (uint32_t)type << TYPE_AT;

    assert(key.length <= UINT8_MAX);
    if ((size_t)(packer->end - packer->at) < FIELD_HEAD_BYTES + length) {
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

static void put_other(struct packer *packer, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        put_text(packer, field->key, field->text);
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
    default:
        break;                             /* others do not come here */
    }
}

static inline void put_field(struct packer *packer, const struct log_field *field)
{
    if (is_nothing(field))
        return;
    if (is_word(field->type))
        put(packer, field->key, field->type, &field->integer, sizeof field->integer);
    else
        put_other(packer, field);
}

static char *put_part(uint64_t *word, enum context_part part, struct text text, char *at)
{
    if (!text.at)
        return at;
    if (text.length > LOG_CONTEXT_MAX_BYTES)
        text.length = LOG_CONTEXT_MAX_BYTES;
    *word |= UINT64_C(1) << (FLAGS_AT + part) | (uint64_t)text.length << (LENGTHS_AT + 8 * part);
    return mempcpy(at, text.at, text.length);
}

void log_record_context_set(const struct log_context *context, struct log_record_context *ret)
{
    uint64_t word = 0;
    char *at = put_part(&word, REQUEST_ID, context->request_id, ret->at);

    at = put_part(&word, TRACE_ID, context->trace_id, at);
    at = put_part(&word, SPAN_ID, context->span_id, at);
    at = put_part(&word, USER_ID, context->user_id, at);
    ret->word = word;
    ret->length = (size_t)(at - ret->at);
}

size_t log_record_write(const struct log_what *what, const struct log_record_context *context,
                        const struct trace_ids *own, const struct log_field *fields, size_t count, char *out,
                        size_t size)
{
    uint64_t word = context->word | (uint64_t)what->module << MODULE_AT | (uint64_t)what->level << LEVEL_AT;
    char *at = mempcpy(out + RECORD_HEAD_BYTES, context->at, context->length);

    if (own) {
        word |= (uint64_t)OWN_IDS << FLAGS_AT;
        at = mempcpy(at, own, sizeof *own);
    }
    struct packer packer = {at, out + size, 0, false};
    for (size_t i = 0; i < count; i++)
        put_field(&packer, &fields[i]);
    if (packer.failed || packer.count > LOG_FIELDS_MAX) {
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

/* It is the first. */
struct text log_record_context_request_id(const struct log_record_context *context)
{
    const char *at = context->at;
    return take_part(context->word, REQUEST_ID, &at);
}

bool log_record_context_has_trace(const struct log_record_context *context)
{
    return byte_at(context->word, FLAGS_AT) & 1U << TRACE_ID;
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
    if (is_word(ret->type))
        memcpy(&ret->integer, at, sizeof ret->integer);
    else if (ret->type == LOG_FIELD_TEXT)
        ret->text = (struct text){at, length};
    else
        memcpy(&ret->boolean, at, sizeof ret->boolean);
    return at + length;
}

void log_record_read(struct text record, struct log_event *ret)
{
    const char *message, *at = record.at + RECORD_HEAD_BYTES;
    uint64_t word;

    memcpy(&message, record.at, sizeof message);
    memcpy(&word, record.at + sizeof message, sizeof word);
    ret->what = (struct log_what){byte_at(word, MODULE_AT), byte_at(word, LEVEL_AT), message, false};
    ret->left_out = byte_at(word, FLAGS_AT) & LEFT_OUT;
    ret->field_count = byte_at(word, COUNT_AT);
    ret->context.request_id = take_part(word, REQUEST_ID, &at);
    ret->context.trace_id = take_part(word, TRACE_ID, &at);
    ret->context.span_id = take_part(word, SPAN_ID, &at);
    ret->context.user_id = take_part(word, USER_ID, &at);
    ret->own = NULL;
    if (byte_at(word, FLAGS_AT) & OWN_IDS) {
        ret->own = (const struct trace_ids *)at;   /* bytes alone, which lie anywhere */
        at += sizeof *ret->own;
    }
    ret->fields = at;
}
