/* tandemctl db: backup, restore, check and vacuum, of databases that are at rest or in use here. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/idempotency.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"
#include "check/unit/scratch.h"
#include "events/consumer.h"

enum { PATH_SIZE = 512 };

extern const struct migration_set user_migrations, order_migrations, inventory_migrations, bus_migrations,
    sandbox_migrations;

static struct ctl ctl;
static char config[PATH_SIZE], backup[PATH_SIZE];

static const struct {
    const char *name;
    const struct migration_set *set;
    bool is_service;
} files[] = {
    {"user.db", &user_migrations, true}, {"order.db", &order_migrations, true},
    {"inventory.db", &inventory_migrations, true}, {"bus.db", &bus_migrations, false},
    {"payments.db", &sandbox_migrations, false},
};
enum { FILES = sizeof files / sizeof files[0] };

#define DB(...) ctl_run(&ctl, false, (const char *const[]){"db", __VA_ARGS__, "--config", config, NULL})

static const char *path_of(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, PATH_SIZE, "%s/%s", ctl.folder, name);
    return path;
}

/* ---- databases, as the services make them ---- */

static void make(const char *name, const struct migration_set *set, bool is_service)
{
    const struct migration_set sets[] = {*set, events_migrations, app_migrations};
    struct db_opts opts = scratch_db_opts(path_of(name));
    struct db *db;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL(migrate(db, sets, is_service ? 3 : 1), ERR_NONE);
    CU_ASSERT_EQUAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "CREATE TABLE mark (n INTEGER); INSERT INTO mark VALUES (1)"), ERR_NONE);
    db_close(db);
}

static void begin(void)
{
    char content[4 * PATH_SIZE];
    ctl_begin(&ctl);
    snprintf(backup, sizeof backup, "%s/backup", ctl.folder);
    snprintf(content, sizeof content,
             "bus = { url = \"embedded:%s/bus.db\"; };\nservice = {\n  user = { db = { path = \"%s/user.db\"; }; };\n"
             "  order = { db = { path = \"%s/order.db\"; }; };\n"
             "  inventory = { db = { path = \"%s/inventory.db\"; }; };\n};\n",
             ctl.folder, ctl.folder, ctl.folder, ctl.folder);
    ctl_file(&ctl, "all.conf", content, 0644, config, sizeof config);
    for (size_t i = 0; i < FILES; i++)
        make(files[i].name, files[i].set, files[i].is_service);
}

static void end(void)
{
    ctl_end(&ctl);
}

static void script(const char *name, const char *sql)
{
    sqlite3 *db;
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path_of(name), &db), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int marks(const char *name)
{
    sqlite3 *db;
    sqlite3_stmt *query = NULL;
    int n = -1;
    if (sqlite3_open_v2(path_of(name), &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT sum(n) FROM mark", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        n = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(db);
    return n;
}

static void spoil(const char *path, off_t at)
{
    static const char noise[512] = "This is not what stood here before.";
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, noise, sizeof noise, at), (ssize_t)sizeof noise);
    close(fd);
}

static void expect_marks(int n)
{
    for (size_t i = 0; i < FILES; i++)
        CU_ASSERT_EQUAL(marks(files[i].name), n);
}

/* ---- backup and restore ---- */

static void test_there_and_back(void)
{
    struct stat status;
    begin();
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "a backup of one moment"));
    CU_ASSERT_EQUAL(stat(path_of("backup"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0700);
    for (size_t i = 0; i < FILES; i++)
        script(files[i].name, "INSERT INTO mark VALUES (10)");
    expect_marks(11);
    CU_ASSERT_EQUAL(chmod(path_of("order.db"), 0640), 0);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup, "--force"), 0);
    CU_ASSERT_EQUAL(stat(path_of("order.db"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0640);   /* for whom it was before */
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "everything is as it was at 20"));
    expect_marks(1);
    CU_ASSERT_EQUAL(DB("check"), 0);
    for (size_t i = 0; i < FILES; i++)
        CU_ASSERT_EQUAL(unlink(path_of(files[i].name)), 0);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup), 0);   /* onto a new machine */
    expect_marks(1);
    CU_ASSERT_EQUAL(stat(path_of("order.db"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
    end();
}

static void test_log_of_before(void)
{
    begin();
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 0);
    ctl_file(&ctl, "order.db-wal", "what an end in the middle has left", 0600, (char[PATH_SIZE]){""}, PATH_SIZE);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup, "--force"), 0);
    CU_ASSERT_NOT_EQUAL(access(path_of("order.db-wal"), F_OK), 0);
    expect_marks(1);
    end();
}

