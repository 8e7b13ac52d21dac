/*
 * A node: one Redis server, a few connections to it that are kept, and a breaker, so that a node that is away costs
 * nobody a timeout for long.
 *
 * A connection is made when it is needed, signs in, and is used by one thread at a time; commands are sent together and
 * their replies read in order. One that failed is closed; one that was kept and turns out to be dead is replaced.
 * Any thread.
 */
#ifndef TANDEM_CACHE_REDIS_NODE_H
#define TANDEM_CACHE_REDIS_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cache/redis_command.h"
#include "cache/redis_socket.h"
#include "cache/redis_tls.h"

enum { REDIS_PIPELINE_MAX = 64 };

struct redis_node_opts {
    const char *user, *password_file;
    const struct redis_tls_opts *tls;   /* NULL: none is spoken */
    unsigned timeout_ms, connections_max;
    unsigned breaker_failures, breaker_open_ms;
    bool reads_replicas;           /* connections say READONLY, so that a replica answers */
};

struct redis_node;

/** Does not connect. What opts points to must outlive it. */
enum err must_check redis_node_new(const struct redis_address *address, const struct redis_node_opts *opts,
                                   struct redis_node **ret);

/** Nobody may use it. NULL is fine. */
void redis_node_free(struct redis_node *node);

const struct redis_address *redis_node_address(const struct redis_node *node);

/** Sends up to REDIS_PIPELINE_MAX commands and reads as many replies, which are the caller's to freeReplyObject().
 *  asking: each is preceded by ASKING. ERR_UNAVAILABLE: at once when the breaker is open, else within timeout_ms for
 *  each of waiting for a connection, making one with all that belongs to it, and the commands; whether they were run is
 *  not known then. */
enum err must_check redis_node_run(struct redis_node *node, bool asking, const struct redis_command *commands,
                                   size_t count, redisReply **ret_replies);

#endif
