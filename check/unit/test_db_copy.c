/*
 * Copying a database of orders from SQLite to PostgreSQL and back: the same rows, whatever comes in between.
 *
 *     make check-db-copy ROWS=100000     # so many orders; the figures are printed
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/postgres.h"
#include "check/harness/suite.h"
#include "check/unit/order_filling.h"
#include "check/unit/scratch.h"
#include "state/copy.h"

enum { ORDERS = 700, KILLS_MAX = 400, PATH_SIZE = 256 };

static struct scratch scratch;
static struct postgres *server;
static struct migration_set sets[FILLING_SETS];
static char here[PATH_SIZE], back[PATH_SIZE], there[POSTGRES_URL_SIZE];
static struct db *source;              /* the database here, as its service has it */
static struct copy_result copied;      /* by the latest copy */
static char cause[512];                /* why it failed; closing may say something else */

static unsigned orders(void)
{
    const char *given = getenv("ROWS");
    int64_t count = ORDERS;
    CU_ASSERT(!given || text_to_int(text_of(given), &count) == ERR_NONE);
    return (unsigned)count;
}

/* ---- databases ---- */

static struct db_opts opts_of(const char *name)
{
    struct db_opts opts = scratch_db_opts(name);
    if (strncmp(name, "postgres", strlen("postgres")) == 0)
        opts.url = name;
    opts.cache_kib = 8192;
    opts.wal_checkpoint_bytes = 4 * 1024 * 1024;
    opts.wal_max_bytes = 64 * 1024 * 1024;
    opts.statement_timeout_ms = 0;
    return opts;
}

static struct db *reach(const char *name)
{
    struct db_opts opts = opts_of(name);
    struct db *db = NULL;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    return db;
}

static bool begin_with(unsigned count)
{
    const char *missing = postgres_missing();
    if (missing) {
        suite_skip(missing);
        return false;
    }
    filling_sets(sets);
    scratch_init(&scratch);
    snprintf(here, sizeof here, "%s", scratch_path(&scratch, "order.db"));
    snprintf(back, sizeof back, "%s", scratch_path(&scratch, "back.db"));
    CU_ASSERT_EQUAL_FATAL(postgres_start(false, &server), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(postgres_create(server, "there"), ERR_NONE);
    postgres_url(server, "there", there);
    struct db_opts opts = opts_of(here);
    source = filling_open(&opts);
    CU_ASSERT_EQUAL_FATAL(filling_add(source, count), ERR_NONE);
    return true;
}

static void end(void)
{
    db_close(source);
    source = NULL;
    postgres_stop(server);
    scratch_fini(&scratch);
}

/* ---- copying ---- */

static enum err copy_told(const char *from, const char *to, bool unfinished, table_told *told, void *context)
{
    struct copy_opts opts = {.from = reach(from), .to = reach(to), .sets = sets, .set_count = FILLING_SETS,
                             .unfinished = unfinished, .told = told, .context = context};
    enum err err = copy_run(&opts, &copied);
    snprintf(cause, sizeof cause, "%s", err ? err_cause() : "");
    if (err)
        printf("# %s: %s\n", err_name(err), cause);
    db_close(opts.from);
    db_close(opts.to);
    return err;
}

static enum err copy(const char *from, const char *to)
{
    return copy_told(from, to, false, NULL, NULL);
}

static void digest(const char *name, struct table_digests *ret)
{
    struct tables tables;
    struct db_connection *reader = NULL;
    struct db *db = reach(name);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL(tables_read_at_once(reader, &tables), ERR_NONE);
    CU_ASSERT_EQUAL(table_digests_read(reader, &tables, NULL, NULL, ret), ERR_NONE);
    CU_ASSERT_EQUAL(tables_check_moment(reader), ERR_NONE);
    tables_fini(&tables);
    db_reader_close(reader);
    db_close(db);
}

static const struct table_digest *digest_of(const struct table_digests *digests, const char *table)
{
    for (size_t i = 0; i < digests->count; i++)
        if (strcmp(digests->list[i].table, table) == 0)
            return &digests->list[i];
    CU_FAIL_FATAL("no such table");
    return NULL;
}

static bool is_same(const struct table_digests *a, const struct table_digests *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++) {
        const struct table_digest *other = digest_of(b, a->list[i].table);
        same = a->list[i].rows == other->rows && strcmp(a->list[i].hex, other->hex) == 0;
    }
    return same;
}

