#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "state/db_private.h"

/*
 * A failure may undo more than the job it came from: SQLite ends the whole transaction when the disk is full, when
 * reading or writing fails, or without memory. The job it came from is then guilty and out, and the others run again
 * from the start. After GUILTY_MAX in one batch the trouble is not one job's, and the rest is told so.
 *
 * An engine on which each statement is a journey runs a batch freely first: without savepoints, and without waiting
 * for what its changes come to. When any job fails after it has changed something, or a change turns out to have
 * failed, all of it is undone, and run once more with care: a savepoint a job, and each failure where it arises. That
 * costs the jobs of one batch twice the time, seldom, and spares all others a third of theirs.
 *
 * When the engine says that the transaction was in the way of another one (must_rerun), it is run again as it was,
 * after a pause that differs for each; if that goes on, each job by itself.
 */
enum { GUILTY_MAX = 8, CAUSE_MAX = 512, RERUNS_TOGETHER = 4, RERUNS_ALONE = 12, RERUN_PAUSE_US = 500 };

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
    connection->engine->roll_back(connection);
    connection->notified = 0;
}

static enum err run_work(struct db_connection *connection, const struct db_batch_entry *entry)
{
    struct db_job *job = entry->job;
    err_clear();
    enum err err = job->work(connection, job->context);
    assert(connection->in_use == 0);
    return err;
}

/* A job that fails before it has changed anything has nothing to be undone. */
static bool run_freely(struct db_connection *connection, struct db_batch *batch, struct db_batch_entry *entry)
{
    unsigned notified = connection->notified;
    connection->has_changed = false;
    enum err err = run_work(connection, entry);
    if (connection->must_rerun || (err && connection->has_changed))
        return false;
    if (err)
        connection->notified = notified;
    settle(batch, entry, err);
    return true;
}

/* Runs one job in its savepoint. False when the whole transaction has ended; the entry is then guilty. */
static bool run_with_care(struct db_connection *connection, struct db_batch *batch, struct db_batch_entry *entry)
{
    const struct db_engine *engine = connection->engine;
    unsigned notified = connection->notified;
    enum err err = engine->savepoint(connection);
    if (!err)
        err = run_work(connection, entry);
    if (connection->must_rerun)
        return false;
    bool alive = engine->in_transaction(connection);
    if (!alive && !err)
        err = err_because(ERR_STORAGE, "the transaction ended within a job");
    if (alive && !err)
        err = engine->release(connection);
    settle(batch, entry, err);
    if (alive && err) {
        connection->notified = notified;
        alive = engine->undo(connection) == ERR_NONE && engine->release(connection) == ERR_NONE;
    }
    if (connection->must_rerun)
        return false;
    entry->guilty = !alive;
    if (!alive)
        batch->ended_by = entry->err;
    return alive;
}

static void count_commit(struct db *db, const struct db_batch *batch, int64_t took_ns, enum err err)
{
    atomic_fetch_add_explicit(&db->counters.commit_ns, (uint64_t)took_ns, memory_order_relaxed);
    metric_observe(db->metrics.commit, took_ns);
    metric_observe(db->metrics.batch_size, (int64_t)batch->count);
    DB_COUNT(db, batches, 1);
    if (err)
        DB_COUNT(db, commit_failures, 1);
}

/* ERR_AGAIN when the transaction is to be run once more; it was not committed then. */
static enum err commit(struct db_connection *connection, struct db_batch *batch)
{
    enum err err = fault_at(FAULT_BEFORE_COMMIT);
    if (err)
        return err;
    int64_t start_ns = clock_now_ns();
    err = connection->engine->commit(connection);
    if (err && (connection->must_rerun || (connection->is_free && err != ERR_UNAVAILABLE)))
        return ERR_AGAIN;
    batch->committed_ns = clock_now_ns();
    if (!err)
        err = fault_at(FAULT_AFTER_COMMIT);
    if (err == ERR_UNAVAILABLE)   /* perhaps it came about, and then there is something to be done */
        listeners_wake(connection);
    count_commit(connection->db, batch, batch->committed_ns - start_ns, err);
    return err;
}

/* ERR_AGAIN when the others are to run again, or all of them. */
static enum err run_once(struct db_connection *connection, struct db_batch *batch)
{
    connection->must_rerun = false;
    enum err err = connection->engine->begin(connection, TRANSACTION_BATCH);
    if (err)
        return connection->must_rerun ? ERR_AGAIN : err;
    for (size_t i = 0; i < batch->count; i++) {
        struct db_batch_entry *entry = &batch->entries[i];
        if (!entry->guilty && !(connection->is_free ? run_freely : run_with_care)(connection, batch, entry))
            return ERR_AGAIN;
    }
    return commit(connection, batch);
}

