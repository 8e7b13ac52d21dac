/*
 * Redis for a test: servers of its own in temporary folders on free ports, one, or a cluster of three masters with a
 * replica each; killed, stopped for a while, started again, and a slot moved. Built where hiredis is.
 *
 * One thread; redis_ask() by any.
 */
#ifndef TANDEM_CHECK_HARNESS_REDIS_H
#define TANDEM_CHECK_HARNESS_REDIS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"
#include "check/harness/authority.h"
#include "check/harness/process.h"

enum { REDIS_MASTERS = 3, REDIS_CLUSTER_NODES = 2 * REDIS_MASTERS, REDIS_ANSWER_SIZE = 4096, REDIS_URL_SIZE = 256 };

struct redis_server {
    struct process process;
    unsigned port, bus_port;
    bool in_cluster;
    char folder[160];
    /* What of the following is set before the first start it has as well. */
    const char *config;                    /* a file of settings */
    const struct authority *authority;     /* TLS is spoken too, at tls_port; in a cluster also among its nodes … */
    const struct certificate *certificate; /* … with this certificate */
    bool wants_certificate;                /* of those who speak TLS to it */
    unsigned tls_port;
};

/** Why it cannot be run on this machine, a constant; NULL: it can. */
const char *redis_lacks(void);

/** Starts a server in this folder, until it answers; again with the ports that it had. */
enum err must_check redis_start(struct redis_server *server, const char *folder, bool in_cluster);
void redis_kill(struct redis_server *server);

/** Stops it for a while, as a machine that hangs, and goes on. */
void redis_freeze(const struct redis_server *server);
void redis_thaw(const struct redis_server *server);

/** Runs a command, its words between spaces, and writes its answer: a text, a number, or what an array has, a line
 *  each. ERR_UNAVAILABLE; ERR_INTERNAL with Redis's error as cause. */
enum err must_check redis_ask(unsigned port, const char *command, char out[static REDIS_ANSWER_SIZE]);

/** The same for who wants no answer. */
enum err must_check redis_tell(unsigned port, const char *command);

/* ---- a cluster: nodes 0 to 2 begin as masters, 3 to 5 as their replicas ---- */

struct redis_cluster {
    struct redis_server nodes[REDIS_CLUSTER_NODES];
};

/** Until each node says that the cluster is well. */
enum err must_check redis_cluster_start(struct redis_cluster *cluster, const char *folder);
void redis_cluster_stop(struct redis_cluster *cluster);

/** Until each running node says that it is well. */
bool redis_cluster_is_well(struct redis_cluster *cluster, unsigned timeout_ms);

/** Until each running node says that it is down. */
bool redis_cluster_is_down(struct redis_cluster *cluster, unsigned timeout_ms);

/** The running node that is master of the slot; -1. */
int redis_cluster_master_of(struct redis_cluster *cluster, unsigned slot);

/** Moves a slot with its keys from its master to another, some keys at a time. */
enum err must_check redis_cluster_migrate(struct redis_cluster *cluster, unsigned slot, int to);

/** redis://127.0.0.1:PORT,… of all nodes; with TLS rediss:// and those ports. */
const char *redis_cluster_url(const struct redis_cluster *cluster, char out[static REDIS_URL_SIZE]);

#endif