static void test_no_backup(void)
{
    begin();
    CU_ASSERT_EQUAL(mkdir(backup, 0700), 0);
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "it exists"));
    CU_ASSERT_EQUAL(rmdir(backup), 0);
    CU_ASSERT_EQUAL(unlink(path_of("inventory.db")), 0);
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "inventory.db"));
    CU_ASSERT_NOT_EQUAL(access(backup, F_OK), 0);   /* half a backup is none */
    CU_ASSERT_EQUAL(DB("backup", "--to", path_of("missing/backup")), 1);
    CU_ASSERT_EQUAL(DB("backup"), 2);
    CU_ASSERT_EQUAL(DB("backup", "--to", backup, "--set", "db.path="), 1);
    end();
}

static void test_damaged_source(void)
{
    begin();
    spoil(path_of("order.db"), 3 * 4096);
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 1);
    CU_ASSERT_NOT_EQUAL(access(backup, F_OK), 0);
    end();
}

static void test_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 0);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "--force"));
    script("bus.db", "INSERT INTO mark VALUES (10)");
    struct db_opts opts = scratch_db_opts(path_of("bus.db"));
    struct db *db;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup, "--force"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "bus.db is in use"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "stop the services"));
    db_close(db);
    CU_ASSERT_EQUAL(marks("bus.db"), 11);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup, "--force"), 0);
    CU_ASSERT_EQUAL(marks("bus.db"), 1);
    CU_ASSERT_EQUAL(DB("restore"), 2);
    end();
}

static void expect_not_restored(const char *cause)
{
    CU_ASSERT_EQUAL(DB("restore", "--from", backup, "--force"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, cause));
    expect_marks(11);
    CU_ASSERT_NOT_EQUAL(access(path_of("user.db-copy"), F_OK), 0);
    CU_ASSERT_NOT_EQUAL(access(path_of("user.db" DB_RESTORING), F_OK), 0);
}

static void test_bad_backups(void)
{
    char manifest[PATH_SIZE];
    begin();
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 0);
    for (size_t i = 0; i < FILES; i++)
        script(files[i].name, "INSERT INTO mark VALUES (10)");
    CU_ASSERT_EQUAL(rename(path_of("backup/bus.db"), path_of("backup/away")), 0);
    expect_not_restored("bus.db is missing");
    CU_ASSERT_EQUAL(rename(path_of("backup/away"), path_of("backup/bus.db")), 0);
    spoil(path_of("backup/payments.db"), 4096 + 100);
    expect_not_restored("payments.db is not what it was");
    CU_ASSERT_EQUAL(DB("check", "--from", backup), 1);
    snprintf(manifest, sizeof manifest, "%s", path_of("backup/manifest.json"));
    CU_ASSERT_EQUAL(rename(manifest, path_of("backup/away")), 0);
    expect_not_restored("manifest.json");
    static const char *const contents[][2] = {
        {"no JSON", "no manifest"},
        {"{\"format\": 2, \"created_at\": \"x\", \"files\": []}", "/format"},
        {"{\"format\": 1, \"created_at\": \"x\", \"files\": []}", "/files"},
        {"{\"format\": 1, \"created_at\": \"x\", \"files\": [{\"name\": \"../user.db\", \"bytes\": 1, \"sha256\": \""
         "0000000000000000000000000000000000000000000000000000000000000000\"}]}", "not a file of its folder"},
    };
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        char path[PATH_SIZE];
        ctl_file(&ctl, "backup/manifest.json", contents[i][0], 0600, path, sizeof path);
        expect_not_restored(contents[i][1]);
    }
    end();
}

