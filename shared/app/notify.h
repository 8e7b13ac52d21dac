/*
 * Telling the supervisor how one is: the sd_notify(3) protocol, as systemd (Type=notify) and tandemctl supervise speak
 * it. A state is one line sent as a datagram to the unix socket that NOTIFY_SOCKET names.
 */
#ifndef TANDEM_APP_NOTIFY_H
#define TANDEM_APP_NOTIFY_H

#include "base/err.h"

#define NOTIFY_READY "READY=1"
#define NOTIFY_STOPPING "STOPPING=1"

/** Nothing without NOTIFY_SOCKET. ERR_CONFIG when that names no socket ("/path" or, abstract, "@name"); ERR_IO. Never
 *  waits: a supervisor that does not read must not hold up a service. */
enum err must_check notify(const char *state);

#endif
