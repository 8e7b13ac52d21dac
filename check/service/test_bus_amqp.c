/* What the bus on RabbitMQ has of its own: what it makes there and refuses, how a broker that is full is felt, TLS, and
 * others who read the events. What every bus has is in test_bus.c. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/rabbitmq.h"
#include "check/harness/suite.h"
#include "check/service/bus_world.h"
#include "telemetry/metric.h"

enum { KEYS = 10, CAUSE_SIZE = 512 };

const struct broker *const world_broker = &broker_rabbitmq;

static struct world world;
static struct tally tally;
static struct bus *bus;

/* The cause of opening a bus with these options, "" when it can be opened. */
static const char *cause_of(const struct bus_opts *opts, enum err expected)
{
    static char cause[CAUSE_SIZE];
    bus = NULL;
    enum err err = bus_open(opts, &bus);
    snprintf(cause, sizeof cause, "%s", err ? err_cause() : "");
    CU_ASSERT_EQUAL(err, expected);
    if (err != expected)
        printf("# %s: %s\n", err_name(err), cause);
    bus_close(bus);
    return cause;
}

static void expect_cause(const struct bus_opts *opts, enum err expected, const char *part)
{
    const char *cause = cause_of(opts, expected);
    CU_ASSERT_PTR_NOT_NULL(strstr(cause, part));
    if (!strstr(cause, part))
        printf("# \"%s\" has no \"%s\"\n", cause, part);
}

/* ---- settings ---- */

static void test_urls(void)
{
    static const struct {
        const char *url, *part;
    } wrong[] = {
        {"amqp:", "write amqp://"},
        {"amqp://", "is not a host"},
        {"amqp://a:b@127.0.0.1", "a password has no place there"},
        {"amqp://host:0", "is not a host"},
        {"amqp://host:70000", "is not a host"},
        {"amqp://[::1]x", "is not a host"},
        {"amqp://one,,two", "is not a host"},
        {"amqp://%zz@host", "percent-encoded"},
    };
    struct bus_opts opts = world_broker->opts("urls");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        opts.url = wrong[i].url;
        expect_cause(&opts, ERR_CONFIG, wrong[i].part);
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "a:b"));
    }
}

static void write_password(const char *password)
{
    int fd = open(rabbitmq_path("password"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT(write(fd, password, strlen(password)) == (ssize_t)strlen(password));
    close(fd);
}

static void test_password(void)
{
    char path[256];
    struct bus_opts opts = world_broker->opts("password");
    snprintf(path, sizeof path, "%s", rabbitmq_path("password"));
    opts.password_file = path;
    expect_cause(&opts, ERR_IO, path);
    write_password("wrong-secret\n");
    expect_cause(&opts, ERR_CONFIG, "ACCESS_REFUSED");
    CU_ASSERT_PTR_NULL(strstr(err_cause(), "wrong-secret"));
    write_password("guest\n");
    CU_ASSERT_STRING_EQUAL(cause_of(&opts, ERR_NONE), "");
    CU_ASSERT_EQUAL(chmod(path, 0644), 0);
    expect_cause(&opts, ERR_FORBIDDEN, "chmod 600");
    unlink(path);
}

static void test_vhost(void)
{
    char url[160];
    struct bus_opts opts = world_broker->opts("vhost");
    snprintf(url, sizeof url, "amqp://guest@127.0.0.1:%u/nowhere", rabbitmq_port(0));
    opts.url = url;
    expect_cause(&opts, ERR_CONFIG, "nowhere");
}

static void test_hosts(void)
{
    char url[160];
    world_begin(&world);
    struct bus_opts opts = world_broker->opts(world.name);
    snprintf(url, sizeof url, "amqp://guest@127.0.0.1:%u,127.0.0.1:%u/%%2F", process_free_port(), rabbitmq_port(0));
    opts.url = url;
    bus_close(world.bus);
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &world.bus), ERR_NONE);
    world_publish(&world, KEYS, 0, 10);
    world_end(&world);
}

