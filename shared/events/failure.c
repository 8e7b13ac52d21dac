#include "config.h"

#include "events/failure.h"

static const char insert_sql[] =
    "INSERT INTO event_failure (consumer_group, event_id, attempt, failed_us, cause) VALUES ($1, $2, $3, $4, $5)";
static const char bound_sql[] =
    "DELETE FROM event_failure WHERE event_id = $2 AND consumer_group = $1 AND number <= (SELECT number"
    " FROM event_failure WHERE event_id = $2 AND consumer_group = $1 ORDER BY number DESC LIMIT 1 OFFSET $3)";
static const char forget_sql[] = "DELETE FROM event_failure WHERE event_id = $2 AND consumer_group = $1";
static const char list_sql[] =
    "SELECT attempt, failed_us, cause FROM event_failure WHERE event_id = $2 AND consumer_group = $1 ORDER BY number";

enum err failure_add(struct db_connection *connection, const char *group, struct text event_id,
                     const struct event_failure *failure)
{
    struct db_statement *insert = db_query(connection, insert_sql);
    db_bind_string(insert, 1, group);
    db_bind_text(insert, 2, event_id);
    db_bind_int(insert, 3, failure->attempt);
    db_bind_int(insert, 4, failure->failed_us);
    db_bind_text(insert, 5, failure->cause);
    enum err err = db_run(insert, NULL);
    if (err || failure->attempt <= 1)
        return err;
    struct db_statement *bound = db_query(connection, bound_sql);
    db_bind_string(bound, 1, group);
    db_bind_text(bound, 2, event_id);
    db_bind_int(bound, 3, FAILURES_KEPT);
    return db_run(bound, NULL);
}

enum err failure_forget(struct db_connection *connection, struct text group, struct text event_id)
{
    struct db_statement *statement = db_query(connection, forget_sql);
    db_bind_text(statement, 1, group);
    db_bind_text(statement, 2, event_id);
    return db_run(statement, NULL);
}

enum err failure_each(struct db_connection *connection, struct text group, struct text event_id,
                      enum err (*take)(const struct event_failure *failure, void *context), void *context)
{
    enum err verdict = ERR_NONE;
    struct db_statement *query = db_query(connection, list_sql);
    db_bind_text(query, 1, group);
    db_bind_text(query, 2, event_id);
    while (!verdict && db_next(query)) {
        struct event_failure failure = {(unsigned)db_int(query, 0), db_int(query, 1), db_text(query, 2)};
        verdict = take(&failure, context);
    }
    enum err err = db_done(query);
    return err ? err : verdict;
}
