/* What only PostgreSQL has: connections that are lost, a server that is away, transactions in each other's way. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"
#include "state/thread.h"
#include "telemetry/metric.h"

enum { SQL_SIZE = 256, PATIENCE_MS = 10000 };

static struct scratch scratch;
static struct db *db;
static atomic_uint away_count, back_count;

static void notice(void *context, bool is_away, const char *cause)
{
    (void)context, (void)cause;
    atomic_fetch_add(is_away ? &away_count : &back_count, 1);
}

static struct db_opts opts_of(void)
{
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "test.db"));
    opts.noticed = notice;
    opts.measured = true;
    return opts;
}

static struct db *open_another(unsigned connections)
{
    struct db *opened = NULL;
    struct db_opts opts = opts_of();
    opts.connections = connections;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &opened), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(opened), ERR_NONE);
    return opened;
}

static int64_t told(enum metric metric)
{
    return metric_value(metric_series_of(metric, NULL, 0));
}

static void begin(unsigned connections)
{
    scratch_init(&scratch);
    away_count = back_count = 0;
    db = open_another(connections);
    CU_ASSERT_EQUAL_FATAL(scratch_script(db, "CREATE TABLE item (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL);"
                                             "INSERT INTO item VALUES (1, 0), (2, 0)"), ERR_NONE);
}

static void end(void)
{
    db_close(db);
    db = NULL;
    scratch_fini(&scratch);
}

/* As somebody else, beside all of it. */
static void sql_beside(const char *sql)
{
    CU_ASSERT_EQUAL(postgres_sql(engines_postgres(), engines_database(scratch_path(&scratch, "test.db")), sql),
                    ERR_NONE);
}

static enum err increment(struct db_connection *connection, void *context)
{
    int64_t *id = context;
    struct db_statement *query = db_query(connection, "SELECT amount FROM item WHERE id = $1");
    db_bind_int(query, 1, *id);
    int64_t amount = db_next(query) ? db_int(query, 0) : -1;
    enum err err = db_done(query);
    if (err)
        return err;
    struct db_statement *update = db_query(connection, "UPDATE item SET amount = $1 WHERE id = $2");
    db_bind_int(update, 1, amount + 1);
    db_bind_int(update, 2, *id);
    return db_run(update, NULL);
}

/* ---- in each other's way ---- */

struct incrementing {
    struct db *db;
    unsigned count;
    atomic_uint failed;
};

static void *increment_often(void *context)
{
    struct incrementing *work = context;
    int64_t id = 1;
    for (unsigned i = 0; i < work->count; i++)
        if (db_write(work->db, increment, &id))
            atomic_fetch_add(&work->failed, 1);
    return NULL;
}

/* Reads, adds one in memory, writes: any two at once that both committed would have lost one. */
static void test_nothing_is_lost(void)
{
    enum { THREADS = 8, EACH = 25 };
    begin(4);
    struct db *other = open_another(2);
    struct incrementing work[2] = {{.db = db, .count = EACH}, {.db = other, .count = EACH}};
    pthread_t threads[THREADS];
    struct db_stats stats;
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(thread_start(&threads[i], "writer", increment_often, &work[i % 2]), ERR_NONE);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    unsigned failed = work[0].failed + work[1].failed;
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT amount FROM item WHERE id = 1"), THREADS * EACH - failed);
    CU_ASSERT(failed < THREADS * EACH / 10);
    db_stats(db, &stats);
    CU_ASSERT(stats.reruns > 0);
    db_close(other);
    end();
}

/* Each may take its own when the other still has some: one of them has to see that the other has taken. */
static enum err take_if_other_has(struct db_connection *connection, void *context)
{
    int64_t *id = context;
    struct db_statement *query = db_query(connection, "SELECT sum(amount) FROM item WHERE id <> $1");
    db_bind_int(query, 1, *id);
    bool other_has = db_next(query) && db_int(query, 0) > 0;
    enum err err = db_done(query);
    if (err || !other_has)
        return err ? err : ERR_FORBIDDEN;
    struct db_statement *update = db_query(connection, "UPDATE item SET amount = 0 WHERE id = $1");
    db_bind_int(update, 1, *id);
    return db_run(update, NULL);
}

