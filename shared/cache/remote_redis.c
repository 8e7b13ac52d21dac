/* The remote part of a cache as commands to Redis. */
#include "config.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "cache/redis_slot.h"
#include "cache/remote_private.h"

enum {
    NUMBER_SIZE = 24,
    WAIT_FIRST_MS = 2, WAIT_MAX_MS = 25,
    CLAIMS_WAITED = 2,             /* for so many lifetimes of a claim, whose holders are all gone */
    GROUP_MARGIN_US = 1000000,     /* nodes' clocks are this close */
};

/* KEYS: claim. ARGV: token, milliseconds. The node's time, or nil when another has it. */
static const char CLAIM[] = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then"
                            " return redis.call('TIME') end return false";

/* KEYS: value, claim. ARGV: token, value, milliseconds, version. Whether it was taken. The version stands in the third
 * to the eighteenth byte of a value, in hexadecimal. */
static const char PUT[] = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end"
                          " redis.call('DEL', KEYS[2])"
                          " if redis.call('GETRANGE', KEYS[1], 2, 17) > ARGV[4] then return 0 end"
                          " redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";

/* KEYS: claim. ARGV: token. */
static const char RELEASE[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1";

/* KEYS: group. ARGV: milliseconds. */
static const char GROUP[] = "local t = redis.call('TIME')"
                            " redis.call('SET', KEYS[1], t[1] .. string.format('%06d', t[2]), 'PX', ARGV[1]) return 1";

/* ---- names and numbers ---- */

static void name_key(struct remote_key *ret, const char *name, const char *before, struct text key, const char *after)
{
    int length = snprintf(ret->bytes, sizeof ret->bytes, "%s:%s{%.*s}%s", name, before, TEXT_ARGS(key), after);
    ret->length = (size_t)length;
}

void remote_key_of_value(const char *name, struct text key, struct remote_key *ret)
{
    name_key(ret, name, "", key, "");
}

void remote_key_of_claim(const char *name, struct text key, struct remote_key *ret)
{
    name_key(ret, name, "", key, ":claim");
}

void remote_key_of_group(const char *name, struct text group, struct remote_key *ret)
{
    name_key(ret, name, "group:", group, "");
}

static struct text number(char out[static NUMBER_SIZE], int64_t value)
{
    int length = snprintf(out, NUMBER_SIZE, "%" PRId64, value);
    return (struct text){out, (size_t)length};
}

/* [seconds, microseconds] */
static bool read_time(const redisReply *reply, int64_t *ret_us)
{
    int64_t seconds, microseconds;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        text_to_int(redis_text(reply->element[0]), &seconds) ||
        text_to_int(redis_text(reply->element[1]), &microseconds))
        return false;
    *ret_us = seconds * US_PER_S + microseconds;
    return true;
}

static void begin_script(struct redis_command *command, const char *script, const char *key_count)
{
    command->count = 0;
    redis_word(command, TEXT("EVAL"));
    redis_word(command, text_of(script));
    redis_word(command, text_of(key_count));
}

static enum err run_one(struct cache_remote *remote, struct text key, bool for_reading,
                        const struct redis_command *command, redisReply **ret)
{
    return remote_run(remote, key, for_reading, command, 1, ret);
}

/* ---- values ---- */

static enum err take_value(const redisReply *reply, int64_t now_us, struct cache_value *value,
                           struct cache_remote_record *ret, int64_t *ret_began_us)
{
    struct stored stored;
    if (reply->type == REDIS_REPLY_NIL)
        return ERR_NOT_FOUND;
    if (!stored_read(redis_text(reply), &stored) || stored.value.length > value->capacity ||
        (stored.until_us && stored.until_us <= now_us))
        return ERR_NOT_FOUND;
    memcpy(value->data, stored.value.at, stored.value.length);
    value->length = stored.value.length;
    *ret = (struct cache_remote_record){
        .value = {value->data, value->length},
        .version = stored.version,
        .age_ns = (now_us > stored.began_us ? now_us - stored.began_us : 0) * (NS_PER_S / US_PER_S),
        .left_ns = stored.until_us ? (stored.until_us - now_us) * (NS_PER_S / US_PER_S) : 0,
        .cost_ns = stored.cost_us * (NS_PER_S / US_PER_S),
    };
    if (stored.group.at) {
        memcpy(ret->group_storage, stored.group.at, stored.group.length);
        ret->group = (struct text){ret->group_storage, stored.group.length};
    }
    *ret_began_us = stored.began_us;
    return ERR_NONE;
}

/* What was about to be loaded when its group was invalidated, or before, is of old. */
static enum err check_group(struct cache_remote *remote, const char *name, struct text group, int64_t began_us)
{
    struct remote_key key;
    struct redis_command command = {.count = 0};
    redisReply *reply;
    int64_t at_us;
    remote_key_of_group(name, group, &key);
    redis_word(&command, TEXT("GET"));
    redis_word(&command, remote_key_text(&key));
    enum err err = run_one(remote, remote_key_text(&key), false, &command, &reply);
    if (err)
        return err;
    bool is_of_old = reply->type != REDIS_REPLY_NIL &&
                     (text_to_int(redis_text(reply), &at_us) || at_us + GROUP_MARGIN_US >= began_us);
    freeReplyObject(reply);
    return is_of_old ? ERR_NOT_FOUND : ERR_NONE;
}

