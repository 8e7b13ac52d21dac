#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "events/bus_kafka.h"
#include "events/bus_kafka_message.h"

enum {
    POLL_MS = 50,
    BROWSE_MS = 60000,       /* for all that there is, or what was found by then */
    NEWEST_MAX = 65536,
    EVENT_BYTES = 2 * EVENT_MAX_BYTES,
};

static const char looking_group[] = "tandem.looks";   /* nothing is committed for it */

/* ---- reading, for itself alone ---- */

static rd_kafka_topic_partition_t *find(rd_kafka_topic_partition_list_t *list, const rd_kafka_message_t *message)
{
    return rd_kafka_topic_partition_list_find(list, rd_kafka_topic_name(message->rkt), message->partition);
}

/* Those of which there is something to read; the ends, in the same order. */
static void open_parts(const rd_kafka_topic_partition_list_t *from, const rd_kafka_topic_partition_list_t *until,
                       rd_kafka_topic_partition_list_t *assigned, rd_kafka_topic_partition_list_t *ends)
{
    for (int i = 0; i < from->cnt; i++) {
        const rd_kafka_topic_partition_t *part = &from->elems[i];
        if (part->offset < 0 || part->offset >= until->elems[i].offset)
            continue;
        rd_kafka_topic_partition_list_add(assigned, part->topic, part->partition)->offset = part->offset;
        rd_kafka_topic_partition_list_add(ends, part->topic, part->partition)->offset = until->elems[i].offset;
    }
}

/* Takes a partition's messages until its end is reached, or take has enough of it. */
static void read_message(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *ends, const rd_kafka_message_t *message,
                         bool (*take)(const rd_kafka_message_t *message, void *context), void *context)
{
    rd_kafka_topic_partition_t *end = find(ends, message);
    if (!end)
        return;
    bool goes_on = message->offset < end->offset && take(message, context);
    if (goes_on && message->offset + 1 < end->offset)
        return;
    rd_kafka_topic_partition_list_t *done = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(done, end->topic, end->partition);
    rd_kafka_pause_partitions(handle, done);
    rd_kafka_topic_partition_list_del(ends, end->topic, end->partition);
    rd_kafka_topic_partition_list_destroy(done);
}

