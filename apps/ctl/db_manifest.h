/*
 * What a backup says of itself: a file that is written last, so that a folder without it is no backup, and that has the
 * digest of each of the others, so that one that was altered or cut is no backup either.
 *
 *     {"format": 1, "created_at": "2026-11-24T10:00:00.000000Z",
 *      "files": [{"name": "order.db", "bytes": 40960, "sha256": "…"}, …]}
 */
#ifndef TANDEM_APPS_CTL_DB_MANIFEST_H
#define TANDEM_APPS_CTL_DB_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

enum { MANIFEST_MAX_BYTES = 64 * 1024 };

struct manifest_file {
    struct text name, sha256;
    int64_t bytes;
};

struct manifest {
    struct text created_at;
    struct manifest_file *files;
    size_t count;
};

/** Writes the manifest of these files of a folder, onto the disk. ERR_IO, ERR_STORAGE_FULL, ERR_MEMORY. */
enum err must_check manifest_write(const char *folder, const char *const *names, size_t count);

/** Reads it, and compares all files with it. ERR_NOT_FOUND when there is none; ERR_INVALID, with a cause, when it is
 *  not one, is of a later format, or a file is not what it says. */
enum err must_check manifest_read(const char *folder, struct arena *arena, struct manifest *ret);

/** The row of a name; NULL when there is none. */
const struct manifest_file *manifest_find(const struct manifest *manifest, const char *name);

#endif
