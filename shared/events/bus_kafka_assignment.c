#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka.h"

enum {
    SEEK_MS = 5000,
    CLOSE_MS = 3000,         /* for the partitions to be given up; past it the broker sees by itself */
    CLOSE_POLL_MS = 20,
    LAST_COMMIT_MS = 1000,   /* of what was deferred, before the group is left */
};

/* ---- partitions come and go ---- */

static void drop_held(struct kafka_subscription *subscription)
{
    if (subscription->held)
        rd_kafka_message_destroy(subscription->held);
    subscription->held = NULL;
}

static void add_places(struct kafka_subscription *subscription, const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *part = &partitions->elems[i];
        int64_t offset = part->offset >= 0 ? part->offset : KAFKA_NOWHERE;
        enum err err = kafka_places_add(&subscription->places, part->topic, part->partition, offset);
        if (err)
            subscription->trouble = err;
    }
}

static void remove_places(struct kafka_subscription *subscription, const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_message_t *held = subscription->held;
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *part = &partitions->elems[i];
        kafka_places_remove(&subscription->places, part->topic, part->partition);
        if (held && held->partition == part->partition && strcmp(rd_kafka_topic_name(held->rkt), part->topic) == 0) {
            drop_held(subscription);
            held = NULL;
        }
    }
}

/* librdkafka says what has been decided, and is told to go along. What fails here comes up again with the next. */
static void give(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *partitions, bool is_cooperative)
{
    rd_kafka_error_t *error = NULL;
    if (is_cooperative)
        error = rd_kafka_incremental_assign(handle, partitions);
    else
        rd_kafka_assign(handle, partitions);
    if (error)
        rd_kafka_error_destroy(error);
}

static void take_back(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *partitions, bool is_cooperative)
{
    rd_kafka_error_t *error = NULL;
    if (is_cooperative)
        error = rd_kafka_incremental_unassign(handle, partitions);
    else
        rd_kafka_assign(handle, NULL);
    if (error)
        rd_kafka_error_destroy(error);
}

static void rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t *partitions,
                      void *context)
{
    struct kafka_subscription *subscription = context;
    bool is_cooperative = strcmp(rd_kafka_rebalance_protocol(handle), "COOPERATIVE") == 0;
    metric_add(subscription->bus->metric_rebalances, 1);
    pthread_mutex_lock(&subscription->lock);
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        add_places(subscription, partitions);
    else
        remove_places(subscription, partitions);
    pthread_mutex_unlock(&subscription->lock);
    if (what != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take_back(handle, partitions, is_cooperative);
        return;
    }
    give(handle, partitions, is_cooperative);
    /* librdkafka remembers of a partition that it was paused when it was taken away. */
    if (subscription->is_paused)
        rd_kafka_pause_partitions(handle, partitions);
    else
        rd_kafka_resume_partitions(handle, partitions);
}

/* ---- joining and leaving ---- */

static enum err ensure_topics(struct kafka_subscription *subscription, int64_t until_ns)
{
    enum err err = ERR_NONE;
    for (int i = 0; !err && i < subscription->topics->cnt; i++)
        err = kafka_topic_ensure(subscription->bus, subscription->topics->elems[i].topic, until_ns);
    return err;
}

static enum err find_start(struct kafka_subscription *subscription, int64_t which, int64_t until_ns)
{
    rd_kafka_topic_partition_list_t *start = rd_kafka_topic_partition_list_new(1);
    enum err err = ensure_topics(subscription, until_ns);
    if (!err)
        err = kafka_partitions(subscription->bus, subscription->topics, until_ns, start);
    if (!err)
        err = kafka_offsets(subscription->bus, start, which, until_ns);
    if (err)
        rd_kafka_topic_partition_list_destroy(start);
    else
        subscription->start = start;
    return err;
}

enum err kafka_find_start(struct kafka_subscription *subscription, int64_t until_ns)
{
    enum err err = find_start(subscription, RD_KAFKA_OFFSET_END, until_ns);
    if (!err)
        add_places(subscription, subscription->start);
    return err;
}

