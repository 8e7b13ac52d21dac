/*
 * The user service's endpoints: HTTP in, HTTP out. The rules are in account.h, the data in store.h.
 *
 * The handlers are call_work functions, named for their endpoint and for the part they play in it (app/call.h).
 */
#ifndef TANDEM_APPS_USER_ROUTES_H
#define TANDEM_APPS_USER_ROUTES_H

#include <stddef.h>

#include "app/call.h"
#include "app/service.h"
#include "apps/user/password.h"

extern const struct endpoint user_endpoints[];
extern const size_t user_endpoint_count;

/** Whose session a bearer token is. */
identify_work user_identify;

/* how often a password may be tried (routes_attempts.c) */

/** Before a password is verified, on the lane: account stands for whose it is said to be. Refuses with ERR_TOO_MANY. */
enum err must_check attempt_begin(struct call *call, struct text account);

/** It was the right one: it counts as no try, and the account has a clean slate. */
void attempt_was_right(struct call *call, struct text account);

/* accounts (routes_account.c) */
struct registration_input {
    struct text email, name;
    struct secret password;
};
call_work registration_check, registration_task, registration_command;
void registration_likeness(const struct call *call, struct buf *out);
call_work me_query, account_query, accounts_query;

struct patch_input {
    struct text email, name, role, status;
};
call_work patch_check, patch_command;
call_work deactivation_check, deactivation_command;

/* passwords (routes_password.c) */
struct password_input {
    struct secret current_password, new_password;
};
call_work password_check, password_task, password_command;

/** What hashing a password costs in this call. */
struct password_cost user_password_cost(const struct call *call);

/* sessions (routes_session.c) */
struct sign_in_input {
    struct text email;
    struct secret password;
};
call_work sign_in_check, sign_in_task, sign_in_command;
call_work session_query, session_end_command;

struct introspection_input {
    struct secret token;
};
call_work introspection_query;

#endif