struct taking {
    struct db *db;
    int64_t id;
    enum err err;
};

static void *take(void *context)
{
    struct taking *taking = context;
    taking->err = db_write(taking->db, take_if_other_has, &taking->id);
    return NULL;
}

static void test_what_is_read_holds(void)
{
    enum { ROUNDS = 40 };
    begin(1);
    struct db *other = open_another(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct taking takings[2] = {{db, 1, ERR_NONE}, {other, 2, ERR_NONE}};
        pthread_t threads[2];
        CU_ASSERT_EQUAL(scratch_script(db, "UPDATE item SET amount = 1"), ERR_NONE);
        for (int i = 0; i < 2; i++)
            CU_ASSERT_EQUAL_FATAL(thread_start(&threads[i], "taker", take, &takings[i]), ERR_NONE);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(scratch_number(db, "SELECT sum(amount) FROM item"), 1);
        CU_ASSERT(takings[0].err == ERR_FORBIDDEN || takings[1].err == ERR_FORBIDDEN);
    }
    db_close(other);
    end();
}

/* ---- connections that are lost ---- */

static enum err increment_and_lose(struct db_connection *connection, void *context)
{
    bool *has_lost = context;
    int64_t id = 1;
    enum err err = increment(connection, &id);
    if (!err && !*has_lost) {
        *has_lost = true;
        err = db_run(db_query(connection, "SELECT pg_terminate_backend(pg_backend_pid())"), NULL);
    }
    return err;
}

static void test_lost_before_the_commit(void)
{
    begin(1);
    bool has_lost = false;
    struct db_stats stats;
    CU_ASSERT_EQUAL(db_write(db, increment_and_lose, &has_lost), ERR_NONE);
    CU_ASSERT_TRUE(has_lost);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT amount FROM item WHERE id = 1"), 1);
    db_stats(db, &stats);
    CU_ASSERT_EQUAL(stats.reruns, 1);
    CU_ASSERT_EQUAL(stats.reconnects, 1);
    end();
}

/* A trigger that is put off until COMMIT ends the connection from within, the first time; a sequence is not undone. */
static void test_lost_in_a_commit_that_failed(void)
{
    int64_t id = 1;
    begin(1);
    sql_beside("CREATE SEQUENCE times;"
               "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('times') = 1 THEN"
               " PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF; RETURN NULL; END $$;"
               "CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE"
               " FUNCTION die()");
    CU_ASSERT_EQUAL(db_write(db, increment, &id), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT amount FROM item WHERE id = 1"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT last_value FROM times"), 1);
    CU_ASSERT_EQUAL(db_write(db, increment, &id), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT amount FROM item WHERE id = 1"), 1);
    end();
}

struct cut_off {
    enum err err;
    int64_t times;               /* told as done, before the one that was not */
};

/* Until one fails: the first may be through before the server has taken up its settings. */
static void *increment_on(void *context)
{
    struct cut_off *cut = context;
    int64_t id = 1;
    while ((cut->err = db_write(db, increment, &id)) == ERR_NONE)
        cut->times++;
    return NULL;
}

static bool waits_for_replica(void *context)
{
    (void)context;
    return scratch_number(db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1;
}

/* A commit that waits for a replica that is not there is durable, and its client has not heard so when it is ended. */
static void test_lost_in_a_commit_that_came_about(void)
{
    struct cut_off cut = {ERR_INTERNAL, 0};
    pthread_t thread;
    struct db_stats stats;
    begin(1);
    sql_beside("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql_beside("SELECT pg_reload_conf()");
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, "writer", increment_on, &cut), ERR_NONE);
    CU_ASSERT(scratch_eventually(waits_for_replica, NULL));
    sql_beside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    pthread_join(thread, NULL);
    sql_beside("ALTER SYSTEM RESET synchronous_standby_names");
    sql_beside("SELECT pg_reload_conf()");
    CU_ASSERT_EQUAL(cut.err, ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT amount FROM item WHERE id = 1"),
                    cut.times + 1);   /* once, not twice */
    db_stats(db, &stats);
    CU_ASSERT_EQUAL(stats.reruns, 0);
    end();
}

