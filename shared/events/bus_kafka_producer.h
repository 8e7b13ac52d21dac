/*
 * A producer of Kafka that sends some messages at a time and waits for them: all are acknowledged by all replicas in
 * sync, or it is an error for the whole, after which some may have arrived.
 *
 * The handle is idempotent: librdkafka's own tries again neither repeat nor reorder. Once something has failed, or the
 * time is over, what is still on its way is given up and the handle is closed; the next one begins anew. So of a
 * subject's messages a beginning has arrived, never one behind a gap, and when all are sent again the first of each
 * comes in order.
 *
 * Threads: one at a time sends; kafka_producer_poll() from any other.
 */
#ifndef TANDEM_EVENTS_BUS_KAFKA_PRODUCER_H
#define TANDEM_EVENTS_BUS_KAFKA_PRODUCER_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct bus_kafka;

enum { KAFKA_PRODUCER_TOPICS = 64 };

struct kafka_producer {
    struct bus_kafka *bus;
    pthread_mutex_t lock;          /* held while it sends */
    rd_kafka_t *handle;            /* NULL before the first message, and after a failure */
    rd_kafka_topic_t *topics[KAFKA_PRODUCER_TOPICS];   /* of the handle, that messages went to */
    size_t topic_count;
    uint64_t sent, reported;       /* of the messages under way */
    rd_kafka_resp_err_t failure;   /* the first of them */
    int64_t until_ns;
};

void kafka_producer_init(struct kafka_producer *producer, struct bus_kafka *bus);
void kafka_producer_fini(struct kafka_producer *producer);

/** Begins some messages, that have until then. Ends with kafka_producer_end(), whatever comes in between. */
enum err must_check kafka_producer_begin(struct kafka_producer *producer, int64_t until_ns);

/** Takes over headers, also with an error. key and value may be absent, and are copied. */
enum err must_check kafka_producer_add(struct kafka_producer *producer, const char *topic, struct text key,
                                       struct text value, rd_kafka_headers_t *headers);

/** Waits for all; err is what was wrong before, which is then returned. ERR_UNAVAILABLE; ERR_INVALID for what the
 *  broker refuses. */
enum err must_check kafka_producer_end(struct kafka_producer *producer, enum err err);

/** Serves what librdkafka has to tell, statistics and errors, unless it sends, which does so as well. */
void kafka_producer_poll(struct kafka_producer *producer);

/** Closes the handle; the next message opens another. With the lock, or nobody else there. */
void kafka_producer_drop(struct kafka_producer *producer);

#endif
