/*
 * The supervisor: holds a listening socket and keeps workers behind it, which are processes of one service. While it
 * lives, a connection always finds somebody to take it, or waits in the backlog until there is.
 *
 * A worker gets the socket as descriptor 0, says READY=1 to NOTIFY_SOCKET (app/notify.h) when it serves, and ends on
 * SIGTERM after what it has under way. One that ends unasked is started again after a pause that doubles up to a
 * ceiling, and begins anew once one has stayed for a while. Should the supervisor die, the kernel sends each SIGTERM.
 *
 *   SIGHUP            replaces the workers one by one: the new one is ready before the old one is asked to end
 *   SIGTERM, SIGINT   ends all; a second one hurries them
 *   SIGUSR1           is passed on (services open their log anew)
 *
 * One thread, which waits for signals and for what the workers say.
 */
#ifndef TANDEM_APPS_CTL_SUPERVISE_H
#define TANDEM_APPS_CTL_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { SUPERVISE_WORKERS_MAX = 64 };

struct supervise_opts {
    char *const *program;              /* with its arguments; ends with NULL */
    int listen_fd;
    unsigned workers;
    unsigned ready_timeout_ms;         /* from the start of a worker to its READY=1 */
    unsigned stop_timeout_ms;          /* from SIGTERM to SIGKILL */
};

/** Until it is asked to end. Returns the exit status: 0 after an orderly end; 1, with what was wrong on standard error,
 *  when it could not begin, or a worker had to be killed. A worker that ends before any has ever been ready is most
 *  likely a fault of the settings, and ends the supervisor. */
int supervise(const struct supervise_opts *opts);

/* ---- a worker: supervise_worker.c ---- */

enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_READY, WORKER_STOPPING };

struct worker {
    enum worker_state state;
    pid_t pid;
    int64_t since_ns;                  /* when it came to this state */
    bool killed;
};

/** Starts the program; it has the socket as descriptor 0 and tells notify_name how it is. Returns with the error of
 *  exec(), when it fails. */
enum err must_check worker_start(struct worker *worker, const struct supervise_opts *opts, const char *notify_name);

/** Asks it to end. */
void worker_stop(struct worker *worker);

/** Ends it at once, when it was asked longer ago than that. */
void worker_kill_when_late(struct worker *worker, unsigned timeout_ms);

/* ---- what workers say: supervise_notify.c ---- */

enum { NOTIFY_NAME_SIZE = 32 };

/** A socket for datagrams, with an abstract name that the kernel chooses, "@00042". ERR_IO. */
enum err must_check notify_open(int *ret_fd, char ret_name[static NOTIFY_NAME_SIZE]);

/** Takes one message. False when none waits. *ret_ready: it has a line READY=1. */
bool notify_take(int fd, pid_t *ret_from, bool *ret_ready);

#endif
