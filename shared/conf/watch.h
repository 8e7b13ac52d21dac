/*
 * Watching settings files: whether any of them may have changed, by inotify(7).
 *
 * Folders are watched rather than files, since a file is mostly replaced and not written: by editors that rename, by
 * `ln -sfn`, by Kubernetes, which swaps the link ..data. So each part of a path is looked for in the folder that it is
 * in, links are followed, and each part of their targets is looked for in turn; a change under one of these names, and
 * under no other, counts. Files that are there are watched for writing, too.
 *
 * A change may be told that is none, and one change several times (see conf/debounce.h); none is missed. Not seen are
 * changes made on another machine to a network file system.
 *
 * Used by one thread at a time.
 */
#ifndef TANDEM_CONF_WATCH_H
#define TANDEM_CONF_WATCH_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/source.h"

struct watch;

/** Watches nothing yet. ERR_IO when the system has no more watches to give (fs.inotify.max_user_instances). */
enum err must_check watch_open(struct watch **ret);

/** NULL is fine. */
void watch_close(struct watch *watch);

/**
 * Watches these files, and any that comes into their folder, instead of what was watched before; with is_signed their
 * signatures, too. Do it before the files are read, and each time that they changed, since links may then lead
 * elsewhere. ERR_IO when a folder that a file is in cannot be watched, ERR_MEMORY; the rest is watched all the same.
 */
enum err must_check watch_sources(struct watch *watch, const struct sources *sources, bool is_signed);

/** To poll(2) for reading. Another one after each watch_sources(). */
int watch_fd(const struct watch *watch);

/** Whether something changed since the last call. Never blocks. */
bool watch_changed(struct watch *watch);

#endif
