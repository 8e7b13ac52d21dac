#include "config.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "conf/secret_file.h"
#include "events/bus_kafka_properties.h"

enum { FILE_BYTES = 64 * 1024, NAME_BYTES = 128, VALUE_BYTES = 16 * 1024, REASON_BYTES = 256 };

/* By use, in this order. */
enum { OF_ASKING = 1 << KAFKA_ASKS, OF_PUBLISHING = 1 << KAFKA_PUBLISHES, OF_CONSUMING = 1 << KAFKA_CONSUMES,
       OF_LOOKING = 1 << KAFKA_LOOKS, OF_READING = OF_CONSUMING | OF_LOOKING, OF_ALL = (1 << KAFKA_USES) - 1 };

struct property {
    unsigned uses;
    const char *name, *value;
};

/* The file may say otherwise. */
static const struct property defaults[] = {
    {OF_ALL, "client.id", "tandem"},
    {OF_ALL, "socket.keepalive.enable", "true"},
    {OF_ALL, "reconnect.backoff.ms", "50"},
    {OF_ALL, "reconnect.backoff.max.ms", "2000"},
    {OF_ALL, "socket.connection.setup.timeout.ms", "5000"},
    {OF_PUBLISHING, "statistics.interval.ms", "5000"},
    {OF_PUBLISHING, "compression.codec", "lz4"},
    {OF_PUBLISHING, "queue.buffering.max.messages", "10000"},
    {OF_PUBLISHING, "queue.buffering.max.kbytes", "65536"},
    {OF_PUBLISHING, "topic.metadata.propagation.max.ms", "5000"},
    /* What a process holds that has died is given to others after this long; brokers allow from 6 s by themselves. */
    {OF_CONSUMING, "session.timeout.ms", "6000"},
    {OF_CONSUMING, "heartbeat.interval.ms", "1000"},
    {OF_CONSUMING, "partition.assignment.strategy", "cooperative-sticky"},
    {OF_READING, "isolation.level", "read_committed"},
    /* How much of it waits in memory here, so that a slow consumer costs no more. */
    {OF_READING, "queued.min.messages", "2000"},
    {OF_READING, "queued.max.messages.kbytes", "8192"},
    {OF_READING, "fetch.wait.max.ms", "100"},
    {OF_READING, "fetch.error.backoff.ms", "50"},
};

/* KAFKA_HELD: nothing else would keep what events/bus.h promises. */
static const struct property held[] = {
    {OF_PUBLISHING, "acks", "all"},
    {OF_PUBLISHING, "enable.idempotence", "true"},
    /* Nothing goes out behind what was refused, or a subject's events would change places. */
    {OF_PUBLISHING, "enable.gapless.guarantee", "true"},
    /* Java's partitioner, so that others who publish by the same key come to the same partition. */
    {OF_PUBLISHING, "partitioner", "murmur2"},
    /* Without an end: how long is waited is up to who publishes, who then gives up all of it together. */
    {OF_PUBLISHING, "message.timeout.ms", "0"},
    {OF_READING, "enable.auto.commit", "false"},
    {OF_READING, "enable.auto.offset.store", "false"},
    {OF_READING, "auto.offset.reset", "earliest"},
    {OF_READING, "enable.partition.eof", "false"},
    {OF_ALL, "bootstrap.servers", NULL},
    {OF_READING, "group.id", NULL},
};

/* ---- the file ---- */

