/*
 * The auditor: reads what a system's databases and its gateway's ledger hold, and what its clients were told, and says
 * everything that does not fit together. It shares no code with the services.
 *
 *     auditor --folder DIR --journal FILE [--ledger FILE] [--wait-ms N] [--restored N]
 *             [--postgresql CONNINFO]
 *
 * DIR has user.db, order.db, inventory.db and bus.db; the ledger is DIR/payments.db unless said otherwise. With
 * --postgresql the first three are the databases tandem_user and so on of that server (libpq's "host=… user=…").
 * Nothing is changed. With --wait-ms what comes to hold by itself may take so long. With --restored the system is that
 * of a backup, which was begun at the N-th mark of the journal.
 *
 * Exit status: 0 when all claims hold, 1 when one is broken, 2 when it cannot tell.
 */
#include "config.h"

#include <getopt.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check/torture/auditor_checks.h"
#include "check/torture/auditor_journal.h"
#include "check/torture/auditor_mirror.h"

enum { TOLD_MAX = 10, ASK_EVERY_MS = 5, BUSY_MS = 10000, PATH_SIZE = 4096 };

struct audit {
    const char *folder, *journal, *ledger, *postgresql;
    long wait_ms;
    unsigned marks;
    sqlite3 *db;
    struct mirror *mirror;                 /* NULL: the services' data is in files */
    unsigned broken;
};

static const char *const services[][2] = {{"user", "u"}, {"order", "o"}, {"inventory", "i"}};
enum { SERVICES = sizeof services / sizeof services[0] };

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("auditor: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(2);
}

static void run(struct audit *audit, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(audit->db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail("%s: %.200s", message ? message : sqlite3_errmsg(audit->db), sql);
}

static sqlite3_stmt *prepare(struct audit *audit, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(audit->db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail("%s: %.200s", sqlite3_errmsg(audit->db), sql);
    return statement;
}

/* ---- opening ---- */

/* Without a path it is an empty one in memory. */
static void attach(struct audit *audit, const char *path, const char *schema)
{
    sqlite3_stmt *statement = prepare(audit, "ATTACH ?1 AS ?2");
    char uri[PATH_SIZE] = ":memory:";
    if (path)
        snprintf(uri, sizeof uri, "file:%s?mode=ro", path);
    sqlite3_bind_text(statement, 1, uri, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 2, schema, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        fail("%s: %s", uri, sqlite3_errmsg(audit->db));
    sqlite3_finalize(statement);
}

/* Has what is in a server as it is now. */
static void look(struct audit *audit)
{
    for (size_t i = 0; audit->mirror && i < SERVICES; i++)
        if (!mirror_take(audit->mirror, services[i][0], services[i][1]))
            exit(2);
}

static bool has_table(struct audit *audit, const char *name)
{
    sqlite3_stmt *statement = prepare(audit, "SELECT 1 FROM l.sqlite_schema WHERE type = 'table' AND name = ?1");
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    bool has = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    return has;
}

static void attach_file(struct audit *audit, const char *name, const char *schema)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s.db", audit->folder, name);
    attach(audit, path, schema);
}

static void open_services(struct audit *audit)
{
    if (audit->postgresql && !(audit->mirror = mirror_open(audit->db, audit->postgresql)))
        exit(2);
    for (size_t i = 0; i < SERVICES; i++)
        if (audit->mirror)
            attach(audit, NULL, services[i][1]);
        else
            attach_file(audit, services[i][0], services[i][1]);
    look(audit);
}

static void open_all(struct audit *audit)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
    if (sqlite3_open_v2(":memory:", &audit->db, flags, NULL) != SQLITE_OK)
        fail("%s", sqlite3_errmsg(audit->db));
    sqlite3_busy_timeout(audit->db, BUSY_MS);
    open_services(audit);
    attach_file(audit, "bus", "b");
    if (audit->ledger)
        attach(audit, audit->ledger, "l");
    else
        attach_file(audit, "payments", "l");
    run(audit, claims_prepare);
    run(audit, has_table(audit, "refund") ? claims_ledger_of_refunds : claims_ledger_of_states);
    if (!journal_read(audit->db, audit->journal, audit->marks))
        fail("%s: %s", audit->journal, sqlite3_errmsg(audit->db));
}

/* ---- claims ---- */

static const char *text_at(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "(something that has no words)";
}

static bool holds(struct audit *audit, const struct claim *claim)
{
    sqlite3_stmt *statement = prepare(audit, claim->breaks);
    int code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        fail("%s: %s", claim->name, sqlite3_errmsg(audit->db));
    return code == SQLITE_DONE;
}

static void judge(struct audit *audit, const struct claim *claim)
{
    sqlite3_stmt *statement = prepare(audit, claim->breaks);
    unsigned found = 0;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (found == 0)
            printf("BROKEN %s\n", claim->name);
        if (found++ < TOLD_MAX)
            printf("    %s\n", text_at(statement, 0));
    }
    if (code != SQLITE_DONE)
        fail("%s: %s", claim->name, sqlite3_errmsg(audit->db));
    if (found > TOLD_MAX)
        printf("    and %u more\n", found - TOLD_MAX);
    if (found == 0)
        printf("holds  %s\n", claim->name);
    audit->broken += found > 0;
    sqlite3_finalize(statement);
}

