#include "config.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "check/harness/redis.h"

enum { START_TIMEOUT_MS = 20000, WELL_TIMEOUT_MS = 30000, ASK_TIMEOUT_MS = 2000, SLOTS = 16384, KEYS_AT_ONCE = 16,
       COMMAND_SIZE = 512, NODE_ID_SIZE = 41, ARGUMENTS_MAX = 48, PORTS = 3 };

const char *redis_lacks(void)
{
    static const char *const places[] = {"/usr/bin/redis-server", "/usr/local/bin/redis-server"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], X_OK) == 0)
            return NULL;
    }
    return "redis-server is not installed";
}

/* ---- asking ---- */

static void write_answer(const redisReply *reply, struct buf *out)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        buf_add_int(out, reply->integer);
    else if (reply->str)
        buf_add(out, reply->str, reply->len);
    for (size_t i = 0; i < reply->elements; i++) {
        write_answer(reply->element[i], out);
        buf_add_char(out, '\n');
    }
}

enum err redis_ask(unsigned port, const char *command, char out[static REDIS_ANSWER_SIZE])
{
    const struct timeval timeout = {.tv_sec = ASK_TIMEOUT_MS / 1000};
    redisContext *link = redisConnectWithTimeout("127.0.0.1", (int)port, timeout);
    enum err err = ERR_NONE;
    if (!link || link->err || redisSetTimeout(link, timeout) != REDIS_OK) {
        err = err_because(ERR_UNAVAILABLE, "Redis on port %u: %s", port, link ? link->errstr : "no memory");
        redisFree(link);
        return err;
    }
    redisReply *reply = redisCommand(link, command);
    struct buf answer;
    buf_init(&answer, REDIS_ANSWER_SIZE - 1);
    if (!reply)
        err = err_because(ERR_UNAVAILABLE, "Redis on port %u: %s", port, link->errstr);
    else if (reply->type == REDIS_REPLY_ERROR)
        err = err_because(ERR_INTERNAL, "Redis on port %u: %s: %s", port, command, reply->str);
    else
        write_answer(reply, &answer);
    snprintf(out, REDIS_ANSWER_SIZE, "%.*s", TEXT_ARGS(buf_text(&answer)));
    buf_fini(&answer);
    if (reply)
        freeReplyObject(reply);
    redisFree(link);
    return err;
}

enum err redis_tell(unsigned port, const char *command)
{
    char none[REDIS_ANSWER_SIZE];
    return redis_ask(port, command, none);
}

/* ---- one server ---- */

static bool answers(void *context)
{
    const struct redis_server *server = context;
    return redis_tell(server->port, "PING") == ERR_NONE;
}

static void find_ports(struct redis_server *server)
{
    server->port = process_free_port();
    server->bus_port = process_free_port();
    if (server->authority)
        server->tls_port = process_free_port();
}

/* Two words a setting. */
struct arguments {
    size_t count;
    const char *words[ARGUMENTS_MAX];
    char ports[PORTS][16];
    size_t ports_count;
};

static void add(struct arguments *arguments, const char *name, const char *value)
{
    arguments->words[arguments->count++] = name;
    arguments->words[arguments->count++] = value;
}

static void add_port(struct arguments *arguments, const char *name, unsigned port)
{
    char *text = arguments->ports[arguments->ports_count++];
    snprintf(text, sizeof arguments->ports[0], "%u", port);
    add(arguments, name, text);
}

static void add_cluster(struct arguments *arguments, const struct redis_server *server)
{
    add(arguments, "--cluster-enabled", "yes");
    add(arguments, "--cluster-node-timeout", "1000");
    add(arguments, "--cluster-replica-validity-factor", "0");
    add(arguments, "--repl-diskless-sync-delay", "0");
    add_port(arguments, "--cluster-port", server->bus_port);
}

static void add_tls(struct arguments *arguments, const struct redis_server *server)
{
    add_port(arguments, "--tls-port", server->tls_port);
    add(arguments, "--tls-ca-cert-file", server->authority->certificate);
    add(arguments, "--tls-cert-file", server->certificate->file);
    add(arguments, "--tls-key-file", server->certificate->key);
    add(arguments, "--tls-auth-clients", server->wants_certificate ? "yes" : "no");
    add(arguments, "--tls-cluster", server->in_cluster ? "yes" : "no");
    add(arguments, "--tls-replication", server->in_cluster ? "yes" : "no");
}

