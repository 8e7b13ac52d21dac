/*
 * db restore: puts the files of a backup in the places of the databases.
 *
 * Until all copies are on the disk nothing has changed. Then each copy gets the name that says that it is about to
 * take a database's place (DB_RESTORING), with which no service opens that database; then each takes it, the bus last,
 * without which no service starts. So whatever cuts it off, no service runs with some files of now and some of then,
 * and doing it again brings it to its end.
 */
#include "config.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/db_files.h"
#include "apps/ctl/db_manifest.h"
#include "state/backup.h"
#include "state/db.h"

enum { PATH_SIZE = 4352 };

struct restore {
    const char *from;
    struct db_files files;
    int held[DB_FILES_MAX];       /* descriptors */
    size_t held_count;
};

static const char *beside(const struct db_file *file, const char *suffix, char out[static PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s%s", file->path, suffix);
    return out;
}

/* ---- before anything changes ---- */

/* Those of the settings that the backup has; it must have all but the sandbox's ledger, which is not always there. */
static enum err choose(struct restore *restore, const struct manifest *manifest)
{
    struct db_files *files = &restore->files;
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        const char *name = files->list[i].name;
        if (manifest_find(manifest, name))
            files->list[kept++] = files->list[i];
        else if (strcmp(name, "payments.db") != 0)
            return err_because(ERR_INVALID, "the backup in %s has no %s", restore->from, name);
    }
    files->count = kept;
    return ERR_NONE;
}

static enum err hold_all(struct restore *restore)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < restore->files.count && !err; i++) {
        err = db_hold(restore->files.list[i].path, &restore->held[i]);
        restore->held_count += !err;
    }
    if (err == ERR_BUSY)
        err = err_because(err, "%s; stop the services before restoring", err_cause());
    return err;
}

static enum err refuse_existing(const struct restore *restore)
{
    for (size_t i = 0; i < restore->files.count; i++)
        if (access(restore->files.list[i].path, F_OK) == 0)
            return err_because(ERR_CONFLICT, "%s exists; with --force it is replaced, and what is in it is gone",
                               restore->files.list[i].path);
    return ERR_NONE;
}

/* ---- the copies ---- */

/* A copy is for whom the file was that it takes the place of, and else for the folder's owner alone. */
static enum err own_copy(const struct db_file *file, const char *copy)
{
    char folder[PATH_SIZE];
    struct stat like;
    mode_t mode = 0600;
    if (stat(file->path, &like) == 0) {
        mode = like.st_mode & 0777;
    } else {
        snprintf(folder, sizeof folder, "%s", file->path);
        if (stat(dirname(folder), &like) != 0)
            return err_because(ERR_IO, "%s: %s", folder, strerror(errno));
    }
    if (chmod(copy, mode) != 0 || (geteuid() == 0 && chown(copy, like.st_uid, like.st_gid) != 0))
        return err_because(ERR_IO, "%s: %s", copy, strerror(errno));
    return ERR_NONE;
}

static enum err copy_all(const struct restore *restore)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    enum err err = ERR_NONE;
    for (size_t i = 0; i < restore->files.count && !err; i++) {
        const struct db_file *file = &restore->files.list[i];
        snprintf(from, sizeof from, "%s/%s", restore->from, file->name);
        unlink(beside(file, "-copy", to));
        err = backup_copy_file(from, to);
        if (!err)
            err = own_copy(file, to);
    }
    return err;
}

static void remove_copies(const struct restore *restore)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < restore->files.count; i++)
        unlink(beside(&restore->files.list[i], "-copy", path));
}

/* ---- the places ---- */

static enum err sync_folder_of(const struct db_file *file)
{
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", file->path);
    char *slash = strrchr(folder, '/');
    if (!slash)
        return backup_sync_folder(".");
    *(slash == folder ? slash + 1 : slash) = '\0';
    return backup_sync_folder(folder);
}

static enum err rename_all(const struct restore *restore, const char *from_suffix, const char *to_suffix)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    enum err err = ERR_NONE;
    for (size_t i = 0; i < restore->files.count && !err; i++) {
        const struct db_file *file = &restore->files.list[i];
        if (rename(beside(file, from_suffix, from), beside(file, to_suffix, to)) != 0)
            err = err_because(ERR_IO, "%s: %s", to, strerror(errno));
        if (!err)
            err = sync_folder_of(file);
    }
    return err;
}

/* The log of the file that goes is no log of the one that comes. */
static enum err remove_logs(const struct restore *restore)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < restore->files.count; i++)
        for (size_t j = 0; j < sizeof suffixes / sizeof suffixes[0]; j++)
            if (unlink(beside(&restore->files.list[i], suffixes[j], path)) != 0 && errno != ENOENT)
                return err_because(ERR_IO, "%s: %s", path, strerror(errno));
    return ERR_NONE;
}

static enum err take_places(const struct restore *restore)
{
    enum err err = rename_all(restore, "-copy", DB_RESTORING);
    if (!err)
        err = remove_logs(restore);
    return err ? err : rename_all(restore, DB_RESTORING, "");
}

/* ---- the command ---- */

static enum err run(struct restore *restore, bool force, struct manifest *ret_manifest)
{
    enum err err = manifest_read(restore->from, &restore->files.arena, ret_manifest);
    if (!err)
        err = choose(restore, ret_manifest);
    if (!err)
        err = hold_all(restore);
    if (!err && !force)
        err = refuse_existing(restore);
    if (err)
        return err;
    err = copy_all(restore);
    if (err)
        remove_copies(restore);
    return err ? err : take_places(restore);
}

int command_db_restore(const struct invocation *invocation)
{
    struct restore restore = {.from = invocation_value(invocation, "from")};
    struct manifest manifest = {.count = 0};
    int status = EXIT_FAILURE;
    if (db_files_find(invocation, &restore.files) &&
        db_files_are_files(&restore.files, "a database on a server is restored by the server's tools: pg_restore")) {
        enum err err = run(&restore, invocation_value(invocation, "force") != NULL, &manifest);
        if (err)
            invocation_failure("%s", err_cause());
        else
            status = EXIT_SUCCESS;
    }
    for (size_t i = 0; i < restore.files.count && status == EXIT_SUCCESS; i++)
        printf("%-14s restored to %s\n", restore.files.list[i].name, restore.files.list[i].path);
    if (status == EXIT_SUCCESS)
        printf("everything is as it was at %.*s\n", TEXT_ARGS(manifest.created_at));
    for (size_t i = 0; i < restore.held_count; i++)
        close(restore.held[i]);
    db_files_fini(&restore.files);
    return status;
}
