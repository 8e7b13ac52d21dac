#include "config.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"
#include "state/thread.h"

static struct scratch scratch;
static struct db *db;

static struct db *open_started(struct db_opts opts)
{
    struct db *opened = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &opened), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(opened), ERR_NONE);
    return opened;
}

static void begin_with(void (*adjust)(struct db_opts *opts))
{
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    if (adjust)
        adjust(&opts);
    db = open_started(opts);
    CU_ASSERT_EQUAL_FATAL(scratch_script(db, "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
                                             "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,"
                                             " amount INTEGER CHECK (amount >= 0), parent INTEGER REFERENCES parent)"),
                          ERR_NONE);
}

static void end(void)
{
    db_close(db);
    db = NULL;
    scratch_fini(&scratch);
}

/* A job that adds an item and may then wait, fail, or tell that it is done. */
struct item_job {
    struct db_job job;
    int64_t id;
    enum err fail_with;
    sem_t *entered, *may_go_on;
    bool is_done;
    enum err err;
    char cause[128];
    atomic_int *done_count;
    int place;
};

/* After which what was changed before has reached the database, and locks what it locks. */
static enum err read_back(struct db_connection *connection)
{
    struct db_statement *query = db_query(connection, "SELECT count(*) FROM item");
    while (db_next(query))
        continue;
    return db_done(query);
}

static enum err add_item(struct db_connection *connection, void *context)
{
    struct item_job *job = context;
    char name[32];
    snprintf(name, sizeof name, "item %lld", (long long)job->id);
    struct db_statement *insert = db_query(connection, "INSERT INTO item (id, name, amount) VALUES ($1, $2, 0)");
    db_bind_int(insert, 1, job->id);
    db_bind_string(insert, 2, name);
    enum err err = db_run(insert, NULL);
    if (!err && job->entered)
        err = read_back(connection);
    if (job->entered)
        sem_post(job->entered);
    if (job->may_go_on)
        sem_wait(job->may_go_on);
    return err ? err : job->fail_with ? err_because(job->fail_with, "item %lld", (long long)job->id) : ERR_NONE;
}

static void item_done(struct db_job *base, enum err err)
{
    struct item_job *job = (struct item_job *)base;
    job->is_done = true;
    job->err = err;
    snprintf(job->cause, sizeof job->cause, "%s", err ? err_cause() : "");
    if (job->done_count)
        job->place = atomic_fetch_add(job->done_count, 1);
}

static struct item_job item_job(int64_t id)
{
    return (struct item_job){.job = {.work = add_item, .done = item_done}, .id = id};
}

static enum err submit(struct item_job *job)
{
    job->job.context = job;
    return db_submit(db, &job->job);
}

/* Holds the writer inside a transaction, so that what is submitted meanwhile gathers. */
struct gate {
    sem_t entered, may_go_on;
    struct item_job job;
};

static void gate_shut(struct gate *gate, int64_t id)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->may_go_on, 0, 0);
    gate->job = item_job(id);
    gate->job.entered = &gate->entered;
    gate->job.may_go_on = &gate->may_go_on;
    CU_ASSERT_EQUAL_FATAL(submit(&gate->job), ERR_NONE);
    sem_wait(&gate->entered);
}

static void gate_open(struct gate *gate)
{
    sem_post(&gate->may_go_on);
}

/* Waits until everything submitted before has been told. */
static void settle(void)
{
    CU_ASSERT_EQUAL(scratch_script(db, "SELECT 1"), ERR_NONE);
}

/* ---- the writer ---- */

static void test_group_commit(void)
{
    begin_with(NULL);
    enum { JOBS = 40 };
    static struct item_job jobs[JOBS];
    atomic_int done_count = 0;
    struct gate gate;
    struct db_stats before, after;
    db_stats(db, &before);
    gate_shut(&gate, 1000);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = item_job(i + 1);
        jobs[i].done_count = &done_count;
        CU_ASSERT_EQUAL(submit(&jobs[i]), ERR_NONE);
    }
    db_stats(db, &after);
    CU_ASSERT_EQUAL(after.queued, JOBS);
    gate_open(&gate);
    settle();
    db_stats(db, &after);
    CU_ASSERT(after.batches - before.batches <= 3);   /* the gate's, all the others', and maybe settle()'s own */
    CU_ASSERT(after.jobs - before.jobs >= JOBS + 1);
    CU_ASSERT_EQUAL(after.queued, 0);
    CU_ASSERT(after.commit_ns > before.commit_ns);
    for (int i = 0; i < JOBS; i++) {
        CU_ASSERT(jobs[i].is_done && jobs[i].err == ERR_NONE);
        CU_ASSERT_EQUAL(jobs[i].place, i);
    }
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item"), JOBS + 1);
    end();
}

