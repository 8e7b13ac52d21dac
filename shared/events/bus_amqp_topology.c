#include "config.h"

#include <amqp.h>
#include <stdio.h>
#include <string.h>

#include "events/bus_amqp_topology.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

enum {
    WHAT_SIZE = 2 * BUS_AMQP_NAME_SIZE + 32, ARGUMENTS_MAX = 7,
    UNROUTED_BYTES = 64 * 1024 * 1024,                /* past which the oldest go … */
    UNROUTED_MS = 7 * 24 * 3600 * 1000,               /* … or after a week */
    WATCH_EXPIRES_MS = 10 * 60 * 1000,
};

unsigned bus_amqp_queue_of(struct text subject, unsigned queues)
{
    uint64_t hash = FNV_OFFSET;
    for (size_t i = 0; i < subject.length; i++)
        hash = (hash ^ (unsigned char)subject.at[i]) * FNV_PRIME;
    return (unsigned)(hash % queues);
}

/* ---- names ---- */

const char *bus_amqp_queue_name(const struct bus_amqp_settings *settings, const char *group, unsigned index,
                                char out[static BUS_AMQP_NAME_SIZE])
{
    if (index == settings->opts.queues)
        snprintf(out, BUS_AMQP_NAME_SIZE, "%s.%s.dead", settings->opts.prefix, group);
    else
        snprintf(out, BUS_AMQP_NAME_SIZE, "%s.%s.%u", settings->opts.prefix, group, index);
    return out;
}

const char *bus_amqp_exchange_name(const struct bus_amqp_settings *settings, char out[static BUS_AMQP_NAME_SIZE])
{
    snprintf(out, BUS_AMQP_NAME_SIZE, "%s.events", settings->opts.prefix);
    return out;
}

enum err bus_amqp_check_group(const struct bus_amqp_settings *settings, const char *group)
{
    enum { BEHIND = sizeof ".4294967295" };
    if (strlen(settings->opts.prefix) + 1 + strlen(group) + BEHIND < BUS_AMQP_NAME_SIZE)
        return ERR_NONE;
    return err_because(ERR_CONFIG, "the group \"%.64s…\" has too long a name for a queue", group);
}

/* The key that a type is bound by: a family's version is one word, of any kind, and the subscription looks at it more
 * closely; "*" behind is for all queues. */
static const char *binding_key(const char *type, const char *index, char out[static BUS_AMQP_NAME_SIZE])
{
    size_t length = strlen(type);
    bool is_family = length > 2 && strcmp(type + length - 2, ".v") == 0;
    snprintf(out, BUS_AMQP_NAME_SIZE, "%.*s%s.%s", (int)(is_family ? length - 1 : length), type, is_family ? "*" : "",
             index);
    return out;
}

/* ---- arguments ---- */

struct arguments {
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    int count;
};

