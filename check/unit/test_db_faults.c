/* What the database does when the file is no database, when the disk is full, and when a job takes others down. */
#include "config.h"

#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/harness/suite.h"
#include "check/unit/scratch.h"

static struct scratch scratch;
static struct db *db;

static enum err open_it(const char *path)
{
    struct db_opts opts = scratch_db_opts(path);
    return db_open(&opts, &db);
}

static void begin(void)
{
    scratch_init(&scratch);
    CU_ASSERT_EQUAL_FATAL(open_it(scratch_path(&scratch, "test.db")), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(scratch_script(db, "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
                                             "CREATE TABLE row (id INTEGER PRIMARY KEY, padding TEXT, parent INTEGER"
                                             " REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"), ERR_NONE);
}

static void end(void)
{
    db_close(db);
    db = NULL;
    scratch_fini(&scratch);
}

static void write_file(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

/* ---- files ---- */

static void test_no_database(void)
{
    static const char words[] = "This is a letter, and no database at all. It is long enough to look like a page.";
    scratch_init(&scratch);
    const char *path = scratch_path(&scratch, "test.db");
    write_file(path, words, sizeof words);
    CU_ASSERT_EQUAL(open_it(path), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "not a database"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "test.db"));
    struct stat status;
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_size, sizeof words);   /* and it is still what it was */
    scratch_fini(&scratch);
}

static void test_cut_short(void)
{
    begin();
    CU_ASSERT_EQUAL(scratch_script(db, "INSERT INTO row (padding) SELECT zeroblob(9000) FROM"
                                       " (VALUES (1),(2),(3),(4),(5),(6))"), ERR_NONE);
    db_close(db);
    CU_ASSERT_EQUAL(truncate(scratch_path(&scratch, "test.db"), 8192), 0);
    CU_ASSERT_EQUAL(open_it(scratch.path), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "malformed"));
    db = NULL;
    end();
}

static void test_broken_schema(void)
{
    begin();
    db_close(db);
    int fd = open(scratch_path(&scratch, "test.db"), O_WRONLY);
    static const char noise[512] = {1, 2, 3};
    CU_ASSERT_EQUAL(pwrite(fd, noise, sizeof noise, 100), (ssize_t)sizeof noise);
    close(fd);
    CU_ASSERT_EQUAL(open_it(scratch.path), ERR_STORAGE);
    db = NULL;
    end();
}

static void test_bad_paths(void)
{
    scratch_init(&scratch);
    CU_ASSERT_EQUAL(open_it(scratch.folder), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "regular file"));
    CU_ASSERT_EQUAL(open_it(scratch_path(&scratch, "missing/test.db")), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "No such file"));
    CU_ASSERT_EQUAL(open_it(""), ERR_CONFIG);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    opts.wal_max_bytes = opts.wal_checkpoint_bytes - 1;
    CU_ASSERT_EQUAL(db_open(&opts, &db), ERR_CONFIG);
    scratch_fini(&scratch);
}

