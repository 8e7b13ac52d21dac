#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "state/db_sqlite.h"

enum { BUSY_PAUSE_US = 200, BUSY_PAUSE_JITTER_US = 800, CHECKPOINTER_CACHE_KIB = 64,
       STEPS_BETWEEN_LOOKS = 5000 };

static const struct {
    int code;
    enum err err;
} meanings[] = {
    {SQLITE_CONSTRAINT_UNIQUE, ERR_CONFLICT},
    {SQLITE_CONSTRAINT_PRIMARYKEY, ERR_CONFLICT},
    {SQLITE_CONSTRAINT_ROWID, ERR_CONFLICT},
    {SQLITE_CONSTRAINT_FOREIGNKEY, ERR_CONFLICT},
    {SQLITE_CONSTRAINT, ERR_INVALID},
    {SQLITE_BUSY, ERR_BUSY},
    {SQLITE_LOCKED, ERR_BUSY},
    {SQLITE_FULL, ERR_STORAGE_FULL},
    {SQLITE_NOMEM, ERR_MEMORY},
    {SQLITE_INTERRUPT, ERR_DEADLINE},
};

/* SQLite keeps the system's reason for most failures, but not for a COMMIT's; then errno has it, cleared before. */
static int system_reason(sqlite3 *handle, int code, int latest)
{
    int primary = code & 0xff;
    if (!handle || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
        return 0;
    int kept = sqlite3_system_errno(handle);
    return kept ? kept : latest;
}

static enum err meaning_of(int code, int reason)
{
    /* SQLite says SQLITE_FULL for ENOSPC when writing, and SQLITE_IOERR for everything else that means the same. */
    if (reason == ENOSPC || reason == EDQUOT || reason == EFBIG)
        return ERR_STORAGE_FULL;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == code || meanings[i].code == (code & 0xff))
            return meanings[i].err;
    return ERR_STORAGE;
}

enum err sqlite_failed(struct db_connection *connection, int code, const char *doing)
{
    int latest = errno;
    sqlite3 *handle = sqlite_handle(connection);
    if (handle && (sqlite3_extended_errcode(handle) & 0xff) == (code & 0xff))
        code = sqlite3_extended_errcode(handle);
    int reason = system_reason(handle, code, latest);
    return err_because(meaning_of(code, reason), "%s: %s%s%s [%d] %.200s", connection->db->path,
                       handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code),
                       reason ? ": " : "", reason ? strerror(reason) : "", code, doing);
}

/* Short, uneven tries: whoever else writes to the file commits within milliseconds, and two who wait drift apart. */
static int wait_while_busy(void *context, int tries)
{
    struct sqlite_connection *connection = context;
    int64_t now_ns = clock_now_ns();
    if (tries == 0) {
        connection->busy_deadline_ns = now_ns + connection->busy_timeout_ms * NS_PER_MS;
        DB_COUNT(connection->base.db, busy, 1);
    }
    if (now_ns >= connection->busy_deadline_ns)
        return 0;
    struct timespec pause = {.tv_nsec = (BUSY_PAUSE_US + (long)random_below(BUSY_PAUSE_JITTER_US)) * 1000};
    nanosleep(&pause, NULL);
    return 1;
}

/* Readers only: SQLite undoes the whole transaction of a change that it interrupts. */
static int is_over(void *context)
{
    const struct db_connection *connection = context;
    if (connection->given_up && atomic_load_explicit(connection->given_up, memory_order_relaxed))
        return 1;
    return connection->deadline_ns && clock_now_ns() >= connection->deadline_ns;
}

