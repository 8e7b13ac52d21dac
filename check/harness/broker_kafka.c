/*
 * Kafka as a broker of tests: librdkafka's mock cluster of three, in a process; or a real one, that is there already.
 *
 * The mock keeps its log in memory. So for it to be "away", and "killed", is that all its brokers are cut off at once,
 * in the midst of what they are asked, and keep what they had: for a client that is the same, and what a real broker's
 * disk keeps is not ours to test.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check/harness/broker.h"
#include "check/harness/process.h"

enum { BROKERS = 3, PATH_SIZE = 512, URL_SIZE = 256, START_MS = 20000, STOP_MS = 10000, QUEUES = 4, PREFETCH = 256,
       PUBLISH_TIMEOUT_MS = 1000 };

#define ANSWER_MS "10"

static char *folder;
static char properties[PATH_SIZE];
static unsigned ports[BROKERS];
static struct process mock;

static const char *folder_of_build(void)
{
    const char *given = getenv("TANDEM_BUILDDIR");
    return given ? given : ".";
}

/* ---- the mock ---- */

static const char *lacks(void)
{
#ifdef HAVE_KAFKA
    return NULL;
#else
    return "Kafka's driver is not built in; configure it --with-kafka, with the package librdkafka-dev (Debian)";
#endif
}

static bool says(const char *word)
{
    char line[32], last[32] = "";
    FILE *log = fopen(mock.log, "r");
    while (log && fgets(line, sizeof line, log))
        snprintf(last, sizeof last, "%.*s", (int)strcspn(line, "\n"), line);
    if (log)
        fclose(log);
    return strcmp(last, word) == 0;
}

static bool says_up(void *context)
{
    (void)context;
    return says("up");
}

static bool says_away(void *context)
{
    (void)context;
    return says("away");
}

static enum err start_mock(void)
{
    char program[PATH_SIZE], log[PATH_SIZE], texts[BROKERS][16];
    const char *argv[BROKERS + 3] = {program, ANSWER_MS};
    snprintf(program, sizeof program, "%s/check/harness/kafka_mock", folder_of_build());
    snprintf(log, sizeof log, "%s/kafka.log", folder);
    for (int i = 0; i < BROKERS; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", ports[i]);
        argv[2 + i] = texts[i];
    }
    enum err err = process_start(argv, log, SIGKILL, &mock);
    if (!err && !process_until(says_up, NULL, START_MS))
        err = err_because(ERR_DEADLINE, "%s does not come up; its log is %s", program, log);
    return err;
}

/* The mock waits for most of a session when somebody joins or leaves; and for three seconds when the first does, whom a
 * shorter session would not outlast. */
static bool write_properties(void)
{
    snprintf(properties, sizeof properties, "%s/kafka.properties", folder);
    FILE *file = fopen(properties, "w");
    bool done = file && fputs("session.timeout.ms = 4500\nheartbeat.interval.ms = 200\n", file) >= 0;
    if (file)
        done = fclose(file) == 0 && done;
    return done && chmod(properties, 0600) == 0;
}

static enum err start(void)
{
    folder = process_folder();
    if (!folder || !write_properties())
        return err_because(ERR_IO, "no temporary folder can be made");
    for (int i = 0; i < BROKERS; i++)
        ports[i] = process_free_port();
    return start_mock();
}

static void stop(void)
{
    enum err err = process_stop(&mock, SIGTERM, STOP_MS);
    if (err)
        printf("# the mock: %s\n", err_cause());
    if (folder)
        process_remove(folder);
    free(folder);
    folder = NULL;
}

static struct bus_opts opts(const char *world)
{
    static _Thread_local char url[URL_SIZE], prefix[64];
    int length = snprintf(url, sizeof url, "kafka:");
    for (int i = 0; i < BROKERS; i++)
        length += snprintf(url + length, sizeof url - (size_t)length, "%s127.0.0.1:%u", i ? "," : "", ports[i]);
    snprintf(prefix, sizeof prefix, "%s", world);
    return (struct bus_opts){.url = url, .prefix = prefix, .groups = "group, service", .queues = QUEUES,
                             .prefetch = PREFETCH, .publish_timeout_ms = PUBLISH_TIMEOUT_MS,
                             .kafka_properties_file = properties};
}

static enum err end(void)
{
    kill(mock.pid, SIGUSR1);
    return process_until(says_away, NULL, START_MS) ? ERR_NONE : err_because(ERR_DEADLINE, "it does not go away");
}

static void cut_off(void)
{
    kill(mock.pid, SIGUSR1);
    process_until(says_away, NULL, START_MS);
}

static enum err start_again(void)
{
    kill(mock.pid, SIGUSR2);
    return process_until(says_up, NULL, START_MS) ? ERR_NONE : err_because(ERR_DEADLINE, "it does not come back");
}

const struct broker broker_kafka = {
    .name = "Kafka (mock)",
    .abilities = BROKER_BROWSES | BROKER_KEEPS | BROKER_AWAY,
    .lacks = lacks,
    .start = start,
    .stop = stop,
    .opts = opts,
    .end = end,
    .kill = cut_off,
    .start_again = start_again,
};

/* ---- a real one ---- */

static const char *lacks_real(void)
{
    const char *given = getenv("TANDEM_TEST_KAFKA");
    return given && *given ? lacks() : "TANDEM_TEST_KAFKA=host:port names none";
}

static enum err start_real(void)
{
    return ERR_NONE;
}

static void stop_real(void)
{
}

static struct bus_opts opts_real(const char *world)
{
    static _Thread_local char url[URL_SIZE], prefix[64];
    snprintf(url, sizeof url, "kafka:%s", getenv("TANDEM_TEST_KAFKA"));
    snprintf(prefix, sizeof prefix, "%s", world);
    return (struct bus_opts){.url = url, .prefix = prefix, .groups = "group, service", .queues = QUEUES,
                             .prefetch = PREFETCH,
                             .kafka_properties_file = getenv("TANDEM_TEST_KAFKA_PROPERTIES")};
}

const struct broker broker_kafka_real = {
    .name = "Kafka",
    .abilities = BROKER_BROWSES | BROKER_KEEPS,
    .lacks = lacks_real,
    .start = start_real,
    .stop = stop_real,
    .opts = opts_real,
};
