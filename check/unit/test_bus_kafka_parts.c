/* The parts of the bus on Kafka that need no broker, and what becomes of a producer that can go on no more. */
#include "config.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "events/bus_kafka.h"
#include "events/bus_kafka_message.h"

/* ---- properties ---- */

static struct scratch scratch;

static const char *write_file(const char *content, mode_t mode)
{
    const char *path = scratch_path(&scratch, "kafka.properties");
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    fclose(file);
    chmod(path, mode);
    return path;
}

static void test_properties(void)
{
    static const struct {
        const char *content, *cause;       /* without a cause it is taken */
    } cases[] = {
        {"", NULL},
        {"# SASL\n\nsasl.username = tandem\r\nsasl.password=a=b #c\n  security.protocol=SASL_PLAINTEXT", NULL},
        {"client.id=x\nno.such.thing=1\n", "line 2: no.such.thing: No such configuration property"},
        {"client.id\n", "line 1: there must be a property's name"},
        {"=x\n", "line 1: there must be a property's name"},
        {"\n\nacks=1\n", "line 3: acks is Tandem's to set"},
        {"enable.auto.commit=true\n", "line 1: enable.auto.commit is Tandem's to set"},
        {"bootstrap.servers=elsewhere\n", "line 1: bootstrap.servers is Tandem's to set"},
        {"security.protocol=hunter2\n", "line 1: security.protocol: its value is none that it takes"},
    };
    scratch_init(&scratch);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kafka_properties properties;
        err_clear();
        enum err err = kafka_properties_init(&properties, "localhost:9092", write_file(cases[i].content, 0600));
        CU_ASSERT_EQUAL(err, cases[i].cause ? ERR_CONFIG : ERR_NONE);
        CU_ASSERT(!cases[i].cause || strstr(err_cause(), cases[i].cause));
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "hunter2"));
        if (cases[i].cause && !strstr(err_cause(), cases[i].cause))
            printf("# \"%s\" is not \"%s\"\n", err_cause(), cases[i].cause);
        if (!err)
            kafka_properties_fini(&properties);
    }
    scratch_fini(&scratch);
}

static void test_properties_for_all_to_read(void)
{
    struct kafka_properties properties;
    scratch_init(&scratch);
    CU_ASSERT_EQUAL(kafka_properties_init(&properties, "localhost", write_file("sasl.password=hunter2\n", 0644)),
                    ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "has mode 0644"));
    CU_ASSERT_EQUAL(kafka_properties_init(&properties, "localhost", "/no/such/file"), ERR_IO);
    scratch_fini(&scratch);
}

static void expect_property(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char found[128] = "";
    size_t size = sizeof found;
    CU_ASSERT_EQUAL(rd_kafka_conf_get(conf, name, found, &size), RD_KAFKA_CONF_OK);
    CU_ASSERT_STRING_EQUAL(found, value);
}