/* As a power cut between two renames leaves it. */
static void test_cut_off(void)
{
    struct db *db = NULL;
    begin();
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 0);
    CU_ASSERT_EQUAL(rename(path_of("bus.db"), path_of("bus.db" DB_RESTORING)), 0);
    struct db_opts opts = scratch_db_opts(path_of("bus.db"));
    CU_ASSERT_EQUAL(db_open(&opts, &db), ERR_STORAGE);
    CU_ASSERT_EQUAL(DB("backup", "--to", path_of("second")), 1);
    CU_ASSERT_EQUAL(DB("restore", "--from", backup, "--force"), 0);
    expect_marks(1);
    CU_ASSERT_NOT_EQUAL(access(path_of("bus.db" DB_RESTORING), F_OK), 0);
    end();
}

/* ---- check and vacuum ---- */

static size_t count_files(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* A backup has the same files after it was checked. */
static void test_check(void)
{
    begin();
    CU_ASSERT_EQUAL(DB("check"), 0);
    for (size_t i = 0; i < FILES; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, files[i].name));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "schema up to date"));
    CU_ASSERT_EQUAL(DB("backup", "--to", backup), 0);
    size_t count = count_files(backup);
    CU_ASSERT_EQUAL(DB("check", "--from", backup), 0);
    CU_ASSERT_EQUAL(count_files(backup), count);
    script("order.db", "DELETE FROM schema_migration WHERE migration_set = 'order' AND number = 2");
    CU_ASSERT_EQUAL(DB("check"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "the next start applies 1 migration"));
    script("order.db", "INSERT INTO schema_migration VALUES ('order', 99, '099_later', 'x', 1)");
    CU_ASSERT_EQUAL(DB("check"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "newer than this program"));
    script("order.db", "DELETE FROM schema_migration WHERE number = 99");
    script("user.db", "PRAGMA foreign_keys = OFF; INSERT INTO session VALUES ('x', 'nobody', 'issued', 1, 2)");
    CU_ASSERT_EQUAL(DB("check"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "a row refers to none in table session"));
    script("user.db", "DELETE FROM session");
    spoil(path_of("inventory.db"), 3 * 4096);
    CU_ASSERT_EQUAL(DB("check"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "bad"));
    CU_ASSERT_EQUAL(unlink(path_of("payments.db")), 0);   /* made by the first order service */
    CU_ASSERT_EQUAL(unlink(path_of("inventory.db")), 0);
    CU_ASSERT_EQUAL(DB("check"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "failed"));
    end();
}

static void test_vacuum(void)
{
    struct stat before, after;
    begin();
    script("order.db", "CREATE TABLE much (padding TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                       " FROM n WHERE i < 300) INSERT INTO much SELECT zeroblob(4000) FROM n; DELETE FROM much");
    CU_ASSERT_EQUAL(stat(path_of("order.db"), &before), 0);
    CU_ASSERT_EQUAL(DB("vacuum"), 0);
    CU_ASSERT_EQUAL(stat(path_of("order.db"), &after), 0);
    CU_ASSERT(after.st_size < before.st_size / 2);
    expect_marks(1);
    CU_ASSERT_EQUAL(unlink(path_of("bus.db")), 0);
    CU_ASSERT_EQUAL(DB("vacuum"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "bus.db"));
    end();
}

static const struct suite_case cases[] = {
    {"a backup restores what was there", test_there_and_back},
    {"a restored database has no log of the one before", test_log_of_before},
    {"a backup that cannot be made leaves nothing", test_no_backup},
    {"of a damaged database there is no backup", test_damaged_source},
    {"what is in use, or there, is not replaced unasked", test_refused},
    {"what is not the backup that was made is not restored", test_bad_backups},
    {"a restore that was cut off is finished by another", test_cut_off},
    {"check finds damage, broken keys and newer schemas", test_check},
    {"vacuum gives room back", test_vacuum},
};

int main(void)
{
    return suite_main("ctl_db", cases, sizeof cases / sizeof cases[0]);
}
