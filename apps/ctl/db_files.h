/*
 * The databases of the system, as the settings name them: one of each service, the embedded bus, and the ledger of the
 * sandbox gateway where there is one.
 */
#ifndef TANDEM_APPS_CTL_DB_FILES_H
#define TANDEM_APPS_CTL_DB_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "apps/ctl/invocation.h"
#include "base/arena.h"
#include "state/migrate.h"

enum { DB_FILES_MAX = 8, DB_SETS_MAX = 3 };

struct db_file {
    const char *name;                              /* in a backup: "order.db" */
    const char *path;
    const struct migration_set *sets[DB_SETS_MAX];
    size_t set_count;
};

/* In the order in which they take their places when they are restored: without the bus, which is the last, no service
 * starts. */
struct db_files {
    struct arena arena;
    struct db_file list[DB_FILES_MAX];
    size_t count;
    unsigned busy_timeout_ms;
};

/** Reads the settings of all services. False when something is wrong, which is then said. db_files_fini() in any
 *  case. */
bool db_files_find(const struct invocation *invocation, struct db_files *files);
void db_files_fini(struct db_files *files);

#endif
