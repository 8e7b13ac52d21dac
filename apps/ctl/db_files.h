/*
 * The databases of the system, as the settings name them: one of each service, in a file or on a server, the embedded
 * bus, and the ledger of the sandbox gateway where there is one.
 */
#ifndef TANDEM_APPS_CTL_DB_FILES_H
#define TANDEM_APPS_CTL_DB_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "app/database_settings.h"
#include "apps/ctl/invocation.h"
#include "base/arena.h"
#include "state/migrate.h"

enum { DB_FILES_MAX = 8, DB_SETS_MAX = 3 };

struct db_file {
    const char *name;                              /* in a backup: "order.db" */
    const char *path;                              /* of a server's: its URL */
    const char *service;                           /* whose it is; NULL: bus and ledger */
    const struct settings *settings;               /* of that service */
    bool is_server;
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
    struct settings *settings[DB_FILES_MAX];       /* of the services */
};

/** Reads the settings of all services. False when something is wrong, which is then said. db_files_fini() in any
 *  case. */
bool db_files_find(const struct invocation *invocation, struct db_files *files);
void db_files_fini(struct db_files *files);

/** The migrations of a service's database, as the service itself has them. False when there is no such service. */
bool db_sets_of(const char *service, struct migration_set sets[static DB_SETS_MAX]);

/** How to open that of a service, for a command. */
void db_file_opts(const struct db_file *file, struct database_settings *ret);

/** False, after a message, when one of them is on a server, whose own tools are for that (help says which). */
bool db_files_are_files(const struct db_files *files, const char *help);

#endif
