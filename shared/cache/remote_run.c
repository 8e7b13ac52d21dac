/* Where a command goes, and what is done about an answer that is none. */
#include "config.h"

#include "cache/redis_slot.h"
#include "cache/remote_private.h"

/* How often a command is sent on: one goes from a node that was wrong to the right one, once more when a slot moves
 * meanwhile. */
enum { SENDINGS_MAX = 4 };

struct route {
    struct redis_node *node;
    bool asking;                   /* the slot is on its way to this node */
    bool is_replica;               /* it may be: the master can be asked instead */
};

static const redisReply *first_error(redisReply *const *replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            return replies[i];
    }
    return NULL;
}

/* Whether it is worth another sending, and where to. */
static bool redirect(struct cache_remote *remote, const redisReply *error, struct route *route)
{
    bool moved = redis_is_error(error, "MOVED "), ask = redis_is_error(error, "ASK ");
    if (!moved && !ask)
        return redis_is_error(error, "TRYAGAIN");
    struct redis_node *next = redis_map_follow(remote->map, route->node, redis_text(error));
    if (!next)
        return false;
    *route = (struct route){.node = next, .asking = ask};
    metric_add(remote->redirected, 1);
    if (moved)   /* others have moved as well, as a rule */
        keeper_want_map(remote);
    return true;
}

static enum err send(struct cache_remote *remote, unsigned slot, struct route *route,
                     const struct redis_command *commands, size_t count, redisReply **ret_replies)
{
    enum err err = redis_node_run(route->node, route->asking, commands, count, ret_replies);
    if (!err)
        return ERR_NONE;
    keeper_want_map(remote);
    struct redis_node *master = redis_map_node(remote->map, slot, false);
    if (!route->is_replica || route->node == master)
        return err;
    *route = (struct route){.node = master};
    return redis_node_run(master, false, commands, count, ret_replies);
}

enum err remote_run(struct cache_remote *remote, struct text key, bool for_reading,
                    const struct redis_command *commands, size_t count, redisReply **ret_replies)
{
    unsigned slot = redis_slot(key);
    struct route route = {.node = redis_map_node(remote->map, slot, for_reading), .is_replica = for_reading};
    for (unsigned i = 0; i < SENDINGS_MAX; i++) {
        enum err err = send(remote, slot, &route, commands, count, ret_replies);
        if (err)
            return err;
        const redisReply *error = first_error(ret_replies, count);
        if (!error)
            return ERR_NONE;
        bool again = redirect(remote, error, &route);
        if (!again)
            err_because(ERR_UNAVAILABLE, "Redis: %.*s", TEXT_ARGS(redis_text(error)));
        for (size_t j = 0; j < count; j++)
            freeReplyObject(ret_replies[j]);
        if (!again) {
            keeper_want_map(remote);   /* CLUSTERDOWN, LOADING and the like */
            return ERR_UNAVAILABLE;
        }
    }
    return err_because(ERR_UNAVAILABLE, "Redis sends a command on and on");
}
