/*
 * Who is asking: bearer tokens (RFC 6750) turned into identities, for services that do not keep the accounts.
 *
 * A token's digest is looked up in a bounded cache (auth_cache.h). One that is not there is introspected at the user
 * service, which blocks a worker; all who bring the same token meanwhile wait for that one answer without holding a
 * thread (cache/flights.h), each until its own deadline at the latest.
 *
 * What is known stays known for auth.cache_ttl_s, and while the user service cannot be asked for auth.stale_max_s more.
 * A sign-out, and a change of password, role or status, is heard of by an event, by every process for itself
 * (auth_watch.c), and what it concerns is forgotten within a second. Should the events not arrive, auth.cache_ttl_s is
 * the bound; and should the user service be away as well, auth.stale_max_s on top.
 */
#ifndef TANDEM_APP_AUTH_H
#define TANDEM_APP_AUTH_H

#include "app/call.h"
#include "base/err.h"
#include "base/secret.h"
#include "events/bus.h"
#include "net/client.h"

struct auth;
struct cache_remote;
struct marks;

struct auth_opts {
    struct client *client;         /* to the user service; must outlive this */
    struct bus *bus;               /* brings word of what was revoked; must outlive this */
    const char *token_file;        /* holds the bearer token that this service calls with; read at each use */
    struct marks *marks;           /* of what was revoked; must outlive this */
    struct cache_remote *remote;   /* what is known by all processes; may be NULL; must outlive this */
    unsigned cache_entries, unknown_entries;
    unsigned flights_max, waiters_max;
};

/* What the events are called that the user service has for this, and what they hold: one token, or all of a user. */
#define AUTH_SESSION_ENDED "session.ended.v1"             /* {"user_id", "token_digest"} */
#define AUTH_ACCESS_CHANGED "account.access_changed.v1"   /* {"user_id"} */

/** Starts a thread that listens. */
enum err must_check auth_new(const struct auth_opts *opts, struct auth **ret);

/** No call may be under way. NULL is fine. */
void auth_free(struct auth *auth);

/** From the cache alone. ERR_AGAIN when it has to be asked for: auth_ask(). ERR_UNAUTHENTICATED; ERR_UNAVAILABLE, with
 *  a Retry-After, when it is not known and the user service cannot be asked. Never blocks; any thread. */
enum err must_check auth_recall(struct auth *auth, struct call *call, const char *token_digest, struct identity *ret);

/** After ERR_AGAIN: takes the call, and gives it to pipeline_identified() when it is known who is asking, or that it
 *  cannot be known: ERR_UNAUTHENTICATED, ERR_UNAVAILABLE, ERR_BUSY, ERR_DEADLINE. Never blocks; any thread. The caller
 *  does not look at the call any more. */
void auth_ask(struct auth *auth, struct call *call);

/** Introspects this service's own token, under this request id: whether the user service is there and takes it. Blocks.
 *  ERR_UNAVAILABLE, ERR_DEADLINE; ERR_UNAUTHENTICATED when the token is no service's, or not valid any more. */
enum err must_check auth_check(struct auth *auth, struct text request_id, unsigned timeout_ms);

/** The bearer token of a request; absent when there is none of that form. */
struct secret auth_bearer(const struct http_request *request);

#endif
