/* What stands for PostgreSQL in a program that was built without libpq. */
#include "config.h"

#include "state/db_engine.h"

const struct db_engine db_postgres = {
    .scheme = "postgresql",
    .system = "postgresql",
    .absent = "this program was built without PostgreSQL: configure --with-postgresql, with libpq (Debian: libpq-dev)",
};
