#include "config.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/postgres.h"
#include "check/harness/process.h"

enum { PATH_SIZE = 256, START_MS = 30000, STOP_MS = 20000, ARGUMENTS = 40 };

#define OWNER "tandem"
#define SERVER_USER "postgres"

struct postgres {
    char *folder;                  /* with a short path: the socket is in it */
    char programs[PATH_SIZE], data[PATH_SIZE], log[PATH_SIZE], program[PATH_SIZE * 2];
    bool durable;
    struct process server;
};

/* Debian keeps each version's programs in a folder of its own, which is in nobody's PATH. The latest. */
static bool find_programs(char out[static PATH_SIZE])
{
    static const char *const patterns[] = {"/usr/lib/postgresql/[0-9]*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
                                           "/usr/local/bin", "/usr/bin"};
    bool found = false;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] && !found; i++) {
        glob_t folders;
        if (glob(patterns[i], 0, NULL, &folders) == 0)
            for (size_t at = folders.gl_pathc; at > 0 && !found; at--) {
                char server[PATH_SIZE];
                snprintf(server, sizeof server, "%.200s/initdb", folders.gl_pathv[at - 1]);
                found = access(server, X_OK) == 0;
                snprintf(out, PATH_SIZE, "%s", folders.gl_pathv[at - 1]);
            }
        globfree(&folders);
    }
    return found;
}

const char *postgres_missing(void)
{
    char programs[PATH_SIZE];
#ifndef HAVE_POSTGRESQL
    return "built without libpq";
#endif
    if (!find_programs(programs))
        return "no PostgreSQL server here (Debian: postgresql)";
    if (geteuid() == 0 && !getpwnam(SERVER_USER))
        return "the server does not run as root, and there is no user postgres";
    return NULL;
}

/* Behind what makes it another user's process, where it has to be one; which then asks for the signal once more, since
 * changing the user has the kernel forget it. */
static size_t begin_argv(const char **argv)
{
    static const char *const as_server[] = {"setpriv", "--reuid=" SERVER_USER, "--regid=" SERVER_USER, "--clear-groups",
                                            "--pdeathsig", "QUIT"};
    size_t count = sizeof as_server / sizeof as_server[0];
    if (geteuid() != 0)
        return 0;
    memcpy(argv, as_server, sizeof as_server);
    return count;
}

static enum err make_cluster(struct postgres *postgres)
{
    const char *argv[ARGUMENTS];
    size_t count = begin_argv(argv);
    const char *const initdb[] = {postgres_program(postgres, "initdb"), "-D", postgres->data, "-U", OWNER,
                                  "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", NULL};
    memcpy(argv + count, initdb, sizeof initdb);
    return process_run(argv, postgres->log);
}

static enum err make_folders(struct postgres *postgres)
{
    postgres->folder = process_folder();
    if (!postgres->folder)
        return err_because(ERR_IO, "a folder for PostgreSQL cannot be made");
    snprintf(postgres->data, sizeof postgres->data, "%s/data", postgres->folder);
    snprintf(postgres->log, sizeof postgres->log, "%s/postgresql.log", postgres->folder);
    const struct passwd *user = geteuid() == 0 ? getpwnam(SERVER_USER) : NULL;
    if (user && chown(postgres->folder, user->pw_uid, user->pw_gid) < 0)
        return err_because(ERR_IO, "chown %s", postgres->folder);
    return ERR_NONE;
}

static enum err start_server(struct postgres *postgres)
{
    const char *argv[ARGUMENTS];
    size_t count = begin_argv(argv);
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "unix_socket_directories=%.200s", postgres->folder);
    const char *const server[] = {postgres_program(postgres, "postgres"), "-D", postgres->data, "-c",
                                  "listen_addresses=", "-c", folder, "-c", "max_connections=200", "-c",
                                  postgres->durable ? "fsync=on" : "fsync=off", "-c", "shared_buffers=64MB", "-c",
                                  "max_wal_size=1GB", NULL};
    memcpy(argv + count, server, sizeof server);
    return process_start(argv, postgres->log, SIGQUIT, &postgres->server);
}

/* A server that was killed leaves processes of its own behind, each in a group of its own; until they have noticed, the
 * next one ends at once. */
static bool is_up(void *context)
{
    struct postgres *postgres = context;
    if (!process_runs(&postgres->server, NULL))
        return start_server(postgres) != ERR_NONE;
    return postgres_sql(postgres, "postgres", "SELECT 1") == ERR_NONE;
}

