#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "cache/redis_map.h"
#include "cache/redis_slot.h"

enum { REPLICAS_MAX = 4, PORT_DEFAULT = 6379, PORT_MAX = 65535 };

/* Those of a slot: its master first. */
struct owners {
    uint8_t count;
    uint8_t nodes[1 + REPLICAS_MAX];
};

struct redis_map {
    const struct redis_node_opts *opts;
    pthread_mutex_t lock;          /* of all that follows; nodes once there stay */
    unsigned node_count;
    struct redis_node *nodes[REDIS_NODES_MAX];
    struct owners slots[REDIS_SLOTS];
};

_Static_assert(REDIS_NODES_MAX <= UINT8_MAX, "a node's number is a byte");

/* ---- addresses ---- */

static bool read_port(struct text text, unsigned *ret)
{
    int64_t port;
    if (text_to_int(text, &port) || port < 1 || port > PORT_MAX)
        return false;
    *ret = (unsigned)port;
    return true;
}

/* HOST:PORT, the port being after the last colon, since redirections name IPv6 addresses without brackets. */
static bool read_address(struct text text, struct redis_address *ret)
{
    size_t colon = text.length;
    while (colon > 0 && text.at[colon - 1] != ':' && text.at[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && text.at[colon - 1] == ':';
    struct text host = {text.at, has_port ? colon - 1 : text.length};
    if (host.length > 1 && host.at[0] == '[' && host.at[host.length - 1] == ']')
        host = (struct text){host.at + 1, host.length - 2};
    struct redis_address address = {.port = PORT_DEFAULT};
    if (host.length >= sizeof address.host ||
        (has_port && !read_port((struct text){text.at + colon, text.length - colon}, &address.port)))
        return false;
    snprintf(address.host, sizeof address.host, "%.*s", TEXT_ARGS(host));
    *ret = address;
    return true;
}

/* ---- with the lock ---- */

/* The number of a node with this address, made when there is none; -1 when there is no room. */
static int find(struct redis_map *map, const struct redis_address *address)
{
    for (unsigned i = 0; i < map->node_count; i++) {
        const struct redis_address *known = redis_node_address(map->nodes[i]);
        if (known->port == address->port && strcmp(known->host, address->host) == 0)
            return (int)i;
    }
    if (map->node_count == REDIS_NODES_MAX ||
        redis_node_new(address, map->opts, &map->nodes[map->node_count]) != ERR_NONE)
        return -1;
    return (int)map->node_count++;
}

/* ---- life ---- */

static enum err add_nodes(struct redis_map *map, struct text list)
{
    while (list.at) {
        struct redis_address address;
        struct text one = text_split(&list, ',');
        if (!read_address(one, &address) || !address.host[0])
            return err_because(ERR_CONFIG, "cache.redis_url: \"%.*s\" is no HOST:PORT", TEXT_ARGS(one));
        if (find(map, &address) < 0)
            return err_because(ERR_CONFIG, "cache.redis_url: more than %d nodes", REDIS_NODES_MAX);
    }
    return ERR_NONE;
}

static enum err add_socket(struct redis_map *map, struct text path)
{
    struct redis_address address = {.port = 0};
    if (path.length == 0 || path.length >= sizeof address.host)
        return err_because(ERR_CONFIG, "cache.redis_url: the socket's path is empty or too long");
    snprintf(address.host, sizeof address.host, "%.*s", TEXT_ARGS(path));
    return find(map, &address) < 0 ? err_because(ERR_MEMORY, "no memory for a Redis node") : ERR_NONE;
}

static const struct {
    struct text begins;
    enum err (*add)(struct redis_map *map, struct text rest);
} schemes[] = {
    {{"redis://", 8}, add_nodes},
    {{"rediss://", 9}, add_nodes},
    {{"redis+unix:", 11}, add_socket},
};

bool redis_map_has_tls(const char *url)
{
    return text_starts(text_of(url), TEXT("rediss:"));
}

static enum err read_url(struct redis_map *map, struct text url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = schemes[i].begins.length;
        if (text_starts(url, schemes[i].begins))
            return schemes[i].add(map, (struct text){url.at + length, url.length - length});
    }
    return err_because(ERR_CONFIG, "cache.redis_url is not redis://HOST:PORT, rediss://HOST:PORT or redis+unix:/path");
}

enum err redis_map_new(const char *url, const struct redis_node_opts *opts, struct redis_map **ret)
{
    struct redis_map *map = calloc(1, sizeof *map);
    if (!map)
        return err_because(ERR_MEMORY, "no memory for a map of Redis");
    map->opts = opts;
    pthread_mutex_init(&map->lock, NULL);
    enum err err = read_url(map, text_of(url));
    for (unsigned i = 0; i < REDIS_SLOTS; i++)
        map->slots[i] = (struct owners){.count = 1};   /* the first of the settings */
    if (err)
        redis_map_free(map);
    else
        *ret = map;
    return err;
}

void redis_map_free(struct redis_map *map)
{
    if (!map)
        return;
    for (unsigned i = 0; i < map->node_count; i++)
        redis_node_free(map->nodes[i]);
    pthread_mutex_destroy(&map->lock);
    free(map);
}

/* ---- asking ---- */

struct redis_node *redis_map_node(struct redis_map *map, unsigned slot, bool for_reading)
{
    pthread_mutex_lock(&map->lock);
    const struct owners *owners = &map->slots[slot];
    unsigned which = for_reading && owners->count > 1 ? random_below(owners->count) : 0;
    struct redis_node *node = map->nodes[owners->nodes[which]];
    pthread_mutex_unlock(&map->lock);
    return node;
}

/* ---- learning ---- */

/* A node that does not know its own name leaves it out: it is the one that was asked, then. */
static void complete(struct redis_address *address, const struct redis_node *from)
{
    if (!address->host[0])
        snprintf(address->host, sizeof address->host, "%s", redis_node_address(from)->host);
}

struct redis_node *redis_map_follow(struct redis_map *map, const struct redis_node *from, struct text redirection)
{
    struct redis_address address;
    struct redis_node *node = NULL;
    int64_t slot;
    bool moved = text_starts(redirection, TEXT("MOVED "));
    text_split(&redirection, ' ');
    if (text_to_int(text_split(&redirection, ' '), &slot) || slot < 0 || slot >= REDIS_SLOTS || !redirection.at ||
        !read_address(redirection, &address))
        return NULL;
    complete(&address, from);
    pthread_mutex_lock(&map->lock);
    int at = find(map, &address);
    if (at >= 0)
        node = map->nodes[at];
    if (at >= 0 && moved)
        map->slots[slot] = (struct owners){.count = 1, .nodes = {(uint8_t)at}};
    pthread_mutex_unlock(&map->lock);
    return node;
}

/* [host, port, id, …] */
static bool read_node(const redisReply *reply, const struct redis_node *from, struct redis_address *ret)
{
    struct redis_address address = {.port = 0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 || reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[1]->integer < 1 || reply->element[1]->integer > PORT_MAX)
        return false;
    snprintf(address.host, sizeof address.host, "%.*s", TEXT_ARGS(redis_text(reply->element[0])));
    address.port = (unsigned)reply->element[1]->integer;
    complete(&address, from);
    *ret = address;
    return true;
}

/* [first, last, master, replica…] */
static void learn_range(struct redis_map *map, const redisReply *range, const struct redis_node *from)
{
    struct owners owners = {.count = 0};
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER)
        return;
    long long first = range->element[0]->integer, last = range->element[1]->integer;
    if (first < 0 || last >= REDIS_SLOTS)
        return;
    pthread_mutex_lock(&map->lock);
    for (size_t i = 2; i < range->elements && owners.count < 1 + REPLICAS_MAX; i++) {
        struct redis_address address;
        int at = read_node(range->element[i], from, &address) ? find(map, &address) : -1;
        if (at < 0 && owners.count == 0)
            break;   /* without its master a slot stays where it was */
        if (at >= 0)
            owners.nodes[owners.count++] = (uint8_t)at;
    }
    for (long long slot = first; owners.count && slot <= last; slot++)
        map->slots[slot] = owners;
    pthread_mutex_unlock(&map->lock);
}

