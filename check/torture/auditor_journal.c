#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/torture/auditor_journal.h"

enum { LINE_SIZE = 64 * 1024 };

static const char MARK[] = "{\"op\": \"mark\"";

static const char tables[] =
    "CREATE TABLE answer (op TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, status INTEGER NOT NULL,"
    " digest TEXT NOT NULL, id TEXT, user TEXT, lines TEXT, total INTEGER, currency TEXT, method TEXT, sku TEXT,"
    " delta INTEGER, sure INTEGER NOT NULL)";

static const char insert[] =
    "INSERT INTO answer SELECT ?1 ->> 'op', ?1 ->> 'key', ?1 ->> 'attempt', ?1 ->> 'status', ?1 ->> 'digest',"
    " ?1 ->> 'id', ?1 ->> 'user', ?1 ->> 'lines', ?1 ->> 'total', ?1 ->> 'currency', ?1 ->> 'method', ?1 ->> 'sku',"
    " ?1 ->> 'delta', ?2";

/* An answer for good is one that the service gave, whatever it said. */
static const char indexes[] =
    "DELETE FROM answer WHERE op = 'mark';"
    "CREATE INDEX answer_key ON answer (op, key);"
    "CREATE INDEX answer_id ON answer (id);"
    "CREATE TABLE open_key AS SELECT op, key FROM answer GROUP BY op, key HAVING max(status BETWEEN 200 AND 499) = 0;"
    "COMMIT";

/* The subject of most events is an order, and so are the first 36 characters of a gateway's key. */
const char journal_prepare[] =
    "CREATE TEMP TABLE event AS SELECT type, subject, envelope ->> 'id' AS id FROM b.log;"
    "CREATE INDEX temp.event_subject ON event (subject, type);"
    "CREATE TEMP TABLE charge_of AS SELECT substr(key, 1, 36) AS order_id, key, amount_minor, currency FROM charged;"
    "CREATE INDEX temp.charge_order ON charge_of (order_id);"
    "CREATE TEMP TABLE refund_of AS SELECT substr(key, 1, 36) AS order_id, key, amount_minor, currency FROM refunded;"
    "CREATE INDEX temp.refund_order ON refund_of (order_id);"
    "CREATE TEMP TABLE movement AS SELECT id, sku, delta, reason FROM i.stock_movement WHERE reason <> 'sold';"
    "CREATE INDEX temp.movement_reason ON movement (reason);";

static bool read_lines(sqlite3_stmt *statement, FILE *file, unsigned marks)
{
    static char line[LINE_SIZE];
    bool done = true;
    unsigned marked = 0;
    while (done && fgets(line, sizeof line, file)) {
        marked += strncmp(line, MARK, strlen(MARK)) == 0;
        sqlite3_bind_text(statement, 1, line, -1, SQLITE_STATIC);
        sqlite3_bind_int(statement, 2, marks == 0 || marked < marks);
        done = sqlite3_step(statement) == SQLITE_DONE;
        sqlite3_reset(statement);
    }
    return done;
}

bool journal_read(sqlite3 *db, const char *path, unsigned marks)
{
    sqlite3_stmt *statement = NULL;
    FILE *file = fopen(path, "re");
    bool done = file && sqlite3_exec(db, tables, NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(db, insert, -1, &statement, NULL) == SQLITE_OK &&
                read_lines(statement, file, marks) &&
                sqlite3_exec(db, indexes, NULL, NULL, NULL) == SQLITE_OK;
    if (!done && !file)
        perror(path);
    sqlite3_finalize(statement);
    if (file)
        fclose(file);
    return done;
}
