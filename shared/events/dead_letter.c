#include "config.h"

#include "base/clock.h"
#include "events/dead_letter.h"
#include "events/failure.h"

static const char list_sql[] =
    "SELECT d.number, d.consumer_group, d.subject, d.event_id, d.type, d.envelope, d.cause, d.attempts, d.parked_us,"
    " d.died_us, (SELECT count(*) FROM event_parked p WHERE p.consumer_group = d.consumer_group"
    " AND p.subject = d.subject) FROM dead_letter d WHERE d.number > $1 ORDER BY d.number LIMIT $2";
static const char count_sql[] = "SELECT count(*) FROM dead_letter";
static const char waiting_sql[] =
    "SELECT event_id, type, cause, attempts, parked_us FROM event_parked WHERE consumer_group = $1 AND subject = $2"
    " ORDER BY number";
static const char find_sql[] =
    "SELECT consumer_group, subject, event_id FROM dead_letter WHERE number = $1 AND event_id = coalesce($2, event_id)";
static const char delete_sql[] = "DELETE FROM dead_letter WHERE number = $1";

/* The numbers of what is set aside are its order, and above 0. What is sent again happened before all of that, and
 * among itself is in the order in which it was set aside, which has another microsecond for each of a subject
 * (parked.c). So it has numbers far below 0, by that time, with room for as many of other subjects. */
static const char park_sql[] =
    "INSERT INTO event_parked (number, consumer_group, subject, event_id, type, envelope, attempts, next_try_us, cause,"
    " parked_us) SELECT coalesce((SELECT max(number) + 1 FROM event_parked WHERE number >= d.parked_us * 1000 - $2"
    " AND number < d.parked_us * 1000 - $2 + 1000), d.parked_us * 1000 - $2), d.consumer_group, d.subject, d.event_id,"
    " d.type, d.envelope, 0, NULL, d.cause, d.parked_us FROM dead_letter d WHERE d.number = $1";
#define FIRST_NUMBER (INT64_C(1) << 62)

static const char hold_sql[] =
    "UPDATE event_parked SET next_try_us = NULL WHERE consumer_group = $1 AND subject = $2";
static const char release_sql[] =
    "UPDATE event_parked SET next_try_us = $3 WHERE number = (SELECT min(number) FROM event_parked"
    " WHERE consumer_group = $1 AND subject = $2)";
static const char decide_sql[] =
    "INSERT INTO dead_letter_decision (decision, decided_us, decided_by, reason, consumer_group, subject, event_id,"
    " type, envelope, attempts, cause, parked_us, died_us) SELECT $2, $3, $4, $5, consumer_group, subject, event_id,"
    " type, CASE WHEN $6 = 1 THEN envelope END, attempts, cause, parked_us, died_us FROM dead_letter"
    " WHERE number = $1";
static const char bound_sql[] =
    "DELETE FROM dead_letter_decision WHERE number <= (SELECT max(number) - $1 FROM dead_letter_decision)";
static const char decisions_sql[] =
    "SELECT number, consumer_group, subject, event_id, type, envelope, cause, attempts, parked_us, died_us, decision,"
    " decided_by, reason, decided_us FROM (SELECT * FROM dead_letter_decision WHERE event_id = coalesce($1, event_id)"
    " ORDER BY number DESC LIMIT $2) AS latest ORDER BY number";

/* ---- reading ---- */

/* The columns that a letter and a decision begin with. */
static struct dead_letter read_letter(struct db_statement *row)
{
    return (struct dead_letter){
        .number = db_int(row, 0),
        .consumer_group = db_text(row, 1),
        .subject = db_text(row, 2),
        .event_id = db_text(row, 3),
        .type = db_text(row, 4),
        .envelope = db_text(row, 5),
        .cause = db_text(row, 6),
        .attempts = (unsigned)db_int(row, 7),
        .parked_us = db_int(row, 8),
        .died_us = db_int(row, 9),
    };
}