static void learn_single(struct redis_map *map, unsigned at)
{
    pthread_mutex_lock(&map->lock);
    for (unsigned slot = 0; slot < REDIS_SLOTS; slot++)
        map->slots[slot] = (struct owners){.count = 1, .nodes = {(uint8_t)at}};
    pthread_mutex_unlock(&map->lock);
}

/* Whether this node told. One that knows of no slot is not in a cluster yet, or not any more. */
static bool ask(struct redis_map *map, unsigned at)
{
    struct redis_command command = {.count = 0};
    redisReply *reply;
    redis_word(&command, TEXT("CLUSTER"));
    redis_word(&command, TEXT("SLOTS"));
    if (redis_node_run(map->nodes[at], false, &command, 1, &reply) != ERR_NONE)
        return false;
    bool is_single = redis_is_error(reply, "ERR This instance has cluster support disabled");
    bool told = is_single || (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0);
    if (is_single)
        learn_single(map, at);
    for (size_t i = 0; told && !is_single && i < reply->elements; i++)
        learn_range(map, reply->element[i], map->nodes[at]);
    if (!told)
        err_because(ERR_UNAVAILABLE, "Redis does not tell its slots: %.*s", TEXT_ARGS(redis_text(reply)));
    freeReplyObject(reply);
    return told;
}

enum err redis_map_refresh(struct redis_map *map)
{
    pthread_mutex_lock(&map->lock);
    unsigned count = map->node_count, first = random_below(count);
    pthread_mutex_unlock(&map->lock);
    for (unsigned i = 0; i < count; i++) {
        if (ask(map, (first + i) % count))
            return ERR_NONE;
    }
    return ERR_UNAVAILABLE;
}
