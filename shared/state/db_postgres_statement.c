#include "config.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/db_postgres.h"

enum { VALUES_MAX_BYTES = 64 * 1024 * 1024 };

/* Of pg_type, which never changes. */
enum { TYPE_BOOL = 16, TYPE_INT8 = 20 };

/* What is done to a statement's parameters: their place in the bytes, since these move as they grow. */
enum value_kind { VALUE_NULL, VALUE_TEXT, VALUE_INT };

struct value {
    enum value_kind kind;
    size_t at, length;
};

struct postgres_statement {
    char name[POSTGRES_NAME_SIZE];
    uint64_t prepared_in;          /* the connection's generation; 0: it is not */
    bool is_reading;               /* it changes nothing */
    int parameter_count;           /* the highest number */
    uint64_t has;                  /* which numbers there are, from 1, a bit each */
    Oid types[DB_PARAMETERS];      /* as it was prepared */
    struct value values[DB_PARAMETERS];
    struct buf bytes;
    PGresult *result;
    int row, row_count;
};

static struct postgres_statement *own_of(const struct db_statement *statement)
{
    return statement->handle;
}

static struct postgres_connection *connection_of(const struct db_statement *statement)
{
    return postgres_connection(statement->connection);
}

/* ---- reading the SQL: what SQLite would say at once, and PostgreSQL only when it is run ---- */

static const char *skip_quoted(const char *at)
{
    const char *end = strchr(at + 1, *at);
    return end ? end + 1 : at + strlen(at);
}

/* A '$' and what follows it; NULL when that is no number of a parameter. */
static const char *read_parameter(struct postgres_statement *own, const char *at)
{
    char *end;
    long number = strtol(at + 1, &end, 10);
    if (at[1] < '1' || at[1] > '9' || number > DB_PARAMETERS)
        return NULL;
    own->has |= UINT64_C(1) << (number - 1);
    if (number > own->parameter_count)
        own->parameter_count = (int)number;
    return end;
}

static bool is_at_end(const char *rest)
{
    return rest[strspn(rest, " \n\t;")] == '\0';
}

static enum err read_sql(struct postgres_statement *own, const char *sql)
{
    const char *at = sql + strspn(sql, " \n\t");
    own->is_reading = strncmp(at, "SELECT", 6) == 0;
    if (is_at_end(at))
        return err_because(ERR_STORAGE, "not one statement: %.200s", sql);
    while (at && *at) {
        if (*at == ';' && !is_at_end(at))
            return err_because(ERR_STORAGE, "not one statement: %.200s", sql);
        bool is_cast = at[0] == ':' && at[1] == ':';
        if (*at == '?' || (*at == ':' && !is_cast))
            at = NULL;
        else if (*at == '\'' || *at == '"')
            at = skip_quoted(at);
        else if (*at == '$')
            at = read_parameter(own, at);
        else
            at += is_cast ? 2 : 1;
    }
    return at ? ERR_NONE : err_because(ERR_STORAGE, "parameters are $1 to $%d: %.200s", DB_PARAMETERS, sql);
}

void postgres_prepare(struct db_statement *statement)
{
    struct postgres_statement *own = calloc(1, sizeof *own);
    statement->err = own ? read_sql(own, statement->sql) : err_because(ERR_MEMORY, "no memory for a statement");
    if (statement->err) {
        free(own);
        return;
    }
    snprintf(own->name, sizeof own->name, "s%u", ++connection_of(statement)->names);
    buf_init(&own->bytes, VALUES_MAX_BYTES);
    statement->handle = own;
}