enum err redis_start(struct redis_server *server, const char *folder, bool in_cluster)
{
    char log[200];
    if (server->port == 0) {
        find_ports(server);
        server->in_cluster = in_cluster;
        snprintf(server->folder, sizeof server->folder, "%s/redis-%u", folder, server->port);
        if (mkdir(server->folder, 0700) != 0)
            return err_because(ERR_IO, "no folder %s", server->folder);
    }
    struct arguments arguments = {.count = 1, .words = {"redis-server"}};
    if (server->config)
        arguments.words[arguments.count++] = server->config;
    add_port(&arguments, "--port", server->port);
    add(&arguments, "--bind", "127.0.0.1");
    add(&arguments, "--dir", server->folder);
    add(&arguments, "--save", "");
    add(&arguments, "--protected-mode", "no");
    if (server->in_cluster)
        add_cluster(&arguments, server);
    if (server->authority)
        add_tls(&arguments, server);
    snprintf(log, sizeof log, "%s/log", server->folder);
    enum err err = process_start(arguments.words, log, SIGKILL, &server->process);
    if (!err && !process_until(answers, server, START_TIMEOUT_MS))
        err = err_because(ERR_DEADLINE, "redis-server does not answer; see %s", log);
    return err;
}

void redis_kill(struct redis_server *server)
{
    process_kill(&server->process);
}

void redis_freeze(const struct redis_server *server)
{
    kill(server->process.pid, SIGSTOP);
}

void redis_thaw(const struct redis_server *server)
{
    kill(server->process.pid, SIGCONT);
}

/* ---- a cluster ---- */

static enum err id_of(const struct redis_server *server, char out[static NODE_ID_SIZE])
{
    char answer[REDIS_ANSWER_SIZE];
    enum err err = redis_ask(server->port, "CLUSTER MYID", answer);
    if (!err)
        snprintf(out, NODE_ID_SIZE, "%.40s", answer);
    return err;
}

static enum err tell_format(unsigned port, const char *format, ...)
{
    char command[COMMAND_SIZE];
    va_list values;
    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    return redis_tell(port, command);
}

struct view {
    const struct redis_server *server;
    unsigned nodes;
};

static bool says(const struct redis_server *server, const char *line)
{
    char info[REDIS_ANSWER_SIZE];
    return redis_ask(server->port, "CLUSTER INFO", info) == ERR_NONE && strstr(info, line);
}

static bool knows_all(void *context)
{
    const struct redis_cluster *cluster = context;
    for (int i = 0; i < REDIS_CLUSTER_NODES; i++) {
        if (!says(&cluster->nodes[i], "cluster_known_nodes:6"))
            return false;
    }
    return true;
}

static bool all_say(struct redis_cluster *cluster, const char *line)
{
    for (int i = 0; i < REDIS_CLUSTER_NODES; i++) {
        struct redis_server *server = &cluster->nodes[i];
        if (process_runs(&server->process, NULL) && !says(server, line))
            return false;
    }
    return true;
}

static bool is_well(void *context)
{
    return all_say(context, "cluster_state:ok");
}

static bool is_down(void *context)
{
    return all_say(context, "cluster_state:fail");
}

bool redis_cluster_is_well(struct redis_cluster *cluster, unsigned timeout_ms)
{
    return process_until(is_well, cluster, timeout_ms);
}

bool redis_cluster_is_down(struct redis_cluster *cluster, unsigned timeout_ms)
{
    return process_until(is_down, cluster, timeout_ms);
}

static bool follows(void *context)
{
    char info[REDIS_ANSWER_SIZE];
    const struct redis_server *server = context;
    return redis_ask(server->port, "INFO replication", info) == ERR_NONE && strstr(info, "master_link_status:up");
}

/* As the nodes of its cluster reach it. */
static unsigned inner_port(const struct redis_server *server)
{
    return server->authority ? server->tls_port : server->port;
}

static enum err meet(struct redis_cluster *cluster)
{
    enum err err = ERR_NONE;
    for (int i = 1; i < REDIS_CLUSTER_NODES && !err; i++)
        err = tell_format(cluster->nodes[0].port, "CLUSTER MEET 127.0.0.1 %u %u",
                          inner_port(&cluster->nodes[i]), cluster->nodes[i].bus_port);
    for (int i = 0; i < REDIS_MASTERS && !err; i++)
        err = tell_format(cluster->nodes[i].port, "CLUSTER ADDSLOTSRANGE %d %d", i * SLOTS / REDIS_MASTERS,
                          (i + 1) * SLOTS / REDIS_MASTERS - 1);
    if (!err && !process_until(knows_all, cluster, WELL_TIMEOUT_MS))
        err = err_because(ERR_DEADLINE, "the nodes of the cluster do not meet");
    return err;
}

static enum err replicate(struct redis_cluster *cluster)
{
    enum err err = ERR_NONE;
    for (int i = 0; i < REDIS_MASTERS && !err; i++) {
        char id[NODE_ID_SIZE];
        err = id_of(&cluster->nodes[i], id);
        if (!err)
            err = tell_format(cluster->nodes[REDIS_MASTERS + i].port, "CLUSTER REPLICATE %s", id);
        if (!err && !process_until(follows, &cluster->nodes[REDIS_MASTERS + i], WELL_TIMEOUT_MS))
            err = err_because(ERR_DEADLINE, "a replica does not follow its master");
    }
    return err;
}

