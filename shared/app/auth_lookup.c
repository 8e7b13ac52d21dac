/* From a token to an identity: out of the cache, or by way of a flight. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "app/auth_private.h"
#include "app/observe.h"
#include "app/pipeline.h"
#include "app/service.h"
#include "base/clock.h"

#define CALL_OF(waiting) ((struct call *)((char *)(waiting) - offsetof(struct call, guest)))

static void count(struct auth *auth, enum auth_result result)
{
    metric_add(auth->results[result], 1);
}

static struct auth_lifetimes lifetimes_of(const struct call *call)
{
    return (struct auth_lifetimes){
        .fresh_ns = call_setting(call, OPTION_AUTH_CACHE_TTL_S) * NS_PER_S,
        .stale_ns = call_setting(call, OPTION_AUTH_STALE_MAX_S) * NS_PER_S,
        .unknown_ns = call_setting(call, OPTION_AUTH_UNKNOWN_TTL_MS) * NS_PER_MS,
    };
}

/* Nobody can be asked, or not now. */
static enum err refuse(struct auth *auth, struct call *call, enum err err)
{
    int64_t wait_s = (client_wait_ns(auth->client) + NS_PER_S - 1) / NS_PER_S;
    count(auth, RESULT_REFUSED);
    call_refuse(call, err, NULL, "Whose token this is cannot be found out at the moment; try again shortly.");
    call->problem.retry_after_s = wait_s > 1 ? (unsigned)wait_s : 1;
    return err;
}

enum err auth_recall(struct auth *auth, struct call *call, const char *token_digest, struct identity *ret)
{
    struct auth_lifetimes lifetimes = lifetimes_of(call);
    struct identity identity = {.role = 0};
    enum auth_known known = auth_cache_recall(auth->cache, token_digest, &lifetimes, clock_now_ns(), &identity);
    bool can_ask = known == AUTH_FRESH || known == AUTH_UNKNOWN || client_wait_ns(auth->client) == 0;
    if (known == AUTH_UNKNOWN) {
        count(auth, RESULT_UNKNOWN);
        return err_because(ERR_UNAUTHENTICATED, "the token was not active a moment ago");
    }
    if (known == AUTH_NOTHING && !can_ask)
        return refuse(auth, call, err_because(ERR_UNAVAILABLE, "the user service has failed too often to be asked"));
    if (known != AUTH_FRESH && can_ask) {
        memcpy(call->caller.token_digest, token_digest, sizeof call->caller.token_digest);
        return ERR_AGAIN;
    }
    count(auth, known == AUTH_FRESH ? RESULT_FRESH : RESULT_STALE);
    *ret = identity;
    return ERR_NONE;
}

/* ---- the end of a flight ---- */

/* What the outcome of the question means for one call: what is known of old will do when there is no new answer. */
static enum err settle(struct auth *auth, struct call *call, enum err err, const struct identity *identity)
{
    struct auth_lifetimes lifetimes = lifetimes_of(call);
    struct identity known;
    if (!err) {
        call->caller = *identity;
        return ERR_NONE;
    }
    if (err == ERR_UNAUTHENTICATED || err == ERR_DEADLINE)
        return err;
    switch (auth_cache_recall(auth->cache, call->caller.token_digest, &lifetimes, clock_now_ns(), &known)) {
    case AUTH_FRESH:
    case AUTH_STALE:
        count(auth, RESULT_STALE);
        call->caller = known;
        return ERR_NONE;
    case AUTH_UNKNOWN:
        return ERR_UNAUTHENTICATED;
    case AUTH_NOTHING:
        break;
    }
    return refuse(auth, call, err);
}

static void go_on(struct call *call)
{
    pipeline_identified(call, ERR_NONE);
}

/* A call that was parked. It goes on with a worker, or here when they are all busy: then this one is as good. */
static void tell(struct auth *auth, struct call *call, struct db_connection *reader, enum err err,
                 const struct identity *identity, const char *cause)
{
    err = settle(auth, call, err, identity);
    if (err) {
        call->cause = err_status(err) >= 500 ? arena_string(call_arena(call), text_of(cause)) : NULL;
        pipeline_identified(call, err);
    } else if (pipeline_to_worker(call, POOL_COMMON, go_on)) {
        pipeline_on_this_worker(call, reader, go_on);
    }
}

/* The leader has no time left, or its answer is of before, which is nobody else's fault: the next leads. */
static void ask_again(struct auth *auth, struct call *call)
{
    if (clock_now_ns() < call->deadline_ns)
        auth_ask(auth, call);
    else
        pipeline_identified(call, ERR_DEADLINE);
}

/* Who came after a revocation is not to have the answer from before it. */
static void land(struct auth *auth, struct call *leader, enum err err, const struct identity *identity, int64_t mark)
{
    struct flight_guest *guest = flights_land(auth->flights, text_of(leader->caller.token_digest));
    bool is_of_before = !err && guest && !auth_cache_holds(auth->cache, identity, mark);
    char cause[256];
    snprintf(cause, sizeof cause, "%s", err_cause());
    while (guest) {
        struct call *call = CALL_OF(guest);
        guest = guest->next;
        if (err == ERR_DEADLINE || is_of_before)
            ask_again(auth, call);
        else
            tell(auth, call, leader->db, err, identity, cause);
    }
    pipeline_enter(leader);
    err = settle(auth, leader, err, identity);
    leader->cause = err && err_status(err) >= 500 ? arena_string(call_arena(leader), text_of(cause)) : NULL;
    pipeline_identified(leader, err);
}

/* ---- a flight ---- */

static enum err question(void *context, struct identity *ret)
{
    const struct call *call = context;
    return auth_question(call->service->auth, call, ret);
}

static void lead(struct call *call)
{
    struct auth *auth = call->service->auth;
    struct auth_lifetimes lifetimes = lifetimes_of(call);
    const struct auth_asking asking = {.token_digest = call->caller.token_digest, .ask = question, .context = call,
                                       .deadline_ns = call->deadline_ns};
    struct identity identity = {.role = 0};
    int64_t mark = 0;
    enum err err = auth_cache_fetch(auth->cache, &asking, &lifetimes, &identity, &mark);
    land(auth, call, err, &identity, mark);
}

void auth_ask(struct auth *auth, struct call *call)
{
    bool leads = false, is_earliest = false;
    call->guest.deadline_ns = call->deadline_ns;
    call->queued_since_ns = clock_now_ns();
    observe_leave();   /* once it is on board another thread may end it */
    enum err err = flights_board(auth->flights, text_of(call->caller.token_digest), &call->guest, &leads, &is_earliest);
    if (err) {
        pipeline_identified(call, settle(auth, call, err, NULL));
        return;
    }
    count(auth, leads ? RESULT_ASKED : RESULT_JOINED);
    if (is_earliest)
        auth_watch_nudge(auth->watch);
    if (!leads)
        return;
    err = pipeline_to_worker(call, POOL_ASKING, lead);
    if (err)
        land(auth, call, err, NULL, 0);
}

int64_t auth_end_overdue(struct auth *auth)
{
    int64_t next_ns;
    struct flight_guest *guest = flights_overdue(auth->flights, clock_now_ns(), &next_ns);
    while (guest) {
        struct call *call = CALL_OF(guest);
        guest = guest->next;
        pipeline_identified(call, err_because(ERR_DEADLINE, "nobody has said in time whose the token is"));
    }
    return next_ns;
}
