#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka.h"

enum {
    QUEUE_FULL_WAIT_MS = 10,
    FLUSH_MS = 20,           /* librdkafka may miss what has just learned its partition, until told to flush again */
    GIVE_UP_MS = 1000,       /* for the reports of what was given up, which come at once */
};

void kafka_producer_init(struct kafka_producer *producer, struct bus_kafka *bus)
{
    *producer = (struct kafka_producer){.bus = bus};
    pthread_mutex_init(&producer->lock, NULL);
}

void kafka_producer_drop(struct kafka_producer *producer)
{
    if (!producer->handle)
        return;
    rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer->handle, GIVE_UP_MS);
    while (producer->topic_count > 0)
        rd_kafka_topic_destroy(producer->topics[--producer->topic_count]);
    rd_kafka_destroy(producer->handle);
    producer->handle = NULL;
}

void kafka_producer_fini(struct kafka_producer *producer)
{
    if (!producer->bus)
        return;
    kafka_producer_drop(producer);
    pthread_mutex_destroy(&producer->lock);
}

static void take_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *context)
{
    struct kafka_producer *producer = message->_private;
    (void)handle;
    (void)context;
    producer->reported++;
    if (message->err && !producer->failure)
        producer->failure = message->err;
}

static enum err open_handle(struct kafka_producer *producer)
{
    rd_kafka_conf_t *conf;
    enum err err = kafka_properties_make(&producer->bus->properties, KAFKA_PUBLISHES, NULL, &conf);
    if (err)
        return err;
    rd_kafka_conf_set_dr_msg_cb(conf, take_report);
    return kafka_handle(producer->bus, KAFKA_PUBLISHES, conf, &producer->handle);
}

enum err kafka_producer_begin(struct kafka_producer *producer, int64_t until_ns)
{
    pthread_mutex_lock(&producer->lock);
    producer->sent = producer->reported = 0;
    producer->failure = RD_KAFKA_RESP_ERR_NO_ERROR;
    producer->until_ns = until_ns;
    return producer->handle ? ERR_NONE : open_handle(producer);
}

/* A topic that librdkafka is told of asks for its partitions at once; one that it learns of by a message, within a
 * second. Past the most, one goes. */
static rd_kafka_topic_t *find_topic(struct kafka_producer *producer, const char *name)
{
    for (size_t i = 0; i < producer->topic_count; i++)
        if (strcmp(rd_kafka_topic_name(producer->topics[i]), name) == 0)
            return producer->topics[i];
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->handle, name, NULL);
    if (topic && producer->topic_count == KAFKA_PRODUCER_TOPICS) {
        rd_kafka_topic_destroy(producer->topics[0]);
        producer->topics[0] = producer->topics[--producer->topic_count];
    }
    if (topic)
        producer->topics[producer->topic_count++] = topic;
    return topic;
}

static rd_kafka_resp_err_t produce(struct kafka_producer *producer, rd_kafka_topic_t *topic, struct text key,
                                   struct text value, rd_kafka_headers_t *headers)
{
    return rd_kafka_producev(producer->handle, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY(key.at, key.length), RD_KAFKA_V_VALUE((void *)value.at, value.length),
                             RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(producer), RD_KAFKA_V_END);
}

enum err kafka_producer_add(struct kafka_producer *producer, const char *name, struct text key, struct text value,
                            rd_kafka_headers_t *headers)
{
    rd_kafka_topic_t *topic = find_topic(producer, name);
    if (!headers)
        return err_because(ERR_MEMORY, "no memory for a message's headers");
    rd_kafka_resp_err_t error = topic ? produce(producer, topic, key, value, headers) : rd_kafka_last_error();
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && kafka_left_ms(producer->until_ns) > 0) {
        rd_kafka_poll(producer->handle, QUEUE_FULL_WAIT_MS);
        error = produce(producer, topic, key, value, headers);
    }
    if (error) {
        rd_kafka_headers_destroy(headers);
        return kafka_because(producer->bus, "publish", error);
    }
    producer->sent++;
    return ERR_NONE;
}

static enum err wait_for_reports(struct kafka_producer *producer)
{
    int left_ms;
    while (producer->reported < producer->sent && !producer->failure
           && (left_ms = kafka_left_ms(producer->until_ns)) > 0)
        rd_kafka_flush(producer->handle, left_ms < FLUSH_MS ? left_ms : FLUSH_MS);
    if (producer->failure)
        return kafka_because(producer->bus, "publish", producer->failure);
    return producer->reported == producer->sent ? ERR_NONE
                                                : kafka_because(producer->bus, "publish", RD_KAFKA_RESP_ERR__TIMED_OUT);
}

/* Closed also when the broker refused a single message: what follows it must not go out before it is through. */
enum err kafka_producer_end(struct kafka_producer *producer, enum err err)
{
    if (!err)
        err = wait_for_reports(producer);
    if (err)
        kafka_producer_drop(producer);
    pthread_mutex_unlock(&producer->lock);
    return err;
}

void kafka_producer_poll(struct kafka_producer *producer)
{
    if (pthread_mutex_trylock(&producer->lock) != 0)
        return;
    if (producer->handle)
        rd_kafka_poll(producer->handle, 0);
    pthread_mutex_unlock(&producer->lock);
}
