#include "config.h"

#include <assert.h>

#include "base/text.h"
#include "state/db_sqlite.h"
#include "state/thread.h"

/*
 * The write-ahead log is emptied in two ways. From each wal_checkpoint_bytes on, the checkpointer copies what it can
 * into the database beside the writer (PASSIVE). That alone never catches up with a busy writer, so at wal_max_bytes
 * the writer itself copies the little that is left and starts the log over (RESTART), between two batches, waiting
 * only RESTART_WAIT_MS for readers of old pages; when one stays longer it goes on and tries again a step later.
 */
enum { RESTART_WAIT_MS = 50, WAL_FRAME_HEADER_BYTES = 24 };

static void ask_for_checkpoint(struct sqlite_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->requested = true;
    pthread_cond_signal(&checkpoint->wake);
    pthread_mutex_unlock(&checkpoint->lock);
}

static struct sqlite_checkpoint *checkpoint_of(const struct db *db)
{
    return &sqlite_database(db)->checkpoint;
}

static void start_over(struct db *db)
{
    checkpoint_of(db)->next_bytes = db->opts.wal_checkpoint_bytes;
    checkpoint_of(db)->full_bytes = db->opts.wal_max_bytes;
}

/* After each commit, on the writer's thread. */
static int on_commit(void *context, sqlite3 *handle, const char *name, int frames)
{
    (void)handle, (void)name;
    struct db *db = context;
    struct sqlite_checkpoint *checkpoint = checkpoint_of(db);
    size_t bytes = (size_t)frames * checkpoint->frame_bytes;
    DB_SET(db, wal_bytes, bytes);
    if (bytes < checkpoint->last_bytes)
        start_over(db);
    checkpoint->last_bytes = bytes;
    if (bytes >= checkpoint->next_bytes) {
        checkpoint->next_bytes = bytes + db->opts.wal_checkpoint_bytes;
        ask_for_checkpoint(checkpoint);
    }
    return SQLITE_OK;
}

bool checkpoint_is_due(const struct db *db)
{
    return checkpoint_of(db)->last_bytes >= checkpoint_of(db)->full_bytes;
}

void checkpoint_fully(struct db *db)
{
    struct sqlite_checkpoint *checkpoint = checkpoint_of(db);
    struct sqlite_connection *writer = sqlite_connection(db->writer);
    writer->busy_timeout_ms = RESTART_WAIT_MS;
    pthread_mutex_lock(&checkpoint->running);
    int code = sqlite3_wal_checkpoint_v2(writer->handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    pthread_mutex_unlock(&checkpoint->running);
    writer->busy_timeout_ms = db->opts.busy_timeout_ms;

    if (code == SQLITE_OK) {
        checkpoint->last_bytes = 0;
        DB_SET(db, wal_bytes, 0);
        start_over(db);
    } else {
        checkpoint->full_bytes = checkpoint->last_bytes + db->opts.wal_checkpoint_bytes;
    }
}

/* A failure is left to the writer's own checkpoint, and to the log's size, which is measured. */
static void *run(void *context)
{
    struct sqlite_checkpoint *checkpoint = context;
    pthread_mutex_lock(&checkpoint->lock);
    for (;;) {
        while (!checkpoint->requested && !checkpoint->stopping)
            pthread_cond_wait(&checkpoint->wake, &checkpoint->lock);
        if (checkpoint->stopping)
            break;
        checkpoint->requested = false;
        pthread_mutex_unlock(&checkpoint->lock);

        pthread_mutex_lock(&checkpoint->running);
        sqlite3_wal_checkpoint_v2(sqlite_handle(checkpoint->connection), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        pthread_mutex_unlock(&checkpoint->running);
        pthread_mutex_lock(&checkpoint->lock);
    }
    pthread_mutex_unlock(&checkpoint->lock);
    return NULL;
}

static enum err read_page_size(struct db *db)
{
    struct db_statement *pragma = db_query(db->writer, "PRAGMA page_size");
    if (db_next(pragma))
        checkpoint_of(db)->frame_bytes = (size_t)db_int(pragma, 0) + WAL_FRAME_HEADER_BYTES;
    return db_done(pragma);
}

void checkpoint_init(struct sqlite_checkpoint *checkpoint)
{
    pthread_mutex_init(&checkpoint->lock, NULL);
    pthread_mutex_init(&checkpoint->running, NULL);
    pthread_cond_init(&checkpoint->wake, NULL);
}

void checkpoint_fini(struct sqlite_checkpoint *checkpoint)
{
    pthread_mutex_destroy(&checkpoint->lock);
    pthread_mutex_destroy(&checkpoint->running);
    pthread_cond_destroy(&checkpoint->wake);
}

enum err checkpoint_start(struct db *db)
{
    struct sqlite_checkpoint *checkpoint = checkpoint_of(db);
    enum err err = read_page_size(db);
    if (!err)
        err = connection_open(db, CONNECTION_CHECKPOINTER, &checkpoint->connection);
    if (err)
        return err;
    start_over(db);
    sqlite3_wal_hook(sqlite_handle(db->writer), on_commit, db);
    err = thread_start(&checkpoint->thread, "checkpoint", run, checkpoint);
    checkpoint->started = !err;
    return err;
}

void checkpoint_stop(struct db *db)
{
    struct sqlite_checkpoint *checkpoint = checkpoint_of(db);
    if (checkpoint->started) {
        pthread_mutex_lock(&checkpoint->lock);
        checkpoint->stopping = true;
        pthread_cond_signal(&checkpoint->wake);
        pthread_mutex_unlock(&checkpoint->lock);
        pthread_join(checkpoint->thread, NULL);
        checkpoint->started = false;
    }
    connection_close(checkpoint->connection);
    checkpoint->connection = NULL;
}
