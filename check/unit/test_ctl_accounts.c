/* tandemctl: making accounts and tokens; what it refuses, and what it leaves behind. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"

static struct ctl ctl;

#define PASSWORD "correct horse battery"

/* One value of the database, in the caller's storage. */
static const char *ask_database(const char *sql, char *out, size_t size)
{
    sqlite3 *database;
    sqlite3_stmt *query;
    out[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(sqlite3_open_v2(ctl.database, &database, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    CU_ASSERT_EQUAL_FATAL(sqlite3_prepare_v2(database, sql, -1, &query, NULL), SQLITE_OK);
    if (sqlite3_step(query) == SQLITE_ROW)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    sqlite3_close(database);
    return out;
}

static bool database_says(const char *sql, const char *wanted)
{
    char value[256];
    return strcmp(ask_database(sql, value, sizeof value), wanted) == 0;
}

static int create(const char *role, const char *email)
{
    char file[512];
    ctl_file(&ctl, "password", PASSWORD "\nnot this line\n", 0600, file, sizeof file);
    if (!role)
        return CTL(&ctl, "user", "create", "--email", email, "--name", " Ann ", "--password-file", file);
    return CTL(&ctl, "user", "create", role, "--email", email, "--name", " Ann ", "--password-file", file);
}

/* ---- user create ---- */

static void test_create(void)
{
    char id[256];
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(create("--admin", "Ann@Example.org"), 0);
    ask_database("SELECT id FROM account", id, sizeof id);
    CU_ASSERT(id_is_valid(text_of(id)));
    CU_ASSERT(strncmp(ctl.out, id, ID_LENGTH) == 0 && strcmp(ctl.out + ID_LENGTH, "\n") == 0);
    CU_ASSERT(database_says("SELECT email || '|' || email_key || '|' || name || '|' || role || '|' || status || '|' ||"
                            " version FROM account", "Ann@example.org|ann@example.org|Ann|admin|active|1"));
    CU_ASSERT(database_says("SELECT substr(password_hash, 1, 10) FROM account", "$argon2id$"));
    CU_ASSERT_EQUAL(create("--service", "service@example.org"), 0);
    CU_ASSERT_EQUAL(create(NULL, "bob@example.org"), 0);
    CU_ASSERT(database_says("SELECT group_concat(role) FROM (SELECT role FROM account ORDER BY id)",
                            "admin,service,customer"));
    ctl_end(&ctl);
}

static void test_address_is_taken(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(create(NULL, "ann@example.org"), 0);
    CU_ASSERT_EQUAL(create("--admin", "ANN@example.org"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "exists"));
    CU_ASSERT(database_says("SELECT COUNT(*) || MAX(role) FROM account", "1customer"));
    ctl_end(&ctl);
}

static int create_with(const char *content, unsigned mode)
{
    char file[512];
    ctl_file(&ctl, "password", content, mode, file, sizeof file);
    return CTL(&ctl, "user", "create", "--email", "ann@example.org", "--name", "Ann", "--password-file", file);
}

static void test_password_files(void)
{
    static char longest[1100];
    char folder[512];
    memset(longest, 'p', 1025);
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(create_with(PASSWORD, 0644), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "chmod"));
    CU_ASSERT_EQUAL(create_with(PASSWORD, 0660), 1);
    CU_ASSERT_EQUAL(create_with("", 0600), 1);
    CU_ASSERT_EQUAL(create_with("\n" PASSWORD, 0600), 1);
    CU_ASSERT_EQUAL(create_with("short", 0600), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "at least 8"));
    CU_ASSERT_EQUAL(create_with("not \xff UTF-8 at all", 0600), 1);
    CU_ASSERT_EQUAL(create_with(longest, 0600), 1);
    CU_ASSERT_EQUAL(CTL(&ctl, "user", "create", "--email=a@b", "--name=A", "--password-file=/nowhere/password"), 1);
    snprintf(folder, sizeof folder, "--password-file=%s", ctl.folder);
    CU_ASSERT_EQUAL(CTL(&ctl, "user", "create", "--email=a@b", "--name=A", folder), 1);
    CU_ASSERT_NOT_EQUAL(access(ctl.database, F_OK), 0);   /* nothing was touched */
    longest[1024] = '\0';
    CU_ASSERT_EQUAL(create_with(longest, 0640), 0);
    ctl_end(&ctl);
}

static void test_database_cannot_be_opened(void)
{
    char file[512];
    ctl_begin(&ctl);
    ctl_file(&ctl, "password", PASSWORD, 0600, file, sizeof file);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "user", "create", "--email=a@b", "--name=A", "--password-file", file, "--set",
                             "db.path="), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "db.path"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "user", "create", "--email=a@b", "--name=A", "--password-file", file, "--set",
                             "db.path=/nowhere/user.db"), 1);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "user", "create", "--email=a@b", "--name=A", "--password-file", file, "--config",
                             "/nowhere/tandem.conf"), 1);
    ctl_end(&ctl);
}

/* ---- on a terminal ---- */

struct terminal {
    int fd;
    pid_t pid;
    char said[4096];
    size_t length;
};

static void open_terminal(struct terminal *terminal)
{
    char program[512];
    ctl_built("tandemctl", program, sizeof program);
    *terminal = (struct terminal){.fd = -1};
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, NULL);
    CU_ASSERT_FATAL(terminal->pid >= 0);
    if (terminal->pid == 0) {
        execl(program, program, "user", "create", "--email", "ann@example.org", "--name", "Ann", "--config", ctl.config,
              NULL);
        _exit(127);
    }
}