static void pause_before_rerun(unsigned reruns)
{
    unsigned most_us = RERUN_PAUSE_US << (reruns < 6 ? reruns : 6);
    struct timespec pause = {.tv_nsec = (long)random_below(most_us) * 1000};
    nanosleep(&pause, NULL);
}

/* What a transaction that came to nothing has to say about the next: false when it is in vain. */
static bool may_try_again(struct db_connection *connection, const struct db_batch *batch, unsigned *reruns,
                          unsigned *guilty)
{
    if (connection->must_rerun) {
        DB_COUNT(connection->db, reruns, 1);
        if (++*reruns >= (batch->count > 1 ? RERUNS_TOGETHER : RERUNS_ALONE))
            return false;
        pause_before_rerun(*reruns);
        return true;
    }
    if (connection->is_free) {
        connection->is_free = false;
        return true;
    }
    return ++*guilty < GUILTY_MAX;
}

/* ERR_AGAIN when the transactions of others were in its way each time. */
static enum err run_in_one(struct db_connection *connection, struct db_batch *batch)
{
    unsigned reruns = 0, guilty = 0;
    connection->is_free = connection->engine->runs_freely && !batch->each_alone;
    for (;;) {
        enum err err = run_once(connection, batch);
        if (err)
            roll_back(connection);
        if (err != ERR_AGAIN) {
            if (err && !(err == ERR_CONFLICT && batch->count > 1))
                settle_all(batch, err);
            return err;
        }
        if (!may_try_again(connection, batch, &reruns, &guilty))
            break;
    }
    if (connection->must_rerun)
        return ERR_AGAIN;
    enum err err = err_because(batch->ended_by, "%s: jobs keep ending the transaction: %s", connection->db->path,
                               err_text(batch->ended_by));
    settle_all(batch, err);
    return err;
}

static enum err tell_in_the_way(struct db_connection *connection, struct db_batch *batch)
{
    enum err err = err_because(ERR_BUSY, "%s: other transactions were in the way of this one, %d times",
                               connection->db->path, RERUNS_ALONE);
    settle_all(batch, err);
    return err;
}

/* A deferred constraint is only found broken by COMMIT, which cannot say by whom; and who is in the way of others is
 * that less when it is alone. */
static void run_each(struct db_connection *connection, struct db_batch *batch)
{
    struct db_batch one = {.count = 1, .causes = batch->causes, .each_alone = true};
    batch->each_alone = true;
    for (size_t i = 0; i < batch->count; i++) {
        one.entries = &batch->entries[i];
        if (one.entries->guilty)
            continue;
        enum err err = run_in_one(connection, &one);
        if (err == ERR_AGAIN)
            err = tell_in_the_way(connection, &one);
        if (!err)
            listeners_wake(connection);
    }
    batch->causes = one.causes;
    batch->committed_ns = one.committed_ns;
}

void batch_run(struct db_writer *writer)
{
    struct db_batch *batch = &writer->batch;
    batch->each_alone = false;
    batch->committed_ns = 0;
    enum err err = run_in_one(writer->connection, batch);
    if ((err == ERR_CONFLICT || err == ERR_AGAIN) && batch->count > 1)
        run_each(writer->connection, batch);
    else if (err == ERR_AGAIN)
        tell_in_the_way(writer->connection, batch);
    else
        listeners_wake(writer->connection);
}

void batch_tell(struct db_writer *writer)
{
    struct db *db = writer->db;
    struct db_batch *batch = &writer->batch;
    uint64_t failed = 0;
    for (size_t i = 0; i < batch->count; i++)
        failed += batch->entries[i].err != ERR_NONE;
    DB_COUNT(db, jobs, batch->count);
    DB_COUNT(db, jobs_failed, failed);
    struct db_committed committed = {batch->committed_ns ? batch->committed_ns : clock_now_ns(),
                                     batch->each_alone ? 1 : (unsigned)batch->count};

    for (size_t i = 0; i < batch->count; i++) {
        const struct db_batch_entry *entry = &batch->entries[i];
        struct db_job *job = entry->job;
        job->err = entry->err;
        job->committed = committed;
        if (entry->err && entry->cause_length)
            err_because(entry->err, "%.*s", (int)entry->cause_length, batch->causes.data + entry->cause_at);
        else if (entry->err)
            err_because(entry->err, "%s", err_text(entry->err));
        job->done(job, entry->err);
    }
    batch->count = 0;
    buf_reset(&batch->causes, CAUSE_MAX);
}
