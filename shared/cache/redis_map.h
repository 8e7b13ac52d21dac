/*
 * The map: which node has which slot, for one Redis or a cluster (Redis Cluster Specification).
 *
 * It begins with the nodes of the settings, each thought to have every slot, and learns: from CLUSTER SLOTS, asked of
 * whichever node answers, and from each MOVED. A server that is no cluster has every slot. Nodes that were learnt are
 * kept, REDIS_NODES_MAX at the most.
 *
 * Any thread; redis_map_refresh() by one at a time.
 */
#ifndef TANDEM_CACHE_REDIS_MAP_H
#define TANDEM_CACHE_REDIS_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/redis_node.h"

enum { REDIS_NODES_MAX = 64 };

struct redis_map;

/** Whether TLS is spoken to its nodes, those that are learnt included: the URL begins with rediss. */
bool redis_map_has_tls(const char *url);

/** url as in struct cache_remote_opts. ERR_CONFIG, ERR_MEMORY. */
enum err must_check redis_map_new(const char *url, const struct redis_node_opts *opts, struct redis_map **ret);
void redis_map_free(struct redis_map *map);

/** Asks nodes, one after the other, until one tells who has which slot. ERR_UNAVAILABLE. */
enum err must_check redis_map_refresh(struct redis_map *map);

/** Who has the slot; for_reading: or one of its replicas. */
struct redis_node *redis_map_node(struct redis_map *map, unsigned slot, bool for_reading);

/** "MOVED 3999 127.0.0.1:6381", "ASK 3999 :6381", said by a node: the node it names, which with MOVED has the slot from
 *  now on. NULL when it cannot be understood or there are too many nodes. */
struct redis_node *redis_map_follow(struct redis_map *map, const struct redis_node *from, struct text redirection);

#endif
