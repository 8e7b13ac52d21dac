#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/db_sqlite.h"

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Counting every allocation would take a lock that all threads share, and taking twenty pages for each connection at
 * once would be most of the memory of a service at rest. Refused, harmlessly, when SQLite is in use. */
static void configure_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

const char *path_beside(const struct db *db, const char *suffix, char out[static DB_PATH_SIZE])
{
    snprintf(out, DB_PATH_SIZE, "%s%s", db->path, suffix);
    return out;
}

/* ---- the database ---- */

static enum err check_opts(const struct db_opts *opts, const char *path)
{
    struct stat status;
    if (!*path)
        return err_because(ERR_CONFIG, "a database needs a path");
    if (!opts->wal_checkpoint_bytes || opts->wal_max_bytes < opts->wal_checkpoint_bytes)
        return err_because(ERR_CONFIG, "%s: the log's ceiling is under the size its checkpoints start at", path);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return err_because(ERR_STORAGE, "%s is not a regular file", path);
    return ERR_NONE;
}

/* What follows is said to others before it is looked at, so that nobody replaces it meanwhile. */
static enum err enter_file(struct sqlite_database *database)
{
    char path[DB_PATH_SIZE];
    const struct db *db = &database->base;
    enum err err = lease_open(database);
    if (!err && access(path_beside(db, DB_RESTORING, path), F_OK) == 0)
        err = err_because(ERR_STORAGE, "%s: restoring it was cut off; run tandemctl db restore --force again, or, to"
                                       " keep what is there, remove %s", db->path, path);
    return err;
}

static enum err open_database(struct db *db)
{
    struct sqlite_database *database = sqlite_database(db);
    char path[DB_PATH_SIZE];
    pthread_once(&configured, configure_sqlite);
    checkpoint_init(&database->checkpoint);
    database->lease_fd = -1;
    enum err err = enter_file(database);
    if (!err)
        err = turn_open(path_beside(db, "-turn", path), &database->turn);
    return err;
}

static void close_database(struct db *db)
{
    struct sqlite_database *database = sqlite_database(db);
    turn_close(database->turn);
    if (database->lease_fd >= 0)
        close(database->lease_fd);
    checkpoint_fini(&database->checkpoint);
}

/* ---- a batch ---- */

/* Other processes go first if they asked first. Who is not served in time tries all the same, and has SQLite's word
 * for what holds everybody up. */
static void enter(struct db *db)
{
    int64_t start_ns = clock_now_ns();
    turn_take(sqlite_database(db)->turn, db->opts.busy_timeout_ms);
    DB_COUNT(db, turn_ns, (uint64_t)(clock_now_ns() - start_ns));
}

static void leave(struct db *db)
{
    if (!checkpoint_is_due(db))
        turn_pass(sqlite_database(db)->turn);
}

static void rest(struct db *db)
{
    if (checkpoint_is_due(db))
        checkpoint_fully(db);
    turn_pass(sqlite_database(db)->turn);
}

/* ---- transactions ---- */

static enum err begin(struct db_connection *connection, enum transaction_kind kind)
{
    (void)kind;   /* one transaction writes at a time in any case */
    return connection_run(connection, "BEGIN IMMEDIATE");
}

static enum err commit(struct db_connection *connection)
{
    return connection_run(connection, "COMMIT");
}

static bool in_transaction(const struct db_connection *connection)
{
    return !sqlite3_get_autocommit(sqlite_handle(connection));
}

static void roll_back(struct db_connection *connection)
{
    static const char rollback_sql[] = "ROLLBACK";
    if (in_transaction(connection) && connection_run(connection, rollback_sql))
        sqlite3_exec(sqlite_handle(connection), rollback_sql, NULL, NULL, NULL);
}

static enum err savepoint(struct db_connection *connection)
{
    return connection_run(connection, "SAVEPOINT job");
}

static enum err release(struct db_connection *connection)
{
    return connection_run(connection, "RELEASE job");
}

static enum err undo(struct db_connection *connection)
{
    return connection_run(connection, "ROLLBACK TO job");
}

static enum err script(struct db_connection *connection, const char *sql)
{
    errno = 0;
    int code = sqlite3_exec(sqlite_handle(connection), sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ERR_NONE : sqlite_failed(connection, code, sql);
}

const struct db_engine db_sqlite = {
    .scheme = "sqlite",
    .system = "sqlite",
    .reads_are_local = true,
    .database_size = sizeof(struct sqlite_database),
    .connection_size = sizeof(struct sqlite_connection),
    .has_table_sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1",
    .size_sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    .tables_sql = "SELECT made.name, info.name, info.type, info.pk, 0"
                  " FROM sqlite_schema AS made JOIN pragma_table_info(made.name) AS info"
                  " WHERE made.type = 'table' AND made.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
                  " AND made.name <> 'schema_migration' ORDER BY made.rowid, info.name",
    .snapshot_sql = "BEGIN",
    .check = check_opts,
    .open = open_database,
    .start = checkpoint_start,
    .stop = checkpoint_stop,
    .close = close_database,
    .lease_take = sqlite_lease_take,
    .lease_end = sqlite_lease_end,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .accept = sqlite_accept,
    .in_place = sqlite_in_place,
    .script = script,
    .enter = enter,
    .leave = leave,
    .rest = rest,
    .begin = begin,
    .commit = commit,
    .roll_back = roll_back,
    .savepoint = savepoint,
    .release = release,
    .undo = undo,
    .in_transaction = in_transaction,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .bind_text = sqlite_bind_text,
    .bind_int = sqlite_bind_int,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .text = sqlite_text,
    .integer = sqlite_integer,
    .is_null = sqlite_is_null,
    .reset = sqlite_reset,
};