static void test_properties_by_use(void)
{
    struct kafka_properties properties;
    rd_kafka_conf_t *conf;
    scratch_init(&scratch);
    CU_ASSERT_EQUAL_FATAL(kafka_properties_init(&properties, "a:1,b:2", write_file("session.timeout.ms=9000\n"
                                                                                   "linger.ms=7\n", 0600)), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(kafka_properties_make(&properties, KAFKA_PUBLISHES, NULL, &conf), ERR_NONE);
    expect_property(conf, "bootstrap.servers", "a:1,b:2");
    expect_property(conf, "enable.idempotence", "true");
    expect_property(conf, "linger.ms", "7");
    rd_kafka_conf_destroy(conf);
    CU_ASSERT_EQUAL_FATAL(kafka_properties_make(&properties, KAFKA_CONSUMES, "tandem.order", &conf), ERR_NONE);
    expect_property(conf, "group.id", "tandem.order");
    expect_property(conf, "session.timeout.ms", "9000");
    expect_property(conf, "enable.auto.commit", "false");
    expect_property(conf, "partition.assignment.strategy", "cooperative-sticky");
    rd_kafka_conf_destroy(conf);
    kafka_properties_fini(&properties);
    scratch_fini(&scratch);
}

/* ---- places ---- */

static void test_places(void)
{
    struct kafka_places places;
    CU_ASSERT_EQUAL_FATAL(kafka_places_init(&places, 4), ERR_NONE);
    CU_ASSERT_EQUAL(kafka_places_add(&places, "a", 0, KAFKA_NOWHERE), ERR_NONE);
    CU_ASSERT_EQUAL(kafka_places_add(&places, "b", 0, 100), ERR_NONE);
    struct kafka_place *a = kafka_places_find(&places, "a", 0), *b = kafka_places_find(&places, "b", 0);
    CU_ASSERT(kafka_places_unknown(&places));
    CU_ASSERT_EQUAL(kafka_places_deliver(&places, a, 7), 1);
    CU_ASSERT_EQUAL(kafka_places_deliver(&places, b, 100), 2);
    kafka_places_pass(a, 8);
    CU_ASSERT_EQUAL(kafka_places_deliver(&places, a, 9), 3);
    CU_ASSERT_EQUAL(kafka_places_deliver(&places, b, 103), 4);
    CU_ASSERT(kafka_places_full(&places));
    kafka_places_pass(a, 10);
    CU_ASSERT_EQUAL(a->acknowledged, 7);
    CU_ASSERT_EQUAL(kafka_places_uncommitted(&places), 0);

    kafka_places_acknowledge(&places, 2);
    CU_ASSERT_EQUAL(a->acknowledged, 8);       /* what was passed over behind it comes again with the next */
    CU_ASSERT_EQUAL(b->acknowledged, 101);
    kafka_places_acknowledge(&places, 1);      /* never back */
    CU_ASSERT_EQUAL(a->acknowledged, 8);
    kafka_places_acknowledge(&places, 3);
    CU_ASSERT_EQUAL(a->acknowledged, 11);      /* all that was seen */
    CU_ASSERT_EQUAL(kafka_places_uncommitted(&places), 5);
    kafka_places_rewind(&places);
    CU_ASSERT_EQUAL(b->seen, 101);
    CU_ASSERT_EQUAL(kafka_places_deliver(&places, b, 103), 5);
    kafka_places_acknowledge(&places, 1000);
    CU_ASSERT_EQUAL(b->acknowledged, 104);
    CU_ASSERT_FALSE(kafka_places_unknown(&places));
    kafka_places_fini(&places);
}

static void test_places_come_and_go(void)
{
    struct kafka_places places;
    CU_ASSERT_EQUAL_FATAL(kafka_places_init(&places, 256), ERR_NONE);
    for (int32_t i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(kafka_places_add(&places, "a", i, 0), ERR_NONE);
        CU_ASSERT_EQUAL(kafka_places_deliver(&places, kafka_places_find(&places, "a", i), 0), i + 1);
    }
    for (int32_t i = 0; i < 100; i += 2)
        kafka_places_remove(&places, "a", i);
    kafka_places_remove(&places, "a", 1000);
    CU_ASSERT_EQUAL(places.count, 50);
    CU_ASSERT_PTR_NULL(kafka_places_find(&places, "a", 2));
    kafka_places_acknowledge(&places, 50);     /* partitions that went are passed over */
    for (int32_t i = 1; i < 100; i += 2) {
        const struct kafka_place *place = kafka_places_find(&places, "a", i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(place);
        CU_ASSERT_EQUAL(place->partition, i);
        CU_ASSERT_EQUAL(place->acknowledged, i < 50 ? 1 : 0);
        CU_ASSERT_EQUAL(place->outstanding, i < 50 ? 0 : 1);
    }
    kafka_places_fini(&places);
}

/* ---- topics ---- */

static void test_topics(void)
{
    static const struct {
        const char *type, *topic;          /* without one it has none */
    } cases[] = {
        {"order.placed.v1", "tandem.order"}, {"order.placed.v", "tandem.order"}, {"item", "tandem.item"},
        {"a_b-C9.x", "tandem.a_b-C9"}, {"", NULL}, {".x", NULL}, {"a b.v1", NULL}, {"\xc3\xa4.v1", NULL},
        {"a/b.v1", NULL},
    };
    char topic[KAFKA_TOPIC_SIZE], small[8];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err err = kafka_topic("tandem", text_of(cases[i].type), topic, sizeof topic);
        CU_ASSERT_EQUAL(err, cases[i].topic ? ERR_NONE : ERR_INVALID);
        CU_ASSERT(err || strcmp(topic, cases[i].topic) == 0);
    }
    CU_ASSERT_EQUAL(kafka_topic("tandem", TEXT("order.v1"), small, sizeof small), ERR_INVALID);
}

/* ---- messages: through the headers and back, on a mock cluster in this process ---- */

static rd_kafka_t *mock_client;
static rd_kafka_mock_cluster_t *cluster;
static struct bus *bus;
static struct arena arena;

static void begin(void)
{
    char reason[256];
    static char url[512];
    scratch_init(&scratch);
    arena_init(&arena, 4 * 1024 * 1024);
    mock_client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof reason);
    cluster = rd_kafka_mock_cluster_new(mock_client, 1);
    snprintf(url, sizeof url, "kafka:%s", rd_kafka_mock_cluster_bootstraps(cluster));
    struct bus_opts opts = {.url = url, .prefix = "test", .groups = "group", .publish_timeout_ms = 5000};
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
}

