#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "events/bus_embedded.h"

enum {
    RECHECK_MS = 1000,
    TYPES_BYTES = 64 * 1024,
    SKIP_MAX = 1024,      /* events of other types that a group leaves behind before it says so … */
    SKIP_MS = 1000,       /* … or so long after it last did */
};

struct subscription {
    struct bus_subscription base;
    struct bus_embedded *bus;
    char *group;                      /* NULL: for this process alone */
    struct buf types;                 /* a JSON array */
    pthread_mutex_t lock;             /* of the reader: the lag is asked for by other threads */
    struct db_connection *reader;
    int inotify_fd, wake_fd;
    bool is_stale;                    /* the next fetch asks where the group is */
    int64_t acknowledged;             /* all up to here has been dealt with, durably … */
    int64_t delivered;                /* … the last that was handed out … */
    int64_t scanned;                  /* … and up to here there is nothing else of these types */
    int64_t left_ns;                  /* when it last said that it has left others behind */
};

static const char join_sql[] =
    "INSERT INTO consumer_group (name, position, types) SELECT $1, coalesce((SELECT min(position) - 1 FROM log),"
    " (SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0), $2 WHERE true"
    " ON CONFLICT (name) DO UPDATE SET types = excluded.types";
static const char end_sql[] =
    "SELECT coalesce((SELECT max(position) FROM log), (SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0)";
static const char position_sql[] = "SELECT position FROM consumer_group WHERE name = $1";
static const char newest_sql[] = "SELECT max(position) FROM log";
static const char fetch_sql[] =
    "SELECT position, envelope FROM log WHERE position > $1 AND " BUS_TYPE_IS_OF("$2") " ORDER BY position LIMIT $3";
static const char acknowledge_sql[] = "UPDATE consumer_group SET position = $2 WHERE name = $1 AND position < $2";
static const char lag_sql[] =
    "SELECT count(*), min(published_us) FROM log WHERE position > (SELECT position FROM consumer_group WHERE name = $1)"
    " AND " BUS_TYPE_IS_OF("$2");
static const char lag_after_sql[] =
    "SELECT count(*), min(published_us) FROM log WHERE position > $1 AND " BUS_TYPE_IS_OF("$2");

/* ---- joining and leaving ---- */

static enum err join_work(struct db_connection *connection, void *context)
{
    struct subscription *subscription = context;
    struct db_statement *insert = db_query(connection, join_sql);
    db_bind_string(insert, 1, subscription->group);
    db_bind_text(insert, 2, buf_text(&subscription->types));
    enum err err = db_run(insert, NULL);
    if (err)
        return err;
    struct db_statement *query = db_query(connection, position_sql);
    db_bind_string(query, 1, subscription->group);
    if (db_next(query))
        subscription->acknowledged = db_int(query, 0);
    return db_done(query);
}

/* Without a group one begins where the log ends now. */
static enum err begin_at_end(struct subscription *subscription)
{
    struct db_statement *query = db_query(subscription->reader, end_sql);
    if (db_next(query))
        subscription->acknowledged = subscription->delivered = subscription->scanned = db_int(query, 0);
    return db_done(query);
}

static enum err join(struct subscription *subscription)
{
    if (!subscription->group)
        return begin_at_end(subscription);
    enum err err = db_write(subscription->bus->db, join_work, subscription);
    bus_embedded_rewind(&subscription->base);
    return err;
}

static enum err write_types(struct subscription *subscription, const char *const *types)
{
    struct json_writer writer;
    json_writer_init(&writer, &subscription->types);
    json_array_begin(&writer);
    for (size_t i = 0; types[i]; i++)
        json_string(&writer, types[i]);
    json_array_end(&writer);
    return buf_check(&subscription->types);
}

static enum err watch(struct subscription *subscription)
{
    subscription->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    subscription->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    const char *path = subscription->bus->wake_path;
    if (subscription->wake_fd < 0 || subscription->inotify_fd < 0
        || inotify_add_watch(subscription->inotify_fd, path, IN_MODIFY) < 0)
        return err_because(ERR_IO, "watch %s: %s", path, strerror(errno));
    return ERR_NONE;
}

