#include "config.h"

#include <time.h>

#include "base/clock.h"
#include "state/copy.h"
#include "state/db_private.h"

/* The last of the leases; services share out theirs from 0. */
enum { COPY_LEASE = DB_MAX_LEASES - 1, LEASE_WAIT_MS = 10000, LEASE_PAUSE_MS = 50, COPY_SETS_MAX = 8, KEY_SIZE = 256 };

/* The mark: it is applied before any other migration of the target, and a service that knows no such set refuses the
 * database by this name. */
#define MARK "an unfinished tandemctl db copy"
static const struct migration mark_migrations[] = {{1, "copying", "SELECT 1", NULL}};
static const struct migration_set mark = {MARK, mark_migrations, 1};
static const char unmark_sql[] = "DELETE FROM schema_migration WHERE migration_set = '" MARK "'";

struct copying {
    const struct copy_opts *opts;
    struct db_connection *from, *to;           /* readers; from's is the snapshot */
    struct tables tables, target_tables;
    struct rows from_rows, to_rows;
    struct row_key after, until;
    bool absent[TABLE_ROWS_MAX];               /* which of to's rows are not in from */
    struct copy_result result;
};

static void tell(const struct copying *copying, const char *doing, const char *table, int64_t rows, int64_t of)
{
    const struct table_progress progress = {doing, table, rows, of};
    if (copying->opts->told)
        copying->opts->told(copying->opts->context, &progress);
}

/* ---- the target, before anything is copied ---- */

/* Empty, or an unfinished copy: those are nobody's yet. */
static enum err check_target(struct db *to)
{
    bool empty = false, marked = false;
    enum err err = tables_are_none(to->writer, &empty);
    if (!err)
        err = migrate_has(to, mark.name, &marked);
    if (err || empty || marked)
        return err;
    return err_because(ERR_CONFLICT, "%s is not empty, and is no copy that was cut off", to->path);
}

/* A server may take a while to see that one that was killed is gone. */
static enum err take_lease(struct db *to)
{
    const struct timespec pause = {.tv_nsec = LEASE_PAUSE_MS * NS_PER_MS};
    int64_t until_ns = clock_now_ns() + LEASE_WAIT_MS * NS_PER_MS;
    while (!db_lease_take(to, COPY_LEASE)) {
        if (clock_now_ns() >= until_ns)
            return err_because(ERR_BUSY, "%s: another one is copying to it", to->path);
        nanosleep(&pause, NULL);
    }
    return ERR_NONE;
}

static enum err prepare_target(const struct copy_opts *opts)
{
    struct migration_set sets[COPY_SETS_MAX] = {mark};
    if (opts->set_count >= COPY_SETS_MAX)
        return err_because(ERR_INVALID, "more than %d sets of migrations", COPY_SETS_MAX - 1);
    for (size_t i = 0; i < opts->set_count; i++)
        sets[i + 1] = opts->sets[i];
    enum err err = take_lease(opts->to);
    if (!err)
        err = check_target(opts->to);
    if (!err)
        err = migrate(opts->to, sets, opts->set_count + 1);
    return err ? err : db_start(opts->to);
}

/* ---- the source: one moment ---- */

static enum err begin_snapshot(struct copying *copying)
{
    struct db *from = copying->opts->from;
    enum err err = migrate_check(from, copying->opts->sets, copying->opts->set_count);
    if (!err)
        err = db_reader_open(from, &copying->from);
    copying->result.moment_us = clock_wall_us();
    return err ? err : tables_read_at_once(copying->from, &copying->tables);
}

static enum err read_from(struct copying *copying, const struct table *table, const struct row_key *after,
                          const struct row_key *until)
{
    enum err err = rows_read(&copying->from_rows, copying->from, table, after, until);
    return err ? err : tables_check_moment(copying->from);
}

/* ---- what is in the target and not in the source ---- */

static enum err refused(enum err err, const struct rows *rows, size_t row)
{
    char key[KEY_SIZE];
    return err_because(err, "table %s, row %s: %.200s", rows->table->name, rows_tell_key(rows, row, key, sizeof key),
                       err_cause());
}

static enum err remove_absent(struct db_connection *connection, void *context)
{
    const struct copying *copying = context;
    for (size_t row = 0; row < copying->to_rows.count; row++) {
        enum err err = copying->absent[row] ? rows_remove(&copying->to_rows, row, connection) : ERR_NONE;
        if (err)
            return refused(err, &copying->to_rows, row);
    }
    return ERR_NONE;
}

static enum err prune_rows(struct copying *copying)
{
    int64_t count = 0;
    for (size_t row = 0; row < copying->to_rows.count; row++) {
        bool found = false;
        enum err err = rows_find(&copying->to_rows, row, copying->from, &found);
        if (!err)
            err = tables_check_moment(copying->from);
        if (err)
            return err;
        copying->absent[row] = !found;
        count += !found;
    }
    copying->result.removed += count;
    return count ? db_write(copying->opts->to, remove_absent, copying) : ERR_NONE;
}

static enum err prune_table(struct copying *copying, const struct table *table)
{
    const struct row_key *after = NULL;
    int64_t rows = 0;
    enum err err = ERR_NONE;
    copying->to_rows.is_last = false;
    while (!err && !copying->to_rows.is_last) {
        err = rows_read(&copying->to_rows, copying->to, table, after, NULL);
        if (err || copying->to_rows.count == 0)
            return err;
        err = rows_key(&copying->to_rows, copying->to_rows.count - 1, &copying->until);
        if (!err)
            err = read_from(copying, table, after, &copying->until);
        if (!err && !rows_equal(&copying->from_rows, &copying->to_rows))
            err = prune_rows(copying);
        if (!err)
            err = rows_key(&copying->to_rows, copying->to_rows.count - 1, &copying->after);
        after = &copying->after;
        rows += (int64_t)copying->to_rows.count;
        tell(copying, "comparing", table->name, rows, rows);
    }
    return err;
}