static void end(void)
{
    bus_close(bus);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(mock_client);
    arena_fini(&arena);
    scratch_fini(&scratch);
}

static struct bus_kafka *kafka(void)
{
    return (struct bus_kafka *)bus;
}

static struct event an_event(const char *data)
{
    return (struct event){.id = TEXT("id-1"), .type = TEXT("thing.made.v1"), .source = TEXT("/test"),
                          .subject = TEXT("thing \xc3\xa4"), .time_us = INT64_C(1700000000123456),
                          .traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                          .tracestate = TEXT("congo=t61rcWkgMzE"), .request_id = TEXT("request"),
                          .data = text_of(data)};
}

/* Puts a message with these headers on the topic of things; NULL ends them. */
static void send_raw(const char *const *headers, const char *value)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(8);
    for (size_t i = 0; headers[i]; i += 2)
        rd_kafka_header_add(list, headers[i], -1, headers[i + 1], -1);
    enum err err = kafka_producer_begin(&kafka()->producer, clock_now_ns() + 5 * NS_PER_S);
    if (!err)
        err = kafka_producer_add(&kafka()->producer, "test.thing", TEXT("key"), text_of(value), list);
    CU_ASSERT_EQUAL(kafka_producer_end(&kafka()->producer, err), ERR_NONE);
}

static const char *const things[] = {"thing.made.v", NULL};

static size_t fetch(struct bus_subscription *subscription, struct bus_delivery *deliveries, size_t max)
{
    size_t count = 0;
    int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
    while (count == 0 && clock_now_ns() < until_ns)
        CU_ASSERT_EQUAL_FATAL(bus_fetch(subscription, 500, &arena, deliveries, max, &count), ERR_NONE);
    return count;
}

#define GOOD                                                                                                           \
    "ce_specversion", "1.0", "ce_id", "1", "ce_source", "/s", "ce_subject", "x", "ce_time", "2026-01-02T03:04:05Z"