static void test_reader_connects_again(void)
{
    struct db_connection *reader = NULL;
    begin(1);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    for (int i = 0; i < 3; i++) {
        struct db_statement *query = db_query(reader, "SELECT count(*) FROM item");
        CU_ASSERT(db_next(query));
        CU_ASSERT_EQUAL(db_int(query, 0), 2);
        CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
        sql_beside("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                   " AND pid <> pg_backend_pid()");
    }
    db_reader_close(reader);
    end();
}

/* A migration of another process may change what a statement is. */
static void test_statements_follow_the_schema(void)
{
    struct db_connection *reader = NULL;
    begin(1);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    static const char sql[] = "SELECT * FROM item ORDER BY id";
    for (int i = 0; i < 2; i++) {
        struct db_statement *query = db_query(reader, sql);
        CU_ASSERT(db_next(query));
        CU_ASSERT_EQUAL(db_int(query, 0), 1);
        CU_ASSERT_EQUAL(db_done(query), ERR_NONE);
        sql_beside("ALTER TABLE item ADD COLUMN IF NOT EXISTS name TEXT");
    }
    db_reader_close(reader);
    end();
}

/* ---- a server that is away ---- */

static bool is_written(void *context)
{
    int64_t id = 2;
    (void)context;
    return db_write(db, increment, &id) == ERR_NONE;
}

static void test_server_away(void)
{
    struct db_connection *reader = NULL;
    int64_t id = 1;
    begin(1);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL(db_write(db, increment, &id), ERR_NONE);
    postgres_killed(engines_postgres());
    for (int i = 0; i < 5; i++) {
        int64_t begun_ns = clock_now_ns();
        CU_ASSERT_EQUAL(db_write(db, increment, &id), ERR_UNAVAILABLE);
        struct db_statement *query = db_query(reader, "SELECT 1");
        CU_ASSERT_FALSE(db_next(query));
        CU_ASSERT_EQUAL(db_done(query), ERR_UNAVAILABLE);
        CU_ASSERT(clock_now_ns() - begun_ns < NS_PER_S);
    }
    CU_ASSERT_EQUAL(away_count, 1);   /* said once */
    CU_ASSERT_EQUAL(told(METRIC_DB_AWAY), 1);
    CU_ASSERT_EQUAL(told(METRIC_DB_CONNECTIONS), 0);
    CU_ASSERT_FALSE(db_lease_take(db, 1));
    CU_ASSERT_EQUAL_FATAL(postgres_up(engines_postgres()), ERR_NONE);
    CU_ASSERT(scratch_eventually(is_written, NULL));
    CU_ASSERT_EQUAL(back_count, 1);
    CU_ASSERT_EQUAL(told(METRIC_DB_AWAY), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT amount FROM item WHERE id = 1"), 1);
    db_reader_close(reader);
    end();
}

static void test_start(void)
{
    char url[POSTGRES_URL_SIZE];
    struct db *opened = NULL;
    scratch_init(&scratch);
    struct db_opts opts = opts_of();
    opts.start_timeout_ms = 300;
    const struct {
        const char *url;
        enum err err;
        const char *said;
    } rows[] = {
        {"postgresql:///x?host=/nonexistent", ERR_UNAVAILABLE, "/nonexistent"},
        {"postgresql://u:hidden@/x", ERR_CONFIG, "db.password_file"},
        {"postgresql:///x?password=hidden", ERR_CONFIG, "db.password_file"},
        {"postgresql://[", ERR_CONFIG, "URL"},
        {"oracle://x", ERR_CONFIG, "postgresql://"},
        {postgres_url(engines_postgres(), "not_there", url), ERR_CONFIG, "does not exist"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        opts.url = rows[i].url;
        int64_t begun_ns = clock_now_ns();
        CU_ASSERT_EQUAL(db_open(&opts, &opened), rows[i].err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), rows[i].said));
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "hidden"));
        CU_ASSERT(clock_now_ns() - begun_ns < 2 * NS_PER_S);
    }
    scratch_fini(&scratch);
}

