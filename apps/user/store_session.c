#include "config.h"

#include "apps/user/store.h"

enum err store_session_add(struct db_connection *connection, const struct session *session)
{
    struct db_statement *insert =
        db_query(connection, "INSERT INTO session (token_digest, user_id, origin, created_us, expires_us)"
                             " VALUES ($1, $2, $3, $4, $5)");
    db_bind_text(insert, 1, session->token_digest);
    db_bind_text(insert, 2, session->user_id);
    db_bind_string(insert, 3, session->issued ? "issued" : "sign-in");
    db_bind_int(insert, 4, session->created_us);
    db_bind_int(insert, 5, session->expires_us);
    return db_run(insert, NULL);
}

static enum err read_session(struct db_statement *row, struct arena *arena, struct session *ret)
{
    struct session session = {
        .token_digest = arena_text(arena, db_text(row, 0)),
        .user_id = arena_text(arena, db_text(row, 1)),
        .issued = text_equal(db_text(row, 2), TEXT("issued")),
        .created_us = db_int(row, 3),
        .expires_us = db_int(row, 4),
        .role = role_of(db_text(row, 5)),
    };
    if (!session.token_digest.at || !session.user_id.at)
        return err_because(ERR_MEMORY, "no room for a row of sessions");
    *ret = session;
    return ERR_NONE;
}

enum err store_session(struct db_connection *connection, struct text token_digest, int64_t now_us,
                       struct arena *arena, struct session *ret)
{
    struct session session;
    struct db_statement *query =
        db_query(connection, "SELECT s.token_digest, s.user_id, s.origin, s.created_us, s.expires_us, a.role"
                             " FROM session s JOIN account a ON a.id = s.user_id"
                             " WHERE s.token_digest = $1 AND s.expires_us > $2 AND a.status = 'active'");
    db_bind_text(query, 1, token_digest);
    db_bind_int(query, 2, now_us);
    bool found = db_next(query);
    enum err read = found ? read_session(query, arena, &session) : err_because(ERR_NOT_FOUND, "no such session");
    enum err err = db_done(query);
    if (!err)
        err = read;
    if (!err)
        *ret = session;
    return err;
}

enum err store_session_end(struct db_connection *connection, struct text token_digest)
{
    struct db_statement *drop = db_query(connection, "DELETE FROM session WHERE token_digest = $1");
    db_bind_text(drop, 1, token_digest);
    return db_run(drop, NULL);
}

enum err store_sessions_end(struct db_connection *connection, struct text user_id, struct text but_digest)
{
    struct db_statement *drop =
        db_query(connection, "DELETE FROM session WHERE user_id = $1 AND token_digest <> COALESCE($2, '')");
    db_bind_text(drop, 1, user_id);
    db_bind_text(drop, 2, but_digest);
    return db_run(drop, NULL);
}

enum err store_sessions_trim(struct db_connection *connection, struct text user_id, int64_t keep,
                             int64_t *ret_ended)
{
    struct db_statement *drop =
        db_query(connection, "DELETE FROM session WHERE user_id = $1 AND origin = 'sign-in' AND token_digest NOT IN"
                             " (SELECT token_digest FROM session WHERE user_id = $1 AND origin = 'sign-in'"
                             " ORDER BY created_us DESC, token_digest LIMIT $2)");
    db_bind_text(drop, 1, user_id);
    db_bind_int(drop, 2, keep);
    return db_run(drop, ret_ended);
}

enum err store_sessions_sweep(struct db_connection *connection, int64_t now_us, int64_t max)
{
    struct db_statement *drop =
        db_query(connection, "DELETE FROM session WHERE token_digest IN (SELECT token_digest FROM session"
                             " WHERE expires_us <= $1 ORDER BY expires_us LIMIT $2)");
    db_bind_int(drop, 1, now_us);
    db_bind_int(drop, 2, max);
    return db_run(drop, NULL);
}
