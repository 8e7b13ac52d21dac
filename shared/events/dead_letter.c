#include "config.h"

#include "base/clock.h"
#include "events/dead_letter.h"

static const char list_sql[] =
    "SELECT number, consumer_group, subject, event_id, type, envelope, cause, attempts, parked_us, died_us"
    " FROM dead_letter WHERE number > $1 ORDER BY number LIMIT $2";
static const char count_sql[] = "SELECT count(*) FROM dead_letter";
static const char delete_sql[] = "DELETE FROM dead_letter WHERE number = $1";
/* Due at once, unless others of its subject wait: then behind them, as parked.h has it. */
static const char retry_sql[] =
    "INSERT INTO event_parked (number, consumer_group, subject, event_id, type, envelope, attempts, next_try_us, cause,"
    " parked_us) SELECT (SELECT coalesce(max(number), 0) + 1 FROM event_parked), d.consumer_group, d.subject,"
    " d.event_id, d.type, d.envelope, 0, CASE WHEN EXISTS (SELECT 1 FROM event_parked p WHERE"
    " p.consumer_group = d.consumer_group AND p.subject = d.subject) THEN NULL ELSE $2 END, d.cause, d.parked_us"
    " FROM dead_letter d WHERE d.number = $1";

enum err dead_letter_each(struct db_connection *connection, int64_t after, unsigned limit,
                          enum err (*take)(const struct dead_letter *letter, void *context), void *context)
{
    enum err verdict = ERR_NONE;
    struct db_statement *query = db_query(connection, list_sql);
    db_bind_int(query, 1, after);
    db_bind_int(query, 2, limit);
    while (!verdict && db_next(query)) {
        struct dead_letter letter = {
            .number = db_int(query, 0),
            .consumer_group = db_text(query, 1),
            .subject = db_text(query, 2),
            .event_id = db_text(query, 3),
            .type = db_text(query, 4),
            .envelope = db_text(query, 5),
            .cause = db_text(query, 6),
            .attempts = (unsigned)db_int(query, 7),
            .parked_us = db_int(query, 8),
            .died_us = db_int(query, 9),
        };
        verdict = take(&letter, context);
    }
    enum err err = db_done(query);
    return err ? err : verdict;
}

enum err dead_letter_count(struct db_connection *connection, uint64_t *ret)
{
    struct db_statement *query = db_query(connection, count_sql);
    uint64_t count = db_next(query) ? (uint64_t)db_int(query, 0) : 0;
    enum err err = db_done(query);
    if (!err)
        *ret = count;
    return err;
}

enum err dead_letter_retry(struct db_connection *connection, int64_t number)
{
    struct db_statement *insert = db_query(connection, retry_sql);
    db_bind_int(insert, 1, number);
    db_bind_int(insert, 2, clock_wall_us());
    enum err err = db_run(insert, NULL);
    return err ? err : dead_letter_drop(connection, number);
}

enum err dead_letter_drop(struct db_connection *connection, int64_t number)
{
    int64_t changes;
    struct db_statement *statement = db_query(connection, delete_sql);
    db_bind_int(statement, 1, number);
    enum err err = db_run(statement, &changes);
    if (!err && changes == 0)
        err = err_because(ERR_NOT_FOUND, "there is no dead letter %lld", (long long)number);
    return err;
}
