/* A build without hiredis: there is no remote part, and who asks for one is told why. */
#include "config.h"

#include <stdlib.h>

#include "cache/remote.h"

enum err cache_remote_check(const char *url)
{
    (void)url;
    return err_because(ERR_CONFIG, "cache.driver is redis, and this build has no Redis: configure it --with-redis"
                                   " (Debian: libhiredis-dev)");
}

enum err cache_remote_open(const struct cache_remote_opts *opts, struct cache_remote **ret)
{
    (void)ret;
    return cache_remote_check(opts->url);
}

void cache_remote_close(struct cache_remote *remote)
{
    (void)remote;
}

/* There is none to call the following with. */

enum err cache_remote_get(struct cache_remote *remote, const char *name, struct text key, struct cache_value *value,
                          struct cache_remote_record *ret)
{
    (void)remote, (void)name, (void)key, (void)value, (void)ret;
    abort();
}

enum err cache_remote_claim(struct cache_remote *remote, const char *name, struct text key,
                            struct cache_remote_claim *claim)
{
    (void)remote, (void)name, (void)key, (void)claim;
    abort();
}

enum err cache_remote_put(struct cache_remote *remote, const char *name, struct text key,
                          struct cache_remote_claim *claim, const struct cache_remote_record *record)
{
    (void)remote, (void)name, (void)key, (void)claim, (void)record;
    abort();
}

void cache_remote_release(struct cache_remote *remote, const char *name, struct text key,
                          struct cache_remote_claim *claim)
{
    (void)remote, (void)name, (void)key, (void)claim;
    abort();
}

void cache_remote_invalidate(struct cache_remote *remote, const char *name, struct text key)
{
    (void)remote, (void)name, (void)key;
    abort();
}

void cache_remote_invalidate_group(struct cache_remote *remote, const char *name, struct text group)
{
    (void)remote, (void)name, (void)group;
    abort();
}

void cache_remote_wait_init(const struct cache_remote *remote, int64_t deadline_ns, struct cache_remote_wait *ret)
{
    (void)remote, (void)deadline_ns, (void)ret;
    abort();
}

bool cache_remote_wait(struct cache_remote_wait *wait)
{
    (void)wait;
    abort();
}
