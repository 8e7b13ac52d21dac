#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/db_private.h"

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Counting every allocation would take a lock that all threads share, and taking twenty pages for each connection at
 * once would be most of the memory of a service at rest. Refused, harmlessly, when SQLite is in use. */
static void configure_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

static enum err check_opts(const struct db_opts *opts)
{
    struct stat status;
    if (!opts->path || !*opts->path || !opts->batch_max || !opts->queue_max)
        return err_because(ERR_CONFIG, "a database needs a path, a batch and a queue");
    if (!opts->wal_checkpoint_bytes || opts->wal_max_bytes < opts->wal_checkpoint_bytes)
        return err_because(ERR_CONFIG, "%s: the log's ceiling is under the size its checkpoints start at", opts->path);
    if (stat(opts->path, &status) == 0 && !S_ISREG(status.st_mode))
        return err_because(ERR_STORAGE, "%s is not a regular file", opts->path);
    return ERR_NONE;
}

const char *path_beside(const struct db *db, const char *suffix, char out[static DB_PATH_SIZE])
{
    snprintf(out, DB_PATH_SIZE, "%s%s", db->path, suffix);
    return out;
}

/* What the processes that have the file open share beside it. */
static enum err open_shared(struct db *db)
{
    char path[DB_PATH_SIZE];
    enum err err = turn_open(path_beside(db, "-turn", path), &db->turn);
    return err ? err : lease_open(db);
}

static void register_metrics(struct db_metrics *metrics)
{
    *metrics = (struct db_metrics){
        .reads = metric_series(METRIC_DB_READS),
        .jobs = metric_series(METRIC_DB_JOBS),
        .jobs_failed = metric_series(METRIC_DB_JOBS_FAILED),
        .batches = metric_series(METRIC_DB_BATCHES),
        .commit_failures = metric_series(METRIC_DB_COMMIT_FAILURES),
        .busy = metric_series(METRIC_DB_BUSY),
        .turn_ns = metric_series(METRIC_DB_TURN),
        .batch_size = metric_series(METRIC_DB_BATCH_SIZE),
        .commit = metric_series(METRIC_DB_COMMIT),
    };
}

enum err db_open(const struct db_opts *opts, struct db **ret)
{
    pthread_once(&configured, configure_sqlite);
    enum err err = check_opts(opts);
    if (err)
        return err;
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        return err_because(ERR_MEMORY, "open %s: out of memory", opts->path);
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_init(&db->work, NULL);
    pthread_mutex_init(&db->listeners_lock, NULL);
    pthread_mutex_init(&db->checkpoint.lock, NULL);
    pthread_mutex_init(&db->checkpoint.running, NULL);
    pthread_cond_init(&db->checkpoint.wake, NULL);
    db->opts = *opts;
    db->path = strdup(opts->path);
    db->opts.path = db->path;
    db->lease_fd = -1;
    if (opts->measured)
        register_metrics(&db->metrics);

    err = db->path ? batch_init(&db->batch, opts->batch_max) : err_because(ERR_MEMORY, "open: out of memory");
    if (!err)
        err = connection_open(db, CONNECTION_WRITER, &db->writer);
    if (!err)
        err = open_shared(db);
    if (err)
        db_close(db);
    else
        *ret = db;
    return err;
}

enum err db_start(struct db *db)
{
    assert(!db->started);
    enum err err = checkpoint_start(db);
    if (!err)
        err = writer_start(db);
    return err;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    writer_stop(db);
    checkpoint_stop(db);
    connection_close(db->writer);
    turn_close(db->turn);
    if (db->lease_fd >= 0)
        close(db->lease_fd);
    batch_fini(&db->batch);
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->work);
    pthread_mutex_destroy(&db->listeners_lock);
    pthread_mutex_destroy(&db->checkpoint.lock);
    pthread_mutex_destroy(&db->checkpoint.running);
    pthread_cond_destroy(&db->checkpoint.wake);
    free(db->path);
    free(db);
}

void db_stats(struct db *db, struct db_stats *ret)
{
    *ret = (struct db_stats){
        .jobs = DB_GET(db, jobs),
        .jobs_failed = DB_GET(db, jobs_failed),
        .batches = DB_GET(db, batches),
        .commit_failures = DB_GET(db, commit_failures),
        .busy = DB_GET(db, busy),
        .commit_ns = DB_GET(db, commit_ns),
        .wal_bytes = DB_GET(db, wal_bytes),
        .queued = DB_GET(db, queued),
        .turn_ns = DB_GET(db, turn_ns),
    };
}

enum err db_reader_open(struct db *db, struct db_connection **ret)
{
    return connection_open(db, CONNECTION_READER, ret);
}

void db_reader_close(struct db_connection *connection)
{
    connection_close(connection);
}
