/* What is told as done is there after kill -9 at any instant, and the write-ahead log stays bounded under load. */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "state/thread.h"

enum { ROUNDS = 25, WRITERS = 24, ROW_BYTES = 700 };

struct writer {
    struct db_job job;
    struct db *db;
    int64_t id;
    int pipe;
};

static atomic_llong next_id;

static enum err add_row(struct db_connection *connection, void *context)
{
    struct writer *writer = context;
    static const char padding[ROW_BYTES];
    struct db_statement *insert = db_query(connection, "INSERT INTO row (id, padding) VALUES ($1, $2)");
    db_bind_int(insert, 1, writer->id);
    db_bind_text(insert, 2, (struct text){padding, sizeof padding});
    return db_run(insert, NULL);
}

/* Tells the id, then goes on with another. */
static void row_done(struct db_job *job, enum err err)
{
    struct writer *writer = (struct writer *)job;
    if (err || write(writer->pipe, &writer->id, sizeof writer->id) != sizeof writer->id)
        _exit(1);
    writer->id = atomic_fetch_add(&next_id, 1);
    if (db_submit(writer->db, job))
        _exit(1);
}

static void write_until_killed(const char *path, int64_t first_id, int pipe)
{
    static struct writer writers[WRITERS];
    struct db_opts opts = scratch_db_opts(path);
    struct db *db = NULL;
    next_id = first_id;
    if (db_open(&opts, &db) || db_start(db)
        || scratch_script(db, "CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, padding TEXT)"))
        _exit(1);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){{.work = add_row, .done = row_done, .context = &writers[i]}, db,
                                     atomic_fetch_add(&next_id, 1), pipe};
        if (db_submit(db, &writers[i].job))
            _exit(1);
    }
    for (;;)
        pause();
}

/* Kills the child some time after its first word, and returns how many ids it told; 0 when it failed by itself. */
static size_t kill_and_collect(pid_t child, int pipe, int64_t *ids, size_t max)
{
    size_t count = 0;
    bool killed = false;
    int64_t kill_at_ns = 0;
    while (count < max && read(pipe, &ids[count], sizeof ids[count]) == sizeof ids[count]) {
        if (count++ == 0)
            kill_at_ns = clock_now_ns() + random_below(40000) * INT64_C(1000);
        if (!killed && (clock_now_ns() >= kill_at_ns || count == max - WRITERS * 64))
            killed = kill(child, SIGKILL) == 0;
    }
    if (!killed)
        kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    return killed && WIFSIGNALED(status) ? count : 0;
}

static void check_all_there(const char *path, const int64_t *ids, size_t count)
{
    struct db_opts opts = scratch_db_opts(path);
    struct db *db = NULL;
    struct db_connection *reader = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        struct db_statement *query = db_query(reader, "SELECT 1 FROM row WHERE id = $1");
        db_bind_int(query, 1, ids[i]);
        missing += !db_next(query);
        CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
    }
    CU_ASSERT_EQUAL(missing, 0);
    struct db_statement *check = db_query(reader, "PRAGMA integrity_check");
    CU_ASSERT(db_next(check) && text_equal_string(db_text(check, 0), "ok"));
    CU_ASSERT_EQUAL(db_done(check), ERR_NONE);
    db_reader_close(reader);
    db_close(db);
}

static void test_kill(void)
{
    enum { MAX_IDS = 100000 };
    struct scratch scratch;
    scratch_init(&scratch);
    const char *path = scratch_path(&scratch, "test.db");
    int64_t *ids = calloc(MAX_IDS, sizeof *ids);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2];
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        fflush(stdout);
        pid_t child = fork();
        CU_ASSERT_FATAL(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(path, 1 + round * INT64_C(1000000), ends[1]);
        }
        close(ends[1]);
        size_t count = kill_and_collect(child, ends[0], ids, MAX_IDS);
        close(ends[0]);
        CU_ASSERT(count > 0);
        check_all_there(path, ids, count);
    }
    free(ids);
    scratch_fini(&scratch);
}

