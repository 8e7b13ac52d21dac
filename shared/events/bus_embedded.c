#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "events/bus_embedded.h"
#include "state/migrate.h"

enum {
    BATCH_MAX = 64, QUEUE_MAX = 1024, CACHE_KIB = 512,
    WAL_CHECKPOINT_BYTES = 1024 * 1024, WAL_MAX_BYTES = 8 * 1024 * 1024,
    SWEEP_ROWS = 64,         /* with each publication, and twice what is published: the log does not outgrow it */
    SWEEP_FULL_ROWS = 1024,  /* when there is no room */
};

extern const struct migration_set bus_migrations;

static const char insert_sql[] = "INSERT INTO log (type, subject, envelope, published_us) VALUES ($1, $2, $3, $4)";
static const char size_sql[] =
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
static const char oldest_sql[] = "SELECT position, published_us FROM log ORDER BY position LIMIT 1";
static const char floor_sql[] = "SELECT min(position) FROM consumer_group";
static const char sweep_sql[] = "DELETE FROM log WHERE position < $1 AND position <= $2 AND published_us < $3";

/* ---- retention ---- */

static enum err read_number(struct db_connection *connection, const char *sql, int64_t when_none, int64_t *ret)
{
    struct db_statement *query = db_query(connection, sql);
    int64_t number = db_next(query) && !db_is_null(query, 0) ? db_int(query, 0) : when_none;
    enum err err = db_done(query);
    if (!err)
        *ret = number;
    return err;
}

/* Drops the oldest events that every group has read, of the first `rows`, when they were published before `before_us`.
 * The first one tells whether there are any, so that nothing is searched in vain. */
static enum err sweep(struct db_connection *connection, int64_t rows, int64_t before_us)
{
    struct db_statement *query = db_query(connection, oldest_sql);
    bool is_due = db_next(query) && db_int(query, 1) < before_us;
    int64_t oldest = db_int(query, 0), floor;
    enum err err = db_done(query);
    if (!err)
        err = read_number(connection, floor_sql, INT64_MAX, &floor);
    if (err || !is_due || oldest > floor)
        return err;
    struct db_statement *statement = db_query(connection, sweep_sql);
    db_bind_int(statement, 1, oldest + rows);
    db_bind_int(statement, 2, floor);
    db_bind_int(statement, 3, before_us);
    return db_run(statement, NULL);
}

/* Past its size the log first gives up what is kept only for its age. */
static enum err make_room(struct db_connection *connection, const struct bus_embedded *bus, size_t coming,
                          bool *ret_is_full)
{
    int64_t size;
    enum err err = sweep(connection, SWEEP_ROWS + 2 * (int64_t)coming, clock_wall_us() - bus->retention_us);
    if (!err)
        err = read_number(connection, size_sql, 0, &size);
    if (!err && size > bus->max_bytes) {
        err = sweep(connection, SWEEP_FULL_ROWS, INT64_MAX);
        if (!err)
            err = read_number(connection, size_sql, 0, &size);
    }
    if (!err)
        *ret_is_full = size > bus->max_bytes;
    return err;
}

/* ---- publishing ---- */

struct publication {
    struct bus_embedded *bus;
    const struct event *events;
    size_t count;
    bool is_refused;
};

static enum err insert(struct db_connection *connection, struct buf *envelope, const struct event *event,
                       int64_t now_us)
{
    buf_reset(envelope, EVENT_ENVELOPE_BYTES);
    event_write(event, envelope);
    enum err err = buf_check(envelope);
    if (err)
        return err;
    struct db_statement *statement = db_query(connection, insert_sql);
    db_bind_text(statement, 1, event->type);
    db_bind_text(statement, 2, event->subject);
    db_bind_text(statement, 3, buf_text(envelope));
    db_bind_int(statement, 4, now_us);
    return db_run(statement, NULL);
}

/* A refusal is a success of this job, so that what was swept stays swept. */
static enum err publish_work(struct db_connection *connection, void *context)
{
    struct publication *publication = context;
    struct bus_embedded *bus = publication->bus;
    publication->is_refused = false;
    int64_t now_us = clock_wall_us();
    enum err err = make_room(connection, bus, publication->count, &publication->is_refused);
    if (publication->is_refused)
        return err;
    for (size_t i = 0; !err && i < publication->count; i++)
        err = insert(connection, &bus->envelope, &publication->events[i], now_us);
    return err;
}

