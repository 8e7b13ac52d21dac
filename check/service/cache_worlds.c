/* The worlds that there are; a program is compiled for one, by WORLD. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
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

extern const struct world world_memory, world_redis, world_redis_tls, world_redis_cluster, world_redis_cluster_tls;

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

/* ---- with TLS, where a user may do what has to be done and no more ---- */

static struct authority authority;
static struct certificate certificate;
static char users_file[AUTHORITY_PATH_SIZE], password_file[AUTHORITY_PATH_SIZE];

static const char *tls_lacks(void)
{
#if HAVE_OPENSSL
    return redis_lacks() ? redis_lacks() : authority_lacks();
#else
    return "this build has no OpenSSL (configure --with-openssl; Debian: libssl-dev)";
#endif
}

static enum err write_file(char path[static AUTHORITY_PATH_SIZE], const char *name, const char *text)
{
    snprintf(path, AUTHORITY_PATH_SIZE, "%s/%s", world_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        return err_because(ERR_IO, "%s cannot be written", path);
    return ERR_NONE;
}

static enum err make_files(void)
{
    enum err err = authority_make(world_folder(), "tls", &authority);
    if (!err)
        err = authority_sign(&authority, "redis", "IP:127.0.0.1", 2, &certificate);
    if (!err)
        err = write_file(users_file, "redis.conf", "user tandem on >secret ~* " WORLD_RIGHTS "\n");
    return err ? err : write_file(password_file, "tandem.password", "secret\n");
}

static void give_files(struct redis_server *one)
{
    one->authority = &authority;
    one->certificate = &certificate;
    one->wants_certificate = true;
    one->config = users_file;
}

static enum err start_tls_server(void)
{
    enum err err = make_files();
    give_files(&server);
    signal(SIGPIPE, SIG_IGN);   /* as in a service */
    return err ? err : start_server();
}

static enum err start_tls_cluster(void)
{
    enum err err = make_files();
    for (int i = 0; i < REDIS_CLUSTER_NODES; i++)
        give_files(&cluster.nodes[i]);
    signal(SIGPIPE, SIG_IGN);
    return err ? err : start_cluster();
}

static const char *tls_server_url(void)
{
    static char url[64];
    snprintf(url, sizeof url, "rediss://127.0.0.1:%u", server.tls_port);
    return url;
}

static void enter_tls(struct cache_remote_opts *opts)
{
    opts->ca_file = authority.certificate;
    opts->certificate_file = certificate.file;
    opts->key_file = certificate.key;
    opts->user = "tandem";
    opts->password_file = password_file;
}

enum { ONE = WORLD_SHARED | WORLD_ONE_SERVER, MANY = WORLD_SHARED | WORLD_CLUSTER };

const struct world world_redis = {
    "redis", ONE, redis_lacks, start_server, stop_server, server_url, NULL};
const struct world world_redis_tls = {
    "redis over TLS", ONE, tls_lacks, start_tls_server, stop_server, tls_server_url, enter_tls};
const struct world world_redis_cluster = {
    "redis cluster", MANY, redis_lacks, start_cluster, stop_cluster, cluster_url, NULL};
const struct world world_redis_cluster_tls = {
    "redis cluster over TLS", MANY, tls_lacks, start_tls_cluster, stop_cluster, cluster_url, enter_tls};
#else
static const char *redis_is_not_built(void)
{
    return "this build has no Redis (configure --with-redis; Debian: libhiredis-dev)";
}

#define WITHOUT(its_name) {its_name, 0, redis_is_not_built, start_nothing, stop_nothing, no_url, NULL}
const struct world world_redis = WITHOUT("redis");
const struct world world_redis_tls = WITHOUT("redis over TLS");
const struct world world_redis_cluster = WITHOUT("redis cluster");
const struct world world_redis_cluster_tls = WITHOUT("redis cluster over TLS");
#endif

const struct world *const world = &WORLD;
