/*
 * Several machines' worth of services, as far as one machine can be several: on each a process of every service and a
 * web server that reaches those alone; all found by discovery. Before them an edge, a web server whose upstream lists
 * tandemctl front render keeps. They share their databases and the bus, as processes of one machine do.
 *
 * One thread: main().
 */
#ifndef TANDEM_CHECK_SERVICE_MACHINES_H
#define TANDEM_CHECK_SERVICE_MACHINES_H

#include <stdbool.h>

#include "base/err.h"
#include "check/harness/system.h"

enum { MACHINES_MAX = 4 };

/** Before the start: this machine is in the network namespace of check/service/apart.h. It is found over HTTP only, so
 *  that the edge sends nothing there. */
void machines_set_apart(unsigned machine);

/** Starts so many of them, with these settings ("discovery.driver=etcd" and so on, ends with NULL), and waits until the
 *  edge, "nginx" or "lighttpd", answers for each service. With a cause. */
enum err must_check machines_start(const char *edge, unsigned count, const char *const *settings);
enum err must_check machines_stop(void);

/** Of the edge. */
const char *machines_url(void);
const char *machines_admin(void);
const char *machines_customer(void);

/** A service of a machine: started, until it says that it is ready; asked to end, until it has; killed. */
enum err must_check machines_service_start(unsigned machine, enum system_service service);
enum err must_check machines_service_stop(unsigned machine, enum system_service service);
void machines_service_kill(unsigned machine, enum system_service service);

/** A whole machine, web server included: its services are started with those there are. */
enum err must_check machines_add(unsigned machine);

/** How many requests the process has answered, that it has logged. */
unsigned long machines_answered(unsigned machine, enum system_service service);

/** Where all their files are. */
const char *machines_folder(void);

/** Whether the process, or one before it, has logged that. */
bool machines_log_has(unsigned machine, enum system_service service, const char *what);

/** What tandemctl endpoints says of a service; "" when it fails. Valid until the next call. */
const char *machines_endpoints(unsigned machine, enum system_service service);

#endif
