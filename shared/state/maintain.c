#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/db_sqlite.h"
#include "state/maintain.h"
#include "state/migrate_private.h"

enum { CACHE_KIB = 8192, WAL_BYTES = 4 * 1024 * 1024, INSPECT_WAIT_MS = 5000 };

static enum err open_existing(const char *path, unsigned timeout_ms, struct db **ret)
{
    struct db_opts opts = {
        .path = path, .batch_max = 1, .queue_max = 1, .busy_timeout_ms = timeout_ms, .cache_kib = CACHE_KIB,
        .wal_checkpoint_bytes = WAL_BYTES, .wal_max_bytes = WAL_BYTES,
    };
    if (access(path, F_OK) != 0)
        return err_because(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    return db_open(&opts, ret);
}

static void note(struct db_findings *findings, const char *what, struct text detail)
{
    size_t length = strlen(what);
    if (*findings->first)
        return;
    snprintf(findings->first, sizeof findings->first, "%s", what);
    connection_said(detail, findings->first + length, sizeof findings->first - length);
}

static enum err inspect_pages(struct db *db, struct db_findings *findings)
{
    struct db_statement *query = db_query(db->writer, "PRAGMA integrity_check(1)");
    if (db_next(query) && !text_equal_string(db_text(query, 0), "ok"))
        note(findings, "damaged: ", db_text(query, 0));
    return db_done(query);
}

static enum err inspect_keys(struct db *db, struct db_findings *findings)
{
    struct db_statement *query = db_query(db->writer, "PRAGMA foreign_key_check");
    if (db_next(query))
        note(findings, "a row refers to none in table ", db_text(query, 0));
    return db_done(query);
}

static enum err inspect_size(struct db *db, struct db_findings *findings)
{
    struct db_statement *query = db_query(db->writer,
        "SELECT page_count * page_size, freelist_count * page_size FROM pragma_page_count, pragma_page_size,"
        " pragma_freelist_count");
    if (db_next(query)) {
        findings->size_bytes = db_int(query, 0);
        findings->free_bytes = db_int(query, 1);
    }
    return db_done(query);
}

/* What the database is found to be wrong with, or what keeps it from being looked at. */
static bool is_finding(enum err err)
{
    return err == ERR_STORAGE || err == ERR_INVALID || err == ERR_CONFLICT;
}

enum err db_inspect(const char *path, const struct migration_set *sets, size_t set_count, struct db_findings *ret)
{
    struct db_findings findings = {.size_bytes = 0};
    struct db *db = NULL;
    enum err err = open_existing(path, INSPECT_WAIT_MS, &db);
    if (!err)
        err = inspect_size(db, &findings);
    if (!err)
        err = inspect_pages(db, &findings);
    if (!err)
        err = inspect_keys(db, &findings);
    if (!err)
        err = migrate_missing(db, sets, set_count, &findings.missing);
    if (is_finding(err)) {
        note(&findings, "", text_of(err_cause()));
        err = ERR_NONE;
    }
    db_close(db);
    if (!err)
        *ret = findings;
    return err;
}

enum err db_inspect_server(const struct db_opts *opts, const struct migration_set *sets, size_t set_count,
                           struct db_findings *ret)
{
    struct db_findings findings = {.size_bytes = 0};
    struct db *db = NULL;
    enum err err = db_open(opts, &db);
    if (!err)
        err = db_size(db->writer, &findings.size_bytes);
    if (!err)
        err = migrate_missing(db, sets, set_count, &findings.missing);
    if (is_finding(err)) {
        note(&findings, "", text_of(err_cause()));
        err = ERR_NONE;
    }
    db_close(db);
    if (!err)
        *ret = findings;
    return err;
}

static int64_t size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? status.st_size : 0;
}

/* In its turn, so that those who wait are those who came later, and into the file itself, not only into its log. */
static enum err vacuum_now(struct db *db)
{
    turn_take(sqlite_database(db)->turn, db->opts.busy_timeout_ms);
    enum err err = connection_run(db->writer, "VACUUM");
    turn_pass(sqlite_database(db)->turn);
    if (!err)
        err = db_script(db->writer, "PRAGMA wal_checkpoint(TRUNCATE)");
    return err;
}

enum err db_vacuum(const char *path, unsigned timeout_ms, int64_t *ret_before_bytes, int64_t *ret_after_bytes)
{
    struct db *db = NULL;
    int64_t before = size_of(path);
    enum err err = open_existing(path, timeout_ms, &db);
    if (!err)
        err = sqlite_accept(db->writer);
    if (!err)
        err = vacuum_now(db);
    db_close(db);
    if (!err) {
        *ret_before_bytes = before;
        *ret_after_bytes = size_of(path);
    }
    return err;
}