static void add_text(struct arguments *arguments, const char *key, const char *value)
{
    arguments->entries[arguments->count++] = (amqp_table_entry_t){
        amqp_cstring_bytes(key), {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static void add_number(struct arguments *arguments, const char *key, int64_t value)
{
    arguments->entries[arguments->count++] =
        (amqp_table_entry_t){amqp_cstring_bytes(key), {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

static void add_flag(struct arguments *arguments, const char *key)
{
    arguments->entries[arguments->count++] =
        (amqp_table_entry_t){amqp_cstring_bytes(key), {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

static amqp_table_t table_of(struct arguments *arguments)
{
    return (amqp_table_t){arguments->count, arguments->entries};
}

/* ---- declaring ---- */

enum err bus_amqp_count(struct bus_amqp_link *link, const char *queue, uint64_t *ret)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "the queue %s", queue);
    amqp_queue_declare_ok_t *answer = amqp_queue_declare(link->connection, BUS_AMQP_QUESTIONS,
                                                         amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (!answer)
        return bus_amqp_link_reply(link, BUS_AMQP_QUESTIONS, what);
    *ret = answer->message_count;
    return ERR_NONE;
}

/* Makes a queue unless it is there. */
static enum err declare_queue(struct bus_amqp_link *link, const char *queue, struct arguments *arguments,
                              bool *ret_is_new)
{
    char what[WHAT_SIZE];
    uint64_t count;
    *ret_is_new = false;
    enum err err = bus_amqp_count(link, queue, &count);
    if (err != ERR_NOT_FOUND)
        return err;
    snprintf(what, sizeof what, "declare %s", queue);
    add_text(arguments, "x-queue-type", "quorum");
    amqp_queue_declare(link->connection, BUS_AMQP_QUESTIONS, amqp_cstring_bytes(queue), 0, 1, 0, 0,
                       table_of(arguments));
    *ret_is_new = true;
    return bus_amqp_link_reply(link, BUS_AMQP_QUESTIONS, what);
}

static enum err declare_exchange(struct bus_amqp_link *link, const char *exchange, const char *type,
                                 struct arguments *arguments)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "declare %s", exchange);
    amqp_exchange_declare(link->connection, BUS_AMQP_QUESTIONS, amqp_cstring_bytes(exchange), amqp_cstring_bytes(type),
                          0, 1, 0, 0, table_of(arguments));
    return bus_amqp_link_reply(link, BUS_AMQP_QUESTIONS, what);
}

static enum err bind(struct bus_amqp_link *link, const char *queue, const char *exchange, const char *key)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "bind %s to %s", queue, key);
    amqp_queue_bind(link->connection, BUS_AMQP_QUESTIONS, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(key), amqp_empty_table);
    return bus_amqp_link_reply(link, BUS_AMQP_QUESTIONS, what);
}

/* One of a group's queues. Those that are given up go to the one for the dead, and stay here until they are there. */
static enum err declare_of_group(struct bus_amqp_link *link, const char *group, unsigned index, bool *ret_is_new)
{
    const struct bus_opts *opts = &link->settings->opts;
    char queue[BUS_AMQP_NAME_SIZE], dead[BUS_AMQP_NAME_SIZE];
    struct arguments arguments = {.count = 0};
    add_flag(&arguments, "x-single-active-consumer");
    if (index < opts->queues) {
        add_number(&arguments, "x-delivery-limit", opts->delivery_limit);
        add_text(&arguments, "x-dead-letter-exchange", "");
        add_text(&arguments, "x-dead-letter-routing-key",
                 bus_amqp_queue_name(link->settings, group, opts->queues, dead));
        add_text(&arguments, "x-dead-letter-strategy", "at-least-once");
        add_text(&arguments, "x-overflow", "reject-publish");   /* which that strategy asks for */
    }
    return declare_queue(link, bus_amqp_queue_name(link->settings, group, index, queue), &arguments, ret_is_new);
}

/* The key of all types, of one of the queues. */
static const char *all_types(unsigned index, char out[static BUS_AMQP_NAME_SIZE])
{
    snprintf(out, BUS_AMQP_NAME_SIZE, "#.%u", index);
    return out;
}

/*
 * A group that has yet to subscribe is kept everything for, since only it knows what it wants. The queue for the dead
 * comes last, and says that all the others are there and bound: whoever was cut off before is made up for by the next,
 * before that one publishes.
 */
static enum err expect_group(struct bus_amqp_link *link, const char *group)
{
    char exchange[BUS_AMQP_NAME_SIZE], queue[BUS_AMQP_NAME_SIZE], key[BUS_AMQP_NAME_SIZE];
    const unsigned queues = link->settings->opts.queues;
    bool is_new;
    uint64_t count;
    enum err err = bus_amqp_check_group(link->settings, group);
    if (!err)
        err = bus_amqp_count(link, bus_amqp_queue_name(link->settings, group, queues, queue), &count);
    if (err != ERR_NOT_FOUND)
        return err;
    err = ERR_NONE;
    for (unsigned index = 0; !err && index < queues; index++) {
        err = declare_of_group(link, group, index, &is_new);
        if (!err)
            err = bind(link, bus_amqp_queue_name(link->settings, group, index, queue),
                       bus_amqp_exchange_name(link->settings, exchange), all_types(index, key));
    }
    return err ? err : declare_of_group(link, group, queues, &is_new);
}

static enum err declare_unrouted(struct bus_amqp_link *link, const char *exchange)
{
    char queue[BUS_AMQP_NAME_SIZE];
    bool is_new;
    struct arguments none = {.count = 0}, limits = {.count = 0};
    snprintf(queue, sizeof queue, "%s.unrouted", link->settings->opts.prefix);
    add_number(&limits, "x-max-length-bytes", UNROUTED_BYTES);
    add_number(&limits, "x-message-ttl", UNROUTED_MS);
    enum err err = declare_exchange(link, exchange, "fanout", &none);
    if (!err)
        err = declare_queue(link, queue, &limits, &is_new);
    return err ? err : bind(link, queue, exchange, "");
}

enum err bus_amqp_declare_exchanges(struct bus_amqp_link *link)
{
    const struct bus_amqp_settings *settings = link->settings;
    char exchange[BUS_AMQP_NAME_SIZE], unrouted[BUS_AMQP_NAME_SIZE];
    struct arguments alternate = {.count = 0};
    snprintf(unrouted, sizeof unrouted, "%s.unrouted.%u", settings->opts.prefix, settings->opts.queues);
    add_text(&alternate, "alternate-exchange", unrouted);
    enum err err = declare_exchange(link, bus_amqp_exchange_name(settings, exchange), "topic", &alternate);
    if (err == ERR_CONFIG && strstr(err_cause(), "alternate-exchange")) {
        char cause[WHAT_SIZE];
        snprintf(cause, sizeof cause, "%s", err_cause());
        return err_because(ERR_CONFIG, "bus.queues is %u here, and the broker's %s was made with another number, which "
                                       "is for good (bus.prefix names another): %s", settings->opts.queues, exchange,
                           cause);
    }
    if (!err)
        err = declare_unrouted(link, unrouted);
    for (unsigned i = 0; !err && i < settings->group_count; i++)
        err = expect_group(link, settings->groups[i]);
    return err;
}

enum err bus_amqp_declare_group(struct bus_amqp_link *link, const char *group, const char *const *types)
{
    char exchange[BUS_AMQP_NAME_SIZE], queue[BUS_AMQP_NAME_SIZE], key[BUS_AMQP_NAME_SIZE], number[16];
    const unsigned queues = link->settings->opts.queues;
    bool is_new;
    bus_amqp_exchange_name(link->settings, exchange);
    enum err err = ERR_NONE;
    for (unsigned index = 0; !err && index < queues; index++) {
        bus_amqp_queue_name(link->settings, group, index, queue);
        snprintf(number, sizeof number, "%u", index);
        err = declare_of_group(link, group, index, &is_new);
        for (size_t i = 0; !err && types[i]; i++)
            err = bind(link, queue, exchange, binding_key(types[i], number, key));
        if (err || is_new)
            continue;
        amqp_queue_unbind(link->connection, BUS_AMQP_QUESTIONS, amqp_cstring_bytes(queue),
                          amqp_cstring_bytes(exchange), amqp_cstring_bytes(all_types(index, key)), amqp_empty_table);
        err = bus_amqp_link_reply(link, BUS_AMQP_QUESTIONS, queue);
    }
    return err ? err : declare_of_group(link, group, queues, &is_new);
}

enum err bus_amqp_declare_watch(struct bus_amqp_link *link, const char *queue, const char *const *types)
{
    char exchange[BUS_AMQP_NAME_SIZE], key[BUS_AMQP_NAME_SIZE];
    struct arguments arguments = {.count = 0};
    bool is_new;
    add_number(&arguments, "x-expires", WATCH_EXPIRES_MS);
    bus_amqp_exchange_name(link->settings, exchange);
    enum err err = declare_queue(link, queue, &arguments, &is_new);
    for (size_t i = 0; !err && types[i]; i++)
        err = bind(link, queue, exchange, binding_key(types[i], "*", key));
    return err;
}
