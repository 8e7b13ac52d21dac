/*
 * What state/maintain.c asks of migrations.
 */
#ifndef TANDEM_STATE_MIGRATE_PRIVATE_H
#define TANDEM_STATE_MIGRATE_PRIVATE_H

#include "state/migrate.h"

/** How many migrations the sets have that the database has not. ERR_STORAGE as migrate(), for one that is newer, or was
 *  altered. Changes nothing. */
enum err must_check migrate_missing(struct db *db, const struct migration_set *sets, size_t set_count, unsigned *ret);

#endif