static void test_other_number(void)
{
    world_begin(&world);
    struct bus_opts opts = world_broker->opts(world.name);
    opts.queues++;
    expect_cause(&opts, ERR_CONFIG, "bus.queues is 4 here");
    opts.queues--;
    opts.delivery_limit++;   /* of queues that are yet to be made */
    CU_ASSERT_STRING_EQUAL(cause_of(&opts, ERR_NONE), "");
    world_end(&world);
}

/* ---- groups that are known ---- */

static enum err find_group(const struct bus_group *group, void *context)
{
    *(uint64_t *)context += group->lag.events;
    CU_ASSERT(text_equal_string(group->name, "late"));
    return ERR_NONE;
}

static void test_known_groups(void)
{
    uint64_t events = 0;
    world_begin(&world);
    tally_init(&tally, KEYS);
    bus_close(world.bus);
    struct bus_opts opts = world_broker->opts(world.name);
    opts.groups = " late ,";
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &world.bus), ERR_NONE);
    world_publish(&world, KEYS, 0, 50);
    struct world_event other;
    world_event(&other, &world, KEYS, 7);
    other.event.type = TEXT("other.v1");
    CU_ASSERT_EQUAL(bus_publish(world.bus, &other.event, 1), ERR_NONE);

    opts.only_looks = true;
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
    CU_ASSERT_EQUAL(bus_groups(bus, find_group, &events), ERR_NONE);
    CU_ASSERT_EQUAL(events, 51);
    CU_ASSERT_EQUAL(bus_browse(bus, &(struct bus_filter){.limit = 1}, NULL, NULL), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "the broker's own tools"));
    bus_close(bus);

    struct bus_subscription *subscription = world_subscribe(world.bus, "late");
    world_drain(&world, subscription, &tally, 50, false);
    CU_ASSERT(tally_is_whole(&tally, 50));
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- a broker that is full ---- */

static int64_t told(enum metric metric)
{
    return metric_value(metric_series_of(metric, NULL, 0));
}

static bool is_taken(void *context)
{
    (void)context;
    return world_publish_batch(&world, world.bus, KEYS, 10, 10) == ERR_NONE;
}

static void test_blocked(void)
{
    uint64_t used, most;
    world_begin(&world);
    tally_init(&tally, KEYS);
    struct bus_opts opts = world_broker->opts(world.name);
    opts.publish_timeout_ms = 500;
    bus_close(world.bus);
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &world.bus), ERR_NONE);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    world_publish(&world, KEYS, 0, 10);
    CU_ASSERT_EQUAL(bus_size(world.bus, &used, &most), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(rabbitmq_control((const char *const[]){"set_vm_memory_high_watermark", "absolute", "1MB",
                                                                 NULL}), ERR_NONE);
    enum err err = ERR_NONE;
    for (int i = 0; i < 100 && !err; i++)   /* it takes some before it says so, which are there twice then */
        err = world_publish_batch(&world, world.bus, KEYS, 10, 10);
    CU_ASSERT_EQUAL(err, ERR_BUSY);
    for (int i = 0; i < 3; i++) {
        int64_t start_ns = clock_now_ns();
        CU_ASSERT_EQUAL(world_publish_batch(&world, world.bus, KEYS, 10, 10), ERR_BUSY);
        CU_ASSERT(clock_now_ns() - start_ns < 5000 * NS_PER_MS);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "takes no events at the moment"));
    CU_ASSERT_EQUAL(bus_size(world.bus, &used, &most), ERR_BUSY);
    CU_ASSERT_EQUAL(told(METRIC_BUS_BLOCKED), 1);
    CU_ASSERT(metric_value(metric_series(METRIC_BUS_REFUSED, "blocked")) >= 3);
    world_drain(&world, subscription, &tally, 10, false);   /* reading goes on */
    CU_ASSERT_EQUAL_FATAL(rabbitmq_control((const char *const[]){"set_vm_memory_high_watermark", "absolute", "1GB",
                                                                 NULL}), ERR_NONE);
    CU_ASSERT(process_until(is_taken, NULL, WORLD_PATIENCE_MS));
    world_drain(&world, subscription, &tally, 20, false);
    CU_ASSERT(tally_is_whole(&tally, 20));
    CU_ASSERT_EQUAL(told(METRIC_BUS_BLOCKED), 0);
    CU_ASSERT_EQUAL(told(METRIC_BUS_QUEUED), 0);
    CU_ASSERT(told(METRIC_BUS_ROUND_TRIP) > 0);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- who did not acknowledge ---- */

