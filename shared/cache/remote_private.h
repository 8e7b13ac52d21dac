/*
 * What the files of the remote part share: remote_open.c makes it, remote_redis.c knows the commands, remote_run.c
 * where they are sent, remote_keeper.c keeps the map and sends invalidations, remote_record.c knows what a value looks
 * like there.
 */
#ifndef TANDEM_CACHE_REMOTE_PRIVATE_H
#define TANDEM_CACHE_REMOTE_PRIVATE_H

#include <pthread.h>

#include "cache/redis_map.h"
#include "cache/remote.h"
#include "state/thread.h"
#include "telemetry/metric.h"

enum {
    REMOTE_NAME_MAX = 32,
    REMOTE_KEY_SIZE = REMOTE_NAME_MAX + CACHE_KEY_MAX + 16,
    REMOTE_LIFETIME_MAX_MS = 24 * 3600 * 1000,   /* of a value there, and of the word that a group was invalidated */
};

/* The name of a thing in Redis. */
struct remote_key {
    size_t length;
    char bytes[REMOTE_KEY_SIZE];
};

static inline struct text remote_key_text(const struct remote_key *key)
{
    return (struct text){key->bytes, key->length};
}

void remote_key_of_value(const char *name, struct text key, struct remote_key *ret);
void remote_key_of_claim(const char *name, struct text key, struct remote_key *ret);
void remote_key_of_group(const char *name, struct text group, struct remote_key *ret);

/* ---- remote_run.c ---- */

/** Runs commands about one key together on the node that has it, following redirections; for_reading: or on a replica.
 *  None of the replies is an error. ERR_UNAVAILABLE. */
enum err must_check remote_run(struct cache_remote *remote, struct text key, bool for_reading,
                               const struct redis_command *commands, size_t count, redisReply **ret_replies);

/* ---- remote_keeper.c ---- */

/* What is to be told. */
struct owed {
    struct remote_key key;         /* of the value; of the group */
    struct remote_key claim;       /* empty for a group */
    int64_t since_ns;
};

struct keeper {
    pthread_mutex_t lock;
    pthread_cond_t work;           /* there is something to be sent, a map to be asked for, or it is to stop */
    struct owed *ring;
    size_t size, first, count;
    bool map_wanted, stopping, started, failing;
    int64_t map_asked_ns;
    pthread_t thread;
    struct metric_series away, owed, lost;
};

enum err must_check keeper_start(struct cache_remote *remote, unsigned queue_max);
void keeper_stop(struct cache_remote *remote);
void keeper_owe(struct cache_remote *remote, const struct owed *owed);

/** Something is not where it was: the map is to be asked for, soon. */
void keeper_want_map(struct cache_remote *remote);

/* ---- remote_record.c: pure ---- */

/* Times are by a node's clock, in microseconds. */
struct stored {
    uint64_t version;
    int64_t began_us, until_us;    /* until 0: no end of its own */
    int64_t cost_us;
    struct text group, value;
};

enum { STORED_HEAD_MAX = 128 };

/** Writes the head to out and returns its length; group and value follow it. */
size_t stored_head(const struct stored *stored, char out[static STORED_HEAD_MAX]);

/** False when it is not as stored_head() writes it. */
bool must_check stored_read(struct text bytes, struct stored *ret);

/** The version as it stands in the head, which compares as a string. */
enum { STORED_VERSION_SIZE = 17 };
void stored_version(uint64_t version, char out[static STORED_VERSION_SIZE]);

/* ---- remote_open.c ---- */

struct cache_remote {
    struct cache_remote_opts opts;     /* with strings of its own */
    struct redis_tls_opts tls;         /* which node_opts name when TLS is spoken */
    struct redis_node_opts node_opts;
    struct redis_map *map;
    struct keeper keeper;
    struct metric_series redirected;
};

/* ---- remote_redis.c ---- */

/** Tells Redis of up to REDIS_PIPELINE_MAX at once; *ret_told[i] is whether it knows. */
void remote_tell(struct cache_remote *remote, const struct owed *owed, size_t count, bool *ret_told);

#endif
