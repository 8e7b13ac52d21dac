/* Copies of several databases as of one moment, and having a database to oneself. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "state/backup.h"
#include "state/maintain.h"

enum { BACKUPS = 12, TIMEOUT_MS = 5000, PATH_SIZE = 256 };

static struct scratch scratch;
static char paths[2][PATH_SIZE];
static const char *const list[] = {paths[0], paths[1]};
static struct db *dbs[2];

static struct db *open_db(const char *path)
{
    struct db *db = NULL;
    struct db_opts opts = scratch_db_opts(path);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    return db;
}

static void begin(void)
{
    scratch_init(&scratch);
    for (size_t i = 0; i < 2; i++) {
        snprintf(paths[i], PATH_SIZE, "%s", scratch_path(&scratch, i ? "b.db" : "a.db"));
        dbs[i] = open_db(paths[i]);
        CU_ASSERT_EQUAL_FATAL(db_start(dbs[i]), ERR_NONE);
        CU_ASSERT_EQUAL(scratch_script(dbs[i], "CREATE TABLE counter (n INTEGER, padding TEXT); INSERT INTO counter"
                                               " VALUES (0, zeroblob(200000))"), ERR_NONE);
    }
}

static void end(void)
{
    for (size_t i = 0; i < 2; i++) {
        db_close(dbs[i]);
        dbs[i] = NULL;
    }
    scratch_fini(&scratch);
}

static int64_t number_in(const char *path, const char *sql)
{
    struct db *db = open_db(path);
    int64_t number = scratch_number(db, sql);
    db_close(db);
    return number;
}

/* ---- one moment ---- */

static atomic_bool over;

/* First here, then there, as an event does: never further there than here. */
static void *count_on(void *context)
{
    unsigned *counted = context;
    while (!atomic_load(&over)) {
        for (size_t i = 0; i < 2; i++)
            if (scratch_script(dbs[i], "UPDATE counter SET n = n + 1"))
                return NULL;
        ++*counted;
    }
    return NULL;
}

static void copy_and_compare(unsigned number, int64_t *latest)
{
    struct backup *backup;
    char copies[2][PATH_SIZE + 16];
    CU_ASSERT_EQUAL_FATAL(backup_begin(list, 2, TIMEOUT_MS, &backup), ERR_NONE);
    int64_t then = scratch_number(dbs[0], "SELECT n FROM counter");
    for (size_t i = 0; i < 2; i++) {
        snprintf(copies[i], sizeof copies[i], "%s.%u", paths[i], number);
        CU_ASSERT_EQUAL(backup_copy(backup, i, copies[i]), ERR_NONE);
    }
    CU_ASSERT(backup_held_ns(backup) > 0);
    backup_end(backup);
    int64_t here = number_in(copies[0], "SELECT n FROM counter"), there = number_in(copies[1], "SELECT n FROM counter");
    CU_ASSERT(here >= there && here <= there + 1);
    CU_ASSERT(here <= then && here >= *latest);
    *latest = here;
}

static void test_one_moment(void)
{
    pthread_t thread;
    unsigned counted = 0;
    int64_t latest = 0;
    begin();
    atomic_store(&over, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, count_on, &counted), 0);
    for (unsigned i = 0; i < BACKUPS; i++)
        copy_and_compare(i, &latest);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    CU_ASSERT(counted > BACKUPS);   /* it was not held up for long */
    CU_ASSERT(latest > 0);
    end();
}

static void test_at_rest(void)
{
    struct backup *backup;
    char copy[PATH_SIZE + 16];
    struct stat status;
    begin();
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "UPDATE counter SET n = 7"), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(backup_begin(list, 1, TIMEOUT_MS, &backup), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "UPDATE counter SET n = 8"), ERR_NONE);   /* nobody is held up any more */
    snprintf(copy, sizeof copy, "%s.copy", paths[0]);
    CU_ASSERT_EQUAL(backup_copy(backup, 0, copy), ERR_NONE);
    CU_ASSERT_EQUAL(backup_copy(backup, 0, copy), ERR_CONFLICT);
    CU_ASSERT_EQUAL(stat(copy, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(backup_copy(backup, 0, scratch_path(&scratch, "missing/copy")), ERR_STORAGE);
    backup_end(backup);
    CU_ASSERT_EQUAL(number_in(copy, "SELECT n FROM counter"), 7);
    end();
}

static void test_cannot_begin(void)
{
    struct backup *backup;
    char missing[PATH_SIZE];
    begin();
    snprintf(missing, sizeof missing, "%s", scratch_path(&scratch, "missing.db"));
    const char *const both[] = {paths[0], missing};
    CU_ASSERT_EQUAL(backup_begin(both, 2, TIMEOUT_MS, &backup), ERR_NOT_FOUND);
    CU_ASSERT_NOT_EQUAL(access(missing, F_OK), 0);
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "UPDATE counter SET n = 1"), ERR_NONE);   /* the other one is let go */
    end();
}

