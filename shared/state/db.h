/*
 * The database: the only way to data, over one of two engines.
 *
 * Reads go through a connection per thread, opened with db_reader_open(). Changes go through the database's writers,
 * threads that gather jobs that wait into one transaction, commit once, and only then tell each job how it went (group
 * commit). A job that fails is undone alone. Nobody else in the process writes.
 *
 * SQL is written once, in what SQLite (3.40 and later) and PostgreSQL (14 and later) share: $1 parameters, RETURNING,
 * ON CONFLICT, ids made by the application, times as integer microseconds, money as integer minor units. Statements are
 * prepared once per connection and kept; the key is the address of the SQL string, so pass literals or static arrays.
 * After a statement of a job has failed, the job can only fail: it does not go on to another statement, but for
 * ROLLBACK TO a savepoint of its own. What may be there already is asked for with ON CONFLICT DO NOTHING.
 *
 * SQLite: WAL, synchronous=FULL, foreign keys on, BEGIN IMMEDIATE, one writer; the writers of several processes take
 * turns, a batch each, in the order they asked (state/turn.h). Checkpoints run off the writer's path. Beside the file
 * lie those of the log (-wal, -shm), of turns (-turn) and of leases (-lease); the latter two hold nothing worth
 * keeping.
 *
 * PostgreSQL: `connections` writers in each process, all transactions SERIALIZABLE, since jobs are written as if there
 * were one writer: what they read holds until they commit, whoever else is at it. Transactions that are in each other's
 * way (SQLSTATE 40001, 40P01), or lost their connection before the commit, are run again, a bounded number of times. A
 * job whose connection is lost during the commit ends with ERR_UNAVAILABLE: whether it came about is not known, and it
 * is not run again. A reader takes each statement's rows into memory as a whole, and each statement is a
 * journey to the server: db_reads_are_local() is false. While the server is away everything fails at once with
 * ERR_UNAVAILABLE, and is tried again by itself with growing pauses of up to a second.
 */
#ifndef TANDEM_STATE_DB_H
#define TANDEM_STATE_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct db;
struct db_connection;
struct db_statement;

struct db_opts {
    const char *url;                   /* postgresql://USER@HOST:PORT/DATABASE?PARAMETER=VALUE, with libpq's parameters,
                                          or sqlite:PATH; empty or NULL: the file at path */
    const char *path;                  /* of the SQLite file; made when missing, its folder is not */
    unsigned batch_max;                /* jobs in one transaction */
    unsigned queue_max;                /* jobs that may wait; db_submit() refuses more */
    unsigned busy_timeout_ms;          /* waiting for another process's transaction, and before that for the turn */
    /* SQLite's: */
    unsigned cache_kib;                /* page cache of each connection */
    size_t wal_checkpoint_bytes;       /* the checkpointer starts at this size of the log … */
    size_t wal_max_bytes;              /* … and at this one the writer itself waits for a full checkpoint */
    /* PostgreSQL's: */
    const char *read_url;              /* of a replica, for db_reader_open_stale(); empty or NULL: there is none */
    const char *password_file;         /* read at each connection; empty or NULL: none is given */
    unsigned connections;              /* writers; 0 is one */
    unsigned connect_timeout_ms;       /* for one try to connect */
    unsigned start_timeout_ms;         /* for how long db_open() goes on trying */
    unsigned statement_timeout_ms;     /* of each statement, at the server; 0: none */
    /** The server went away, with the cause, or is back. On any thread; must not block. May be NULL. */
    void (*noticed)(void *context, bool is_away, const char *cause);
    void *noticed_context;

    bool measured;                     /* it is the service's own, whose metrics these are (METRIC_DB_…) */
};

/* What the database has done so far; these only rise, but for wal_bytes and queued, which are of this moment. */
struct db_stats {
    uint64_t jobs, jobs_failed, batches, commit_failures, busy, commit_ns, wal_bytes, queued, turn_ns, reruns,
        reconnects;
};

/** Whether db_open() could do with these: all of it that needs no server and changes no file. ERR_CONFIG,
 *  ERR_STORAGE. */