static void test_redelivered(void)
{
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    world_publish(&world, 1, 0, 1);
    int64_t before = told(METRIC_BUS_REDELIVERED);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
    CU_ASSERT_EQUAL(told(METRIC_BUS_REDELIVERED), before);
    bus_unsubscribe(subscription);
    subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
    CU_ASSERT_EQUAL(told(METRIC_BUS_REDELIVERED), before + 1);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- a consumer that is slow ---- */

static void publish_large(int first, int count)
{
    enum { BYTES = 200 * 1024 };
    char *data = malloc(BYTES);
    memset(data, ' ', BYTES);
    for (int i = first; i < first + count; i++) {
        struct world_event made;
        world_event(&made, &world, 1, i);
        memcpy(data, made.data, strlen(made.data));
        made.event.data = (struct text){data, BYTES};
        CU_ASSERT_EQUAL(bus_publish(world.bus, &made.event, 1), ERR_NONE);
    }
    free(data);
}

/* What it holds is bounded by bytes too; past that it reads nothing, and is still not taken for dead. */
static void test_slow_and_large(void)
{
    enum { EVENTS = 100, HEARTBEAT_S = 1 };
    world_begin(&world);
    bus_close(world.bus);
    struct bus_opts opts = world_broker->opts(world.name);
    opts.heartbeat_s = HEARTBEAT_S;
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &world.bus), ERR_NONE);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    publish_large(0, EVENTS);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
    int64_t first = world.deliveries[0].offset, until_ns = clock_now_ns() + 4 * HEARTBEAT_S * NS_PER_S;
    while (clock_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, first), ERR_NONE);   /* on the same connection */
    for (int i = 1; i < EVENTS; i++) {
        CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
        CU_ASSERT_EQUAL(strtol(world.deliveries[0].event.data.at, NULL, 10), i);
        CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    }
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- what should be there is gone ---- */

static void test_deleted_queue(void)
{
    char queue[64];
    world_begin(&world);
    tally_init(&tally, KEYS);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, 0), 0);
    snprintf(queue, sizeof queue, "%s.unrouted", world.name);
    CU_ASSERT_EQUAL_FATAL(rabbitmq_control((const char *const[]){"delete_queue", queue, NULL}), ERR_NONE);
    struct world_event made;
    world_event(&made, &world, KEYS, 1);
    made.event.type = TEXT("nobody.v1");
    CU_ASSERT_EQUAL(bus_publish(world.bus, &made.event, 1), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "NO_ROUTE"));
    CU_ASSERT_EQUAL(bus_publish(world.bus, &made.event, 1), ERR_NONE);   /* it is made again */

    for (int i = 0; i < 3; i++) {
        snprintf(queue, sizeof queue, "%s.group.%d", world.name, i);
        CU_ASSERT_EQUAL_FATAL(rabbitmq_control((const char *const[]){"delete_queue", queue, NULL}), ERR_NONE);
    }
    size_t fetched = 0;
    enum err err = bus_fetch(subscription, 0, &world.arena, world.deliveries, 1, &fetched);
    CU_ASSERT(err == ERR_UNAVAILABLE || err == ERR_NONE);   /* it may have been seen already */
    CU_ASSERT_EQUAL(world_fetch_within(&world, subscription, 1, 500), 0);
    world_publish(&world, KEYS, 0, 30);
    world_drain(&world, subscription, &tally, 30, false);
    CU_ASSERT(tally_is_whole(&tally, 30));
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- others ---- */

