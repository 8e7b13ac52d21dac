#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "app/auth_cache.h"
#include "base/clock.h"

enum {
    WAYS = 4,
    REVOCATIONS = 256,         /* the latest, for answers that are on their way */
    SETS_AT_ONCE = 256,        /* looked through under the lock, when a user's tokens are forgotten */
    SPREADS = 256,             /* a lifetime is shorter by 0 to SPREADS - 1 parts of … */
    SPREAD_WHOLE = 5 * SPREADS,
};

struct remembered {
    struct identity identity;
    int64_t asked_ns;          /* 0: none */
    int64_t until_ns;          /* the token's own end */
    unsigned spread;
};

struct unknown {
    char token_digest[TOKEN_DIGEST_SIZE];
    int64_t asked_ns;          /* 0: none */
};

struct auth_cache {
    pthread_mutex_t lock;
    size_t sets, unknown_sets;
    struct remembered *entries;
    struct unknown *unknown;
    uint64_t revoked;                                  /* how many, ever: a mark */
    char revocations[REVOCATIONS][TOKEN_DIGEST_SIZE];  /* a ring: token digests and user ids, which differ in length */
};

enum err auth_cache_new(const struct auth_cache_opts *opts, struct auth_cache **ret)
{
    struct auth_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_because(ERR_MEMORY, "no memory for the token cache");
    cache->sets = opts->entries / WAYS + 1;
    cache->unknown_sets = opts->unknown_entries / WAYS + 1;
    cache->entries = calloc(cache->sets * WAYS, sizeof cache->entries[0]);
    cache->unknown = calloc(cache->unknown_sets * WAYS, sizeof cache->unknown[0]);
    pthread_mutex_init(&cache->lock, NULL);
    if (!cache->entries || !cache->unknown) {
        auth_cache_free(cache);
        return err_because(ERR_MEMORY, "no memory for the token cache");
    }
    *ret = cache;
    return ERR_NONE;
}

void auth_cache_free(struct auth_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->lock);
    free(cache->entries);
    free(cache->unknown);
    free(cache);
}

/* ---- with the lock ---- */

static size_t set_of(const char *token_digest, size_t sets)
{
    char head[9];
    memcpy(head, token_digest, sizeof head - 1);
    head[sizeof head - 1] = '\0';
    return strtoul(head, NULL, 16) % sets * WAYS;
}

static struct remembered *find(struct auth_cache *cache, const char *token_digest)
{
    struct remembered *set = &cache->entries[set_of(token_digest, cache->sets)];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].asked_ns && strcmp(set[i].identity.token_digest, token_digest) == 0)
            return &set[i];
    }
    return NULL;
}

static struct unknown *find_unknown(struct auth_cache *cache, const char *token_digest)
{
    struct unknown *set = &cache->unknown[set_of(token_digest, cache->unknown_sets)];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].asked_ns && strcmp(set[i].token_digest, token_digest) == 0)
            return &set[i];
    }
    return NULL;
}

static enum auth_known judge(const struct remembered *entry, const struct auth_lifetimes *lifetimes, int64_t now_ns)
{
    int64_t fresh_ns = lifetimes->fresh_ns - lifetimes->fresh_ns / SPREAD_WHOLE * entry->spread;
    int64_t age_ns = now_ns - entry->asked_ns;
    if (now_ns >= entry->until_ns)
        return AUTH_NOTHING;
    if (age_ns < fresh_ns)
        return AUTH_FRESH;
    return age_ns < lifetimes->fresh_ns + lifetimes->stale_ns ? AUTH_STALE : AUTH_NOTHING;
}

/* Whether something of this identity was revoked after the mark. What the ring has forgotten may have been. */
static bool revoked_since(const struct auth_cache *cache, const struct identity *identity, uint64_t mark)
{
    if (cache->revoked - mark > REVOCATIONS)
        return true;
    for (uint64_t i = mark; i < cache->revoked; i++) {
        const char *revoked = cache->revocations[i % REVOCATIONS];
        if (strcmp(revoked, identity->token_digest) == 0 || strcmp(revoked, identity->user_id) == 0)
            return true;
    }
    return false;
}

static void note_revocation(struct auth_cache *cache, struct text what)
{
    char *place = cache->revocations[cache->revoked % REVOCATIONS];
    memcpy(place, what.at, what.length);
    place[what.length] = '\0';
    cache->revoked++;
}

/* ---- from outside ---- */

