#include "config.h"

#include "telemetry/trace.h"

enum { TRACE_AT = 3, TRACE_LENGTH = 32, PARENT_AT = 36, PARENT_LENGTH = 16, FLAGS_AT = 53, VERSION_LENGTH = 2 };

static struct text part(struct text whole, size_t at, size_t length)
{
    return (struct text){whole.at + at, length};
}

static bool is_hex(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!((text.at[i] >= '0' && text.at[i] <= '9') || (text.at[i] >= 'a' && text.at[i] <= 'f')))
            return false;
    return true;
}

static bool is_zero(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] != '0')
            return false;
    return true;
}

bool traceparent_is_valid(struct text given)
{
    if (given.length != TRACEPARENT_LENGTH || given.at[TRACE_AT - 1] != '-' || given.at[PARENT_AT - 1] != '-'
        || given.at[FLAGS_AT - 1] != '-')
        return false;
    struct text version = part(given, 0, VERSION_LENGTH), trace = part(given, TRACE_AT, TRACE_LENGTH);
    struct text parent = part(given, PARENT_AT, PARENT_LENGTH), flags = part(given, FLAGS_AT, VERSION_LENGTH);
    return is_hex(version) && !text_equal(version, TEXT("ff")) && is_hex(trace) && !is_zero(trace) && is_hex(parent)
        && !is_zero(parent) && is_hex(flags);
}

struct text traceparent_trace_id(struct text traceparent)
{
    return traceparent_is_valid(traceparent) ? part(traceparent, TRACE_AT, TRACE_LENGTH) : TEXT_NONE;
}