/* Reads until it has said this; false when it ended or 10 s passed. */
static bool wait_to_hear(struct terminal *terminal, const char *what)
{
    struct pollfd ready = {.fd = terminal->fd, .events = POLLIN};
    while (!strstr(terminal->said, what)) {
        size_t room = sizeof terminal->said - 1 - terminal->length;
        if (room == 0 || poll(&ready, 1, 10000) <= 0)
            return false;
        ssize_t got = read(terminal->fd, terminal->said + terminal->length, room);
        if (got <= 0)
            return false;
        terminal->length += (size_t)got;
        terminal->said[terminal->length] = '\0';
    }
    return true;
}

static bool type(struct terminal *terminal, const char *line)
{
    return write(terminal->fd, line, strlen(line)) == (ssize_t)strlen(line);
}

static int close_terminal(struct terminal *terminal)
{
    int status;
    CU_ASSERT_FALSE(wait_to_hear(terminal, "\x01never said"));
    CU_ASSERT_EQUAL(waitpid(terminal->pid, &status, 0), terminal->pid);
    close(terminal->fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int answer_prompts(const char *first, const char *second)
{
    struct terminal terminal;
    open_terminal(&terminal);
    CU_ASSERT(wait_to_hear(&terminal, "Password: "));
    CU_ASSERT(type(&terminal, first));
    CU_ASSERT(wait_to_hear(&terminal, "Again: "));
    CU_ASSERT(type(&terminal, second));
    int status = close_terminal(&terminal);
    CU_ASSERT_PTR_NULL(strstr(terminal.said, "horse"));
    return status;
}

static void test_prompt(void)
{
    if (!suite_has_terminals())
        return;
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(answer_prompts(PASSWORD "\n", "another horse\n"), 1);
    CU_ASSERT_NOT_EQUAL(access(ctl.database, F_OK), 0);
    CU_ASSERT_EQUAL(answer_prompts(PASSWORD "\n", PASSWORD "\n"), 0);
    CU_ASSERT(database_says("SELECT COUNT(*) FROM account", "1"));
    ctl_end(&ctl);
}

static void test_no_terminal(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL(&ctl, "user", "create", "--email", "ann@example.org", "--name", "Ann"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "--password-file"));
    ctl_end(&ctl);
}

/* ---- token create ---- */

static int create_token(const char *email, const char *days, const char *path)
{
    return CTL(&ctl, "token", "create", "--email", email, "--days", days, "--file", path);
}

static void read_token(const char *path, char out[static TOKEN_SIZE + 1])
{
    struct stat status;
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fstat(fileno(file), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
    CU_ASSERT_PTR_NOT_NULL(fgets(out, TOKEN_SIZE + 1, file));
    CU_ASSERT_EQUAL(fgetc(file), EOF);
    fclose(file);
    out[strcspn(out, "\n")] = '\0';
    CU_ASSERT_EQUAL(strlen(out), TOKEN_SIZE - 1);
}

/* How many files of the folder begin with this. */
static unsigned count_files(const char *start)
{
    unsigned count = 0;
    DIR *folder = opendir(ctl.folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strncmp(entry->d_name, start, strlen(start)) == 0;
    closedir(folder);
    return count;
}

static void test_token(void)
{
    char path[512], token[TOKEN_SIZE + 1], second[TOKEN_SIZE + 1], digest[TOKEN_DIGEST_SIZE], sql[512];
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(create("--service", "service@example.org"), 0);
    ctl_file(&ctl, "token", "what was there, for all to read", 0644, path, sizeof path);
    CU_ASSERT_EQUAL(create_token("Service@example.org", "2", path), 0);
    read_token(path, token);
    CU_ASSERT_PTR_NULL(strstr(ctl.out, token));
    snprintf(sql, sizeof sql, "SELECT origin || (expires_us - created_us) FROM session WHERE token_digest = '%s'",
             digest_hex(text_of(token), digest));
    CU_ASSERT(database_says(sql, "issued172800000000"));
    CU_ASSERT_EQUAL(create_token("service@example.org", "3650", path), 0);
    read_token(path, second);
    CU_ASSERT_STRING_NOT_EQUAL(token, second);
    CU_ASSERT(database_says("SELECT COUNT(*) FROM session", "2"));   /* the first is still in force */
    CU_ASSERT_EQUAL(count_files("token"), 1);
    ctl_end(&ctl);
}

static void test_token_refused(void)
{
    char path[512];
    ctl_begin(&ctl);
    snprintf(path, sizeof path, "%s/token", ctl.folder);
    CU_ASSERT_EQUAL(create("--admin", "admin@example.org"), 0);
    CU_ASSERT_EQUAL(create_token("admin@example.org", "2", path), 1);
    CU_ASSERT_EQUAL(create_token("nobody@example.org", "2", path), 1);
    CU_ASSERT_EQUAL(create("--service", "service@example.org"), 0);
    CU_ASSERT_EQUAL(create_token("service@example.org", "2", "/nowhere/token"), 1);
    CU_ASSERT_EQUAL(create_token("service@example.org", "2", ctl.folder), 1);   /* a folder is in its place */
    CU_ASSERT_EQUAL(count_files("token"), 0);
    CU_ASSERT(database_says("SELECT COUNT(*) FROM session", "0"));
    ctl_end(&ctl);
}

static const struct suite_case cases[] = {
    {"an account is made with its role, and its id told", test_create},
    {"an address is taken in any case", test_address_is_taken},
    {"password files that others may read, or without a good password, are refused", test_password_files},
    {"a database that cannot be opened is said", test_database_cannot_be_opened},
    {"the prompt asks twice and echoes nothing", test_prompt},
    {"without a terminal there is no prompt", test_no_terminal},
    {"a token goes to a private file, its digest to the database", test_token},
    {"a token is for services only, and a failure leaves nothing", test_token_refused},
};

int main(void)
{
    return suite_main("ctl_accounts", cases, sizeof cases / sizeof cases[0]);
}
