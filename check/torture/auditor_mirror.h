/*
 * What the auditor reads when the services' data is in PostgreSQL: a copy of all their tables, made anew each time it
 * is asked for, in databases of SQLite in memory that have the names of the files.
 */
#ifndef TANDEM_CHECK_TORTURE_AUDITOR_MIRROR_H
#define TANDEM_CHECK_TORTURE_AUDITOR_MIRROR_H

#include <sqlite3.h>
#include <stdbool.h>

struct mirror;

/** conninfo is libpq's, without the database, which is tandem_SERVICE. What went wrong is printed, and NULL. */
struct mirror *mirror_open(sqlite3 *db, const char *conninfo);
void mirror_close(struct mirror *mirror);

/** Copies a service's tables into the schema, an attached database. False, and the reason printed, when it cannot. */
bool mirror_take(struct mirror *mirror, const char *service, const char *schema);

#endif
