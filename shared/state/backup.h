/*
 * Copies of several databases, all as of one moment, while they are in use.
 *
 * A system's databases depend on each other: an event leaves one's outbox for another. Copied one after the other they
 * would tell of different moments, and whichever came first would have lost, or never heard of, what the later ones
 * know. So all are held still at once: each one's turn to write is taken (state/turn.h), then its write lock; a
 * snapshot of each is pinned; and they are let go. That takes as long as the commits under way. The copies are then
 * made from the snapshots, however long it takes, while everybody goes on writing; the databases' logs grow meanwhile.
 *
 * What is copied is a state that the system might have been killed in: it comes to rest by itself from there.
 * Nobody holds two of these locks anywhere else, so that this cannot wait in a circle.
 *
 * One thread.
 */
#ifndef TANDEM_STATE_BACKUP_H
#define TANDEM_STATE_BACKUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { BACKUP_MAX = 16 };

struct backup;

/** Pins the snapshots of databases that are there. Waits up to timeout_ms for each. ERR_NOT_FOUND, ERR_BUSY,
 *  ERR_STORAGE and its kin. */
enum err must_check backup_begin(const char *const *paths, size_t count, unsigned timeout_ms, struct backup **ret);

/** How long the databases were held still. */
int64_t backup_held_ns(const struct backup *backup);

/** Copies the snapshot of the at-th into a new file, for its owner alone, onto the disk, and checks the copy.
 *  ERR_CONFLICT when the file exists; otherwise a failure leaves no file. */
enum err must_check backup_copy(struct backup *backup, size_t at, const char *path);

void backup_end(struct backup *backup);

/** The same kind of copy of a file that nobody writes to. */
enum err must_check backup_copy_file(const char *from, const char *path);

/** Has the names in a folder on the disk. ERR_IO. */
enum err must_check backup_sync_folder(const char *folder);

#endif