enum err must_check db_check(const struct db_opts *opts);

/** Opens the file and checks that it is a healthy database, without starting the writer. The file is not changed before
 *  migrate() has found that it may be, or db_start(). Up to DB_CHECK_MAX_BYTES all of it is checked, beyond that its
 *  schema only. Of a server: connects, and checks version, encoding and order of texts. ERR_STORAGE, ERR_STORAGE_FULL,
 *  ERR_BUSY, ERR_MEMORY, ERR_UNAVAILABLE; ERR_CONFIG for options that make no sense, an engine that this program was
 *  built without, or what the server refuses. */
enum { DB_CHECK_MAX_BYTES = 8 * 1024 * 1024 };
enum err must_check db_open(const struct db_opts *opts, struct db **ret);

/** Starts the writers and the checkpointer. Migrations come before (state/migrate.h). */
enum err must_check db_start(struct db *db);

/** Runs every job that waits, then ends the threads and closes. Readers must be closed before. NULL is fine. */
void db_close(struct db *db);

void db_stats(struct db *db, struct db_stats *ret);

/** Whether a query neither waits nor leaves the machine, and may run where nothing may block. */
bool db_reads_are_local(const struct db *db);

/** "sqlite", "postgresql": db.system.name of OpenTelemetry's semantic conventions. */
const char *db_system_name(const struct db *db);

/* ---- reading ---- */

/** A connection that can only read, for one thread at a time. */
enum err must_check db_reader_open(struct db *db, struct db_connection **ret);

/** The same for what may be told as it was a moment ago: a replica answers, where there is one that can be reached. */
enum err must_check db_reader_open_stale(struct db *db, struct db_connection **ret);
void db_reader_close(struct db_connection *connection);

/** Whether what the connection has open still is the file of its path. ERR_STORAGE when that was moved, removed or
 *  replaced: others who open it get another one. On the connection's thread. */
enum err must_check db_in_place(struct db_connection *connection);

/** Bytes of the database. */
enum err must_check db_size(struct db_connection *connection, int64_t *ret);

/** For how long the replica of read_url has not had what the primary has; 0 when it has all of it, when the primary
 *  answers for it, and when there is none. Waits for an answer, a second at the most, and for being connected before:
 *  ERR_DEADLINE, ERR_UNAVAILABLE. Any thread. */
enum err must_check db_replica_lag(struct db *db, int64_t *ret_us);

/** Until the next call of this, statements of this reader end with ERR_DEADLINE once the monotonic clock is past
 *  deadline_ns (0: never) or *given_up (may be NULL) is true. That is looked at every few thousand steps of theirs. */
void db_reader_limit(struct db_connection *connection, int64_t deadline_ns, const atomic_bool *given_up);

/* ---- changing ---- */

/** Makes the change, in a writer's transaction, on that writer's thread. May be run again after a conflict, so it has
 *  no effect outside the transaction but on its job. An error undoes this job alone. On PostgreSQL db_run() with nobody
 *  asking for the number of changes may return before the server has run it; should it fail, the job is run again, and
 *  then told so where it happens. */
typedef enum err db_work(struct db_connection *connection, void *context);

/* With whom and when a job's change became durable. */
struct db_committed {
    int64_t at_ns;                                    /* monotonic; also of a failure, when that was known */
    unsigned batch_size;                              /* jobs in the transaction, this one among them */
};

struct db_job {
    db_work *work;
    void (*done)(struct db_job *job, enum err err);   /* on a writer's thread, after the commit; must not block */
    void *context;
    struct db_job *next;                              /* the queue's */
    enum err err;                                     /* the writer's */
    struct db_committed committed;                    /* set before done is called */
};

/** Queues a job; the caller keeps it alive until done is called. Any thread; never blocks. ERR_BUSY when the queue is
 *  full, ERR_CLOSED after db_close(); done is then not called. With one writer jobs run in the order they were queued;
 *  with several they begin in it, so a job that builds on another is queued when that one is done. */
enum err must_check db_submit(struct db *db, struct db_job *job);

/** The same, waiting until it is durable. Not from a reactor, nor from the writer's own thread. */
enum err must_check db_write(struct db *db, db_work *work, void *context);

