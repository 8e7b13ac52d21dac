/* Hears from the bus what was revoked: a thread in each process, with a place of its own in the log of events. */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "app/auth_private.h"
#include "base/clock.h"
#include "base/json.h"
#include "events/wakeup.h"
#include "state/thread.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_APP

enum { BATCH = 64, BATCH_BYTES = 1024 * 1024, WAIT_MS = 60000, FAILURE_PAUSE_MS = 250, READ_BYTES = 16 * 1024 };

#define SESSION_ENDED_FAMILY "session.ended.v"
#define ACCESS_CHANGED_FAMILY "account.access_changed.v"

struct auth_watch {
    struct auth *auth;
    struct bus_subscription *subscription;
    struct arena arena;
    struct bus_delivery deliveries[BATCH];
    struct wakeup wakeup;          /* ends a pause after a failure */
    pthread_t thread;
    bool started, failing;
    atomic_bool stopping;
    struct metric_series revocations;
};

/* ---- what an event says ---- */

static const struct json_field revocation_fields[] = {
    {.name = "user_id", .type = JSON_TEXT, .required = true, .max = ID_LENGTH,
     .offset = offsetof(struct auth_revocation, user_id)},
    {.name = "token_digest", .type = JSON_TEXT, .max = TOKEN_DIGEST_SIZE,
     .offset = offsetof(struct auth_revocation, token_digest)},
    {.name = NULL},
};

enum err auth_revocation_read(const struct event *event, struct arena *arena, struct auth_revocation *ret)
{
    struct json_document *document = NULL;
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(event->data.at ? event->data : TEXT(""), &document);
    if (!err)
        err = json_read_lenient(document, revocation_fields, arena, ret, &faults);
    json_free(document);
    return err;
}

/* What a newer version means by more is not known here. That it is about the user is, and to forget too much costs a
 * question. */
static void count_unknown(const struct event *event)
{
    if (text_equal_string(event->type, AUTH_SESSION_ENDED) || text_equal_string(event->type, AUTH_ACCESS_CHANGED))
        return;
    bool is_session = text_starts(event->type, TEXT(SESSION_ENDED_FAMILY));
    metric_add(metric_series(METRIC_EVENTS_UNKNOWN, is_session ? "session.ended" : "account.access_changed"), 1);
}

/* One that does not say which token is about all of the user's. */
static void apply(struct auth_watch *watch, const struct event *event)
{
    struct auth_cache *cache = watch->auth->cache;
    struct auth_revocation revocation = {.user_id = TEXT_NONE};
    struct arena arena;
    arena_init(&arena, READ_BYTES);
    count_unknown(event);
    enum err err = auth_revocation_read(event, &arena, &revocation);
    if (err)
        log_event(LOG_ERROR, "an event about tokens is not understood", LOG_TEXT("event_id", event->id), LOG_ERR(err));
    else if (text_equal_string(event->type, AUTH_SESSION_ENDED) && revocation.token_digest.at)
        auth_cache_revoke_token(cache, revocation.token_digest);
    else
        auth_cache_revoke_user(cache, revocation.user_id);
    metric_add(watch->revocations, !err);
    arena_fini(&arena);
}

/* ---- the thread ---- */

static unsigned wait_ms(int64_t until_ns)
{
    int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS + 1;
    return !until_ns || left_ms > WAIT_MS ? WAIT_MS : left_ms < 0 ? 0 : (unsigned)left_ms;
}

static enum err take_batch(struct auth_watch *watch, unsigned timeout_ms)
{
    size_t fetched = 0;
    arena_reset(&watch->arena);
    enum err err = bus_fetch(watch->subscription, timeout_ms, &watch->arena, watch->deliveries, BATCH, &fetched);
    if (err || fetched == 0)
        return err;
    for (size_t i = 0; i < fetched; i++)
        apply(watch, &watch->deliveries[i].event);
    return bus_acknowledge(watch->subscription, watch->deliveries[fetched - 1].offset);
}

/* Told once each way. */
static void note(struct auth_watch *watch, enum err err)
{
    if (err && !watch->failing)
        log_event(LOG_WARNING, "sign-outs are not heard of at the moment", LOG_ERR(err));
    else if (!err && watch->failing)
        log_event(LOG_INFO, "sign-outs are heard of again");
    watch->failing = err != ERR_NONE;
}

static void *run(void *context)
{
    struct auth_watch *watch = context;
    while (!atomic_load(&watch->stopping)) {
        unsigned left_ms = wait_ms(auth_end_overdue(watch->auth));
        enum err err = take_batch(watch, left_ms);
        note(watch, err);
        if (err)
            wakeup_wait(&watch->wakeup, left_ms < FAILURE_PAUSE_MS ? left_ms : FAILURE_PAUSE_MS);
    }
    return NULL;
}

/* ---- life ---- */

enum err auth_watch_start(struct auth *auth, struct bus *bus, struct auth_watch **ret)
{
    static const char *const types[] = {SESSION_ENDED_FAMILY, ACCESS_CHANGED_FAMILY, NULL};
    struct auth_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_because(ERR_MEMORY, "no memory to hear of sign-outs");
    watch->auth = auth;
    watch->revocations = metric_series(METRIC_AUTH_REVOCATIONS);
    arena_init(&watch->arena, BATCH_BYTES);
    wakeup_init(&watch->wakeup);
    enum err err = bus_subscribe(bus, NULL, types, &watch->subscription);
    if (!err)
        err = thread_start(&watch->thread, "auth", run, watch);
    watch->started = !err;
    if (err)
        auth_watch_stop(watch);
    else
        *ret = watch;
    return err;
}

void auth_watch_stop(struct auth_watch *watch)
{
    if (!watch)
        return;
    if (watch->started) {
        atomic_store(&watch->stopping, true);
        bus_wake(watch->subscription);
        wakeup_signal(&watch->wakeup);
        pthread_join(watch->thread, NULL);
    }
    bus_unsubscribe(watch->subscription);
    wakeup_fini(&watch->wakeup);
    arena_fini(&watch->arena);
    free(watch);
}

void auth_watch_nudge(struct auth_watch *watch)
{
    bus_wake(watch->subscription);
}
