/*
 * Reloading: the settings of a running service are read again when one of their files changes, and when SIGHUP asks.
 *
 * All layers are read and validated whole. When anything is wrong nothing changes: the old settings stay, every fault
 * is logged, counted, and told by /readyz. Otherwise they take the place of service->current; calls under way go on
 * with those that they began with. Live options are then in effect; others that changed are named in the log, and keep
 * the value that the process was started with until it is started again.
 *
 * It has a thread of its own: a file system may take its time, and the main thread has signals to heed meanwhile.
 */
#ifndef TANDEM_APP_RELOAD_H
#define TANDEM_APP_RELOAD_H

#include "base/err.h"

struct reload;
struct service;

/** The part: sets service->reload. Files that changed since they were read at the start are noticed. Without inotify
 *  the service runs all the same, and says so. ERR_MEMORY, ERR_IO. */
enum err must_check reload_start(struct service *service);
void reload_stop(struct service *service);

/** Has the settings read again at once. Any thread; NULL is fine. */
void reload_ask(struct reload *reload);

/** ERR_NONE, or ERR_CONFIG with the first fault as cause when the latest reload failed. Any thread. */
enum err must_check reload_state(struct reload *reload);

#endif
