/*
 * Looking after a database's file: whether it is whole and of which schema, and giving back the room of what was
 * deleted. For an operator's command; one thread.
 */
#ifndef TANDEM_STATE_MAINTAIN_H
#define TANDEM_STATE_MAINTAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "state/migrate.h"

struct db_findings {
    int64_t size_bytes;
    int64_t free_bytes;        /* of it, what deleted rows have left */
    unsigned missing;          /* migrations that the next start applies */
    char first[256];           /* what is wrong first; "" when nothing is */
};

/** Reads all of the file: its pages and indexes, its foreign keys, its migrations. Changes nothing, and may be used
 *  while the database is. What is wrong is in *ret, with ERR_NONE; ERR_NOT_FOUND, ERR_BUSY, ERR_MEMORY when it could
 *  not be looked at. */
enum err must_check db_inspect(const char *path, const struct migration_set *sets, size_t set_count,
                               struct db_findings *ret);

/** The same of a database on a server, as far as it can be told from here: that it can be opened, its size, its
 *  migrations. */
enum err must_check db_inspect_server(const struct db_opts *opts, const struct migration_set *sets, size_t set_count,
                                      struct db_findings *ret);

/** Writes the file anew without what is free in it. Whoever writes to it waits meanwhile. Needs as much room again. */
enum err must_check db_vacuum(const char *path, unsigned timeout_ms, int64_t *ret_before_bytes,
                              int64_t *ret_after_bytes);

#endif
