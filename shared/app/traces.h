/*
 * GET /traces and GET /traces/{id}: the memory of recent traces, of all processes of the service.
 */
#ifndef TANDEM_APP_TRACES_H
#define TANDEM_APP_TRACES_H

#include "app/call.h"

/** {"traces": [{"trace_id", "root", "start", "end", "duration_ms", "status", "spans"}]}, the newest first: ?limit=N of
 *  them, and with ?of=ID those that have to do with this order or request. */
enum err traces_list(struct call *call);

/** OTLP in JSON; 404 for one that is not known. */
enum err traces_show(struct call *call);

#endif
