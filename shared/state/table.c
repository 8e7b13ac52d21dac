#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "state/db_private.h"
#include "state/table.h"

enum { ARENA_MAX = 1024 * 1024, SQL_MAX_BYTES = 16 * 1024 };

/* What a row of an engine's tables_sql has: a column of a table. */
enum { AT_TABLE, AT_COLUMN, AT_TYPE, AT_KEY, AT_NUMBERED };

static const struct {
    struct text type;
    bool is_integer;
} types[] = {
    {TEXT("text"), false}, {TEXT("integer"), true}, {TEXT("bigint"), true},
};

/* ---- reading ---- */

static enum err find_type(struct db_statement *row, bool *ret_is_integer)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (text_equal_nocase(db_text(row, AT_TYPE), types[i].type)) {
            *ret_is_integer = types[i].is_integer;
            return ERR_NONE;
        }
    }
    return err_because(ERR_STORAGE, "table %.*s: column %.*s is of type %.*s, which this program does not know",
                       TEXT_ARGS(db_text(row, AT_TABLE)), TEXT_ARGS(db_text(row, AT_COLUMN)),
                       TEXT_ARGS(db_text(row, AT_TYPE)));
}

/* The table that the row is about: the latest, or another one. */
static struct table *table_of(struct tables *tables, struct text name)
{
    struct table *latest = tables->count ? &tables->list[tables->count - 1] : NULL;
    if (latest && text_equal_string(name, latest->name))
        return latest;
    if (tables->count == TABLES_MAX)
        return NULL;
    latest = &tables->list[tables->count++];
    *latest = (struct table){.name = arena_string(&tables->arena, name)};
    return latest->name ? latest : NULL;
}

static enum err add_column(struct tables *tables, struct db_statement *row)
{
    struct table *table = table_of(tables, db_text(row, AT_TABLE));
    int64_t key = db_int(row, AT_KEY);
    if (!table || table->column_count == TABLE_COLUMNS_MAX || key > TABLE_KEYS_MAX)
        return err_because(ERR_STORAGE, "table %.*s: more than %d tables, %d columns or %d columns of a key",
                           TEXT_ARGS(db_text(row, AT_TABLE)), TABLES_MAX, TABLE_COLUMNS_MAX, TABLE_KEYS_MAX);
    struct table_column *column = &table->columns[table->column_count];
    *column = (struct table_column){.name = arena_string(&tables->arena, db_text(row, AT_COLUMN)),
                                    .is_numbered = db_int(row, AT_NUMBERED)};
    if (!column->name)
        return err_because(ERR_MEMORY, "no memory for the names of columns");
    if (key > 0) {
        table->keys[key - 1] = table->column_count;
        table->key_count++;
    }
    table->column_count++;
    return find_type(row, &column->is_integer);
}

/* ---- the SQL ---- */

static void add_name(struct buf *sql, const char *name)
{
    buf_addf(sql, "\"%s\"", name);
}

static void add_columns(struct buf *sql, const struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        buf_add_string(sql, i ? ", " : "");
        add_name(sql, table->columns[i].name);
    }
}

static void add_key(struct buf *sql, const struct table *table)
{
    for (size_t i = 0; i < table->key_count; i++) {
        buf_add_string(sql, i ? ", " : "");
        add_name(sql, table->columns[table->keys[i]].name);
    }
}

/* ("order_id", "line") > ($1, $2) */
static void add_condition(struct buf *sql, const struct table *table, const char *comparison, size_t first)
{
    buf_add_char(sql, '(');
    add_key(sql, table);
    buf_addf(sql, ") %s (", comparison);
    for (size_t i = 0; i < table->key_count; i++)
        buf_addf(sql, "%s$%zu", i ? ", " : "", first + i);
    buf_add_char(sql, ')');
}

static void write_rows_sql(struct buf *sql, const struct table *table, bool has_after, bool has_until)
{
    buf_add_string(sql, "SELECT ");
    add_columns(sql, table);
    buf_add_string(sql, " FROM ");
    add_name(sql, table->name);
    if (has_after || has_until)
        buf_add_string(sql, " WHERE ");
    if (has_after)
        add_condition(sql, table, ">", 1);
    if (has_after && has_until)
        buf_add_string(sql, " AND ");
    if (has_until)
        add_condition(sql, table, "<=", has_after ? table->key_count + 1 : 1);
    buf_add_string(sql, " ORDER BY ");
    add_key(sql, table);
    buf_addf(sql, " LIMIT %d", TABLE_ROWS_MAX);
}

static bool is_key(const struct table *table, size_t column)
{
    for (size_t i = 0; i < table->key_count; i++)
        if (table->keys[i] == column)
            return true;
    return false;
}

