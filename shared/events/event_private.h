/* What the files of events share among themselves. */
#ifndef TANDEM_EVENTS_EVENT_PRIVATE_H
#define TANDEM_EVENTS_EVENT_PRIVATE_H

#include "events/event.h"

/* White space of JSON. */
static inline bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/** Reads an envelope as event_write() writes it, with nothing escaped but in data. False when it is any other, or there
 *  is no memory: event_read() then finds out what it is. The limits of JSON (base/json.h) are those of data alone, and
 *  that keys in it are equal is left to who reads it. */
bool event_read_own(struct text json, struct arena *arena, struct event *ret);

#endif