static void test_sorts_by_bytes(void)
{
    char url[POSTGRES_URL_SIZE];
    struct db *opened = NULL;
    scratch_init(&scratch);
    struct db_opts opts = opts_of();
    enum err err = postgres_sql(engines_postgres(), "postgres", "CREATE DATABASE by_language TEMPLATE template0"
                                                                " LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'");
    if (err) {
        suite_skip("this server has no ICU");
    } else {
        opts.url = postgres_url(engines_postgres(), "by_language", url);
        CU_ASSERT_EQUAL(db_open(&opts, &opened), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "sorts by"));
        CU_ASSERT_EQUAL(postgres_remove(engines_postgres(), "by_language"), ERR_NONE);
    }
    scratch_fini(&scratch);
}

/* ---- leases ---- */

static bool is_lost(void *context)
{
    return !db_lease_take(context, 3);
}

static bool is_taken(void *context)
{
    return db_lease_take(context, 3);
}

static void test_leases(void)
{
    begin(1);
    struct db *other = open_another(1);
    CU_ASSERT_TRUE(db_lease_take(db, 3));
    CU_ASSERT_FALSE(db_lease_take(other, 3));
    CU_ASSERT_TRUE(db_lease_take(other, 4));
    CU_ASSERT_TRUE(db_lease_take(db, 3));
    db_lease_end(db, 3);
    CU_ASSERT_TRUE(db_lease_take(other, 3));
    CU_ASSERT_FALSE(db_lease_take(db, 3));

    int64_t begun_ns = clock_now_ns();   /* the holder's connection ends without its doing */
    sql_beside("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 3");
    CU_ASSERT(scratch_eventually(is_taken, db));
    CU_ASSERT(scratch_eventually(is_lost, other));
    CU_ASSERT(clock_now_ns() - begun_ns < 2 * NS_PER_S);
    CU_ASSERT_TRUE(db_lease_take(db, 3));
    db_close(other);
    end();
}

/* ---- a replica ---- */

static int64_t ask_stale(struct db_connection *reader)
{
    struct db_statement *query = db_query(reader, "SELECT count(*) FROM item");
    int64_t count = db_next(query) ? db_int(query, 0) : -1;
    return db_done(query) == ERR_NONE ? count : -1;
}

/* Another database stands for the replica: by what it has, it is told from the primary. */
static void test_replica(void)
{
    char url[POSTGRES_URL_SIZE];
    struct db_connection *reader = NULL, *stale = NULL;
    scratch_init(&scratch);
    CU_ASSERT_EQUAL_FATAL(postgres_create(engines_postgres(), "replica"), ERR_NONE);
    CU_ASSERT_EQUAL(postgres_sql(engines_postgres(), "replica", "CREATE TABLE item (id BIGINT)"), ERR_NONE);
    struct db_opts opts = opts_of();
    opts.read_url = postgres_url(engines_postgres(), "replica", url);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_script(db, "CREATE TABLE item (id BIGINT); INSERT INTO item VALUES (1)"), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open_stale(db, &stale), ERR_NONE);
    CU_ASSERT_EQUAL(ask_stale(reader), 1);
    CU_ASSERT_EQUAL(ask_stale(stale), 0);
    CU_ASSERT_EQUAL(told(METRIC_DB_REPLICA_AWAY), 0);
    CU_ASSERT_EQUAL(postgres_remove(engines_postgres(), "replica"), ERR_NONE);
    CU_ASSERT_EQUAL(ask_stale(stale), 1);   /* it is away: the primary answers */
    CU_ASSERT_EQUAL(told(METRIC_DB_REPLICA_AWAY), 1);
    CU_ASSERT_EQUAL(told(METRIC_DB_AWAY), 0);
    db_reader_close(reader);
    db_reader_close(stale);
    end();
}

