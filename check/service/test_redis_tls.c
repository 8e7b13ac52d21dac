/* Links to real servers over TLS: whom they trust, whom they refuse and why, and how long they wait. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/redis_link.h"
#include "cache/redis_node.h"
#include "cache/remote.h"
#include "check/harness/authority.h"
#include "check/harness/redis.h"
#include "check/harness/suite.h"

enum { TIMEOUT_MS = 10000, SHORT_MS = 100, WAIT_MS = 1000, SLACK_MS = 60 };

static char *folder;
static struct authority ours, theirs;
static struct certificate good, other_name, expired, foreign;
static struct redis_server server;

static void start(struct redis_server *ret, const struct certificate *certificate, bool wants_certificate)
{
    ret->authority = &ours;
    ret->certificate = certificate;
    ret->wants_certificate = wants_certificate;
    CU_ASSERT_EQUAL_FATAL(redis_start(ret, folder, false), ERR_NONE);
}

static const struct redis_tls_opts trusting = {.ca_file = ours.certificate, .certificate_file = "", .key_file = ""};

/* Whether PING is answered. ERR_NONE, or what went wrong, with its cause. */
static enum err ping_within(unsigned timeout_ms, const char *host, unsigned port, const struct redis_tls_opts *tls)
{
    struct redis_address address = {.port = port};
    struct redis_command command = {.count = 0};
    struct redis_link *link;
    redisReply *reply;
    int64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    snprintf(address.host, sizeof address.host, "%s", host);
    enum err err = redis_link_open(&address, tls, deadline_ns, &link);
    if (err)
        return err;
    redis_word(&command, TEXT("PING"));
    redis_link_add(link, &command);
    err = redis_link_send(link, deadline_ns);
    if (!err)
        err = redis_link_read(link, deadline_ns, &reply);
    if (!err) {
        CU_ASSERT(text_equal_string(redis_text(reply), "PONG"));
        freeReplyObject(reply);
    }
    redis_link_close(link);
    return err;
}

static enum err ping(const char *host, unsigned port, const struct redis_tls_opts *tls)
{
    return ping_within(TIMEOUT_MS, host, port, tls);
}

static bool is_refused(const char *host, unsigned port, const struct redis_tls_opts *tls, const char *because)
{
    enum err err = ping(host, port, tls);
    bool is_told = strstr(err_cause(), because) != NULL;
    printf("# %s: %s\n", err_name(err), err ? err_cause() : "");
    return (err == ERR_UNAVAILABLE || err == ERR_CLOSED) && is_told;
}

static void test_trusted(void)
{
    CU_ASSERT_EQUAL(ping("127.0.0.1", server.tls_port, &trusting), ERR_NONE);
    CU_ASSERT_EQUAL(ping("localhost", server.tls_port, &trusting), ERR_NONE);
}

static void test_untrusted(void)
{
    const struct redis_tls_opts other = {.ca_file = theirs.certificate, .certificate_file = "", .key_file = ""};
    const struct redis_tls_opts system = {.ca_file = "", .certificate_file = "", .key_file = ""};
    CU_ASSERT(is_refused("127.0.0.1", server.tls_port, &other, "the server's certificate is refused"));
    CU_ASSERT(is_refused("127.0.0.1", server.tls_port, &system, "the server's certificate is refused"));
}

static void test_other_name(void)
{
    struct redis_server one = {.port = 0};
    start(&one, &other_name, false);
    CU_ASSERT(is_refused("127.0.0.1", one.tls_port, &trusting, "IP address mismatch"));
    CU_ASSERT(is_refused("localhost", one.tls_port, &trusting, "ostname mismatch"));
    redis_kill(&one);
}

static void test_expired(void)
{
    struct redis_server one = {.port = 0};
    start(&one, &expired, false);
    CU_ASSERT(is_refused("127.0.0.1", one.tls_port, &trusting, "certificate has expired"));
    redis_kill(&one);
}

/* Redis answers a handshake that happens to have the end of a line in it, closes the link when it is of some kinds, and
 * waits else. */
static void test_no_tls(void)
{
    enum err err = ping_within(WAIT_MS, "127.0.0.1", server.port, &trusting);
    printf("# %s: %s\n", err_name(err), err_cause());
    CU_ASSERT(err == ERR_UNAVAILABLE || err == ERR_CLOSED || err == ERR_DEADLINE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "not speak TLS"));
}

static void test_without_tls(void)
{
    CU_ASSERT_NOT_EQUAL(ping("127.0.0.1", server.tls_port, NULL), ERR_NONE);
}

static void test_client_certificate(void)
{
    struct redis_server one = {.port = 0};
    const struct redis_tls_opts known = {ours.certificate, good.file, good.key};
    const struct redis_tls_opts unknown = {ours.certificate, foreign.file, foreign.key};
    start(&one, &good, true);
    CU_ASSERT(is_refused("127.0.0.1", one.tls_port, &trusting, "certificate"));
    CU_ASSERT(is_refused("127.0.0.1", one.tls_port, &unknown, ""));
    CU_ASSERT_EQUAL(ping("127.0.0.1", one.tls_port, &known), ERR_NONE);
    redis_kill(&one);
}

/* ---- a node ---- */

static struct redis_node *node_at(unsigned port, const struct redis_node_opts *opts)
{
    struct redis_address address = {.port = port, .host = "127.0.0.1"};
    struct redis_node *node;
    CU_ASSERT_EQUAL_FATAL(redis_node_new(&address, opts, &node), ERR_NONE);
    return node;
}

static enum err run(struct redis_node *node)
{
    struct redis_command command = {.count = 0};
    redisReply *reply;
    redis_word(&command, TEXT("TIME"));
    enum err err = redis_node_run(node, false, &command, 1, &reply);
    if (!err)
        freeReplyObject(reply);
    return err;
}