static void judge_files(struct audit *audit)
{
    static const char *const schemas[] = {"u", "o", "i", "b", "l"};
    char sql[64];
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        snprintf(sql, sizeof sql, "PRAGMA %s.integrity_check(1)", schemas[i]);
        sqlite3_stmt *statement = prepare(audit, sql);
        if (sqlite3_step(statement) != SQLITE_ROW || strcmp(text_at(statement, 0), "ok") != 0) {
            printf("BROKEN the file %s is whole\n    %s\n", sqlite3_db_filename(audit->db, schemas[i]),
                   text_at(statement, 0));
            audit->broken++;
        }
        sqlite3_finalize(statement);
    }
}

/* ---- waiting ---- */

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_settled(struct audit *audit)
{
    look(audit);
    for (size_t i = 0; i < claim_count; i++)
        if (claims[i].in_time && !holds(audit, &claims[i]))
            return false;
    return true;
}

/* The claims are asked one after another, so what one has let pass may have changed meanwhile: twice in a row. */
static void wait_until_settled(struct audit *audit)
{
    const struct timespec pause = {.tv_nsec = ASK_EVERY_MS * 1000000L};
    long begun_ms = now_ms();
    while (now_ms() - begun_ms < audit->wait_ms) {
        if (is_settled(audit) && is_settled(audit))
            break;
        nanosleep(&pause, NULL);
    }
    printf("settled after %ld ms\n", now_ms() - begun_ms);
}

/* ---- the report ---- */

static void report(struct audit *audit)
{
    sqlite3_stmt *statement = prepare(audit, claims_figures);
    if (sqlite3_step(statement) != SQLITE_ROW)
        fail("%s", sqlite3_errmsg(audit->db));
    printf("figures:");
    for (int i = 0; i < sqlite3_column_count(statement); i++)
        printf(" %s=%s", sqlite3_column_name(statement, i), text_at(statement, i));
    printf("\n%s: %u of %zu claims are broken\n", audit->broken ? "BROKEN" : "clean", audit->broken, claim_count);
    sqlite3_finalize(statement);
}

static void read_arguments(struct audit *audit, int argc, char **argv)
{
    static const struct option options[] = {
        {"folder", required_argument, NULL, 'f'},
        {"journal", required_argument, NULL, 'j'},
        {"ledger", required_argument, NULL, 'l'},
        {"wait-ms", required_argument, NULL, 'w'},
        {"restored", required_argument, NULL, 'r'},
        {"postgresql", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int given;
    while ((given = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (given) {
        case 'f': audit->folder = optarg; break;
        case 'j': audit->journal = optarg; break;
        case 'l': audit->ledger = optarg; break;
        case 'w': audit->wait_ms = strtol(optarg, NULL, 10); break;
        case 'r': audit->marks = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'p': audit->postgresql = optarg; break;
        default: exit(2);
        }
    }
    if (!audit->folder || !audit->journal || optind != argc)
        fail("usage: auditor --folder DIR --journal FILE [--ledger FILE] [--wait-ms N] [--restored N]"
             " [--postgresql CONNINFO]");
}

int main(int argc, char **argv)
{
    struct audit audit = {.folder = NULL};
    read_arguments(&audit, argc, argv);
    open_all(&audit);
    if (audit.wait_ms > 0)
        wait_until_settled(&audit);
    look(&audit);
    run(&audit, journal_prepare);
    for (size_t i = 0; i < claim_count; i++)
        judge(&audit, &claims[i]);
    judge_files(&audit);
    report(&audit);
    mirror_close(audit.mirror);
    sqlite3_close(audit.db);
    return audit.broken ? 1 : 0;
}