static void test_failing_job_alone(void)
{
    begin_with(NULL);
    struct item_job jobs[5];
    struct gate gate;
    gate_shut(&gate, 1000);
    for (int i = 0; i < 5; i++)
        jobs[i] = item_job(i + 1);
    jobs[1].fail_with = ERR_FORBIDDEN;
    jobs[3].id = 1;   /* is taken by the first */
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(submit(&jobs[i]), ERR_NONE);
    gate_open(&gate);
    settle();
    const enum err expected[] = {ERR_NONE, ERR_FORBIDDEN, ERR_NONE, ERR_CONFLICT, ERR_NONE};
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(jobs[i].err, expected[i]);
    CU_ASSERT_STRING_EQUAL(jobs[1].cause, "item 2");
    CU_ASSERT_PTR_NOT_NULL(strstr(jobs[3].cause, engines_is_sqlite() ? "UNIQUE constraint failed: item.id"
                                                                     : "unique constraint \"item_pkey\""));
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item WHERE id IN (1, 3, 5)"), 3);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item WHERE id = 2"), 0);
    struct db_stats stats;
    db_stats(db, &stats);
    CU_ASSERT_EQUAL(stats.jobs_failed, 2);
    end();
}

static void tiny_queue(struct db_opts *opts)
{
    opts->queue_max = 3;
}

static void test_queue_limit(void)
{
    begin_with(tiny_queue);
    struct item_job jobs[4];
    struct gate gate;
    gate_shut(&gate, 1000);
    for (int i = 0; i < 4; i++) {
        jobs[i] = item_job(i + 1);
        CU_ASSERT_EQUAL(submit(&jobs[i]), i < 3 ? ERR_NONE : ERR_BUSY);
    }
    gate_open(&gate);
    bool all_done = false;
    while (!all_done)
        all_done = scratch_script(db, "SELECT 1") == ERR_NONE;
    CU_ASSERT(jobs[2].is_done);
    CU_ASSERT_FALSE(jobs[3].is_done);
    end();
}

static void test_batch_limit(void)
{
    begin_with(NULL);
    enum { JOBS = 200 };   /* batch_max is 64 */
    static struct item_job jobs[JOBS];
    struct gate gate;
    struct db_stats before, after;
    gate_shut(&gate, 1000);
    db_stats(db, &before);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = item_job(i + 1);
        CU_ASSERT_EQUAL(submit(&jobs[i]), ERR_NONE);
    }
    gate_open(&gate);
    settle();
    db_stats(db, &after);
    CU_ASSERT(after.batches - before.batches >= 5);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item"), JOBS + 1);
    end();
}

static void test_cause_reaches_waiter(void)
{
    begin_with(NULL);
    struct item_job job = item_job(7);
    job.fail_with = ERR_PRECONDITION_FAILED;
    err_clear();
    CU_ASSERT_EQUAL(db_write(db, add_item, &job), ERR_PRECONDITION_FAILED);
    CU_ASSERT_STRING_EQUAL(err_cause(), "item 7");
    end();
}

