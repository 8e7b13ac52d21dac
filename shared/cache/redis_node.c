#include "config.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cache/redis_link.h"
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
    struct redis_link *links[LINKS_MAX];
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
        redis_link_close(node->links[--node->kept]);
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

static int64_t deadline_of(const struct redis_node_opts *opts)
{
    return clock_now_ns() + opts->timeout_ms * NS_PER_MS;
}

static enum err send_one(struct redis_link *link, int64_t deadline_ns, const struct redis_command *command,
                         redisReply **ret)
{
    redis_link_add(link, command);
    enum err err = redis_link_send(link, deadline_ns);
    return err ? err : redis_link_read(link, deadline_ns, ret);
}

static enum err send_password(const struct redis_node_opts *opts, struct redis_link *link, int64_t deadline_ns,
                              struct text password)
{
    struct redis_command command = {.count = 0};
    redisReply *reply;
    while (password.length > 0 && strchr("\r\n", password.at[password.length - 1]))
        password.length--;
    redis_word(&command, TEXT("AUTH"));
    if (opts->user[0])
        redis_word(&command, text_of(opts->user));
    redis_word(&command, password);
    enum err err = send_one(link, deadline_ns, &command, &reply);
    if (err)
        return err_because(err, "AUTH: %s", err_cause());
    if (reply->type == REDIS_REPLY_ERROR)
        err = err_because(ERR_UNAVAILABLE, "AUTH is refused: %s", reply->str);
    freeReplyObject(reply);
    return err;
}

static enum err sign_in(const struct redis_node_opts *opts, struct redis_link *link, int64_t deadline_ns)
{
    struct buf password;
    if (!opts->password_file[0])
        return ERR_NONE;
    buf_init(&password, PASSWORD_MAX);
    enum err err = secret_file_read(opts->password_file, &password);
    if (err)
        err = err_because(ERR_UNAVAILABLE, "cache.redis_password_file: %s", err_cause());
    else
        err = send_password(opts, link, deadline_ns, buf_text(&password));
    if (password.data)
        sodium_memzero(password.data, password.capacity);
    buf_fini(&password);
    return err;
}

/* A master takes READONLY as well, so it need not be known what this node is. */
static enum err prepare(const struct redis_node_opts *opts, struct redis_link *link, int64_t deadline_ns)
{
    struct redis_command command = {.count = 0};
    redisReply *reply;
    enum err err = sign_in(opts, link, deadline_ns);
    if (err || !opts->reads_replicas)
        return err;
    redis_word(&command, TEXT("READONLY"));
    err = send_one(link, deadline_ns, &command, &reply);
    if (err)
        return err_because(err, "READONLY: %s", err_cause());
    freeReplyObject(reply);   /* one that is no cluster says that it is none */
    return ERR_NONE;
}

static enum err connect_to(const struct redis_node *node, struct redis_link **ret)
{
    int64_t deadline_ns = deadline_of(node->opts);
    struct redis_link *link;
    enum err err = redis_link_open(&node->address, node->opts->tls, deadline_ns, &link);
    if (err)
        return err;
    err = prepare(node->opts, link, deadline_ns);
    if (err)
        redis_link_close(link);
    else
        *ret = link;
    return err;
}

/* ---- those that are kept ---- */

/* A kept one; or none, and room for one to be made. */
static enum err take(struct redis_node *node, struct redis_link **ret)
{
    int64_t until_ns = clock_now_ns() + node->opts->timeout_ms * NS_PER_MS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    bool overdue = false;
    struct redis_link *link = NULL;
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
static void give_back(struct redis_node *node, struct redis_link *link)
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

static void free_replies(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
}

static void add(struct redis_link *link, bool asking, const struct redis_command *commands, size_t count)
{
    struct redis_command ask = {.count = 0};
    redis_word(&ask, TEXT("ASKING"));
    for (size_t i = 0; i < count; i++) {
        if (asking)
            redis_link_add(link, &ask);
        redis_link_add(link, &commands[i]);
    }
}

static enum err read_reply(struct redis_link *link, bool asking, int64_t deadline_ns, redisReply **ret)
{
    redisReply *allowed;
    enum err err = asking ? redis_link_read(link, deadline_ns, &allowed) : ERR_NONE;
    if (asking && !err)
        freeReplyObject(allowed);
    return err ? err : redis_link_read(link, deadline_ns, ret);
}

/* ERR_CLOSED: there was no reply at all. */
static enum err converse(const struct redis_node *node, struct redis_link *link, bool asking,
                         const struct redis_command *commands, size_t count, redisReply **ret_replies)
{
    int64_t deadline_ns = deadline_of(node->opts);
    size_t read = 0;
    add(link, asking, commands, count);
    enum err err = redis_link_send(link, deadline_ns);
    while (!err && read < count) {
        err = read_reply(link, asking, deadline_ns, &ret_replies[read]);
        read += !err;
    }
    if (!err && !redis_link_is_quiet(link))
        err = err_because(ERR_PROTOCOL, "the server says more than it was asked");
    if (err)
        free_replies(ret_replies, read);
    return err == ERR_CLOSED && read > 0 ? ERR_UNAVAILABLE : err;
}

/* One that was kept may have been closed by the other side since; nothing was run then, and another is made. */
static enum err converse_anew(struct redis_node *node, struct redis_link **link, bool asking,
                              const struct redis_command *commands, size_t count, redisReply **ret_replies)
{
    redis_link_close(*link);
    *link = NULL;
    enum err err = connect_to(node, link);
    return err ? err : converse(node, *link, asking, commands, count, ret_replies);
}

static enum err run(struct redis_node *node, bool asking, const struct redis_command *commands, size_t count,
                    redisReply **ret_replies)
{
    struct redis_link *link = NULL;
    enum err err = take(node, &link);
    if (err)
        return err;
    bool was_kept = link != NULL;
    err = link ? ERR_NONE : connect_to(node, &link);
    if (!err)
        err = converse(node, link, asking, commands, count, ret_replies);
    if (err == ERR_CLOSED && was_kept)
        err = converse_anew(node, &link, asking, commands, count, ret_replies);
    if (err) {
        redis_link_close(link);
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
    if (!err)
        return ERR_NONE;
    return err_because(ERR_UNAVAILABLE, "Redis at %s:%u: %s", node->address.host, node->address.port, err_cause());
}
