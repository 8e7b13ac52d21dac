#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/auth_cache.h"
#include "base/clock.h"

enum {
    ENTRY_BYTES = 384,         /* of a token in memory, with all that is kept beside it */
    VALUE_MAX_BYTES = 96,
    FLIGHTS_NONE = 1,          /* who leads a question is told by who parks the others */
};

struct auth_cache {
    struct cache *cache;
};

/* An identity as it is kept: "USER-ID ROLE EXPIRES-US". The key is the digest. */
struct storage {
    char bytes[VALUE_MAX_BYTES];
};

static struct text digest_text(const char *token_digest)
{
    return (struct text){token_digest, TOKEN_DIGEST_SIZE - 1};
}

enum err auth_cache_new(const struct auth_cache_opts *opts, struct auth_cache **ret)
{
    const struct cache_opts cache_opts = {
        .name = "token",
        .marks = opts->marks,
        .remote = opts->remote,
        .max_bytes = (size_t)opts->entries * ENTRY_BYTES,
        .value_max_bytes = VALUE_MAX_BYTES,
        .absent_entries = opts->unknown_entries,
        .flights_max = FLIGHTS_NONE,
        .waiters_max = FLIGHTS_NONE,
    };
    struct auth_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_because(ERR_MEMORY, "no memory for the token cache");
    enum err err = cache_new(&cache_opts, &cache->cache);
    if (err)
        auth_cache_free(cache);
    else
        *ret = cache;
    return err;
}

void auth_cache_free(struct auth_cache *cache)
{
    if (!cache)
        return;
    cache_free(cache->cache);
    free(cache);
}

/* ---- identities as values ---- */

/* Left of a token's life, on the monotonic clock of when it is looked at. */
static int64_t until_ns(const struct identity *identity, int64_t now_ns)
{
    return now_ns + (identity->expires_us - clock_wall_us()) * (NS_PER_S / US_PER_S);
}

static void write_identity(const struct identity *identity, int64_t now_ns, struct cache_value *value)
{
    int length = snprintf(value->data, value->capacity, "%s %u %lld", identity->user_id, identity->role,
                          (long long)identity->expires_us);
    value->length = (size_t)length;
    value->group = (struct text){value->data, strlen(identity->user_id)};
    value->until_ns = until_ns(identity, now_ns);
}

/* What other processes have put into the remote part may be anything. */
static bool read_identity(const struct cache_value *value, const char *token_digest, struct identity *ret)
{
    struct text rest = {value->data, value->length};
    struct text user_id = text_split(&rest, ' ');
    struct text role = text_split(&rest, ' ');
    struct identity identity;
    int64_t number;
    if (!id_is_valid(user_id) || !rest.at || text_to_int(role, &number) || text_to_int(rest, &identity.expires_us))
        return false;
    identity.role = (unsigned)number;
    if (identity.role != ROLE_CUSTOMER && identity.role != ROLE_ADMIN && identity.role != ROLE_SERVICE)
        return false;
    memcpy(identity.user_id, user_id.at, ID_LENGTH);
    identity.user_id[ID_LENGTH] = '\0';
    memcpy(identity.token_digest, token_digest, sizeof identity.token_digest);
    *ret = identity;
    return true;
}

static struct cache_lifetimes lifetimes_of(const struct auth_lifetimes *lifetimes)
{
    return (struct cache_lifetimes){.fresh_ns = lifetimes->fresh_ns, .stale_ns = lifetimes->stale_ns,
                                    .absent_ns = lifetimes->unknown_ns, .near_ns = lifetimes->fresh_ns};
}

/* ---- recalling and remembering ---- */

enum auth_known auth_cache_recall(struct auth_cache *cache, const char *token_digest,
                                  const struct auth_lifetimes *lifetimes, int64_t now_ns, struct identity *ret)
{
    static const enum auth_known known[] = {
        [CACHE_NOTHING] = AUTH_NOTHING, [CACHE_FRESH] = AUTH_FRESH, [CACHE_DUE] = AUTH_FRESH,
        [CACHE_STALE] = AUTH_STALE, [CACHE_ABSENT] = AUTH_UNKNOWN,
    };
    struct storage storage;
    struct cache_value value = {.data = storage.bytes, .capacity = sizeof storage.bytes};
    const struct cache_lifetimes cache_lifetimes = lifetimes_of(lifetimes);
    enum auth_known found =
        known[cache_get(cache->cache, digest_text(token_digest), &cache_lifetimes, now_ns, &value)];
    if ((found == AUTH_FRESH || found == AUTH_STALE) && !read_identity(&value, token_digest, ret))
        return AUTH_NOTHING;
    return found;
}

bool auth_cache_remember(struct auth_cache *cache, const struct identity *identity, int64_t mark, int64_t now_ns)
{
    struct storage storage;
    struct cache_value value = {.data = storage.bytes, .capacity = sizeof storage.bytes};
    write_identity(identity, now_ns, &value);
    return cache_put(cache->cache, digest_text(identity->token_digest), &value, mark, now_ns);
}

void auth_cache_remember_unknown(struct auth_cache *cache, const char *token_digest, int64_t now_ns)
{
    cache_put_absent(cache->cache, digest_text(token_digest), cache_mark(), now_ns);
}

/* ---- asking ---- */

static enum err load(void *context, struct cache_value *ret)
{
    const struct auth_asking *asking = context;
    struct identity identity = {.role = 0};
    enum err err = asking->ask(asking->context, &identity);
    if (!err)
        write_identity(&identity, clock_now_ns(), ret);
    return err == ERR_UNAUTHENTICATED ? ERR_NOT_FOUND : err;
}

enum err auth_cache_fetch(struct auth_cache *cache, const struct auth_asking *asking,
                          const struct auth_lifetimes *lifetimes, struct identity *ret, int64_t *ret_mark)
{
    struct storage storage;
    struct cache_value value = {.data = storage.bytes, .capacity = sizeof storage.bytes};
    const struct cache_request request = {
        .key = digest_text(asking->token_digest),
        .lifetimes = lifetimes_of(lifetimes),
        .load = load,
        .context = (void *)(uintptr_t)asking,
        .deadline_ns = asking->deadline_ns,
    };
    enum err err = cache_fetch(cache->cache, &request, &value, ret_mark);
    if (err == ERR_NOT_FOUND)
        return err_because(ERR_UNAUTHENTICATED, "the token is not active");
    if (!err && !read_identity(&value, asking->token_digest, ret))
        err = err_because(ERR_UNAVAILABLE, "what is remembered of a token is not understood");
    return err;
}

bool auth_cache_holds(const struct auth_cache *cache, const struct identity *identity, int64_t mark)
{
    return cache_holds(cache->cache, digest_text(identity->token_digest), mark) &&
           cache_group_holds(cache->cache, text_of(identity->user_id), mark);
}

/* ---- revoking ---- */

void auth_cache_revoke_token(struct auth_cache *cache, struct text token_digest)
{
    if (token_digest.length == TOKEN_DIGEST_SIZE - 1)
        cache_invalidate(cache->cache, token_digest);
}

void auth_cache_revoke_user(struct auth_cache *cache, struct text user_id)
{
    if (user_id.length == ID_LENGTH)
        cache_invalidate_group(cache->cache, user_id);
}
