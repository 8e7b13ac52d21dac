/*
 * Writers of several processes on one database, each with jobs waiting all the time: changes a second in all, the
 * slowest change, and how evenly the processes came to write. The store alone: no requests, no events.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/unit/scratch.h"

enum { JOBS = 16, ROWS = 4, SECONDS = 2, PROCESSES_MAX = 8 };

struct result {
    uint64_t changes;
    int64_t worst_ns;
};

struct bench_job {
    struct db_job job;
    struct bench_writer *writer;
    int64_t from_ns;
};

struct bench_writer {
    struct db *db;
    struct bench_job jobs[JOBS];
    int64_t until_ns;
    struct result result;
    bool failed;
};

static const char create_sql[] = "CREATE TABLE row (id INTEGER PRIMARY KEY, number INTEGER, padding TEXT)";
static const char insert_sql[] = "INSERT INTO row (number, padding) VALUES ($1, $2)";

static enum err add_rows(struct db_connection *connection, void *context)
{
    static const char padding[100];
    enum err err = ERR_NONE;
    (void)context;
    for (int i = 0; i < ROWS && !err; i++) {
        struct db_statement *insert = db_query(connection, insert_sql);
        db_bind_int(insert, 1, i);
        db_bind_text(insert, 2, (struct text){padding, sizeof padding});
        err = db_run(insert, NULL);
    }
    return err;
}

static void added(struct db_job *job, enum err err)
{
    struct bench_job *mine = (struct bench_job *)job;
    struct bench_writer *writer = mine->writer;
    int64_t now_ns = clock_now_ns();
    if (now_ns - mine->from_ns > writer->result.worst_ns)
        writer->result.worst_ns = now_ns - mine->from_ns;
    writer->result.changes++;
    mine->from_ns = now_ns;
    writer->failed |= err || (now_ns < writer->until_ns && db_submit(writer->db, job));
}

/* In a process of its own. db_close() runs what waits. */
static void write_on(const char *path, int out)
{
    static struct bench_writer writer;
    struct db_opts opts = scratch_db_opts(path);
    if (db_open(&opts, &writer.db) || db_start(writer.db))
        _exit(1);
    writer.until_ns = clock_now_ns() + SECONDS * NS_PER_S;
    for (int i = 0; i < JOBS; i++) {
        writer.jobs[i] = (struct bench_job){{.work = add_rows, .done = added}, &writer, clock_now_ns()};
        if (db_submit(writer.db, &writer.jobs[i].job))
            _exit(1);
    }
    while (clock_now_ns() < writer.until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    db_close(writer.db);
    bool told = write(out, &writer.result, sizeof writer.result) == sizeof writer.result;
    _exit(told && !writer.failed ? 0 : 1);
}

static bool measure(int processes)
{
    struct scratch scratch;
    struct result result, sum = {0}, least = {.changes = UINT64_MAX};
    int ends[2], status, failed = 0;
    pid_t pids[PROCESSES_MAX];
    struct db *db = NULL;
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "bench.db"));
    if (pipe(ends) || db_open(&opts, &db) || db_start(db) || scratch_script(db, create_sql))
        return false;
    db_close(db);
    for (int i = 0; i < processes; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            write_on(opts.path, ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], &result, sizeof result) == sizeof result) {
        sum.changes += result.changes;
        sum.worst_ns = result.worst_ns > sum.worst_ns ? result.worst_ns : sum.worst_ns;
        least.changes = result.changes < least.changes ? result.changes : least.changes;
    }
    close(ends[0]);
    for (int i = 0; i < processes; i++)
        failed += waitpid(pids[i], &status, 0) != pids[i] || status != 0;
    scratch_fini(&scratch);
    printf("%d writing process%-30s %12.0f /s, slowest %.1f ms, least share %.2f of an even one\n", processes,
           processes == 1 ? "" : "es", (double)sum.changes / SECONDS, (double)sum.worst_ns / NS_PER_MS,
           (double)least.changes * processes / (double)sum.changes);
    return failed == 0;
}

int main(void)
{
    static const int counts[] = {1, 2, 4, 8};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (!measure(counts[i]))
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
