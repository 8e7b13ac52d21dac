#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "app/pool.h"

struct worker {
    struct pool *pool;
    struct db_connection *reader, *stale_reader;
    pthread_t thread;
};

/* The jobs of a kind. */
struct line {
    struct pool_job *first, **last;
    unsigned queued, queue_max;
    unsigned running, running_max;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct line lines[POOL_KINDS];
    uint64_t submitted;
    bool closing;
    unsigned worker_count;      /* workers whose thread runs */
    struct worker workers[];
};

/* ---- with the lock ---- */

/* The kind whose oldest job may run and has waited longest; NULL when there is none. */
static struct line *next_line(struct pool *pool)
{
    struct line *best = NULL;
    for (int i = 0; i < POOL_KINDS; i++) {
        struct line *line = &pool->lines[i];
        if (line->first && line->running < line->running_max && (!best || line->first->number < best->first->number))
            best = line;
    }
    return best;
}

static struct pool_job *take(struct line *line)
{
    struct pool_job *job = line->first;
    line->first = job->next;
    if (!line->first)
        line->last = &line->first;
    line->queued--;
    line->running++;
    return job;
}

/* ---- the workers ---- */

/* NULL when the pool is closed, and nothing is left that this worker may run: who runs what keeps a job from running
 * goes on to that one itself. */
static struct pool_job *next_job(struct pool *pool, struct line **ret_line)
{
    struct line *line;
    pthread_mutex_lock(&pool->lock);
    while (!(line = next_line(pool)) && !pool->closing)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct pool_job *job = line ? take(line) : NULL;
    pthread_mutex_unlock(&pool->lock);
    *ret_line = line;
    return job;
}

static void done(struct pool *pool, struct line *line)
{
    pthread_mutex_lock(&pool->lock);
    line->running--;
    pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool_job *job;
    struct line *line;
    while ((job = next_job(worker->pool, &line)) != NULL) {
        bool takes_stale = job->may_be_stale && worker->stale_reader;
        job->run(job, takes_stale ? worker->stale_reader : worker->reader);   /* after which the job may be gone */
        done(worker->pool, line);
    }
    return NULL;
}

static void close_readers(struct worker *worker)
{
    db_reader_close(worker->reader);
    db_reader_close(worker->stale_reader);
}

static enum err start_worker(struct pool *pool, const struct pool_opts *opts)
{
    struct worker *worker = &pool->workers[pool->worker_count];
    worker->pool = pool;
    enum err err = opts->db ? db_reader_open(opts->db, &worker->reader) : ERR_NONE;
    if (!err && opts->reads_stale)
        err = db_reader_open_stale(opts->db, &worker->stale_reader);
    if (!err && pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        err = err_because(ERR_MEMORY, "a worker thread cannot be started");
    if (err)
        close_readers(worker);
    else
        pool->worker_count++;
    return err;
}

enum err pool_open(const struct pool_opts *opts, struct pool **ret)
{
    assert(opts->threads > 0 && opts->queue_max > 0);
    struct pool *pool = calloc(1, sizeof *pool + opts->threads * sizeof pool->workers[0]);
    if (!pool)
        return err_because(ERR_MEMORY, "no memory for the worker pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (int i = 0; i < POOL_KINDS; i++) {
        const struct pool_share *share = &opts->shares[i];
        pool->lines[i].last = &pool->lines[i].first;
        pool->lines[i].running_max = share->running_max ? share->running_max : opts->threads;
        pool->lines[i].queue_max = share->queue_max ? share->queue_max : opts->queue_max;
    }
    for (unsigned i = 0; i < opts->threads; i++) {
        enum err err = start_worker(pool, opts);
        if (err) {
            pool_close(pool);
            return err;
        }
    }
    *ret = pool;
    return ERR_NONE;
}

enum err pool_submit(struct pool *pool, struct pool_job *job)
{
    struct line *line = &pool->lines[job->kind];
    enum err err = ERR_NONE;
    pthread_mutex_lock(&pool->lock);
    if (pool->closing || line->queued >= line->queue_max) {
        err = err_because(pool->closing ? ERR_CLOSED : ERR_BUSY, "the worker pool takes no more jobs of this kind");
    } else {
        job->next = NULL;
        job->number = pool->submitted++;
        *line->last = job;
        line->last = &job->next;
        line->queued++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
        close_readers(&pool->workers[i]);
    }
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

unsigned pool_busy(struct pool *pool)
{
    unsigned running = 0;
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < POOL_KINDS; i++)
        running += pool->lines[i].running;
    pthread_mutex_unlock(&pool->lock);
    return running;
}

unsigned pool_threads(struct pool *pool)
{
    return pool->worker_count;
}

unsigned pool_queued(struct pool *pool)
{
    unsigned queued = 0;
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < POOL_KINDS; i++)
        queued += pool->lines[i].queued;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}
