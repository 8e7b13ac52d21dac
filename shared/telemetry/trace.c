#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "telemetry/trace.h"

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, STATE_MEMBERS_MAX = 32 };

/* ---- traceparent ---- */

static bool read_id(const char *digits, unsigned char *out, size_t count)
{
    unsigned char any = 0;
    if (!hex_read_lower(digits, count, out))
        return false;
    for (size_t i = 0; i < count; i++)
        any |= out[i];
    return any != 0;
}

static bool read_parent(struct text given, struct trace_context *context)
{
    unsigned char version;
    if (given.length < TRACEPARENT_LENGTH || given.at[TRACE_AT - 1] != '-' || given.at[PARENT_AT - 1] != '-' ||
        given.at[FLAGS_AT - 1] != '-')
        return false;
    if (!hex_read_lower(given.at, 1, &version) || version == 0xff)
        return false;
    /* What a later version adds comes behind a hyphen. */
    if (given.length > TRACEPARENT_LENGTH && (version == 0 || given.at[TRACEPARENT_LENGTH] != '-'))
        return false;
    return read_id(given.at + TRACE_AT, context->trace_id, TRACE_ID_BYTES) &&
           read_id(given.at + PARENT_AT, context->span_id, SPAN_ID_BYTES) &&
           hex_read_lower(given.at + FLAGS_AT, 1, &context->flags);
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

bool traceparent_may_be_sampled(struct text traceparent)
{
    int digit = traceparent.length >= TRACEPARENT_LENGTH ? hex_digit(traceparent.at[TRACEPARENT_LENGTH - 1]) : -1;
    return digit > 0 && (digit & TRACE_SAMPLED);
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
