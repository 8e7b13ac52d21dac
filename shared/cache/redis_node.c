#include "config.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cache/redis_node.h"
#include "conf/secret_file.h"
#include "net/breaker.h"
#include "telemetry/metric.h"

enum { PASSWORD_MAX = 1024, LINKS_MAX = 256 };

struct redis_node {
    struct redis_address address;
    const struct redis_node_opts *opts;
    struct breaker breaker;
    pthread_mutex_t lock;
    pthread_cond_t given_back;
    unsigned open;                 /* kept or in use */
    unsigned kept;
    redisContext *links[LINKS_MAX];
    struct metric_series answered, failed, refused;
};

enum err redis_node_new(const struct redis_address *address, const struct redis_node_opts *opts,
                        struct redis_node **ret)
{
    struct redis_node *node = calloc(1, sizeof *node);
    if (!node)
        return err_because(ERR_MEMORY, "no memory for a Redis node");
    const struct breaker_opts breaker = {.failures_max = opts->breaker_failures, .open_ms = opts->breaker_open_ms};
    node->address = *address;
    node->opts = opts;
    breaker_init(&node->breaker, &breaker);
    pthread_mutex_init(&node->lock, NULL);
    pthread_cond_init(&node->given_back, NULL);
    node->answered = metric_series(METRIC_CACHE_REMOTE, "answered");
    node->failed = metric_series(METRIC_CACHE_REMOTE, "failed");
    node->refused = metric_series(METRIC_CACHE_REMOTE, "refused");
    *ret = node;
    return ERR_NONE;
}

void redis_node_free(struct redis_node *node)
{
    if (!node)
        return;
    while (node->kept > 0)
        redisFree(node->links[--node->kept]);
    pthread_cond_destroy(&node->given_back);
    pthread_mutex_destroy(&node->lock);
    breaker_fini(&node->breaker);
    free(node);
}

const struct redis_address *redis_node_address(const struct redis_node *node)
{
    return &node->address;
}

/* ---- a connection ---- */

static struct timeval timeval_of(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static enum err send_one(redisContext *link, const struct redis_command *command, const char *what)
{
    redisReply *reply =
        redisCommandArgv(link, command->count, (const char **)(uintptr_t)command->words, command->lengths);
    enum err err = ERR_NONE;
    if (!reply)
        err = err_because(ERR_UNAVAILABLE, "%s to Redis: %s", what, link->errstr);
    else if (reply->type == REDIS_REPLY_ERROR)
        err = err_because(ERR_UNAVAILABLE, "Redis refuses %s: %s", what, reply->str);
    if (reply)
        freeReplyObject(reply);
    return err;
}

static enum err send_password(const struct redis_node_opts *opts, redisContext *link, struct text password)
{
    struct redis_command command = {.count = 0};
    while (password.length > 0 && strchr("\r\n", password.at[password.length - 1]))
        password.length--;
    redis_word(&command, TEXT("AUTH"));
    if (opts->user[0])
        redis_word(&command, text_of(opts->user));
    redis_word(&command, password);
    return send_one(link, &command, "AUTH");
}

static enum err sign_in(const struct redis_node_opts *opts, redisContext *link)
{
    struct buf password;
    if (!opts->password_file[0])
        return ERR_NONE;
    buf_init(&password, PASSWORD_MAX);
    enum err err = secret_file_read(opts->password_file, &password);
    if (err)
        err = err_because(ERR_UNAVAILABLE, "cache.redis_password_file: %s", err_cause());
    else
        err = send_password(opts, link, buf_text(&password));
    if (password.data)
        sodium_memzero(password.data, password.capacity);
    buf_fini(&password);
    return err;
}

/* A master takes READONLY as well, so it need not be known what this node is. */
static enum err prepare(const struct redis_node_opts *opts, redisContext *link)
{
    enum err err = sign_in(opts, link);
    if (err || !opts->reads_replicas)
        return err;
    struct redis_command command = {.count = 0};
    redis_word(&command, TEXT("READONLY"));
    redisReply *reply = redisCommandArgv(link, command.count, command.words, command.lengths);
    if (!reply)
        return err_because(ERR_UNAVAILABLE, "READONLY to Redis: %s", link->errstr);
    freeReplyObject(reply);   /* one that is no cluster says that it is none */
    return ERR_NONE;
}

static enum err connect_to(const struct redis_node *node, redisContext **ret)
{
    const struct redis_address *address = &node->address;
    const struct timeval timeout = timeval_of(node->opts->timeout_ms);
    redisContext *link = address->port ? redisConnectWithTimeout(address->host, (int)address->port, timeout)
                                       : redisConnectUnixWithTimeout(address->host, timeout);
    enum err err = ERR_NONE;
    if (!link)
        return err_because(ERR_MEMORY, "no memory for a connection to Redis");
    if (link->err || redisSetTimeout(link, timeout) != REDIS_OK)
        err = err_because(ERR_UNAVAILABLE, "Redis at %s:%u: %s", address->host, address->port, link->errstr);
    else
        err = prepare(node->opts, link);
    if (err)
        redisFree(link);
    else
        *ret = link;
    return err;
}

/* ---- those that are kept ---- */

/* A kept one; or none, and room for one to be made. */
static enum err take(struct redis_node *node, redisContext **ret)
{
    int64_t until_ns = clock_now_ns() + node->opts->timeout_ms * NS_PER_MS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    bool overdue = false;
    redisContext *link = NULL;
    pthread_mutex_lock(&node->lock);
    while (node->kept == 0 && node->open == node->opts->connections_max && !overdue)
        overdue = pthread_cond_clockwait(&node->given_back, &node->lock, CLOCK_MONOTONIC, &until) != 0;
    if (node->kept > 0)
        link = node->links[--node->kept];
    else if (node->open < node->opts->connections_max)
        node->open++;
    else
        overdue = true;
    pthread_mutex_unlock(&node->lock);
    if (!link && overdue)
        return err_because(ERR_BUSY, "all %u connections to Redis are in use", node->opts->connections_max);
    *ret = link;
    return ERR_NONE;
}

/* NULL: it was closed, or never made. */
static void give_back(struct redis_node *node, redisContext *link)
{
    pthread_mutex_lock(&node->lock);
    if (link)
        node->links[node->kept++] = link;
    else
        node->open--;
    pthread_cond_signal(&node->given_back);
    pthread_mutex_unlock(&node->lock);
}

/* ---- running ---- */

static void append(redisContext *link, bool asking, const struct redis_command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (asking)
            redisAppendCommand(link, "ASKING");
        redisAppendCommandArgv(link, commands[i].count, (const char **)(uintptr_t)commands[i].words,
                               commands[i].lengths);
    }
}

