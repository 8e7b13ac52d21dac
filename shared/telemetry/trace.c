#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "telemetry/trace.h"

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, FLAGS_LENGTH = 2, STATE_MEMBERS_MAX = 32 };

/* ---- hexadecimal, of lower case only ---- */

static const signed char values[256] = {
#define DIGIT(c, value) [c] = (value) + 1
    DIGIT('0', 0),  DIGIT('1', 1),  DIGIT('2', 2),  DIGIT('3', 3),  DIGIT('4', 4),  DIGIT('5', 5),
    DIGIT('6', 6),  DIGIT('7', 7),  DIGIT('8', 8),  DIGIT('9', 9),  DIGIT('a', 10), DIGIT('b', 11),
    DIGIT('c', 12), DIGIT('d', 13), DIGIT('e', 14), DIGIT('f', 15),
#undef DIGIT
};

/* False for what is no digit; *ret_any says whether a byte is not zero. */
static bool read_hex(const char *at, unsigned char *out, size_t count, bool *ret_any)
{
    bool well = true;
    unsigned char any = 0;
    for (size_t i = 0; i < count; i++) {
        int high = values[(unsigned char)at[2 * i]] - 1, low = values[(unsigned char)at[2 * i + 1]] - 1;
        well = well && (high | low) >= 0;
        out[i] = (unsigned char)((unsigned)high << 4 | ((unsigned)low & 15));
        any |= out[i];
    }
    *ret_any = any != 0;
    return well;
}

/* ---- traceparent ---- */

static bool read_parent(struct text given, struct trace_context *context)
{
    unsigned char version;
    bool any;
    if (given.length < TRACEPARENT_LENGTH || given.at[TRACE_AT - 1] != '-' || given.at[PARENT_AT - 1] != '-' ||
        given.at[FLAGS_AT - 1] != '-')
        return false;
    if (!read_hex(given.at, &version, 1, &any) || version == 0xff)
        return false;
    /* What a later version adds comes behind a hyphen. */
    if (given.length > TRACEPARENT_LENGTH && (version == 0 || given.at[TRACEPARENT_LENGTH] != '-'))
        return false;
    if (!read_hex(given.at + TRACE_AT, context->trace_id, TRACE_ID_BYTES, &any) || !any)
        return false;
    if (!read_hex(given.at + PARENT_AT, context->span_id, SPAN_ID_BYTES, &any) || !any)
        return false;
    return read_hex(given.at + FLAGS_AT, &context->flags, 1, &any);
}

/* ---- tracestate: "key=value,key@vendor=value" ---- */

static bool key_is_valid(struct text key)
{
    if (key.length == 0 || key.length > 256)
        return false;
    for (size_t i = 0; i < key.length; i++) {
        char c = key.at[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_word && (i == 0 || !strchr("_-*/@", c) || !c))
            return false;
    }
    return true;
}

static bool value_is_valid(struct text value)
{
    if (value.length == 0 || value.length > 256 || value.at[value.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.length; i++)
        if (value.at[i] < 0x20 || value.at[i] > 0x7e || value.at[i] == '=')
            return false;
    return true;
}

static bool state_is_valid(struct text state)
{
    unsigned members = 0;
    if (!state.at || state.length == 0 || state.length > TRACESTATE_MAX_BYTES)
        return false;
    while (state.at) {
        struct text value = text_trim(text_split(&state, ','));
        if (value.length == 0)
            continue;
        struct text key = text_split(&value, '=');
        if (!value.at || !key_is_valid(key) || !value_is_valid(value) || ++members > STATE_MEMBERS_MAX)
            return false;
    }
    return members > 0;
}

struct text tracestate_taken(struct text tracestate)
{
    return state_is_valid(tracestate) ? tracestate : TEXT_NONE;
}

bool trace_context_read(struct text traceparent, struct text tracestate, struct trace_context *ret)
{
    struct trace_context context;
    if (!read_parent(traceparent, &context))
        return false;
    context.state = tracestate_taken(tracestate);
    *ret = context;
    return true;
}

char *trace_context_write(const struct trace_context *context, char out[static TRACEPARENT_SIZE])
{
    char *at = out;
    *at++ = '0', *at++ = '0', *at++ = '-';
    at = hex_write(context->trace_id, TRACE_ID_BYTES, at);
    *at++ = '-';
    at = hex_write(context->span_id, SPAN_ID_BYTES, at);
    *at++ = '-';
    at = hex_write(&context->flags, 1, at);
    *at = '\0';
    return out;
}

bool traceparent_is_valid(struct text traceparent)
{
    struct trace_context context;
    return read_parent(traceparent, &context);
}

static struct text part_of(struct text traceparent, size_t at, size_t length)
{
    return traceparent_is_valid(traceparent) ? (struct text){traceparent.at + at, length} : TEXT_NONE;
}

struct text traceparent_trace_id(struct text traceparent)
{
    return part_of(traceparent, TRACE_AT, TRACE_ID_LENGTH);
}

struct text traceparent_span_id(struct text traceparent)
{
    return part_of(traceparent, PARENT_AT, SPAN_ID_LENGTH);
}
