/*
 * A service's database as an operator names it: a file, a URL, or the name of the service.
 */
#ifndef TANDEM_APPS_CTL_DB_PLACE_H
#define TANDEM_APPS_CTL_DB_PLACE_H

#include "app/database_settings.h"
#include "apps/ctl/db_files.h"
#include "apps/ctl/invocation.h"

struct db_place {
    const char *name;                    /* as it was given */
    struct settings *settings;           /* of a service that was named; NULL */
    struct database_settings given;
    struct db *db;                       /* NULL until it is open */
};

/** Opens it. Makes the file when that is wanted and there is none. False after a message. db_place_fini() in any
 *  case. */
bool db_place_open(struct db_place *place, const struct invocation *invocation, const char *name, bool may_make);
void db_place_fini(struct db_place *place);

/** The migrations of the service whose database it is. False after a message when it is none's. */
bool db_place_sets(struct db_place *place, struct migration_set sets[static DB_SETS_MAX]);

#endif
