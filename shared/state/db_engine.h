/*
 * An engine: what the database does by itself, as a row of functions. The files db_*.c that name no engine are common
 * to all: the queue, batches, the cache of statements, listeners, counters.
 *
 * An engine's own state lies behind the common structs: its databases and connections begin with struct db and struct
 * db_connection, and are so many bytes as it says; a statement's is behind its handle.
 */
#ifndef TANDEM_STATE_DB_ENGINE_H
#define TANDEM_STATE_DB_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "state/db.h"

enum connection_kind {
    CONNECTION_WRITER,
    CONNECTION_READER,
    CONNECTION_STALE_READER,       /* a reader that a replica may answer */
    CONNECTION_CHECKPOINTER,       /* SQLite's */
};

/* What a transaction is for. */
enum transaction_kind {
    TRANSACTION_BATCH,
    TRANSACTION_MIGRATION,         /* one of all processes at a time, however long that takes */
};

struct db_engine {
    const char *scheme;            /* of its URLs, "postgresql" */
    const char *system;            /* db.system.name of OpenTelemetry's semantic conventions */
    const char *absent;            /* why it cannot be opened: this program was built without it; else NULL */
    bool reads_are_local;          /* a query answers without leaving the process: fit for a reactor */
    bool runs_freely;              /* a batch is first run without savepoints and without waiting for its changes */
    size_t database_size, connection_size;
    const char *has_table_sql;     /* a row when there is a table $1 */
    const char *size_sql;          /* the bytes of the database */
    const char *tables_sql;        /* see state/table.c */
    const char *snapshot_sql;      /* begins a reader's transaction that sees one moment, from its first query on */

    /* ---- a database ---- */

    /** Whether these options make sense, path being what opts say of one. ERR_CONFIG with a cause. */
    enum err (*check)(const struct db_opts *opts, const char *path);
    /** Opens what all connections share. db->writer is not open yet. */
    enum err (*open)(struct db *db);
    /** Before the writers start; and after they have ended. May be NULL. */
    enum err (*start)(struct db *db);
    void (*stop)(struct db *db);
    /** Undoes open(), however far that came. */
    void (*close)(struct db *db);
    bool (*lease_take)(struct db *db, unsigned number);
    void (*lease_end)(struct db *db, unsigned number);
    /** NULL where there are no replicas. */
    enum err (*replica_lag)(struct db *db, int64_t *ret_us);

    /* ---- a connection ---- */

    enum err (*connect)(struct db_connection *connection);
    void (*disconnect)(struct db_connection *connection);
    /** From here on the database is ours to change. Again does nothing. May be NULL. */
    enum err (*accept)(struct db_connection *connection);
    enum err (*in_place)(struct db_connection *connection);
    enum err (*script)(struct db_connection *connection, const char *sql);
    /** Has what numbers a column's rows go on after the highest there is. NULL where nothing has to be told. */
    enum err (*go_on_after)(struct db_connection *connection, const char *table, const char *column);

    /* ---- transactions: writers only ---- */

    /** Around a batch, on its thread: before jobs are taken; when it is committed; when its jobs have been told. May be
     *  NULL. */
    void (*enter)(struct db *db);
    void (*leave)(struct db *db);
    void (*rest)(struct db *db);

    enum err (*begin)(struct db_connection *connection, enum transaction_kind kind);
    /** ERR_UNAVAILABLE when it could not be found out whether it was committed. */
    enum err (*commit)(struct db_connection *connection);
    /** Clean-up, which cannot fail: whatever is under way is undone. */
    void (*roll_back)(struct db_connection *connection);
    enum err (*savepoint)(struct db_connection *connection);
    enum err (*release)(struct db_connection *connection);
    enum err (*undo)(struct db_connection *connection);
    /** Whether a transaction is under way in which undo() may help; a failure may have ended it. */
    bool (*in_transaction)(const struct db_connection *connection);

    /* ---- statements: at is checked by none of the callers ---- */

    /** Gives the statement its handle, or its err. */
    void (*prepare)(struct db_statement *statement);
    void (*finalize)(struct db_statement *statement);
    enum err (*bind_text)(struct db_statement *statement, int at, struct text value);
    enum err (*bind_int)(struct db_statement *statement, int at, int64_t value);
    enum err (*bind_null)(struct db_statement *statement, int at);
    /** To the next row: true. Else the statement is finished, and has its changes or its err. */
    bool (*step)(struct db_statement *statement);
    /** To the end, where nobody asks for rows or their number; the failure may come with a later statement or with the
     *  commit, when the transaction runs freely. NULL: as step(). */
    void (*run)(struct db_statement *statement);
    struct text (*text)(struct db_statement *statement, int column);
    int64_t (*integer)(struct db_statement *statement, int column);
    bool (*is_null)(struct db_statement *statement, int column);
    void (*reset)(struct db_statement *statement);
};

extern const struct db_engine db_sqlite, db_postgres;

/** The engine that a URL is for, SQLite for an empty one. ERR_CONFIG for a scheme that is none's, and for an engine
 *  that this program was built without. */
enum err must_check db_engine_find(const char *url, const struct db_engine **ret);

#endif