enum err dead_letter_each(struct db_connection *connection, int64_t after, unsigned limit,
                          enum err (*take)(const struct dead_letter *letter, void *context), void *context)
{
    enum err verdict = ERR_NONE;
    struct db_statement *query = db_query(connection, list_sql);
    db_bind_int(query, 1, after);
    db_bind_int(query, 2, limit);
    while (!verdict && db_next(query)) {
        struct dead_letter letter = read_letter(query);
        letter.waiting = (uint64_t)db_int(query, 10);
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

enum err dead_letter_waiting(struct db_connection *connection, struct text group, struct text subject,
                             enum err (*take)(const struct dead_letter_waiting *waiting, void *context), void *context)
{
    enum err verdict = ERR_NONE;
    struct db_statement *query = db_query(connection, waiting_sql);
    db_bind_text(query, 1, group);
    db_bind_text(query, 2, subject);
    while (!verdict && db_next(query)) {
        struct dead_letter_waiting waiting = {
            .event_id = db_text(query, 0),
            .type = db_text(query, 1),
            .cause = db_text(query, 2),
            .attempts = (unsigned)db_int(query, 3),
            .parked_us = db_int(query, 4),
        };
        verdict = take(&waiting, context);
    }
    enum err err = db_done(query);
    return err ? err : verdict;
}

enum err dead_letter_decisions(struct db_connection *connection, struct text event_id, unsigned limit,
                               enum err (*take)(const struct dead_letter_decision *decision, void *context),
                               void *context)
{
    enum err verdict = ERR_NONE;
    struct db_statement *query = db_query(connection, decisions_sql);
    db_bind_text(query, 1, event_id);
    db_bind_int(query, 2, limit);
    while (!verdict && db_next(query)) {
        struct dead_letter_decision decision = {
            .letter = read_letter(query),
            .decision = db_text(query, 10),
            .by = db_text(query, 11),
            .reason = db_text(query, 12),
            .decided_us = db_int(query, 13),
        };
        verdict = take(&decision, context);
    }
    enum err err = db_done(query);
    return err ? err : verdict;
}

/* ---- deciding ---- */

static enum err decide(struct db_connection *connection, const struct dead_letter_act *act, const char *decision,
                       bool keeps_envelope)
{
    struct db_statement *insert = db_query(connection, decide_sql);
    db_bind_int(insert, 1, act->number);
    db_bind_string(insert, 2, decision);
    db_bind_int(insert, 3, clock_wall_us());
    db_bind_text(insert, 4, act->by);
    db_bind_text(insert, 5, act->reason);
    db_bind_int(insert, 6, keeps_envelope);
    enum err err = db_run(insert, NULL);
    if (err)
        return err;
    struct db_statement *bound = db_query(connection, bound_sql);
    db_bind_int(bound, 1, DEAD_LETTER_DECISIONS_KEPT);
    return db_run(bound, NULL);
}

static enum err run_numbered(struct db_connection *connection, const char *sql, int64_t number)
{
    struct db_statement *statement = db_query(connection, sql);
    db_bind_int(statement, 1, number);
    return db_run(statement, NULL);
}

/* Of its subject the first is due at once, and the others wait behind it. */
static enum err park(struct db_connection *connection, int64_t number, struct text group, struct text subject)
{
    struct db_statement *insert = db_query(connection, park_sql);
    db_bind_int(insert, 1, number);
    db_bind_int(insert, 2, FIRST_NUMBER);
    enum err err = db_run(insert, NULL);
    if (err)
        return err;
    struct db_statement *hold = db_query(connection, hold_sql);
    db_bind_text(hold, 1, group);
    db_bind_text(hold, 2, subject);
    err = db_run(hold, NULL);
    if (err)
        return err;
    struct db_statement *release = db_query(connection, release_sql);
    db_bind_text(release, 1, group);
    db_bind_text(release, 2, subject);
    db_bind_int(release, 3, clock_wall_us());
    return db_run(release, NULL);
}

/* The row stays where its texts can be read until what is to be done with them is done. */
static enum err take_out(struct db_connection *connection, const struct dead_letter_act *act, bool is_redriven)
{
    struct db_statement *query = db_query(connection, find_sql);
    db_bind_int(query, 1, act->number);
    db_bind_text(query, 2, act->event_id);
    enum err err = ERR_NONE;
    bool found = db_next(query);
    struct text group = db_text(query, 0), subject = db_text(query, 1), event_id = db_text(query, 2);
    if (found) {
        err = decide(connection, act, is_redriven ? "redriven" : "discarded", !is_redriven);
        if (!err)
            err = is_redriven ? park(connection, act->number, group, subject)
                              : failure_forget(connection, group, event_id);
    }
    enum err failure = db_done(query);
    if (!err)
        err = failure;
    if (!err && !found)
        err = err_because(ERR_NOT_FOUND, "there is no dead letter %lld", (long long)act->number);
    return err ? err : run_numbered(connection, delete_sql, act->number);
}

enum err dead_letter_redrive(struct db_connection *connection, const struct dead_letter_act *act)
{
    return take_out(connection, act, true);
}

enum err dead_letter_discard(struct db_connection *connection, const struct dead_letter_act *act)
{
    return take_out(connection, act, false);
}
