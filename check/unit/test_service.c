/* A service's program by itself: its command line, what keeps it from starting, its end. */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"

enum { SAID_MAX = 64 * 1024, ARGUMENTS_MAX = 200, PATIENCE_MS = 60000 };

static char *folder;
static char program[512], config[256], log_path[256], address[256];
static char said[SAID_MAX];   /* by the program, on either stream */

static void begin(void)
{
    const char *build = getenv("TANDEM_BUILDDIR");
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(program, sizeof program, "%s/tandem-user", build ? build : ".");
    snprintf(config, sizeof config, "%s/tandem.conf", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    snprintf(address, sizeof address, "unix:%s/user.sock", folder);
    FILE *file = fopen(config, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "server = { listen = \"%s\"; };\ndb = { path = \"%s/user.db\"; };\n", address, folder);
    fprintf(file, "bus = { url = \"embedded:%s/bus.db\"; };\n", folder);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void end(void)
{
    process_remove(folder);
    free(folder);
}

/* Starts it, with the settings of begin() and arguments up to a NULL. */
static void start(const char *const *arguments, struct process *ret)
{
    const char *argv[ARGUMENTS_MAX] = {program, "--config", config};
    size_t count = 3;
    for (; *arguments; arguments++)
        argv[count++] = *arguments;
    unlink(log_path);
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, ret), ERR_NONE);
}

struct ending {
    struct process process;
    int status;
};

static bool has_ended(void *context)
{
    struct ending *ending = context;
    return !process_runs(&ending->process, &ending->status);
}

static void read_said(void)
{
    FILE *file = fopen(log_path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
}

/* Runs it to its end by itself; the exit status, -1 when there is none. */
static int run(const char *const *arguments)
{
    struct ending ending = {.status = -1};
    start(arguments, &ending.process);
    bool ended = process_until(has_ended, &ending, PATIENCE_MS);
    process_kill(&ending.process);
    read_said();
    return ended && WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : -1;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})
#define SAYS(what) CU_ASSERT_PTR_NOT_NULL(strstr(said, what))

/* ---- the command line ---- */

static void test_help(void)
{
    begin();
    CU_ASSERT_EQUAL(RUN("--help"), 0);
    SAYS("Usage: tandem-user ");
    SAYS("--print-config");
    CU_ASSERT_EQUAL(RUN("--version"), 0);
    CU_ASSERT_STRING_EQUAL(said, "tandem-user " PACKAGE_VERSION "\n");
    end();
}

static void test_wrong_arguments(void)
{
    enum { TOO_MANY = 65 };
    const char *settings[2 * TOO_MANY + 1] = {NULL};
    begin();
    CU_ASSERT_EQUAL(RUN("--conjure"), 2);
    SAYS("--help");
    CU_ASSERT_EQUAL(RUN("fast"), 2);
    SAYS("unexpected argument fast");
    for (int i = 0; i < 2 * TOO_MANY; i += 2) {
        settings[i] = "--set";
        settings[i + 1] = "log.level=info";
    }
    CU_ASSERT_EQUAL(run(settings), 2);
    SAYS("at the most");
    end();
}

static void test_check_config(void)
{
    begin();
    CU_ASSERT_EQUAL(RUN("--check-config"), 0);
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_EQUAL(RUN("--check-config", "--set", "pool.threads=none", "--set", "server.transport=pigeon"), 1);
    SAYS("pool.threads");
    SAYS("server.transport");
    CU_ASSERT_EQUAL(RUN("--config", "/nonexistent/tandem.conf"), 1);
    SAYS("/nonexistent/tandem.conf");
    end();
}

/* What this build has not is told before it is needed. */
static void test_check_build(void)
{
#if HAVE_REDIS && HAVE_OPENSSL
    const char *const lacks = "";
#elif HAVE_REDIS
    const char *const lacks = "--with-openssl";
#else
    const char *const lacks = "--with-redis";
#endif
    begin();
    CU_ASSERT_EQUAL(RUN("--check-config", "--set", "cache.driver=redis", "--set", "cache.redis_url=rediss://localhost"),
                    *lacks ? 1 : 0);
    SAYS(lacks);
    CU_ASSERT_EQUAL(RUN("--check-config", "--set", "cache.driver=redis", "--set", "cache.redis_url=pigeon:"), 1);
    end();
}

static void test_print_config(void)
{
    begin();
    CU_ASSERT_EQUAL(RUN("--print-config", "--set", "pool.threads=7"), 0);
    SAYS("threads = 7");
    SAYS("user.db");
    SAYS("requests_max = 4096");
    end();
}

/* ---- start and end ---- */

