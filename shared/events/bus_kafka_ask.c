#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka.h"

enum { MINIMUM_MS = 1 };

static int wait_ms(int64_t until_ns)
{
    int left_ms = kafka_left_ms(until_ns);
    return left_ms > MINIMUM_MS ? left_ms : MINIMUM_MS;
}

/* ---- the admin interface: a question, and an event for its answer ---- */

struct question {
    struct bus_kafka *bus;
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_event_t *answer;
};

static void question_init(struct question *question, struct bus_kafka *bus, rd_kafka_admin_op_t operation,
                          int64_t until_ns)
{
    char reason[KAFKA_REASON_SIZE];
    *question = (struct question){.bus = bus};
    question->queue = rd_kafka_queue_new(bus->asking);
    question->options = rd_kafka_AdminOptions_new(bus->asking, operation);
    rd_kafka_AdminOptions_set_request_timeout(question->options, wait_ms(until_ns), reason, sizeof reason);
}

static rd_kafka_resp_err_t question_wait(struct question *question, int64_t until_ns)
{
    question->answer = rd_kafka_queue_poll(question->queue, wait_ms(until_ns));
    return question->answer ? rd_kafka_event_error(question->answer) : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

static void question_fini(struct question *question)
{
    if (question->answer)
        rd_kafka_event_destroy(question->answer);
    rd_kafka_AdminOptions_destroy(question->options);
    rd_kafka_queue_destroy(question->queue);
}

/* ---- topics ---- */

static bool is_known(struct bus_kafka *bus, const char *topic)
{
    bool found = false;
    pthread_mutex_lock(&bus->lock);
    for (size_t i = 0; !found && i < bus->topic_count; i++)
        found = strcmp(bus->topics[i], topic) == 0;
    pthread_mutex_unlock(&bus->lock);
    return found;
}

/* Past the most it is asked for each time, which is only slower. */
static void make_known(struct bus_kafka *bus, const char *topic)
{
    pthread_mutex_lock(&bus->lock);
    if (bus->topic_count < KAFKA_TOPICS_MAX)
        snprintf(bus->topics[bus->topic_count++], KAFKA_TOPIC_SIZE, "%s", topic);
    pthread_mutex_unlock(&bus->lock);
}

static rd_kafka_resp_err_t create(struct bus_kafka *bus, const char *topic, int64_t until_ns)
{
    char reason[KAFKA_REASON_SIZE];
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, (int)bus->partitions, bus->replication, reason,
                                                        sizeof reason);
    if (!wanted)
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    struct question question;
    question_init(&question, bus, RD_KAFKA_ADMIN_OP_CREATETOPICS, until_ns);
    rd_kafka_AdminOptions_set_operation_timeout(question.options, wait_ms(until_ns), reason, sizeof reason);
    rd_kafka_CreateTopics(bus->asking, &wanted, 1, question.options, question.queue);
    rd_kafka_resp_err_t error = question_wait(&question, until_ns);
    const rd_kafka_CreateTopics_result_t *result = error ? NULL : rd_kafka_event_CreateTopics_result(question.answer);
    if (result) {
        size_t count;
        const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
        error = count == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    }
    question_fini(&question);
    rd_kafka_NewTopic_destroy(wanted);
    return error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? RD_KAFKA_RESP_ERR_NO_ERROR : error;
}

