/* The life of a service's process: what it says when it cannot start, how it ends, and what its supervisor hears. */
#include "config.h"

#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"

enum { PATIENCE_MS = 20000, STOP_IDLE_MS = 100, DELAY_MS = 600 };

#ifdef WITH_SANITIZERS
enum { SLOWNESS = 10 };
#else
enum { SLOWNESS = 1 };
#endif

static struct ctl ctl;
static struct process service;
static char address[300], log_path[300];

static void begin(void)
{
    ctl_begin(&ctl);
    snprintf(address, sizeof address, "unix:%s/user.sock", ctl.folder);
    snprintf(log_path, sizeof log_path, "%s/service.log", ctl.folder);
}

static void start(const char *setting)
{
    char program[512];
    const char *const argv[] = {ctl_built("tandem-user", program, sizeof program), "--config", ctl.config,
                                setting ? "--set" : NULL, setting, NULL};
    unlink(log_path);
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, &service), ERR_NONE);
}

static int status_of(const char *path)
{
    struct fcgi_reply reply;
    bool whole = fcgi_client_get(address, path, &reply);
    int status = whole ? reply.status : 0;
    fcgi_reply_fini(&reply);
    return status;
}

static bool is_ready(void *context)
{
    (void)context;
    return status_of("/readyz") == 200;
}

static bool is_unready(void *context)
{
    (void)context;
    return status_of("/readyz") == 503;
}

static bool has_ended(void *status)
{
    return !process_runs(&service, status);
}

static int exit_status(void)
{
    int status = -1;
    CU_ASSERT_TRUE(process_until(has_ended, &status, PATIENCE_MS));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *log_text(void)
{
    static char text[65536];
    FILE *file = fopen(log_path, "re");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    return text;
}

/* ---- starting ---- */

/* One line, which says this, and status 1. */
static void expect_fault(const char *setting, const char *says)
{
    start(setting);
    CU_ASSERT_EQUAL(exit_status(), 1);
    const char *text = log_text(), *newline = strchr(text, '\n');
    CU_ASSERT_PTR_NOT_NULL(strstr(text, says));
    CU_ASSERT(newline && newline[1] == '\0');
    if (!strstr(text, says) || !newline || newline[1])
        printf("# wanted %s, got: %s\n", says, text);
}

static void test_port_taken(void)
{
    char setting[64];
    int on = 1;
    struct sockaddr_in taken = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof taken;
    begin();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    CU_ASSERT_FATAL(bind(fd, (struct sockaddr *)&taken, size) == 0 && listen(fd, 1) == 0);
    getsockname(fd, (struct sockaddr *)&taken, &size);
    snprintf(setting, sizeof setting, "server.listen=127.0.0.1:%u", ntohs(taken.sin_port));
    expect_fault(setting, "already in use");
    close(fd);
    ctl_end(&ctl);
}

static void test_bad_database(void)
{
    char path[300];
    begin();
    expect_fault("db.path=/nowhere/at/all/user.db", "/nowhere/at/all/user.db");
    ctl_file(&ctl, "user.db", "this is no database, and long enough to be told from an empty one", 0600, path,
             sizeof path);
    expect_fault(NULL, "file is not a database");
    ctl_end(&ctl);
}

static void test_bad_migration(void)
{
    begin();
    start(NULL);
    CU_ASSERT_TRUE(process_until(is_ready, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(process_stop(&service, SIGTERM, PATIENCE_MS), ERR_NONE);
    char setting[320];
    const char *const inventory[] = {"tandem-inventory", NULL};
    char program[512];
    ctl_built(inventory[0], program, sizeof program);
    snprintf(setting, sizeof setting, "db.path=%s", ctl.database);
    const char *const argv[] = {program, "--config", ctl.config, "--set", setting, "--set", "server.listen=127.0.0.1:0",
                                NULL};
    unlink(log_path);
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, &service), ERR_NONE);
    CU_ASSERT_EQUAL(exit_status(), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_text(), "which this program does not know"));
    CU_ASSERT_PTR_EQUAL(strchr(log_text(), '\n'), strrchr(log_text(), '\n'));
    ctl_end(&ctl);
}

static void test_bad_settings(void)
{
    begin();
    expect_fault("db.batch_max=none", "db.batch_max");
    expect_fault("bus.url=carrier:pigeon", "carrier:pigeon");
    ctl_end(&ctl);
}

/* ---- ending ---- */

static double stop_ms(void)
{
    int64_t from_ns = clock_now_ns();
    kill(service.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    return (double)(clock_now_ns() - from_ns) / NS_PER_MS;
}

/* The quickest of three, as the machine may be doing something else. */
static void test_idle_stops(void)
{
    double best_ms = 1e9;
    begin();
    for (int i = 0; i < 3 && best_ms >= STOP_IDLE_MS; i++) {
        start(NULL);
        CU_ASSERT_TRUE(process_until(is_ready, NULL, PATIENCE_MS));
        double ms = stop_ms();
        best_ms = ms < best_ms ? ms : best_ms;
    }
    printf("# an idle process stops in %.1f ms\n", best_ms);
    CU_ASSERT(best_ms < STOP_IDLE_MS * SLOWNESS);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_text(), "\"stopped\""));
    ctl_end(&ctl);
}

