#include "config.h"

#include "base/clock.h"
#include "events/bus_kafka.h"

enum {
    COMMIT_MS = 10000,       /* longer than a group takes to give out its partitions when one has died */
    COMMIT_POLL_MS = 200,    /* that an answer may take before the group is seen to meanwhile */
    DEFER_MS = 500,          /* after which it is tried again, while partitions are given out */
};

static rd_kafka_topic_partition_list_t *uncommitted(const struct kafka_places *places)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)places->count + 1);
    for (size_t i = 0; i < places->count; i++)
        if (places->list[i].acknowledged != places->list[i].committed)
            rd_kafka_topic_partition_list_add(list, places->list[i].topic, places->list[i].partition)->offset =
                places->list[i].acknowledged;
    return list;
}

/* The group may be waiting for this subscription to give up partitions, and the answer for the group. Messages wait
 * meanwhile; should one have been on its way it is the next to be delivered. */
static void serve_group(struct kafka_subscription *subscription)
{
    if (subscription->held)
        return;
    kafka_pause(subscription, true);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(subscription->handle, 0);
    if (message && !message->err)
        subscription->held = message;
    else if (message)
        rd_kafka_message_destroy(message);
}

static rd_kafka_resp_err_t answer_of(rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *parts = error ? NULL : rd_kafka_event_topic_partition_list(event);
    for (int i = 0; !error && parts && i < parts->cnt; i++)
        error = parts->elems[i].err;
    return error;
}

static rd_kafka_resp_err_t commit(struct kafka_subscription *subscription, const rd_kafka_topic_partition_list_t *list,
                                  int64_t until_ns)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(subscription->handle);
    rd_kafka_resp_err_t error = rd_kafka_commit_queue(subscription->handle, list, queue, NULL, NULL);
    rd_kafka_event_t *event = error ? NULL : rd_kafka_queue_poll(queue, COMMIT_POLL_MS);
    while (!error && !event && kafka_left_ms(until_ns) > 0 && !atomic_load(&subscription->is_woken)) {
        serve_group(subscription);
        event = rd_kafka_queue_poll(queue, COMMIT_POLL_MS);
    }
    if (!error)
        error = event ? answer_of(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return error;
}

static bool is_rebalancing(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS || error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
           || error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
}

rd_kafka_resp_err_t kafka_commit_once(struct kafka_subscription *subscription, int64_t until_ns)
{
    rd_kafka_topic_partition_list_t *list = uncommitted(&subscription->places);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (list->cnt && !subscription->is_alone)
        error = commit(subscription, list, until_ns);
    for (int i = 0; !error && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *part = &list->elems[i];
        struct kafka_place *place = kafka_places_find(&subscription->places, part->topic, part->partition);
        if (place)
            place->committed = part->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/* While partitions are given out anew the broker takes nothing, and to insist would cost the subscription those that it
 * has. It is told afterwards; of what is then another's, that one is told again. */
enum err kafka_commit(struct kafka_subscription *subscription)
{
    int64_t now_ns = clock_now_ns();
    if (now_ns < subscription->deferred_until_ns)
        return ERR_NONE;
    rd_kafka_resp_err_t error = kafka_commit_once(subscription, now_ns + COMMIT_MS * NS_PER_MS);
    subscription->committed_ns = clock_now_ns();
    if (!is_rebalancing(error))
        return error ? kafka_because(subscription->bus, "acknowledge", error) : ERR_NONE;
    subscription->deferred_until_ns = subscription->committed_ns + DEFER_MS * NS_PER_MS;
    return ERR_NONE;
}

/* Of partitions that another has by now nothing is said: it is told of the events again. */
enum err bus_kafka_acknowledge(struct bus_subscription *base, int64_t offset)
{
    struct kafka_subscription *subscription = (struct kafka_subscription *)base;
    pthread_mutex_lock(&subscription->lock);
    kafka_places_acknowledge(&subscription->places, offset);
    pthread_mutex_unlock(&subscription->lock);
    if (!subscription->handle)
        return ERR_NONE;
    return kafka_commit(subscription);
}