enum err bus_embedded_subscribe(struct bus *base, const char *group, const char *const *types,
                                struct bus_subscription **ret)
{
    struct subscription *subscription = calloc(1, sizeof *subscription);
    if (!subscription)
        return err_because(ERR_MEMORY, "subscribe: out of memory");
    subscription->base.driver = base->driver;
    subscription->bus = (struct bus_embedded *)base;
    subscription->inotify_fd = subscription->wake_fd = -1;
    subscription->left_ns = clock_now_ns();
    pthread_mutex_init(&subscription->lock, NULL);
    buf_init(&subscription->types, TYPES_BYTES);
    subscription->group = group ? strdup(group) : NULL;

    enum err err = !group || subscription->group ? write_types(subscription, types) : ERR_MEMORY;
    if (!err)
        err = watch(subscription);
    if (!err)
        err = db_reader_open(subscription->bus->db, &subscription->reader);
    if (!err)
        err = join(subscription);
    if (err)
        bus_embedded_unsubscribe(&subscription->base);
    else
        *ret = &subscription->base;
    return err;
}

void bus_embedded_unsubscribe(struct bus_subscription *base)
{
    struct subscription *subscription = (struct subscription *)base;
    db_reader_close(subscription->reader);
    if (subscription->inotify_fd >= 0)
        close(subscription->inotify_fd);
    if (subscription->wake_fd >= 0)
        close(subscription->wake_fd);
    pthread_mutex_destroy(&subscription->lock);
    buf_fini(&subscription->types);
    free(subscription->group);
    free(subscription);
}

/* ---- acknowledging ---- */

struct acknowledgement {
    const char *group;
    int64_t position;
};

static enum err acknowledge_work(struct db_connection *connection, void *context)
{
    struct acknowledgement *acknowledgement = context;
    struct db_statement *update = db_query(connection, acknowledge_sql);
    db_bind_string(update, 1, acknowledgement->group);
    db_bind_int(update, 2, acknowledgement->position);
    return db_run(update, NULL);
}

static enum err move_group(struct subscription *subscription, int64_t position)
{
    struct acknowledgement acknowledgement = {subscription->group, position};
    enum err err = ERR_NONE;
    if (subscription->group)
        err = db_write(subscription->bus->db, acknowledge_work, &acknowledgement);
    if (!err && position > subscription->acknowledged)
        subscription->acknowledged = position;
    return err;
}

enum err bus_embedded_acknowledge(struct bus_subscription *base, int64_t offset)
{
    struct subscription *subscription = (struct subscription *)base;
    return move_group(subscription, offset >= subscription->delivered ? subscription->scanned : offset);
}

void bus_embedded_rewind(struct bus_subscription *base)
{
    struct subscription *subscription = (struct subscription *)base;
    subscription->is_stale = true;
}

/* Events of other types would hold up the sweeping of the log for as long as none of the group's own come; and when
 * they have filled it, none can come. */
static enum err leave_behind(struct subscription *subscription)
{
    int64_t skipped = subscription->scanned - subscription->acknowledged, now_ns = clock_now_ns();
    bool is_idle = subscription->delivered <= subscription->acknowledged;
    bool is_due = skipped >= SKIP_MAX || (skipped > 0 && now_ns - subscription->left_ns >= SKIP_MS * NS_PER_MS);
    if (!is_idle || !is_due)
        return ERR_NONE;
    subscription->left_ns = now_ns;
    return move_group(subscription, subscription->scanned);
}

/* ---- fetching ---- */

static enum err find_position(struct subscription *subscription)
{
    int64_t position = subscription->acknowledged;
    if (subscription->group) {
        struct db_statement *query = db_query(subscription->reader, position_sql);
        db_bind_string(query, 1, subscription->group);
        while (db_next(query))
            position = db_int(query, 0);
        enum err err = db_done(query);
        if (err)
            return err;
    }
    subscription->acknowledged = subscription->delivered = subscription->scanned = position;
    subscription->is_stale = false;
    return ERR_NONE;
}

static int64_t newest_position(struct subscription *subscription, enum err *ret_err)
{
    struct db_statement *query = db_query(subscription->reader, newest_sql);
    int64_t newest = db_next(query) ? db_int(query, 0) : 0;
    *ret_err = db_done(query);
    return newest;
}