static void test_delay(void)
{
    begin();
    start("server.drain_delay_ms=600");
    CU_ASSERT_TRUE(process_until(is_ready, NULL, PATIENCE_MS));
    int64_t from_ns = clock_now_ns();
    kill(service.pid, SIGTERM);
    CU_ASSERT_TRUE(process_until(is_unready, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(status_of("/ping"), 200);
    CU_ASSERT_EQUAL(exit_status(), 0);
    int64_t took_ns = clock_now_ns() - from_ns;
    CU_ASSERT(took_ns >= DELAY_MS * NS_PER_MS);
    CU_ASSERT(took_ns < (DELAY_MS + 10 * STOP_IDLE_MS * SLOWNESS) * NS_PER_MS);
    ctl_end(&ctl);
}

static void test_second_hurries(void)
{
    begin();
    start("server.drain_delay_ms=3600000");
    CU_ASSERT_TRUE(process_until(is_ready, NULL, PATIENCE_MS));
    kill(service.pid, SIGTERM);
    CU_ASSERT_TRUE(process_until(is_unready, NULL, PATIENCE_MS));
    kill(service.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    ctl_end(&ctl);
}

/* A request that is coming in is waited for, up to drain_timeout_ms. */
static void test_drain_timeout(void)
{
    struct fcgi_client half;
    struct buf bytes;
    begin();
    start("server.drain_timeout_ms=300");
    CU_ASSERT_TRUE(process_until(is_ready, NULL, PATIENCE_MS));
    CU_ASSERT_TRUE(fcgi_client_open(&half, address));
    buf_init(&bytes, 1024);
    fcgi_put_begin(&bytes, 1, 1, true);
    CU_ASSERT_TRUE(fcgi_client_send(&half, buf_text(&bytes), FCGI_CLIENT_WHOLE));
    CU_ASSERT_EQUAL(status_of("/ping"), 200);
    double ms = stop_ms();
    CU_ASSERT(ms >= 300 && ms < PATIENCE_MS / 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_text(), "connections were cut off"));
    fcgi_client_close(&half);
    buf_fini(&bytes);
    ctl_end(&ctl);
}

/* ---- telling the supervisor ---- */

static int notify_socket(const char *name)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(where.sun_path, name, length);
    if (*name == '@')
        where.sun_path[0] = '\0';
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&where,
                               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name == '/'))), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect_told(int fd, const char *wanted)
{
    char message[64] = "";
    ssize_t length = recv(fd, message, sizeof message - 1, 0);
    CU_ASSERT(length > 0);
    CU_ASSERT_STRING_EQUAL(message, wanted);
}

static void check_notify(const char *name)
{
    int fd = notify_socket(name);
    start(NULL);
    expect_told(fd, "READY=1");
    CU_ASSERT_EQUAL(status_of("/ping"), 200);
    kill(service.pid, SIGTERM);
    expect_told(fd, "STOPPING=1");
    CU_ASSERT_EQUAL(exit_status(), 0);
    close(fd);
    unsetenv("NOTIFY_SOCKET");
}

static void test_notify(void)
{
    char name[128];
    begin();
    snprintf(name, sizeof name, "%s/notify", ctl.folder);
    check_notify(name);
    snprintf(name, sizeof name, "@tandem-check-%ld", (long)getpid());
    check_notify(name);
    ctl_end(&ctl);
}

static void test_nobody_told(void)
{
    begin();
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    start(NULL);
    unsetenv("NOTIFY_SOCKET");
    CU_ASSERT_TRUE(process_until(is_ready, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(process_stop(&service, SIGTERM, PATIENCE_MS), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_text(), "the supervisor cannot be told"));
    ctl_end(&ctl);
}

static const struct suite_case cases[] = {
    {"a port that is taken is one line and status 1", test_port_taken},
    {"a database that cannot be opened is one line and status 1", test_bad_database},
    {"a database of something else is one line and status 1", test_bad_migration},
    {"settings that make no sense are one line and status 1", test_bad_settings},
    {"an idle process stops at once", test_idle_stops},
    {"before it ends it says that it is not ready, and still answers", test_delay},
    {"a second SIGTERM hurries", test_second_hurries},
    {"a peer that stays is cut off in the end", test_drain_timeout},
    {"the supervisor hears when it is ready and when it stops", test_notify},
    {"a supervisor that does not listen is no reason to fail", test_nobody_told},
};

int main(void)
{
    return suite_main("life", cases, sizeof cases / sizeof cases[0]);
}