static void test_back(void)
{
    const struct redis_node_opts opts = {.user = "", .password_file = "", .tls = &trusting, .timeout_ms = TIMEOUT_MS,
                                         .connections_max = 1};
    struct redis_node *node = node_at(server.tls_port, &opts);
    CU_ASSERT_EQUAL(run(node), ERR_NONE);
    redis_kill(&server);
    CU_ASSERT_EQUAL(run(node), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL_FATAL(redis_start(&server, folder, false), ERR_NONE);
    CU_ASSERT_EQUAL(run(node), ERR_NONE);
    redis_kill(&server);
    CU_ASSERT_EQUAL_FATAL(redis_start(&server, folder, false), ERR_NONE);
    CU_ASSERT_EQUAL(run(node), ERR_NONE);   /* the link that was kept is dead, and replaced */
    redis_node_free(node);
}

/* Connections are taken by the kernel, and nobody says a word. */
static unsigned listen_silently(int *ret_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_FATAL(*ret_fd >= 0 && bind(*ret_fd, (struct sockaddr *)&address, size) == 0 && listen(*ret_fd, 64) == 0 &&
                    getsockname(*ret_fd, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

static struct redis_node *silent_node;

static int64_t take_silence(void)
{
    int64_t began_ns = clock_now_ns();
    CU_ASSERT_EQUAL(run(silent_node), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "handshake"));
    return clock_now_ns() - began_ns;
}

static void test_stalls(void)
{
    const struct redis_node_opts opts = {.user = "", .password_file = "", .tls = &trusting, .timeout_ms = SHORT_MS,
                                         .connections_max = 1};
    int fd;
    silent_node = node_at(listen_silently(&fd), &opts);
    CU_ASSERT(suite_is_prompt(take_silence, SHORT_MS + SLACK_MS));
    redis_node_free(silent_node);
    close(fd);
}

/* ---- files ---- */

static bool is_config_error(const char *ca, const char *certificate, const char *key, const char *names)
{
    struct cache_remote *remote;
    const struct cache_remote_opts opts = {.url = "rediss://127.0.0.1", .user = "", .password_file = "", .ca_file = ca,
                                           .certificate_file = certificate, .key_file = key, .timeout_ms = SHORT_MS,
                                           .connections_max = 1, .claim_ms = 10, .queue_max = 1};
    enum err err = cache_remote_open(&opts, &remote);
    if (!err)
        cache_remote_close(remote);
    return err == ERR_CONFIG && strstr(err_cause(), names);
}

static void test_files(void)
{
    CU_ASSERT(is_config_error("/nonexistent", "", "", "cache.redis_ca_file"));
    CU_ASSERT(is_config_error(good.key, "", "", "cache.redis_ca_file"));
    CU_ASSERT(is_config_error(ours.certificate, "/nonexistent", good.key, "cache.redis_certificate_file"));
    CU_ASSERT(is_config_error(ours.certificate, good.file, "/nonexistent", "cache.redis_key_file"));
    CU_ASSERT(is_config_error(ours.certificate, good.file, foreign.key, "cache.redis_key_file"));
    CU_ASSERT(is_config_error(ours.certificate, good.file, "", "one is not set"));
    CU_ASSERT_EQUAL(chmod(foreign.key, 0644), 0);
    CU_ASSERT(is_config_error(ours.certificate, foreign.file, foreign.key, "cache.redis_key_file"));
    CU_ASSERT_EQUAL(chmod(foreign.key, 0600), 0);
}

static const struct suite_case cases[] = {
    {"a server whose certificate is for it is spoken to, by address and by name", test_trusted},
    {"one whose certificate somebody else has signed is refused", test_untrusted},
    {"one whose certificate is for another is refused", test_other_name},
    {"one whose certificate has expired is refused", test_expired},
    {"one that speaks no TLS is not spoken to without", test_no_tls},
    {"one that speaks TLS is not spoken to without", test_without_tls},
    {"one that wants a certificate is shown it", test_client_certificate},
    {"one that was killed is spoken to again when it is back", test_back},
    {"one that stalls in the handshake holds nobody longer than the time allowed", test_stalls},
    {"files that are not what they should be are told at the start", test_files},
};

static void test_missing(void)
{
    suite_skip(redis_lacks() ? redis_lacks() : authority_lacks());
}

static enum err prepare(void)
{
    enum err err = authority_make(folder, "ours", &ours);
    if (!err)
        err = authority_make(folder, "theirs", &theirs);
    if (!err)
        err = authority_sign(&ours, "good", "IP:127.0.0.1,DNS:localhost", 2, &good);
    if (!err)
        err = authority_sign(&ours, "other", "IP:127.0.0.2,DNS:elsewhere", 2, &other_name);
    if (!err)
        err = authority_sign(&ours, "expired", "IP:127.0.0.1,DNS:localhost", -1, &expired);
    if (!err)
        err = authority_sign(&theirs, "foreign", "IP:127.0.0.1", 2, &foreign);
    server.authority = &ours;
    server.certificate = &good;
    return err ? err : redis_start(&server, folder, false);
}

int main(void)
{
    static const struct suite_case missing = {"there is a Redis, and openssl", test_missing};
    if (redis_lacks() || authority_lacks())
        return suite_main("redis_tls", &missing, 1);
    signal(SIGPIPE, SIG_IGN);   /* as in a service */
    folder = process_folder();
    if (!folder || prepare()) {
        printf("Bail out! %s\n", err_cause());
        return EXIT_FAILURE;
    }
    int status = suite_main("redis_tls", cases, sizeof cases / sizeof cases[0]);
    redis_kill(&server);
    free(folder);
    return status;
}
