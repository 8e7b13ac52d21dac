/*
 * Migrations: numbered SQL files, embedded at build, applied in order, each in one transaction, under a lock.
 *
 * The table schema_migration(migration_set, number, name, digest, applied_us) remembers what was applied. One
 * application's schema is the shared modules' migrations (events) followed by its own; sets are kept apart by name.
 */
#ifndef TANDEM_STATE_MIGRATE_H
#define TANDEM_STATE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "state/db.h"

struct migration {
    unsigned number;       /* from 1, without gaps */
    const char *name;      /* of its file */
    const char *sql;
    const char *postgresql;    /* in its language, where the two differ: NNN_name.postgresql.sql; NULL: the same */
};

struct migration_set {
    const char *name;      /* "events", "order" */
    const struct migration *migrations;   /* generated from the folder's *.sql by state/embed.sh */
    size_t count;
};

/**
 * Brings the database up to the sets. Several processes may do so at once. ERR_STORAGE with a cause when a migration
 * fails (it is undone whole), when an applied one was altered, or when the database is newer than this program (it
 * is then not touched). Before db_start(), by the main thread.
 */
enum err must_check migrate(struct db *db, const struct migration_set *sets, size_t set_count);

/** Whether the database is of exactly these sets, without changing anything: for who reads or changes what a service
 *  looks after. ERR_STORAGE with a cause when it is older, newer or another. Before db_start(). */
enum err must_check migrate_check(struct db *db, const struct migration_set *sets, size_t set_count);

/** Whether any migration of a set was applied: which application's the database is. Before db_start(). */
enum err must_check migrate_has(struct db *db, const char *set_name, bool *ret);

#endif
