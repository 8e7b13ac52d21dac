/* A database that is refused, since it is damaged or newer, is left as it is: its bytes, its log, what is beside. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/id.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "state/migrate.h"

enum { FILE_MAX = 4 * 1024 * 1024, PATH_SIZE = 512, LIST_SIZE = 512, PAGE = 4096 };

static const struct migration rows[] = {
    {1, "001_one", "CREATE TABLE one (id INTEGER PRIMARY KEY, padding TEXT); CREATE INDEX one_padding ON one (padding);"
                   "INSERT INTO one VALUES (1, hex(zeroblob(9000))), (2, hex(zeroblob(9000)));", NULL},
    {2, "002_two", "CREATE TABLE two (id INTEGER);", NULL},
};
static const struct migration_set set_of_program = {"shop", rows, 1}, set_of_newer = {"shop", rows, 2};

static struct scratch scratch;
static char path[SCRATCH_PATH_SIZE];

/* ---- what is there ---- */

struct picture {
    char file[TOKEN_DIGEST_SIZE], log[TOKEN_DIGEST_SIZE], list[LIST_SIZE];
};

static void digest_of(const char *suffix, char out[static TOKEN_DIGEST_SIZE])
{
    static char bytes[FILE_MAX];
    char name[PATH_SIZE + 16];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
    CU_ASSERT(length >= 0 && length < FILE_MAX);
    if (fd >= 0)
        close(fd);
    digest_hex((struct text){bytes, (size_t)length}, out);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The places of leases and turns hold nothing of the database. */
static void list_folder(char out[static LIST_SIZE])
{
    char *names[32];
    size_t count = 0;
    DIR *folder = opendir(scratch.folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (struct dirent *entry; count < 32 && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && !strstr(entry->d_name, "-lease") && !strstr(entry->d_name, "-turn"))
            names[count++] = strdup(entry->d_name);
    closedir(folder);
    qsort(names, count, sizeof names[0], by_name);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        snprintf(out + strlen(out), LIST_SIZE - strlen(out), "%s ", names[i]);
        free(names[i]);
    }
}

static void take_picture(struct picture *picture)
{
    digest_of("", picture->file);
    digest_of("-wal", picture->log);
    list_folder(picture->list);
}

/* ---- opening, as a service does ---- */

static enum err start(const struct migration_set *set)
{
    struct db *db = NULL;
    struct db_opts opts = scratch_db_opts(path);
    enum err err = db_open(&opts, &db);
    if (!err)
        err = migrate(db, set, 1);
    if (!err)
        err = db_start(db);
    db_close(db);
    return err;
}

static void begin(const struct migration_set *set)
{
    scratch_init(&scratch);
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, "test.db"));
    CU_ASSERT_EQUAL_FATAL(start(set), ERR_NONE);
}

static void expect_refused(const char *cause)
{
    struct picture before, after;
    take_picture(&before);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(start(&set_of_program), ERR_STORAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), cause));
        CU_ASSERT_PTR_NULL(strchr(err_cause(), '\n'));
        take_picture(&after);
        CU_ASSERT_STRING_EQUAL(after.file, before.file);
        CU_ASSERT_STRING_EQUAL(after.log, before.log);
        CU_ASSERT_STRING_EQUAL(after.list, before.list);
    }
}

static void spoil(off_t at, size_t length)
{
    static const char noise[PAGE] = "This is not what stood here before.";
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, noise, length, at), (ssize_t)length);
    close(fd);
}

/* Ends in the middle, so that the log stays with what is not in the file yet. */
static void leave_a_log(const struct migration_set *set)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        struct db *db = NULL;
        struct db_opts opts = scratch_db_opts(path);
        bool done = db_open(&opts, &db) == ERR_NONE && migrate(db, set, 1) == ERR_NONE && db_start(db) == ERR_NONE &&
                    scratch_script(db, "INSERT INTO one VALUES (3, 'late')") == ERR_NONE;
        _exit(done ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the cases ---- */

static void test_newer(void)
{
    begin(&set_of_newer);
    expect_refused("newer than this program");
    CU_ASSERT_EQUAL(start(&set_of_newer), ERR_NONE);
    scratch_fini(&scratch);
}

static void test_newer_with_log(void)
{
    begin(&set_of_newer);
    leave_a_log(&set_of_newer);
    expect_refused("newer than this program");
    struct db *db = NULL;
    struct db_opts opts = scratch_db_opts(path);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL(migrate(db, &set_of_newer, 1), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM one"), 3);   /* and nothing of it was lost */
    db_close(db);
    scratch_fini(&scratch);
}

/* As sqlite3 .clone makes it, without a log. */
static void test_newer_without_log_mode(void)
{
    begin(&set_of_newer);
    static const char rollback[] = {1, 1};
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(pwrite(fd, rollback, 2, 18), 2);
    close(fd);
    expect_refused("newer than this program");
    scratch_fini(&scratch);
}

static void test_no_database(void)
{
    begin(&set_of_program);
    spoil(0, PAGE);
    expect_refused("not a database");
    scratch_fini(&scratch);
}

static void test_damaged_schema(void)
{
    begin(&set_of_program);
    spoil(100, 200);
    expect_refused("test.db");
    scratch_fini(&scratch);
}

static void test_damaged_page(void)
{
    begin(&set_of_program);
    spoil(PAGE * 3, PAGE);
    expect_refused("damaged");
    scratch_fini(&scratch);
}

static void test_damaged_page_with_log(void)
{
    begin(&set_of_program);
    leave_a_log(&set_of_program);
    spoil(PAGE * 6, PAGE);   /* of a long text, which the log has nothing of */
    expect_refused("damaged");
    scratch_fini(&scratch);
}

static void test_cut_short(void)
{
    begin(&set_of_program);
    CU_ASSERT_EQUAL(truncate(path, PAGE * 2 + 100), 0);
    expect_refused("test.db");
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"a newer database stays as it is", test_newer},
    {"a newer database keeps the log that was left with it", test_newer_with_log},
    {"a newer database without a log gets none", test_newer_without_log_mode},
    {"what is no database stays as it is", test_no_database},
    {"a database with a damaged schema stays as it is", test_damaged_schema},
    {"a database with a damaged page is refused, and stays as it is", test_damaged_page},
    {"a damaged database keeps the log that was left with it", test_damaged_page_with_log},
    {"a database that was cut short stays as it is", test_cut_short},
};

int main(void)
{
    return suite_main("db_unaltered", cases, sizeof cases / sizeof cases[0]);
}
