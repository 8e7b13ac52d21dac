#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/torture/auditor_mirror.h"

#ifdef HAVE_POSTGRESQL

#include <libpq-fe.h>

enum { SERVICES_MAX = 8, CONNINFO_SIZE = 1024, SQL_SIZE = 8192, INT8 = 20, INT2 = 21, INT4 = 23 };

struct mirror {
    sqlite3 *db;
    const char *conninfo;
    struct {
        const char *service;
        PGconn *connection;
    } sources[SERVICES_MAX];
};

static bool fail(const char *what, const char *why)
{
    fprintf(stderr, "auditor: %s: %s\n", what, why);
    return false;
}

struct mirror *mirror_open(sqlite3 *db, const char *conninfo)
{
    struct mirror *mirror = calloc(1, sizeof *mirror);
    if (mirror) {
        mirror->db = db;
        mirror->conninfo = conninfo;
    }
    return mirror;
}

void mirror_close(struct mirror *mirror)
{
    for (size_t i = 0; mirror && i < SERVICES_MAX; i++)
        PQfinish(mirror->sources[i].connection);
    free(mirror);
}

/* The connection to a service's database, which is kept. NULL, and the reason printed. */
static PGconn *source_of(struct mirror *mirror, const char *service)
{
    size_t at = 0;
    while (at < SERVICES_MAX - 1 && mirror->sources[at].service && strcmp(mirror->sources[at].service, service) != 0)
        at++;
    PGconn *connection = mirror->sources[at].connection;
    if (connection && PQstatus(connection) == CONNECTION_OK)
        return connection;
    char conninfo[CONNINFO_SIZE];
    snprintf(conninfo, sizeof conninfo, "%s dbname=tandem_%s", mirror->conninfo, service);
    PQfinish(connection);
    mirror->sources[at].service = service;
    mirror->sources[at].connection = connection = PQconnectdb(conninfo);
    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    fail(service, PQerrorMessage(connection));
    return NULL;
}

static PGresult *ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    fail(sql, PQerrorMessage(connection));
    PQclear(result);
    return NULL;
}

static bool run(struct mirror *mirror, const char *sql)
{
    return sqlite3_exec(mirror->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(sql, sqlite3_errmsg(mirror->db));
}

static bool is_number(Oid type)
{
    return type == INT8 || type == INT4 || type == INT2;
}

/* "CREATE TABLE u."account" ("id" TEXT, …)", and the statement that fills it. */
static bool make_table(struct mirror *mirror, const char *schema, const char *table, const PGresult *rows,
                       sqlite3_stmt **ret_insert)
{
    char sql[SQL_SIZE];
    int length = snprintf(sql, sizeof sql, "CREATE TABLE IF NOT EXISTS %s.\"%s\" (", schema, table);
    for (int i = 0; i < PQnfields(rows); i++)
        length += snprintf(sql + length, sizeof sql - (size_t)length, "%s\"%s\" %s", i ? ", " : "", PQfname(rows, i),
                           is_number(PQftype(rows, i)) ? "INTEGER" : "TEXT");
    snprintf(sql + length, sizeof sql - (size_t)length, "); DELETE FROM %s.\"%s\"", schema, table);
    if (!run(mirror, sql))
        return false;
    length = snprintf(sql, sizeof sql, "INSERT INTO %s.\"%s\" VALUES (?", schema, table);
    for (int i = 1; i < PQnfields(rows); i++)
        length += snprintf(sql + length, sizeof sql - (size_t)length, ", ?");
    snprintf(sql + length, sizeof sql - (size_t)length, ")");
    return sqlite3_prepare_v2(mirror->db, sql, -1, ret_insert, NULL) == SQLITE_OK ||
           fail(sql, sqlite3_errmsg(mirror->db));
}

/* The claims look things up by the same columns as the services. An index that SQLite does not understand is none. */
static void make_indexes(struct mirror *mirror, PGconn *source, const char *schema, const char *table)
{
    char sql[SQL_SIZE];
    snprintf(sql, sizeof sql, "SELECT indexname, substring(indexdef from '\\(([^()]*)\\)') FROM pg_indexes"
                              " WHERE schemaname = 'public' AND tablename = '%s'", table);
    PGresult *indexes = ask(source, sql);
    for (int i = 0; indexes && i < PQntuples(indexes); i++) {
        snprintf(sql, sizeof sql, "CREATE INDEX IF NOT EXISTS %s.\"%s\" ON \"%s\" (%s)", schema,
                 PQgetvalue(indexes, i, 0), table, PQgetvalue(indexes, i, 1));
        sqlite3_exec(mirror->db, sql, NULL, NULL, NULL);
    }
    PQclear(indexes);
}

static void bind(sqlite3_stmt *insert, const PGresult *rows, int row)
{
    for (int i = 0; i < PQnfields(rows); i++) {
        const char *value = PQgetvalue(rows, row, i);
        if (PQgetisnull(rows, row, i))
            sqlite3_bind_null(insert, i + 1);
        else if (is_number(PQftype(rows, i)))
            sqlite3_bind_int64(insert, i + 1, strtoll(value, NULL, 10));
        else
            sqlite3_bind_text(insert, i + 1, value, -1, SQLITE_STATIC);
    }
}

static bool copy_table(struct mirror *mirror, PGconn *source, const char *schema, const char *table)
{
    char sql[SQL_SIZE];
    sqlite3_stmt *insert = NULL;
    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
    PGresult *rows = ask(source, sql);
    bool done = rows && make_table(mirror, schema, table, rows, &insert);
    if (done)
        make_indexes(mirror, source, schema, table);
    for (int i = 0; done && i < PQntuples(rows); i++) {
        bind(insert, rows, i);
        done = sqlite3_step(insert) == SQLITE_DONE || fail(table, sqlite3_errmsg(mirror->db));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    PQclear(rows);
    return done;
}

/* All tables as of one moment. */
bool mirror_take(struct mirror *mirror, const char *service, const char *schema)
{
    PGconn *source = source_of(mirror, service);
    if (!source)
        return false;
    PGresult *begun = ask(source, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    PGresult *tables = begun ? ask(source, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") : NULL;
    bool done = tables && run(mirror, "BEGIN");
    for (int i = 0; done && i < PQntuples(tables); i++)
        done = copy_table(mirror, source, schema, PQgetvalue(tables, i, 0));
    done = run(mirror, done ? "COMMIT" : "ROLLBACK") && done;
    PQclear(tables);
    PQclear(begun);
    PQclear(PQexec(source, "COMMIT"));
    return done;
}

#else

struct mirror *mirror_open(sqlite3 *db, const char *conninfo)
{
    (void)db;
    (void)conninfo;
    fputs("auditor: built without PostgreSQL\n", stderr);
    return NULL;
}

void mirror_close(struct mirror *mirror)
{
    (void)mirror;
}

bool mirror_take(struct mirror *mirror, const char *service, const char *schema)
{
    (void)mirror;
    (void)service;
    (void)schema;
    return false;
}

#endif