static enum err read_reply(redisContext *link, redisReply **ret)
{
    void *reply = NULL;
    if (redisGetReply(link, &reply) != REDIS_OK || !reply)
        return err_because(ERR_UNAVAILABLE, "Redis: %s", link->errstr);
    *ret = reply;
    return ERR_NONE;
}

static void free_replies(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
}

static enum err converse(redisContext *link, bool asking, const struct redis_command *commands, size_t count,
                         redisReply **ret_replies)
{
    append(link, asking, commands, count);
    for (size_t i = 0; i < count; i++) {
        redisReply *allowed = NULL;
        enum err err = asking ? read_reply(link, &allowed) : ERR_NONE;
        if (allowed)
            freeReplyObject(allowed);
        if (!err)
            err = read_reply(link, &ret_replies[i]);
        if (err) {
            free_replies(ret_replies, i);
            return err;
        }
    }
    return ERR_NONE;
}

/* A connection that was kept may have been closed by the other side since; nothing was run then. */
static bool was_dead(const redisContext *link)
{
    return link->err == REDIS_ERR_EOF || link->err == REDIS_ERR_IO;
}

static enum err run(struct redis_node *node, bool asking, const struct redis_command *commands, size_t count,
                    redisReply **ret_replies)
{
    redisContext *link = NULL;
    enum err err = take(node, &link);
    if (err)
        return err;
    bool was_kept = link != NULL;
    err = link ? ERR_NONE : connect_to(node, &link);
    int64_t began_ns = clock_now_ns();
    if (!err)
        err = converse(link, asking, commands, count, ret_replies);
    bool timed_out = clock_now_ns() - began_ns >= node->opts->timeout_ms * NS_PER_MS / 2;
    if (err && link && was_kept && was_dead(link) && !timed_out) {
        redisFree(link);
        link = NULL;
        err = connect_to(node, &link);
        if (!err)
            err = converse(link, asking, commands, count, ret_replies);
    }
    if (err && link) {
        redisFree(link);
        link = NULL;
    }
    give_back(node, link);
    return err;
}

enum err redis_node_run(struct redis_node *node, bool asking, const struct redis_command *commands, size_t count,
                        redisReply **ret_replies)
{
    struct breaker_pass pass;
    if (!breaker_admit(&node->breaker, clock_now_ns(), &pass)) {
        metric_add(node->refused, 1);
        return err_because(ERR_UNAVAILABLE, "Redis at %s:%u has failed too often to be asked", node->address.host,
                           node->address.port);
    }
    enum err err = run(node, asking, commands, count, ret_replies);
    breaker_report(&node->breaker, pass, err == ERR_BUSY ? BREAKER_UNTOLD : err ? BREAKER_FAILURE : BREAKER_SUCCESS,
                   clock_now_ns());
    metric_add(err ? node->failed : node->answered, 1);
    return err ? err_because(ERR_UNAVAILABLE, "%s", err_cause()) : ERR_NONE;
}
