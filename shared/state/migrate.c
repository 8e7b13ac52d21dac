#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "state/db_private.h"
#include "state/migrate_private.h"

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " migration_set TEXT NOT NULL,"
    " number BIGINT NOT NULL,"
    " name TEXT NOT NULL,"
    " digest TEXT NOT NULL,"
    " applied_us BIGINT NOT NULL,"
    " PRIMARY KEY (migration_set, number))";
static const char applied_sql[] =
    "SELECT migration_set, number, name, digest FROM schema_migration ORDER BY migration_set, number";
static const char count_sql[] = "SELECT count(*) FROM schema_migration WHERE migration_set = $1";
static const char insert_sql[] =
    "INSERT INTO schema_migration (migration_set, number, name, digest, applied_us) VALUES ($1, $2, $3, $4, $5)";

/* What it is in the database's language. */
static const char *sql_of(const struct db *db, const struct migration *migration)
{
    bool is_sqlite = db->engine == &db_sqlite;
    return is_sqlite || !migration->postgresql ? migration->sql : migration->postgresql;
}

static const struct migration_set *find_set(const struct migration_set *sets, size_t set_count, struct text name)
{
    for (size_t i = 0; i < set_count; i++)
        if (text_equal_string(name, sets[i].name))
            return &sets[i];
    return NULL;
}

/* What was applied must be what this program has under the same number. */
static enum err check_row(const struct db *db, struct db_statement *row, const struct migration_set *sets,
                          size_t set_count)
{
    struct text set_name = db_text(row, 0);
    int64_t number = db_int(row, 1);
    const struct migration_set *set = find_set(sets, set_count, set_name);
    if (!set)
        return err_because(ERR_STORAGE, "the database has migrations of \"%.*s\", which this program does not know",
                           TEXT_ARGS(set_name));
    if (number < 1 || (uint64_t)number > set->count)
        return err_because(ERR_STORAGE, "the database is newer than this program: it has migration %lld of \"%s\"",
                           (long long)number, set->name);
    const struct migration *migration = &set->migrations[number - 1];
    char digest[TOKEN_DIGEST_SIZE];
    if (!text_equal_string(db_text(row, 3), digest_hex(text_of(sql_of(db, migration)), digest)))
        return err_because(ERR_STORAGE, "migration %s of \"%s\" was altered after it had been applied",
                           migration->name, set->name);
    return ERR_NONE;
}

static enum err has_any(struct db_connection *connection, bool *ret)
{
    struct db_statement *query = db_query(connection, connection->engine->has_table_sql);
    db_bind_string(query, 1, "schema_migration");
    bool exists = db_next(query);
    enum err err = db_done(query);
    if (!err)
        *ret = exists;
    return err;
}

static enum err check_applied(struct db_connection *connection, const struct migration_set *sets, size_t set_count)
{
    bool exists = false;
    enum err err = has_any(connection, &exists);
    if (err || !exists)
        return err;

    enum err verdict = ERR_NONE;
    struct db_statement *query = db_query(connection, applied_sql);
    while (!verdict && db_next(query))
        verdict = check_row(connection->db, query, sets, set_count);
    err = db_done(query);
    return err ? err : verdict;
}

static enum err count_applied(struct db_connection *connection, const struct migration_set *set, size_t *ret)
{
    struct db_statement *query = db_query(connection, count_sql);
    db_bind_string(query, 1, set->name);
    size_t count = db_next(query) ? (size_t)db_int(query, 0) : 0;
    enum err err = db_done(query);
    if (!err)
        *ret = count;
    return err;
}

static enum err apply(struct db_connection *connection, const struct migration_set *set,
                      const struct migration *migration)
{
    const char *sql = sql_of(connection->db, migration);
    enum err err = db_script(connection, sql);
    if (!err && !connection->engine->in_transaction(connection))
        err = err_because(ERR_STORAGE, "it ends its transaction by itself");
    if (err)
        return err_because(err == ERR_STORAGE_FULL ? err : ERR_STORAGE, "migration %s of \"%s\": %.400s",
                           migration->name, set->name, err_cause());

    char digest[TOKEN_DIGEST_SIZE];
    struct db_statement *insert = db_query(connection, insert_sql);
    db_bind_string(insert, 1, set->name);
    db_bind_int(insert, 2, migration->number);
    db_bind_string(insert, 3, migration->name);
    db_bind_string(insert, 4, digest_hex(text_of(sql), digest));
    db_bind_int(insert, 5, clock_wall_us());
    return db_run(insert, NULL);
}

/* In one transaction, which is also the lock: looks at everything again, as others may have migrated meanwhile, and
 * applies the first migration that is missing. *ret_applied is false when none was. */
static enum err step(struct db_connection *connection, const struct migration_set *sets, size_t set_count,
                     bool *ret_applied)
{
    bool applied = false;
    enum err err = connection->engine->begin(connection, TRANSACTION_MIGRATION);
    if (err)
        return err;
    err = check_applied(connection, sets, set_count);
    if (!err)
        err = connection_run(connection, create_sql);
    for (size_t i = 0; !err && !applied && i < set_count; i++) {
        size_t count = 0;
        err = count_applied(connection, &sets[i], &count);
        if (!err && count < sets[i].count) {
            err = apply(connection, &sets[i], &sets[i].migrations[count]);
            applied = true;
        }
    }
    if (!err && applied)
        err = fault_at(FAULT_MIGRATE_BEFORE_COMMIT);
    if (!err && applied)
        err = connection->engine->commit(connection);
    connection->engine->roll_back(connection);
    if (!err)
        *ret_applied = applied;
    return err;
}

enum err migrate(struct db *db, const struct migration_set *sets, size_t set_count)
{
    bool applied = true;
    enum err err = check_applied(db->writer, sets, set_count);
    if (!err)
        err = db->engine->accept ? db->engine->accept(db->writer) : ERR_NONE;
    while (!err && applied)
        err = step(db->writer, sets, set_count, &applied);
    return err;
}

enum err migrate_missing(struct db *db, const struct migration_set *sets, size_t set_count, unsigned *ret)
{
    bool exists = false;
    unsigned missing = 0;
    enum err err = has_any(db->writer, &exists);
    if (!err && exists)
        err = check_applied(db->writer, sets, set_count);
    for (size_t i = 0; i < set_count && !err; i++) {
        size_t count = 0;
        if (exists)
            err = count_applied(db->writer, &sets[i], &count);
        missing += (unsigned)(sets[i].count - count);
    }
    if (!err)
        *ret = missing;
    return err;
}

enum err migrate_check(struct db *db, const struct migration_set *sets, size_t set_count)
{
    unsigned missing = 0;
    enum err err = migrate_missing(db, sets, set_count, &missing);
    if (!err && missing)
        err = err_because(ERR_STORAGE, "%s is of an older schema, %u migrations behind: start its service first",
                          db->path, missing);
    return err;
}

enum err migrate_has(struct db *db, const char *set_name, bool *ret)
{
    const struct migration_set set = {.name = set_name};
    bool exists = false;
    size_t count = 0;
    enum err err = has_any(db->writer, &exists);
    if (!err && exists)
        err = count_applied(db->writer, &set, &count);
    if (!err)
        *ret = count > 0;
    return err;
}