enum err postgres_up(struct postgres *postgres)
{
    if (process_runs(&postgres->server, NULL))
        return ERR_NONE;
    if (!process_until(is_up, postgres, START_MS))
        return err_because(ERR_DEADLINE, "PostgreSQL has not started in time; see %s", postgres->log);
    return process_runs(&postgres->server, NULL) ? ERR_NONE : err_because(ERR_INTERNAL, "PostgreSQL cannot be started");
}

enum err postgres_start(bool durable, struct postgres **ret)
{
    struct postgres *postgres = calloc(1, sizeof *postgres);
    if (!postgres)
        return err_because(ERR_MEMORY, "no memory for PostgreSQL");
    postgres->durable = durable;
    enum err err = find_programs(postgres->programs) ? ERR_NONE : err_because(ERR_IO, "no PostgreSQL server here");
    if (!err)
        err = make_folders(postgres);
    if (!err)
        err = make_cluster(postgres);
    if (!err)
        err = postgres_up(postgres);
    if (err)
        postgres_stop(postgres);
    else
        *ret = postgres;
    return err;
}

static enum err copy_cluster(struct postgres *replica, const struct postgres *primary)
{
    const char *argv[ARGUMENTS];
    size_t count = begin_argv(argv);
    const char *const backup[] = {postgres_program(replica, "pg_basebackup"), "-h", primary->folder, "-U", OWNER, "-D",
                                  replica->data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync", NULL};
    memcpy(argv + count, backup, sizeof backup);
    return process_run(argv, replica->log);
}

enum err postgres_follow(struct postgres *primary, struct postgres **ret)
{
    struct postgres *replica = calloc(1, sizeof *replica);
    if (!replica)
        return err_because(ERR_MEMORY, "no memory for PostgreSQL");
    memcpy(replica->programs, primary->programs, sizeof replica->programs);
    enum err err = make_folders(replica);
    if (!err)
        err = copy_cluster(replica, primary);
    if (!err)
        err = postgres_up(replica);
    if (err)
        postgres_stop(replica);
    else
        *ret = replica;
    return err;
}

/* Each of its processes has a group of its own, and would go on for a moment. */
void postgres_killed(struct postgres *postgres)
{
    char path[PATH_SIZE], line[PATH_SIZE * 16] = "";
    long pid = postgres->server.pid;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    FILE *file = fopen(path, "re");
    if (file && !fgets(line, sizeof line, file))
        line[0] = '\0';
    if (file)
        fclose(file);
    process_kill(&postgres->server);
    char *rest = line;
    for (long child; (child = strtol(rest, &rest, 10)) > 0;)
        kill((pid_t)child, SIGKILL);
}

void postgres_stop(struct postgres *postgres)
{
    if (!postgres)
        return;
    enum err err = process_stop(&postgres->server, SIGINT, STOP_MS);   /* fast: connections are ended */
    if (err)
        process_kill(&postgres->server);
    if (postgres->folder)
        process_remove(postgres->folder);
    free(postgres->folder);
    free(postgres);
}

const char *postgres_program(const struct postgres *postgres, const char *name)
{
    struct postgres *writable = (struct postgres *)(uintptr_t)postgres;
    snprintf(writable->program, sizeof writable->program, "%s/%s", postgres->programs, name);
    return postgres->program;
}

const char *postgres_folder(const struct postgres *postgres)
{
    return postgres->folder;
}

const char *postgres_url(const struct postgres *postgres, const char *database, char out[static POSTGRES_URL_SIZE])
{
    snprintf(out, POSTGRES_URL_SIZE, "postgresql://" OWNER "@/%s?host=%s", database, postgres->folder);
    return out;
}

enum err postgres_sql(struct postgres *postgres, const char *database, const char *sql)
{
    const char *const argv[] = {postgres_program(postgres, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h",
                                postgres->folder, "-U", OWNER, "-d", database, "-c", sql, NULL};
    return process_run(argv, postgres->log);
}

enum err postgres_create(struct postgres *postgres, const char *database)
{
    char sql[PATH_SIZE];
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database);
    return postgres_sql(postgres, "postgres", sql);
}

enum err postgres_remove(struct postgres *postgres, const char *database)
{
    char sql[PATH_SIZE];
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
    return postgres_sql(postgres, "postgres", sql);
}