/* What has started by then is stopped again: no socket stays, and under a sanitizer no memory. */
static void test_cannot_start(void)
{
    static const struct {
        const char *setting, *part;
    } rows[] = {
        {"server.listen=", "\"part\":\"listener\""},
        {"server.listen=unix:/nonexistent/user.sock", "\"part\":\"listener\""},
        {"db.path=/nonexistent/user.db", "\"part\":\"database\""},
        {"bus.url=embedded:/nonexistent/bus.db", "\"part\":\"bus\""},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(RUN("--set", rows[i].setting), 1);
        SAYS("\"msg\":\"cannot start\"");
        SAYS(rows[i].part);
        SAYS("\"cause\":");
        CU_ASSERT(access(address + strlen("unix:"), F_OK) != 0);
    }
    end();
}

static bool answers(void *context)
{
    struct fcgi_reply reply;
    (void)context;
    bool answered = fcgi_client_get(address, "/ping", &reply) && reply.status == 200;
    fcgi_reply_fini(&reply);
    return answered;
}

static void ends_by(int signal, const char *transport)
{
    char setting[64];
    struct process process;
    begin();
    snprintf(setting, sizeof setting, "server.transport=%s", transport);
    start((const char *const[]){"--set", setting, NULL}, &process);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(process_stop(&process, signal, PATIENCE_MS), ERR_NONE);
    read_said();
    SAYS("\"msg\":\"stopped\"");
    CU_ASSERT(access(address + strlen("unix:"), F_OK) != 0);
    end();
}

/* ---- the log ---- */

static void test_log_cannot_open(void)
{
    static const struct {
        const char *sink, *where, *cause;
    } rows[] = {
        {"log.sink=file", "log.file=/nonexistent/log", "/nonexistent/log: No such file or directory"},
        {"log.sink=syslog", "log.syslog_socket=/nonexistent/log", "/nonexistent/log: No such file or directory"},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(RUN("--set", rows[i].sink, "--set", rows[i].where), 1);
        SAYS("tandem-user: the log cannot be opened: ");
        SAYS(rows[i].cause);
    }
    CU_ASSERT_EQUAL(RUN("--check-config", "--set", "log.level_net=loud"), 1);
    SAYS("log.level_net");
    end();
}

static void test_log_settings(void)
{
    char file[320];
    struct process process;
    begin();
    snprintf(file, sizeof file, "log.file=%s/own.log", folder);
    start((const char *const[]){"--set", "log.sink=file", "--set", file, "--set", "log.level=error", "--set",
                                "log.level_net=info", NULL}, &process);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(process_stop(&process, SIGTERM, PATIENCE_MS), ERR_NONE);
    read_said();
    CU_ASSERT_STRING_EQUAL(said, "");
    snprintf(log_path, sizeof log_path, "%s/own.log", folder);
    read_said();
    SAYS("\"msg\":\"request\"");
    CU_ASSERT_PTR_NULL(strstr(said, "\"msg\":\"started\""));
    end();
}

static void test_ends(void)
{
    ends_by(SIGTERM, "native");
    ends_by(SIGINT, "native");
    ends_by(SIGTERM, "libfcgi");
}

static void test_signals(void)
{
    static const int harmless[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};
    struct process process;
    begin();
    start((const char *const[]){NULL}, &process);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        kill(process.pid, harmless[i]);
        CU_ASSERT(answers(NULL));
    }
    CU_ASSERT_EQUAL(process_stop(&process, SIGTERM, PATIENCE_MS), ERR_NONE);
    end();
}

/* A limit on the size of files is met like a full disk, and not with the end by a signal. */
static void test_file_size(void)
{
#ifdef __SANITIZE_THREAD__
    suite_skip("the thread sanitizer's own files are larger than the limit");
    return;
#endif
    struct ending ending = {.status = -1};
    begin();
    const char *const argv[] = {"sh", "-c", "ulimit -f 4; exec \"$@\"", "sh", program, "--config", config, NULL};
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, &ending.process), ERR_NONE);
    CU_ASSERT(process_until(has_ended, &ending, PATIENCE_MS));
    process_kill(&ending.process);
    CU_ASSERT(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 1);
    read_said();
    SAYS("ERR_STORAGE_FULL");
    end();
}

static void test_closed_descriptors(void)
{
    struct process process;
    begin();
    const char *const argv[] = {"sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh", program, "--config", config, NULL};
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, &process), ERR_NONE);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    for (int fd = 0; fd <= 2; fd++) {
        char path[64], is[64] = "";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)process.pid, fd);
        CU_ASSERT(readlink(path, is, sizeof is - 1) > 0);
        CU_ASSERT_STRING_EQUAL(is, "/dev/null");
    }
    CU_ASSERT_EQUAL(process_stop(&process, SIGTERM, PATIENCE_MS), ERR_NONE);
    end();
}

/* Half a second or more of hashing, on a worker. */
#define SLOW "--set", "password.passes=100", "--set", "password.memory_kib=8192"

