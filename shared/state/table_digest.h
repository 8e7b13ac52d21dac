/*
 * What a database holds, as a digest of each table: equal for equal rows, on whichever engine they are.
 *
 * BLAKE2b with 32 bytes over the table's name and then its rows in the order of their primary key, each column of a row
 * (in the order of the names' bytes) as its name and a zero byte, a letter, 'n' for NULL, 'i' or 't', the length as
 * 8 bytes, the lowest first, and the value: a text's bytes, or an integer's decimal digits.
 */
#ifndef TANDEM_STATE_TABLE_DIGEST_H
#define TANDEM_STATE_TABLE_DIGEST_H

#include <sodium.h>

#include "state/table_rows.h"

enum { TABLE_DIGEST_BYTES = 32, TABLE_DIGEST_SIZE = 2 * TABLE_DIGEST_BYTES + 1, TABLE_NAME_SIZE = 64 };

/* One in the making. */
struct table_digester {
    crypto_generichash_state state;
    int64_t rows;
};

struct table_digest {
    char table[TABLE_NAME_SIZE];
    int64_t rows;
    char hex[TABLE_DIGEST_SIZE];
};

struct table_digests {
    struct table_digest list[TABLES_MAX];
    size_t count;
};

/* What happens, for who waits: so many rows of a table are done, of about so many. */
struct table_progress {
    const char *doing, *table;
    int64_t rows, of;
};
typedef void table_told(void *context, const struct table_progress *progress);

void table_digester_init(struct table_digester *digester, const struct table *table);
void table_digester_add(struct table_digester *digester, const struct rows *rows);
void table_digester_end(struct table_digester *digester, const struct table *table, struct table_digest *ret);

/** Reads all rows of all tables. told may be NULL. */
enum err must_check table_digests_read(struct db_connection *connection, const struct tables *tables, table_told *told,
                                       void *context, struct table_digests *ret);

/** The number of a table's rows. */
enum err must_check table_count(struct db_connection *connection, const struct table *table, int64_t *ret);

#endif