/* The server forgets it too, unless it cannot be told now. */
void postgres_finalize(struct db_statement *statement)
{
    struct postgres_statement *own = own_of(statement);
    struct postgres_connection *connection = connection_of(statement);
    char sql[POSTGRES_NAME_SIZE + 16];
    enum err err = connection->pending_count ? postgres_exchange(connection) : ERR_NONE;
    if (!err && connection->handle && own->prepared_in == connection->generation
        && PQtransactionStatus(connection->handle) != PQTRANS_INERROR) {
        snprintf(sql, sizeof sql, "DEALLOCATE %s", own->name);
        err = postgres_sent(connection, PQsendQueryParams(connection->handle, sql, 0, NULL, NULL, NULL, NULL, 0),
                            WISH_NOTHING, NULL);
    }
    if (err)
        connection->base.must_rerun = true;   /* what has failed is told by the transaction's end */
    PQclear(own->result);
    buf_fini(&own->bytes);
    free(own);
    statement->handle = NULL;
}

void postgres_statement_prepared(struct db_statement *statement, bool is_prepared)
{
    own_of(statement)->prepared_in = is_prepared ? connection_of(statement)->generation : 0;
}

void postgres_statement_result(struct db_statement *statement, PGresult *result)
{
    struct postgres_statement *own = own_of(statement);
    PQclear(own->result);
    own->result = result;
    own->row_count = PQntuples(result);
    own->row = -1;
}

/* ---- parameters ---- */

static enum err bind(struct db_statement *statement, int at, enum value_kind kind, const void *bytes, size_t length)
{
    struct postgres_statement *own = own_of(statement);
    if (at < 1 || at > DB_PARAMETERS || !(own->has & (UINT64_C(1) << (at - 1))))
        return err_because(ERR_STORAGE, "there is no parameter $%d: %.200s", at, statement->sql);
    own->values[at - 1] = (struct value){kind, own->bytes.length, length};
    buf_add(&own->bytes, bytes, length);
    return buf_check(&own->bytes);
}

/* A text of PostgreSQL holds no zero byte. */
enum err postgres_bind_text(struct db_statement *statement, int at, struct text value)
{
    if (value.length > 0 && memchr(value.at, '\0', value.length))
        return err_because(ERR_INVALID, "a text has a zero byte: %.200s", statement->sql);
    return bind(statement, at, VALUE_TEXT, value.at, value.length);
}

enum err postgres_bind_int(struct db_statement *statement, int at, int64_t value)
{
    uint64_t big_endian = htobe64((uint64_t)value);
    return bind(statement, at, VALUE_INT, &big_endian, sizeof big_endian);
}

enum err postgres_bind_null(struct db_statement *statement, int at)
{
    return bind(statement, at, VALUE_NULL, NULL, 0);
}

/* ---- sending ---- */

/* Integers are given as such, since what the server makes of "$1 + 1" by itself is an integer of 32 bits. What was text
 * or NULL when it was prepared is of the type that it is used as. */
static bool is_prepared_for(const struct postgres_statement *own, uint64_t generation)
{
    if (own->prepared_in != generation)
        return false;
    for (int i = 0; i < own->parameter_count; i++)
        if (own->values[i].kind != VALUE_NULL && (own->values[i].kind == VALUE_INT) != (own->types[i] == TYPE_INT8))
            return false;
    return true;
}

static enum err send_prepare(struct db_statement *statement)
{
    struct postgres_statement *own = own_of(statement);
    struct postgres_connection *connection = connection_of(statement);
    if (own->prepared_in)   /* for other types, or in another connection: a name is used once */
        snprintf(own->name, sizeof own->name, "s%u", ++connection->names);
    for (int i = 0; i < own->parameter_count; i++)
        own->types[i] = own->values[i].kind == VALUE_INT ? TYPE_INT8 : 0;
    own->prepared_in = connection->generation;
    int is_sent = PQsendPrepare(connection->handle, own->name, statement->sql, own->parameter_count, own->types);
    return postgres_sent(connection, is_sent, WISH_PREPARED, statement);
}

