/* The databases of the system: backup, check, vacuum. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/db_files.h"
#include "apps/ctl/db_manifest.h"
#include "base/clock.h"
#include "state/backup.h"
#include "state/maintain.h"

enum { PATH_SIZE = 4352 };

#define MEBI (1024.0 * 1024.0)

static bool is_there(const struct db_file *file)
{
    return file->is_server || access(file->path, F_OK) == 0;
}

/* ---- db backup ---- */

struct copies {
    const char *folder;
    const struct db_file *files[DB_FILES_MAX];
    const char *names[DB_FILES_MAX], *paths[DB_FILES_MAX];
    size_t count, made;
};

/* The ledger of the sandbox is made by the first order service; without the others there is nothing to back up. */
static void choose(const struct db_files *files, struct copies *copies)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct db_file *file = &files->list[i];
        if (!is_there(file) && strcmp(file->name, "payments.db") == 0)
            continue;
        copies->files[copies->count] = file;
        copies->names[copies->count] = file->name;
        copies->paths[copies->count++] = file->path;
    }
}

static const char *target(const struct copies *copies, size_t at, char out[static PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s", copies->folder, copies->names[at]);
    return out;
}

static enum err copy_all(struct backup *backup, struct copies *copies)
{
    char path[PATH_SIZE];
    enum err err = ERR_NONE;
    while (copies->made < copies->count && !err) {
        err = backup_copy(backup, copies->made, target(copies, copies->made, path));
        copies->made += !err;
    }
    if (!err)
        err = manifest_write(copies->folder, copies->names, copies->count);
    return err ? err : backup_sync_folder(copies->folder);
}

/* Half a backup is none. */
static void remove_all(struct copies *copies)
{
    char path[PATH_SIZE];
    while (copies->made > 0)
        unlink(target(copies, --copies->made, path));
    rmdir(copies->folder);
}

static void tell_backup(const struct copies *copies, const struct backup *backup, int64_t begun_ns)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < copies->count; i++) {
        struct stat status;
        if (stat(target(copies, i, path), &status) == 0)
            printf("%-14s %8.1f MiB  of %s\n", copies->names[i], (double)status.st_size / MEBI, copies->paths[i]);
    }
    printf("%s is a backup of one moment; made in %.1f s, the services held for %.1f ms\n", copies->folder,
           (double)(clock_now_ns() - begun_ns) / NS_PER_S, (double)backup_held_ns(backup) / NS_PER_MS);
}

static int back_up(const struct db_files *files, const char *folder)
{
    struct copies copies = {.folder = folder};
    struct backup *backup = NULL;
    int64_t begun_ns = clock_now_ns();
    choose(files, &copies);
    if (mkdir(folder, 0700) != 0)
        return invocation_failure("%s: %s", folder,
                                  errno == EEXIST ? "it exists; a backup is a folder of its own" : strerror(errno));
    enum err err = backup_begin(copies.paths, copies.count, files->busy_timeout_ms, &backup);
    if (!err)
        err = copy_all(backup, &copies);
    if (!err)
        tell_backup(&copies, backup, begun_ns);
    else
        remove_all(&copies);
    int status = err ? invocation_failure("no backup was made: %s", err_cause()) : EXIT_SUCCESS;
    backup_end(backup);
    return status;
}

int command_db_backup(const struct invocation *invocation)
{
    struct db_files files;
    int status = EXIT_FAILURE;
    if (db_files_find(invocation, &files) &&
        db_files_are_files(&files, "a database on a server is backed up by the server's tools: pg_dump, or"
                                   " pg_basebackup for all of them at one moment"))
        status = back_up(&files, invocation_value(invocation, "to"));
    db_files_fini(&files);
    return status;
}

/* ---- db check ---- */

static const char *schema_of(const struct db_findings *findings, char out[static 64])
{
    if (findings->missing == 0)
        return "up to date";
    snprintf(out, 64, "older: the next start applies %u migrations", findings->missing);
    return out;
}