static void test_reader_sees_committed(void)
{
    begin_with(NULL);
    struct gate gate;
    gate_shut(&gate, 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item"), 0);
    gate_open(&gate);
    settle();
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item"), 1);

    struct db_connection *reader = NULL;
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL(db_run(db_query(reader, "DELETE FROM item"), NULL), ERR_STORAGE);
    CU_ASSERT_EQUAL(db_script(reader, "DROP TABLE item"), ERR_STORAGE);
    db_reader_close(reader);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item"), 1);
    end();
}

static void short_patience(struct db_opts *opts)
{
    opts->busy_timeout_ms = 30;
}

static void test_other_process_writes(void)
{
    begin_with(short_patience);
    struct db *mine = db;
    struct gate gate;
    db = open_started(scratch_db_opts(scratch_path(&scratch, "test.db")));
    struct db *other = db;
    gate_shut(&gate, 1);
    db = mine;
    struct item_job job = item_job(1);   /* the same, which is all that is locked where rows are */
    CU_ASSERT_EQUAL(db_write(mine, add_item, &job), ERR_BUSY);
    struct db_stats stats;
    db_stats(mine, &stats);
    CU_ASSERT(stats.busy >= 1);
    gate_open(&gate);
    CU_ASSERT_EQUAL(scratch_script(other, "SELECT 1"), ERR_NONE);
    job.id = 2;
    CU_ASSERT_EQUAL(db_write(mine, add_item, &job), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(mine, "SELECT count(*) FROM item"), 2);
    db_close(other);
    end();
}

/* ---- closing ---- */

static void *open_gate_soon(void *context)
{
    gate_open(context);
    return NULL;
}

static void test_close_runs_what_waits(void)
{
    begin_with(NULL);
    struct item_job jobs[10];
    struct gate gate;
    gate_shut(&gate, 1000);
    for (int i = 0; i < 10; i++) {
        jobs[i] = item_job(i + 1);
        CU_ASSERT_EQUAL(submit(&jobs[i]), ERR_NONE);
    }
    pthread_t opener;
    CU_ASSERT_EQUAL(thread_start(&opener, "opener", open_gate_soon, &gate), ERR_NONE);
    db_close(db);
    pthread_join(opener, NULL);
    for (int i = 0; i < 10; i++)
        CU_ASSERT(jobs[i].is_done && jobs[i].err == ERR_NONE);
    db = open_started(scratch_db_opts(scratch_path(&scratch, "test.db")));
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM item"), 11);
    end();
}

static enum err do_nothing(struct db_connection *connection, void *context)
{
    (void)connection, (void)context;
    return ERR_NONE;
}

static enum err refused_with;

static void submit_again(struct db_job *job, enum err err)
{
    (void)err;
    refused_with = db_submit(job->context, job);
}

static void test_close_refuses_more(void)
{
    begin_with(NULL);
    struct db_job endless = {.work = do_nothing, .done = submit_again, .context = db};
    CU_ASSERT_EQUAL(db_submit(db, &endless), ERR_NONE);
    end();
    CU_ASSERT_EQUAL(refused_with, ERR_CLOSED);
}

static void test_never_started(void)
{
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    struct item_job job = item_job(1);
    CU_ASSERT_EQUAL(submit(&job), ERR_NONE);
    end();
    CU_ASSERT(job.is_done && job.err == ERR_CLOSED);
    db_close(NULL);
}

/* ---- listeners ---- */

static const char topic[] = "a topic";

static enum err add_and_notify(struct db_connection *connection, void *context)
{
    db_notify(connection, topic);
    return add_item(connection, context);
}

static void count_wakes(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void test_listeners(void)
{
    begin_with(NULL);
    atomic_int wakes = 0;
    CU_ASSERT_EQUAL(db_listen(db, topic, count_wakes, &wakes), ERR_NONE);
    struct item_job job = item_job(1);
    CU_ASSERT_EQUAL(db_write(db, add_item, &job), ERR_NONE);
    CU_ASSERT_EQUAL(wakes, 0);
    job.id = 2;
    CU_ASSERT_EQUAL(db_write(db, add_and_notify, &job), ERR_NONE);
    CU_ASSERT_EQUAL(wakes, 1);
    CU_ASSERT_EQUAL(db_write(db, add_and_notify, &job), ERR_CONFLICT);
    CU_ASSERT_EQUAL(wakes, 1);
    db_unlisten(db, topic, &wakes);
    job.id = 3;
    CU_ASSERT_EQUAL(db_write(db, add_and_notify, &job), ERR_NONE);
    CU_ASSERT_EQUAL(wakes, 1);
    for (int i = 0; i < DB_MAX_LISTENERS; i++)
        CU_ASSERT_EQUAL(db_listen(db, topic, count_wakes, &wakes), ERR_NONE);
    CU_ASSERT_EQUAL(db_listen(db, topic, count_wakes, &wakes), ERR_MEMORY);
    end();
}

/* Each is told with how many others it became durable, and when. */
static void test_committed(void)
{
    begin_with(NULL);
    struct item_job jobs[3] = {item_job(10), item_job(11), item_job(12)};
    struct db_committed told = {0, 0};
    struct gate gate;
    jobs[1].fail_with = ERR_INVALID;
    int64_t before_ns = clock_now_ns();
    gate_shut(&gate, 1);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(submit(&jobs[i]), ERR_NONE);
    gate_open(&gate);
    settle();
    CU_ASSERT_EQUAL(gate.job.job.committed.batch_size, 1);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT(jobs[i].job.committed.batch_size >= 3);
        CU_ASSERT(jobs[i].job.committed.at_ns >= gate.job.job.committed.at_ns);
    }
    CU_ASSERT(gate.job.job.committed.at_ns > before_ns);
    struct item_job last = item_job(20);
    CU_ASSERT_EQUAL(db_write_told(db, add_item, &last, &told), ERR_NONE);
    CU_ASSERT_EQUAL(told.batch_size, 1);
    CU_ASSERT(told.at_ns >= jobs[2].job.committed.at_ns && told.at_ns <= clock_now_ns());
    end();
}

static const struct suite_case cases[] = {
    {"a job is told when it became durable, and with how many", test_committed},
    {"jobs that wait commit together, and are told in order", test_group_commit},
    {"a failing job is undone alone and keeps its cause", test_failing_job_alone},
    {"the queue has a ceiling", test_queue_limit},
    {"a batch has a ceiling", test_batch_limit},
    {"the cause of a failed job reaches who waits for it", test_cause_reaches_waiter},
    {"a reader sees what is committed, and cannot write", test_reader_sees_committed},
    {"another process's transaction is waited for, but not for ever", test_other_process_writes},
    {"closing runs what waits", test_close_runs_what_waits},
    {"closing refuses more", test_close_refuses_more},
    {"jobs of a database that was never started are told so", test_never_started},
    {"listeners are woken by commits that concern them", test_listeners},
};

int main(void)
{
    return engines_main("db", cases, sizeof cases / sizeof cases[0]);
}
