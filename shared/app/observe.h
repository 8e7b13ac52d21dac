/*
 * What is told of every call: its access line in the log, its metrics, and the cause of what failed here.
 */
#ifndef TANDEM_APP_OBSERVE_H
#define TANDEM_APP_OBSERVE_H

#include "app/call.h"

/** Once per call, when its response is made and before it is sent. Any thread. */
void observe_call(struct call *call);

/** Registers the series of every endpoint, so that counting a request takes no lock. ERR_MEMORY. */
enum err must_check observe_start(struct service *service);
void observe_stop(struct service *service);

#endif
