/*
 * What the files of auth share among themselves: auth.c asks the user service, auth_lookup.c decides whom to believe
 * and for how long, auth_watch.c hears what was revoked. The cache and the flights know none of them.
 */
#ifndef TANDEM_APP_AUTH_PRIVATE_H
#define TANDEM_APP_AUTH_PRIVATE_H

#include "app/auth.h"
#include "app/auth_cache.h"
#include "cache/flights.h"
#include "telemetry/metric.h"

struct auth_watch;

enum auth_result { RESULT_FRESH, RESULT_UNKNOWN, RESULT_STALE, RESULT_ASKED, RESULT_JOINED, RESULT_REFUSED, RESULTS };

struct auth {
    struct client *client;
    char *token_file;
    struct auth_cache *cache;
    struct flights *flights;
    struct auth_watch *watch;
    struct metric_series results[RESULTS];
};

/** Asks the user service, for this call and under its request id and trace. Blocks: a worker. ERR_UNAUTHENTICATED;
 *  ERR_DEADLINE when the call's own time is over; ERR_UNAVAILABLE for every other reason not to have an answer. */
enum err must_check auth_question(struct auth *auth, const struct call *call, struct identity *ret);

/* ---- auth_lookup.c ---- */

/** Answers calls that waited past their deadline; returns when the next will have, 0 when none waits. */
int64_t auth_end_overdue(struct auth *auth);

/* ---- auth_watch.c ---- */

/* What an event says of which tokens are to be forgotten: without a digest, all of the user's. */
struct auth_revocation {
    struct text user_id, token_digest;     /* in the arena */
};

/** Pure. ERR_INVALID or ERR_MALFORMED with a cause when the event does not say. */
enum err must_check auth_revocation_read(const struct event *event, struct arena *arena, struct auth_revocation *ret);

enum err must_check auth_watch_start(struct auth *auth, struct bus *bus, struct auth_watch **ret);
void auth_watch_stop(struct auth_watch *watch);

/** Somebody waits, where nobody did: it is to look at the time again. */
void auth_watch_nudge(struct auth_watch *watch);

#endif
