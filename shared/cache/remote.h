/*
 * The remote part of a cache: what all processes on all machines share, in Redis.
 *
 * It is a help and never needed: each function fails within the set time, and at once while a breaker is open, and
 * whoever calls it goes on to the source then.
 *
 * One process at a time loads a key: the one that has the claim to it, a short lock with a random token, which is given
 * back by its holder only and ends by itself after claim_ms. The claim is a lease, too: invalidating the key takes it
 * away, and what was loaded under it is not taken any more.
 *
 * Names of things: NAME:{KEY} is the value, NAME:{KEY}:claim the claim, of one slot in a cluster; NAME:group:{GROUP}
 * says when a group was invalidated.
 *
 * Any thread. cache_remote_get(), _claim(), _put() and _release() block, for timeout_ms at the most for each time they
 * are sent on to another node.
 */
#ifndef TANDEM_CACHE_REMOTE_H
#define TANDEM_CACHE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "cache/cache.h"

enum { CLAIM_TOKEN_SIZE = 33 };

struct cache_remote_opts {
    const char *url;               /* redis://HOST:PORT[,HOST:PORT…]; rediss:// with TLS; redis+unix:/path */
    const char *user;              /* an ACL user; "": the default one */
    const char *password_file;     /* "": none; read at each connection */
    /* Of TLS; "" or NULL: whom the system trusts, none, none. */
    const char *ca_file, *certificate_file, *key_file;
    unsigned timeout_ms;           /* to connect with all that belongs to it, and of commands sent together */
    unsigned connections_max;      /* kept to each node */
    unsigned claim_ms;             /* how long a claim lasts whose holder is gone */
    unsigned queue_max;            /* invalidations that wait to be sent */
    bool replicas;                 /* whether values may be read from replicas */
    unsigned breaker_failures, breaker_open_ms;
};

/** Whether there may be a remote part at this address: ERR_CONFIG when it is none, asks for what this build has not, or
 *  this build has no Redis at all. ERR_MEMORY. */
enum err must_check cache_remote_check(const char *url);

/** Does not connect yet. ERR_CONFIG as above, or when a file of TLS is not what it should be. ERR_MEMORY. */
enum err must_check cache_remote_open(const struct cache_remote_opts *opts, struct cache_remote **ret);
void cache_remote_close(struct cache_remote *remote);

/* A value as all share it. Times are spans, since machines do not share a clock. */
struct cache_remote_record {
    struct text value, group;      /* got: group lies in group_storage */
    uint64_t version;
    int64_t age_ns;                /* since it was about to be loaded */
    int64_t left_ns;               /* to its own end; 0: none */
    int64_t lifetime_ns;           /* put: how long it may be of use to anybody */
    int64_t cost_ns;
    char group_storage[CACHE_KEY_MAX];
};

/** ERR_NOT_FOUND; ERR_UNAVAILABLE. The value is put into value's storage. */
enum err must_check cache_remote_get(struct cache_remote *remote, const char *name, struct text key,
                                     struct cache_value *value, struct cache_remote_record *ret);

struct cache_remote_claim {
    bool held;
    char token[CLAIM_TOKEN_SIZE];
    int64_t began_us;              /* by the node's clock */
};

/** ERR_BUSY: another has it. ERR_UNAVAILABLE. */
enum err must_check cache_remote_claim(struct cache_remote *remote, const char *name, struct text key,
                                       struct cache_remote_claim *claim);

/** ERR_CONFLICT: the claim is held no more, or a greater version is there. ERR_UNAVAILABLE. */
enum err must_check cache_remote_put(struct cache_remote *remote, const char *name, struct text key,
                                     struct cache_remote_claim *claim, const struct cache_remote_record *record);

/** Gives the claim back, unless another has it by now. */
void cache_remote_release(struct cache_remote *remote, const char *name, struct text key,
                          struct cache_remote_claim *claim);

/** Has it sent, by a thread of the remote part's own, again and again until that is done. Never block. */
void cache_remote_invalidate(struct cache_remote *remote, const char *name, struct text key);
void cache_remote_invalidate_group(struct cache_remote *remote, const char *name, struct text group);

/* ---- waiting for who has the claim ---- */

struct cache_remote_wait {
    int64_t deadline_ns;
    unsigned pause_ms;
};

void cache_remote_wait_init(const struct cache_remote *remote, int64_t deadline_ns, struct cache_remote_wait *ret);

/** Waits a little, longer each time. False when there is no more time. */
bool cache_remote_wait(struct cache_remote_wait *wait);

#endif
