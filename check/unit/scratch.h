/*
 * What tests of stored things share: a folder of one's own that is removed afterwards, a database in it with options
 * that suit tests, and waiting for something to become true without sleeping longer than needed.
 */
#ifndef TANDEM_CHECK_UNIT_SCRATCH_H
#define TANDEM_CHECK_UNIT_SCRATCH_H

#include <stdbool.h>

#include "state/db.h"

enum { SCRATCH_PATH_SIZE = 512, SCRATCH_PATIENCE_MS = 10000 };

struct scratch {
    char folder[SCRATCH_PATH_SIZE / 4];
    char path[SCRATCH_PATH_SIZE];      /* what scratch_path() wrote last */
};

void scratch_init(struct scratch *scratch);
void scratch_fini(struct scratch *scratch);

/** The path of a file in the folder; valid until the next call. */
const char *scratch_path(struct scratch *scratch, const char *name);

/** Options for a database at path: small batches, a small log. On PostgreSQL (check/unit/engines.h) a database of that
 *  server stands for each path. */
struct db_opts scratch_db_opts(const char *path);

/* What stands for a file where the engine has none: its URL, which stays valid; and the end of all there were. */
struct scratch_engine {
    const char *(*url)(const char *path);
    void (*forget)(void);
};

/** From here on the databases are that engine's; NULL: SQLite's. */
void scratch_use(const struct scratch_engine *engine);

/** Asks until it holds; false when it has not within SCRATCH_PATIENCE_MS. */
bool scratch_eventually(bool (*holds)(void *context), void *context);

/** The one integer a query gives, over a reader of its own; -1 on any error. */
int64_t scratch_number(struct db *db, const char *sql);

/** Runs a script as one job. */
enum err must_check scratch_script(struct db *db, const char *sql);

#endif
