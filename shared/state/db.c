#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/db_private.h"

/* ---- connections ---- */

enum err connection_open(struct db *db, enum connection_kind kind, struct db_connection **ret)
{
    struct db_connection *connection = calloc(1, db->engine->connection_size);
    if (!connection)
        return err_because(ERR_MEMORY, "open %s: out of memory", db->path);
    connection->db = db;
    connection->engine = db->engine;
    connection->kind = kind;
    if (kind == CONNECTION_READER || kind == CONNECTION_STALE_READER)
        connection->reads = db->metrics.reads;
    enum err err = db->engine->connect(connection);
    if (err)
        connection_close(connection);
    else
        *ret = connection;
    return err;
}

void connection_close(struct db_connection *connection)
{
    if (!connection)
        return;
    connection_forget_statements(connection);
    connection->engine->disconnect(connection);
    free(connection);
}

enum err connection_run(struct db_connection *connection, const char *sql)
{
    return db_run(db_query(connection, sql), NULL);
}

void connection_said(struct text said, char *out, size_t size)
{
    snprintf(out, size, "%.*s", TEXT_ARGS(said));
    for (char *c = out; *c; c++)
        if (*c == '\n')
            *c = ' ';
}

/* ---- opening ---- */

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
        .reruns = metric_series(METRIC_DB_RERUNS),
        .reconnects = metric_series(METRIC_DB_RECONNECTS),
        .batch_size = metric_series(METRIC_DB_BATCH_SIZE),
        .commit = metric_series(METRIC_DB_COMMIT),
        .connections = metric_series(METRIC_DB_CONNECTIONS),
        .away = metric_series(METRIC_DB_AWAY),
        .replica_away = metric_series(METRIC_DB_REPLICA_AWAY),
    };
}

/* SQLite has one writer, whatever is asked for. */
static enum err make_writers(struct db *db)
{
    unsigned count = db->engine->runs_freely && db->opts.connections > 1 ? db->opts.connections : 1;
    db->writers = calloc(count, sizeof *db->writers);
    if (!db->writers)
        return err_because(ERR_MEMORY, "open: out of memory");
    enum err err = ERR_NONE;
    while (!err && db->writer_count < count) {
        struct db_writer *writer = &db->writers[db->writer_count++];
        writer->db = db;
        err = batch_init(&writer->batch, db->opts.batch_max);
    }
    return err;
}

/* "sqlite:PATH" says the same as a path. */
static const char *path_of(const struct db_opts *opts)
{
    const char *colon = opts->url ? strchr(opts->url, ':') : NULL;
    return colon ? colon + 1 : opts->path ? opts->path : "";
}

static struct db *allocate(const struct db_engine *engine, const struct db_opts *opts)
{
    struct db *db = calloc(1, engine->database_size);
    char *path = strdup(path_of(opts));
    if (!db || !path) {
        free(db);
        free(path);
        return NULL;
    }
    db->engine = engine;
    db->opts = *opts;
    db->path = path;
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_init(&db->work, NULL);
    pthread_mutex_init(&db->listeners_lock, NULL);
    if (opts->measured)
        register_metrics(&db->metrics);
    return db;
}

static enum err find_engine(const struct db_opts *opts, const struct db_engine **ret)
{
    enum err err = db_engine_find(opts->url ? opts->url : "", ret);
    if (!err && (!opts->batch_max || !opts->queue_max))
        err = err_because(ERR_CONFIG, "a database needs a batch and a queue");
    return err ? err : (*ret)->check(opts, path_of(opts));
}

enum err db_check(const struct db_opts *opts)
{
    const struct db_engine *engine;
    return find_engine(opts, &engine);
}

enum err db_open(const struct db_opts *opts, struct db **ret)
{
    const struct db_engine *engine;
    enum err err = find_engine(opts, &engine);
    if (err)
        return err;
    struct db *db = allocate(engine, opts);
    if (!db)
        return err_because(ERR_MEMORY, "open: out of memory");
    err = engine->open(db);
    if (!err)
        err = make_writers(db);
    if (!err)
        err = connection_open(db, CONNECTION_WRITER, &db->writer);
    if (err) {
        db_close(db);
        return err;
    }
    db->writers[0].connection = db->writer;
    db->opts.path = db->path;
    db->opts.url = db->opts.read_url = db->opts.password_file = NULL;   /* the caller's, which may not stay */
    *ret = db;
    return ERR_NONE;
}

static enum err open_further_writers(struct db *db)
{
    enum err err = ERR_NONE;
    for (unsigned i = 1; i < db->writer_count && !err; i++)
        err = connection_open(db, CONNECTION_WRITER, &db->writers[i].connection);
    return err;
}

enum err db_start(struct db *db)
{
    assert(!db->started);
    enum err err = db->engine->accept ? db->engine->accept(db->writer) : ERR_NONE;
    if (!err)
        err = open_further_writers(db);
    if (!err && db->engine->start)
        err = db->engine->start(db);
    if (!err)
        err = writer_start(db);
    return err;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    writer_stop(db);
    if (db->engine->stop)
        db->engine->stop(db);
    for (unsigned i = 1; i < db->writer_count; i++)
        connection_close(db->writers[i].connection);
    connection_close(db->writer);
    db->engine->close(db);
    for (unsigned i = 0; i < db->writer_count; i++)
        batch_fini(&db->writers[i].batch);
    free(db->writers);
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->work);
    pthread_mutex_destroy(&db->listeners_lock);
    free(db->path);
    free(db);
}

/* ---- what it is and has done ---- */

bool db_reads_are_local(const struct db *db)
{
    return db->engine->reads_are_local;
}

const char *db_system_name(const struct db *db)
{
    return db->engine->system;
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
        .reruns = DB_GET(db, reruns),
        .reconnects = DB_GET(db, reconnects),
    };
}

/* ---- readers ---- */

enum err db_reader_open(struct db *db, struct db_connection **ret)
{
    return connection_open(db, CONNECTION_READER, ret);
}

enum err db_reader_open_stale(struct db *db, struct db_connection **ret)
{
    return connection_open(db, CONNECTION_STALE_READER, ret);
}

void db_reader_close(struct db_connection *connection)
{
    connection_close(connection);
}

void db_reader_limit(struct db_connection *connection, int64_t deadline_ns, const atomic_bool *given_up)
{
    connection->deadline_ns = deadline_ns;
    connection->given_up = given_up;
}

enum err db_in_place(struct db_connection *connection)
{
    return connection->engine->in_place(connection);
}

enum err db_size(struct db_connection *connection, int64_t *ret)
{
    struct db_statement *query = db_query(connection, connection->engine->size_sql);
    int64_t bytes = db_next(query) ? db_int(query, 0) : 0;
    enum err err = db_done(query);
    if (!err)
        *ret = bytes;
    return err;
}

enum err db_replica_lag(struct db *db, int64_t *ret_us)
{
    int64_t lag_us = 0;
    enum err err = db->engine->replica_lag ? db->engine->replica_lag(db, &lag_us) : ERR_NONE;
    if (!err)
        *ret_us = lag_us;
    return err;
}

/* ---- leases ---- */

bool db_lease_take(struct db *db, unsigned number)
{
    return db->engine->lease_take(db, number);
}

void db_lease_end(struct db *db, unsigned number)
{
    db->engine->lease_end(db, number);
}
