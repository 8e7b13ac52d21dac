#include "config.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/clock.h"
#include "state/db_private.h"
#include "state/thread.h"

/* ---- the thread ---- */

/* False at the end. */
static bool wait_for_work(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    while (!db->first && !db->closing) {
        db->idle = true;
        pthread_cond_wait(&db->work, &db->lock);
    }
    db->idle = false;
    bool is_work = db->first != NULL;
    pthread_mutex_unlock(&db->lock);
    return is_work;
}

/* Other processes go first if they asked first. Who is not served in time tries all the same, and has SQLite's word
 * for what holds everybody up. */
static void wait_for_turn(struct db *db)
{
    int64_t start_ns = clock_now_ns();
    turn_take(db->turn, db->opts.busy_timeout_ms);
    DB_COUNT(db, turn_ns, (uint64_t)(clock_now_ns() - start_ns));
}

/* Takes what waits, up to a batch; waiting longer for a fuller one gains nothing. */
static void take_batch(struct db *db)
{
    struct db_batch *batch = &db->batch;
    pthread_mutex_lock(&db->lock);
    while (db->first && batch->count < db->opts.batch_max) {
        struct db_job *job = db->first;
        db->first = job->next;
        batch->entries[batch->count++] = (struct db_batch_entry){.job = job};
    }
    if (!db->first)
        db->last = NULL;
    db->queued -= batch->count;
    DB_SET(db, queued, db->queued);
    pthread_mutex_unlock(&db->lock);
}

static void *run(void *context)
{
    struct db *db = context;
    while (wait_for_work(db)) {
        wait_for_turn(db);
        take_batch(db);
        batch_run(db, &db->batch);
        bool is_due = checkpoint_is_due(db);
        if (!is_due)
            turn_pass(db->turn);
        batch_tell(db, &db->batch);
        if (is_due)
            checkpoint_fully(db);
        turn_pass(db->turn);
    }
    return NULL;
}

enum err writer_start(struct db *db)
{
    /* Under the lock, so that the thread's own id is in place before it or anyone asks for it. */
    pthread_mutex_lock(&db->lock);
    enum err err = thread_start(&db->thread, "writer", run, db);
    db->started = !err;
    pthread_mutex_unlock(&db->lock);
    return err;
}

void writer_stop(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    db->closing = true;
    bool started = db->started;
    pthread_cond_signal(&db->work);
    pthread_mutex_unlock(&db->lock);
    if (started)
        pthread_join(db->thread, NULL);

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
    bool may = db->started && !pthread_equal(pthread_self(), db->thread);
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

/* ---- listeners ---- */

void db_notify(struct db_connection *connection, const char *topic)
{
    struct db *db = connection->db;
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; i < DB_MAX_LISTENERS; i++)
        if (db->listeners[i].topic == topic)
            connection->notified |= 1U << i;
    pthread_mutex_unlock(&db->listeners_lock);
}

enum err db_listen(struct db *db, const char *topic, void (*wake)(void *context), void *context)
{
    assert(topic && wake);
    enum err err = err_because(ERR_MEMORY, "%s has %d listeners already", db->path, DB_MAX_LISTENERS);
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; err && i < DB_MAX_LISTENERS; i++)
        if (!db->listeners[i].topic) {
            db->listeners[i] = (struct db_listener){topic, wake, context};
            err = ERR_NONE;
        }
    pthread_mutex_unlock(&db->listeners_lock);
    return err;
}

void db_unlisten(struct db *db, const char *topic, void *context)
{
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; i < DB_MAX_LISTENERS; i++)
        if (db->listeners[i].topic == topic && db->listeners[i].context == context)
            db->listeners[i] = (struct db_listener){NULL, NULL, NULL};
    pthread_mutex_unlock(&db->listeners_lock);
}
