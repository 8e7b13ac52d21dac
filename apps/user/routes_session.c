#include "config.h"

#include <string.h>

#include "apps/user/account.h"
#include "apps/user/events.h"
#include "apps/user/routes.h"
#include "apps/user/store.h"
#include "base/clock.h"

/* Each sign-in pays for a little of the sweeping, so that there is never much of it. */
enum { SWEEP_MAX = 16 };

/* ---- who is asking ---- */

enum err user_identify(struct call *call, const char *token_digest, struct identity *ret)
{
    struct session session;
    struct identity identity = {.user_id = ""};
    enum err err = store_session(call->db, text_of(token_digest), clock_wall_us(), call_arena(call), &session);
    if (err == ERR_NOT_FOUND)
        return err_because(ERR_UNAUTHENTICATED, "the token is of no session");
    if (err)
        return err;
    if (session.user_id.length >= sizeof identity.user_id)
        return err_because(ERR_STORAGE, "a session has a malformed user id");
    memcpy(identity.user_id, session.user_id.at, session.user_id.length);
    memcpy(identity.token_digest, token_digest, sizeof identity.token_digest);
    identity.role = session.role;
    identity.expires_us = session.expires_us;
    *ret = identity;
    return ERR_NONE;
}

/* ---- POST /v1/sessions ---- */

/* From task to command. */
struct sign_in {
    struct account account;
    bool rehashed;                       /* new_hash takes the old one's place, whose cost is not today's */
    char new_hash[PASSWORD_HASH_SIZE];
    char token[TOKEN_SIZE], digest[TOKEN_DIGEST_SIZE];
};

static enum err refuse_sign_in(struct call *call)
{
    return call_refuse(call, ERR_UNAUTHENTICATED, "sign-in-failed",
                       "There is no active account with this e-mail address and password.");
}

/* On the lane, so that who is refused costs neither a worker nor a hash. Counted by what was typed, whether it is an
 * account or not. */
enum err sign_in_check(struct call *call)
{
    const struct sign_in_input *input = call->input;
    struct text key;
    enum err err = account_email_key(input->email, call_arena(call), &key);
    return err ? err : attempt_begin(call, key);
}

static enum err count_as_right(struct call *call)
{
    const struct sign_in_input *input = call->input;
    struct text key;
    enum err err = account_email_key(input->email, call_arena(call), &key);
    if (!err)
        attempt_was_right(call, key);
    return err;
}

/* The account that is signed in to. It takes as long, and says the same, whether it is the address or the password
 * that is wrong, or the account that is deactivated. */
static enum err verify(struct call *call, struct account *ret)
{
    const struct sign_in_input *input = call->input;
    const struct password_cost cost = user_password_cost(call);
    char dummy[PASSWORD_HASH_SIZE];
    struct account account;
    struct text key;
    enum err found = account_email_key(input->email, call_arena(call), &key);
    if (!found)
        found = store_account_of_email(call->db, key, call_arena(call), &account);
    if (found && found != ERR_NOT_FOUND)
        return found;

    password_dummy(&cost, dummy);
    enum err err = password_verify(input->password, found ? text_of(dummy) : account.password_hash);
    if (err == ERR_UNAUTHENTICATED || (!err && (found || !account.active)))
        return refuse_sign_in(call);
    if (!err)
        *ret = account;
    return err;
}

enum err sign_in_task(struct call *call)
{
    const struct sign_in_input *input = call->input;
    const struct password_cost cost = user_password_cost(call);
    struct sign_in *sign_in = arena_calloc(call_arena(call), 1, sizeof *sign_in);
    if (!sign_in)
        return err_because(ERR_MEMORY, "no room to sign in");
    enum err err = verify(call, &sign_in->account);
    if (!err)
        err = count_as_right(call);
    if (!err && password_outdated(sign_in->account.password_hash, &cost)) {
        err = password_hash(input->password, &cost, sign_in->new_hash);
        sign_in->rehashed = true;
    }
    if (!err)
        digest_hex(text_of(token_new(sign_in->token)), sign_in->digest);
    call->state = sign_in;
    return err;
}

/* The account may have changed since the password was verified. */
static enum err verify_unchanged(struct call *call, const struct account *verified)
{
    struct account account;
    enum err err = store_account(call->db, verified->id, call_arena(call), &account);
    if (!err && account.active && text_equal(account.password_hash, verified->password_hash))
        return ERR_NONE;
    return err && err != ERR_NOT_FOUND ? err : refuse_sign_in(call);
}

static void respond_session(struct call *call, const char *token, const struct session *session)
{
    struct json_writer writer;
    call_header(call, "Cache-Control", "no-store");
    call_json(call, token ? 201 : 200, &writer);
    json_object_begin(&writer);
    if (token)
        json_member_string(&writer, "token", token);
    json_member_time(&writer, "expires_at", session->expires_us);
    json_member_text(&writer, "user_id", session->user_id);
    json_object_end(&writer);
}

enum err sign_in_command(struct call *call)
{
    const struct sign_in *sign_in = call->state;
    int64_t now_us = clock_wall_us(), ended = 0;
    struct session session = {
        .token_digest = text_of(sign_in->digest),
        .user_id = sign_in->account.id,
        .created_us = now_us,
        .expires_us = now_us + call_setting(call, OPTION_SESSION_LIFETIME_S) * US_PER_S,
    };
    enum err err = verify_unchanged(call, &sign_in->account);
    if (!err && sign_in->rehashed)
        err = store_password(call->db, session.user_id, TEXT_NONE, text_of(sign_in->new_hash));
    if (!err)
        err = store_sessions_sweep(call->db, now_us, SWEEP_MAX);
    if (!err)
        err = store_sessions_trim(call->db, session.user_id, call_setting(call, OPTION_SESSION_PER_USER_MAX) - 1,
                                  &ended);
    if (!err && ended > 0)
        err = user_access_changed(call, session.user_id);
    if (!err)
        err = store_session_add(call->db, &session);
    if (err)
        return err;
    call_header(call, "Location", "/v1/sessions/current");
    respond_session(call, sign_in->token, &session);
    return ERR_NONE;
}

/* ---- /v1/sessions/current ---- */

enum err session_query(struct call *call)
{
    const struct identity *caller = &call->caller;
    struct session session = {.user_id = text_of(caller->user_id), .expires_us = caller->expires_us};
    respond_session(call, NULL, &session);
    return ERR_NONE;
}

enum err session_end_command(struct call *call)
{
    const struct identity *caller = &call->caller;
    enum err err = store_session_end(call->db, text_of(caller->token_digest));
    if (!err)
        err = user_session_ended(call, caller->user_id, caller->token_digest);
    if (!err)
        call_empty(call, 204);
    return err;
}

/* ---- POST /v1/sessions/introspect, after RFC 7662 ---- */

enum err introspection_query(struct call *call)
{
    const struct introspection_input *input = call->input;
    char digest[TOKEN_DIGEST_SIZE];
    struct json_writer writer;
    struct session session;
    enum err err = store_session(call->db, text_of(digest_hex(secret_reveal(input->token), digest)), clock_wall_us(),
                                 call_arena(call), &session);
    if (err && err != ERR_NOT_FOUND)
        return err;
    call_header(call, "Cache-Control", "no-store");
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_member_boolean(&writer, "active", !err);
    if (!err) {
        json_member_text(&writer, "user_id", session.user_id);
        json_member_string(&writer, "role", role_name(session.role));
        json_member_time(&writer, "expires_at", session.expires_us);
    }
    json_object_end(&writer);
    return ERR_NONE;
}