static void expect_same(const char *a, const char *b)
{
    static struct table_digests of_a, of_b;
    digest(a, &of_a);
    digest(b, &of_b);
    CU_ASSERT(is_same(&of_a, &of_b));
}

static int64_t number_in(const char *name, const char *sql)
{
    struct db *db = reach(name);
    int64_t number = scratch_number(db, sql);
    db_close(db);
    return number;
}

/* ---- there and back ---- */

static int64_t rows_of(const struct table_digests *digests)
{
    int64_t rows = 0;
    for (size_t i = 0; i < digests->count; i++)
        rows += digests->list[i].rows;
    return rows;
}

static void copy_measured(const char *what, const char *from, const char *to)
{
    int64_t begun_ns = clock_now_ns();
    CU_ASSERT_EQUAL_FATAL(copy(from, to), ERR_NONE);
    double seconds = (double)(clock_now_ns() - begun_ns) / NS_PER_S;
    int64_t rows = rows_of(&copied.digests);
    printf("# %s: %lld rows of %u orders in %.1f s, %.0f rows a second\n", what, (long long)rows, orders(), seconds,
           (double)rows / seconds);
}

static void test_there_and_back(void)
{
    static struct table_digests first;
    if (!begin_with(orders()))
        return;
    copy_measured("SQLite to PostgreSQL", here, there);
    first = copied.digests;
    copy_measured("PostgreSQL to SQLite", there, back);
    CU_ASSERT(is_same(&first, &copied.digests));
    for (size_t i = 0; i < first.count; i++)
        printf("# %-24s %9lld  %s\n", first.list[i].table, (long long)first.list[i].rows, first.list[i].hex);
    CU_ASSERT_EQUAL(digest_of(&first, "orders")->rows, orders());
    CU_ASSERT_EQUAL(digest_of(&first, "order_history")->rows, 3 * orders());
    expect_same(here, back);
    expect_same(there, back);
    end();
}

/* What it goes on with is numbered after what was copied. */
static void test_goes_on(void)
{
    if (!begin_with(10))
        return;
    CU_ASSERT_EQUAL_FATAL(copy(here, there), ERR_NONE);
    struct db_opts opts = opts_of(there);
    struct db *db = filling_open(&opts);
    int64_t highest = scratch_number(db, "SELECT max(position) FROM outbox");
    CU_ASSERT_EQUAL(filling_add(db, 5), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT min(position) FROM outbox WHERE position > (SELECT count(*) FROM outbox)"
                                       " - 1"), scratch_number(db, "SELECT max(position) FROM outbox"));
    CU_ASSERT(scratch_number(db, "SELECT max(position) FROM outbox") > highest);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM orders"), 15);
    db_close(db);
    CU_ASSERT_EQUAL(copy(there, back), ERR_NONE);
    expect_same(there, back);
    end();
}

/* ---- cut off ---- */

static void die(void *context, const struct table_progress *progress)
{
    unsigned *left = context;
    (void)progress;
    if (--*left == 0)
        kill(getpid(), SIGKILL);
}

/* Nobody else's threads are about when it forks. True when it came to its end. */
static bool copy_until_killed(const char *from, const char *to, unsigned step)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        enum err err = copy_told(from, to, false, die, &step);
        fflush(NULL);
        _exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_SUCCESS);
    return WIFEXITED(status);
}

static void expect_unfinished(const char *name)
{
    struct db *db = reach(name);
    CU_ASSERT_EQUAL(migrate(db, sets, FILLING_SETS), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "an unfinished tandemctl db copy"));
    db_close(db);
}

static void copy_through_kills(const char *from, const char *to)
{
    unsigned step = 1;
    while (step < KILLS_MAX && !copy_until_killed(from, to, step)) {
        expect_unfinished(to);
        step++;
    }
    printf("# killed at %u steps\n", step - 1);
    CU_ASSERT(step > 20 && step < KILLS_MAX);
    expect_same(from, to);
}

static void test_killed(void)
{
    if (!begin_with(ORDERS))
        return;
    db_close(source);
    source = NULL;
    copy_through_kills(here, there);
    copy_through_kills(there, back);
    end();
}

/* The server starts anew between two of its answers. */
static void restart_server(void *context, const struct table_progress *progress)
{
    bool *done = context;
    if (*done || strcmp(progress->doing, "copying") != 0)
        return;
    *done = true;
    postgres_killed(server);
    CU_ASSERT_EQUAL(postgres_up(server), ERR_NONE);
}

