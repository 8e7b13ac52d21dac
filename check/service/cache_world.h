/*
 * What the conformance suite of cache/cache.h stands on: a world is what its cache is in (memory, one Redis, a cluster,
 * with TLS or without); a site is a process of some machine that has such a cache; a source is what is behind it, and
 * may be slow, paused or failing.
 */
#ifndef TANDEM_CHECK_SERVICE_CACHE_WORLD_H
#define TANDEM_CHECK_SERVICE_CACHE_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cache/cache.h"
#include "cache/filter.h"
#include "cache/remote.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"

enum world_ability {
    WORLD_SHARED = 1,          /* there is a remote part */
    WORLD_ONE_SERVER = 2,      /* of one server, that can be away */
    WORLD_CLUSTER = 4,
    WORLD_ALONE = 8,           /* it has no thread of its own: what is allocated is by who asks */
};

struct world {
    const char *name;          /* of the column in doc/conformance-cache.md */
    unsigned abilities;

    /** Why it cannot be run on this machine; NULL: it can. */
    const char *(*lacks)(void);
    enum err (*start)(void);
    void (*stop)(void);

    /** Of its Redis; NULL: it has none. */
    const char *(*url)(void);

    /** What a site needs there: TLS's files, an ACL user. NULL: nothing. */
    void (*enter)(struct cache_remote_opts *opts);
};

/* What a user of Redis may do who needs no more, as doc/caching.md has it. */
#define WORLD_RIGHTS "-@all +get +set +del +getrange +eval +time +readonly +asking +cluster|slots"

/* The one this program is compiled for. */
extern const struct world *const world;

/* A folder of the test's own. */
const char *world_folder(void);

/* ---- sites ---- */

enum { SITE_VALUE_MAX = 512, SITE_NEAR_MS = 100, SITE_TIMEOUT_MS = 300, SITE_CLAIM_MS = 600 };

struct site_opts {
    const char *name;          /* of the cache; NULL: one that no case has had */
    struct marks *marks;       /* another's on the same machine; NULL: its own */
    struct filter *filter;     /* NULL: none */
    size_t max_bytes;
    unsigned flights_max, waiters_max;
    const char *user, *password_file;
    bool replicas;
};

struct site {
    char name[32];
    struct marks *own_marks;
    struct cache_remote *remote;
    struct cache *cache;
};

/** opts NULL or with zeros: what does for most. */
void site_open(struct site *site, const struct site_opts *opts);
void site_close(struct site *site);

/** Another machine's process with the same cache. */
void site_open_other(struct site *site, const struct site *first);

/* ---- sources ---- */

struct source {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t value;             /* what it says, as a decimal number */
    uint64_t version;
    const char *group;
    int64_t left_ns;           /* of the value's own life */
    unsigned delay_ms;
    enum err err;
    bool paused;               /* it has read, and does not answer */
    unsigned waiting;          /* in a pause */
    atomic_uint asked;
};

void source_init(struct source *source, int64_t value);
void source_set(struct source *source, int64_t value, uint64_t version);
void source_pause(struct source *source);
void source_go_on(struct source *source);

/** Until so many loaders wait in the pause. */
bool source_holds(struct source *source, unsigned waiting);

/* ---- asking: values are numbers ---- */

/* What lifetimes cases have: seconds, so that nothing ends by itself; those who want something else say so. */
extern const struct cache_lifetimes world_lifetimes;

enum { WORLD_DEADLINE_MS = 10000 };

/** By cache_get_or_load(), within WORLD_DEADLINE_MS. */
enum err world_ask(struct site *site, const char *key, struct source *source, int64_t *ret);
enum err world_ask_for(struct site *site, const char *key, struct source *source,
                       const struct cache_lifetimes *lifetimes, unsigned timeout_ms, int64_t *ret);

/** By cache_get(). */
enum cache_found world_look(struct site *site, const char *key, int64_t *ret);
enum cache_found world_look_at(struct site *site, const char *key, const struct cache_lifetimes *lifetimes,
                               int64_t now_ns, int64_t *ret);

/** By cache_put(), as of now. */
bool world_put(struct site *site, const char *key, int64_t value, uint64_t version);

/* One that asks on a thread of its own. */
struct asker {
    struct site *site;
    const char *key;
    struct source *source;
    const struct cache_lifetimes *lifetimes;   /* NULL: world_lifetimes */
    unsigned timeout_ms;
    pthread_t thread;
    enum err err;
    int64_t value, took_ns;
    atomic_bool told;          /* the answer is there */
};

void asker_start(struct asker *asker);
void asker_join(struct asker *asker);

/* ---- the Redis of WORLD_ONE_SERVER and WORLD_CLUSTER; see check/harness/redis.h ---- */

struct redis_server;
struct redis_cluster;
struct redis_server *world_server(void);
struct redis_cluster *world_cluster(void);

#endif
