/*
 * What is known of bearer tokens, by their digests: whose they are, and which are of nobody.
 *
 * Bounded by construction: two tables of sets, one for each, so that whoever tries made-up tokens displaces no good
 * one. A digest is uniformly random, so its first bytes are its set; within a set the entry that was asked for first
 * makes room. Lifetimes are told at each look, since settings may change; each entry's own is up to a fifth shorter, by
 * chance, so that tokens that came together are not asked about together again.
 *
 * What is revoked is forgotten. An answer may be on its way meanwhile: it carries the mark of when it was asked for,
 * and is not remembered when something that it stands for was revoked after that.
 *
 * Times are clock_now_ns() of whoever asks. Any thread; nothing blocks.
 */
#ifndef TANDEM_APP_AUTH_CACHE_H
#define TANDEM_APP_AUTH_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/call.h"
#include "base/err.h"

struct auth_cache;

struct auth_cache_opts {
    unsigned entries, unknown_entries;
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

/** The mark of now, to be taken before asking. */
uint64_t auth_cache_mark(struct auth_cache *cache);

/** False when what the identity stands for may have been revoked after the mark: it is to be asked for again. */
bool must_check auth_cache_remember(struct auth_cache *cache, const struct identity *identity, uint64_t mark,
                                    int64_t now_ns);
void auth_cache_remember_unknown(struct auth_cache *cache, const char *token_digest, int64_t now_ns);

/** This token has ended; or, whatever a user's tokens stood for, it is to be asked again. */
void auth_cache_revoke_token(struct auth_cache *cache, struct text token_digest);
void auth_cache_revoke_user(struct auth_cache *cache, struct text user_id);

#endif
