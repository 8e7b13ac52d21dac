#include "config.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "state/table_digest.h"

/* ---- one ---- */

static void add_bytes(struct table_digester *digester, const void *bytes, size_t length)
{
    crypto_generichash_update(&digester->state, bytes, length);
}

void table_digester_init(struct table_digester *digester, const struct table *table)
{
    digester->rows = 0;
    crypto_generichash_init(&digester->state, NULL, 0, TABLE_DIGEST_BYTES);
    add_bytes(digester, table->name, strlen(table->name) + 1);
}

static void add_value(struct table_digester *digester, const struct table_column *column, struct text value)
{
    uint64_t length = htole64(value.length);
    char kind = !value.at ? 'n' : column->is_integer ? 'i' : 't';
    add_bytes(digester, column->name, strlen(column->name) + 1);
    add_bytes(digester, &kind, sizeof kind);
    add_bytes(digester, &length, sizeof length);
    if (value.length)
        add_bytes(digester, value.at, value.length);
}

void table_digester_add(struct table_digester *digester, const struct rows *rows)
{
    for (size_t row = 0; row < rows->count; row++)
        for (size_t i = 0; i < rows->table->column_count; i++)
            add_value(digester, &rows->table->columns[i], rows_value(rows, row, i));
    digester->rows += (int64_t)rows->count;
}

void table_digester_end(struct table_digester *digester, const struct table *table, struct table_digest *ret)
{
    unsigned char bytes[TABLE_DIGEST_BYTES];
    crypto_generichash_final(&digester->state, bytes, sizeof bytes);
    snprintf(ret->table, sizeof ret->table, "%s", table->name);
    ret->rows = digester->rows;
    sodium_bin2hex(ret->hex, sizeof ret->hex, bytes, sizeof bytes);
}

/* ---- all of a database ---- */

enum err table_count(struct db_connection *connection, const struct table *table, int64_t *ret)
{
    struct db_statement *query = db_query(connection, table->count_sql);
    int64_t count = db_next(query) ? db_int(query, 0) : 0;
    enum err err = db_done(query);
    if (!err)
        *ret = count;
    return err;
}

struct reading {
    struct db_connection *connection;
    table_told *told;
    void *context;
    struct rows rows;
    struct row_key key;
};

static enum err read_table(struct reading *reading, const struct table *table, struct table_digest *ret)
{
    struct table_progress progress = {.doing = "reading", .table = table->name};
    struct table_digester digester;
    const struct row_key *after = NULL;
    enum err err = table_count(reading->connection, table, &progress.of);
    table_digester_init(&digester, table);
    reading->rows.is_last = false;
    while (!err && !reading->rows.is_last) {
        err = rows_read(&reading->rows, reading->connection, table, after, NULL);
        if (err)
            return err;
        table_digester_add(&digester, &reading->rows);
        progress.rows = digester.rows;
        if (reading->told)
            reading->told(reading->context, &progress);
        if (reading->rows.count > 0)
            err = rows_key(&reading->rows, reading->rows.count - 1, &reading->key);
        after = &reading->key;
    }
    if (!err)
        table_digester_end(&digester, table, ret);
    return err;
}

enum err table_digests_read(struct db_connection *connection, const struct tables *tables, table_told *told,
                            void *context, struct table_digests *ret)
{
    struct reading reading = {.connection = connection, .told = told, .context = context};
    enum err err = rows_init(&reading.rows);
    row_key_init(&reading.key);
    for (size_t i = 0; i < tables->count && !err; i++)
        err = read_table(&reading, &tables->list[i], &ret->list[i]);
    ret->count = tables->count;
    row_key_fini(&reading.key);
    rows_fini(&reading.rows);
    return err;
}
