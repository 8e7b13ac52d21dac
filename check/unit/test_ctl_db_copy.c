/* tandemctl db copy and db digest as commands: what they take, say, and refuse. Between files, for which no server is
 * needed. */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/idempotency.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"
#include "check/unit/scratch.h"
#include "events/consumer.h"

enum { PATH_SIZE = 512 };

extern const struct migration_set user_migrations;

static struct ctl ctl;
static char from[PATH_SIZE], to[PATH_SIZE];

static void script(const char *path, const char *sql)
{
    sqlite3 *db;
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void make(const char *path, const struct migration_set *own)
{
    const struct migration_set sets[] = {events_migrations, app_migrations, *own};
    struct db_opts opts = scratch_db_opts(path);
    struct db *db;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL(migrate(db, sets, sizeof sets / sizeof sets[0]), ERR_NONE);
    db_close(db);
}

/* Accounts that sessions refer to. */
static void begin(void)
{
    ctl_begin(&ctl);
    snprintf(from, sizeof from, "%s", ctl.database);
    snprintf(to, sizeof to, "%s/copy.db", ctl.folder);
    make(from, &user_migrations);
    script(from, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
                 " INSERT INTO account SELECT printf('a%04d', i), 'e', 'key ' || i, 'Ann', 'customer', 'active', 'h',"
                 " 1, i, i FROM n;"
                 "INSERT INTO session SELECT 'digest ' || id, id, 'sign-in', 1, 2 FROM account");
}

static void end(void)
{
    ctl_end(&ctl);
}

static void expect_same(const char *a, const char *b)
{
    static char first[CTL_OUTPUT_MAX];
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "digest", a), 0);
    memcpy(first, ctl.out, sizeof first);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "digest", b), 0);
    CU_ASSERT_STRING_EQUAL(ctl.out, first);
}

static void test_copy(void)
{
    begin();
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from, to), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "account                          1200  "));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "read back and compared: 2400 rows written, 0 removed"));
    CU_ASSERT_STRING_EQUAL(ctl.err, "");
    expect_same(from, to);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from, to), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "is not empty"));
    end();
}

/* Also by the name of its service, whose settings say where it is; and by a URL. */
static void test_names(void)
{
    char url[PATH_SIZE + 8];
    begin();
    snprintf(url, sizeof url, "sqlite:%s", to);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", "user", url, "--progress"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "copying session: 1200 rows of 1200, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "reading account: 1200 rows of 1200, "));
    CU_ASSERT_PTR_NULL(strchr(ctl.err, '\r'));
    expect_same("user", url);
    expect_same(url, to);
    end();
}

/* Rows that others refer to come and go as well. */
static void test_two_runs(void)
{
    begin();
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", "--unfinished", from, to), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "it is unfinished"));
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "digest", to), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "an unfinished tandemctl db copy"));
    script(from, "DELETE FROM session WHERE user_id < 'a0010'; DELETE FROM account WHERE id < 'a0010';"
                 "UPDATE account SET name = 'Bob', version = 2 WHERE id BETWEEN 'a0600' AND 'a0610';"
                 "INSERT INTO account SELECT 'b' || id, email, 'b' || email_key, name, role, status, password_hash, 1,"
                 " 1, 1 FROM account WHERE id > 'a1100';"
                 "UPDATE session SET user_id = 'a1000' WHERE user_id = 'a0900'");
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from, to), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, " 18 removed"));
    CU_ASSERT_PTR_NULL(strstr(ctl.out, "it is unfinished"));
    expect_same(from, to);
    end();
}

static void test_refused(void)
{
    char other[PATH_SIZE], missing[PATH_SIZE];
    begin();
    snprintf(other, sizeof other, "%s/bus.db", ctl.folder);
    snprintf(missing, sizeof missing, "%s/missing.db", ctl.folder);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from), 2);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from, from), 2);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "digest"), 2);
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", missing, to), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "missing.db: No such file"));
    CU_ASSERT_NOT_EQUAL(access(missing, F_OK), 0);
    CU_ASSERT_NOT_EQUAL(access(to, F_OK), 0);
    script(other, "CREATE TABLE mine (n INTEGER)");
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", other, to), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "is not the database of a service"));
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from, other), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "is not empty"));
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "copy", from, "postgresql://x:secret@localhost/x"), 1);
    CU_ASSERT_PTR_NULL(strstr(ctl.err, "secret"));
    script(from, "CREATE TABLE mine (n INTEGER)");
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "digest", from), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "table mine has no primary key"));
    script(from, "DROP TABLE mine; CREATE TABLE mine (n REAL PRIMARY KEY)");
    CU_ASSERT_EQUAL(CTL(&ctl, "db", "digest", from), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "column n is of type REAL"));
    end();
}

static const struct suite_case cases[] = {
    {"a copy holds the same, and is not written over", test_copy},
    {"a database is named by file, URL or service, and progress is told when asked for", test_names},
    {"a second run follows rows that others refer to, and no other command takes an unfinished copy", test_two_runs},
    {"what cannot be copied, or copied to, is said", test_refused},
};

int main(void)
{
    return suite_main("ctl_db_copy", cases, sizeof cases / sizeof cases[0]);
}
