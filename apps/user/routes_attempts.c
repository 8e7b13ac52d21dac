/* How often one may try a password: at one account, and from one client address. */
#include "config.h"

#include "apps/user/app.h"
#include "apps/user/routes.h"
#include "base/clock.h"

static unsigned per_minute(const struct call *call, enum attempts_of of)
{
    return (unsigned)call_setting(call, of == ATTEMPTS_OF_ACCOUNT ? OPTION_SESSION_ATTEMPTS_PER_MINUTE
                                                                  : OPTION_SESSION_SOURCE_ATTEMPTS_PER_MINUTE);
}

/* A view of the request or of out. */
static struct text source_of(const struct call *call, char out[static ATTEMPTS_SOURCE_SIZE])
{
    struct text address = http_param(&call->exchange->request, "REMOTE_ADDR");
    return attempts_source(address.at ? address : TEXT("unknown"), out);
}

static enum err take(struct call *call, enum attempts_of of, struct text whose)
{
    struct user_app *app = call_app(call);
    int64_t wait_ns = attempts_take(app->attempts, of, whose, per_minute(call, of), clock_now_ns());
    if (wait_ns == 0)
        return ERR_NONE;
    metric_add(of == ATTEMPTS_OF_ACCOUNT ? app->refused_account : app->refused_source, 1);
    call_refuse(call, ERR_TOO_MANY, "too-many-attempts", "There were too many attempts; try again later.");
    call->problem.retry_after_s = (unsigned)((wait_ns + NS_PER_S - 1) / NS_PER_S);
    return ERR_TOO_MANY;
}

enum err attempt_begin(struct call *call, struct text account)
{
    char source[ATTEMPTS_SOURCE_SIZE];
    enum err err = take(call, ATTEMPTS_OF_SOURCE, source_of(call, source));
    return err ? err : take(call, ATTEMPTS_OF_ACCOUNT, account);
}

/* The source has only this one try back: it may be signing in to an account of its own between tries at another's. */
void attempt_was_right(struct call *call, struct text account)
{
    struct user_app *app = call_app(call);
    char source[ATTEMPTS_SOURCE_SIZE];
    attempts_forget(app->attempts, ATTEMPTS_OF_ACCOUNT, account);
    attempts_give_back(app->attempts, ATTEMPTS_OF_SOURCE, source_of(call, source),
                       per_minute(call, ATTEMPTS_OF_SOURCE));
}