enum err redis_cluster_start(struct redis_cluster *cluster, const char *folder)
{
    enum err err = ERR_NONE;
    for (int i = 0; i < REDIS_CLUSTER_NODES && !err; i++)
        err = redis_start(&cluster->nodes[i], folder, true);
    for (int i = 0; i < REDIS_CLUSTER_NODES && !err; i++)   /* or two of them might be of one epoch, and quarrel */
        err = tell_format(cluster->nodes[i].port, "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    if (!err)
        err = meet(cluster);
    if (!err)
        err = replicate(cluster);
    if (!err && !redis_cluster_is_well(cluster, WELL_TIMEOUT_MS))
        err = err_because(ERR_DEADLINE, "the cluster is not well");
    return err;
}

void redis_cluster_stop(struct redis_cluster *cluster)
{
    for (int i = 0; i < REDIS_CLUSTER_NODES; i++)
        redis_kill(&cluster->nodes[i]);
}

int redis_cluster_master_of(struct redis_cluster *cluster, unsigned slot)
{
    for (int i = 0; i < REDIS_CLUSTER_NODES; i++) {
        char command[COMMAND_SIZE], answer[REDIS_ANSWER_SIZE];
        struct redis_server *server = &cluster->nodes[i];
        snprintf(command, sizeof command, "CLUSTER COUNTKEYSINSLOT %u", slot);
        if (!process_runs(&server->process, NULL) || redis_ask(server->port, "ROLE", answer) != ERR_NONE ||
            strncmp(answer, "master", 6) != 0)
            continue;
        if (redis_ask(server->port, "CLUSTER NODES", answer) != ERR_NONE)
            continue;
        const char *myself = strstr(answer, "myself");
        const char *ranges = myself ? strstr(myself, "connected") : NULL;
        unsigned first, last;
        int length;
        for (const char *at = ranges ? ranges + strlen("connected") : ""; *at == ' '; at += length) {
            if (sscanf(at, " %u-%u%n", &first, &last, &length) != 2) {
                if (sscanf(at, " %u%n", &first, &length) != 1)
                    break;
                last = first;
            }
            if (first <= slot && slot <= last)
                return i;
        }
    }
    return -1;
}

static enum err move_keys(struct redis_cluster *cluster, unsigned slot, int from, int to)
{
    for (;;) {
        char command[COMMAND_SIZE], keys[REDIS_ANSWER_SIZE];
        snprintf(command, sizeof command, "CLUSTER GETKEYSINSLOT %u %d", slot, KEYS_AT_ONCE);
        enum err err = redis_ask(cluster->nodes[from].port, command, keys);
        struct text rest = text_of(keys);
        if (err || !keys[0])
            return err;
        while (rest.at && rest.length > 0 && !err) {
            struct text key = text_split(&rest, '\n');
            if (key.length > 0)
                err = tell_format(cluster->nodes[from].port, "MIGRATE 127.0.0.1 %u %.*s 0 2000",
                                  inner_port(&cluster->nodes[to]), TEXT_ARGS(key));
        }
        if (err)
            return err;
    }
}

enum err redis_cluster_migrate(struct redis_cluster *cluster, unsigned slot, int to)
{
    char from_id[NODE_ID_SIZE], to_id[NODE_ID_SIZE];
    int from = redis_cluster_master_of(cluster, slot);
    if (from < 0 || from == to)
        return err_because(ERR_INTERNAL, "slot %u cannot be moved from node %d to %d", slot, from, to);
    enum err err = id_of(&cluster->nodes[from], from_id);
    if (!err)
        err = id_of(&cluster->nodes[to], to_id);
    if (!err)
        err = tell_format(cluster->nodes[to].port, "CLUSTER SETSLOT %u IMPORTING %s", slot, from_id);
    if (!err)
        err = tell_format(cluster->nodes[from].port, "CLUSTER SETSLOT %u MIGRATING %s", slot, to_id);
    if (!err)
        err = move_keys(cluster, slot, from, to);
    if (!err)
        err = tell_format(cluster->nodes[to].port, "CLUSTER SETSLOT %u NODE %s", slot, to_id);
    if (!err)
        err = tell_format(cluster->nodes[from].port, "CLUSTER SETSLOT %u NODE %s", slot, to_id);
    return err;
}

const char *redis_cluster_url(const struct redis_cluster *cluster, char out[static REDIS_URL_SIZE])
{
    int length = snprintf(out, REDIS_URL_SIZE, "%s", cluster->nodes[0].authority ? "rediss://" : "redis://");
    for (int i = 0; i < REDIS_CLUSTER_NODES; i++)
        length += snprintf(out + length, REDIS_URL_SIZE - (size_t)length, "%s127.0.0.1:%u", i ? "," : "",
                           inner_port(&cluster->nodes[i]));
    return out;
}
