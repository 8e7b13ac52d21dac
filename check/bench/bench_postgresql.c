/*
 * Orders on PostgreSQL: placed through the writer, 64 at once, against what pgbench reaches with 64 clients that run
 * the same statements on the same server, in interleaved rounds. Commits wait for the disk.
 *
 *     make bench-postgresql [BENCH_ROUNDS=5] [BENCH_SECONDS=5] [BENCH_CONNECTIONS=1]
 */
#include "config.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/idempotency.h"
#include "apps/order/store.h"
#include "apps/order/workflow.h"
#include "base/clock.h"
#include "check/bench/load.h"
#include "check/harness/postgres.h"
#include "check/harness/process.h"
#include "events/consumer.h"
#include "events/outbox.h"
#include "state/db.h"
#include "state/migrate.h"

enum { CLIENTS = 64, ARENA_MAX = 64 * 1024, OUTPUT_MAX = 64 * 1024 };

#define SKU "bench-item"
#define BODY "{\"id\":\"0190a000-0000-7000-8000-000000000001\",\"status\":\"placed\",\"lines\":[{\"sku\":\"" SKU "\"}]}"

/* Those of idempotency.c, which needs a whole call for them. */
static const char recall_sql[] = "SELECT digest, status, headers, body FROM idempotency WHERE lookup = $1";
static const char remember_sql[] =
    "INSERT INTO idempotency (lookup, caller, key, digest, status, headers, body, created_us)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/* What pgbench runs: what a job sends to the server, in one transaction. Parameters are of the length of ours. */
static const char script_begin[] =
    "\\set a random(1000000000000000000, 9000000000000000000)\n"
    "\\set b random(1000000000000000000, 9000000000000000000)\n"
    "\\set now random(1700000000000000, 1800000000000000)\n"
    "BEGIN;\n"
    "SELECT digest, status, headers, body FROM idempotency WHERE lookup = :a;\n"
    "SELECT name, price_minor, currency, version FROM item WHERE sku = '" SKU "';\n"
    "INSERT INTO orders (id, user_id, status, total_minor, currency, payment_method, version, created_us, updated_us)"
    " VALUES (:b, '0190a000-0000-7000-8000-000000000001', 'placed', 100, 'EUR', NULL, 1, :now, :now);\n"
    "INSERT INTO order_line (order_id, line, sku, name, quantity, unit_price_minor)"
    " VALUES (:b, 0, '" SKU "', 'Bench', 1, 100);\n"
    "INSERT INTO order_history (order_id, version, from_status, to_status, cause, at_us)"
    " VALUES (:b, 1, NULL, 'placed', 'placed', :now);\n";
static const char script_tally[] =
    "INSERT INTO tally (name, label, value) VALUES ('entered', 'placed', 1)"
    " ON CONFLICT (name, label) DO UPDATE SET value = tally.value + excluded.value;\n";
static const char script_end[] =
    "INSERT INTO outbox (id, type, source, subject, time_us, traceparent, request_id, data)"
    " VALUES (:a, 'order.placed.v1', '/tandem/order', :b, :now, NULL, NULL,"
    " '{\"order_id\":\"0190a000-0000-7000-8000-000000000001\",\"lines\":[{\"sku\":\"bench-item\",\"quantity\":1}]}');\n"
    "INSERT INTO idempotency (lookup, caller, key, digest, status, headers, body, created_us)"
    " VALUES (:a, '0190a000-0000-7000-8000-000000000001', :a,"
    " '0000000000000000000000000000000000000000000000000000000000000000', 201, 'Location: /v1/orders/1', '" BODY "',"
    " :now);\n"
    "COMMIT;\n";

static struct postgres *server;
static struct db *db;

/* ---- ours ---- */

static enum err emit(void *emitter, struct db_connection *connection, const struct order_origin *origin,
                     const char *type, struct text subject, struct text data)
{
    (void)emitter, (void)origin;
    struct event event = {.type = text_of(type), .source = TEXT("/tandem/order"), .subject = subject, .data = data};
    return outbox_add(connection, &event);
}

