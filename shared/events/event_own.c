/*
 * Reading what event_write() has written, which is what nearly all events are: one look from left to right, one copy,
 * and no tree of it.
 */
#include "config.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/json_plain.h"
#include "events/event_private.h"
#include "telemetry/trace.h"

/* What is left of it. */
struct cursor {
    const char *at, *end;
};

static struct text rest_of(const struct cursor *cursor)
{
    return (struct text){cursor->at, (size_t)(cursor->end - cursor->at)};
}

static bool skip(struct cursor *cursor, struct text literal)
{
    if (!text_starts(rest_of(cursor), literal))
        return false;
    cursor->at += literal.length;
    return true;
}

/* A plain string, from behind its first quote to behind its last. */
static bool take_string(struct cursor *cursor, struct text *ret)
{
    *ret = (struct text){cursor->at, json_plain_length(rest_of(cursor))};
    cursor->at += ret->length;
    return skip(cursor, TEXT("\""));
}

static bool take_required(struct cursor *cursor, struct text key, struct text *ret)
{
    return skip(cursor, key) && take_string(cursor, ret) && ret->length > 0;
}

static bool take_optional(struct cursor *cursor, struct text key, struct text *ret)
{
    return !skip(cursor, key) || take_string(cursor, ret);
}

/* To the last brace, without space around it; whether it is one value, and all of it, json_check() knows. */
static bool take_data(struct cursor *cursor, struct text *ret)
{
    size_t members;

    if (!skip(cursor, TEXT(",\"datacontenttype\":\"application/json\",\"data\":")))
        return true;
    struct text data = rest_of(cursor);
    if (data.length < sizeof "1")
        return false;
    data.length--;
    cursor->at += data.length;
    *ret = data;
    return !is_space(data.at[0]) && !is_space(data.at[data.length - 1]) && json_check(data, &members) == ERR_NONE;
}

/* Views of json. */
static bool take(struct text json, struct event *ret)
{
    struct cursor cursor = {json.at, json.at + json.length};
    struct text time;

    return take_required(&cursor, TEXT("{\"specversion\":\"1.0\",\"id\":\""), &ret->id)
        && take_required(&cursor, TEXT(",\"type\":\""), &ret->type)
        && take_required(&cursor, TEXT(",\"source\":\""), &ret->source)
        && take_required(&cursor, TEXT(",\"subject\":\""), &ret->subject)
        && take_required(&cursor, TEXT(",\"time\":\""), &time)
        && take_optional(&cursor, TEXT(",\"traceparent\":\""), &ret->traceparent)
        && take_optional(&cursor, TEXT(",\"tracestate\":\""), &ret->tracestate)
        && take_optional(&cursor, TEXT(",\"requestid\":\""), &ret->request_id)
        && take_data(&cursor, &ret->data)
        && text_equal(rest_of(&cursor), TEXT("}"))
        && clock_parse_rfc3339(time, &ret->time_us) == ERR_NONE;
}

/* The same in the copy, with a zero in place of the quote or brace behind it. */
static struct text moved(struct text text, const char *from, char *to)
{
    if (!text.at)
        return TEXT_NONE;
    char *at = to + (text.at - from);
    at[text.length] = '\0';
    return (struct text){at, text.length};
}

bool event_read_own(struct text json, struct arena *arena, struct event *ret)
{
    struct event event = {.data = TEXT_NONE};
    char *copy = json.at && take(json, &event) ? arena_string(arena, json) : NULL;

    if (!copy)
        return false;
    *ret = (struct event){
        .id = moved(event.id, json.at, copy),
        .type = moved(event.type, json.at, copy),
        .source = moved(event.source, json.at, copy),
        .subject = moved(event.subject, json.at, copy),
        .time_us = event.time_us,
        .traceparent = moved(event.traceparent, json.at, copy),
        .tracestate = tracestate_taken(moved(event.tracestate, json.at, copy)),
        .request_id = moved(event.request_id, json.at, copy),
        .data = moved(event.data, json.at, copy),
    };
    return true;
}
