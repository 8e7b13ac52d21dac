/* The two engines have one schema, whatever language its migrations are written in. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "app/idempotency.h"
#include "base/buf.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"
#include "events/consumer.h"
#include "state/migrate.h"

extern const struct migration_set user_migrations, order_migrations, inventory_migrations;

enum { SCHEMA_MAX = 256 * 1024 };

/* A line each: "column TABLE.COLUMN KIND optional|required", "key TABLE (COLUMN, …)". Keys are the unique ones, the
 * primary among them; of partial indexes and of those that are not unique the names are compared. */
struct dialect {
    const char *columns, *keys, *indexes;
};

static const struct dialect sqlite = {
    "SELECT 'column ' || t.name || '.' || c.name || CASE WHEN c.type = 'TEXT' THEN ' text ' ELSE ' integer ' END ||"
    " CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 'required' ELSE 'optional' END"
    " FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY 1",
    "SELECT 'key ' || t.name || ' (' || group_concat(k.name, ', ') || ')' FROM sqlite_schema t,"
    " pragma_index_list(t.name) i, pragma_index_info(i.name) k WHERE t.type = 'table' AND i.\"unique\" = 1"
    " GROUP BY t.name, i.name UNION ALL SELECT 'key ' || t.name || ' (' || c.name || ')' FROM sqlite_schema t,"
    " pragma_table_info(t.name) c WHERE t.type = 'table' AND c.pk > 0 AND c.type = 'INTEGER' AND"
    " (SELECT count(*) FROM pragma_table_info(t.name) WHERE pk > 0) = 1 ORDER BY 1",
    "SELECT 'index ' || name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
};

static const struct dialect postgresql = {
    "SELECT 'column ' || table_name || '.' || column_name || CASE WHEN data_type = 'text' THEN ' text ' WHEN data_type"
    " IN ('bigint', 'integer') THEN ' integer ' ELSE data_type END || CASE is_nullable WHEN 'NO' THEN 'required' ELSE"
    " 'optional' END FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1",
    "SELECT 'key ' || relname || ' (' || columns || ')' FROM (SELECT t.relname, i.indexrelid, string_agg(a.attname,"
    " ', ' ORDER BY array_position(i.indkey::int2[], a.attnum)) AS columns FROM pg_index i JOIN pg_class t ON"
    " t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) WHERE i.indisunique"
    " AND t.relnamespace = 'public'::regnamespace GROUP BY t.relname, i.indexrelid) AS keys ORDER BY 1",
    "SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM"
    " pg_constraint) ORDER BY 1",
};

static struct scratch scratch;

static void read_lines(struct db_connection *reader, const char *sql, struct buf *out)
{
    struct db_statement *query = db_query(reader, sql);
    while (db_next(query)) {
        buf_add_text(out, db_text(query, 0));
        buf_add_char(out, '\n');
    }
    CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
}

static void read_schema(const struct db_opts *opts, const struct migration_set *own, const struct dialect *dialect,
                        struct buf *out)
{
    const struct migration_set sets[] = {events_migrations, app_migrations, *own};
    struct db_connection *reader = NULL;
    struct db *db = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, sets, 3), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    read_lines(reader, dialect->columns, out);
    read_lines(reader, dialect->keys, out);
    read_lines(reader, dialect->indexes, out);
    db_reader_close(reader);
    db_close(db);
}

static void tell_first_difference(const char *here, const char *there)
{
    size_t line = 0, at = 0;
    for (; here[at] && here[at] == there[at]; at++)
        if (here[at] == '\n')
            line = at + 1;
    printf("# sqlite: %.*s; postgresql: %.*s\n", (int)strcspn(here + line, "\n"), here + line,
           (int)strcspn(there + line, "\n"), there + line);
}

static void test_one_schema(void)
{
    static const struct migration_set *const own[] = {&user_migrations, &order_migrations, &inventory_migrations};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct buf here, there;
        buf_init(&here, SCHEMA_MAX);
        buf_init(&there, SCHEMA_MAX);
        scratch_init(&scratch);
        struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "service.db"));
        read_schema(&opts, own[i], &postgresql, &there);
        opts.url = NULL;
        read_schema(&opts, own[i], &sqlite, &here);
        CU_ASSERT(here.length > 1000);
        if (strcmp(buf_string(&here), buf_string(&there)) != 0)
            tell_first_difference(buf_string(&here), buf_string(&there));
        CU_ASSERT_STRING_EQUAL(buf_string(&here), buf_string(&there));
        buf_fini(&here);
        buf_fini(&there);
        scratch_fini(&scratch);
    }
}

/* 32 bits are not enough for a time in microseconds. */
static void test_wide_integers(void)
{
    static const struct migration_set *const own[] = {&user_migrations, &order_migrations, &inventory_migrations};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        const struct migration_set sets[] = {events_migrations, app_migrations, *own[i]};
        struct db *db = NULL;
        scratch_init(&scratch);
        struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "service.db"));
        CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
        CU_ASSERT_EQUAL_FATAL(migrate(db, sets, 3), ERR_NONE);
        CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM information_schema.columns"
                                           " WHERE table_schema = 'public' AND data_type = 'integer'"
                                           " AND column_name NOT IN ('line', 'attempts', 'asking')"), 0);
        db_close(db);
        scratch_fini(&scratch);
    }
}

static const struct suite_case cases[] = {
    {"both engines have the same tables, columns, keys and indexes", test_one_schema},
    {"integers that may grow are 64 bits wide", test_wide_integers},
};

int main(void)
{
    return engines_main_postgres("schema", cases, sizeof cases / sizeof cases[0]);
}