enum auth_known auth_cache_recall(struct auth_cache *cache, const char *token_digest,
                                  const struct auth_lifetimes *lifetimes, int64_t now_ns, struct identity *ret)
{
    enum auth_known known = AUTH_NOTHING;
    pthread_mutex_lock(&cache->lock);
    const struct remembered *entry = find(cache, token_digest);
    if (entry)
        known = judge(entry, lifetimes, now_ns);
    if (known != AUTH_NOTHING) {
        *ret = entry->identity;
    } else {
        const struct unknown *unknown = find_unknown(cache, token_digest);
        if (unknown && now_ns - unknown->asked_ns < lifetimes->unknown_ns)
            known = AUTH_UNKNOWN;
    }
    pthread_mutex_unlock(&cache->lock);
    return known;
}

uint64_t auth_cache_mark(struct auth_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t mark = cache->revoked;
    pthread_mutex_unlock(&cache->lock);
    return mark;
}

static void put(struct auth_cache *cache, const struct identity *identity, int64_t until_ns, int64_t now_ns)
{
    struct remembered *place = find(cache, identity->token_digest);
    if (!place) {
        struct remembered *set = place = &cache->entries[set_of(identity->token_digest, cache->sets)];
        for (int i = 1; i < WAYS; i++) {
            if (set[i].asked_ns < place->asked_ns)
                place = &set[i];
        }
    }
    *place = (struct remembered){
        .identity = *identity,
        .asked_ns = now_ns,
        .until_ns = until_ns,
        .spread = random_below(SPREADS),
    };
}

bool auth_cache_remember(struct auth_cache *cache, const struct identity *identity, uint64_t mark, int64_t now_ns)
{
    int64_t left_ns = (identity->expires_us - clock_wall_us()) * (NS_PER_S / US_PER_S);
    pthread_mutex_lock(&cache->lock);
    bool revoked = revoked_since(cache, identity, mark);
    if (!revoked && left_ns > 0)
        put(cache, identity, now_ns + left_ns, now_ns);
    pthread_mutex_unlock(&cache->lock);
    return !revoked;
}

void auth_cache_remember_unknown(struct auth_cache *cache, const char *token_digest, int64_t now_ns)
{
    pthread_mutex_lock(&cache->lock);
    struct remembered *known = find(cache, token_digest);
    if (known)   /* it was somebody's, and is not any more */
        *known = (struct remembered){.asked_ns = 0};
    struct unknown *place = find_unknown(cache, token_digest);
    if (!place) {
        struct unknown *set = place = &cache->unknown[set_of(token_digest, cache->unknown_sets)];
        for (int i = 1; i < WAYS; i++) {
            if (set[i].asked_ns < place->asked_ns)
                place = &set[i];
        }
    }
    memcpy(place->token_digest, token_digest, sizeof place->token_digest);
    place->asked_ns = now_ns;
    pthread_mutex_unlock(&cache->lock);
}

void auth_cache_revoke_token(struct auth_cache *cache, struct text token_digest)
{
    if (token_digest.length != TOKEN_DIGEST_SIZE - 1)
        return;
    pthread_mutex_lock(&cache->lock);
    note_revocation(cache, token_digest);
    struct remembered *entry = find(cache, cache->revocations[(cache->revoked - 1) % REVOCATIONS]);
    if (entry)
        *entry = (struct remembered){.asked_ns = 0};
    pthread_mutex_unlock(&cache->lock);
}

static void forget_user(struct auth_cache *cache, size_t from_set, struct text user_id)
{
    size_t end = from_set + SETS_AT_ONCE < cache->sets ? from_set + SETS_AT_ONCE : cache->sets;
    for (struct remembered *entry = &cache->entries[from_set * WAYS]; entry < &cache->entries[end * WAYS]; entry++) {
        if (entry->asked_ns && text_equal_string(user_id, entry->identity.user_id))
            *entry = (struct remembered){.asked_ns = 0};
    }
}

/* In steps, so that nobody waits for all of a large table; what is remembered meanwhile was asked for after. */
void auth_cache_revoke_user(struct auth_cache *cache, struct text user_id)
{
    if (user_id.length != ID_LENGTH)
        return;
    for (size_t set = 0; set < cache->sets; set += SETS_AT_ONCE) {
        pthread_mutex_lock(&cache->lock);
        if (set == 0)
            note_revocation(cache, user_id);
        forget_user(cache, set, user_id);
        pthread_mutex_unlock(&cache->lock);
    }
}