/* *ret_count is 0 for a topic that is not there. A broker may make one that is asked for. */
static rd_kafka_resp_err_t count_partitions(struct bus_kafka *bus, const char *topic, int64_t until_ns, int *ret_count)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *asked = rd_kafka_topic_new(bus->asking, topic, NULL);
    if (!asked)
        return rd_kafka_last_error();
    rd_kafka_resp_err_t error = rd_kafka_metadata(bus->asking, 0, asked, &metadata, wait_ms(until_ns));
    rd_kafka_topic_destroy(asked);
    if (error)
        return error;
    const struct rd_kafka_metadata_topic *found = metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;
    error = found ? found->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int count = found ? found->partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        count = 0;
    else if (error && error != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        return error;
    *ret_count = count;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Of all topics, since a broker may make one that is asked for by its name, as it likes it. A cluster without a
 * controller makes none when it is told to. */
static rd_kafka_resp_err_t look_for(struct bus_kafka *bus, const char *topic, int64_t until_ns, bool *ret_is_there,
                                    bool *ret_has_controller)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(bus->asking, 1, NULL, &metadata, wait_ms(until_ns));
    if (error)
        return error;
    int32_t controller = rd_kafka_controllerid(bus->asking, 0);
    bool is_there = false, has_controller = false;
    for (int i = 0; !is_there && i < metadata->topic_cnt; i++)
        is_there = strcmp(metadata->topics[i].topic, topic) == 0;
    for (int i = 0; !has_controller && i < metadata->broker_cnt; i++)
        has_controller = metadata->brokers[i].id == controller;
    rd_kafka_metadata_destroy(metadata);
    *ret_is_there = is_there;
    *ret_has_controller = has_controller;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Who may not make topics is content when the broker does it, or somebody did. */
static rd_kafka_resp_err_t make(struct bus_kafka *bus, const char *topic, bool has_controller, int64_t until_ns)
{
    int count = 0;
    rd_kafka_resp_err_t refusal = has_controller ? create(bus, topic, until_ns) : RD_KAFKA_RESP_ERR_NOT_CONTROLLER;
    rd_kafka_resp_err_t error = refusal ? count_partitions(bus, topic, until_ns, &count) : refusal;
    return error || (refusal && count == 0) ? refusal : RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum err kafka_topic_ensure(struct bus_kafka *bus, const char *topic, int64_t until_ns)
{
    char tried[KAFKA_TOPIC_SIZE + 32];
    bool is_there = false, has_controller = false;
    if (is_known(bus, topic))
        return ERR_NONE;
    rd_kafka_resp_err_t error = look_for(bus, topic, until_ns, &is_there, &has_controller);
    if (!error && !is_there)
        error = make(bus, topic, has_controller, until_ns);
    if (error) {
        snprintf(tried, sizeof tried, "make the topic %s", topic);
        return kafka_because(bus, tried, error);
    }
    make_known(bus, topic);
    return ERR_NONE;
}

static enum err add_partitions(struct bus_kafka *bus, const char *topic, int64_t until_ns,
                               rd_kafka_topic_partition_list_t *out)
{
    int count;
    rd_kafka_resp_err_t error = count_partitions(bus, topic, until_ns, &count);
    if (error)
        return kafka_because(bus, "ask for a topic's partitions", error);
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(out, topic, i)->offset = KAFKA_NOWHERE;
    return ERR_NONE;
}

enum err kafka_partitions(struct bus_kafka *bus, const rd_kafka_topic_partition_list_t *topics, int64_t until_ns,
                          rd_kafka_topic_partition_list_t *out)
{
    enum err err = ERR_NONE;
    for (int i = 0; !err && i < topics->cnt; i++)
        err = add_partitions(bus, topics->elems[i].topic, until_ns, out);
    return err;
}

static bool is_ours(const struct bus_kafka *bus, const char *topic)
{
    size_t prefix = strlen(bus->prefix);
    return strncmp(topic, bus->prefix, prefix) == 0 && topic[prefix] == '.' && !strchr(topic + prefix + 1, '.');
}

enum err kafka_topics(struct bus_kafka *bus, int64_t until_ns, rd_kafka_topic_partition_list_t *out)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(bus->asking, 1, NULL, &metadata, wait_ms(until_ns));
    if (error)
        return kafka_because(bus, "ask for the topics", error);
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (is_ours(bus, metadata->topics[i].topic))
            rd_kafka_topic_partition_list_add(out, metadata->topics[i].topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_metadata_destroy(metadata);
    return ERR_NONE;
}

/* ---- offsets ---- */

static rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++)
        if (partitions->elems[i].err)
            return partitions->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum err kafka_offsets(struct bus_kafka *bus, rd_kafka_topic_partition_list_t *partitions, int64_t which,
                       int64_t until_ns)
{
    rd_kafka_topic_partition_list_sort(partitions, NULL, NULL);
    for (int i = 0; i < partitions->cnt; i++)
        partitions->elems[i].offset = which;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (partitions->cnt)
        error = rd_kafka_offsets_for_times(bus->asking, partitions, wait_ms(until_ns));
    if (!error)
        error = first_error(partitions);
    return error ? kafka_because(bus, "ask for offsets", error) : ERR_NONE;
}

enum err kafka_committed(struct bus_kafka *bus, const char *group, rd_kafka_topic_partition_list_t *partitions,
                         int64_t until_ns)
{
    if (partitions->cnt == 0)
        return ERR_NONE;
    rd_kafka_ListConsumerGroupOffsets_t *wanted = rd_kafka_ListConsumerGroupOffsets_new(group, partitions);
    struct question question;
    question_init(&question, bus, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, until_ns);
    rd_kafka_ListConsumerGroupOffsets(bus->asking, &wanted, 1, question.options, question.queue);
    rd_kafka_resp_err_t error = question_wait(&question, until_ns);
    const rd_kafka_topic_partition_list_t *answers = NULL;
    if (!error) {
        size_t count;
        const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(question.answer), &count);
        const rd_kafka_error_t *refusal = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
        error = refusal ? rd_kafka_error_code(refusal) : RD_KAFKA_RESP_ERR_NO_ERROR;
        answers = count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    }
    for (int i = 0; !error && answers && i < answers->cnt; i++) {
        const rd_kafka_topic_partition_t *answer = &answers->elems[i];
        rd_kafka_topic_partition_list_set_offset(partitions, answer->topic, answer->partition, answer->offset);
        error = answer->err;
    }
    question_fini(&question);
    rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
    return error ? kafka_because(bus, "ask for what a group has acknowledged", error) : ERR_NONE;
}