/* Runs a program of the tests that speaks AMQP by itself, with these arguments behind its URL. */
static enum err run_python(const char *script, const char *const *arguments, const char *log)
{
    char url[128];
    const char *argv[10] = {"/usr/bin/python3", script, url, NULL};
    snprintf(url, sizeof url, "amqp://guest:guest@127.0.0.1:%u/%%2F", rabbitmq_port(0));
    for (size_t i = 0; arguments[i]; i++)
        argv[3 + i] = arguments[i];
    return process_run(argv, log);
}

static const char *source(const char *path)
{
    static char full[512];
    const char *folder = getenv("TANDEM_SRCDIR");
    snprintf(full, sizeof full, "%s/%s", folder ? folder : ".", path);
    return full;
}

static bool has_pika(void)
{
    const char *const argv[] = {"/usr/bin/python3", "-c", "import pika", NULL};
    if (process_run(argv, rabbitmq_path("python.log")) == ERR_NONE)
        return true;
    suite_skip("pika is not installed (Debian: python3-pika)");
    return false;
}

static size_t count_lines(const char *path, const char *part)
{
    char line[1024];
    size_t count = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        count += strstr(line, part) != NULL;
    if (file)
        fclose(file);
    return count;
}

static void test_example(void)
{
    if (!has_pika())
        return;
    char log[256];
    snprintf(log, sizeof log, "%s", rabbitmq_path("example.log"));
    world_begin(&world);
    const char *const ten[] = {world.name, "#", "10", NULL};
    char url[128];
    const char *const argv[] = {"/usr/bin/python3", source("etc/examples/consume_rabbitmq.py"), url, world.name,
                                "thing.made.*", "1", NULL};
    struct process reader = {0};
    snprintf(url, sizeof url, "amqp://guest:guest@127.0.0.1:%u/%%2F", rabbitmq_port(0));
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log, SIGKILL, &reader), ERR_NONE);
    for (int64_t until_ns = clock_now_ns() + WORLD_PATIENCE_MS * NS_PER_MS;
         count_lines(log, "ready") == 0 && clock_now_ns() < until_ns;)
        CU_ASSERT(process_runs(&reader, NULL));
    world_publish(&world, KEYS, 0, 11);
    CU_ASSERT_EQUAL(process_stop(&reader, 0, WORLD_PATIENCE_MS), ERR_NONE);
    CU_ASSERT_EQUAL(run_python(source("etc/examples/consume_rabbitmq.py"), ten, log), ERR_NONE);
    CU_ASSERT_EQUAL(count_lines(log, "\"type\": \"thing.made.v1\""), 11);
    CU_ASSERT_EQUAL(count_lines(log, "\"subject\": \"key 7\""), 1);
    CU_ASSERT_EQUAL(count_lines(log, "\"data\": 10}"), 1);
    world_end(&world);
}

