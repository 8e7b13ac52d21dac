#include "config.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "check/torture/witness.h"
#include "events/bus.h"

enum { BATCH = 64, BATCH_BYTES = 4 * 1024 * 1024, WAIT_MS = 200, PAUSE_MS = 100, BUSY_MS = 10000 };

static const char *const types[] = {
    "order.placed.v", "order.rejected.v", "order.cancelled.v", "order.paid.v", "stock.reserved.v", "stock.rejected.v",
    "stock.released.v", "stock.expiring.v", "item.changed.v", NULL,
};

/* Where groups are is not known: the two that read are seen by what they have taken. */
static const char schema_sql[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE log (position INTEGER PRIMARY KEY, type TEXT, subject TEXT, envelope TEXT);"
    "CREATE TABLE consumer_group (name TEXT, position INTEGER);"
    "INSERT INTO consumer_group VALUES ('order', 9223372036854775807), ('inventory', 9223372036854775807);";

struct witness {
    sqlite3 *db;
    sqlite3_stmt *insert;
    struct bus *bus;
    struct bus_subscription *subscription;
    struct arena arena;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
};

static bool run_sql(struct witness *witness, const char *sql)
{
    return sqlite3_exec(witness->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool write_down(struct witness *witness, const struct event *event)
{
    sqlite3_bind_text(witness->insert, 1, event->type.at, (int)event->type.length, SQLITE_STATIC);
    sqlite3_bind_text(witness->insert, 2, event->subject.at, (int)event->subject.length, SQLITE_STATIC);
    sqlite3_bind_text(witness->insert, 3, event->id.at, (int)event->id.length, SQLITE_STATIC);
    bool written = sqlite3_step(witness->insert) == SQLITE_DONE;
    sqlite3_reset(witness->insert);
    return written;
}

/* What is acknowledged is in the file. */
static bool take(struct witness *witness)
{
    struct bus_delivery deliveries[BATCH];
    size_t count = 0;
    arena_reset(&witness->arena);
    if (bus_fetch(witness->subscription, WAIT_MS, &witness->arena, deliveries, BATCH, &count))
        return false;
    if (count == 0)
        return true;
    bool written = run_sql(witness, "BEGIN");
    for (size_t i = 0; i < count && written; i++)
        written = write_down(witness, &deliveries[i].event);
    if (!run_sql(witness, written ? "COMMIT" : "ROLLBACK") || !written)
        return false;
    return bus_acknowledge(witness->subscription, deliveries[count - 1].offset) == ERR_NONE;
}

static void *run(void *context)
{
    struct witness *witness = context;
    while (!witness->stopping)
        if (!take(witness)) {
            bus_rewind(witness->subscription);
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        }
    return NULL;
}

static enum err open_file(struct witness *witness, const char *path)
{
    static const char insert_sql[] = "INSERT INTO log (type, subject, envelope) VALUES (?, ?, json_object('id', ?))";
    remove(path);
    if (sqlite3_open(path, &witness->db) == SQLITE_OK && run_sql(witness, schema_sql) &&
        sqlite3_prepare_v2(witness->db, insert_sql, -1, &witness->insert, NULL) == SQLITE_OK)
        return ERR_NONE;
    return err_because(ERR_IO, "%s: %s", path, sqlite3_errmsg(witness->db));
}

enum err witness_start(const char *url, const char *password_file, const char *path, struct witness **ret)
{
    struct bus_opts opts = {.url = url, .password_file = password_file, .prefix = "tandem",
                            .groups = "order, inventory, " WITNESS_GROUP, .queues = 4, .prefetch = BATCH,
                            .delivery_limit = 1000, .heartbeat_s = 10, .connect_timeout_ms = 2000,
                            .publish_timeout_ms = 5000};
    struct witness *witness = calloc(1, sizeof *witness);
    if (!witness)
        return err_because(ERR_MEMORY, "no memory for a witness");
    arena_init(&witness->arena, BATCH_BYTES);
    enum err err = open_file(witness, path);
    if (!err)
        err = bus_open(&opts, &witness->bus);
    if (!err)
        err = bus_subscribe(witness->bus, WITNESS_GROUP, types, &witness->subscription);
    if (!err && pthread_create(&witness->thread, NULL, run, witness) != 0)
        err = err_because(ERR_MEMORY, "no thread for a witness");
    witness->started = !err;
    if (err)
        witness_stop(witness);
    else
        *ret = witness;
    return err;
}

void witness_stop(struct witness *witness)
{
    if (!witness)
        return;
    atomic_store(&witness->stopping, true);
    if (witness->started) {
        bus_wake(witness->subscription);
        pthread_join(witness->thread, NULL);
    }
    bus_unsubscribe(witness->subscription);
    bus_close(witness->bus);
    arena_fini(&witness->arena);
    sqlite3_finalize(witness->insert);
    sqlite3_close(witness->db);
    free(witness);
}