enum err cache_remote_get(struct cache_remote *remote, const char *name, struct text key, struct cache_value *value,
                          struct cache_remote_record *ret)
{
    struct remote_key at;
    struct redis_command commands[2] = {{.count = 0}, {.count = 0}};
    redisReply *replies[2];
    int64_t now_us, began_us = 0;
    remote_key_of_value(name, key, &at);
    redis_word(&commands[0], TEXT("TIME"));
    redis_word(&commands[1], TEXT("GET"));
    redis_word(&commands[1], remote_key_text(&at));
    enum err err = remote_run(remote, remote_key_text(&at), remote->opts.replicas, commands, 2, replies);
    if (err)
        return err;
    if (read_time(replies[0], &now_us))
        err = take_value(replies[1], now_us, value, ret, &began_us);
    else
        err = err_because(ERR_UNAVAILABLE, "Redis does not tell the time");
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    if (!err && ret->group.at)
        err = check_group(remote, name, ret->group, began_us);
    return err;
}

static enum err write_value(const struct cache_remote_claim *claim, const struct cache_remote_record *record,
                            struct buf *out)
{
    char head[STORED_HEAD_MAX];
    const struct stored stored = {
        .version = record->version,
        .began_us = claim->began_us,
        .until_us = record->left_ns ? claim->began_us + (record->age_ns + record->left_ns) / 1000 : 0,
        .cost_us = record->age_ns / 1000,
        .group = record->group,
    };
    buf_add(out, head, stored_head(&stored, head));
    buf_add_text(out, record->group);
    buf_add_text(out, record->value);
    return buf_check(out);
}

static int64_t lifetime_ms(const struct cache_remote_record *record)
{
    int64_t ms = record->lifetime_ns / NS_PER_MS;
    if (record->left_ns && record->left_ns / NS_PER_MS < ms)
        ms = record->left_ns / NS_PER_MS;
    return ms < 1 ? 1 : ms > REMOTE_LIFETIME_MAX_MS ? REMOTE_LIFETIME_MAX_MS : ms;
}

static enum err put(struct cache_remote *remote, const char *name, struct text key,
                    const struct cache_remote_claim *claim, const struct cache_remote_record *record, struct text value)
{
    struct remote_key at, claimed;
    struct redis_command command;
    redisReply *reply;
    char ms[NUMBER_SIZE], version[STORED_VERSION_SIZE];
    remote_key_of_value(name, key, &at);
    remote_key_of_claim(name, key, &claimed);
    stored_version(record->version, version);
    begin_script(&command, PUT, "2");
    redis_word(&command, remote_key_text(&at));
    redis_word(&command, remote_key_text(&claimed));
    redis_word(&command, text_of(claim->token));
    redis_word(&command, value);
    redis_word(&command, number(ms, lifetime_ms(record)));
    redis_word(&command, text_of(version));
    enum err err = run_one(remote, remote_key_text(&at), false, &command, &reply);
    if (err)
        return err;
    bool taken = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    freeReplyObject(reply);
    return taken ? ERR_NONE : err_because(ERR_CONFLICT, "it was invalidated while it was loaded");
}

enum err cache_remote_put(struct cache_remote *remote, const char *name, struct text key,
                          struct cache_remote_claim *claim, const struct cache_remote_record *record)
{
    struct buf value;
    buf_init(&value, STORED_HEAD_MAX + record->group.length + record->value.length + 1);
    enum err err = write_value(claim, record, &value);
    if (!err)
        err = put(remote, name, key, claim, record, buf_text(&value));
    if (!err || err == ERR_CONFLICT)
        claim->held = false;
    buf_fini(&value);
    return err;
}

/* ---- claims ---- */

enum err cache_remote_claim(struct cache_remote *remote, const char *name, struct text key,
                            struct cache_remote_claim *claim)
{
    struct remote_key at;
    struct redis_command command;
    redisReply *reply;
    unsigned char random[(CLAIM_TOKEN_SIZE - 1) / 2];
    char ms[NUMBER_SIZE];
    random_bytes(random, sizeof random);
    sodium_bin2hex(claim->token, sizeof claim->token, random, sizeof random);
    remote_key_of_claim(name, key, &at);
    begin_script(&command, CLAIM, "1");
    redis_word(&command, remote_key_text(&at));
    redis_word(&command, text_of(claim->token));
    redis_word(&command, number(ms, remote->opts.claim_ms));
    enum err err = run_one(remote, remote_key_text(&at), false, &command, &reply);
    if (err)
        return err;
    claim->held = read_time(reply, &claim->began_us);
    freeReplyObject(reply);
    return claim->held ? ERR_NONE : ERR_BUSY;
}

