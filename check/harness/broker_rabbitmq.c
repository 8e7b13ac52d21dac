/* RabbitMQ, of one node and of three, as brokers of a bus. */
#include "config.h"

#include <stdio.h>

#include "check/harness/broker.h"
#include "check/harness/rabbitmq.h"

enum {
    URL_SIZE = 160, CLUSTER = 3,
    QUEUES = 3, PREFETCH = 600, DELIVERY_LIMIT = 100, HEARTBEAT_S = 4, CONNECT_TIMEOUT_MS = 2000,
    PUBLISH_TIMEOUT_MS = 5000,
    SETTLE_MS = 6000,       /* RabbitMQ 3.10 writes a quorum queue's name and term within 5 s of its making */
};

static unsigned node_count = 1;

static const char *lacks(void)
{
#ifdef HAVE_RABBITMQ
    return rabbitmq_lacks();
#else
    return "this tree was configured without RabbitMQ (--with-rabbitmq, Debian: librabbitmq-dev)";
#endif
}

static enum err start(unsigned nodes)
{
    node_count = nodes;
    return rabbitmq_start(nodes, false);
}

static enum err start_one(void)
{
    return start(1);
}

static enum err start_cluster(void)
{
    return start(CLUSTER);
}

static struct bus_opts opts(const char *world)
{
    static _Thread_local char url[URL_SIZE], prefix[64];
    int length = snprintf(url, sizeof url, "amqp://guest@");
    for (unsigned i = 0; i < node_count; i++)
        length += snprintf(url + length, sizeof url - (size_t)length, "%s127.0.0.1:%u", i ? "," : "",
                           rabbitmq_port(i));
    snprintf(prefix, sizeof prefix, "%s", world);
    return (struct bus_opts){
        .url = url, .prefix = prefix, .groups = "", .queues = QUEUES, .prefetch = PREFETCH,
        .delivery_limit = DELIVERY_LIMIT, .heartbeat_s = HEARTBEAT_S, .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .publish_timeout_ms = PUBLISH_TIMEOUT_MS,
    };
}

static enum err end(void)
{
    enum err err = ERR_NONE;
    for (unsigned i = 0; !err && i < node_count; i++)
        err = rabbitmq_end_node(i);
    return err;
}

static void kill_all(void)
{
    for (unsigned i = 0; i < node_count; i++)
        rabbitmq_kill_node(i);
}

static void kill_node(void)
{
    static unsigned turn;
    rabbitmq_kill_node(turn++ % node_count);
}

#define BROKER(title, more, starts)                                                                                    \
    {                                                                                                                  \
        .name = title, .abilities = BROKER_AWAY | BROKER_GIVES_UP | (more), .lacks = lacks, .start = starts,           \
        .stop = rabbitmq_stop, .opts = opts, .end = end, .kill = kill_all, .start_again = rabbitmq_start_again,        \
        .kill_node = kill_node, .settle_ms = SETTLE_MS,                                                                \
    }

const struct broker broker_rabbitmq = BROKER("RabbitMQ", 0, start_one);
const struct broker broker_rabbitmq_cluster = BROKER("RabbitMQ, 3 nodes", BROKER_NODES, start_cluster);