static bool is_held(const char *name)
{
    static const char *const other_names[] = {"metadata.broker.list", "request.required.acks",
                                              "auto.commit.enable", "delivery.timeout.ms"};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        if (strcmp(held[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++)
        if (strcmp(other_names[i], name) == 0)
            return true;
    return false;
}

/* librdkafka quotes the value that it refuses; who wrote a password in the wrong place does not want it told. */
static const char *without_value(const char *reason, const char *value)
{
    return *value && strstr(reason, value) ? "its value is none that it takes" : reason;
}

static bool copy(struct text text, char *out, size_t size)
{
    if (text.length >= size || memchr(text.at, '\0', text.length))
        return false;
    memcpy(out, text.at, text.length);
    out[text.length] = '\0';
    return true;
}

static enum err set_line(const struct kafka_properties *properties, unsigned number, struct text line,
                         rd_kafka_conf_t *conf)
{
    char name[NAME_BYTES], value[VALUE_BYTES], reason[REASON_BYTES] = "";
    struct text rest = line, left = text_trim(text_split(&rest, '='));
    if (!rest.at || left.length == 0 || !copy(left, name, sizeof name))
        return err_because(ERR_CONFIG, "%s, line %u: there must be a property's name, '=', and its value",
                           properties->path, number);
    if (!copy(text_trim(rest), value, sizeof value))
        return err_because(ERR_CONFIG, "%s, line %u: %s: the value is too long, or has a NUL", properties->path, number,
                           name);
    enum err err = ERR_NONE;
    if (is_held(name))
        err = err_because(ERR_CONFIG, "%s, line %u: %s is Tandem's to set", properties->path, number, name);
    else if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        err = err_because(ERR_CONFIG, "%s, line %u: %s: %s", properties->path, number, name,
                          without_value(reason, value));
    sodium_memzero(value, sizeof value);
    return err;
}

static enum err set_file(const struct kafka_properties *properties, rd_kafka_conf_t *conf)
{
    struct text rest = buf_text(&properties->file);
    enum err err = ERR_NONE;
    for (unsigned number = 1; !err && rest.at; number++) {
        struct text line = text_split(&rest, '\n');
        if (line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--;
        line = text_trim(line);
        if (line.length > 0 && line.at[0] != '#')
            err = set_line(properties, number, line, conf);
    }
    return err;
}

/* ---- all of it ---- */

static enum err set_table(const struct property *table, size_t count, enum kafka_use use, rd_kafka_conf_t *conf)
{
    char reason[REASON_BYTES];
    for (size_t i = 0; i < count; i++)
        if ((table[i].uses & 1U << use) && table[i].value
            && rd_kafka_conf_set(conf, table[i].name, table[i].value, reason, sizeof reason) != RD_KAFKA_CONF_OK)
            return err_because(ERR_CONFIG, "this librdkafka (%s) does not take %s=%s: %s", rd_kafka_version_str(),
                               table[i].name, table[i].value, reason);
    return ERR_NONE;
}

static enum err set_own(const struct kafka_properties *properties, const char *group, rd_kafka_conf_t *conf)
{
    char reason[REASON_BYTES];
    if (rd_kafka_conf_set(conf, "bootstrap.servers", properties->brokers, reason, sizeof reason) != RD_KAFKA_CONF_OK
        || (group && rd_kafka_conf_set(conf, "group.id", group, reason, sizeof reason) != RD_KAFKA_CONF_OK))
        return err_because(ERR_CONFIG, "the bus \"kafka:%s\": %s", properties->brokers, reason);
    return ERR_NONE;
}

enum err kafka_properties_make(const struct kafka_properties *properties, enum kafka_use use, const char *group,
                               rd_kafka_conf_t **ret)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum err err = set_table(defaults, sizeof defaults / sizeof defaults[0], use, conf);
    if (!err && properties->path)
        err = set_file(properties, conf);
    if (!err)
        err = set_table(held, sizeof held / sizeof held[0], use, conf);
    if (!err)
        err = set_own(properties, group, conf);
    if (err)
        rd_kafka_conf_destroy(conf);
    else
        *ret = conf;
    return err;
}

enum err kafka_properties_init(struct kafka_properties *properties, const char *brokers, const char *path)
{
    *properties = (struct kafka_properties){.brokers = brokers, .path = path && *path ? path : NULL};
    buf_init(&properties->file, FILE_BYTES);
    enum err err = ERR_NONE;
    if (properties->path && !buf_reserve(&properties->file, FILE_BYTES))   /* at once, so that no copy of it is left */
        err = err_because(ERR_MEMORY, "out of memory");
    if (!err && properties->path)
        err = secret_file_read(path, &properties->file);
    if (err)
        err = err_because(err, "bus.kafka_properties_file: %s", err_cause());
    rd_kafka_conf_t *conf = NULL;
    if (!err)
        err = kafka_properties_make(properties, KAFKA_ASKS, NULL, &conf);
    if (conf)
        rd_kafka_conf_destroy(conf);
    if (err) {
        kafka_properties_fini(properties);
        return err == ERR_MEMORY || err == ERR_IO ? err : ERR_CONFIG;
    }
    return ERR_NONE;
}

void kafka_properties_fini(struct kafka_properties *properties)
{
    if (properties->file.data)
        sodium_memzero(properties->file.data, properties->file.capacity);
    buf_fini(&properties->file);
}