/* Pages and indexes of a server are its own affair (pg_amcheck): it is reached, and has the schema. */
static enum err inspect(const struct db_file *file, struct db_findings *ret)
{
    struct migration_set sets[DB_SETS_MAX];
    struct database_settings given;
    for (size_t i = 0; i < file->set_count; i++)
        sets[i] = *file->sets[i];
    if (!file->is_server)
        return db_inspect(file->path, sets, file->set_count, ret);
    db_file_opts(file, &given);
    return db_inspect_server(&given.opts, sets, file->set_count, ret);
}

static bool check_file(const struct db_file *file)
{
    struct db_findings findings;
    char schema[64];
    enum err err = inspect(file, &findings);
    if (err) {
        printf("%-14s %-6s %s\n", file->name, "failed", err_cause());
        return false;
    }
    if (*findings.first) {
        printf("%-14s %-6s %s: %s\n", file->name, "bad", file->path, findings.first);
        return false;
    }
    printf("%-14s %-6s %s: %.1f MiB, of it %.1f free; schema %s\n", file->name, "good", file->path,
           (double)findings.size_bytes / MEBI, (double)findings.free_bytes / MEBI, schema_of(&findings, schema));
    return true;
}

/* ---- of a backup ---- */

/* What opening a database makes beside it. */
static const char *const beside[] = {"-lease", "-turn", "-wal", "-shm"};
enum { BESIDE = sizeof beside / sizeof beside[0] };

static const char *beside_of(const struct db_file *file, size_t at, char out[static PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s%s", file->path, beside[at]);
    return out;
}

/* A backup is left as it was: it has files of a database only, and what belongs to it stays. */
static bool check_in_backup(const struct db_file *file)
{
    char path[PATH_SIZE];
    bool was_there[BESIDE];
    for (size_t i = 0; i < BESIDE; i++)
        was_there[i] = access(beside_of(file, i, path), F_OK) == 0;
    bool good = check_file(file);
    for (size_t i = 0; i < BESIDE; i++)
        if (!was_there[i])
            unlink(beside_of(file, i, path));
    return good;
}

/* The same files, as they are in a backup. */
static bool find_in_backup(struct db_files *files, const char *folder)
{
    struct manifest manifest;
    if (manifest_read(folder, &files->arena, &manifest) != ERR_NONE) {
        invocation_failure("%s", err_cause());
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        if (!manifest_find(&manifest, files->list[i].name))
            continue;
        files->list[kept] = files->list[i];
        files->list[kept].is_server = false;
        files->list[kept].path = arena_printf(&files->arena, "%s/%s", folder, files->list[i].name);
        if (!files->list[kept++].path) {
            invocation_failure("no memory for the names of databases");
            return false;
        }
    }
    files->count = kept;
    return true;
}

int command_db_check(const struct invocation *invocation)
{
    const char *folder = invocation_value(invocation, "from");
    struct db_files files;
    bool good = db_files_find(invocation, &files) && (!folder || find_in_backup(&files, folder));
    if (good) {
        for (size_t i = 0; i < files.count; i++)
            if (is_there(&files.list[i]) || strcmp(files.list[i].name, "payments.db") != 0)
                good = (folder ? check_in_backup : check_file)(&files.list[i]) && good;
    }
    db_files_fini(&files);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- db vacuum ---- */

static bool vacuum_file(const struct db_file *file, unsigned timeout_ms)
{
    int64_t before, after;
    if (db_vacuum(file->path, timeout_ms, &before, &after) != ERR_NONE) {
        invocation_failure("%s", err_cause());
        return false;
    }
    printf("%-14s %8.1f MiB, was %.1f\n", file->name, (double)after / MEBI, (double)before / MEBI);
    return true;
}

int command_db_vacuum(const struct invocation *invocation)
{
    struct db_files files;
    bool done = db_files_find(invocation, &files) &&
                db_files_are_files(&files, "a server vacuums by itself (autovacuum), or with vacuumdb");
    if (done) {
        for (size_t i = 0; i < files.count; i++)
            if (is_there(&files.list[i]) || strcmp(files.list[i].name, "payments.db") != 0)
                done = vacuum_file(&files.list[i], files.busy_timeout_ms) && done;
    }
    db_files_fini(&files);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