/* As the source it has lost the moment that is copied; as the target nothing that was written to it. */
static void test_server_restarts(void)
{
    bool done = false;
    if (!begin_with(ORDERS))
        return;
    CU_ASSERT_EQUAL(copy_told(here, there, false, restart_server, &done), ERR_NONE);
    CU_ASSERT(done);
    expect_same(here, there);
    done = false;
    CU_ASSERT_EQUAL(copy_told(there, back, false, restart_server, &done), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "start again"));
    expect_unfinished(back);
    CU_ASSERT_EQUAL(copy(there, back), ERR_NONE);
    expect_same(there, back);
    end();
}

/* ---- in use ---- */

static enum err change(struct db *db)
{
    return scratch_script(db, "UPDATE orders SET status = 'shipped'"
                              " WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 3);"
                              "DELETE FROM outbox WHERE position <= 300;"
                              "UPDATE payment SET due_us = NULL, reference = '' WHERE order_id >="
                              " (SELECT max(order_id) FROM payment)");
}

static void test_two_runs(void)
{
    if (!begin_with(ORDERS))
        return;
    CU_ASSERT_EQUAL_FATAL(copy_told(here, there, true, NULL, NULL), ERR_NONE);
    int64_t all = copied.written;
    expect_unfinished(there);
    CU_ASSERT_EQUAL(change(source), ERR_NONE);
    CU_ASSERT_EQUAL(filling_add(source, 50), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(copy(here, there), ERR_NONE);
    printf("# first %lld rows written, then %lld, and %lld removed\n", (long long)all, (long long)copied.written,
           (long long)copied.removed);
    CU_ASSERT(copied.written < all);
    CU_ASSERT_EQUAL(copied.removed, 300);
    expect_same(here, there);
    CU_ASSERT_EQUAL(number_in(there, "SELECT count(*) FROM orders"), ORDERS + 50);
    end();
}

static atomic_bool over;

static void *go_on(void *context)
{
    atomic_uint *acknowledged = context;
    while (!atomic_load(&over) && !filling_add(source, 1))
        atomic_fetch_add(acknowledged, 1);
    return NULL;
}

/* As of one moment: every order that was told to be placed before, and none by half. */
static void test_in_use(void)
{
    static const char halves[] =
        "SELECT (SELECT value FROM tally WHERE name = 'entered' AND label = 'paid')"
        " + (SELECT count(*) FROM payment) + (SELECT count(*) FROM idempotency) - 3 * (SELECT count(*) FROM orders)";
    pthread_t thread;
    atomic_uint acknowledged = 0;
    if (!begin_with(ORDERS))
        return;
    atomic_store(&over, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, go_on, &acknowledged), 0);
    for (int i = 0; i < 3; i++) {
        unsigned before = atomic_load(&acknowledged);
        CU_ASSERT_EQUAL(copy_told(here, there, true, NULL, NULL), ERR_NONE);
        CU_ASSERT(number_in(there, "SELECT count(*) FROM orders") >= (int64_t)(ORDERS + before));
        CU_ASSERT_EQUAL(number_in(there, halves), 0);
        CU_ASSERT(atomic_load(&acknowledged) > before);   /* nobody was held up for all of it */
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(copy(here, there), ERR_NONE);
    CU_ASSERT_EQUAL(number_in(there, "SELECT count(*) FROM orders"), ORDERS + atomic_load(&acknowledged));
    expect_same(here, there);
    end();
}

/* ---- what is refused ---- */

static void test_not_empty(void)
{
    if (!begin_with(1))
        return;
    CU_ASSERT_EQUAL(postgres_sql(server, "there", "CREATE TABLE mine (n INTEGER)"), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_CONFLICT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "is not empty"));
    CU_ASSERT_EQUAL(postgres_sql(server, "there", "DROP TABLE mine"), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_CONFLICT);   /* it is its service's from now on */
    CU_ASSERT_EQUAL(copy(here, here), ERR_CONFLICT);
    end();
}

