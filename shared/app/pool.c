#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "app/pool.h"

struct worker {
    struct pool *pool;
    struct db_connection *reader;
    pthread_t thread;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct pool_job *first, **last;
    unsigned queued, queue_max;
    atomic_uint busy;
    bool closing;
    unsigned worker_count;      /* workers whose thread runs */
    struct worker workers[];
};

static struct pool_job *next_job(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->closing)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct pool_job *job = pool->first;
    if (job) {
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool_job *job;
    while ((job = next_job(worker->pool)) != NULL) {
        atomic_fetch_add_explicit(&worker->pool->busy, 1, memory_order_relaxed);
        job->run(job, worker->reader);
        atomic_fetch_sub_explicit(&worker->pool->busy, 1, memory_order_relaxed);
    }
    return NULL;
}

static enum err start_worker(struct pool *pool, struct db *db)
{
    struct worker *worker = &pool->workers[pool->worker_count];
    worker->pool = pool;
    if (db) {
        enum err err = db_reader_open(db, &worker->reader);
        if (err)
            return err;
    }
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
        db_reader_close(worker->reader);
        return err_because(ERR_MEMORY, "a worker thread cannot be started");
    }
    pool->worker_count++;
    return ERR_NONE;
}

enum err pool_open(const struct pool_opts *opts, struct pool **ret)
{
    assert(opts->threads > 0 && opts->queue_max > 0);
    struct pool *pool = calloc(1, sizeof *pool + opts->threads * sizeof pool->workers[0]);
    if (!pool)
        return err_because(ERR_MEMORY, "no memory for the worker pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->last = &pool->first;
    pool->queue_max = opts->queue_max;
    for (unsigned i = 0; i < opts->threads; i++) {
        enum err err = start_worker(pool, opts->db);
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
    enum err err = ERR_NONE;
    pthread_mutex_lock(&pool->lock);
    if (pool->closing || pool->queued >= pool->queue_max) {
        err = err_because(pool->closing ? ERR_CLOSED : ERR_BUSY, "the worker pool takes no more jobs");
    } else {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->queued++;
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
        db_reader_close(pool->workers[i].reader);
    }
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

unsigned pool_busy(struct pool *pool)
{
    return atomic_load_explicit(&pool->busy, memory_order_relaxed);
}

unsigned pool_threads(struct pool *pool)
{
    return pool->worker_count;
}

unsigned pool_queued(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    unsigned queued = pool->queued;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}
