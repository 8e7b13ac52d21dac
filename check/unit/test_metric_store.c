/* Metrics of several processes: the sums are right whoever is asked, and however a process ended. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "telemetry/metric.h"
#include "telemetry/metric_store.h"

enum { LAYOUT = 7, COUNTER, GAUGE, OUTPUT_BYTES = 1 << 20, CHILDREN = 5, TIMES = 1000, KILLS = 60 };

static struct scratch scratch;
static char path[SCRATCH_PATH_SIZE];

static void begin(void)
{
    static unsigned number;
    char name[32];
    snprintf(name, sizeof name, "metrics-%u", number++);
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, name));
}

static struct metric_store *open_store(uint64_t layout)
{
    struct metric_store *store = NULL;
    CU_ASSERT_EQUAL_FATAL(metric_store_open(path, layout, &store), ERR_NONE);
    return store;
}

static uint32_t slot_of(struct metric_store *store, uint32_t which)
{
    const struct metric_name *name = NULL;
    CU_ASSERT_EQUAL_FATAL(metric_store_name(store, which, "", 1, which == COUNTER, &name), ERR_NONE);
    return name->slot;
}

static void add(struct metric_store *store, uint32_t which, int64_t n)
{
    atomic_fetch_add(metric_store_slots(store) + slot_of(store, which), n);
}

/* Some of it where one thread counts, some of it where another does, the rest where all do. */
static void add_as_threads(struct metric_store *store, uint32_t which, int64_t n)
{
    uint32_t slot = slot_of(store, which);
    for (unsigned i = 0; i < METRIC_OWNERS_MAX && metric_store_own(store, i) && n > 1; i++, n--)
        metric_store_own(store, i)[slot]++;
    add(store, which, n);
}

static int64_t sum_of(struct metric_store *store, uint32_t which)
{
    uint32_t slot = slot_of(store, which);
    int64_t sums[64] = {0};
    CU_ASSERT_FATAL(slot < 64);
    metric_store_tidy(store);
    metric_store_sum(store, sums, slot + 1);
    return sums[slot];
}

/* ---- processes ---- */

/* One that counts, says so through a pipe, and then waits to be killed. */
static pid_t start(int64_t counted, int64_t gauge)
{
    int pipes[2];
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0) {
        struct metric_store *store;
        if (metric_store_open(path, LAYOUT, &store) != ERR_NONE)
            _exit(1);
        add_as_threads(store, COUNTER, counted);
        add_as_threads(store, GAUGE, gauge);
        if (write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(pipes[1]);
    CU_ASSERT_EQUAL_FATAL(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
}

static void test_sums(void)
{
    begin();
    struct metric_store *store = open_store(LAYOUT);
    pid_t one = start(10, 1), other = start(100, 2);
    add(store, COUNTER, 1);
    add(store, GAUGE, 4);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 111);
    CU_ASSERT_EQUAL(sum_of(store, GAUGE), 7);
    stop(one);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 111);
    CU_ASSERT_EQUAL(sum_of(store, GAUGE), 6);
    pid_t next = start(1000, 0);   /* in the place of the first */
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 1111);
    stop(other);
    stop(next);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 1111);
    CU_ASSERT_EQUAL(sum_of(store, GAUGE), 4);
    metric_store_close(store);
    store = open_store(LAYOUT);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 1111);
    CU_ASSERT_EQUAL(sum_of(store, GAUGE), 0);
    metric_store_close(store);
}

static void count_living(void *context, pid_t pid, _Atomic int64_t *slots)
{
    int *count = context;
    CU_ASSERT(pid > 0);
    CU_ASSERT_PTR_NOT_NULL(slots);
    ++*count;
}

/* More than there are segments: the last ones share one, and nothing that is counted is lost. */
static void test_too_many(void)
{
    enum { MANY = METRIC_PROCESSES_MAX + 3 };
    pid_t pids[MANY];
    int living = 0;
    begin();
    struct metric_store *store = open_store(LAYOUT);
    for (int i = 0; i < MANY; i++)
        pids[i] = start(1, 1);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), MANY);
    CU_ASSERT_EQUAL(sum_of(store, GAUGE), MANY);
    metric_store_each(store, count_living, &living);
    CU_ASSERT_EQUAL(living, METRIC_PROCESSES_MAX + 1);
    for (int i = 0; i < MANY; i++)
        stop(pids[i]);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), MANY);
    CU_ASSERT_EQUAL(sum_of(store, GAUGE), 0);
    metric_store_close(store);
}

static void test_other_layout(void)
{
    begin();
    struct metric_store *old = open_store(LAYOUT), *new = NULL;
    add(old, COUNTER, 5);
    new = open_store(LAYOUT + 1);
    CU_ASSERT_EQUAL(sum_of(new, COUNTER), 0);
    add(old, COUNTER, 1);
    CU_ASSERT_EQUAL(sum_of(old, COUNTER), 6);   /* who has the old file keeps it */
    metric_store_close(old);
    metric_store_close(new);

    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("no metrics", file);
    fclose(file);
    new = open_store(LAYOUT);
    CU_ASSERT_EQUAL(sum_of(new, COUNTER), 0);
    metric_store_close(new);
}

