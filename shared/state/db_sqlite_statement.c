#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state/db_sqlite.h"

struct sqlite_statement {
    sqlite3_stmt *handle;
    unsigned char places[DB_PARAMETERS + 1];   /* SQLite's index of $1, $2 …; 0: there is none */
};

static struct sqlite_statement *own_of(const struct db_statement *statement)
{
    return statement->handle;
}

static sqlite3_stmt *handle_of(const struct db_statement *statement)
{
    return own_of(statement)->handle;
}

/* To SQLite $2 is a name, and names count in the order in which they stand: "SET a = $2 WHERE b = $1". */
static enum err find_parameters(struct sqlite_statement *own, const char *sql)
{
    int count = sqlite3_bind_parameter_count(own->handle);
    for (int place = 1; place <= count; place++) {
        const char *name = sqlite3_bind_parameter_name(own->handle, place);
        int64_t number = 0;
        if (!name || name[0] != '$' || text_to_int(text_of(name + 1), &number) || number < 1
            || number > DB_PARAMETERS)
            return err_because(ERR_STORAGE, "parameters are $1 to $%d: %.200s", DB_PARAMETERS, sql);
        own->places[number] = (unsigned char)place;
    }
    return ERR_NONE;
}

static enum err prepare(struct db_connection *connection, struct sqlite_statement *own, const char *sql)
{
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(sqlite_handle(connection), sql, -1, SQLITE_PREPARE_PERSISTENT, &own->handle, &rest);
    if (code != SQLITE_OK)
        return sqlite_failed(connection, code, sql);
    if (!own->handle || rest[strspn(rest, " \n\t;")] != '\0')
        return err_because(ERR_STORAGE, "not one statement: %.200s", sql);
    return find_parameters(own, sql);
}

static void free_own(struct sqlite_statement *own)
{
    if (own)
        sqlite3_finalize(own->handle);
    free(own);
}

void sqlite_prepare(struct db_statement *statement)
{
    struct sqlite_statement *own = calloc(1, sizeof *own);
    statement->err = own ? prepare(statement->connection, own, statement->sql)
                         : err_because(ERR_MEMORY, "no memory for a statement");
    if (statement->err) {
        free_own(own);
        own = NULL;
    }
    statement->handle = own;
}

void sqlite_finalize(struct db_statement *statement)
{
    free_own(statement->handle);
    statement->handle = NULL;
}

static enum err bound(struct db_statement *statement, int code)
{
    return code == SQLITE_OK ? ERR_NONE : sqlite_failed(statement->connection, code, statement->sql);
}

/* Out of range, where SQLite says so, when there is no such parameter. */
static int place_of(const struct db_statement *statement, int at)
{
    return at < 1 || at > DB_PARAMETERS ? 0 : own_of(statement)->places[at];
}

enum err sqlite_bind_text(struct db_statement *statement, int at, struct text value)
{
    return bound(statement, sqlite3_bind_text64(handle_of(statement), place_of(statement, at), value.at, value.length,
                                                SQLITE_TRANSIENT, SQLITE_UTF8));
}

enum err sqlite_bind_int(struct db_statement *statement, int at, int64_t value)
{
    return bound(statement, sqlite3_bind_int64(handle_of(statement), place_of(statement, at), value));
}

enum err sqlite_bind_null(struct db_statement *statement, int at)
{
    return bound(statement, sqlite3_bind_null(handle_of(statement), place_of(statement, at)));
}

bool sqlite_step(struct db_statement *statement)
{
    struct db_connection *connection = statement->connection;
    errno = 0;
    int code = sqlite3_step(handle_of(statement));
    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_DONE)
        statement->changes = sqlite3_stmt_readonly(handle_of(statement))
                                 ? 0 : sqlite3_changes64(sqlite_handle(connection));
    else
        statement_fail(statement, sqlite_failed(connection, code, statement->sql));
    return false;
}

struct text sqlite_text(struct db_statement *statement, int column)
{
    if (sqlite3_column_type(handle_of(statement), column) == SQLITE_NULL)
        return TEXT_NONE;
    const char *at = (const char *)sqlite3_column_text(handle_of(statement), column);
    if (!at) {
        statement_fail(statement, sqlite_failed(statement->connection, SQLITE_NOMEM, statement->sql));
        return TEXT_NONE;
    }
    return (struct text){at, (size_t)sqlite3_column_bytes(handle_of(statement), column)};
}

int64_t sqlite_integer(struct db_statement *statement, int column)
{
    return sqlite3_column_int64(handle_of(statement), column);
}

bool sqlite_is_null(struct db_statement *statement, int column)
{
    return sqlite3_column_type(handle_of(statement), column) == SQLITE_NULL;
}

void sqlite_reset(struct db_statement *statement)
{
    sqlite3_reset(handle_of(statement));
    sqlite3_clear_bindings(handle_of(statement));
}
