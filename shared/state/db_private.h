/*
 * What the files of the database share among themselves; nobody else includes this but state/migrate.c.
 *
 * db_sqlite.c opens connections and translates errors, db_statement.c is the statement cache and cursor, db_batch.c
 * runs a batch of jobs as one transaction, db_writer.c is the queue and the writer's thread, db_checkpoint.c keeps
 * the write-ahead log bounded, db_lease.c is what one process at a time does, db.c puts them together.
 */
#ifndef TANDEM_STATE_DB_PRIVATE_H
#define TANDEM_STATE_DB_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "state/db.h"
#include "state/turn.h"
#include "telemetry/metric.h"

enum {
    DB_STATEMENTS = 128,           /* kept per connection; the least recently used makes room */
    DB_PARAMETERS = 64,            /* of one statement */
    DB_PATH_SIZE = 4352,
};

struct db_statement {
    struct db_connection *connection;
    const char *sql;               /* the key is its address */
    sqlite3_stmt *handle;          /* NULL when it could not be prepared; err then says why */
    struct db_statement *next;     /* of the same hash */
    uint64_t used_at;
    int64_t changes;
    enum err err;
    bool in_use, at_row, finished;
    unsigned char places[DB_PARAMETERS + 1];   /* SQLite's index of $1, $2 …; 0: there is none */
};

struct db_connection {
    struct db *db;
    sqlite3 *handle;
    struct metric_series reads;    /* of zeros unless its statements are counted */
    struct db_statement statements[DB_STATEMENTS];
    struct db_statement *buckets[DB_STATEMENTS];
    unsigned statement_count, in_use;
    uint64_t uses;
    unsigned busy_timeout_ms;
    int64_t busy_deadline_ns;
    int64_t deadline_ns;           /* of a reader's statements; 0: none … */
    const atomic_bool *given_up;   /* … and what else ends them; may be NULL */
    unsigned notified;             /* listeners to wake after the commit, a bit each */
};

struct db_counters {
    atomic_uint_fast64_t jobs, jobs_failed, batches, commit_failures, busy, commit_ns, wal_bytes, queued, turn_ns;
};

/* Handles of nobody's series when the database is not measured. */
struct db_metrics {
    struct metric_series reads, jobs, jobs_failed, batches, commit_failures, busy, turn_ns, batch_size, commit;
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
    struct buf causes;             /* why jobs failed; a job whose cause does not fit is told the code alone */
};

struct db_checkpoint {
    pthread_t thread;
    struct db_connection *connection;
    pthread_mutex_t lock;          /* of requested and stopping */
    pthread_cond_t wake;
    bool started, requested, stopping;
    pthread_mutex_t running;       /* held during a checkpoint: SQLite refuses a second one at once */
    size_t frame_bytes;
    size_t last_bytes, next_bytes, full_bytes;   /* the writer's own; see db_checkpoint.c */
};

struct db {
    struct db_opts opts;
    char *path;
    struct db_connection *writer;  /* the main thread's until db_start(), then the writer thread's */
    struct db_batch batch;
    struct db_checkpoint checkpoint;
    struct turn *turn;             /* used like the writer */
    int lease_fd;
    pthread_t thread;
    pthread_mutex_t lock;          /* of the queue and the two flags */
    pthread_cond_t work;
    struct db_job *first, *last;
    size_t queued;
    bool started, closing, idle;
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

/* ---- db_sqlite.c ---- */

enum connection_kind { CONNECTION_WRITER, CONNECTION_READER, CONNECTION_CHECKPOINTER };

enum err must_check connection_open(struct db *db, enum connection_kind kind, struct db_connection **ret);
void connection_close(struct db_connection *connection);

/** The code for SQLite's, with SQLite's message and what was being done as the cause. */
enum err connection_failed(struct db_connection *connection, int code, const char *doing);

/** Runs one cached statement without parameters. */
enum err must_check connection_run(struct db_connection *connection, const char *sql);

/** Whether a transaction is under way; a failure may have ended it. */
bool connection_in_transaction(const struct db_connection *connection);

/* ---- db.c ---- */

/** The path of a file beside the database; returns out. */
const char *path_beside(const struct db *db, const char *suffix, char out[static DB_PATH_SIZE]);

/* ---- db_lease.c ---- */

enum err must_check lease_open(struct db *db);

/* ---- db_statement.c ---- */

void connection_forget_statements(struct db_connection *connection);

/* ---- db_batch.c ---- */

enum err must_check batch_init(struct db_batch *batch, unsigned max);
void batch_fini(struct db_batch *batch);

/** Runs the jobs in one transaction (several, when a failure ends the first); each entry then has its outcome. */
void batch_run(struct db *db, struct db_batch *batch);

/** Tells each job its outcome and empties the batch. */
void batch_tell(struct db *db, struct db_batch *batch);

/* ---- db_writer.c ---- */

enum err must_check writer_start(struct db *db);
void writer_stop(struct db *db);

/* ---- db_checkpoint.c ---- */

enum err must_check checkpoint_start(struct db *db);
void checkpoint_stop(struct db *db);

/** Between two batches, on the writer's thread and in its turn: a full checkpoint, when the log has reached its
 *  ceiling. */
bool checkpoint_is_due(const struct db *db);
void checkpoint_fully(struct db *db);

#endif
