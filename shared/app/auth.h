/*
 * Who is asking: bearer tokens (RFC 6750) turned into identities, for services that do not keep the accounts.
 *
 * A token's digest is looked up in a bounded cache; an unknown one is introspected at the user service, which blocks.
 * An identity is remembered for auth.cache_ttl_s at most, and never past its token's end.
 */
#ifndef TANDEM_APP_AUTH_H
#define TANDEM_APP_AUTH_H

#include "app/call.h"
#include "base/err.h"
#include "base/secret.h"
#include "net/client.h"

struct auth;

struct auth_opts {
    struct client *client;         /* to the user service; must outlive this */
    const char *token_file;        /* holds the bearer token that this service calls with; read at each use */
    unsigned cache_entries;
};

enum err must_check auth_new(const struct auth_opts *opts, struct auth **ret);
void auth_free(struct auth *auth);

/** From the cache alone, as settings allow now. ERR_AGAIN when it is not there. Never blocks; any thread. */
enum err must_check auth_recall(struct auth *auth, const struct settings *settings, const char *token_digest,
                                struct identity *ret);

/** Asks the user service, for this call and under its request id and trace, and remembers. Blocks: a worker.
 *  ERR_UNAUTHENTICATED, ERR_UNAVAILABLE, ERR_DEADLINE. */
enum err must_check auth_introspect(struct auth *auth, const struct call *call, struct identity *ret);

/** Introspects this service's own token, under this request id: whether the user service is there and takes it. Blocks.
 *  ERR_UNAVAILABLE, ERR_DEADLINE; ERR_UNAUTHENTICATED when the token is no service's, or not valid any more. */
enum err must_check auth_check(struct auth *auth, struct text request_id, unsigned timeout_ms);

/** The bearer token of a request; absent when there is none of that form. */
struct secret auth_bearer(const struct http_request *request);

#endif
