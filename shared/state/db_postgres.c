#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/db_postgres.h"

enum { SCRIPT_SIZE = 512 };

/* ---- the database ---- */

static enum err open_targets(struct postgres_database *database)
{
    const struct db_opts *opts = &database->base.opts;
    enum err err = postgres_target_init(&database->primary, opts->url, opts->password_file);
    if (!err && opts->read_url && *opts->read_url)
        err = postgres_target_init(&database->replica, opts->read_url, opts->password_file);
    return err;
}

static enum err check_url(const char *option, const char *url)
{
    struct postgres_target target = {.count = 0};
    enum err err = url && *url ? postgres_target_init(&target, url, NULL) : ERR_NONE;
    postgres_target_fini(&target);
    return err ? err_because(err, "%s: %s", option, err_cause()) : ERR_NONE;
}

static enum err check_opts(const struct db_opts *opts, const char *path)
{
    (void)path;
    enum err err = check_url("db.url", opts->url);
    return err ? err : check_url("db.read_url", opts->read_url);
}

/* The URL's name for messages takes the place of a path. */
static enum err name_database(struct postgres_database *database)
{
    char *name = strdup(database->primary.name);
    if (!name)
        return err_because(ERR_MEMORY, "open: out of memory");
    free(database->base.path);
    database->base.path = name;
    return ERR_NONE;
}

static enum err open_database(struct db *db)
{
    struct postgres_database *database = postgres_database(db);
    pthread_mutex_init(&database->lease_lock, NULL);
    pthread_mutex_init(&database->gate.lock, NULL);
    pthread_mutex_init(&database->replica_gate.lock, NULL);
    pthread_mutex_init(&database->replica_lock, NULL);
    database->gate.away = db->metrics.away;
    database->replica_gate.away = db->metrics.replica_away;
    enum err err = open_targets(database);
    return err ? err : name_database(database);
}

/* Before the writers' end, so that nothing holds a lease that does nothing for it. */
static void stop_database(struct db *db)
{
    struct postgres_database *database = postgres_database(db);
    connection_close(database->lease);
    connection_close(database->replica_asker);
    database->lease = database->replica_asker = NULL;
}

static void close_database(struct db *db)
{
    struct postgres_database *database = postgres_database(db);
    postgres_target_fini(&database->primary);
    postgres_target_fini(&database->replica);
    pthread_mutex_destroy(&database->lease_lock);
    pthread_mutex_destroy(&database->gate.lock);
    pthread_mutex_destroy(&database->replica_gate.lock);
    pthread_mutex_destroy(&database->replica_lock);
}

/* ---- connections ---- */

/* Texts sort by their bytes: that is what keys of pages go by, and what SQLite does. */
static enum err check_database(struct db_connection *connection)
{
    struct db_statement *query = db_query(connection, "SELECT current_setting('server_encoding'),"
                                                      " 'B' < 'a' AND 'a-c' < 'ab' AND 'z' < U&'\\00e9'");
    enum err verdict = ERR_NONE;
    if (db_next(query)) {
        if (!text_equal_string(db_text(query, 0), "UTF8"))
            verdict = err_because(ERR_CONFIG, "%s: the database's encoding is %.*s, and has to be UTF8",
                                  connection->db->path, TEXT_ARGS(db_text(query, 0)));
        else if (!db_int(query, 1))
            verdict = err_because(ERR_CONFIG, "%s: the database sorts by a language, and has to sort by bytes: CREATE"
                                              " DATABASE … TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE"
                                              " 'C'", connection->db->path);
    }
    enum err err = db_done(query);
    return err ? err : verdict;
}

/* Only the first writer's waits for the server; all others connect when they are used first. */
static enum err connect(struct db_connection *connection)
{
    const struct db *db = connection->db;
    if (connection->kind != CONNECTION_WRITER || db->writer)
        return ERR_NONE;
    enum err err = postgres_await(postgres_connection(connection), db->opts.start_timeout_ms);
    return err ? err : check_database(connection);
}

static void disconnect(struct db_connection *connection)
{
    postgres_drop(postgres_connection(connection));
}

static enum err in_place(struct db_connection *connection)
{
    (void)connection;   /* who asks also writes, and hears from that */
    return ERR_NONE;
}

/* Of an empty table the highest is NULL, which leaves the sequence as it is. */
static enum err go_on_after(struct db_connection *connection, const char *table, const char *column)
{
    char sql[SCRIPT_SIZE];
    snprintf(sql, sizeof sql, "SELECT setval(pg_get_serial_sequence('\"%s\"', '%s'), (SELECT max(\"%s\") FROM \"%s\"))",
             table, column, column, table);
    return postgres_script(connection, sql);
}

const struct db_engine db_postgres = {
    .scheme = "postgresql",
    .system = "postgresql",
    .runs_freely = true,
    .database_size = sizeof(struct postgres_database),
    .connection_size = sizeof(struct postgres_connection),
    .has_table_sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1",
    .size_sql = "SELECT pg_database_size(current_database())",
    .tables_sql = "SELECT made.relname, info.attname, format_type(info.atttypid, NULL),"
                  " coalesce(array_position(key.indkey::int2[], info.attnum) + 1, 0), info.attidentity <> ''"
                  " FROM pg_class AS made JOIN pg_attribute AS info ON info.attrelid = made.oid"
                  " LEFT JOIN pg_index AS key ON key.indrelid = made.oid AND key.indisprimary"
                  " WHERE made.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
                  " AND made.relkind IN ('r', 'p') AND made.relname <> 'schema_migration'"
                  " AND info.attnum > 0 AND NOT info.attisdropped ORDER BY made.oid, info.attname",
    .snapshot_sql = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
    .check = check_opts,
    .open = open_database,
    .stop = stop_database,
    .close = close_database,
    .lease_take = postgres_lease_take,
    .lease_end = postgres_lease_end,
    .replica_lag = postgres_replica_lag,
    .connect = connect,
    .disconnect = disconnect,
    .in_place = in_place,
    .script = postgres_script,
    .go_on_after = go_on_after,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .roll_back = postgres_roll_back,
    .savepoint = postgres_savepoint,
    .release = postgres_release,
    .undo = postgres_undo,
    .in_transaction = postgres_in_transaction,
    .prepare = postgres_prepare,
    .finalize = postgres_finalize,
    .bind_text = postgres_bind_text,
    .bind_int = postgres_bind_int,
    .bind_null = postgres_bind_null,
    .step = postgres_step,
    .run = postgres_run,
    .text = postgres_text,
    .integer = postgres_integer,
    .is_null = postgres_is_null,
    .reset = postgres_reset,
};