/* A row goes before the one that it refers to. */
static enum err prune(struct copying *copying)
{
    enum err err = ERR_NONE;
    for (size_t i = copying->tables.count; i > 0 && !err; i--)
        err = prune_table(copying, &copying->tables.list[i - 1]);
    return err;
}

/* ---- what is in the source, and in the target not, or otherwise ---- */

static enum err put_rows(struct db_connection *connection, void *context)
{
    const struct rows *rows = context;
    for (size_t row = 0; row < rows->count; row++) {
        enum err err = rows_put(rows, row, connection);
        if (err)
            return refused(err, rows, row);
    }
    return ERR_NONE;
}

static enum err fill_rows(struct copying *copying, const struct table *table, const struct row_key *after)
{
    struct rows *rows = &copying->from_rows;
    if (rows->count == 0)
        return ERR_NONE;
    enum err err = rows_key(rows, rows->count - 1, &copying->until);
    if (!err)
        err = rows_read(&copying->to_rows, copying->to, table, after, &copying->until);
    if (err || rows_equal(rows, &copying->to_rows))
        return err;
    copying->result.written += (int64_t)rows->count;
    return db_write(copying->opts->to, put_rows, rows);
}

static enum err fill_table(struct copying *copying, const struct table *table, struct table_digest *ret)
{
    struct table_digester digester;
    const struct row_key *after = NULL;
    int64_t of = 0;
    enum err err = table_count(copying->from, table, &of);
    table_digester_init(&digester, table);
    copying->from_rows.is_last = false;
    while (!err && !copying->from_rows.is_last) {
        err = read_from(copying, table, after, NULL);
        if (!err)
            err = fill_rows(copying, table, after);
        if (err)
            return err;
        table_digester_add(&digester, &copying->from_rows);
        tell(copying, "copying", table->name, digester.rows, of);
        if (copying->from_rows.count > 0)
            err = rows_key(&copying->from_rows, copying->from_rows.count - 1, &copying->after);
        after = &copying->after;
    }
    if (!err)
        table_digester_end(&digester, table, ret);
    return err;
}

static enum err fill(struct copying *copying)
{
    struct table_digests *digests = &copying->result.digests;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < copying->tables.count && !err; i++)
        err = fill_table(copying, &copying->tables.list[i], &digests->list[i]);
    digests->count = copying->tables.count;
    return err;
}

/* ---- the end ---- */

static enum err go_on_after(struct db_connection *connection, void *context)
{
    const struct tables *tables = context;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < tables->count; i++) {
        const struct table *table = &tables->list[i];
        for (size_t j = 0; j < table->column_count && !err; j++)
            if (table->columns[j].is_numbered)
                err = connection->engine->go_on_after(connection, table->name, table->columns[j].name);
    }
    return err;
}

static enum err verify(struct copying *copying)
{
    struct table_digests there;
    const struct table_digests *here = &copying->result.digests;
    enum err err = table_digests_read(copying->to, &copying->tables, copying->opts->told, copying->opts->context,
                                      &there);
    for (size_t i = 0; i < here->count && !err; i++)
        if (sodium_memcmp(here->list[i].hex, there.list[i].hex, TABLE_DIGEST_SIZE) != 0)
            err = err_because(ERR_STORAGE, "table %s does not read back as it was written: %lld rows of digest %s are"
                                           " %lld of digest %s in %s", here->list[i].table,
                              (long long)here->list[i].rows, here->list[i].hex, (long long)there.list[i].rows,
                              there.list[i].hex, copying->opts->to->path);
    return err;
}

static enum err unmark(struct db_connection *connection, void *context)
{
    (void)context;
    return db_run(db_query(connection, unmark_sql), NULL);
}

/* ---- all of it ---- */

static enum err copy(struct copying *copying)
{
    struct db *to = copying->opts->to;
    enum err err = begin_snapshot(copying);
    if (!err)
        err = prepare_target(copying->opts);
    if (!err)
        err = db_reader_open(to, &copying->to);
    if (!err)
        err = tables_read(copying->to, &copying->target_tables);
    if (!err)
        err = tables_match(&copying->tables, &copying->target_tables);
    if (!err)
        err = prune(copying);
    if (!err)
        err = fill(copying);
    if (!err)
        err = db_write(to, go_on_after, &copying->target_tables);
    if (!err)
        err = verify(copying);
    if (!err && !copying->opts->unfinished)
        err = db_write(to, unmark, NULL);
    return err;
}

enum err copy_run(const struct copy_opts *opts, struct copy_result *ret)
{
    struct copying copying = {.opts = opts};
    row_key_init(&copying.after);
    row_key_init(&copying.until);
    enum err err = rows_init(&copying.from_rows);
    if (!err)
        err = rows_init(&copying.to_rows);
    if (!err)
        err = copy(&copying);
    db_reader_close(copying.from);
    db_reader_close(copying.to);
    tables_fini(&copying.tables);
    tables_fini(&copying.target_tables);
    rows_fini(&copying.from_rows);
    rows_fini(&copying.to_rows);
    row_key_fini(&copying.after);
    row_key_fini(&copying.until);
    if (!err)
        *ret = copying.result;
    return err;
}