/* What ends a partition may be no message but the mark of a transaction: then the position tells. */
static void drop_ended(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *ends)
{
    rd_kafka_topic_partition_list_t *at = rd_kafka_topic_partition_list_copy(ends);
    if (rd_kafka_position(handle, at) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (int i = ends->cnt - 1; i >= 0; i--)
            if (at->elems[i].offset >= ends->elems[i].offset)
                rd_kafka_topic_partition_list_del_by_idx(ends, i);
    rd_kafka_topic_partition_list_destroy(at);
}

static enum err read_all(struct bus_kafka *bus, rd_kafka_t *handle, rd_kafka_topic_partition_list_t *ends,
                         bool (*take)(const rd_kafka_message_t *message, void *context), void *context,
                         int64_t until_ns)
{
    while (ends->cnt > 0) {
        if (kafka_left_ms(until_ns) == 0)
            return kafka_because(bus, "read the topics", RD_KAFKA_RESP_ERR__TIMED_OUT);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(handle, POLL_MS);
        if (!message)
            drop_ended(handle, ends);
        else if (!message->err)
            read_message(handle, ends, message, take, context);
        if (message)
            rd_kafka_message_destroy(message);
    }
    return ERR_NONE;
}

enum err kafka_read(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *from,
                    const rd_kafka_topic_partition_list_t *until,
                    bool (*take)(const rd_kafka_message_t *message, void *context), void *context, int64_t until_ns)
{
    rd_kafka_topic_partition_list_t *assigned = rd_kafka_topic_partition_list_new(from->cnt);
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(from->cnt);
    rd_kafka_conf_t *conf;
    rd_kafka_t *handle = NULL;
    open_parts(from, until, assigned, ends);
    enum err err = kafka_properties_make(&bus->properties, KAFKA_LOOKS, looking_group, &conf);
    if (!err)
        err = kafka_handle(bus, KAFKA_LOOKS, conf, &handle);
    if (!err) {
        rd_kafka_poll_set_consumer(handle);
        rd_kafka_resp_err_t error = rd_kafka_assign(handle, assigned);
        err = error ? kafka_because(bus, "read the topics", error)
                    : read_all(bus, handle, ends, take, context, until_ns);
        rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    rd_kafka_topic_partition_list_destroy(assigned);
    rd_kafka_topic_partition_list_destroy(ends);
    return err;
}

/* ---- what an operator looks for ---- */

struct found {
    int64_t offset, published_us;
    uint64_t order;              /* in which it was read */
    char *bytes;                 /* type, subject, envelope */
    size_t type, subject, envelope;
};

/* The newest that match; past the limit the oldest go. */
struct search {
    const struct bus_filter *filter;
    struct found *list;
    size_t count, room, limit;
    uint64_t read;
    struct arena arena;
    struct buf envelope;
    enum err err;
};

static bool is_like(struct text type, const char *pattern)
{
    struct text rest = text_of(pattern);
    struct text head = text_split(&rest, '*');
    if (!rest.at)
        return text_equal(type, head);
    if (!text_starts(type, head))
        return false;
    if (rest.length == 0)
        return true;
    for (size_t i = head.length; i <= type.length; i++)
        if (is_like((struct text){type.at + i, type.length - i}, rest.at))
            return true;
    return false;
}

static bool matches(const struct bus_filter *filter, const struct event *event, int64_t published_us)
{
    return (!filter->id || text_equal_string(event->id, filter->id))
           && (!filter->subject || text_equal_string(event->subject, filter->subject))
           && (!filter->type || is_like(event->type, filter->type))
           && (!filter->since_us || published_us >= filter->since_us)
           && (!filter->until_us || published_us < filter->until_us);
}

static int by_age(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    if (left->published_us != right->published_us)
        return left->published_us < right->published_us ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

/* Twice as many as are wanted are kept before the older half goes. */
static enum err make_room(struct search *search)
{
    if (search->count < search->room)
        return ERR_NONE;
    if (search->room >= 2 * search->limit) {
        qsort(search->list, search->count, sizeof *search->list, by_age);
        size_t older = search->count - search->limit;
        for (size_t i = 0; i < older; i++)
            free(search->list[i].bytes);
        memmove(search->list, search->list + older, search->limit * sizeof *search->list);
        search->count = search->limit;
        return ERR_NONE;
    }
    size_t room = search->room ? 2 * search->room : 64;
    room = room > 2 * search->limit ? 2 * search->limit : room;
    struct found *list = reallocarray(search->list, room, sizeof *list);
    if (!list)
        return err_because(ERR_MEMORY, "no memory for what was found");
    search->list = list;
    search->room = room;
    return ERR_NONE;
}

static enum err keep(struct search *search, const struct event *event, const rd_kafka_message_t *message,
                     int64_t published_us)
{
    buf_reset(&search->envelope, EVENT_ENVELOPE_BYTES);
    event_write(event, &search->envelope);
    enum err err = buf_check(&search->envelope);
    if (!err)
        err = make_room(search);
    if (err)
        return err;
    struct text envelope = buf_text(&search->envelope);
    struct found found = {message->offset, published_us, search->read, NULL, event->type.length, event->subject.length,
                          envelope.length};
    found.bytes = malloc(found.type + found.subject + found.envelope);
    if (!found.bytes)
        return err_because(ERR_MEMORY, "no memory for what was found");
    memcpy(found.bytes, event->type.at, found.type);
    memcpy(found.bytes + found.type, event->subject.at, found.subject);
    memcpy(found.bytes + found.type + found.subject, envelope.at, found.envelope);
    search->list[search->count++] = found;
    return ERR_NONE;
}

/* What is no event is not shown: it is on the topics of the dead. */
static bool take_message(const rd_kafka_message_t *message, void *context)
{
    struct search *search = context;
    struct event event;
    int64_t published_us = rd_kafka_message_timestamp(message, NULL) * 1000;
    arena_reset(&search->arena);
    search->read++;
    if (!search->err && kafka_message_read(message, &search->arena, &event) == ERR_NONE
        && matches(search->filter, &event, published_us))
        search->err = keep(search, &event, message, published_us);
    return !search->err;
}

static enum err add_all_partitions(struct bus_kafka *bus, int64_t until_ns, rd_kafka_topic_partition_list_t *out)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    enum err err = kafka_topics(bus, until_ns, topics);
    if (!err)
        err = kafka_partitions(bus, topics, until_ns, out);
    rd_kafka_topic_partition_list_destroy(topics);
    return err;
}

static enum err search_all(struct bus_kafka *bus, struct search *search)
{
    int64_t until_ns = clock_now_ns() + BROWSE_MS * NS_PER_MS;
    rd_kafka_topic_partition_list_t *from = rd_kafka_topic_partition_list_new(1), *until = NULL;
    enum err err = add_all_partitions(bus, until_ns, from);
    if (!err) {
        until = rd_kafka_topic_partition_list_copy(from);
        int64_t since_ms = search->filter->since_us / 1000;
        err = kafka_offsets(bus, from, since_ms > 0 ? since_ms : RD_KAFKA_OFFSET_BEGINNING, until_ns);
    }
    if (!err)
        err = kafka_offsets(bus, until, RD_KAFKA_OFFSET_END, until_ns);
    if (!err)
        err = kafka_read(bus, from, until, take_message, search, until_ns);
    rd_kafka_topic_partition_list_destroy(from);
    if (until)
        rd_kafka_topic_partition_list_destroy(until);
    return err ? err : search->err;
}

static enum err show(struct search *search, enum err (*take)(const struct bus_entry *entry, void *context),
                     void *context)
{
    enum err err = ERR_NONE;
    qsort(search->list, search->count, search->count ? sizeof *search->list : 1, by_age);
    size_t first = search->count > search->limit ? search->count - search->limit : 0;
    for (size_t i = first; !err && i < search->count; i++) {
        const struct found *found = &search->list[i];
        struct bus_entry entry = {
            .offset = found->offset,
            .published_us = found->published_us,
            .type = {found->bytes, found->type},
            .subject = {found->bytes + found->type, found->subject},
            .envelope = {found->bytes + found->type + found->subject, found->envelope},
        };
        err = take(&entry, context);
    }
    return err;
}

enum err bus_kafka_browse(struct bus *base, const struct bus_filter *filter,
                          enum err (*take)(const struct bus_entry *entry, void *context), void *context)
{
    struct search search = {.filter = filter, .limit = filter->limit ? filter->limit : NEWEST_MAX};
    if (search.limit > NEWEST_MAX)
        search.limit = NEWEST_MAX;
    arena_init(&search.arena, EVENT_BYTES);
    buf_init(&search.envelope, EVENT_BYTES);
    enum err err = search_all((struct bus_kafka *)base, &search);
    if (!err)
        err = show(&search, take, context);
    for (size_t i = 0; i < search.count; i++)
        free(search.list[i].bytes);
    free(search.list);
    buf_fini(&search.envelope);
    arena_fini(&search.arena);
    return err;
}

/* ---- groups ---- */

/* The topics of a group are those that this process has subscribed to for it; false when it has not. */
static bool find_topics(struct bus_kafka *bus, const char *group, rd_kafka_topic_partition_list_t **ret)
{
    rd_kafka_topic_partition_list_t *topics = NULL;
    pthread_mutex_lock(&bus->lock);
    for (const struct kafka_subscription *each = bus->subscriptions; each && !topics; each = each->next)
        if (!each->is_alone && strcmp(each->group, group) == 0)
            topics = rd_kafka_topic_partition_list_copy(each->topics);
    pthread_mutex_unlock(&bus->lock);
    if (topics)
        *ret = topics;
    return topics != NULL;
}

/* Of another process's group, those that it has acknowledged something of. */
static void keep_topics_of_group(rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = partitions->cnt - 1; i >= 0; i--) {
        bool is_its = false;
        for (int j = 0; !is_its && j < partitions->cnt; j++)
            is_its = partitions->elems[j].offset >= 0
                     && strcmp(partitions->elems[j].topic, partitions->elems[i].topic) == 0;
        if (!is_its)
            rd_kafka_topic_partition_list_del_by_idx(partitions, i);
    }
}

static enum err lag_of(struct bus_kafka *bus, struct text name, struct bus_lag *ret)
{
    char group[KAFKA_TOPIC_SIZE];
    int64_t until_ns = clock_now_ns() + bus->timeout_ms * NS_PER_MS;
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1), *topics = NULL;
    snprintf(group, sizeof group, "%s.%.*s", bus->prefix, TEXT_ARGS(name));
    bool is_here = find_topics(bus, group, &topics);
    enum err err = is_here ? kafka_partitions(bus, topics, until_ns, partitions)
                           : add_all_partitions(bus, until_ns, partitions);
    if (!err)
        err = kafka_committed(bus, group, partitions, until_ns);
    if (!err && !is_here)
        keep_topics_of_group(partitions);
    if (!err)
        err = kafka_lag_between(bus, partitions, until_ns, ret);
    rd_kafka_topic_partition_list_destroy(partitions);
    if (topics)
        rd_kafka_topic_partition_list_destroy(topics);
    return err;
}

/* Those that the settings name: to ask the broker for all of its would take rights that nobody gives. */
enum err bus_kafka_groups(struct bus *base, enum err (*take)(const struct bus_group *group, void *context),
                          void *context)
{
    struct bus_kafka *bus = (struct bus_kafka *)base;
    struct text rest = text_of(bus->groups);
    enum err err = ERR_NONE;
    while (!err && rest.at) {
        struct bus_group group = {.name = text_trim(text_split(&rest, ',')), .offset = KAFKA_NOWHERE};
        if (group.name.length == 0)
            continue;
        err = lag_of(bus, group.name, &group.lag);
        if (!err)
            err = take(&group, context);
    }
    return err;
}
