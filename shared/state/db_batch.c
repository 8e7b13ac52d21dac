#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "state/db_private.h"

/*
 * A failure may undo more than the job it came from: SQLite ends the whole transaction when the disk is full, when
 * reading or writing fails, or without memory. The job it came from is then guilty and out, and the others run again
 * from the start. After this many in one batch the trouble is not one job's, and the rest is told so.
 */
enum { GUILTY_MAX = 8, CAUSE_MAX = 512 };

static const char begin_sql[] = "BEGIN IMMEDIATE";
static const char commit_sql[] = "COMMIT";
static const char rollback_sql[] = "ROLLBACK";
static const char savepoint_sql[] = "SAVEPOINT job";
static const char release_sql[] = "RELEASE job";
static const char undo_sql[] = "ROLLBACK TO job";

enum err batch_init(struct db_batch *batch, unsigned max)
{
    batch->entries = calloc(max, sizeof *batch->entries);
    buf_init(&batch->causes, (size_t)max * CAUSE_MAX);
    return batch->entries ? ERR_NONE : err_because(ERR_MEMORY, "a batch of %u jobs: out of memory", max);
}

void batch_fini(struct db_batch *batch)
{
    free(batch->entries);
    buf_fini(&batch->causes);
}

static void settle(struct db_batch *batch, struct db_batch_entry *entry, enum err err)
{
    entry->err = err;
    entry->cause_at = batch->causes.length;
    entry->cause_length = 0;
    if (!err)
        return;
    struct text cause = text_of(err_cause());
    buf_add_text(&batch->causes, cause);
    if (batch->causes.length > entry->cause_at)
        entry->cause_length = cause.length;
}

/* Outcomes found in a transaction that was undone are worth nothing, failures included: all but the guilty hear why. */
static void settle_all(struct db_batch *batch, enum err err)
{
    struct db_batch_entry verdict = {.err = err};
    settle(batch, &verdict, err);
    for (size_t i = 0; i < batch->count; i++) {
        struct db_batch_entry *entry = &batch->entries[i];
        if (!entry->guilty)
            *entry = (struct db_batch_entry){entry->job, err, false, verdict.cause_at, verdict.cause_length};
    }
}

/* Clean-up after a failure that is reported already; the transaction may be gone by itself. */
static void roll_back(struct db_connection *connection)
{
    if (connection_in_transaction(connection) && connection_run(connection, rollback_sql))
        sqlite3_exec(connection->handle, rollback_sql, NULL, NULL, NULL);
    connection->notified = 0;
}

/* Runs one job in its savepoint. False when the whole transaction has ended; the entry is then guilty. */
static bool run_job(struct db_connection *connection, struct db_batch *batch, struct db_batch_entry *entry)
{
    unsigned notified = connection->notified;
    struct db_job *job = entry->job;
    enum err err = connection_run(connection, savepoint_sql);
    if (!err) {
        err_clear();
        err = job->work(connection, job->context);
        assert(connection->in_use == 0);
    }
    bool alive = connection_in_transaction(connection);
    if (!alive && !err)
        err = err_because(ERR_STORAGE, "the transaction ended within a job");
    settle(batch, entry, err);
    if (alive && err) {
        connection->notified = notified;
        alive = connection_run(connection, undo_sql) == ERR_NONE;
    }
    if (alive && connection_run(connection, release_sql)) {
        alive = false;
        settle(batch, entry, ERR_STORAGE);
    }
    entry->guilty = !alive;
    if (!alive)
        batch->ended_by = entry->err;
    return alive;
}

/* ERR_AGAIN when a job ended the transaction and the others are to run again. */
static enum err run_once(struct db *db, struct db_batch *batch)
{
    struct db_connection *connection = db->writer;
    enum err err = connection_run(connection, begin_sql);
    if (err)
        return err;
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->entries[i].guilty && !run_job(connection, batch, &batch->entries[i]))
            return ERR_AGAIN;

    int64_t start_ns = clock_now_ns();
    err = connection_run(connection, commit_sql);
    int64_t took_ns = clock_now_ns() - start_ns;
    atomic_fetch_add_explicit(&db->counters.commit_ns, (uint64_t)took_ns, memory_order_relaxed);
    metric_observe(db->metrics.commit, took_ns);
    metric_observe(db->metrics.batch_size, (int64_t)batch->count);
    DB_COUNT(db, batches, 1);
    if (err)
        DB_COUNT(db, commit_failures, 1);
    return err;
}

static void wake_listeners(struct db *db)
{
    unsigned notified = db->writer->notified;
    db->writer->notified = 0;
    if (!notified)
        return;
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; i < DB_MAX_LISTENERS; i++)
        if ((notified & (1U << i)) && db->listeners[i].topic)
            db->listeners[i].wake(db->listeners[i].context);
    pthread_mutex_unlock(&db->listeners_lock);
}

static enum err run_in_one(struct db *db, struct db_batch *batch)
{
    for (unsigned guilty = 0; guilty < GUILTY_MAX; guilty++) {
        enum err err = run_once(db, batch);
        if (err && err != ERR_AGAIN)
            settle_all(batch, err);
        if (err)
            roll_back(db->writer);
        if (err != ERR_AGAIN)
            return err;
    }
    enum err err = err_because(batch->ended_by, "%s: jobs keep ending the transaction: %s", db->path,
                               err_text(batch->ended_by));
    settle_all(batch, err);
    return err;
}

/* A deferred constraint is only found broken by COMMIT, which cannot say by whom: each by itself then. */
static void run_each(struct db *db, struct db_batch *batch)
{
    struct db_batch one = {.count = 1, .causes = batch->causes};
    for (size_t i = 0; i < batch->count; i++) {
        one.entries = &batch->entries[i];
        if (!one.entries->guilty && run_in_one(db, &one) == ERR_NONE)
            wake_listeners(db);
    }
    batch->causes = one.causes;
}

void batch_run(struct db *db, struct db_batch *batch)
{
    enum err err = run_in_one(db, batch);
    if (err == ERR_CONFLICT && batch->count > 1)
        run_each(db, batch);
    else
        wake_listeners(db);
}

void batch_tell(struct db *db, struct db_batch *batch)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < batch->count; i++)
        failed += batch->entries[i].err != ERR_NONE;
    DB_COUNT(db, jobs, batch->count);
    DB_COUNT(db, jobs_failed, failed);

    for (size_t i = 0; i < batch->count; i++) {
        const struct db_batch_entry *entry = &batch->entries[i];
        struct db_job *job = entry->job;
        job->err = entry->err;
        if (entry->err && entry->cause_length)
            err_because(entry->err, "%.*s", (int)entry->cause_length, batch->causes.data + entry->cause_at);
        else if (entry->err)
            err_because(entry->err, "%s", err_text(entry->err));
        job->done(job, entry->err);
    }
    batch->count = 0;
    buf_reset(&batch->causes, CAUSE_MAX);
}
