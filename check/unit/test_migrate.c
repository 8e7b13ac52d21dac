#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"
#include "state/migrate.h"

static const struct migration first_rows[] = {
    {1, "001_one", "CREATE TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1);", NULL},
    {2, "002_two", "CREATE TABLE two (id INTEGER); INSERT INTO two SELECT id FROM one;", NULL},
    {3, "003_three", "ALTER TABLE two ADD COLUMN name TEXT;", NULL},
};
static const struct migration other_rows[] = {{1, "001_other", "CREATE TABLE other (id INTEGER);", NULL}};
static const struct migration altered_rows[] = {{1, "001_one", "CREATE TABLE one (id TEXT);", NULL}};
static const struct migration broken_rows[] = {
    {1, "001_one", "CREATE TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1);", NULL},
    {2, "002_broken", "CREATE TABLE two (id INTEGER); INSERT INTO nowhere VALUES (1);", NULL},
};
static const struct migration ending_rows[] = {{1, "001_ending", "CREATE TABLE early (id INTEGER); COMMIT;", NULL}};

static struct scratch scratch;
static struct db *db;

static void begin(void)
{
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
}

static void end(void)
{
    db_close(db);
    scratch_fini(&scratch);
}

static enum err migrate_one(const char *name, const struct migration *rows, size_t count)
{
    struct migration_set set = {name, rows, count};
    return migrate(db, &set, 1);
}

static int64_t tables(void)
{
    return scratch_number(db, engines_is_sqlite() ? "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                                                  : "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
}

static void test_in_order(void)
{
    begin();
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 1), ERR_NONE);
    CU_ASSERT_EQUAL(tables(), 2);
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 3), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT id FROM two WHERE name IS NULL"), 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration WHERE length(digest) = 64"
                                       " AND applied_us > 1600000000000000 AND name LIKE '00%'"), 3);
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 3), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration"), 3);
    end();
}

static void test_sets_apart(void)
{
    begin();
    const struct migration_set sets[] = {{"shop", first_rows, 3}, {"other", other_rows, 1}};
    CU_ASSERT_EQUAL(migrate(db, sets, 2), ERR_NONE);
    CU_ASSERT_EQUAL(tables(), 4);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration WHERE number = 1"), 2);
    CU_ASSERT_EQUAL(migrate(db, sets, 1), ERR_STORAGE);   /* a set that the program does not know */
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "other"));
    end();
}

static void test_newer(void)
{
    begin();
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 3), ERR_NONE);
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 2), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "newer"));

    const struct migration_set sets[] = {{"other", other_rows, 1}, {"shop", first_rows, 2}};
    CU_ASSERT_EQUAL(migrate(db, sets, 2), ERR_STORAGE);
    CU_ASSERT_EQUAL(tables(), 3);
    end();
}

static void test_altered(void)
{
    begin();
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 1), ERR_NONE);
    CU_ASSERT_EQUAL(migrate_one("shop", altered_rows, 1), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "001_one"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "altered"));
    end();
}

static void test_broken(void)
{
    begin();
    CU_ASSERT_EQUAL(migrate_one("shop", broken_rows, 2), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "002_broken"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "nowhere"));
    CU_ASSERT_EQUAL(tables(), 2);   /* the first's, and that of migrations */
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration"), 1);
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 3), ERR_NONE);   /* once it is mended */
    end();
}

static void test_ending(void)
{
    begin();
    CU_ASSERT_EQUAL(migrate_one("shop", ending_rows, 1), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "001_ending"));
    end();
}

static void test_several_processes(void)
{
    enum { PROCESSES = 4 };
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    pid_t children[PROCESSES];
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        CU_ASSERT_FATAL(children[i] >= 0);
        if (children[i] == 0)
            _exit(db_open(&opts, &db) || migrate_one("shop", first_rows, 3) ? 1 : 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
        CU_ASSERT_EQUAL(status, 0);
    }
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration"), 3);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM one"), 1);
    end();
}

static void migrate_and_die(const char *plan)
{
    CU_ASSERT_EQUAL(fault_arm(text_of(plan)), ERR_NONE);
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 3), ERR_NONE);
    _exit(0);
}

static void test_killed(void)
{
    char plan[64];
    begin();
    db_close(db);
    for (unsigned i = 1; i <= 3; i++) {
        int status = 0;
        snprintf(plan, sizeof plan, "migrate-before-commit kill nth=%u", i == 3 ? 1 : i);
        fflush(stdout);
        pid_t child = fork();
        CU_ASSERT_FATAL(child >= 0);
        struct db_opts opts = scratch_db_opts(scratch.path);
        if (child == 0 && db_open(&opts, &db) == ERR_NONE)
            migrate_and_die(plan);
        CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
        CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    struct db_opts opts = scratch_db_opts(scratch.path);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration"), 1);   /* what the second had done */
    CU_ASSERT_EQUAL(migrate_one("shop", first_rows, 3), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM schema_migration"), 3);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT id FROM two WHERE name IS NULL"), 1);
    end();
}

static const struct suite_case cases[] = {
    {"migrations are applied once, in order", test_in_order},
    {"sets are kept apart, and one that is not known is refused", test_sets_apart},
    {"a newer database is refused and not touched", test_newer},
    {"a migration that was altered after it was applied is refused", test_altered},
    {"a failing migration is undone whole", test_broken},
    {"a migration that ends its transaction is refused", test_ending},
    {"one that is killed before it commits is done again", test_killed},
    {"several processes may migrate at once", test_several_processes},
};

int main(void)
{
    return engines_main("migrate", cases, sizeof cases / sizeof cases[0]);
}
