/*
 * The worker pool: a few threads for what blocks (password hashing, calls to other services), behind a bounded queue.
 *
 * Jobs are of a kind, and each kind has a share: so many of it run at once and so many wait, whatever else there is, so
 * that a flood of one kind does not keep the workers from the others. Of what may run, the oldest is next.
 */
#ifndef TANDEM_APP_POOL_H
#define TANDEM_APP_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "state/db.h"

struct pool;

enum pool_kind {
    POOL_COMMON,
    POOL_ASKING,      /* about a token, at the user service */
    POOL_HASHING,     /* a password: takes a processor and password.memory_kib */
    POOL_READING,     /* for a query that waits for a server: in a pool of its own */
    POOL_KINDS,
};

struct pool_job {
    void (*run)(struct pool_job *job, struct db_connection *reader);   /* on a worker, with that worker's reader */
    enum pool_kind kind;
    bool may_be_stale;                                                 /* what it reads, as it was a moment ago */
    struct pool_job *next;                                             /* the pool's from here on */
    uint64_t number;
};

struct pool_share {
    unsigned running_max;     /* 0: all threads */
    unsigned queue_max;       /* 0: the pool's */
};

struct pool_opts {
    struct db *db;            /* each worker has a reading connection of its own; NULL for none */
    bool reads_stale;         /* … and one more for what may be stale */
    unsigned threads;
    unsigned queue_max;       /* jobs of a kind that may wait */
    struct pool_share shares[POOL_KINDS];
};

enum err must_check pool_open(const struct pool_opts *opts, struct pool **ret);

/** Queues a job, which the caller keeps alive until it has run. Any thread; never blocks. ERR_BUSY when as many of its
 *  kind wait as may, ERR_CLOSED. */
enum err must_check pool_submit(struct pool *pool, struct pool_job *job);

/** Runs what waits, then ends the threads. NULL is fine. */
void pool_close(struct pool *pool);

/** How many jobs wait, how many are being run, and how many workers there are. */
unsigned pool_queued(struct pool *pool);
unsigned pool_busy(struct pool *pool);
unsigned pool_threads(struct pool *pool);

#endif