enum err sqlite_in_place(struct db_connection *connection)
{
    int moved = 0;
    if (sqlite3_file_control(sqlite_handle(connection), "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
        return ERR_NONE;
    return err_because(ERR_STORAGE, "%s is not the file any more that was opened at the start; restart the service",
                       connection->db->path);
}

/* Changing to WAL takes a lock for which SQLite does not call the busy handler, so the waiting is done here. */
static enum err use_wal(struct db_connection *connection)
{
    int tries = 0;
    for (;;) {
        struct db_statement *pragma = db_query(connection, "PRAGMA journal_mode = WAL");
        bool is_wal = db_next(pragma) && text_equal_string(db_text(pragma, 0), "wal");
        enum err err = db_done(pragma);
        if (err == ERR_BUSY && wait_while_busy(sqlite_connection(connection), tries++))
            continue;
        if (!err && !is_wal)
            return err_because(ERR_STORAGE, "%s: this file system cannot hold a write-ahead log", connection->db->path);
        return err;
    }
}

/* Reads the header and the schema, which finds what is no database, is cut short, or has lost its first pages. */
static enum err check_schema(struct db_connection *connection)
{
    struct db_statement *query = db_query(connection, "SELECT count(*) FROM sqlite_schema");
    while (db_next(query))
        continue;
    return db_done(query);
}

static enum err check_pages(struct db_connection *connection)
{
    struct db_statement *query = db_query(connection, "PRAGMA quick_check(1)");
    char found[256] = "";
    if (db_next(query) && !text_equal_string(db_text(query, 0), "ok"))
        connection_said(db_text(query, 0), found, sizeof found);
    enum err err = db_done(query);
    if (!err && *found)
        err = err_because(ERR_STORAGE, "%s is damaged: %s", connection->db->path, found);
    return err;
}

static enum err check_health(struct db_connection *connection)
{
    struct stat status;
    enum err err = check_schema(connection);
    bool is_small = stat(connection->db->path, &status) == 0 && status.st_size <= DB_CHECK_MAX_BYTES;
    return err || !is_small ? err : check_pages(connection);
}

static enum err set_up(struct db_connection *connection)
{
    const struct db_opts *opts = &connection->db->opts;
    enum connection_kind kind = connection->kind;
    bool is_reader = kind == CONNECTION_READER || kind == CONNECTION_STALE_READER;
    unsigned cache_kib = kind == CONNECTION_CHECKPOINTER ? CHECKPOINTER_CACHE_KIB : opts->cache_kib;
    struct buf script;
    buf_init(&script, 1024);
    buf_addf(&script, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -%u;"
                      "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0;"
                      "PRAGMA journal_size_limit = %zu; PRAGMA query_only = %s",
             cache_kib, opts->wal_max_bytes, is_reader ? "ON" : "OFF");
    const char *text = buf_string(&script);
    enum err err = buf_check(&script);
    if (!err)
        err = kind == CONNECTION_WRITER ? check_health(connection) : sqlite_accept(connection);
    if (!err)
        err = db_script(connection, text);
    buf_fini(&script);
    return err;
}

/* For people's data: made for the owner and the group only, before SQLite would make it for everyone. Only a file made
 * here is closed again: closing one that is open elsewhere in this process would drop SQLite's locks on it. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
    if (fd >= 0)
        close(fd);
}

static void keep_log_at_close(struct db_connection *connection, int keep)
{
    sqlite3_db_config(sqlite_handle(connection), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep, NULL);
}

/* A log that somebody left behind is theirs to bring into the file. Where there is none, closing leaves none either. */
static bool has_log(const struct db *db)
{
    char path[DB_PATH_SIZE];
    return access(path_beside(db, "-wal", path), F_OK) == 0;
}

enum err sqlite_accept(struct db_connection *connection)
{
    struct sqlite_connection *own = sqlite_connection(connection);
    if (own->accepted)
        return ERR_NONE;
    enum err err = use_wal(connection);
    if (!err)
        keep_log_at_close(connection, 0);
    own->accepted = !err;
    return err;
}

static void configure(struct sqlite_connection *own)
{
    sqlite3_extended_result_codes(own->handle, 1);
    sqlite3_db_config(own->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(own->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(own->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_busy_handler(own->handle, wait_while_busy, own);
    if (own->base.kind == CONNECTION_READER || own->base.kind == CONNECTION_STALE_READER)
        sqlite3_progress_handler(own->handle, STEPS_BETWEEN_LOOKS, is_over, own);
}

enum err sqlite_connect(struct db_connection *connection)
{
    struct sqlite_connection *own = sqlite_connection(connection);
    struct db *db = connection->db;
    bool keep_log = connection->kind == CONNECTION_WRITER && has_log(db);
    own->busy_timeout_ms = db->opts.busy_timeout_ms;
    if (connection->kind == CONNECTION_WRITER)
        make_private(db->path);

    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(db->path, &own->handle, flags, NULL);
    if (code != SQLITE_OK)
        return sqlite_failed(connection, code, "open");
    configure(own);
    keep_log_at_close(connection, keep_log);
    return set_up(connection);
}

void sqlite_disconnect(struct db_connection *connection)
{
    sqlite3_close_v2(sqlite_handle(connection));
}