/* Its head is well, and what follows is not. */
static void test_damaged(void)
{
    begin();
    struct metric_store *store = open_store(LAYOUT);
    unsigned char noise[4096];
    add(store, COUNTER, 5);
    metric_store_close(store);
    memset(noise, 0xa5, sizeof noise);
    FILE *file = fopen(path, "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fseek(file, 64, SEEK_SET), 0);
    CU_ASSERT_EQUAL(fwrite(noise, 1, sizeof noise, file), sizeof noise);
    fclose(file);
    store = open_store(LAYOUT);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 0);
    add(store, COUNTER, 2);
    CU_ASSERT_EQUAL(sum_of(store, COUNTER), 2);
    metric_store_close(store);
}

/* ---- killed while it folds ---- */

/*
 * Dead segments are folded by processes that are killed at a random instant, over and over; what the dead counted stays
 * the same sum whoever looks.
 */
static void fold_and_open(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct metric_store *store;
        if (metric_store_open(path, LAYOUT, &store) != ERR_NONE)
            _exit(1);
        metric_store_tidy(store);
        metric_store_close(store);
    }
    _exit(0);
}

static void test_killed_while_folding(void)
{
    begin();
    struct metric_store *store = open_store(LAYOUT);
    int64_t counted = 0;
    add(store, COUNTER, 1);
    counted++;
    for (unsigned i = 0; i < KILLS; i++) {
        pid_t dead[CHILDREN];
        for (int j = 0; j < CHILDREN; j++) {
            dead[j] = start(1 + j, 1);
            counted += 1 + j;
        }
        for (int j = 0; j < CHILDREN; j++)
            stop(dead[j]);
        pid_t folder = fork();
        if (folder == 0)
            fold_and_open(1000);
        struct timespec moment = {.tv_nsec = 20000L * (i % 40)};
        nanosleep(&moment, NULL);
        stop(folder);
        CU_ASSERT_EQUAL(sum_of(store, COUNTER), counted);
        CU_ASSERT_EQUAL(sum_of(store, GAUGE), 0);
    }
    metric_store_close(store);
}

/* ---- a scrape, while others count and die ---- */

static const char *scrape(struct buf *out)
{
    buf_fini(out);
    buf_init(out, OUTPUT_BYTES);
    metric_write(METRIC_PROMETHEUS, out);
    return buf_string(out);
}

static long value_of(struct buf *out, const char *name)
{
    const char *at = strstr(scrape(out), name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static pid_t start_counting(void)
{
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid > 0)
        return pid;
    if (metric_open("order", path) != ERR_NONE)
        _exit(1);
    struct metric_series jobs = metric_series(METRIC_DB_JOBS);
    struct metric_series size = metric_series(METRIC_DB_BATCH_SIZE);
    metric_set(metric_series(METRIC_CONFIG_LAST_RELOAD), getpid() % 2);
    for (int i = 0; i < TIMES; i++) {
        metric_add(jobs, 1);
        metric_observe(size, 2);
    }
    kill(getpid(), SIGKILL);
    _exit(1);
}

static void test_scrape_of_all(void)
{
    static struct buf out;
    long before = 0;
    begin();
    CU_ASSERT_EQUAL_FATAL(metric_open("order", path), ERR_NONE);
    metric_set(metric_series(METRIC_CONFIG_LAST_RELOAD), 1);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = start_counting();
        int status = 0;
        while (waitpid(pid, &status, WNOHANG) == 0) {
            long now = value_of(&out, "\ntandem_db_jobs_total ");
            CU_ASSERT(now >= before || now == -1);   /* it never goes back */
            before = now > before ? now : before;
        }
        CU_ASSERT(WIFSIGNALED(status));
    }
    CU_ASSERT_EQUAL(value_of(&out, "\ntandem_db_jobs_total "), CHILDREN * TIMES);
    CU_ASSERT_EQUAL(value_of(&out, "\ntandem_db_batch_size_count "), CHILDREN * TIMES);
    CU_ASSERT_EQUAL(value_of(&out, "\ntandem_db_batch_size_sum "), 2 * CHILDREN * TIMES);
    CU_ASSERT_EQUAL(value_of(&out, "\ntandem_processes "), 1);
    CU_ASSERT_EQUAL(value_of(&out, "\ntandem_config_last_reload_success "), 1);
    metric_close();
    buf_fini(&out);
}

static void test_no_file(void)
{
    snprintf(path, sizeof path, "/nonexistent/folder/metrics");
    CU_ASSERT_EQUAL(metric_open("order", path), ERR_IO);
    struct metric_series jobs = metric_series(METRIC_DB_JOBS);
    metric_add(jobs, 3);
    CU_ASSERT_EQUAL(metric_value(jobs), 3);   /* in memory */
    metric_close();
}

static const struct suite_case cases[] = {
    {"counts of all processes add up, also of those that were killed; gauges end with them", test_sums},
    {"processes beyond the segments count all the same", test_too_many},
    {"a file of another layout, or of none, is replaced", test_other_layout},
    {"a damaged file is replaced", test_damaged},
    {"nothing is lost or counted twice when who folds is killed", test_killed_while_folding},
    {"a scrape tells of all processes, and never goes back", test_scrape_of_all},
    {"where no file can be had, metrics are kept in memory", test_no_file},
};

int main(void)
{
    int status;
    scratch_init(&scratch);
    status = suite_main("metric_store", cases, sizeof cases / sizeof cases[0]);
    scratch_fini(&scratch);
    return status;
}