/* ---- the log's ceiling ---- */

struct reading {
    struct db *db;
    atomic_bool stop;
    uint64_t reads;
};

static void *keep_reading(void *context)
{
    struct reading *reading = context;
    struct db_connection *reader = NULL;
    if (db_reader_open(reading->db, &reader))
        return NULL;
    while (!reading->stop) {
        struct db_statement *query = db_query(reader, "SELECT count(*) FROM (SELECT 1 FROM row LIMIT 300)");
        while (db_next(query))
            reading->reads++;
        if (db_done(query))
            break;
    }
    db_reader_close(reader);
    return NULL;
}

static atomic_int rows_left;

static void next_row(struct db_job *job, enum err err)
{
    struct writer *writer = (struct writer *)job;
    writer->id = atomic_fetch_add(&next_id, 1);
    if (!err && atomic_fetch_sub(&rows_left, 1) > 0 && db_submit(writer->db, job))
        atomic_store(&rows_left, -1);
}

static bool rows_done(void *context)
{
    (void)context;
    return rows_left < 0;
}

static void test_log_bounded(void)
{
    struct scratch scratch;
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    struct db *db = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "CREATE TABLE row (id INTEGER PRIMARY KEY, padding TEXT)"), ERR_NONE);
    struct reading reading = {.db = db};
    pthread_t reader;
    CU_ASSERT_EQUAL_FATAL(thread_start(&reader, "reader", keep_reading, &reading), ERR_NONE);

    static struct writer writers[WRITERS];
    next_id = 1;
    rows_left = 20000;   /* 15 MB, where the log may have 1 MiB */
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){{.work = add_row, .done = next_row, .context = &writers[i]}, db,
                                     atomic_fetch_add(&next_id, 1), -1};
        CU_ASSERT_EQUAL(db_submit(db, &writers[i].job), ERR_NONE);
    }
    CU_ASSERT(scratch_eventually(rows_done, NULL));
    atomic_store(&reading.stop, true);
    pthread_join(reader, NULL);
    struct stat status = {.st_size = 0};
    CU_ASSERT_EQUAL(stat(scratch_path(&scratch, "test.db-wal"), &status), 0);
    CU_ASSERT(status.st_size > 0);
    CU_ASSERT(status.st_size < 2 * 1024 * 1024);   /* the ceiling, and at most one batch past it */
    CU_ASSERT(reading.reads > 0);
    db_close(db);
    scratch_fini(&scratch);
}

static void test_reader_holds_log(void)
{
    struct scratch scratch;
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    struct db *db = NULL;
    struct db_connection *reader = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "CREATE TABLE row (id INTEGER PRIMARY KEY, padding TEXT)"), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "INSERT INTO row VALUES (1, '')"), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    struct db_statement *held = db_query(reader, "SELECT id FROM row");
    CU_ASSERT(db_next(held));

    static const char grow[] = "INSERT INTO row (padding) SELECT zeroblob(100000) FROM (VALUES (1),(2),(3),(4),(5))";
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(scratch_script(db, grow), ERR_NONE);   /* goes on, though nothing can be freed */
    struct db_stats stats;
    db_stats(db, &stats);
    CU_ASSERT(stats.wal_bytes > opts.wal_max_bytes);
    CU_ASSERT_EQUAL(db_done(held), ERR_NONE);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(scratch_script(db, grow), ERR_NONE);
    db_stats(db, &stats);
    CU_ASSERT(stats.wal_bytes <= 2 * opts.wal_max_bytes);
    db_reader_close(reader);
    db_close(db);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"what was told as done is there after kill -9", test_kill},
    {"the log stays bounded while the writer is never idle", test_log_bounded},
    {"a reader that stays holds up nobody, and the log shrinks when it goes", test_reader_holds_log},
};

int main(void)
{
    return suite_main("db_durable", cases, sizeof cases / sizeof cases[0]);
}