static enum err send(struct db_statement *statement, enum postgres_wish wish)
{
    struct postgres_statement *own = own_of(statement);
    struct postgres_connection *connection = connection_of(statement);
    const char *values[DB_PARAMETERS];
    int lengths[DB_PARAMETERS], formats[DB_PARAMETERS];
    if (!is_prepared_for(own, connection->generation)) {
        enum err err = send_prepare(statement);
        if (err)
            return err;
    }
    for (int i = 0; i < own->parameter_count; i++) {
        const struct value *value = &own->values[i];
        values[i] = value->kind == VALUE_NULL ? NULL : value->length ? own->bytes.data + value->at : "";
        lengths[i] = (int)value->length;
        formats[i] = 1;
    }
    if (!own->is_reading)
        statement->connection->has_changed = true;
    int is_sent = PQsendQueryPrepared(connection->handle, own->name, own->parameter_count, values, lengths, formats, 0);
    return postgres_sent(connection, is_sent, wish, statement);
}

/* ---- running ---- */

static enum err ask(struct db_statement *statement)
{
    struct postgres_connection *connection = connection_of(statement);
    enum err err = postgres_ensure(connection);
    if (!err)
        err = send(statement, WISH_RESULT);
    if (err || !connection->handle)
        return err;
    return postgres_exchange(connection);
}

/* Whether what has failed may be asked again: what a reader asks changes nothing. It has lost its connection, was
 * prepared before a migration, or was asked of a replica that has gone on too far; then the primary is asked. */
static bool may_ask_again(struct postgres_connection *connection, enum err err, uint64_t generation)
{
    if (connection->base.kind == CONNECTION_WRITER)
        return false;
    if (err == ERR_BUSY && connection->is_replica)
        postgres_drop(connection);
    return !connection->handle || connection->generation != generation;
}

static void ask_until_told(struct db_statement *statement)
{
    struct postgres_connection *connection = connection_of(statement);
    uint64_t generation = connection->generation;
    bool was_connected = connection->handle != NULL;
    enum err err = ask(statement);
    if (err && err != ERR_DEADLINE && was_connected && may_ask_again(connection, err, generation))
        err = ask(statement);
    if (err)
        statement_fail(statement, err);
}

static int64_t changes_of(const struct postgres_statement *own)
{
    const char *count = own->is_reading ? "" : PQcmdTuples(own->result);
    return *count ? strtoll(count, NULL, 10) : 0;
}

bool postgres_step(struct db_statement *statement)
{
    struct postgres_statement *own = own_of(statement);
    if (!own->result)
        ask_until_told(statement);
    if (!own->result)
        return false;
    if (++own->row < own->row_count)
        return true;
    statement->changes = changes_of(own);
    return false;
}

/* Only in a transaction that is undone as a whole may a change be left to itself. */
void postgres_run(struct db_statement *statement)
{
    struct postgres_connection *connection = connection_of(statement);
    bool is_deferred = connection->base.is_free && !own_of(statement)->is_reading && connection->handle;
    enum err err = ERR_NONE;
    if (is_deferred)
        err = send(statement, WISH_NOTHING);
    else
        while (postgres_step(statement))
            continue;
    if (err)
        statement_fail(statement, err);
}

/* ---- results ---- */

struct text postgres_text(struct db_statement *statement, int column)
{
    const struct postgres_statement *own = own_of(statement);
    if (column < 0 || column >= PQnfields(own->result) || PQgetisnull(own->result, own->row, column))
        return TEXT_NONE;
    return (struct text){PQgetvalue(own->result, own->row, column),
                         (size_t)PQgetlength(own->result, own->row, column)};
}

int64_t postgres_integer(struct db_statement *statement, int column)
{
    struct text value = postgres_text(statement, column);
    if (value.length == 0)
        return 0;
    if (PQftype(own_of(statement)->result, column) == TYPE_BOOL)
        return value.at[0] == 't';
    return strtoll(value.at, NULL, 10);
}

bool postgres_is_null(struct db_statement *statement, int column)
{
    return postgres_text(statement, column).at == NULL;
}

void postgres_reset(struct db_statement *statement)
{
    enum { KEEP_BYTES = 4096 };
    struct postgres_statement *own = own_of(statement);
    PQclear(own->result);
    own->result = NULL;
    buf_reset(&own->bytes, KEEP_BYTES);
    memset(own->values, 0, (size_t)own->parameter_count * sizeof own->values[0]);
}
