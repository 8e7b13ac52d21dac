#include "config.h"

#include <assert.h>
#include <string.h>

#include "state/db_private.h"

/* ---- the cache ---- */

static struct db_statement **bucket_of(struct db_connection *connection, const char *sql)
{
    uint64_t hash = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
    return &connection->buckets[(hash >> 32) % DB_STATEMENTS];
}

static void unlink_from_bucket(struct db_statement *statement)
{
    struct db_statement **link = bucket_of(statement->connection, statement->sql);
    while (*link != statement)
        link = &(*link)->next;
    *link = statement->next;
}

static void finalize(struct db_statement *statement)
{
    if (statement->handle)
        statement->connection->engine->finalize(statement);
}

/* The least recently used that is not in a loop. More loops in one another than there are statements is a mistake. */
static struct db_statement *evict(struct db_connection *connection)
{
    struct db_statement *oldest = NULL;
    for (size_t i = 0; i < DB_STATEMENTS; i++) {
        struct db_statement *candidate = &connection->statements[i];
        if (!candidate->in_use && (!oldest || candidate->used_at < oldest->used_at))
            oldest = candidate;
    }
    assert(oldest);
    unlink_from_bucket(oldest);
    finalize(oldest);
    return oldest;
}

static struct db_statement *find(struct db_connection *connection, const char *sql)
{
    struct db_statement **bucket = bucket_of(connection, sql);
    for (struct db_statement *statement = *bucket; statement; statement = statement->next)
        if (statement->sql == sql)
            return statement;

    struct db_statement *statement = connection->statement_count < DB_STATEMENTS
                                         ? &connection->statements[connection->statement_count++]
                                         : evict(connection);
    *statement = (struct db_statement){.connection = connection, .sql = sql, .next = *bucket};
    *bucket = statement;
    return statement;
}

void connection_forget_statements(struct db_connection *connection)
{
    assert(connection->in_use == 0);
    for (size_t i = 0; i < connection->statement_count; i++)
        finalize(&connection->statements[i]);
    connection->statement_count = 0;
    memset(connection->buckets, 0, sizeof connection->buckets);
}

/* ---- the cursor ---- */

struct db_statement *db_query(struct db_connection *connection, const char *sql)
{
    struct db_statement *statement = find(connection, sql);
    assert(!statement->in_use);
    statement->in_use = true;
    statement->at_row = statement->finished = false;
    statement->err = ERR_NONE;
    statement->changes = 0;
    statement->used_at = ++connection->uses;
    connection->in_use++;
    if (connection->reads.slot)
        metric_add(connection->reads, 1);
    if (!statement->handle)
        connection->engine->prepare(statement);
    return statement;
}

void statement_fail(struct db_statement *statement, enum err err)
{
    if (!statement->err)
        statement->err = err;
}

void db_bind_text(struct db_statement *statement, int at, struct text value)
{
    const struct db_engine *engine = statement->connection->engine;
    if (!statement->err)
        statement->err = value.at ? engine->bind_text(statement, at, value) : engine->bind_null(statement, at);
}

void db_bind_string(struct db_statement *statement, int at, const char *value)
{
    db_bind_text(statement, at, text_of(value));
}

void db_bind_int(struct db_statement *statement, int at, int64_t value)
{
    if (!statement->err)
        statement->err = statement->connection->engine->bind_int(statement, at, value);
}

void db_bind_null(struct db_statement *statement, int at)
{
    if (!statement->err)
        statement->err = statement->connection->engine->bind_null(statement, at);
}

bool db_next(struct db_statement *statement)
{
    assert(statement->in_use);
    statement->at_row = false;
    if (statement->err || statement->finished)
        return false;
    statement->at_row = statement->connection->engine->step(statement);
    statement->finished = !statement->at_row;
    return statement->at_row;
}

struct text db_text(struct db_statement *statement, int column)
{
    return statement->at_row ? statement->connection->engine->text(statement, column) : TEXT_NONE;
}

int64_t db_int(struct db_statement *statement, int column)
{
    return statement->at_row ? statement->connection->engine->integer(statement, column) : 0;
}

bool db_is_null(struct db_statement *statement, int column)
{
    return !statement->at_row || statement->connection->engine->is_null(statement, column);
}

int64_t db_changes(const struct db_statement *statement)
{
    return statement->changes;
}

enum err db_done(struct db_statement *statement)
{
    assert(statement->in_use);
    if (statement->handle)
        statement->connection->engine->reset(statement);
    statement->in_use = false;
    statement->at_row = false;
    statement->connection->in_use--;
    return statement->err;
}

static void run_unasked(struct db_statement *statement)
{
    if (statement->err || statement->finished)
        return;
    statement->connection->engine->run(statement);
    statement->finished = true;
}

enum err db_run(struct db_statement *statement, int64_t *ret_changes)
{
    if (!ret_changes && statement->connection->engine->run)
        run_unasked(statement);
    while (db_next(statement))
        continue;
    int64_t changes = db_changes(statement);
    enum err err = db_done(statement);
    if (!err && ret_changes)
        *ret_changes = changes;
    return err;
}

enum err db_script(struct db_connection *connection, const char *sql)
{
    return connection->engine->script(connection, sql);
}