static void write_put_sql(struct buf *sql, const struct table *table)
{
    buf_addf(sql, "INSERT INTO \"%s\" (", table->name);
    add_columns(sql, table);
    buf_add_string(sql, ") VALUES (");
    for (size_t i = 0; i < table->column_count; i++)
        buf_addf(sql, "%s$%zu", i ? ", " : "", i + 1);
    buf_add_string(sql, ") ON CONFLICT (");
    add_key(sql, table);
    bool has_others = table->column_count > table->key_count;
    buf_add_string(sql, has_others ? ") DO UPDATE SET " : ") DO NOTHING");
    const char *comma = "";
    for (size_t i = 0; i < table->column_count; i++) {
        if (is_key(table, i))
            continue;
        buf_addf(sql, "%s\"%s\" = excluded.\"%s\"", comma, table->columns[i].name, table->columns[i].name);
        comma = ", ";
    }
}

static void write_by_key_sql(struct buf *sql, const struct table *table, const char *verb)
{
    buf_addf(sql, "%s FROM \"%s\" WHERE ", verb, table->name);
    add_condition(sql, table, "=", 1);
}

/* Takes what was written, and empties the buffer. */
static const char *kept(struct tables *tables, struct buf *sql)
{
    const char *string = buf_check(sql) ? NULL : arena_string(&tables->arena, buf_text(sql));
    buf_reset(sql, SQL_MAX_BYTES);
    return string;
}

static bool write_sql(struct tables *tables, struct table *table, struct buf *sql)
{
    bool whole = true;
    for (int after = 0; after < 2; after++) {
        for (int until = 0; until < 2; until++) {
            write_rows_sql(sql, table, after, until);
            table->rows_sql[after][until] = kept(tables, sql);
            whole = whole && table->rows_sql[after][until];
        }
    }
    buf_addf(sql, "SELECT count(*) FROM \"%s\"", table->name);
    table->count_sql = kept(tables, sql);
    write_by_key_sql(sql, table, "SELECT 1");
    table->find_sql = kept(tables, sql);
    write_by_key_sql(sql, table, "DELETE");
    table->remove_sql = kept(tables, sql);
    write_put_sql(sql, table);
    table->put_sql = kept(tables, sql);
    return whole && table->count_sql && table->find_sql && table->remove_sql && table->put_sql;
}

/* ---- all of it ---- */

static enum err complete(struct tables *tables)
{
    struct buf sql;
    enum err err = ERR_NONE;
    buf_init(&sql, SQL_MAX_BYTES);
    for (size_t i = 0; i < tables->count && !err; i++) {
        if (tables->list[i].key_count == 0)
            err = err_because(ERR_STORAGE, "table %s has no primary key", tables->list[i].name);
        else if (!write_sql(tables, &tables->list[i], &sql))
            err = err_because(ERR_MEMORY, "no memory for the tables' SQL");
    }
    buf_fini(&sql);
    return err;
}

enum err tables_read(struct db_connection *connection, struct tables *tables)
{
    enum err verdict = ERR_NONE;
    tables->count = 0;
    arena_init(&tables->arena, ARENA_MAX);
    struct db_statement *query = db_query(connection, connection->engine->tables_sql);
    while (!verdict && db_next(query))
        verdict = add_column(tables, query);
    enum err err = db_done(query);
    if (!err)
        err = verdict;
    return err ? err : complete(tables);
}

enum err tables_are_none(struct db_connection *connection, bool *ret)
{
    struct db_statement *query = db_query(connection, connection->engine->tables_sql);
    bool none = !db_next(query);
    enum err err = db_done(query);
    if (!err)
        *ret = none;
    return err;
}

/* The moment is that of the first query. */
enum err tables_read_at_once(struct db_connection *reader, struct tables *tables)
{
    enum err err = db_script(reader, reader->engine->snapshot_sql);
    return err ? err : tables_read(reader, tables);
}

enum err tables_check_moment(const struct db_connection *reader)
{
    return reader->engine->in_transaction(reader) ? ERR_NONE
               : err_because(ERR_UNAVAILABLE, "%s: the connection was lost; start again", reader->db->path);
}

void tables_fini(struct tables *tables)
{
    arena_fini(&tables->arena);
    tables->count = 0;
}

static bool is_same(const struct table *a, const struct table *b)
{
    bool same = a->column_count == b->column_count && a->key_count == b->key_count;
    for (size_t i = 0; i < a->column_count && same; i++)
        same = strcmp(a->columns[i].name, b->columns[i].name) == 0
            && a->columns[i].is_integer == b->columns[i].is_integer;
    return same && memcmp(a->keys, b->keys, a->key_count * sizeof a->keys[0]) == 0;
}

static const struct table *find(const struct tables *tables, const char *name)
{
    for (size_t i = 0; i < tables->count; i++)
        if (strcmp(tables->list[i].name, name) == 0)
            return &tables->list[i];
    return NULL;
}

enum err tables_match(const struct tables *a, const struct tables *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct table *other = find(b, a->list[i].name);
        if (!other || !is_same(&a->list[i], other))
            return err_because(ERR_STORAGE, "table %s is %s", a->list[i].name, other ? "another one" : "missing");
    }
    return ERR_NONE;
}
