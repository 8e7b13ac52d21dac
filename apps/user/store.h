/*
 * Accounts and sessions in the database. SQL and nothing else.
 *
 * Reading functions take any connection, changing ones the writer's, inside its transaction. Texts that are read are
 * copied into the arena. ERR_STORAGE and its kin, and ERR_MEMORY, may come from all of them. No cause that is set here
 * has an e-mail address in it.
 */
#ifndef TANDEM_APPS_USER_STORE_H
#define TANDEM_APPS_USER_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "apps/user/account.h"
#include "base/arena.h"
#include "base/err.h"
#include "state/db.h"
#include "state/migrate.h"

/* ---- accounts ---- */

/** ERR_CONFLICT when the address has an account. */
enum err must_check store_account_add(struct db_connection *connection, const struct account *account);

/** ERR_NOT_FOUND. */
enum err must_check store_account(struct db_connection *connection, struct text id, struct arena *arena,
                                  struct account *ret);
enum err must_check store_account_of_email(struct db_connection *connection, struct text email_key,
                                           struct arena *arena, struct account *ret);

/** At most limit accounts after this id (empty: from the first), by id. */
enum err must_check store_accounts(struct db_connection *connection, struct text after, int64_t limit,
                                   struct arena *arena, struct account **ret, size_t *ret_count);

/** Everything but the id, the hash and the time of creation. ERR_CONFLICT when another account has the address,
 *  ERR_NOT_FOUND. */
enum err must_check store_account_change(struct db_connection *connection, const struct account *account);

/** Replaces the hash, when it still is `expected` (absent: whatever it is). ERR_CONFLICT when it is not. */
enum err must_check store_password(struct db_connection *connection, struct text id, struct text expected,
                                   struct text hash);

/** How many active admins there are beside this one. */
enum err must_check store_other_admins(struct db_connection *connection, struct text id, int64_t *ret_count);

/* ---- sessions ---- */

struct session {
    struct text token_digest, user_id;
    bool issued;                      /* to a service by its operator; not counted against session.per_user_max */
    int64_t created_us, expires_us;
    unsigned role;                    /* of its account; when read */
};

enum err must_check store_session_add(struct db_connection *connection, const struct session *session);

/** A session that has not ended, of an active account. ERR_NOT_FOUND. */
enum err must_check store_session(struct db_connection *connection, struct text token_digest, int64_t now_us,
                                  struct arena *arena, struct session *ret);

/** Ends one, if it is there. */
enum err must_check store_session_end(struct db_connection *connection, struct text token_digest);

/** Ends all of a user's, but the one with this digest (absent: none is spared). */
enum err must_check store_sessions_end(struct db_connection *connection, struct text user_id, struct text but_digest);

/** Ends the oldest of those the user signed in with, until at most keep are left. *ret_ended (may be NULL) is how
 *  many. */
enum err must_check store_sessions_trim(struct db_connection *connection, struct text user_id, int64_t keep,
                                        int64_t *ret_ended);

/** Forgets at most max sessions whose time is over. */
enum err must_check store_sessions_sweep(struct db_connection *connection, int64_t now_us, int64_t max);

/** The tables, for migrate(). */
extern const struct migration_set user_migrations;

#endif
