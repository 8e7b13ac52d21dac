#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"

static struct scratch scratch;
static struct db *db;

static void begin(void)
{
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(scratch_script(db, "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
                                             "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,"
                                             " amount INTEGER CHECK (amount >= 0), parent INTEGER REFERENCES parent)"),
                          ERR_NONE);
}

static void end(void)
{
    db_close(db);
    db = NULL;
    scratch_fini(&scratch);
}

static struct db_connection *reader_with_items(void)
{
    begin();
    struct db_connection *reader = NULL;
    CU_ASSERT_EQUAL(scratch_script(db, "INSERT INTO item (id, name, amount) VALUES (1, 'a', 5), (2, '', NULL)"),
                    ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    return reader;
}

static void test_columns(void)
{
    struct db_connection *reader = reader_with_items();
    struct db_statement *query = db_query(reader, "SELECT id, name, amount FROM item WHERE id >= $1 ORDER BY id");
    CU_ASSERT(db_is_null(query, 0));
    db_bind_int(query, 1, 1);
    CU_ASSERT(db_next(query));
    CU_ASSERT(text_equal_string(db_text(query, 1), "a"));
    CU_ASSERT_EQUAL(db_int(query, 2), 5);
    CU_ASSERT(db_next(query));
    CU_ASSERT(db_text(query, 1).at != NULL && db_text(query, 1).length == 0);
    CU_ASSERT(db_is_null(query, 2) && !db_is_null(query, 1));
    CU_ASSERT_PTR_NULL(db_text(query, 2).at);
    CU_ASSERT_EQUAL(db_int(query, 2), 0);
    CU_ASSERT_FALSE(db_next(query));
    CU_ASSERT_FALSE(db_next(query));   /* the end stays the end; it does not start over */
    CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
    db_reader_close(reader);
    end();
}

static void test_binding(void)
{
    struct db_connection *reader = reader_with_items();
    static const char sql[] = "SELECT coalesce($1, 'absent'), $2, coalesce($3, 'absent')";
    char text[] = "copied";
    struct db_statement *query = db_query(reader, sql);
    db_bind_text(query, 1, TEXT_NONE);
    db_bind_string(query, 2, text);
    db_bind_null(query, 3);
    memset(text, 'x', sizeof text - 1);
    CU_ASSERT(db_next(query));
    CU_ASSERT(text_equal_string(db_text(query, 0), "absent"));
    CU_ASSERT(text_equal_string(db_text(query, 1), "copied"));
    CU_ASSERT(text_equal_string(db_text(query, 2), "absent"));
    CU_ASSERT_EQUAL(db_done(query), ERR_NONE);

    query = db_query(reader, sql);   /* nothing is left of what was bound before */
    CU_ASSERT(db_next(query));
    CU_ASSERT_PTR_NULL(db_text(query, 1).at);
    CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
    db_reader_close(reader);
    end();
}

static void test_parameters_by_number(void)
{
    struct db_connection *reader = reader_with_items();
    struct db_statement *query = db_query(reader, "SELECT $3 || $1 || $2 || $1");
    db_bind_string(query, 1, "a");
    db_bind_string(query, 2, "b");
    db_bind_string(query, 3, "c");
    CU_ASSERT(db_next(query));
    CU_ASSERT(text_equal_string(db_text(query, 0), "caba"));
    CU_ASSERT_EQUAL(db_done(query), ERR_NONE);

    static const char *const wrong[] = {"SELECT ?", "SELECT ?1", "SELECT :name", "SELECT $name", "SELECT $0",
                                        "SELECT $65"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_EQUAL(db_done(db_query(reader, wrong[i])), ERR_STORAGE);
    static const int missing[] = {-1, 0, 2, 4, 64, 65};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        query = db_query(reader, "SELECT $1, $3");
        db_bind_int(query, missing[i], 1);
        CU_ASSERT_FALSE(db_next(query));
        CU_ASSERT_EQUAL(db_done(query), ERR_STORAGE);
    }
    db_reader_close(reader);
    end();
}

static void test_sticky_errors(void)
{
    struct db_connection *reader = reader_with_items();
    static const char *const broken[] = {"SELECT nonsense FROM item", "SELEC", "", "SELECT 1; SELECT 2",
                                         "SELECT \"no such column, and no string\""};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        for (int again = 0; again < 2; again++) {
            struct db_statement *query = db_query(reader, broken[i]);
            CU_ASSERT_PTR_NOT_NULL_FATAL(query);
            db_bind_int(query, 1, 1);
            CU_ASSERT_FALSE(db_next(query));
            CU_ASSERT_EQUAL(db_int(query, 0), 0);
            CU_ASSERT_EQUAL(db_done(query), ERR_STORAGE);
        }
    struct db_statement *query = db_query(reader, "SELECT $1");
    db_bind_int(query, 2, 1);
    CU_ASSERT_FALSE(db_next(query));
    CU_ASSERT_EQUAL(db_done(query), ERR_STORAGE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT 3 ; \n"), 3);
    db_reader_close(reader);
    end();
}

static void test_error_codes(void)
{
    begin();
    const struct {
        const char *sql;
        enum err err;
    } rows[] = {
        {"INSERT INTO item (id, name) VALUES (1, 'a')", ERR_NONE},
        {"INSERT INTO item (id, name) VALUES (1, 'b')", ERR_CONFLICT},
        {"INSERT INTO item (id, name) VALUES (2, 'a')", ERR_CONFLICT},
        {"INSERT INTO item (id, name, parent) VALUES (2, 'b', 99)", ERR_CONFLICT},
        {"INSERT INTO item (id, name, amount) VALUES (2, 'b', -1)", ERR_INVALID},
        {"INSERT INTO item (id, name) VALUES (2, NULL)", ERR_INVALID},
        {"INSERT INTO nowhere (id) VALUES (1)", ERR_STORAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_EQUAL(scratch_script(db, rows[i].sql), rows[i].err);
    end();
}

static enum err change_rows(struct db_connection *connection, void *context)
{
    int64_t *changes = context;
    enum err err = db_run(db_query(connection, "UPDATE item SET amount = 9"), &changes[0]);
    if (!err)
        err = db_run(db_query(connection, "INSERT INTO item (id, name) VALUES (1, 'z') ON CONFLICT DO NOTHING"),
                     &changes[1]);
    struct db_statement *insert = db_query(connection, "INSERT INTO item (id, name) VALUES (3, 'r') RETURNING id");
    changes[2] = db_next(insert) ? db_int(insert, 0) : -1;
    CU_ASSERT_FALSE(db_next(insert));
    changes[3] = db_changes(insert);
    enum err insert_err = db_done(insert);
    return err ? err : insert_err;
}

static void test_changes(void)
{
    struct db_connection *reader = reader_with_items();
    int64_t changes[4] = {-1, -1, -1, -1};
    CU_ASSERT_EQUAL(db_write(db, change_rows, changes), ERR_NONE);
    CU_ASSERT_EQUAL(changes[0], 2);
    CU_ASSERT_EQUAL(changes[1], 0);
    CU_ASSERT_EQUAL(changes[2], 3);
    CU_ASSERT_EQUAL(changes[3], 1);
    db_reader_close(reader);
    end();
}

static void test_statement_cache(void)
{
    enum { STATEMENTS = 400, SQL_SIZE = 40 };
    struct db_connection *reader = reader_with_items();
    static char sql[STATEMENTS][SQL_SIZE];
    struct db_statement *outer = db_query(reader, "SELECT id FROM item ORDER BY id");
    CU_ASSERT(db_next(outer));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < STATEMENTS; i++) {
            snprintf(sql[i], SQL_SIZE, "SELECT %d + $1", i);
            struct db_statement *query = db_query(reader, sql[i]);
            db_bind_int(query, 1, round);
            CU_ASSERT(db_next(query));
            CU_ASSERT_EQUAL(db_int(query, 0), i + round);
            CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
        }
    CU_ASSERT(db_next(outer));   /* was never the one to make room */
    CU_ASSERT_EQUAL(db_int(outer, 0), 2);
    CU_ASSERT_EQUAL(db_done(outer), ERR_NONE);

    struct db_statement *first = db_query(reader, sql[STATEMENTS - 1]);
    CU_ASSERT_EQUAL(db_done(first), ERR_NONE);
    struct db_statement *second = db_query(reader, sql[STATEMENTS - 1]);
    CU_ASSERT_PTR_EQUAL(first, second);
    CU_ASSERT_EQUAL(db_done(second), ERR_NONE);
    db_reader_close(reader);
    end();
}

/* A reader's statements end when nobody waits for them any more, and only then. */
static void test_limit(void)
{
    struct db_connection *reader = reader_with_items();
    atomic_bool given_up = true;
    const char *endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    const struct {
        int64_t left_ns;
        const atomic_bool *given_up;
    } rows[] = {{20 * NS_PER_MS, NULL}, {-1, NULL}, {3600 * NS_PER_S, &given_up}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t begun_ns = clock_now_ns();
        db_reader_limit(reader, begun_ns + rows[i].left_ns, rows[i].given_up);
        struct db_statement *query = db_query(reader, endless);
        CU_ASSERT_FALSE(db_next(query));
        CU_ASSERT_EQUAL(db_done(query), ERR_DEADLINE);
        CU_ASSERT(rows[i].given_up || clock_now_ns() - begun_ns >= rows[i].left_ns);
    }
    db_reader_limit(reader, 0, NULL);
    struct db_statement *query = db_query(reader, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                                                  " WHERE i < 100000) SELECT count(*) FROM n");
    CU_ASSERT(db_next(query));
    CU_ASSERT_EQUAL(db_int(query, 0), 100000);
    CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
    db_reader_close(reader);
    end();
}

static const struct suite_case cases[] = {
    {"columns read as text, integers and null", test_columns},
    {"parameters are copied, and forgotten after the use", test_binding},
    {"parameters are found by number, in whatever order they stand", test_parameters_by_number},
    {"a statement keeps its first error", test_sticky_errors},
    {"broken constraints have their own codes", test_error_codes},
    {"changed rows are counted", test_changes},
    {"the statement cache is bounded and spares loops", test_statement_cache},
    {"a reader's statements end with their time, or with who waited", test_limit},
};

int main(void)
{
    return engines_main("db_statement", cases, sizeof cases / sizeof cases[0]);
}