/* Sends a registration, and does not wait for the answer. */
static void register_begin(struct fcgi_client *client)
{
    static unsigned count;
    char body[128], key[32];
    const struct fcgi_client_param params[] = {
        {"CONTENT_TYPE", "application/json"}, {"HTTP_IDEMPOTENCY_KEY", key}, {NULL, NULL}};
    struct buf request;
    snprintf(body, sizeof body, "{\"email\":\"slow-%u@example.org\",\"name\":\"Slow\",\"password\":\"%s\"}", ++count,
             "correct horse battery");
    snprintf(key, sizeof key, "slow-%u", count);
    CU_ASSERT_FATAL(fcgi_client_open(client, address));
    buf_init(&request, sizeof body + 4096);
    fcgi_put_request(&request, 1, false, "POST", "/v1/users", params, text_of(body));
    CU_ASSERT(fcgi_client_send(client, buf_text(&request), FCGI_CLIENT_WHOLE));
    buf_fini(&request);
}

/* The status of its answer. */
static int register_end(struct fcgi_client *client)
{
    struct fcgi_reply reply;
    CU_ASSERT(fcgi_client_reply(client, 1, &reply));
    int status = reply.status;
    fcgi_reply_fini(&reply);
    fcgi_client_close(client);
    return status;
}

static bool has(const struct fcgi_reply *reply, const char *what)
{
    return reply->body.at && memmem(reply->body.at, reply->body.length, what, strlen(what));
}

/* Whether it says so while the registration is under way. */
static bool says_overloaded(const struct fcgi_client *registration)
{
    struct pollfd answered = {.fd = registration->fd, .events = POLLIN};
    bool refused = false;
    while (!refused && poll(&answered, 1, 0) == 0) {
        struct fcgi_reply reply;
        refused = fcgi_client_get(address, "/ping", &reply) && reply.status == 503;
        if (refused) {
            CU_ASSERT(has(&reply, "/problems/overloaded"));
            CU_ASSERT(fcgi_reply_header(&reply, "Retry-After").length > 0);
        }
        fcgi_reply_fini(&reply);
    }
    return refused;
}

/* When a ping is quicker it is the registration that is refused. */
static void test_overload(void)
{
    struct process process;
    struct fcgi_client client;
    bool refused = false;
    begin();
    start((const char *const[]){"--set", "server.requests_max=1", SLOW, NULL}, &process);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    for (int i = 0; i < 20 && !refused; i++) {
        register_begin(&client);
        refused = says_overloaded(&client);
        int status = register_end(&client);
        CU_ASSERT(status == 201 || status == 503);
    }
    CU_ASSERT(refused);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(process_stop(&process, SIGTERM, PATIENCE_MS), ERR_NONE);
    end();
}

struct work {
    clockid_t clock;      /* the processor time of the service */
    int64_t idle_ns;      /* what it was before there was work */
};

static int64_t cpu_ns(clockid_t clock)
{
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* Nothing but a password takes as long. */
static bool is_hashing(void *context)
{
    const struct work *work = context;
    return cpu_ns(work->clock) - work->idle_ns > 100 * NS_PER_MS;
}

static void ends_after_answer(const char *transport)
{
    struct process process;
    struct fcgi_client client;
    struct work work;
    begin();
    start((const char *const[]){"--set", transport, SLOW, NULL}, &process);
    CU_ASSERT(process_until(answers, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL_FATAL(clock_getcpuclockid(process.pid, &work.clock), 0);
    work.idle_ns = cpu_ns(work.clock);
    register_begin(&client);
    CU_ASSERT(process_until(is_hashing, &work, PATIENCE_MS));
    kill(process.pid, SIGTERM);
    CU_ASSERT_EQUAL(register_end(&client), 201);
    CU_ASSERT_EQUAL(process_stop(&process, 0, PATIENCE_MS), ERR_NONE);
    end();
}

static void test_drain(void)
{
    ends_after_answer("server.transport=native");
    ends_after_answer("server.transport=libfcgi");
}

static const struct suite_case cases[] = {
    {"a log that cannot be had keeps it from starting", test_log_cannot_open},
    {"the log goes where the settings say, with each module's level", test_log_settings},
    {"help and version are given", test_help},
    {"a wrong command line is refused with status 2", test_wrong_arguments},
    {"a check of the settings says everything that is wrong", test_check_config},
    {"--check-config tells what this build has not", test_check_build},
    {"settings are printed as they are", test_print_config},
    {"what keeps it from starting is said, and nothing is left", test_cannot_start},
    {"it serves on a socket of its own, and ends with status 0 when told", test_ends},
    {"signals that mean nothing here do nothing", test_signals},
    {"a limit on the size of files is told, and does not kill", test_file_size},
    {"nothing takes the place of a standard descriptor that is closed", test_closed_descriptors},
    {"requests beyond those that may be under way are refused, and told when to try again", test_overload},
    {"a request that is under way is answered before the end", test_drain},
};

int main(void)
{
    return suite_main("service", cases, sizeof cases / sizeof cases[0]);
}
