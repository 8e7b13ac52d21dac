/* static: the instances are those that the settings say. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "discovery/discovery_private.h"

struct fixed {
    pthread_mutex_t lock;
    char *endpoints;                   /* "user=http://…" */
};

struct fixed_follower {
    struct fixed *fixed;
    const char *service;
    struct waiter *waiter;
    bool has_read;
};

/* The next that is not empty; absent at the end. */
static struct text next_word(struct text *rest)
{
    struct text word = TEXT_NONE;
    while (rest->at && word.length == 0)
        word = text_split(rest, ' ');
    return word.length > 0 ? word : TEXT_NONE;
}

static enum err read_endpoint(struct text word, struct text *ret_service, struct instance *ret)
{
    struct text place = word, service = text_split(&place, '=');
    if (!place.at || service.length == 0 || service.length >= DISCOVERY_NAME_SIZE)
        return err_because(ERR_INVALID, "\"%.*s\" is not NAME=URL", TEXT_ARGS(word));
    *ret_service = service;
    return instance_read(place, ret);
}

enum err discovery_check_endpoints(const char *endpoints)
{
    struct text rest = text_of(endpoints ? endpoints : ""), word, service;
    struct instance instance;
    while ((word = next_word(&rest)).at)
        if (read_endpoint(word, &service, &instance))
            return err_because(ERR_CONFIG, "discovery.endpoints: %s", err_cause());
    return ERR_NONE;
}

static enum err replace(void *state, const char *endpoints)
{
    struct fixed *fixed = state;
    enum err err = discovery_check_endpoints(endpoints);
    char *copy = err ? NULL : strdup(endpoints);
    if (!copy)
        return err ? err : err_because(ERR_MEMORY, "no memory for endpoints");
    pthread_mutex_lock(&fixed->lock);
    char *before = fixed->endpoints;
    fixed->endpoints = copy;
    pthread_mutex_unlock(&fixed->lock);
    free(before);
    return ERR_NONE;
}

static void fixed_close(void *state)
{
    struct fixed *fixed = state;
    pthread_mutex_destroy(&fixed->lock);
    free(fixed->endpoints);
    free(fixed);
}

static enum err fixed_open(const struct discovery_opts *opts, void **ret)
{
    struct fixed *fixed = calloc(1, sizeof *fixed);
    if (!fixed)
        return err_because(ERR_MEMORY, "no memory for endpoints");
    pthread_mutex_init(&fixed->lock, NULL);
    enum err err = replace(fixed, opts->endpoints);
    if (err)
        fixed_close(fixed);
    else
        *ret = fixed;
    return err;
}

static enum err follower_new(void *state, const char *service, struct waiter *waiter, void **ret)
{
    struct fixed_follower *follower = calloc(1, sizeof *follower);
    if (!follower)
        return err_because(ERR_MEMORY, "no memory to follow %s", service);
    *follower = (struct fixed_follower){.fixed = state, .service = service, .waiter = waiter};
    *ret = follower;
    return ERR_NONE;
}

static enum err follow(void *context, struct discovery_found *found)
{
    struct fixed_follower *follower = context;
    if (follower->has_read)
        waiter_wait(follower->waiter, INT64_MAX);
    if (waiter_is_stopped(follower->waiter))
        return ERR_CLOSED;
    pthread_mutex_lock(&follower->fixed->lock);
    struct text rest = text_of(follower->fixed->endpoints), word, service;
    struct instance instance;
    while ((word = next_word(&rest)).at)
        if (read_endpoint(word, &service, &instance) == ERR_NONE && text_equal_string(service, follower->service))
            discovery_found_add(found, &instance);
    pthread_mutex_unlock(&follower->fixed->lock);
    follower->has_read = true;
    return ERR_NONE;
}

const struct discovery_driver discovery_static = {
    .name = "static",
    .is_certain = true,
    .open = fixed_open,
    .close = fixed_close,
    .reload = replace,
    .follower_new = follower_new,
    .follow = follow,
    .follower_free = free,
};
