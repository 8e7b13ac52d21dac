#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/backup.h"
#include "state/db_sqlite.h"

enum { STEP_PAGES = 1024, CACHE_KIB = 512, WAL_BYTES = 4 * 1024 * 1024 };

struct backup {
    struct db *dbs[BACKUP_MAX];
    struct db_connection *snapshots[BACKUP_MAX];
    size_t count;
    int64_t held_ns;
};

/* ---- one moment ---- */

static enum err open_one(struct backup *backup, const char *path, unsigned timeout_ms)
{
    struct db_opts opts = {
        .path = path, .batch_max = 1, .queue_max = 1, .busy_timeout_ms = timeout_ms, .cache_kib = CACHE_KIB,
        .wal_checkpoint_bytes = WAL_BYTES, .wal_max_bytes = WAL_BYTES,
    };
    if (access(path, F_OK) != 0)
        return err_because(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    size_t at = backup->count;
    enum err err = db_open(&opts, &backup->dbs[at]);
    if (err)
        return err;
    backup->count++;
    return db_reader_open(backup->dbs[at], &backup->snapshots[at]);
}

static enum err hold(struct db *db)
{
    turn_take(sqlite_database(db)->turn, db->opts.busy_timeout_ms);   /* who is not served in time tries all the same */
    return connection_run(db->writer, "BEGIN IMMEDIATE");
}

/* A snapshot is what the first reading of a transaction sees. */
static enum err pin(struct db_connection *snapshot)
{
    enum err err = connection_run(snapshot, "BEGIN");
    if (err)
        return err;
    struct db_statement *query = db_query(snapshot, "SELECT count(*) FROM sqlite_schema");
    while (db_next(query))
        continue;
    return db_done(query);
}

static void let_go(struct db *db)
{
    db->engine->roll_back(db->writer);
    turn_pass(sqlite_database(db)->turn);
}

static enum err pin_all(struct backup *backup)
{
    enum err err = ERR_NONE;
    int64_t begun_ns = clock_now_ns();
    size_t held = 0;
    while (held < backup->count && !err)
        err = hold(backup->dbs[held++]);
    for (size_t i = 0; i < backup->count && !err; i++)
        err = pin(backup->snapshots[i]);
    while (held > 0)
        let_go(backup->dbs[--held]);
    backup->held_ns = clock_now_ns() - begun_ns;
    return err;
}

enum err backup_begin(const char *const *paths, size_t count, unsigned timeout_ms, struct backup **ret)
{
    struct backup *backup = calloc(1, sizeof *backup);
    if (!backup)
        return err_because(ERR_MEMORY, "no memory for a backup");
    enum err err = count <= BACKUP_MAX ? ERR_NONE : err_because(ERR_INVALID, "more than %d databases", BACKUP_MAX);
    for (size_t i = 0; i < count && !err; i++)
        err = open_one(backup, paths[i], timeout_ms);
    if (!err)
        err = pin_all(backup);
    if (err)
        backup_end(backup);
    else
        *ret = backup;
    return err;
}

int64_t backup_held_ns(const struct backup *backup)
{
    return backup->held_ns;
}

void backup_end(struct backup *backup)
{
    if (!backup)
        return;
    for (size_t i = 0; i < backup->count; i++) {
        db_reader_close(backup->snapshots[i]);
        db_close(backup->dbs[i]);
    }
    free(backup);
}

/* ---- copying ---- */

static enum err copy_failed(const char *path, sqlite3 *to, int code)
{
    int reason = to ? sqlite3_system_errno(to) : 0;
    enum err err = (code & 0xff) == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                       ? ERR_STORAGE_FULL : ERR_STORAGE;
    return err_because(err, "%s: %s%s%s", path, to ? sqlite3_errmsg(to) : sqlite3_errstr(code), reason ? ": " : "",
                       reason ? strerror(reason) : "");
}

static enum err make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_because(errno == EEXIST ? ERR_CONFLICT : errno == ENOSPC ? ERR_STORAGE_FULL : ERR_STORAGE, "%s: %s",
                           path, strerror(errno));
    close(fd);
    return ERR_NONE;
}

/* The file is new and nobody else's, so nothing of it needs a journal; it is put onto the disk afterwards. */
static enum err copy_pages(sqlite3 *from, const char *path)
{
    sqlite3 *to = NULL;
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    sqlite3_backup *copying = code == SQLITE_OK ? sqlite3_backup_init(to, "main", from, "main") : NULL;
    if (copying) {
        do
            code = sqlite3_backup_step(copying, STEP_PAGES);
        while (code == SQLITE_OK);
        code = sqlite3_backup_finish(copying);
    } else if (code == SQLITE_OK) {
        code = sqlite3_errcode(to);
    }
    enum err err = code == SQLITE_OK ? ERR_NONE : copy_failed(path, to, code);
    sqlite3_close(to);
    return err;
}

static enum err sync_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    enum err err = fd >= 0 && fsync(fd) == 0 ? ERR_NONE : err_because(ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

/* Immutable: nothing is made beside it. */
static enum err check_copy(const char *path)
{
    char uri[DB_PATH_SIZE + 32];
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
    int code = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &query, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(query);
    const char *said = code == SQLITE_ROW ? (const char *)sqlite3_column_text(query, 0) : NULL;
    enum err err = said && strcmp(said, "ok") == 0
                       ? ERR_NONE : err_because(ERR_STORAGE, "%s: %s", path, said ? said : sqlite3_errmsg(db));
    sqlite3_finalize(query);
    sqlite3_close(db);
    return err;
}

static enum err copy(sqlite3 *from, const char *path)
{
    enum err err = make_file(path);
    if (err)
        return err;
    err = copy_pages(from, path);
    if (!err)
        err = sync_file(path);
    if (!err)
        err = check_copy(path);
    if (err)
        unlink(path);
    return err;
}

enum err backup_copy(struct backup *backup, size_t at, const char *path)
{
    return copy(sqlite_handle(backup->snapshots[at]), path);
}

enum err backup_copy_file(const char *from, const char *path)
{
    char uri[DB_PATH_SIZE + 32];
    sqlite3 *db = NULL;
    snprintf(uri, sizeof uri, "file:%s?immutable=1", from);
    int code = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    enum err err = code == SQLITE_OK ? copy(db, path) : copy_failed(from, db, code);
    sqlite3_close(db);
    return err;
}

enum err backup_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = fd >= 0 && fsync(fd) == 0 ? ERR_NONE : err_because(ERR_IO, "%s: %s", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}
