/*
 * The worker pool: a few threads for what blocks (password hashing, calls to other services), behind a bounded queue.
 */
#ifndef TANDEM_APP_POOL_H
#define TANDEM_APP_POOL_H

#include "base/err.h"
#include "state/db.h"

struct pool;

struct pool_job {
    void (*run)(struct pool_job *job, struct db_connection *reader);   /* on a worker, with that worker's reader */
    struct pool_job *next;                                             /* the pool's */
};

struct pool_opts {
    struct db *db;            /* each worker has a reading connection of its own; NULL for none */
    unsigned threads;
    unsigned queue_max;       /* jobs that may wait */
};

enum err must_check pool_open(const struct pool_opts *opts, struct pool **ret);

/** Queues a job, which the caller keeps alive until it has run. Any thread; never blocks. ERR_BUSY when full. */
enum err must_check pool_submit(struct pool *pool, struct pool_job *job);

/** Runs what waits, then ends the threads. NULL is fine. */
void pool_close(struct pool *pool);

/** How many jobs wait, how many are being run, and how many workers there are. */
unsigned pool_queued(struct pool *pool);
unsigned pool_busy(struct pool *pool);
unsigned pool_threads(struct pool *pool);

#endif
