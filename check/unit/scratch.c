#include "config.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "check/unit/scratch.h"

static const struct scratch_engine *engine;

void scratch_use(const struct scratch_engine *use)
{
    engine = use;
}

void scratch_init(struct scratch *scratch)
{
    const char *parent = getenv("TMPDIR");
    snprintf(scratch->folder, sizeof scratch->folder, "%s/tandem-XXXXXX", parent ? parent : "/tmp");
    char *made = mkdtemp(scratch->folder);
    assert(made);
}

const char *scratch_path(struct scratch *scratch, const char *name)
{
    snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->folder, name);
    return scratch->path;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

void scratch_fini(struct scratch *scratch)
{
    if (engine)
        engine->forget();
    int left = nftw(scratch->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    assert(left == 0);
}

struct db_opts scratch_db_opts(const char *path)
{
    return (struct db_opts){.path = path, .url = engine ? engine->url(path) : NULL, .batch_max = 64,
                            .queue_max = 4096, .busy_timeout_ms = 5000, .cache_kib = 512,
                            .wal_checkpoint_bytes = 256 * 1024, .wal_max_bytes = 1024 * 1024,
                            .connect_timeout_ms = 5000, .start_timeout_ms = 5000, .statement_timeout_ms = 20000};
}

bool scratch_eventually(bool (*holds)(void *context), void *context)
{
    int64_t deadline_ns = clock_now_ns() + SCRATCH_PATIENCE_MS * NS_PER_MS;
    while (!holds(context)) {
        if (clock_now_ns() > deadline_ns)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
    return true;
}

int64_t scratch_number(struct db *db, const char *sql)
{
    struct db_connection *reader = NULL;
    if (db_reader_open(db, &reader))
        return -1;
    struct db_statement *query = db_query(reader, sql);
    int64_t number = db_next(query) ? db_int(query, 0) : -1;
    if (db_done(query))
        number = -1;
    db_reader_close(reader);
    return number;
}

static enum err run_script(struct db_connection *connection, void *context)
{
    return db_script(connection, context);
}

enum err scratch_script(struct db *db, const char *sql)
{
    return db_write(db, run_script, (void *)(uintptr_t)sql);
}