struct client {
    struct db_job job;
    struct arena arena;
    int64_t until_ns;
    sem_t *ended;
    uint64_t placed, failed;
};

static enum err recall(struct db_connection *connection, const char *key)
{
    struct db_statement *row = db_query(connection, recall_sql);
    db_bind_string(row, 1, key);
    while (db_next(row))
        continue;
    return db_done(row);
}

static enum err remember(struct db_connection *connection, const char *key)
{
    struct db_statement *row = db_query(connection, remember_sql);
    db_bind_string(row, 1, key);
    db_bind_string(row, 2, "0190a000-0000-7000-8000-000000000001");
    db_bind_string(row, 3, key);
    db_bind_string(row, 4, "0000000000000000000000000000000000000000000000000000000000000000");
    db_bind_int(row, 5, 201);
    db_bind_string(row, 6, "Location: /v1/orders/1");
    db_bind_string(row, 7, BODY);
    db_bind_int(row, 8, clock_wall_us());
    return db_run(row, NULL);
}

static enum err place(struct db_connection *connection, void *context)
{
    struct client *client = context;
    struct known_item item;
    char key[ID_SIZE], id[ID_SIZE];
    bool applied;
    arena_reset(&client->arena);
    enum err err = recall(connection, id_new(key));
    if (!err)
        err = store_item_find(connection, &client->arena, TEXT(SKU), &item);
    if (err)
        return err;
    struct order_line line = {item.sku, item.name, 1, item.price, item.price};
    struct order order = {.id = text_of(id_new(id)), .user_id = TEXT("0190a000-0000-7000-8000-000000000001"),
                          .total = item.price, .lines = &line, .line_count = 1};
    struct order_change change = {.db = connection, .emit = emit, .event = ORDER_PLACE, .cause = TEXT("placed"),
                                  .now_us = clock_wall_us()};
    err = order_apply(&change, &order, &applied);
    return err ? err : remember(connection, key);
}

static void placed(struct db_job *job, enum err err)
{
    struct client *client = (struct client *)job;
    client->placed += !err;
    if (err && client->failed++ == 0)
        fprintf(stderr, "%s: %s\n", err_name(err), err_cause());
    if (clock_now_ns() >= client->until_ns || db_submit(db, &client->job))
        sem_post(client->ended);
}

static double run_ours(unsigned seconds, uint64_t *ret_failed)
{
    static struct client clients[CLIENTS];
    sem_t ended;
    uint64_t count = 0;
    sem_init(&ended, 0, 0);
    int64_t begun_ns = clock_now_ns();
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.job = {.work = place, .done = placed, .context = &clients[i]}, .ended = &ended,
                                     .until_ns = begun_ns + seconds * NS_PER_S};
        arena_init(&clients[i].arena, ARENA_MAX);
        if (db_submit(db, &clients[i].job))
            sem_post(&ended);
    }
    for (int i = 0; i < CLIENTS; i++)
        sem_wait(&ended);
    double took_s = (double)(clock_now_ns() - begun_ns) / NS_PER_S;
    for (int i = 0; i < CLIENTS; i++) {
        count += clients[i].placed;
        *ret_failed += clients[i].failed;
        arena_fini(&clients[i].arena);
    }
    return (double)count / took_s;
}

/* ---- pgbench ---- */

static enum err write_script(const char *path, bool has_tally)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return err_because(ERR_IO, "%s cannot be written", path);
    fprintf(file, "%s%s%s", script_begin, has_tally ? script_tally : "", script_end);
    return fclose(file) == 0 ? ERR_NONE : err_because(ERR_IO, "%s cannot be written", path);
}

/* The figure of its last report. */
static double read_tps(const char *path)
{
    static char output[OUTPUT_MAX];
    double tps = 0;
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(output, 1, sizeof output - 1, file) : 0;
    output[length] = '\0';
    for (const char *at = output; (at = strstr(at, "tps = ")); at += 6)
        tps = strtod(at + 6, NULL);
    if (file)
        fclose(file);
    return tps;
}

