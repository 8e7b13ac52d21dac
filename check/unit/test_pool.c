/* The worker pool: each kind of job has its share. */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "app/pool.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"

enum { THREADS = 3, QUEUE = 4, JOBS = 2000, GANG = 4 };

/* A job that waits until it is let go. */
struct held {
    struct pool_job job;
    atomic_bool running, done;
    atomic_bool *let_go;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static struct pool *pool;

static void run_held(struct pool_job *job, struct db_connection *reader)
{
    struct held *held = (struct held *)job;
    CU_ASSERT_PTR_NULL(reader);
    atomic_store(&held->running, true);
    pthread_mutex_lock(&lock);
    while (!atomic_load(held->let_go))
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    atomic_store(&held->done, true);
}

static void let_go(atomic_bool *flag)
{
    pthread_mutex_lock(&lock);
    atomic_store(flag, true);
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
}

static bool runs(void *context)
{
    return atomic_load(&((struct held *)context)->running);
}

static bool is_done(void *context)
{
    return atomic_load(&((struct held *)context)->done);
}

static enum err submit(struct held *held, enum pool_kind kind, atomic_bool *flag)
{
    *held = (struct held){.job = {.run = run_held, .kind = kind}, .let_go = flag};
    return pool_submit(pool, &held->job);
}

static void begin(void)
{
    const struct pool_opts opts = {
        .threads = THREADS, .queue_max = QUEUE,
        .shares = {[POOL_ASKING] = {.running_max = 2}, [POOL_HASHING] = {.running_max = 1, .queue_max = 2}},
    };
    CU_ASSERT_EQUAL_FATAL(pool_open(&opts, &pool), ERR_NONE);
}

static void test_shares(void)
{
    struct held hashing[4], asking, common;
    atomic_bool go = false, now = true;
    begin();
    CU_ASSERT_EQUAL(submit(&hashing[0], POOL_HASHING, &go), ERR_NONE);
    CU_ASSERT(scratch_eventually(runs, &hashing[0]));
    CU_ASSERT_EQUAL(submit(&hashing[1], POOL_HASHING, &go), ERR_NONE);
    CU_ASSERT_EQUAL(submit(&hashing[2], POOL_HASHING, &go), ERR_NONE);
    CU_ASSERT_EQUAL(submit(&hashing[3], POOL_HASHING, &go), ERR_BUSY);   /* one runs, two wait */
    CU_ASSERT_EQUAL(pool_queued(pool), 2);
    CU_ASSERT_EQUAL(submit(&asking, POOL_ASKING, &now), ERR_NONE);        /* and keep nobody else from running */
    CU_ASSERT_EQUAL(submit(&common, POOL_COMMON, &now), ERR_NONE);
    CU_ASSERT(scratch_eventually(is_done, &asking));
    CU_ASSERT(scratch_eventually(is_done, &common));
    CU_ASSERT_FALSE(runs(&hashing[1]) || runs(&hashing[2]));
    let_go(&go);
    for (int i = 0; i < 3; i++)
        CU_ASSERT(scratch_eventually(is_done, &hashing[i]));
    pool_close(pool);
}

static void test_running_max(void)
{
    struct held asking[3], common;
    atomic_bool go = false, now = true;
    begin();
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(submit(&asking[i], POOL_ASKING, &go), ERR_NONE);
    CU_ASSERT(scratch_eventually(runs, &asking[0]));
    CU_ASSERT(scratch_eventually(runs, &asking[1]));
    CU_ASSERT_EQUAL(submit(&common, POOL_COMMON, &now), ERR_NONE);
    CU_ASSERT(scratch_eventually(is_done, &common));
    CU_ASSERT_FALSE(runs(&asking[2]));
    let_go(&go);
    pool_close(pool);   /* runs what waits */
    CU_ASSERT(is_done(&asking[2]));
}

static atomic_uint hashing_now, hashing_most, ran;

static void run_counted(struct pool_job *job, struct db_connection *reader)
{
    (void)reader;
    if (job->kind == POOL_HASHING) {
        unsigned now = atomic_fetch_add(&hashing_now, 1) + 1, before = atomic_load(&hashing_most);
        while (now > before && !atomic_compare_exchange_weak(&hashing_most, &before, now))
            continue;
        atomic_fetch_sub(&hashing_now, 1);
    }
    atomic_fetch_add(&ran, 1);
}

static void *submit_often(void *context)
{
    struct pool_job *jobs = context;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct pool_job){.run = run_counted, .kind = (enum pool_kind)(i % POOL_KINDS)};
        while (pool_submit(pool, &jobs[i]) == ERR_BUSY)
            sched_yield();
    }
    return NULL;
}

static void test_threads(void)
{
    static struct pool_job jobs[GANG][JOBS];
    pthread_t threads[GANG];
    begin();
    for (int i = 0; i < GANG; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, submit_often, jobs[i]), 0);
    for (int i = 0; i < GANG; i++)
        pthread_join(threads[i], NULL);
    pool_close(pool);
    CU_ASSERT_EQUAL(ran, GANG * JOBS);
    CU_ASSERT_EQUAL(hashing_most, 1);
}

static const struct suite_case cases[] = {
    {"a kind that has its share keeps no other from running", test_shares},
    {"so many of a kind run at once", test_running_max},
    {"every job that was taken runs once, within its share", test_threads},
};

int main(void)
{
    return suite_main("pool", cases, sizeof cases / sizeof cases[0]);
}
