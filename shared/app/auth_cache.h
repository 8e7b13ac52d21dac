/*
 * What is known of bearer tokens, by their digests: whose they are, and which are of nobody. A cache (cache/cache.h),
 * whose groups are users.
 *
 * Tokens of nobody have a table of their own, so that whoever tries made-up ones displaces no good one. Lifetimes are
 * told at each look, since settings may change; each token's own is up to a fifth shorter, by chance, so that tokens
 * that came together are not asked about together again.
 *
 * What is revoked is forgotten, by all processes that share the marks. An answer may be on its way meanwhile: it
 * carries the mark of when it was asked for, and is not remembered when something that it stands for was revoked since.
 *
 * With a remote part an answer that one process has got is known to all, on all machines. Memory stays in front of it
 * for a token's whole lifetime, since every process hears by itself of what is revoked (auth_watch.c).
 *
 * Times are clock_now_ns() of whoever asks. Any thread; nothing but auth_cache_fetch() blocks.
 */
#ifndef TANDEM_APP_AUTH_CACHE_H
#define TANDEM_APP_AUTH_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/call.h"
#include "base/err.h"
#include "cache/cache.h"

struct auth_cache;

struct auth_cache_opts {
    unsigned entries, unknown_entries;
    struct marks *marks;           /* must outlive the cache */
    struct cache_remote *remote;   /* what all processes know; may be NULL; must outlive the cache */
};

/* How long what is known is good for, from when it was asked for; never past a token's own end. */
struct auth_lifetimes {
    int64_t fresh_ns;
    int64_t stale_ns;          /* on top, for who cannot ask */
    int64_t unknown_ns;
};

enum auth_known { AUTH_NOTHING, AUTH_FRESH, AUTH_STALE, AUTH_UNKNOWN };

enum err must_check auth_cache_new(const struct auth_cache_opts *opts, struct auth_cache **ret);
void auth_cache_free(struct auth_cache *cache);

/** Fills ret for AUTH_FRESH and AUTH_STALE. AUTH_UNKNOWN: it was of nobody a moment ago. */
enum auth_known auth_cache_recall(struct auth_cache *cache, const char *token_digest,
                                  const struct auth_lifetimes *lifetimes, int64_t now_ns, struct identity *ret);

/** False when what the identity stands for may have been revoked since the mark, which was taken by cache_mark() before
 *  asking: it is to be asked for again. */
bool must_check auth_cache_remember(struct auth_cache *cache, const struct identity *identity, int64_t mark,
                                    int64_t now_ns);
void auth_cache_remember_unknown(struct auth_cache *cache, const char *token_digest, int64_t now_ns);

/* A question about one token, and who can answer it. ERR_UNAUTHENTICATED: it is of nobody. */
struct auth_asking {
    const char *token_digest;
    enum err (*ask)(void *context, struct identity *ret);
    void *context;
    int64_t deadline_ns;
};

/** Asks, and remembers, for who leads the question about this token; again, some times, when what it was about was
 *  revoked meanwhile. ERR_UNAUTHENTICATED, and what ask says. *ret_mark is for auth_cache_holds(). */
enum err must_check auth_cache_fetch(struct auth_cache *cache, const struct auth_asking *asking,
                                     const struct auth_lifetimes *lifetimes, struct identity *ret, int64_t *ret_mark);

/** Whether what was fetched is good for who asked meanwhile: the token was not revoked since the mark. */
bool auth_cache_holds(const struct auth_cache *cache, const struct identity *identity, int64_t mark);

/** This token has ended; or, whatever a user's tokens stood for, it is to be asked again. */
void auth_cache_revoke_token(struct auth_cache *cache, struct text token_digest);
void auth_cache_revoke_user(struct auth_cache *cache, struct text user_id);

#endif
