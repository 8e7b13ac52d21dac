/*
 * Turns: processes that write to one database do so in the order they asked.
 *
 * SQLite lets one transaction write at a time, but has those who wait try again and again, and whoever tries at the
 * right moment is next: under load some wait for seconds. Here each draws a ticket from a page that the processes share
 * (a mapped file beside the database), waits until it is served, and passes the turn on after its commit. One
 * that is alone makes no system call.
 *
 * A turn is a courtesy, not a lock: mutual exclusion stays SQLite's, so that nothing here can harm data. That is
 * why whoever is gone, or takes too long, is simply passed over: each process holds a file lock on a place of its own,
 * which the kernel drops when it ends, however it does; who waits asks for it every TURN_CHECK_MS.
 *
 * For one thread each; a struct turn is one of those who take turns, also within a process.
 */
#ifndef TANDEM_STATE_TURN_H
#define TANDEM_STATE_TURN_H

#include <stdbool.h>

#include "base/err.h"

enum {
    TURN_CHECK_MS = 10,        /* who died with the turn is passed over within about twice this */
    TURN_PLACES = 256,         /* how many may take turns at one file */
};

struct turn;

/** Joins those who take turns at this file, which is made when it is missing. ERR_STORAGE, ERR_STORAGE_FULL,
 *  ERR_MEMORY; ERR_BUSY when TURN_PLACES have joined. */
enum err must_check turn_open(const char *path, struct turn **ret);

/** Leaves; a turn that is held is passed on. NULL is fine. */
void turn_close(struct turn *turn);

/** Waits until it is this one's turn. False when it has not become so within timeout_ms; then no turn is held. */
bool turn_take(struct turn *turn, unsigned timeout_ms);

/** Passes the turn on. Nothing when none is held. */
void turn_pass(struct turn *turn);

#endif