/* ---- alone ---- */

static void test_hold(void)
{
    struct db *db = NULL;
    int fd = -1, second = -1;
    begin();
    CU_ASSERT_EQUAL(db_hold(paths[0], &fd), ERR_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "in use"));
    db_close(dbs[0]);
    dbs[0] = NULL;
    CU_ASSERT_EQUAL_FATAL(db_hold(paths[0], &fd), ERR_NONE);
    CU_ASSERT_EQUAL(db_hold(paths[0], &second), ERR_BUSY);
    struct db_opts opts = scratch_db_opts(paths[0]);
    CU_ASSERT_EQUAL(db_open(&opts, &db), ERR_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "being restored"));
    close(fd);
    dbs[0] = open_db(paths[0]);
    struct db *third = open_db(paths[0]);   /* several may have it */
    CU_ASSERT_EQUAL(db_hold(paths[0], &fd), ERR_BUSY);
    db_close(third);
    CU_ASSERT_EQUAL(db_hold(paths[0], &fd), ERR_BUSY);
    end();
}

static void test_restoring(void)
{
    struct db *db = NULL;
    char marker[PATH_SIZE + 16];
    begin();
    db_close(dbs[0]);
    dbs[0] = NULL;
    snprintf(marker, sizeof marker, "%s%s", paths[0], DB_RESTORING);
    int fd = open(marker, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    struct db_opts opts = scratch_db_opts(paths[0]);
    CU_ASSERT_EQUAL(db_open(&opts, &db), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "tandemctl db restore --force"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), marker));
    CU_ASSERT_EQUAL(unlink(marker), 0);
    dbs[0] = open_db(paths[0]);
    end();
}

/* ---- looking after ---- */

static void test_vacuum(void)
{
    int64_t before, after;
    begin();
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "CREATE TABLE more (padding TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION"
                                           " ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO more"
                                           " SELECT zeroblob(4000) FROM n"), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "DELETE FROM more WHERE rowid > 5"), ERR_NONE);
    db_close(dbs[0]);
    dbs[0] = NULL;
    struct db_findings findings;
    CU_ASSERT_EQUAL_FATAL(db_inspect(paths[0], NULL, 0, &findings), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(findings.first, "");
    CU_ASSERT(findings.free_bytes > 1000000);
    dbs[0] = open_db(paths[0]);   /* and while it is in use */
    CU_ASSERT_EQUAL_FATAL(db_start(dbs[0]), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_vacuum(paths[0], TIMEOUT_MS, &before, &after), ERR_NONE);
    CU_ASSERT(before > 1500000 && after < 500000);
    CU_ASSERT_EQUAL(scratch_number(dbs[0], "SELECT count(*) FROM more"), 5);
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "DELETE FROM more"), ERR_NONE);
    CU_ASSERT_EQUAL(db_vacuum(scratch_path(&scratch, "missing.db"), TIMEOUT_MS, &before, &after), ERR_NOT_FOUND);
    end();
}

static void test_inspect(void)
{
    struct db_findings findings;
    begin();
    CU_ASSERT_EQUAL(scratch_script(dbs[0], "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (parent"
                                           " INTEGER REFERENCES parent); CREATE INDEX child_parent ON child (parent)"),
                    ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_inspect(paths[0], NULL, 0, &findings), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(findings.first, "");
    CU_ASSERT_EQUAL(db_inspect(scratch_path(&scratch, "missing.db"), NULL, 0, &findings), ERR_NOT_FOUND);
    end();
}

static const struct suite_case cases[] = {
    {"copies of several databases are of one moment", test_one_moment},
    {"a copy is of the moment it was begun, and a file of its own", test_at_rest},
    {"a database that is missing is said, and not made", test_cannot_begin},
    {"a database is held by one alone, and only when nobody has it", test_hold},
    {"a restore that was cut off is noticed", test_restoring},
    {"a vacuum gives back what is free, also while others write", test_vacuum},
    {"a good database has no findings", test_inspect},
};

int main(void)
{
    return suite_main("backup", cases, sizeof cases / sizeof cases[0]);
}
