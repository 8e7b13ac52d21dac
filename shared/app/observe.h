/*
 * What is told of every call: its access line in the log, its metrics, and the cause of what failed here; and of every
 * event that is applied. All that a thread logs meanwhile carries the ids of the request that it goes back to.
 */
#ifndef TANDEM_APP_OBSERVE_H
#define TANDEM_APP_OBSERVE_H

#include "app/call.h"
#include "events/event.h"

/** A call has come to this thread, or leaves it: whatever is logged in between is logged as of this call. */
void observe_enter(const struct call *call);
void observe_leave(void);

/** Once per call, when its response is made and before it is sent. Any thread. */
void observe_call(struct call *call);

/** Registers the series of every endpoint, so that counting a request takes no lock. ERR_MEMORY. */
enum err must_check observe_start(struct service *service);
void observe_stop(struct service *service);

/* ---- events: callbacks of relay and consumer, whose context is not looked at ---- */

/** The database's server went away, or is back; said once each. */
void observe_database(void *context, bool is_away, const char *cause);

void observe_relay_failure(void *context, enum err err);

/** The event may be NULL: it is the bus or the database that failed. */
void observe_event_failure(void *context, const struct event *event, enum err err);

void observe_event(void *context, const struct event *event);

/** Of a version that this program does not know. */
void observe_unknown_event(void *context, const struct event *event);

#endif
