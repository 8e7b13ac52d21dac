#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/secret.h"
#include "apps/ctl/user_database.h"
#include "apps/user/account.h"
#include "apps/user/store.h"
#include "base/clock.h"

enum { ARENA_MAX = 64 * 1024, DAYS = 365, DAYS_MAX = 3650 };
enum { DAY_S = 86400 };

struct issue {
    struct arena arena;
    struct text email_key;
    char token[TOKEN_SIZE], digest[TOKEN_DIGEST_SIZE];
    int64_t now_us, expires_us;
};

/* A long-lived session, for a service only: people sign in. */
static enum err add_session(struct db_connection *connection, void *context)
{
    struct issue *issue = context;
    struct account account;
    enum err err = store_account_of_email(connection, issue->email_key, &issue->arena, &account);
    if (err)
        return err;
    if (account.role != ROLE_SERVICE || !account.active)
        return err_because(ERR_FORBIDDEN, "this is not the account of an active service (user create --service)");
    const struct session session = {
        .token_digest = text_of(issue->digest),
        .user_id = account.id,
        .issued = true,
        .created_us = issue->now_us,
        .expires_us = issue->expires_us,
    };
    return store_session_add(connection, &session);
}

static enum err end_session(struct db_connection *connection, void *context)
{
    const struct issue *issue = context;
    return store_session_end(connection, text_of(issue->digest));
}

/* A session whose token nobody has is of no use. Returns err, with its cause. */
static enum err take_back(const struct settings *settings, struct issue *issue, enum err err)
{
    char cause[512];
    snprintf(cause, sizeof cause, "%s", err_cause());
    if (user_database_change(settings, end_session, issue))
        return err_because(err, "%s; and its session could not be ended: change the account's password", cause);
    return err_because(err, "%s", cause);
}

/* The file is whole on the disk before the session is in force, and gets its name after: neither a full disk nor a
 * folder one may not write to changes anything, and the name never stands for a token that opens nothing. */
static enum err issue_token(const struct settings *settings, const char *path, struct issue *issue)
{
    struct secret_file file;
    enum err err = secret_stage(path, secret_of(text_of(issue->token)), &file);
    if (err)
        return err;
    err = user_database_change(settings, add_session, issue);
    if (!err) {
        err = secret_publish(&file);
        if (err)
            err = take_back(settings, issue, err);
    }
    if (err)
        secret_drop(&file);
    return err;
}

static int create(const struct invocation *invocation, struct issue *issue, long days)
{
    char expires_at[CLOCK_RFC3339_SIZE];
    struct settings *settings = load_settings(invocation, "user");
    if (!settings)
        return EXIT_FAILURE;
    issue->now_us = clock_wall_us();
    issue->expires_us = issue->now_us + days * DAY_S * US_PER_S;
    digest_hex(text_of(token_new(issue->token)), issue->digest);
    enum err err = account_email_key(text_of(invocation_value(invocation, "email")), &issue->arena, &issue->email_key);
    if (!err)
        err = issue_token(settings, invocation_value(invocation, "file"), issue);
    settings_unref(settings);
    sodium_memzero(issue->token, sizeof issue->token);
    if (err)
        return invocation_failure("%s", err_cause());
    printf("expires %s\n", clock_rfc3339(issue->expires_us, expires_at));
    return EXIT_SUCCESS;
}

int command_token_create(const struct invocation *invocation)
{
    struct issue issue = {.now_us = 0};
    long days;
    if (!invocation_number(invocation, "days", 1, DAYS_MAX, DAYS, &days))
        return EXIT_USAGE;
    arena_init(&issue.arena, ARENA_MAX);
    int status = create(invocation, &issue, days);
    arena_fini(&issue.arena);
    return status;
}
