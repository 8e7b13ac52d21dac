/*
 * The instances known last, in a small file, so that a service that starts while the registry is away has some.
 *
 * The file is text: its version, the service, when the registry had last said so (wall time, seconds), an instance a
 * line as net/instances.h writes it, and the digest of all that. It is replaced whole, by renaming, so any number of
 * processes may share it; what is damaged, of another version or service, or too old is not used. Losing it loses
 * nothing that the registry does not tell again: no fsync.
 */
#ifndef TANDEM_DISCOVERY_REMEMBERED_H
#define TANDEM_DISCOVERY_REMEMBERED_H

#include <stdint.h>

#include "base/err.h"
#include "net/instances.h"

enum { REMEMBERED_MAX_BYTES = 256 * 1024, REMEMBERED_AHEAD_MAX_S = 300 };

/** Replaces the file. ERR_IO with a cause, ERR_MEMORY. */
enum err must_check remembered_write(const char *path, const char *service, const struct instances *instances,
                                     int64_t now_s);

/**
 * Reads what is not older than age_max_s; *ret_age_s is how old it is. ERR_NOT_FOUND when there is no file;
 * ERR_MALFORMED when it is damaged, larger than REMEMBERED_MAX_BYTES, or of another version or service; ERR_INVALID
 * when it is too old, or further ahead of the clock than REMEMBERED_AHEAD_MAX_S; ERR_IO, ERR_MEMORY. With a cause.
 */
enum err must_check remembered_read(const char *path, const char *service, int64_t now_s, int64_t age_max_s,
                                    struct instances **ret, int64_t *ret_age_s);

#endif
