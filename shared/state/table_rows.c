#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/table_rows.h"

enum { BYTES_MAX = 256 * 1024 * 1024, KEY_BYTES_MAX = 1024 * 1024, KEY_KEEP_BYTES = 4096 };

/* ---- memory ---- */

enum err rows_init(struct rows *rows)
{
    *rows = (struct rows){.values = calloc((size_t)TABLE_ROWS_MAX * TABLE_COLUMNS_MAX, sizeof *rows->values)};
    buf_init(&rows->bytes, BYTES_MAX);
    return rows->values ? ERR_NONE : err_because(ERR_MEMORY, "no memory for rows");
}

void rows_fini(struct rows *rows)
{
    free(rows->values);
    rows->values = NULL;
    buf_fini(&rows->bytes);
}

void row_key_init(struct row_key *key)
{
    *key = (struct row_key){.at = {0}};
    buf_init(&key->bytes, KEY_BYTES_MAX);
}

void row_key_fini(struct row_key *key)
{
    buf_fini(&key->bytes);
}

/* ---- values ---- */

struct text rows_value(const struct rows *rows, size_t row, size_t column)
{
    const struct row_value *value = &rows->values[row * rows->table->column_count + column];
    if (value->is_null)
        return TEXT_NONE;
    return (struct text){value->length ? rows->bytes.data + value->at : "", value->length};
}

static enum err bind(struct db_statement *statement, int at, const struct table_column *column, struct text value)
{
    int64_t integer = 0;
    if (!column->is_integer || !value.at) {
        db_bind_text(statement, at, value);
        return ERR_NONE;
    }
    enum err err = text_to_int(value, &integer);
    db_bind_int(statement, at, integer);
    return err;
}

/* The columns of a row's key, as parameters. What was read as an integer is one. */
static enum err bind_key_of(const struct rows *rows, size_t row, struct db_statement *statement)
{
    const struct table *table = rows->table;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < table->key_count && !err; i++)
        err = bind(statement, (int)i + 1, &table->columns[table->keys[i]], rows_value(rows, row, table->keys[i]));
    return err;
}

static enum err bind_key(struct db_statement *statement, size_t first, const struct table *table,
                         const struct row_key *key)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < table->key_count && !err; i++) {
        size_t length = key->at[i + 1] - key->at[i];
        struct text value = {length ? key->bytes.data + key->at[i] : "", length};
        err = bind(statement, (int)(first + i), &table->columns[table->keys[i]], value);
    }
    return err;
}

/* ---- reading ---- */

static enum err take_value(struct rows *rows, struct db_statement *query, size_t column)
{
    const struct table *table = rows->table;
    struct row_value *value = &rows->values[rows->count * table->column_count + column];
    struct text text = db_text(query, (int)column);
    int64_t integer;
    *value = (struct row_value){.is_null = text.at == NULL, .at = rows->bytes.length, .length = text.length};
    if (text.at && table->columns[column].is_integer && text_to_int(text, &integer))
        return err_because(ERR_STORAGE, "table %s: column %s holds what is no integer, \"%.*s\"", table->name,
                           table->columns[column].name, (int)(text.length < 40 ? text.length : 40), text.at);
    buf_add(&rows->bytes, text.at, text.length);
    return buf_check(&rows->bytes);
}

static enum err take_row(struct rows *rows, struct db_statement *query)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < rows->table->column_count && !err; i++)
        err = take_value(rows, query, i);
    rows->count += !err;
    return err;
}

enum err rows_read(struct rows *rows, struct db_connection *connection, const struct table *table,
                   const struct row_key *after, const struct row_key *until)
{
    enum err verdict = ERR_NONE;
    rows->table = table;
    rows->count = 0;
    buf_reset(&rows->bytes, ROWS_KEEP_BYTES);
    struct db_statement *query = db_query(connection, table->rows_sql[after != NULL][until != NULL]);
    if (after)
        verdict = bind_key(query, 1, table, after);
    if (until && !verdict)
        verdict = bind_key(query, after ? table->key_count + 1 : 1, table, until);
    bool has_more = false;
    while (!verdict && (has_more = db_next(query)) && rows->bytes.length < ROWS_KEEP_BYTES)
        verdict = take_row(rows, query);
    rows->is_last = !has_more && rows->count < TABLE_ROWS_MAX;
    enum err err = db_done(query);
    return err ? err : verdict;
}

enum err rows_key(const struct rows *rows, size_t row, struct row_key *ret)
{
    const struct table *table = rows->table;
    buf_reset(&ret->bytes, KEY_KEEP_BYTES);
    ret->at[0] = 0;
    for (size_t i = 0; i < table->key_count; i++) {
        buf_add_text(&ret->bytes, rows_value(rows, row, table->keys[i]));
        ret->at[i + 1] = ret->bytes.length;
    }
    return buf_check(&ret->bytes);
}

const char *rows_tell_key(const struct rows *rows, size_t row, char *out, size_t size)
{
    const struct table *table = rows->table;
    size_t used = 0;
    for (size_t i = 0; i < table->key_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s=%.*s", i ? ", " : "",
                                 table->columns[table->keys[i]].name, TEXT_ARGS(rows_value(rows, row, table->keys[i])));
    return out;
}

bool rows_equal(const struct rows *a, const struct rows *b)
{
    if (a->count != b->count)
        return false;
    for (size_t row = 0; row < a->count; row++) {
        for (size_t i = 0; i < a->table->column_count; i++) {
            struct text left = rows_value(a, row, i), right = rows_value(b, row, i);
            if (!left.at != !right.at || !text_equal(left, right))
                return false;
        }
    }
    return true;
}

/* ---- one row in a database ---- */

enum err rows_find(const struct rows *rows, size_t row, struct db_connection *connection, bool *ret)
{
    struct db_statement *query = db_query(connection, rows->table->find_sql);
    enum err verdict = bind_key_of(rows, row, query);
    bool found = !verdict && db_next(query);
    enum err err = db_done(query);
    if (!err && !verdict)
        *ret = found;
    return err ? err : verdict;
}

static enum err run(struct db_statement *statement, enum err verdict)
{
    if (!verdict)
        return db_run(statement, NULL);
    enum err err = db_done(statement);
    return err ? err : verdict;
}

enum err rows_put(const struct rows *rows, size_t row, struct db_connection *connection)
{
    const struct table *table = rows->table;
    struct db_statement *put = db_query(connection, table->put_sql);
    enum err verdict = ERR_NONE;
    for (size_t i = 0; i < table->column_count && !verdict; i++)
        verdict = bind(put, (int)i + 1, &table->columns[i], rows_value(rows, row, i));
    return run(put, verdict);
}

enum err rows_remove(const struct rows *rows, size_t row, struct db_connection *connection)
{
    struct db_statement *removal = db_query(connection, rows->table->remove_sql);
    return run(removal, bind_key_of(rows, row, removal));
}
