/*
 * SQLite's part of the database, for db_sqlite*.c and for who looks after a file (state/backup.c, state/maintain.c).
 *
 * db_sqlite.c is the engine and its database, db_sqlite_connection.c opens connections and translates errors,
 * db_sqlite_statement.c runs statements, db_sqlite_checkpoint.c keeps the write-ahead log bounded, db_sqlite_lease.c is
 * what one process at a time does.
 */
#ifndef TANDEM_STATE_DB_SQLITE_H
#define TANDEM_STATE_DB_SQLITE_H

#include <sqlite3.h>

#include "state/db_private.h"
#include "state/turn.h"

struct sqlite_connection {
    struct db_connection base;
    sqlite3 *handle;
    unsigned busy_timeout_ms;
    int64_t busy_deadline_ns;
    bool accepted;                 /* see sqlite_accept() */
};

struct sqlite_checkpoint {
    pthread_t thread;
    struct db_connection *connection;
    pthread_mutex_t lock;          /* of requested and stopping */
    pthread_cond_t wake;
    bool started, requested, stopping;
    pthread_mutex_t running;       /* held during a checkpoint: SQLite refuses a second one at once */
    size_t frame_bytes;
    size_t last_bytes, next_bytes, full_bytes;   /* the writer's own; see db_sqlite_checkpoint.c */
};

struct sqlite_database {
    struct db base;
    struct sqlite_checkpoint checkpoint;
    struct turn *turn;             /* used like the writer */
    int lease_fd;
};

/* What each of them is when the engine is SQLite. */
static inline struct sqlite_database *sqlite_database(const struct db *db)
{
    return (struct sqlite_database *)(uintptr_t)db;
}

static inline struct sqlite_connection *sqlite_connection(const struct db_connection *connection)
{
    return (struct sqlite_connection *)(uintptr_t)connection;
}

static inline sqlite3 *sqlite_handle(const struct db_connection *connection)
{
    return sqlite_connection(connection)->handle;
}

/* ---- db_sqlite.c ---- */

/** The path of a file beside the database; returns out. */
const char *path_beside(const struct db *db, const char *suffix, char out[static DB_PATH_SIZE]);

/* ---- db_sqlite_connection.c ---- */

/** The writer's leaves the file as it is, also when it is closed; all others, and whoever is to change it, need
 *  sqlite_accept(). */
enum err must_check sqlite_connect(struct db_connection *connection);
void sqlite_disconnect(struct db_connection *connection);

/** From here on the file is ours to change: uses a write-ahead log. Again does nothing. */
enum err must_check sqlite_accept(struct db_connection *connection);

/** The code for SQLite's, with SQLite's message and what was being done as the cause. */
enum err sqlite_failed(struct db_connection *connection, int code, const char *doing);

enum err must_check sqlite_in_place(struct db_connection *connection);

/* ---- db_sqlite_statement.c ---- */

void sqlite_prepare(struct db_statement *statement);
void sqlite_finalize(struct db_statement *statement);
enum err must_check sqlite_bind_text(struct db_statement *statement, int at, struct text value);
enum err must_check sqlite_bind_int(struct db_statement *statement, int at, int64_t value);
enum err must_check sqlite_bind_null(struct db_statement *statement, int at);
bool sqlite_step(struct db_statement *statement);
struct text sqlite_text(struct db_statement *statement, int column);
int64_t sqlite_integer(struct db_statement *statement, int column);
bool sqlite_is_null(struct db_statement *statement, int column);
void sqlite_reset(struct db_statement *statement);

/* ---- db_sqlite_lease.c ---- */

/** Opens the file of leases, and says by it that the database is in use, until that is closed. ERR_BUSY while somebody
 *  restores it. */
enum err must_check lease_open(struct sqlite_database *database);
bool sqlite_lease_take(struct db *db, unsigned number);
void sqlite_lease_end(struct db *db, unsigned number);

/* ---- db_sqlite_checkpoint.c ---- */

void checkpoint_init(struct sqlite_checkpoint *checkpoint);
void checkpoint_fini(struct sqlite_checkpoint *checkpoint);
enum err must_check checkpoint_start(struct db *db);
void checkpoint_stop(struct db *db);

/** Between two batches, on the writer's thread and in its turn: a full checkpoint, when the log has reached its
 *  ceiling. */
bool checkpoint_is_due(const struct db *db);
void checkpoint_fully(struct db *db);

#endif