static int64_t lag_us(void)
{
    int64_t us = -1;
    return db_replica_lag(db, &us) == ERR_NONE ? us : -1;
}

static bool is_behind(void *context)
{
    (void)context;
    return lag_us() > 0;
}

static bool is_even(void *context)
{
    (void)context;
    return lag_us() == 0;
}

static void test_lag(void)
{
    char url[POSTGRES_URL_SIZE];
    struct postgres *replica = NULL;
    int64_t id = 1;
    begin(1);
    CU_ASSERT_EQUAL(lag_us(), 0);   /* there is none */
    db_close(db);
    CU_ASSERT_EQUAL_FATAL(postgres_follow(engines_postgres(), &replica), ERR_NONE);
    struct db_opts opts = opts_of();
    opts.read_url = postgres_url(replica, engines_database(scratch_path(&scratch, "test.db")), url);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT(scratch_eventually(is_even, NULL));
    CU_ASSERT_EQUAL(postgres_sql(replica, "postgres", "SELECT pg_wal_replay_pause()"), ERR_NONE);
    CU_ASSERT_EQUAL(db_write(db, increment, &id), ERR_NONE);
    CU_ASSERT(scratch_eventually(is_behind, NULL));
    CU_ASSERT_EQUAL(postgres_sql(replica, "postgres", "SELECT pg_wal_replay_resume()"), ERR_NONE);
    CU_ASSERT(scratch_eventually(is_even, NULL));
    postgres_stop(replica);
    CU_ASSERT(scratch_eventually(is_even, NULL));   /* the primary answers for it */
    CU_ASSERT_EQUAL(told(METRIC_DB_REPLICA_AWAY), 1);
    end();
}

/* ---- values ---- */

static void test_texts(void)
{
    begin(1);
    struct db_connection *reader = NULL;
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    const struct {
        struct text text;
        enum err err;
    } rows[] = {{TEXT("Zo\u00eb \u2713"), ERR_NONE}, {{"a\0b", 3}, ERR_INVALID}, {TEXT("\xff\xfe"), ERR_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct db_statement *query = db_query(reader, "SELECT $1 || ''");
        db_bind_text(query, 1, rows[i].text);
        CU_ASSERT_EQUAL(db_next(query), rows[i].err == ERR_NONE);
        CU_ASSERT(rows[i].err || text_equal(db_text(query, 0), rows[i].text));
        CU_ASSERT_EQUAL(db_done(query), rows[i].err);
    }
    db_reader_close(reader);
    end();
}

static const struct suite_case cases[] = {
    {"of changes in each other's way none is lost", test_nothing_is_lost},
    {"what a job has read holds until it commits", test_what_is_read_holds},
    {"a transaction whose connection is lost is run again", test_lost_before_the_commit},
    {"a commit that was cut off and did not come about is not told as done", test_lost_in_a_commit_that_failed},
    {"a commit that was cut off and came about is not run again", test_lost_in_a_commit_that_came_about},
    {"a reader connects again", test_reader_connects_again},
    {"statements follow a schema that changes", test_statements_follow_the_schema},
    {"while the server is away all is refused at once, and goes on when it is back", test_server_away},
    {"what keeps a database from being opened is said, without a secret", test_start},
    {"a database that sorts by a language is refused", test_sorts_by_bytes},
    {"a lease goes with its connection, which is noticed", test_leases},
    {"a replica answers what may be stale, and the primary while it is away", test_replica},
    {"how far a replica is behind is told", test_lag},
    {"texts are UTF-8 without a zero byte", test_texts},
};

int main(void)
{
    return engines_main_postgres("db_postgres", cases, sizeof cases / sizeof cases[0]);
}
