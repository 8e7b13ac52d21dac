/*
 * PUT /v1/users/{id}/password. The current password is asked for, but an admin may leave it out; when it is given it
 * has to be right.
 */
#include "config.h"

#include "apps/user/account.h"
#include "apps/user/events.h"
#include "apps/user/routes.h"
#include "apps/user/store.h"

/* From task to command. */
struct new_password {
    struct text verified_hash;       /* what the current password was verified against; absent: it was not */
    char hash[PASSWORD_HASH_SIZE];
};

struct password_cost user_password_cost(const struct call *call)
{
    return (struct password_cost){
        .passes = (unsigned)call_setting(call, OPTION_PASSWORD_PASSES),
        .memory_kib = (unsigned)call_setting(call, OPTION_PASSWORD_MEMORY_KIB),
    };
}

enum err password_check(struct call *call)
{
    const struct password_input *input = call->input;
    enum err err = account_may_change(&call->caller, call_path(call, "id"));
    if (err)
        return err;
    if (!secret_is_given(input->current_password) && !call_has_role(call, ROLE_ADMIN))
        err = call_fault(call, "/current_password", "is required");
    unsigned min = (unsigned)call_setting(call, OPTION_PASSWORD_MIN_LENGTH);
    const char *fault = account_password_fault(input->new_password, min, call_arena(call));
    if (fault)
        err = call_fault(call, "/new_password", fault);
    if (!err && secret_is_given(input->current_password))
        err = attempt_begin(call, call_path(call, "id"));
    return err;
}

static enum err refuse_wrong(struct call *call)
{
    return call_refuse(call, ERR_FORBIDDEN, "wrong-password", "The current password is not this one.");
}

enum err password_task(struct call *call)
{
    const struct password_input *input = call->input;
    const struct password_cost cost = user_password_cost(call);
    struct new_password *new = arena_calloc(call_arena(call), 1, sizeof *new);
    struct account account;
    if (!new)
        return err_because(ERR_MEMORY, "no room for a new password");
    enum err err = store_account(call->db, call_path(call, "id"), call_arena(call), &account);
    if (!err && secret_is_given(input->current_password)) {
        err = password_verify(input->current_password, account.password_hash);
        new->verified_hash = account.password_hash;
        if (!err)
            attempt_was_right(call, account.id);
    }
    if (err == ERR_UNAUTHENTICATED)
        return refuse_wrong(call);
    call->state = new;
    return err ? err : password_hash(input->new_password, &cost, new->hash);
}

/* Who signed in with the old password is signed out, but for the session that asks for this. */
enum err password_command(struct call *call)
{
    const struct new_password *new = call->state;
    struct text id = call_path(call, "id");
    enum err err = store_password(call->db, id, new->verified_hash, text_of(new->hash));
    if (err == ERR_CONFLICT)   /* another change came first, so that this current password is not current any more */
        return refuse_wrong(call);
    if (!err)
        err = store_sessions_end(call->db, id, text_of(call->caller.token_digest));
    if (!err)
        err = user_access_changed(call, id);
    if (!err)
        call_empty(call, 204);
    return err;
}
