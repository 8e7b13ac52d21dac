/* The worlds that there are; a program is compiled for one, by WORLD. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "check/service/cache_world.h"
#if HAVE_REDIS
#include "check/harness/redis.h"
#endif

static const char *nothing_lacks(void)
{
    return NULL;
}

static enum err start_nothing(void)
{
    return ERR_NONE;
}

static void stop_nothing(void)
{
}

static const char *no_url(void)
{
    return NULL;
}

extern const struct world world_memory, world_redis, world_redis_cluster;

const struct world world_memory = {.name = "memory", .abilities = WORLD_ALONE, .lacks = nothing_lacks,
                                   .start = start_nothing, .stop = stop_nothing, .url = no_url};

#if HAVE_REDIS
static struct redis_server server;
static struct redis_cluster cluster;

struct redis_server *world_server(void)
{
    return &server;
}

struct redis_cluster *world_cluster(void)
{
    return &cluster;
}

static enum err start_server(void)
{
    return redis_start(&server, world_folder(), false);
}

static void stop_server(void)
{
    redis_kill(&server);
}

static const char *server_url(void)
{
    static char url[64];
    snprintf(url, sizeof url, "redis://127.0.0.1:%u", server.port);
    return url;
}

static enum err start_cluster(void)
{
    return redis_cluster_start(&cluster, world_folder());
}

static void stop_cluster(void)
{
    redis_cluster_stop(&cluster);
}

static const char *cluster_url(void)
{
    static char url[REDIS_URL_SIZE];
    return redis_cluster_url(&cluster, url);
}

const struct world world_redis = {.name = "redis", .abilities = WORLD_SHARED | WORLD_ONE_SERVER, .lacks = redis_lacks,
                                  .start = start_server, .stop = stop_server, .url = server_url};
const struct world world_redis_cluster = {.name = "redis cluster", .abilities = WORLD_SHARED | WORLD_CLUSTER,
                                          .lacks = redis_lacks, .start = start_cluster, .stop = stop_cluster,
                                          .url = cluster_url};
#else
static const char *redis_is_not_built(void)
{
    return "this build has no Redis (configure --with-redis; Debian: libhiredis-dev)";
}

const struct world world_redis = {.name = "redis", .lacks = redis_is_not_built, .start = start_nothing,
                                  .stop = stop_nothing, .url = no_url};
const struct world world_redis_cluster = {.name = "redis cluster", .lacks = redis_is_not_built, .start = start_nothing,
                                          .stop = stop_nothing, .url = no_url};
#endif

const struct world *const world = &WORLD;
