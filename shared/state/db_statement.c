#include "config.h"

#include <assert.h>
#include <errno.h>
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
    sqlite3_finalize(oldest->handle);
    return oldest;
}

/* To SQLite $2 is a name, and names count in the order in which they stand: "SET a = $2 WHERE b = $1". */
static void find_parameters(struct db_statement *statement)
{
    int count = sqlite3_bind_parameter_count(statement->handle);
    for (int place = 1; place <= count && !statement->err; place++) {
        const char *name = sqlite3_bind_parameter_name(statement->handle, place);
        int64_t number = 0;
        if (!name || name[0] != '$' || text_to_int(text_of(name + 1), &number) || number < 1
            || number > DB_PARAMETERS)
            statement->err = err_because(ERR_STORAGE, "parameters are $1 to $%d: %.200s", DB_PARAMETERS,
                                         statement->sql);
        else
            statement->places[number] = (unsigned char)place;
    }
}

static void prepare(struct db_statement *statement)
{
    struct db_connection *connection = statement->connection;
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(connection->handle, statement->sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &statement->handle, &rest);
    if (code != SQLITE_OK)
        statement->err = connection_failed(connection, code, statement->sql);
    else if (!statement->handle || rest[strspn(rest, " \n\t;")] != '\0')
        statement->err = err_because(ERR_STORAGE, "not one statement: %.200s", statement->sql);
    else
        find_parameters(statement);
    if (statement->err) {
        sqlite3_finalize(statement->handle);
        statement->handle = NULL;
    }
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
        sqlite3_finalize(connection->statements[i].handle);
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
        prepare(statement);
    return statement;
}

static void keep_error(struct db_statement *statement, int code)
{
    if (code != SQLITE_OK && !statement->err)
        statement->err = connection_failed(statement->connection, code, statement->sql);
}

/* Out of range, where SQLite says so, when there is no such parameter. */
static int place_of(const struct db_statement *statement, int at)
{
    return at < 1 || at > DB_PARAMETERS ? 0 : statement->places[at];
}

void db_bind_text(struct db_statement *statement, int at, struct text value)
{
    if (statement->err)
        return;
    if (!value.at)
        db_bind_null(statement, at);
    else
        keep_error(statement, sqlite3_bind_text64(statement->handle, place_of(statement, at), value.at, value.length,
                                                  SQLITE_TRANSIENT, SQLITE_UTF8));
}

void db_bind_string(struct db_statement *statement, int at, const char *value)
{
    db_bind_text(statement, at, text_of(value));
}

void db_bind_int(struct db_statement *statement, int at, int64_t value)
{
    if (!statement->err)
        keep_error(statement, sqlite3_bind_int64(statement->handle, place_of(statement, at), value));
}

void db_bind_null(struct db_statement *statement, int at)
{
    if (!statement->err)
        keep_error(statement, sqlite3_bind_null(statement->handle, place_of(statement, at)));
}

bool db_next(struct db_statement *statement)
{
    assert(statement->in_use);
    statement->at_row = false;
    if (statement->err || statement->finished)
        return false;
    errno = 0;
    int code = sqlite3_step(statement->handle);
    if (code == SQLITE_ROW)
        return statement->at_row = true;
    statement->finished = true;
    if (code == SQLITE_DONE)
        statement->changes = sqlite3_stmt_readonly(statement->handle)
                                 ? 0 : sqlite3_changes64(statement->connection->handle);
    else
        keep_error(statement, code);
    return false;
}

struct text db_text(struct db_statement *statement, int column)
{
    if (!statement->at_row || sqlite3_column_type(statement->handle, column) == SQLITE_NULL)
        return TEXT_NONE;
    const char *at = (const char *)sqlite3_column_text(statement->handle, column);
    if (!at) {
        keep_error(statement, SQLITE_NOMEM);
        return TEXT_NONE;
    }
    return (struct text){at, (size_t)sqlite3_column_bytes(statement->handle, column)};
}

int64_t db_int(struct db_statement *statement, int column)
{
    return statement->at_row ? sqlite3_column_int64(statement->handle, column) : 0;
}

bool db_is_null(struct db_statement *statement, int column)
{
    return !statement->at_row || sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

int64_t db_changes(const struct db_statement *statement)
{
    return statement->changes;
}

enum err db_done(struct db_statement *statement)
{
    assert(statement->in_use);
    if (statement->handle) {
        sqlite3_reset(statement->handle);
        sqlite3_clear_bindings(statement->handle);
    }
    statement->in_use = false;
    statement->at_row = false;
    statement->connection->in_use--;
    return statement->err;
}

enum err db_run(struct db_statement *statement, int64_t *ret_changes)
{
    while (db_next(statement))
        continue;
    int64_t changes = db_changes(statement);
    enum err err = db_done(statement);
    if (!err && ret_changes)
        *ret_changes = changes;
    return err;
}
