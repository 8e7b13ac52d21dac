/*
 * What the files of the database share among themselves; nobody else includes this but state/migrate.c and who looks
 * after a SQLite file.
 *
 * db.c opens and closes, db_statement.c is the statement cache and cursor, db_batch.c runs a batch of jobs as one
 * transaction, db_writer.c is the queue and the writers' threads, db_listener.c wakes who waits for commits,
 * db_engine.c has the table of engines. db_sqlite*.c and db_postgres*.c are these.
 */
#ifndef TANDEM_STATE_DB_PRIVATE_H
#define TANDEM_STATE_DB_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "state/db.h"
#include "state/db_engine.h"
#include "telemetry/metric.h"

enum {
    DB_STATEMENTS = 128,           /* kept per connection; the least recently used makes room */
    DB_PARAMETERS = 64,            /* of one statement */
    DB_PATH_SIZE = 4352,
};

struct db_statement {
    struct db_connection *connection;
    const char *sql;               /* the key is its address */
    void *handle;                  /* the engine's; NULL when it could not be prepared; err then says why */
    struct db_statement *next;     /* of the same hash */
    uint64_t used_at;
    int64_t changes;
    enum err err;
    bool in_use, at_row, finished;
};

/* An engine's connection begins with this. */
struct db_connection {
    struct db *db;
    const struct db_engine *engine;
    enum connection_kind kind;
    struct metric_series reads;    /* of zeros unless its statements are counted */
    struct db_statement statements[DB_STATEMENTS];
    struct db_statement *buckets[DB_STATEMENTS];
    unsigned statement_count, in_use;
    uint64_t uses;
    int64_t deadline_ns;           /* of a reader's statements; 0: none … */
    const atomic_bool *given_up;   /* … and what else ends them; may be NULL */
    unsigned notified;             /* listeners to wake after the commit, a bit each */
    bool is_free;                  /* a writer's transaction runs freely (db_engine.h) */
    bool has_changed;              /* something was changed since this was last set to false */
    bool must_rerun;               /* the transaction cannot go on, through no fault of its jobs: it is run again */
};

struct db_counters {
    atomic_uint_fast64_t jobs, jobs_failed, batches, commit_failures, busy, commit_ns, wal_bytes, queued, turn_ns,
        reruns, reconnects;
};

/* Handles of nobody's series when the database is not measured. */
struct db_metrics {
    struct metric_series reads, jobs, jobs_failed, batches, commit_failures, busy, turn_ns, reruns, reconnects,
        batch_size, commit, connections, away, replica_away;
};

struct db_listener {
    const char *topic;             /* NULL: free */
    void (*wake)(void *context);
    void *context;
};

/* One job of the batch under way. */
struct db_batch_entry {
    struct db_job *job;
    enum err err;
    bool guilty;                   /* it ended the whole transaction: not run again */
    size_t cause_at, cause_length; /* in db_batch.causes */
};

struct db_batch {
    struct db_batch_entry *entries;
    size_t count;
    enum err ended_by;             /* what ended a transaction under the batch */
    int64_t committed_ns;          /* when the latest transaction was over; 0: none came so far */
    bool each_alone;               /* it was run as a transaction a job */
    struct buf causes;             /* why jobs failed; a job whose cause does not fit is told the code alone */
};

/* A thread that runs batches over a connection of its own. */
struct db_writer {
    struct db *db;
    struct db_connection *connection;
    struct db_batch batch;
    pthread_t thread;
    bool started;
};

/* An engine's database begins with this. */
struct db {
    const struct db_engine *engine;
    struct db_opts opts;
    char *path;                    /* of the file; or what stands for the server's database in messages */
    struct db_connection *writer;  /* the first writer's; the main thread's until db_start() */
    struct db_writer *writers;
    unsigned writer_count;
    pthread_mutex_t lock;          /* of the queue and what follows it */
    pthread_cond_t work;
    struct db_job *first, *last;
    size_t queued;
    unsigned idle;                 /* writers that wait for work */
    bool started, closing;
    pthread_mutex_t listeners_lock;
    struct db_listener listeners[DB_MAX_LISTENERS];
    struct db_counters counters;
    struct db_metrics metrics;
};

#define DB_COUNT(db, counter, n)                                                          \
    do {                                                                                  \
        atomic_fetch_add_explicit(&(db)->counters.counter, (n), memory_order_relaxed);    \
        metric_add((db)->metrics.counter, (int64_t)(n));                                  \
    } while (0)
#define DB_SET(db, counter, n) atomic_store_explicit(&(db)->counters.counter, (n), memory_order_relaxed)
#define DB_GET(db, counter) atomic_load_explicit(&(db)->counters.counter, memory_order_relaxed)

/* ---- db.c ---- */

enum err must_check connection_open(struct db *db, enum connection_kind kind, struct db_connection **ret);
void connection_close(struct db_connection *connection);

/** Runs one cached statement without parameters. */
enum err must_check connection_run(struct db_connection *connection, const char *sql);

/** Writes what an engine said into out as one line; cut at size. */
void connection_said(struct text said, char *out, size_t size);

/* ---- db_statement.c ---- */

/** Keeps the first error of a statement. */
void statement_fail(struct db_statement *statement, enum err err);

void connection_forget_statements(struct db_connection *connection);

/* ---- db_batch.c ---- */

enum err must_check batch_init(struct db_batch *batch, unsigned max);
void batch_fini(struct db_batch *batch);

/** Runs the jobs in one transaction (several, when a failure ends the first); each entry then has its outcome. */
void batch_run(struct db_writer *writer);

/** Tells each job its outcome and empties the batch. */
void batch_tell(struct db_writer *writer);

/* ---- db_writer.c ---- */

enum err must_check writer_start(struct db *db);
void writer_stop(struct db *db);

/* ---- db_listener.c ---- */

/** After a commit: wakes those whom its jobs have notified. */
void listeners_wake(struct db_connection *connection);

#endif
