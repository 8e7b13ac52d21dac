/*
 * The tables of a database, as the engine knows them: their columns and primary keys, and the SQL that follows from
 * these. For who takes a database's rows elsewhere (state/copy.h) or tells whether two hold the same
 * (state/table_digest.h).
 *
 * Tables that have no primary key, or a column of another type than text and integer, are refused. schema_migration is
 * left out: it tells of the file at hand, and of the engine.
 */
#ifndef TANDEM_STATE_TABLE_H
#define TANDEM_STATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "state/db.h"

enum {
    TABLES_MAX = 32, TABLE_COLUMNS_MAX = 32, TABLE_KEYS_MAX = 4,
    TABLE_ROWS_MAX = 500,                /* that one query gives */
};

struct table_column {
    const char *name;
    bool is_integer;                     /* else text */
    bool is_numbered;                    /* by a sequence of the engine's */
};

struct table {
    const char *name;
    struct table_column columns[TABLE_COLUMNS_MAX];   /* by their names' bytes, as engines may have them in any order */
    size_t column_count;
    size_t keys[TABLE_KEYS_MAX];         /* which columns are the primary key, in its order */
    size_t key_count;
    /* Up to TABLE_ROWS_MAX rows, in the primary key's order. Parameters are a key after which they begin, where that
     * is so ([1][…]), then one with which they end ([…][1]). */
    const char *rows_sql[2][2];
    const char *count_sql;
    const char *find_sql, *remove_sql;   /* by the key */
    const char *put_sql;                 /* parameters are all columns; takes the place of the row of that key */
};

/* In the order in which they were made, so that one that refers to another comes after it. */
struct tables {
    struct arena arena;
    struct table list[TABLES_MAX];
    size_t count;
};

/** Whether there are none, of whatever kind. */
enum err must_check tables_are_none(struct db_connection *connection, bool *ret);

/** ERR_STORAGE for tables that cannot be dealt with, ERR_MEMORY, and what the query says. tables_fini() in any case. */
enum err must_check tables_read(struct db_connection *connection, struct tables *tables);
void tables_fini(struct tables *tables);

/** The same, and has the reader see this one moment until it is closed. */
enum err must_check tables_read_at_once(struct db_connection *reader, struct tables *tables);

/** Whether it does so still: one whose connection is lost asks again over another one. ERR_UNAVAILABLE. */
enum err must_check tables_check_moment(const struct db_connection *reader);

/** ERR_STORAGE with a cause when b has not a table of a, or another one by its name. */
enum err must_check tables_match(const struct tables *a, const struct tables *b);

#endif
