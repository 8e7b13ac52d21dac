#include "config.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/clock.h"
#include "state/db_private.h"
#include "state/thread.h"

/* The database that the calling thread writes to: it must not wait for itself. */
static _Thread_local const struct db *written_here;

/* ---- the threads ---- */

/* False at the end. */
static bool wait_for_work(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    while (!db->first && !db->closing) {
        db->idle++;
        pthread_cond_wait(&db->work, &db->lock);
        db->idle--;
    }
    bool is_work = db->first != NULL;
    pthread_mutex_unlock(&db->lock);
    return is_work;
}

/* What waits is shared with writers that have nothing to do. */
static size_t share_of(const struct db *db)
{
    size_t share = (db->queued + db->idle) / (db->idle + 1);
    return share < db->opts.batch_max ? share : db->opts.batch_max;
}

/* Takes what waits, up to a batch; waiting longer for a fuller one gains nothing. */
static void take_batch(struct db_writer *writer)
{
    struct db *db = writer->db;
    struct db_batch *batch = &writer->batch;
    pthread_mutex_lock(&db->lock);
    size_t share = share_of(db);
    while (db->first && batch->count < share) {
        struct db_job *job = db->first;
        db->first = job->next;
        batch->entries[batch->count++] = (struct db_batch_entry){.job = job};
    }
    if (!db->first)
        db->last = NULL;
    db->queued -= batch->count;
    DB_SET(db, queued, db->queued);
    if (db->first && db->idle)
        pthread_cond_signal(&db->work);
    pthread_mutex_unlock(&db->lock);
}

static void call(void (*hook)(struct db *db), struct db *db)
{
    if (hook)
        hook(db);
}

static void *run(void *context)
{
    struct db_writer *writer = context;
    struct db *db = writer->db;
    written_here = db;
    while (wait_for_work(db)) {
        call(db->engine->enter, db);
        take_batch(writer);
        if (writer->batch.count > 0)
            batch_run(writer);
        call(db->engine->leave, db);
        batch_tell(writer);
        call(db->engine->rest, db);
    }
    return NULL;
}

/* Under the lock, so that nobody asks whether it is started before all are. */
enum err writer_start(struct db *db)
{
    enum err err = ERR_NONE;
    pthread_mutex_lock(&db->lock);
    for (unsigned i = 0; i < db->writer_count && !err; i++) {
        err = thread_start(&db->writers[i].thread, "writer", run, &db->writers[i]);
        db->writers[i].started = !err;
    }
    db->started = !err;
    pthread_mutex_unlock(&db->lock);
    return err;
}

void writer_stop(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    db->closing = true;
    pthread_cond_broadcast(&db->work);
    pthread_mutex_unlock(&db->lock);
    for (unsigned i = 0; i < db->writer_count; i++)
        if (db->writers[i].started)
            pthread_join(db->writers[i].thread, NULL);

    /* Only jobs of a database that was never started are left. */
    for (struct db_job *job = db->first, *next; job; job = next) {
        next = job->next;
        job->err = err_because(ERR_CLOSED, "%s was closed before it was started", db->path);
        job->committed.at_ns = clock_now_ns();
        job->done(job, job->err);
    }
    db->first = db->last = NULL;
}

/* ---- handing work in ---- */

enum err db_submit(struct db *db, struct db_job *job)
{
    enum err err = ERR_NONE;
    job->next = NULL;
    job->err = ERR_NONE;
    pthread_mutex_lock(&db->lock);
    if (db->closing) {
        err = err_because(ERR_CLOSED, "%s is being closed", db->path);
    } else if (db->queued >= db->opts.queue_max) {
        err = err_because(ERR_BUSY, "%s: %zu changes wait already", db->path, db->queued);
    } else {
        *(db->last ? &db->last->next : &db->first) = job;
        db->last = job;
        DB_SET(db, queued, ++db->queued);
        if (db->idle)
            pthread_cond_signal(&db->work);
    }
    pthread_mutex_unlock(&db->lock);
    return err;
}

struct waiting_job {
    struct db_job job;
    sem_t finished;
    char cause[512];
};

static void tell_waiting(struct db_job *job, enum err err)
{
    struct waiting_job *waiting = (struct waiting_job *)job;
    if (err)
        snprintf(waiting->cause, sizeof waiting->cause, "%s", err_cause());
    sem_post(&waiting->finished);
}

static bool may_wait(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    bool may = db->started && written_here != db;
    pthread_mutex_unlock(&db->lock);
    return may;
}

enum err db_write(struct db *db, db_work *work, void *context)
{
    return db_write_told(db, work, context, NULL);
}

enum err db_write_told(struct db *db, db_work *work, void *context, struct db_committed *ret)
{
    assert(may_wait(db));
    struct waiting_job waiting = {.job = {.work = work, .done = tell_waiting, .context = context}};
    sem_init(&waiting.finished, 0, 0);
    enum err err = db_submit(db, &waiting.job);
    if (!err) {
        while (sem_wait(&waiting.finished) && errno == EINTR)
            continue;
        err = waiting.job.err;
        if (ret)
            *ret = waiting.job.committed;
        if (err)
            err_because(err, "%s", waiting.cause);
    }
    sem_destroy(&waiting.finished);
    return err;
}