/* What is no event is handed out as a dead letter, once, and holds nothing up. */
static void test_unreadable(void)
{
    if (!has_pika())
        return;
    world_begin(&world);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    const char *const arguments[] = {world.name, "thing.made.v1.0", "{no event", NULL};
    CU_ASSERT_EQUAL(run_python(source("check/service/publish_rabbitmq.py"), arguments, rabbitmq_path("python.log")),
                    ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
    CU_ASSERT(text_starts(world.deliveries[0].dead, TEXT("it cannot be read")));
    CU_ASSERT_EQUAL(told(METRIC_BUS_UNREADABLE), 1);
    CU_ASSERT(text_equal_string(world.deliveries[0].event.data, "\"{no event\""));
    CU_ASSERT_EQUAL(event_check(&world.deliveries[0].event), ERR_NONE);
    CU_ASSERT_EQUAL(bus_acknowledge(subscription, world.deliveries[0].offset), ERR_NONE);
    world_publish(&world, KEYS, 0, 1);
    CU_ASSERT_EQUAL_FATAL(world_fetch(&world, subscription, 1), 1);
    CU_ASSERT_PTR_NULL(world.deliveries[0].dead.at);
    bus_unsubscribe(subscription);
    world_end(&world);
}

/* ---- TLS ---- */

static void test_tls(void)
{
    char url[128], ca[256];
    world_begin(&world);
    bus_close(world.bus);
    struct bus_opts opts = world_broker->opts(world.name);
    snprintf(url, sizeof url, "amqps://guest@localhost:%u", rabbitmq_tls_port());
    snprintf(ca, sizeof ca, "%s", rabbitmq_path("ca.pem"));
    opts.url = url;
    opts.tls_ca_file = ca;
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &world.bus), ERR_NONE);
    struct bus_subscription *subscription = world_subscribe(world.bus, "group");
    tally_init(&tally, KEYS);
    world_publish(&world, KEYS, 0, 100);
    world_drain(&world, subscription, &tally, 100, false);
    CU_ASSERT(tally_is_whole(&tally, 100));
    bus_unsubscribe(subscription);

    uint64_t used, most;
    opts.tls_ca_file = NULL;           /* the system does not trust this one */
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
    CU_ASSERT_EQUAL(bus_size(bus, &used, &most), ERR_UNAVAILABLE);
    bus_close(bus);
    opts.tls_ca_file = "/nonexistent";
    expect_cause(&opts, ERR_CONFIG, "/nonexistent");
    world_end(&world);
}

static const struct suite_case cases[] = {
    {"an URL that is wrong is refused, and a password in it not told", test_urls},
    {"the password is in a file that others may not read, and a wrong one is said so", test_password},
    {"a vhost that is not there is said so", test_vhost},
    {"of several hosts the first that answers is taken", test_hosts},
    {"another number of queues is refused", test_other_number},
    {"events are kept for the groups of the settings before they subscribe", test_known_groups},
    {"a broker that is full is felt, and told of", test_blocked},
    {"deliveries that are made once more are counted", test_redelivered},
    {"a consumer that is slow with large events holds no more than it may, and its connection", test_slow_and_large},
    {"what somebody deletes is made again", test_deleted_queue},
    {"a program in another language reads the events", test_example},
    {"a message that is no event is a dead letter", test_unreadable},
    {"TLS is spoken, and a certificate that nobody vouches for refused", test_tls},
};

/* A certificate for localhost, which is its own authority. */
static enum err make_certificate(void)
{
    char certificate[256], key[256], authority[256];
    snprintf(certificate, sizeof certificate, "%s", rabbitmq_path("server.pem"));
    snprintf(key, sizeof key, "%s", rabbitmq_path("server.key"));
    snprintf(authority, sizeof authority, "%s", rabbitmq_path("ca.pem"));
    const char *const make[] = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                                certificate, NULL};
    const char *const copy[] = {"cp", certificate, authority, NULL};
    const char *const show[] = {"chmod", "644", certificate, key, authority, NULL};
    enum err err = process_run(make, rabbitmq_path("openssl.log"));
    if (!err)
        err = process_run(copy, rabbitmq_path("openssl.log"));
    return err ? err : process_run(show, rabbitmq_path("openssl.log"));
}

static void test_missing(void)
{
    suite_skip(world_broker->lacks());
}

int main(void)
{
    static const struct suite_case missing = {"there is a broker to run it on", test_missing};
    if (world_broker->lacks())
        return suite_main("bus_amqp", &missing, 1);
    enum err err = make_certificate();
    if (!err)
        err = rabbitmq_start(1, true);
    int status = EXIT_FAILURE;
    if (err)
        printf("Bail out! the broker does not start: %s\n", err_cause());
    else
        status = suite_main("bus_amqp", cases, sizeof cases / sizeof cases[0]);
    rabbitmq_stop();
    return status;
}