/* Reads one row. An event that cannot be read is not passed over: somebody has to see to it. */
static enum err read_delivery(struct db_statement *row, struct arena *arena, struct bus_delivery *ret)
{
    struct bus_delivery delivery = {.offset = db_int(row, 0)};
    enum err err = event_read(db_text(row, 1), arena, &delivery.event);
    if (err == ERR_MALFORMED)
        err = err_because(ERR_STORAGE, "the bus's event %lld: %.400s", (long long)delivery.offset, err_cause());
    if (!err)
        *ret = delivery;
    return err;
}

static enum err fetch_now(struct subscription *subscription, struct arena *arena, struct bus_delivery *deliveries,
                          size_t max, size_t *ret_count)
{
    enum err err, failure = ERR_NONE;
    size_t count = 0;
    if (subscription->is_stale && (err = find_position(subscription)) != ERR_NONE)
        return err;
    int64_t newest = newest_position(subscription, &err);
    if (err || newest <= subscription->scanned)
        return err;

    struct db_statement *query = db_query(subscription->reader, fetch_sql);
    db_bind_int(query, 1, subscription->scanned);
    db_bind_text(query, 2, buf_text(&subscription->types));
    db_bind_int(query, 3, (int64_t)max);
    while (!failure && db_next(query)) {
        failure = read_delivery(query, arena, &deliveries[count]);
        count += !failure;
    }
    err = db_done(query);
    if (err)
        return err;
    if (failure && count == 0)
        return failure;
    if (count)
        subscription->delivered = deliveries[count - 1].offset;
    bool saw_all = !failure && count < max && subscription->delivered <= newest;
    subscription->scanned = saw_all ? newest : subscription->delivered;
    *ret_count = count;
    return ERR_NONE;
}

/* Waits for the wake file or for bus_wake(). False when it is time to return with nothing. */
static bool wait_for_more(struct subscription *subscription, int64_t until_ns)
{
    int64_t left_ms = (until_ns - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (left_ms <= 0)
        return false;
    struct pollfd watched[] = {
        {.fd = subscription->inotify_fd, .events = POLLIN},
        {.fd = subscription->wake_fd, .events = POLLIN},
    };
    poll(watched, 2, left_ms < RECHECK_MS ? (int)left_ms : RECHECK_MS);
    char changes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(subscription->inotify_fd, changes, sizeof changes) > 0)
        continue;
    uint64_t wakes;
    return read(subscription->wake_fd, &wakes, sizeof wakes) < 0;
}

enum err bus_embedded_fetch(struct bus_subscription *base, unsigned timeout_ms, struct arena *arena,
                            struct bus_delivery *deliveries, size_t max, size_t *ret_count)
{
    struct subscription *subscription = (struct subscription *)base;
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    size_t count = 0;
    enum err err;
    do {
        pthread_mutex_lock(&subscription->lock);
        err = fetch_now(subscription, arena, deliveries, max, &count);
        pthread_mutex_unlock(&subscription->lock);
        if (!err && count == 0)
            err = leave_behind(subscription);
    } while (!err && count == 0 && wait_for_more(subscription, until_ns));
    if (!err)
        *ret_count = count;
    return err;
}

void bus_embedded_wake(struct bus_subscription *base)
{
    struct subscription *subscription = (struct subscription *)base;
    uint64_t one = 1;
    while (write(subscription->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

enum err bus_embedded_lag(struct bus_subscription *base, struct bus_lag *ret)
{
    struct subscription *subscription = (struct subscription *)base;
    pthread_mutex_lock(&subscription->lock);
    struct db_statement *query = db_query(subscription->reader, subscription->group ? lag_sql : lag_after_sql);
    if (subscription->group)
        db_bind_string(query, 1, subscription->group);
    else
        db_bind_int(query, 1, subscription->acknowledged);
    db_bind_text(query, 2, buf_text(&subscription->types));
    struct bus_lag lag = {.events = 0};
    if (db_next(query))
        lag = (struct bus_lag){(uint64_t)db_int(query, 0), db_int(query, 1)};
    enum err err = db_done(query);
    pthread_mutex_unlock(&subscription->lock);
    if (!err)
        *ret = lag;
    return err;
}