void cache_remote_release(struct cache_remote *remote, const char *name, struct text key,
                          struct cache_remote_claim *claim)
{
    struct remote_key at;
    struct redis_command command;
    redisReply *reply;
    remote_key_of_claim(name, key, &at);
    begin_script(&command, RELEASE, "1");
    redis_word(&command, remote_key_text(&at));
    redis_word(&command, text_of(claim->token));
    claim->held = false;
    if (run_one(remote, remote_key_text(&at), false, &command, &reply) == ERR_NONE)
        freeReplyObject(reply);   /* else it ends by itself */
}

void cache_remote_wait_init(const struct cache_remote *remote, int64_t deadline_ns, struct cache_remote_wait *ret)
{
    int64_t now_ns = clock_now_ns(), half_ns = (deadline_ns - now_ns) / 2;
    int64_t most_ns = CLAIMS_WAITED * (int64_t)remote->opts.claim_ms * NS_PER_MS;
    *ret = (struct cache_remote_wait){.deadline_ns = now_ns + (half_ns < most_ns ? half_ns : most_ns),
                                      .pause_ms = WAIT_FIRST_MS};
}

bool cache_remote_wait(struct cache_remote_wait *wait)
{
    if (clock_now_ns() >= wait->deadline_ns)
        return false;
    unsigned us = wait->pause_ms * 500 + random_below(wait->pause_ms * 1000);
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
    wait->pause_ms = wait->pause_ms * 2 < WAIT_MAX_MS ? wait->pause_ms * 2 : WAIT_MAX_MS;
    return true;
}

/* ---- invalidating ---- */

static void owe(struct cache_remote *remote, struct owed *owed)
{
    owed->since_ns = clock_now_ns();
    keeper_owe(remote, owed);
}

void cache_remote_invalidate(struct cache_remote *remote, const char *name, struct text key)
{
    struct owed owed;
    remote_key_of_value(name, key, &owed.key);
    remote_key_of_claim(name, key, &owed.claim);
    owe(remote, &owed);
}

void cache_remote_invalidate_group(struct cache_remote *remote, const char *name, struct text group)
{
    struct owed owed = {.claim.length = 0};
    remote_key_of_group(name, group, &owed.key);
    owe(remote, &owed);
}

static void write_owed(const struct owed *owed, const char *ms, struct redis_command *command)
{
    if (owed->claim.length > 0) {
        command->count = 0;
        redis_word(command, TEXT("DEL"));
        redis_word(command, remote_key_text(&owed->key));
        redis_word(command, remote_key_text(&owed->claim));
    } else {
        begin_script(command, GROUP, "1");
        redis_word(command, remote_key_text(&owed->key));
        redis_word(command, text_of(ms));
    }
}

static bool tell_one(struct cache_remote *remote, const struct owed *owed, const struct redis_command *command)
{
    redisReply *reply;
    if (run_one(remote, remote_key_text(&owed->key), false, command, &reply) != ERR_NONE)
        return false;
    freeReplyObject(reply);
    return true;
}

/* Those of one node together; what it sends elsewhere goes there by itself. */
static void tell_node(struct cache_remote *remote, struct redis_node *node, const struct owed *owed,
                      const struct redis_command *commands, struct redis_node **nodes, size_t count, bool *ret_told)
{
    struct redis_command batch[REDIS_PIPELINE_MAX];
    redisReply *replies[REDIS_PIPELINE_MAX];
    size_t at[REDIS_PIPELINE_MAX], batch_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            nodes[i] = NULL;
            at[batch_count] = i;
            batch[batch_count++] = commands[i];
        }
    }
    if (redis_node_run(node, false, batch, batch_count, replies) != ERR_NONE) {
        keeper_want_map(remote);
        return;
    }
    for (size_t i = 0; i < batch_count; i++) {
        bool is_elsewhere = replies[i]->type == REDIS_REPLY_ERROR;
        ret_told[at[i]] = !is_elsewhere || tell_one(remote, &owed[at[i]], &batch[i]);
        freeReplyObject(replies[i]);
    }
}

void remote_tell(struct cache_remote *remote, const struct owed *owed, size_t count, bool *ret_told)
{
    struct redis_command commands[REDIS_PIPELINE_MAX];
    struct redis_node *nodes[REDIS_PIPELINE_MAX];
    char ms[NUMBER_SIZE];
    number(ms, REMOTE_LIFETIME_MAX_MS);
    for (size_t i = 0; i < count; i++) {
        ret_told[i] = false;
        write_owed(&owed[i], ms, &commands[i]);
        nodes[i] = redis_map_node(remote->map, redis_slot(remote_key_text(&owed[i].key)), false);
    }
    for (size_t i = 0; i < count; i++) {
        if (nodes[i])
            tell_node(remote, nodes[i], owed, commands, nodes, count, ret_told);
    }
}
