/*
 * librdkafka's properties: what Tandem needs of a handle, and beneath it what a file says, for SASL, TLS and whatever
 * else a broker asks for.
 *
 * The file has a property a line, "sasl.username = tandem", by librdkafka's own names; empty lines and those that
 * begin with # are passed over. It may hold passwords: others may not read it (conf/secret_file.h), no error quotes a
 * value of it, and what was read is erased. What order and safety stand on (KAFKA_HELD in bus_kafka_properties.c)
 * cannot be set there.
 */
#ifndef TANDEM_EVENTS_BUS_KAFKA_PROPERTIES_H
#define TANDEM_EVENTS_BUS_KAFKA_PROPERTIES_H

#include <librdkafka/rdkafka.h>

#include "base/buf.h"
#include "base/err.h"

/* What a handle is for. */
enum kafka_use {
    KAFKA_ASKS,          /* questions of topics, groups and offsets */
    KAFKA_PUBLISHES,
    KAFKA_CONSUMES,      /* for a group */
    KAFKA_LOOKS,         /* reads for itself alone, and remembers nothing at the broker */
    KAFKA_USES,
};

struct kafka_properties {
    const char *brokers;     /* "host:9092,host2:9092"; must outlive this */
    struct buf file;         /* its content */
    const char *path;        /* NULL: there is none; must outlive this */
};

/** Reads the file (NULL or "": none) and tries every line. ERR_CONFIG with the line and what is wrong with it, and when
 *  others may read it; ERR_IO when it cannot be read. */
enum err must_check kafka_properties_init(struct kafka_properties *properties, const char *brokers, const char *path);
void kafka_properties_fini(struct kafka_properties *properties);

/** All properties of such a handle, but for the callbacks; group is for KAFKA_CONSUMES and KAFKA_LOOKS. Whoever gets it
 *  gives it to rd_kafka_new() or destroys it. ERR_CONFIG; ERR_MEMORY. */
enum err must_check kafka_properties_make(const struct kafka_properties *properties, enum kafka_use use,
                                          const char *group, rd_kafka_conf_t **ret);

#endif