/* What is no event goes to the topic of the dead, and those behind it come. */
static void test_malformed(void)
{
    static const char *const no_version[] = {"ce_id", "1", "ce_type", "thing.made.v1", NULL};
    static const char *const twice[] = {GOOD, "ce_type", "thing.made.v1", "ce_id", "2", NULL};
    static const char *const not_json[] = {GOOD, "ce_type", "thing.made.v1", "content-type", "text/plain", NULL};
    static const char *const fine[] = {GOOD, "ce_type", "thing.made.v1", "content-type",
                                       "Application/JSON; charset=utf-8", "ce_other", "passed over", NULL};
    static const char *const nothing[] = {NULL};
    static const char *const structured[] = {"content-type", "application/cloudevents+json", NULL};
    static const char whole[] = "{\"specversion\":\"1.0\",\"id\":\"3\",\"type\":\"thing.made.v2\",\"source\":\"/s\","
                                "\"subject\":\"x\",\"time\":\"2026-01-02T03:04:05Z\",\"data\":{\"a\":1}}";
    static const struct {
        const char *const *headers;
        const char *value, *id;            /* without an id it is dead */
    } messages[] = {
        {no_version, "1", NULL}, {twice, "1", NULL}, {not_json, "1", NULL}, {nothing, "1", NULL}, {nothing, "", NULL},
        {fine, "{", NULL}, {structured, "{}", NULL}, {structured, "", NULL},
        {fine, "{\"n\":1}", "1"}, {structured, whole, "3"}, {fine, "", "1"},
    };
    struct bus_delivery deliveries[4];
    begin();
    struct bus_subscription *subscription;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "group", things, &subscription), ERR_NONE);
    uint64_t dead = 0;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        send_raw(messages[i].headers, messages[i].value);
        dead += !messages[i].id;
        CU_ASSERT_EQUAL_FATAL(fetch(subscription, deliveries, 1), 1);
        CU_ASSERT_EQUAL(event_check(&deliveries[0].event), ERR_NONE);
        CU_ASSERT_EQUAL(deliveries[0].dead.at == NULL, messages[i].id != NULL);
        CU_ASSERT(!messages[i].id || text_equal_string(deliveries[0].event.id, messages[i].id));
        CU_ASSERT_EQUAL(bus_acknowledge(subscription, deliveries[0].offset), ERR_NONE);
    }
    bus_unsubscribe(subscription);

    rd_kafka_topic_partition_list_t *topic = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_t *begins = rd_kafka_topic_partition_list_new(1);
    int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
    struct bus_lag lag = {.events = 0};
    rd_kafka_topic_partition_list_add(topic, "test.group.dead", RD_KAFKA_PARTITION_UA);
    CU_ASSERT_EQUAL(kafka_partitions(kafka(), topic, until_ns, begins), ERR_NONE);
    CU_ASSERT_EQUAL(kafka_lag_between(kafka(), begins, until_ns, &lag), ERR_NONE);
    CU_ASSERT_EQUAL(lag.events, dead);
    rd_kafka_topic_partition_list_destroy(topic);
    rd_kafka_topic_partition_list_destroy(begins);
    end();
}

static void test_round_trip(void)
{
    struct bus_delivery deliveries[4];
    struct event sent[] = {an_event("{\"amount\": 1}"), an_event(NULL)};
    struct bus_subscription *subscription;
    begin();
    CU_ASSERT_EQUAL_FATAL(bus_publish(bus, sent, 2), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "group", things, &subscription), ERR_NONE);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(fetch(subscription, deliveries, 1), 1);
        const struct event *event = &deliveries[0].event;
        CU_ASSERT(text_equal(event->id, sent[i].id));
        CU_ASSERT(text_equal(event->type, sent[i].type));
        CU_ASSERT(text_equal(event->source, sent[i].source));
        CU_ASSERT(text_equal(event->subject, sent[i].subject));
        CU_ASSERT(text_equal(event->request_id, sent[i].request_id));
        CU_ASSERT(text_equal(event->traceparent, sent[i].traceparent));
        CU_ASSERT(text_equal(event->tracestate, sent[i].tracestate));
        CU_ASSERT(text_equal(event->data, sent[i].data));
        CU_ASSERT_EQUAL(event->time_us, sent[i].time_us);
    }
    bus_unsubscribe(subscription);
    end();
}

/* ---- in another language ---- */

static void test_python(void)
{
    const char *folder = getenv("TANDEM_SRCDIR");
    char program[512], log[SCRATCH_PATH_SIZE + 16], line[512];
    struct event sent[] = {an_event("{\"amount\": 1}"), an_event(NULL)};
    unsigned whole = 0, empty = 0;
    begin();
    snprintf(log, sizeof log, "%s", scratch_path(&scratch, "python.log"));
    const char *const has_library[] = {"/usr/bin/python3", "-c", "import confluent_kafka", NULL};
    if (process_run(has_library, log)) {
        suite_skip("python3-confluent-kafka (Debian) is missing");
        end();
        return;
    }
    snprintf(program, sizeof program, "%s/etc/examples/consume_kafka.py", folder ? folder : ".");
    const char *const example[] = {"/usr/bin/python3", program, rd_kafka_mock_cluster_bootstraps(cluster), "test",
                                   "thing", "2", NULL};
    CU_ASSERT_EQUAL(bus_publish(bus, sent, 2), ERR_NONE);
    enum err err = process_run(example, log);
    if (err)
        printf("# %s\n", err_cause());
    CU_ASSERT_EQUAL(err, ERR_NONE);
    FILE *file = fopen(log, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        bool is_ours = strstr(line, "\"type\": \"thing.made.v1\"") && strstr(line, "\"id\": \"id-1\"")
                       && strstr(line, "\"subject\": \"thing \\u00e4\"") && strstr(line, "2023-11-14T22:13:20.123456");
        whole += is_ours && strstr(line, "\"data\": {\"amount\": 1}");
        empty += is_ours && strstr(line, "\"data\": null");
    }
    CU_ASSERT_EQUAL(whole, 1);
    CU_ASSERT_EQUAL(empty, 1);
    fclose(file);
    end();
}