static void test_older(void)
{
    if (!begin_with(1))
        return;
    CU_ASSERT_EQUAL(scratch_script(source, "DELETE FROM schema_migration WHERE name = '005_payment_tracestate'"
                                           " OR name = '005_payment_tracestate.sql'"), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "start its service first"));
    CU_ASSERT_EQUAL(number_in(there, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
    end();
}

/* What SQLite holds and PostgreSQL does not is named, and nothing is taken for done. */
static void test_refused_row(void)
{
    if (!begin_with(3))
        return;
    CU_ASSERT_EQUAL(scratch_script(source, "UPDATE order_line SET name = 'a' || char(0) || 'b' WHERE order_id ="
                                           " (SELECT max(order_id) FROM order_line)"), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "table order_line, row order_id="));
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "zero byte"));
    expect_unfinished(there);
    CU_ASSERT_EQUAL(scratch_script(source, "UPDATE order_line SET name = 'ab'"), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(source, "UPDATE payment SET order_id = 'other' WHERE order_id ="
                                           " (SELECT min(order_id) FROM payment)"), ERR_NONE);
    CU_ASSERT_EQUAL(postgres_sql(server, "there", "ALTER TABLE payment ADD CONSTRAINT mine"
                                                  " CHECK (order_id <> 'other')"), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "table payment, row order_id=other:"));
    CU_ASSERT_EQUAL(number_in(there, "SELECT count(*) FROM payment"), 0);   /* nothing by half */
    CU_ASSERT_EQUAL(postgres_sql(server, "there", "ALTER TABLE payment DROP CONSTRAINT mine"), ERR_NONE);
    CU_ASSERT_EQUAL(copy(here, there), ERR_NONE);
    expect_same(here, there);
    end();
}

/* ---- digests ---- */

static void test_changed_byte(void)
{
    static const struct {
        const char *table, *sql;
    } changes[] = {
        {"order_line", "UPDATE order_line SET name = 'Tee fur zwei'"
                       " WHERE order_id = (SELECT min(order_id) FROM order_line)"},
        {"payment", "UPDATE payment SET reference = '' WHERE order_id = (SELECT max(order_id) FROM payment)"},
        {"outbox", "UPDATE outbox SET time_us = time_us + 1 WHERE position = 3"},
        {"idempotency", "DELETE FROM idempotency WHERE id = 2"},
    };
    static struct table_digests of_here, of_there;
    if (!begin_with(5))
        return;
    CU_ASSERT_EQUAL_FATAL(copy(here, there), ERR_NONE);
    digest(here, &of_here);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct table_digest *before = digest_of(&of_here, changes[i].table);
        CU_ASSERT_EQUAL(postgres_sql(server, "there", changes[i].sql), ERR_NONE);
        digest(there, &of_there);
        CU_ASSERT_STRING_NOT_EQUAL(digest_of(&of_there, changes[i].table)->hex, before->hex);
    }
    end();
}

/* Somebody else writes to the copy before it is finished. */
struct meddler {
    bool done;
};

static void meddle(void *context, const struct table_progress *progress)
{
    struct meddler *meddler = context;
    if (meddler->done || strcmp(progress->doing, "reading") != 0)
        return;
    meddler->done = true;
    CU_ASSERT_EQUAL(postgres_sql(server, "there", "UPDATE orders SET version = version + 1 WHERE id ="
                                                  " (SELECT min(id) FROM orders)"), ERR_NONE);
}

static void test_verified(void)
{
    struct meddler meddler = {.done = false};
    if (!begin_with(5))
        return;
    CU_ASSERT_EQUAL(copy_told(here, there, false, meddle, &meddler), ERR_STORAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, "table orders does not read back"));
    expect_unfinished(there);
    CU_ASSERT_EQUAL(copy(here, there), ERR_NONE);
    CU_ASSERT_EQUAL(copied.written, 5);
    end();
}

static const struct suite_case cases[] = {
    {"orders are the same on PostgreSQL, and back on SQLite", test_there_and_back},
    {"what is written to the copy is numbered after what was copied", test_goes_on},
    {"killed at every step in turn, it is gone on with, and no service starts on it before", test_killed},
    {"a server that starts anew in the middle harms no copy", test_server_restarts},
    {"a second run brings over what has changed, and only that", test_two_runs},
    {"of a database in use it is a copy of one moment, with all that was acknowledged before", test_in_use},
    {"what is not empty is refused", test_not_empty},
    {"a database of an older schema is refused before anything is made", test_older},
    {"a row that the other engine refuses is named, and is all that keeps it from its end", test_refused_row},
    {"a changed byte, a NULL that is not empty, and a row that is gone show in the digest", test_changed_byte},
    {"what does not read back as it was written is no copy", test_verified},
};

int main(void)
{
    return suite_main("db copy", cases, sizeof cases / sizeof cases[0]);
}
