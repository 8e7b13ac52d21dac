#include "config.h"

#include "base/clock.h"
#include "events/parked.h"

static const char has_subject_sql[] = "SELECT 1 FROM event_parked WHERE consumer_group = $1 AND subject = $2 LIMIT 1";
/* The times of a subject's events rise, whatever the clock does: dead_letter.c goes by them. */
static const char insert_sql[] =
    "INSERT INTO event_parked (number, consumer_group, subject, event_id, type, envelope, attempts, next_try_us, cause,"
    " parked_us) SELECT (SELECT coalesce(max(number), 0) + 1 FROM event_parked WHERE number >= 0), $1, $2, $3, $4, $5,"
    " $6, $7, $8, max(at_us) FROM (SELECT CAST($9 AS BIGINT) AS at_us UNION ALL SELECT at_us FROM (SELECT parked_us + 1"
    " AS at_us FROM event_parked WHERE consumer_group = $1 AND subject = $2 ORDER BY number DESC LIMIT 1) AS last)"
    " AS times RETURNING number";
static const char due_sql[] =
    "SELECT number, subject, envelope, attempts, event_id FROM event_parked"
    " WHERE consumer_group = $1 AND next_try_us <= $2 ORDER BY next_try_us, number LIMIT 1";
static const char postpone_sql[] =
    "UPDATE event_parked SET attempts = attempts + 1, next_try_us = $2, cause = $3 WHERE number = $1";
static const char delete_sql[] = "DELETE FROM event_parked WHERE number = $1";
static const char release_sql[] =
    "UPDATE event_parked SET next_try_us = $3 WHERE number = (SELECT min(number) FROM event_parked"
    " WHERE consumer_group = $1 AND subject = $2)";
static const char bury_sql[] =
    "INSERT INTO dead_letter (consumer_group, subject, event_id, type, envelope, attempts, cause, parked_us, died_us)"
    " SELECT consumer_group, subject, event_id, type, envelope, attempts + 1, $2, parked_us, $3 FROM event_parked"
    " WHERE number = $1";
static const char next_try_sql[] =
    "SELECT next_try_us FROM event_parked WHERE consumer_group = $1 AND next_try_us IS NOT NULL"
    " ORDER BY next_try_us LIMIT 1";

enum err parked_has_subject(struct db_connection *connection, const char *group, struct text subject, bool *ret)
{
    struct db_statement *query = db_query(connection, has_subject_sql);
    db_bind_string(query, 1, group);
    db_bind_text(query, 2, subject);
    bool has = db_next(query);
    enum err err = db_done(query);
    if (!err)
        *ret = has;
    return err;
}

enum err parked_add(struct db_connection *connection, const char *group, const struct event *event, unsigned attempts,
                    int64_t next_try_us, const char *cause, int64_t *ret_number)
{
    struct buf envelope;
    buf_init(&envelope, EVENT_MAX_BYTES);
    event_write(event, &envelope);
    enum err err = buf_check(&envelope);
    if (!err) {
        struct db_statement *insert = db_query(connection, insert_sql);
        db_bind_string(insert, 1, group);
        db_bind_text(insert, 2, event->subject);
        db_bind_text(insert, 3, event->id);
        db_bind_text(insert, 4, event->type);
        db_bind_text(insert, 5, buf_text(&envelope));
        db_bind_int(insert, 6, attempts);
        if (next_try_us)
            db_bind_int(insert, 7, next_try_us);
        db_bind_string(insert, 8, cause);
        db_bind_int(insert, 9, clock_wall_us());
        int64_t number = db_next(insert) ? db_int(insert, 0) : 0;
        while (db_next(insert))
            continue;
        err = db_done(insert);
        if (!err)
            *ret_number = number;
    }
    buf_fini(&envelope);
    return err;
}

enum err parked_due(struct db_connection *connection, const char *group, int64_t now_us, struct arena *arena,
                    struct parked *ret)
{
    struct parked parked = {.number = 0};
    bool fits = true;
    struct db_statement *query = db_query(connection, due_sql);
    db_bind_string(query, 1, group);
    db_bind_int(query, 2, now_us);
    if (db_next(query)) {
        parked = (struct parked){.number = db_int(query, 0), .attempts = (unsigned)db_int(query, 3)};
        parked.subject = arena_text(arena, db_text(query, 1));
        parked.envelope = arena_text(arena, db_text(query, 2));
        parked.event_id = arena_text(arena, db_text(query, 4));
        fits = parked.subject.at && parked.envelope.at && parked.event_id.at;
    }
    enum err err = db_done(query);
    if (!err && !fits)
        err = err_because(ERR_MEMORY, "an event that was set aside does not fit in memory");
    if (!err)
        *ret = parked;
    return err;
}

enum err parked_postpone(struct db_connection *connection, const struct parked *parked, int64_t next_try_us,
                         const char *cause)
{
    struct db_statement *update = db_query(connection, postpone_sql);
    db_bind_int(update, 1, parked->number);
    db_bind_int(update, 2, next_try_us);
    db_bind_string(update, 3, cause);
    return db_run(update, NULL);
}

enum err parked_remove(struct db_connection *connection, const char *group, const struct parked *parked, int64_t now_us)
{
    struct db_statement *statement = db_query(connection, delete_sql);
    db_bind_int(statement, 1, parked->number);
    enum err err = db_run(statement, NULL);
    if (err)
        return err;
    struct db_statement *release = db_query(connection, release_sql);
    db_bind_string(release, 1, group);
    db_bind_text(release, 2, parked->subject);
    db_bind_int(release, 3, now_us);
    return db_run(release, NULL);
}

enum err parked_bury(struct db_connection *connection, const char *group, const struct parked *parked,
                     const char *cause, int64_t now_us)
{
    struct db_statement *insert = db_query(connection, bury_sql);
    db_bind_int(insert, 1, parked->number);
    db_bind_string(insert, 2, cause);
    db_bind_int(insert, 3, now_us);
    enum err err = db_run(insert, NULL);
    return err ? err : parked_remove(connection, group, parked, now_us);
}

enum err parked_next_try(struct db_connection *connection, const char *group, int64_t *ret_next_us)
{
    struct db_statement *query = db_query(connection, next_try_sql);
    db_bind_string(query, 1, group);
    int64_t next_us = db_next(query) ? db_int(query, 0) : 0;
    enum err err = db_done(query);
    if (!err)
        *ret_next_us = next_us;
    return err;
}