/* ---- how far behind ---- */

struct oldest {
    int64_t published_us;
};

static bool take_oldest(const rd_kafka_message_t *message, void *context)
{
    struct oldest *oldest = context;
    int64_t published_us = rd_kafka_message_timestamp(message, NULL) * 1000;
    if (published_us > 0 && (!oldest->published_us || published_us < oldest->published_us))
        oldest->published_us = published_us;
    return false;
}

/* Not one that is gone by now: a topic has a beginning, too. */
static uint64_t count_between(rd_kafka_topic_partition_list_t *from, const rd_kafka_topic_partition_list_t *begins,
                              const rd_kafka_topic_partition_list_t *ends)
{
    uint64_t sum = 0;
    for (int i = 0; i < from->cnt; i++) {
        if (from->elems[i].offset < begins->elems[i].offset)
            from->elems[i].offset = begins->elems[i].offset;
        if (from->elems[i].offset < ends->elems[i].offset)
            sum += (uint64_t)(ends->elems[i].offset - from->elems[i].offset);
    }
    return sum;
}

enum err kafka_lag_between(struct bus_kafka *bus, rd_kafka_topic_partition_list_t *from, int64_t until_ns,
                           struct bus_lag *ret)
{
    rd_kafka_topic_partition_list_sort(from, NULL, NULL);
    rd_kafka_topic_partition_list_t *begins = rd_kafka_topic_partition_list_copy(from);
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_copy(from);
    struct oldest oldest = {.published_us = 0};
    struct bus_lag lag = {.events = 0};
    enum err err = kafka_offsets(bus, begins, RD_KAFKA_OFFSET_BEGINNING, until_ns);
    if (!err)
        err = kafka_offsets(bus, ends, RD_KAFKA_OFFSET_END, until_ns);
    if (!err)
        lag.events = count_between(from, begins, ends);
    if (!err && lag.events)
        err = kafka_read(bus, from, ends, take_oldest, &oldest, until_ns);
    lag.oldest_us = oldest.published_us;
    rd_kafka_topic_partition_list_destroy(begins);
    rd_kafka_topic_partition_list_destroy(ends);
    if (!err)
        *ret = lag;
    return err;
}

enum err bus_kafka_lag(struct bus_subscription *base, struct bus_lag *ret)
{
    struct kafka_subscription *subscription = (struct kafka_subscription *)base;
    int64_t until_ns = clock_now_ns() + subscription->bus->timeout_ms * NS_PER_MS;
    rd_kafka_topic_partition_list_t *from;
    enum err err = ERR_NONE;
    if (subscription->is_alone) {
        pthread_mutex_lock(&subscription->lock);
        from = kafka_places_list(&subscription->places);
        pthread_mutex_unlock(&subscription->lock);
    } else {
        from = rd_kafka_topic_partition_list_new(1);
        err = kafka_partitions(subscription->bus, subscription->topics, until_ns, from);
        if (!err)
            err = kafka_committed(subscription->bus, subscription->group, from, until_ns);
    }
    if (!err)
        err = kafka_lag_between(subscription->bus, from, until_ns, ret);
    rd_kafka_topic_partition_list_destroy(from);
    return err;
}
