/*
 * A Kafka to test against: librdkafka's mock cluster, in a process of its own.
 *
 *     kafka_mock ANSWER_MS PORT...     a broker for each port of 127.0.0.1
 *
 * Says "up" when it can be used. SIGUSR1 cuts all brokers off, their connections with them, until SIGUSR2; it says
 * "away" and "up" then. What they hold stays, but for what is older than the newest 5 MB of a partition: ANSWER_MS is
 * what each answer takes, so that nobody fills it faster than others read. SIGTERM ends it; its log is in memory only.
 */
#include "config.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_PORT = 2, BROKERS_MAX = 8, REASON_SIZE = 256 };

static long ports[BROKERS_MAX], answer_ms;
static int broker_count, next_port;

/* The mock's brokers take whatever port is free, and there is no telling them which; but one that is started again has
 * to be where it was. So this stands before the C library's function: what asks for any port gets the next of ours. */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_in named;
    if (length >= (socklen_t)sizeof named && address->sa_family == AF_INET) {
        int one = 1;
        memcpy(&named, address, sizeof named);
        if (named.sin_port == 0 && next_port < broker_count) {
            named.sin_port = htons((uint16_t)ports[next_port++]);
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        }
        return (int)syscall(SYS_bind, fd, &named, sizeof named);
    }
    return (int)syscall(SYS_bind, fd, address, length);
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void set_all(rd_kafka_mock_cluster_t *cluster, bool is_up)
{
    for (int32_t id = 1; id <= broker_count; id++) {
        if (is_up)
            rd_kafka_mock_broker_set_up(cluster, id);
        else
            rd_kafka_mock_broker_set_down(cluster, id);
    }
    say(is_up ? "up" : "away");
}

static void ignore_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static void serve(rd_kafka_mock_cluster_t *cluster, const sigset_t *signals)
{
    int signal;
    for (int32_t id = 1; id <= broker_count; id++)
        rd_kafka_mock_broker_set_rtt(cluster, id, (int)answer_ms);
    say("up");
    while (sigwait(signals, &signal) == 0 && signal != SIGTERM)
        set_all(cluster, signal == SIGUSR2);
}

int main(int argc, char **argv)
{
    char reason[REASON_SIZE];
    sigset_t signals;
    if (argc <= FIRST_PORT || argc - FIRST_PORT > BROKERS_MAX) {
        fprintf(stderr, "usage: kafka_mock ANSWER_MS PORT...\n");
        return EXIT_FAILURE;
    }
    answer_ms = strtol(argv[1], NULL, 10);
    for (broker_count = 0; broker_count < argc - FIRST_PORT; broker_count++)
        ports[broker_count] = strtol(argv[FIRST_PORT + broker_count], NULL, 10);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    rd_kafka_mock_cluster_t *cluster = handle ? rd_kafka_mock_cluster_new(handle, broker_count) : NULL;
    if (!cluster) {
        fprintf(stderr, "no mock cluster can be made\n");
        return EXIT_FAILURE;
    }
    serve(cluster, &signals);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return EXIT_SUCCESS;
}