static void test_private(void)
{
    mode_t before = umask(0);
    begin();
    umask(before);
    struct stat status;
    CU_ASSERT_EQUAL(stat(scratch_path(&scratch, "test.db"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0660);
    CU_ASSERT_EQUAL(stat(scratch_path(&scratch, "test.db-wal"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0660);
    end();
}

/* ---- a batch in which things go wrong ---- */

struct script_job {
    struct db_job job;
    const char *sql;
    enum err err;
    unsigned runs;
    char cause[200];
};

static enum err run_script(struct db_connection *connection, void *context)
{
    struct script_job *job = context;
    job->runs++;
    return db_script(connection, job->sql);
}

static void script_done(struct db_job *base, enum err err)
{
    struct script_job *job = (struct script_job *)base;
    job->err = err;
    snprintf(job->cause, sizeof job->cause, "%s", err ? err_cause() : "");
}

static enum err wait_there(struct db_connection *connection, void *context)
{
    (void)connection;
    sem_t *gate = context;
    sem_post(&gate[0]);
    sem_wait(&gate[1]);
    return ERR_NONE;
}

static void nothing_done(struct db_job *job, enum err err)
{
    (void)job, (void)err;
}

/* Runs the scripts as the jobs of one batch. */
static void run_batch(struct script_job *jobs, size_t count)
{
    static sem_t gate[2];
    sem_init(&gate[0], 0, 0);
    sem_init(&gate[1], 0, 0);
    struct db_job waiting = {.work = wait_there, .done = nothing_done, .context = gate};
    CU_ASSERT_EQUAL_FATAL(db_submit(db, &waiting), ERR_NONE);
    sem_wait(&gate[0]);
    for (size_t i = 0; i < count; i++) {
        jobs[i].job = (struct db_job){.work = run_script, .done = script_done, .context = &jobs[i]};
        jobs[i].err = ERR_AGAIN;
        CU_ASSERT_EQUAL_FATAL(db_submit(db, &jobs[i].job), ERR_NONE);
    }
    sem_post(&gate[1]);
    enum err ignored = scratch_script(db, "SELECT 1");
    (void)ignored;
}

static enum err limit_pages(struct db_connection *connection, void *context)
{
    return db_script(connection, context);
}

static void test_full_disk(void)
{
    begin();
    CU_ASSERT_EQUAL(db_write(db, limit_pages, (char[]){"PRAGMA max_page_count = 30"}), ERR_NONE);
    struct script_job jobs[] = {
        {.sql = "INSERT INTO row (id, padding) VALUES (1, 'small')"},
        {.sql = "INSERT INTO row (id, padding) VALUES (2, zeroblob(500000))"},
        {.sql = "INSERT INTO row (id, padding) VALUES (1, 'taken')"},
        {.sql = "INSERT INTO row (id, padding) VALUES (3, 'small')"},
    };
    run_batch(jobs, 4);
    CU_ASSERT_EQUAL(jobs[0].err, ERR_NONE);
    CU_ASSERT_EQUAL(jobs[1].err, ERR_STORAGE_FULL);
    CU_ASSERT_EQUAL(jobs[2].err, ERR_CONFLICT);
    CU_ASSERT_EQUAL(jobs[3].err, ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(jobs[1].cause, "full"));
    CU_ASSERT_EQUAL(jobs[0].runs, 2);   /* the full disk had undone it */
    CU_ASSERT_EQUAL(jobs[1].runs, 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT sum(id) FROM row"), 4);

    CU_ASSERT_EQUAL(db_write(db, limit_pages, (char[]){"PRAGMA max_page_count = 10000"}), ERR_NONE);
    run_batch(&jobs[1], 1);
    CU_ASSERT_EQUAL(jobs[1].err, ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT sum(id) FROM row"), 6);
    end();
}

static void test_many_guilty(void)
{
    enum { JOBS = 30 };
    begin();
    CU_ASSERT_EQUAL(db_write(db, limit_pages, (char[]){"PRAGMA max_page_count = 30"}), ERR_NONE);
    static struct script_job jobs[JOBS];
    for (int i = 0; i < JOBS; i++)
        jobs[i].sql = "INSERT INTO row (padding) VALUES (zeroblob(500000))";
    run_batch(jobs, JOBS);
    unsigned runs = 0;
    for (int i = 0; i < JOBS; i++) {
        CU_ASSERT_EQUAL(jobs[i].err, ERR_STORAGE_FULL);
        runs += jobs[i].runs;
    }
    CU_ASSERT(runs < JOBS);   /* it gives up before it has tried each */
    CU_ASSERT_EQUAL(scratch_script(db, "INSERT INTO row (padding) VALUES ('small')"), ERR_NONE);
    end();
}

static void test_deferred_constraint(void)
{
    begin();
    struct script_job jobs[] = {
        {.sql = "INSERT INTO row (id) VALUES (1)"},
        {.sql = "INSERT INTO row (id, parent) VALUES (2, 99)"},   /* only the commit finds it out */
        {.sql = "INSERT INTO row (id) VALUES (3)"},
    };
    run_batch(jobs, 3);
    CU_ASSERT_EQUAL(jobs[0].err, ERR_NONE);
    CU_ASSERT_EQUAL(jobs[1].err, ERR_CONFLICT);
    CU_ASSERT_EQUAL(jobs[2].err, ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT sum(id) FROM row"), 4);
    struct db_stats stats;
    db_stats(db, &stats);
    CU_ASSERT(stats.commit_failures >= 1);
    end();
}

/* ---- a disk that fills up under the log ---- */

static int write_past_limit(const char *path)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit unlimited, limit;
    if (getrlimit(RLIMIT_FSIZE, &unlimited) || open_it(path) || db_start(db)
        || scratch_script(db, "CREATE TABLE row (id INTEGER PRIMARY KEY, padding TEXT)"))
        return 1;
    limit = (struct rlimit){.rlim_cur = 128 * 1024, .rlim_max = unlimited.rlim_max};
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 2;
    enum err err = ERR_NONE;
    int rows = 0;
    for (int i = 0; !err && i < 100; i++) {
        err = scratch_script(db, "INSERT INTO row (padding) VALUES (zeroblob(10000))");
        rows += !err;
    }
    if (err != ERR_STORAGE_FULL)
        return 3;
    if (scratch_number(db, "SELECT count(*) FROM row") != rows)
        return 4;
    if (setrlimit(RLIMIT_FSIZE, &unlimited))
        return 5;
    if (scratch_script(db, "INSERT INTO row (padding) VALUES (zeroblob(10000))")
        || scratch_number(db, "SELECT count(*) FROM row") != rows + 1)
        return 6;
    db_close(db);
    return 0;
}

static void test_file_limit(void)
{
    scratch_init(&scratch);
    const char *path = scratch_path(&scratch, "test.db");
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0)
        _exit(write_past_limit(path));
    int status = -1;
    waitpid(child, &status, 0);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"a disk that is full is told, and recovered from", test_file_limit},
    {"what is no database is refused and left alone", test_no_database},
    {"a database that was cut short is refused", test_cut_short},
    {"a database with a broken schema is refused", test_broken_schema},
    {"paths and options that make no sense are refused", test_bad_paths},
    {"a new database is for its owner and group only", test_private},
    {"a job that ends the transaction is out, and the others run again", test_full_disk},
    {"a batch is given up when job after job ends the transaction", test_many_guilty},
    {"a constraint found broken by the commit hits only who broke it", test_deferred_constraint},
};

int main(void)
{
    return suite_main("db_faults", cases, sizeof cases / sizeof cases[0]);
}
