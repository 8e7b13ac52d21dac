/* The remote part of a cache: its beginning and its end. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cache/remote_private.h"

/* Strings are the remote part's own. NULL is as good as "". */
static enum err own_strings(struct cache_remote *remote, const struct cache_remote_opts *opts)
{
    remote->opts = *opts;
    const char **const strings[] = {&remote->opts.url, &remote->opts.user, &remote->opts.password_file,
                                    &remote->opts.ca_file, &remote->opts.certificate_file, &remote->opts.key_file};
    bool has_all = true;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        *strings[i] = strdup(*strings[i] ? *strings[i] : "");
        has_all &= *strings[i] != NULL;
    }
    return has_all ? ERR_NONE : err_because(ERR_MEMORY, "no memory for the shared cache");
}

static void prepare_nodes(struct cache_remote *remote)
{
    const struct cache_remote_opts *opts = &remote->opts;
    remote->tls = (struct redis_tls_opts){
        .ca_file = opts->ca_file, .certificate_file = opts->certificate_file, .key_file = opts->key_file};
    remote->node_opts = (struct redis_node_opts){
        .user = opts->user,
        .password_file = opts->password_file,
        .tls = redis_map_has_tls(opts->url) ? &remote->tls : NULL,
        .timeout_ms = opts->timeout_ms,
        .connections_max = opts->connections_max,
        .breaker_failures = opts->breaker_failures,
        .breaker_open_ms = opts->breaker_open_ms,
        .reads_replicas = opts->replicas,
    };
}

enum err cache_remote_check(const char *url)
{
    static const struct redis_node_opts opts = {.user = "", .password_file = ""};
    struct redis_map *map;
    enum err err = redis_map_has_tls(url) ? redis_tls_built() : ERR_NONE;
    if (!err)
        err = redis_map_new(url, &opts, &map);
    if (!err)
        redis_map_free(map);
    return err;
}

enum err cache_remote_open(const struct cache_remote_opts *opts, struct cache_remote **ret)
{
    struct cache_remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        return err_because(ERR_MEMORY, "no memory for the shared cache");
    enum err err = own_strings(remote, opts);
    remote->redirected = metric_series(METRIC_CACHE_REMOTE, "redirected");
    if (!err)
        prepare_nodes(remote);
    if (!err && remote->node_opts.tls)
        err = redis_tls_check(&remote->tls);
    if (!err)
        err = redis_map_new(remote->opts.url, &remote->node_opts, &remote->map);
    if (!err)
        err = keeper_start(remote, opts->queue_max);
    if (err)
        cache_remote_close(remote);
    else
        *ret = remote;
    return err;
}

void cache_remote_close(struct cache_remote *remote)
{
    if (!remote)
        return;
    keeper_stop(remote);
    redis_map_free(remote->map);
    free((char *)(uintptr_t)remote->opts.url);
    free((char *)(uintptr_t)remote->opts.user);
    free((char *)(uintptr_t)remote->opts.password_file);
    free((char *)(uintptr_t)remote->opts.ca_file);
    free((char *)(uintptr_t)remote->opts.certificate_file);
    free((char *)(uintptr_t)remote->opts.key_file);
    free(remote);
}
