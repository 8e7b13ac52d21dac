#include "config.h"

#include "base/clock.h"
#include "base/id.h"
#include "events/outbox_private.h"

const char outbox_topic[] = "outbox";

static const char insert_sql[] =
    "INSERT INTO outbox (id, type, source, subject, time_us, traceparent, request_id, data, tracestate)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
static const char oldest_sql[] =
    "SELECT position, id, type, source, subject, time_us, traceparent, request_id, data, tracestate"
    " FROM outbox ORDER BY position LIMIT $1";
static const char delete_sql[] = "DELETE FROM outbox WHERE position = $1 AND id = $2";
static const char ends_sql[] =
    "SELECT (SELECT max(position) FROM outbox), position, time_us FROM outbox ORDER BY position LIMIT 1";

enum err outbox_add(struct db_connection *connection, const struct event *event)
{
    char id[ID_SIZE];
    struct event filled = *event;
    if (!filled.id.at)
        filled.id = text_of(id_new(id));
    if (!filled.time_us)
        filled.time_us = clock_wall_us();
    enum err err = event_check(&filled);
    if (err)
        return err;

    struct db_statement *insert = db_query(connection, insert_sql);
    db_bind_text(insert, 1, filled.id);
    db_bind_text(insert, 2, filled.type);
    db_bind_text(insert, 3, filled.source);
    db_bind_text(insert, 4, filled.subject);
    db_bind_int(insert, 5, filled.time_us);
    db_bind_text(insert, 6, filled.traceparent);
    db_bind_text(insert, 7, filled.request_id);
    db_bind_text(insert, 8, filled.data);
    db_bind_text(insert, 9, filled.tracestate);
    err = db_run(insert, NULL);
    if (!err)
        db_notify(connection, outbox_topic);
    return err;
}

/* False when the arena is full. */
static bool copy_row(struct db_statement *row, struct arena *arena, struct event *to)
{
    to->time_us = db_int(row, 5);
    return arena_keep(arena, db_text(row, 1), &to->id) && arena_keep(arena, db_text(row, 2), &to->type)
        && arena_keep(arena, db_text(row, 3), &to->source) && arena_keep(arena, db_text(row, 4), &to->subject)
        && arena_keep(arena, db_text(row, 6), &to->traceparent) && arena_keep(arena, db_text(row, 7), &to->request_id)
        && arena_keep(arena, db_text(row, 8), &to->data) && arena_keep(arena, db_text(row, 9), &to->tracestate);
}

enum err outbox_oldest(struct db_connection *connection, struct arena *arena, struct event *events,
                       int64_t *positions, size_t max, size_t *ret_count)
{
    size_t count = 0;
    bool is_full = false;
    struct db_statement *query = db_query(connection, oldest_sql);
    db_bind_int(query, 1, (int64_t)max);
    while (!is_full && count < max && db_next(query)) {
        positions[count] = db_int(query, 0);
        is_full = !copy_row(query, arena, &events[count]);
        count += !is_full;
    }
    enum err err = db_done(query);
    if (!err && is_full && count == 0)
        err = err_because(ERR_MEMORY, "an event of the outbox does not fit in memory");
    if (!err)
        *ret_count = count;
    return err;
}

enum err outbox_remove(struct db_connection *connection, const struct event *events, const int64_t *positions,
                       size_t count)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; !err && i < count; i++) {
        struct db_statement *statement = db_query(connection, delete_sql);
        db_bind_int(statement, 1, positions[i]);
        db_bind_text(statement, 2, events[i].id);
        err = db_run(statement, NULL);
    }
    return err;
}

/* Positions follow one another, so that nothing has to be counted, however much waits. Where several write at once
 * there are gaps, of what was undone or is published already, and it is that many fewer. */
enum err outbox_backlog(struct db_connection *connection, uint64_t *ret_count, int64_t *ret_oldest_us)
{
    uint64_t count = 0;
    int64_t oldest_us = 0;
    struct db_statement *query = db_query(connection, ends_sql);
    if (db_next(query)) {
        count = (uint64_t)(db_int(query, 0) - db_int(query, 1) + 1);
        oldest_us = db_int(query, 2);
    }
    enum err err = db_done(query);
    if (!err) {
        *ret_count = count;
        *ret_oldest_us = oldest_us;
    }
    return err;
}