/** The same, telling when; ret (may be NULL) is set whether it failed or not, once the writer had the job. */
enum err must_check db_write_told(struct db *db, db_work *work, void *context, struct db_committed *ret);

/** Calls wake after each commit in which db_notify(topic) was called. On the writer's thread; must not block. At most
 *  DB_MAX_LISTENERS, added before db_start(). topic is compared by address. */
enum { DB_MAX_LISTENERS = 4 };
enum err must_check db_listen(struct db *db, const char *topic, void (*wake)(void *context), void *context);
void db_notify(struct db_connection *connection, const char *topic);

/** Ends a db_listen(): wake is not called any more once this returns. Any thread but the writer's. */
void db_unlisten(struct db *db, const char *topic, void *context);

/* ---- leases: what one process at a time does ---- */

/** Whether this database handle holds the lease, taking it when nobody does. One of all processes holds it, until
 *  db_lease_end(), db_close() or its end, however it comes; so asking again each second takes over within one. number
 *  is from 0, below DB_MAX_LEASES, and the caller's own to share out. Any thread. Waits for nobody to let go, but on
 *  PostgreSQL may wait up to a second for the server's answer; there a lease may be lost with a connection, so who goes
 *  on for long asks again now and then (what it is told is at most half a second old). */
enum { DB_MAX_LEASES = 64 };
bool db_lease_take(struct db *db, unsigned number);
void db_lease_end(struct db *db, unsigned number);

/* ---- replacing a database's file ---- */

/** Has the database to oneself while its file is replaced: nobody has it open, and who tries is told ERR_BUSY. ERR_BUSY
 *  when somebody has. Ends when the descriptor is closed. */
enum err must_check db_hold(const char *path, int *ret_fd);

/* A file with this behind its name is one that is about to take the database's place; while it is there the database
 * cannot be opened, so that a restore that was cut off is noticed. */
#define DB_RESTORING "-restoring"

/* ---- statements ----
 * A sticky-error cursor:
 *     struct db_statement *query = db_query(connection, "SELECT id, total FROM orders WHERE owner = $1");
 *     db_bind_text(query, 1, owner);
 *     while (db_next(query))
 *         … db_text(query, 0), db_int(query, 1) …
 *     err = db_done(query);
 * The first error is kept and db_done() returns it; until then binding is ignored and db_next() is false. Every
 * db_query() needs its db_done(), which also frees the statement for its next use. Texts read are valid until the
 * next db_next() or db_done() of their statement. A statement cannot be used inside its own loop.
 */

/** Never NULL. sql is one statement. */
struct db_statement *db_query(struct db_connection *connection, const char *sql);

/* Parameters are numbered from 1. An absent text binds NULL. The bytes are copied. */
void db_bind_text(struct db_statement *statement, int at, struct text value);
void db_bind_string(struct db_statement *statement, int at, const char *value);
void db_bind_int(struct db_statement *statement, int at, int64_t value);
void db_bind_null(struct db_statement *statement, int at);

/** Steps to the next row. */
bool db_next(struct db_statement *statement);

/* Columns are numbered from 0. NULL reads as absent, and as 0. */
struct text db_text(struct db_statement *statement, int column);
int64_t db_int(struct db_statement *statement, int column);
bool db_is_null(struct db_statement *statement, int column);

/** Rows changed by a statement that has been stepped to its end. */
int64_t db_changes(const struct db_statement *statement);

/** Ends this use. ERR_CONFLICT for a broken uniqueness or foreign key, ERR_INVALID for a broken CHECK, ERR_BUSY,
 *  ERR_STORAGE_FULL, ERR_STORAGE, ERR_MEMORY. */
enum err must_check db_done(struct db_statement *statement);

/** Steps a statement to its end, ignoring rows, and ends it: for changes. *ret_changes may be NULL. */
enum err must_check db_run(struct db_statement *statement, int64_t *ret_changes);

/** Runs SQL with no parameters, which may be several statements. */
enum err must_check db_script(struct db_connection *connection, const char *sql);

#endif