/* With the broker away when it subscribed, it begins with what was published since. */
static enum err begin_alone(struct kafka_subscription *subscription, int64_t until_ns)
{
    enum err err = ERR_NONE;
    if (!subscription->start)
        err = find_start(subscription, subscription->since_us / 1000, until_ns);
    if (err)
        return err;
    if (subscription->places.count == 0) {
        pthread_mutex_lock(&subscription->lock);
        add_places(subscription, subscription->start);
        pthread_mutex_unlock(&subscription->lock);
    }
    rd_kafka_topic_partition_list_t *from = rd_kafka_topic_partition_list_copy(subscription->start);
    for (int i = 0; i < from->cnt; i++) {
        rd_kafka_topic_partition_t *part = &from->elems[i];
        const struct kafka_place *place = kafka_places_find(&subscription->places, part->topic, part->partition);
        if (place && place->acknowledged != KAFKA_NOWHERE)
            part->offset = place->acknowledged;
    }
    rd_kafka_resp_err_t error = rd_kafka_assign(subscription->handle, from);
    rd_kafka_topic_partition_list_destroy(from);
    return error ? kafka_because(subscription->bus, "read the topics", error) : ERR_NONE;
}

static enum err begin_in_group(struct kafka_subscription *subscription, int64_t until_ns)
{
    enum err err = ensure_topics(subscription, until_ns);
    if (err)
        return err;
    rd_kafka_resp_err_t error = rd_kafka_subscribe(subscription->handle, subscription->topics);
    return error ? kafka_because(subscription->bus, "join the group", error) : ERR_NONE;
}

static enum err open_handle(struct kafka_subscription *subscription)
{
    static const uint64_t one = 1;
    rd_kafka_conf_t *conf;
    enum kafka_use use = subscription->is_alone ? KAFKA_LOOKS : KAFKA_CONSUMES;
    enum err err = kafka_properties_make(&subscription->bus->properties, use, subscription->group, &conf);
    if (err)
        return err;
    rd_kafka_conf_set_opaque(conf, subscription);
    if (!subscription->is_alone)
        rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    err = kafka_handle(subscription->bus, use, conf, &subscription->handle);
    if (err)
        return err;
    rd_kafka_poll_set_consumer(subscription->handle);
    subscription->queue = rd_kafka_queue_get_consumer(subscription->handle);
    rd_kafka_queue_io_event_enable(subscription->queue, subscription->event_fd, &one, sizeof one);
    return ERR_NONE;
}

enum err kafka_join(struct kafka_subscription *subscription, int64_t until_ns)
{
    if (subscription->trouble) {
        enum err trouble = subscription->trouble;
        kafka_leave(subscription);
        return err_because(trouble, "a group's partitions could not all be taken");
    }
    if (subscription->handle)
        return ERR_NONE;
    enum err err = open_handle(subscription);
    if (!err)
        err = subscription->is_alone ? begin_alone(subscription, until_ns) : begin_in_group(subscription, until_ns);
    if (err)
        kafka_leave(subscription);
    return err;
}

/* Others may have its partitions at once; a process that just ends is missed only after its session's time. */
static void close_handle(struct kafka_subscription *subscription)
{
    rd_kafka_t *handle = subscription->handle;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(handle, queue);
    int64_t until_ns = clock_now_ns() + CLOSE_MS * NS_PER_MS;
    while (!error && !rd_kafka_consumer_closed(handle) && kafka_left_ms(until_ns) > 0) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CLOSE_POLL_MS);
        if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rebalance(handle, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event), subscription);
        if (event)
            rd_kafka_event_destroy(event);
    }
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
}

void kafka_leave(struct kafka_subscription *subscription)
{
    drop_held(subscription);
    if (!subscription->handle)
        return;
    kafka_commit_once(subscription, clock_now_ns() + LAST_COMMIT_MS * NS_PER_MS);   /* or it comes again */
    drop_held(subscription);   /* what came meanwhile */
    rd_kafka_queue_io_event_enable(subscription->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(subscription->queue);
    if (!subscription->is_alone)
        close_handle(subscription);
    rd_kafka_destroy_flags(subscription->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    subscription->handle = NULL;
    subscription->queue = NULL;
    subscription->is_paused = subscription->is_stale = false;
    subscription->trouble = ERR_NONE;
    pthread_mutex_lock(&subscription->lock);
    kafka_places_rewind(&subscription->places);
    if (!subscription->is_alone)
        subscription->places.count = 0;
    pthread_mutex_unlock(&subscription->lock);
}

/* ---- back and forth ---- */

rd_kafka_topic_partition_list_t *kafka_places_list(const struct kafka_places *places)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)places->count + 1);
    for (size_t i = 0; i < places->count; i++)
        rd_kafka_topic_partition_list_add(list, places->list[i].topic, places->list[i].partition)->offset =
            places->list[i].acknowledged;
    return list;
}