static enum err publish(struct bus *base, const struct event *events, size_t count)
{
    struct bus_embedded *bus = (struct bus_embedded *)base;
    struct publication publication = {.bus = bus, .events = events, .count = count};
    enum err err = db_write(bus->db, publish_work, &publication);
    if (!err && publication.is_refused)
        err = err_because(ERR_STORAGE_FULL, "the bus has reached its %lld bytes of events that are yet to be read",
                          (long long)bus->max_bytes);
    /* Should this fail, the subscriptions look by themselves within a second. */
    if (!err && pwrite(bus->wake_fd, "", 1, 0) < 0)
        return ERR_NONE;
    return err;
}

static enum err size_of(struct bus *base, uint64_t *ret_used_bytes, uint64_t *ret_max_bytes)
{
    struct bus_embedded *bus = (struct bus_embedded *)base;
    int64_t size;
    pthread_mutex_lock(&bus->lock);
    enum err err = db_in_place(bus->reader);
    if (!err)
        err = read_number(bus->reader, size_sql, 0, &size);
    pthread_mutex_unlock(&bus->lock);
    if (err)
        return err;
    *ret_used_bytes = (uint64_t)size;
    *ret_max_bytes = (uint64_t)bus->max_bytes;
    return ERR_NONE;
}

/* ---- opening ---- */

static enum err open_wake_file(struct bus_embedded *bus, const char *path)
{
    size_t size = strlen(path) + sizeof "-wake";
    bus->wake_path = malloc(size);
    if (!bus->wake_path)
        return err_because(ERR_MEMORY, "open the bus: out of memory");
    memcpy(bus->wake_path, path, strlen(path));
    memcpy(bus->wake_path + strlen(path), "-wake", sizeof "-wake");
    bus->wake_fd = open(bus->wake_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0660);
    return bus->wake_fd >= 0 ? ERR_NONE
                             : err_because(ERR_STORAGE, "open %s: %s", bus->wake_path, strerror(errno));
}

static void close_bus(struct bus *base)
{
    struct bus_embedded *bus = (struct bus_embedded *)base;
    db_reader_close(bus->reader);
    db_close(bus->db);
    if (bus->wake_fd >= 0)
        close(bus->wake_fd);
    buf_fini(&bus->envelope);
    pthread_mutex_destroy(&bus->lock);
    free(bus->wake_path);
    free(bus);
}

static enum err check_bus(const struct bus_opts *opts, const char *address)
{
    return *address ? ERR_NONE : err_because(ERR_CONFIG, "the bus's URL lacks a path: \"%s\"", opts->url);
}

static enum err open_bus(const struct bus_opts *opts, const char *address, struct bus **ret)
{
    struct bus_embedded *bus = calloc(1, sizeof *bus);
    if (!bus)
        return err_because(ERR_MEMORY, "open the bus: out of memory");
    bus->base.driver = &bus_embedded_driver;
    bus->wake_fd = -1;
    bus->retention_us = opts->retention_s * US_PER_S;
    bus->max_bytes = (int64_t)opts->max_bytes;
    buf_init(&bus->envelope, EVENT_MAX_BYTES);
    pthread_mutex_init(&bus->lock, NULL);

    struct db_opts db_opts = {
        .path = address, .batch_max = BATCH_MAX, .queue_max = QUEUE_MAX, .busy_timeout_ms = opts->busy_timeout_ms,
        .cache_kib = CACHE_KIB, .wal_checkpoint_bytes = WAL_CHECKPOINT_BYTES, .wal_max_bytes = WAL_MAX_BYTES,
    };
    enum err err = ERR_NONE;
    if (opts->only_looks && access(address, F_OK) != 0)
        err = err_because(ERR_NOT_FOUND, "%s: %s; the first service to start makes it", address, strerror(errno));
    if (!err)
        err = db_open(&db_opts, &bus->db);
    if (!err)
        err = opts->only_looks ? migrate_check(bus->db, &bus_migrations, 1) : migrate(bus->db, &bus_migrations, 1);
    if (!err)
        err = db_reader_open(bus->db, &bus->reader);
    if (!err && !opts->only_looks)
        err = open_wake_file(bus, address);
    if (!err && !opts->only_looks)
        err = db_start(bus->db);
    if (err)
        close_bus(&bus->base);
    else
        *ret = &bus->base;
    return err;
}

const struct bus_driver bus_embedded_driver = {
    .scheme = "embedded",
    .system = "tandem",
    .check = check_bus,
    .open = open_bus,
    .close = close_bus,
    .publish = publish,
    .size = size_of,
    .subscribe = bus_embedded_subscribe,
    .unsubscribe = bus_embedded_unsubscribe,
    .fetch = bus_embedded_fetch,
    .acknowledge = bus_embedded_acknowledge,
    .rewind = bus_embedded_rewind,
    .wake = bus_embedded_wake,
    .lag = bus_embedded_lag,
    .browse = bus_embedded_browse,
    .groups = bus_embedded_groups,
};
