/*
 * An event: something that happened, in an envelope after CloudEvents 1.0.
 *
 * A plain struct of views. Whoever makes one owns what they look at.
 */
#ifndef TANDEM_EVENTS_EVENT_H
#define TANDEM_EVENTS_EVENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum {
    EVENT_MAX_BYTES = 256 * 1024,          /* of an envelope in JSON … */
    EVENT_ENVELOPE_BYTES = 16 * 1024,      /* … of which this much is kept for what is not data */
    EVENT_MAX_ATTRIBUTE_BYTES = 256,       /* of each attribute, so that even escaped they all fit */
};

struct event {
    struct text id;            /* UUIDv7 */
    struct text type;          /* "order.placed.v1" */
    struct text source;        /* "/tandem/order" */
    struct text subject;       /* the aggregate's id, which is also the ordering key */
    int64_t time_us;           /* wall time */
    struct text traceparent;   /* W3C; may be absent */
    struct text tracestate;    /* W3C, of TRACESTATE_MAX_BYTES at the most; may be absent */
    struct text request_id;    /* extension attribute "requestid"; may be absent */
    struct text data;          /* JSON; may be absent */
};

/** "order.placed.v" of order.placed.v1: a type without the number of its version, which stands for all of them. Absent
 *  when it does not end with one. */
struct text event_family(struct text type);

/** Whether it can be sent: all that may not be absent is there, nothing is too large, data is JSON. ERR_INVALID. */
enum err must_check event_check(const struct event *event);

/** Writes the envelope in the JSON event format (specversion 1.0, datacontenttype application/json). */
void event_write(const struct event *event, struct buf *out);

/** Reads an envelope; the texts are copied into arena, data as it stood. ERR_MALFORMED; ERR_MEMORY when arena is
 *  full. */
enum err must_check event_read(struct text json, struct arena *arena, struct event *ret);

#endif
