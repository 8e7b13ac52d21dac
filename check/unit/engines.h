/*
 * One table of cases, run on every engine: what holds of state/db.h, and of who stands on it, holds on all of them.
 *
 *     int main(void) { return engines_main("outbox", cases, sizeof cases / sizeof cases[0]); }
 */
#ifndef TANDEM_CHECK_UNIT_ENGINES_H
#define TANDEM_CHECK_UNIT_ENGINES_H

#include <stdbool.h>

#include "check/harness/postgres.h"
#include "check/harness/suite.h"

/** suite_main() on SQLite, and on a PostgreSQL server of its own. */
int engines_main(const char *suite, const struct suite_case *cases, size_t count);

/** The same on PostgreSQL alone. */
int engines_main_postgres(const char *suite, const struct suite_case *cases, size_t count);

/** Whether the running case is on SQLite. */
bool engines_is_sqlite(void);

/** The server of the running case; NULL on SQLite. */
struct postgres *engines_postgres(void);

/** The name of the database that stands for a path. */
const char *engines_database(const char *path);

#endif