void kafka_pause(struct kafka_subscription *subscription, bool is_paused)
{
    if (subscription->is_paused == is_paused)
        return;
    rd_kafka_topic_partition_list_t *list = kafka_places_list(&subscription->places);
    if (is_paused)
        rd_kafka_pause_partitions(subscription->handle, list);
    else
        rd_kafka_resume_partitions(subscription->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    subscription->is_paused = is_paused;
}

static rd_kafka_topic_partition_list_t *places_ahead(const struct kafka_places *places)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)places->count + 1);
    for (size_t i = 0; i < places->count; i++)
        if (places->list[i].seen != places->list[i].acknowledged)
            rd_kafka_topic_partition_list_add(list, places->list[i].topic, places->list[i].partition)->offset =
                places->list[i].acknowledged;
    return list;
}

static bool seek(rd_kafka_t *handle, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_error_t *error = rd_kafka_seek_partitions(handle, list, SEEK_MS);
    bool done = !error;
    for (int i = 0; done && i < list->cnt; i++)
        done = list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        rd_kafka_error_destroy(error);
    return done;
}

/* A message that is held was taken from its partition, and not been seen by anybody: it comes first again. */
static void add_held(const struct kafka_subscription *subscription, rd_kafka_topic_partition_list_t *list)
{
    const rd_kafka_message_t *held = subscription->held;
    if (!held)
        return;
    const char *topic = rd_kafka_topic_name(held->rkt);
    if (!rd_kafka_topic_partition_list_find(list, topic, held->partition))
        rd_kafka_topic_partition_list_add(list, topic, held->partition)->offset = held->offset;
}

/* What cannot go back leaves the group, and joins it again where the group has acknowledged. */
enum err kafka_go_back(struct kafka_subscription *subscription)
{
    kafka_pause(subscription, false);   /* or where it was paused would be where it goes on */
    rd_kafka_topic_partition_list_t *list = places_ahead(&subscription->places);
    add_held(subscription, list);
    drop_held(subscription);
    bool done = list->cnt == 0 || seek(subscription->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (!done) {
        kafka_leave(subscription);
        return err_because(ERR_UNAVAILABLE, "the bus \"kafka:%s\": partitions cannot be read again from where they "
                           "were acknowledged; the group is joined anew", subscription->bus->brokers);
    }
    pthread_mutex_lock(&subscription->lock);
    kafka_places_rewind(&subscription->places);
    pthread_mutex_unlock(&subscription->lock);
    subscription->is_stale = false;
    return ERR_NONE;
}

void bus_kafka_rewind(struct bus_subscription *base)
{
    struct kafka_subscription *subscription = (struct kafka_subscription *)base;
    subscription->is_stale = subscription->handle != NULL;
}

/* Partitions that nothing has come of yet. With the beginning said, others see that the group follows them. */
enum err kafka_mark(struct kafka_subscription *subscription, int64_t until_ns)
{
    struct kafka_places *places = &subscription->places;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)places->count + 1), *begins = NULL;
    for (size_t i = 0; i < places->count; i++)
        if (places->list[i].acknowledged == KAFKA_NOWHERE)
            rd_kafka_topic_partition_list_add(list, places->list[i].topic, places->list[i].partition);
    enum err err = kafka_committed(subscription->bus, subscription->group, list, until_ns);
    if (!err && list->cnt) {
        begins = rd_kafka_topic_partition_list_copy(list);
        err = kafka_offsets(subscription->bus, begins, RD_KAFKA_OFFSET_BEGINNING, until_ns);
    }
    pthread_mutex_lock(&subscription->lock);
    for (int i = 0; !err && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *part = &list->elems[i];
        const rd_kafka_topic_partition_t *begin = rd_kafka_topic_partition_list_find(begins, part->topic,
                                                                                     part->partition);
        struct kafka_place *place = kafka_places_find(places, part->topic, part->partition);
        place->acknowledged = place->seen = part->offset >= 0 ? part->offset : begin->offset;
        place->committed = part->offset >= 0 ? part->offset : KAFKA_NOWHERE;
    }
    pthread_mutex_unlock(&subscription->lock);
    rd_kafka_topic_partition_list_destroy(list);
    if (begins)
        rd_kafka_topic_partition_list_destroy(begins);
    return err;
}
