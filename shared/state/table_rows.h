/*
 * Rows of a table in memory, some hundred at a time, in the order of their primary key. They are the same on every
 * engine: a value is NULL, or a text, or an integer in its decimal digits.
 *
 * One thread.
 */
#ifndef TANDEM_STATE_TABLE_ROWS_H
#define TANDEM_STATE_TABLE_ROWS_H

#include "base/buf.h"
#include "state/table.h"

enum { ROWS_KEEP_BYTES = 4 * 1024 * 1024 };    /* beyond so many no further row is taken in, unless it is the first */

struct row_value {
    bool is_null;
    size_t at, length;                    /* in the rows' bytes */
};

struct rows {
    const struct table *table;
    struct row_value *values;             /* column_count of each row */
    size_t count;
    struct buf bytes;
    bool is_last;                         /* nothing came after these */
};

/* A primary key; the texts are in its own bytes. */
struct row_key {
    struct buf bytes;
    size_t at[TABLE_KEYS_MAX + 1];
};

/** ERR_MEMORY. */
enum err must_check rows_init(struct rows *rows);
void rows_fini(struct rows *rows);

void row_key_init(struct row_key *key);
void row_key_fini(struct row_key *key);

/** The rows after a key (NULL: from the first), up to one and with it (NULL: to the last), as many as are taken in at
 *  once. ERR_STORAGE for a value that is not of its column's type. */
enum err must_check rows_read(struct rows *rows, struct db_connection *connection, const struct table *table,
                              const struct row_key *after, const struct row_key *until);

/** A value; absent when it is NULL. */
struct text rows_value(const struct rows *rows, size_t row, size_t column);

/** Copies the key of a row. */
enum err must_check rows_key(const struct rows *rows, size_t row, struct row_key *ret);

/** The key of a row for people, "order_id=…, line=2"; cut at size; returns out. */
const char *rows_tell_key(const struct rows *rows, size_t row, char *out, size_t size);

/** Whether both hold the same. */
bool rows_equal(const struct rows *a, const struct rows *b);

/** Whether a connection's database has the row, whatever else is in it. */
enum err must_check rows_find(const struct rows *rows, size_t row, struct db_connection *connection, bool *ret);

/** Has the row in the database as it is here; and no more. In a writer's job. */
enum err must_check rows_put(const struct rows *rows, size_t row, struct db_connection *connection);
enum err must_check rows_remove(const struct rows *rows, size_t row, struct db_connection *connection);

#endif