static enum err run_pgbench(unsigned seconds, bool has_tally, double *ret)
{
    char script[256], log[256], seconds_text[16];
    snprintf(script, sizeof script, "%s/orders.sql", postgres_folder(server));
    snprintf(log, sizeof log, "%s/pgbench.log", postgres_folder(server));
    snprintf(seconds_text, sizeof seconds_text, "%u", seconds);
    const char *const argv[] = {postgres_program(server, "pgbench"), "-n", "-M", "prepared", "-c", "64", "-j", "2",
                                "-T", seconds_text, "-f", script, "-h", postgres_folder(server), "-U", "tandem",
                                "bench", NULL};
    enum err err = write_script(script, has_tally);
    if (!err)
        err = process_run(argv, log);
    if (!err)
        *ret = read_tps(log);
    return err;
}

/* ---- both ---- */

static enum err open_database(void)
{
    const struct migration_set sets[] = {events_migrations, app_migrations, order_migrations};
    char url[POSTGRES_URL_SIZE];
    enum err err = postgres_create(server, "bench");
    struct db_opts opts = {
        .url = postgres_url(server, "bench", url), .batch_max = 256, .queue_max = 1024, .busy_timeout_ms = 5000,
        .connect_timeout_ms = 2000, .start_timeout_ms = 5000, .statement_timeout_ms = 10000,
        .connections = load_setting("BENCH_CONNECTIONS", 1, 64),
    };
    if (!err)
        err = db_open(&opts, &db);
    if (!err)
        err = migrate(db, sets, 3);
    if (!err)
        err = db_start(db);
    if (!err)
        err = postgres_sql(server, "bench", "INSERT INTO item (sku, name, price_minor, currency, version) VALUES ('" SKU
                                            "', 'Bench', 100, 'EUR', 1)");
    return err;
}

static enum err measure(void)
{
    enum { ROUNDS_MAX = LOAD_ROUNDS_MAX };
    static double ours[ROUNDS_MAX], same[ROUNDS_MAX], apart[ROUNDS_MAX];
    unsigned rounds = load_setting("BENCH_ROUNDS", 5, ROUNDS_MAX), seconds = load_setting("BENCH_SECONDS", 5, 600);
    uint64_t failed = 0;
    struct db_stats stats;
    for (unsigned i = 0; i < rounds; i++) {
        ours[i] = run_ours(seconds, &failed);
        enum err err = run_pgbench(seconds, true, &same[i]);
        if (!err)
            err = run_pgbench(seconds, false, &apart[i]);
        if (err)
            return err;
    }
    double ratio = load_median_ratio(ours, same, rounds), ratio_apart = load_median_ratio(ours, apart, rounds);
    db_stats(db, &stats);
    printf("medians of %u interleaved rounds of %u s, %d clients\n", rounds, seconds, CLIENTS);
    printf("%-56s %10.0f /s\n", "orders placed through the writer", load_median(ours, rounds));
    printf("%-56s %10.0f /s\n", "pgbench, the same statements", load_median(same, rounds));
    printf("%-56s %10.2f    (at least 0.80)\n", "  ratio", ratio);
    printf("%-56s %10.0f /s\n", "pgbench, without the row that all of them count in", load_median(apart, rounds));
    printf("%-56s %10.2f\n", "  ratio", ratio_apart);
    printf("%-56s %10.1f\n", "orders in a transaction", (double)stats.jobs / (double)stats.batches);
    printf("%-56s %10llu\n", "transactions run again", (unsigned long long)stats.reruns);
    printf("%-56s %10llu    (0)\n", "orders that failed", (unsigned long long)failed);
    return ERR_NONE;
}

int main(void)
{
    if (postgres_missing()) {
        printf("%s\n", postgres_missing());
        return EXIT_SUCCESS;
    }
    enum err err = postgres_start(true, &server);
    if (!err)
        err = open_database();
    if (!err)
        err = measure();
    if (err)
        fprintf(stderr, "%s\n", err_cause());
    db_close(db);
    postgres_stop(server);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