/* ---- trouble ---- */

static void test_fatal(void)
{
    struct event event = an_event("1");
    begin();
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    rd_kafka_t *before = kafka()->producer.handle;
    CU_ASSERT_EQUAL(rd_kafka_test_fatal_error(before, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "a gap"), 0);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NULL(kafka()->producer.handle);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(kafka()->producer.handle);
    end();
}

/* Errors that the broker gives once and that librdkafka tries again, and one that nothing helps against. */
static void test_broker_errors(void)
{
    enum { PRODUCE = 0 };
    struct event event = an_event("1");
    begin();
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 2, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    enum err err = bus_publish(bus, &event, 1);
    CU_ASSERT(err == ERR_INVALID || err == ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    end();
}

static void test_urls(void)
{
    static const char *const wrong[] = {"kafka:", "kafka://host:9092", NULL};
    struct bus_opts opts = {.prefix = "t"};
    for (size_t i = 0; wrong[i]; i++) {
        opts.url = wrong[i];
        CU_ASSERT_EQUAL(bus_open(&opts, &bus), ERR_CONFIG);
    }
    opts = (struct bus_opts){.url = "kafka:localhost:1", .prefix = "a/b"};
    CU_ASSERT_EQUAL(bus_open(&opts, &bus), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "bus.prefix"));
}

static void test_statistics(void)
{
    begin();
    atomic_store(&kafka()->is_down, true);
    uint64_t used, most;
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_UNAVAILABLE);
    kafka_statistics_take(kafka(), TEXT("{"));
    kafka_statistics_take(kafka(), TEXT("[]"));
    kafka_statistics_take(kafka(), TEXT("{\"msg_cnt\": 7, \"brokers\": {"
                                        "\"a\": {\"state\": \"UP\", \"rtt\": {\"avg\": 1500}},"
                                        " \"b\": {\"state\": \"DOWN\", \"rtt\": {\"avg\": 20}}, \"c\": 1}}"));
    CU_ASSERT_EQUAL(metric_value(kafka()->metric_queued), 7);
    CU_ASSERT_EQUAL(metric_value(kafka()->metric_up), 1);
    CU_ASSERT_EQUAL(metric_value(kafka()->metric_round_trip), 1500 * 1000);
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_NONE);
    end();
}

static const struct suite_case cases[] = {
    {"a file of properties is taken, or what is wrong is told by its line, without its value", test_properties},
    {"a file of properties that others may read is refused", test_properties_for_all_to_read},
    {"each use has its properties", test_properties_by_use},
    {"one number stands for a place in each partition", test_places},
    {"partitions come and go, and what was delivered of them is forgotten", test_places_come_and_go},
    {"a type's first word is its topic", test_topics},
    {"an event is the same behind the broker", test_round_trip},
    {"what is no event is put aside as a dead letter, and the next one comes", test_malformed},
    {"a consumer in another language reads what was published", test_python},
    {"a producer that can go on no more is made anew", test_fatal},
    {"a broker's passing errors are waited out, and its refusal is told", test_broker_errors},
    {"statistics become metrics, and tell when nobody is there", test_statistics},
    {"an URL or a prefix that cannot be is refused", test_urls},
};

int main(void)
{
    return suite_main("bus on Kafka, its parts", cases, sizeof cases / sizeof cases[0]);
}
