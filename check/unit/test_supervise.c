/* tandemctl supervise: workers behind one socket that are kept, replaced and ended. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"

enum { PATIENCE_MS = 20000, WORKERS_MAX = 8 };

static struct ctl ctl;
static struct process supervisor;
static char address[300], log_path[300];

static void begin(void)
{
    ctl_begin(&ctl);
    snprintf(address, sizeof address, "unix:%s/user.sock", ctl.folder);
    snprintf(log_path, sizeof log_path, "%s/supervise.log", ctl.folder);
}

/* With up to eight further arguments before the program. */
static void supervise(const char *const *arguments, const char *const *program)
{
    char ctl_path[512];
    const char *argv[32] = {ctl_built("tandemctl", ctl_path, sizeof ctl_path), "supervise", "--listen", address};
    size_t count = 4;
    for (; arguments && *arguments; arguments++)
        argv[count++] = *arguments;
    argv[count++] = "--";
    for (; *program; program++)
        argv[count++] = *program;
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGTERM, &supervisor), ERR_NONE);
}

static void supervise_service(const char *workers)
{
    char program[512];
    const char *const arguments[] = {"--workers", workers, NULL};
    ctl_built("tandem-user", program, sizeof program);
    supervise(arguments, (const char *const[]){program, "--config", ctl.config, NULL});
}

static size_t children(pid_t *ret_pids)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)supervisor.pid, (long)supervisor.pid);
    FILE *file = fopen(path, "re");
    size_t count = 0;
    if (!file)
        return 0;
    if (fgets(line, sizeof line, file)) {
        char *rest = line;
        for (long pid; count < WORKERS_MAX && (pid = strtol(rest, &rest, 10)) > 0;)
            ret_pids[count++] = (pid_t)pid;
    }
    fclose(file);
    return count;
}

static unsigned said(const char *words)
{
    static char text[1024 * 1024];
    unsigned times = 0;
    FILE *file = fopen(log_path, "re");
    if (!file)
        return 0;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
        times++;
    return times;
}

struct saying {
    const char *words;
    unsigned times;
};

static bool has_said(void *context)
{
    const struct saying *saying = context;
    return said(saying->words) >= saying->times;
}

static void expect_said(const char *words, unsigned times)
{
    struct saying saying = {words, times};
    CU_ASSERT_TRUE(process_until(has_said, &saying, PATIENCE_MS));
}

static bool answers(void)
{
    struct fcgi_reply reply;
    bool whole = fcgi_client_get(address, "/ping", &reply);
    int status = whole ? reply.status : 0;
    fcgi_reply_fini(&reply);
    return status == 200;
}

static bool has_ended(void *status)
{
    return !process_runs(&supervisor, status);
}

static int exit_status(void)
{
    int status = -1;
    CU_ASSERT_TRUE(process_until(has_ended, &status, PATIENCE_MS));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- a service ---- */

static void test_keeps_and_ends(void)
{
    pid_t pids[WORKERS_MAX];
    char path[300];
    begin();
    supervise_service("3");
    expect_said("\"started\"", 3);
    CU_ASSERT_EQUAL(children(pids), 3);
    CU_ASSERT_TRUE(answers());
    kill(supervisor.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    CU_ASSERT_EQUAL(said("\"stopped\""), 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT(kill(pids[i], 0) < 0);
    snprintf(path, sizeof path, "%s/user.sock", ctl.folder);
    CU_ASSERT(access(path, F_OK) < 0);   /* goes with who made it */
    ctl_end(&ctl);
}

static void test_interrupt(void)
{
    begin();
    supervise_service("1");
    expect_said("\"started\"", 1);
    kill(supervisor.pid, SIGINT);
    CU_ASSERT_EQUAL(exit_status(), 0);
    ctl_end(&ctl);
}

static void test_crash(void)
{
    pid_t pids[WORKERS_MAX];
    begin();
    supervise_service("1");
    expect_said("\"started\"", 1);
    for (unsigned round = 1; round <= 3; round++) {
        CU_ASSERT_EQUAL_FATAL(children(pids), 1);
        kill(pids[0], SIGKILL);
        CU_ASSERT_TRUE(answers());       /* waits in the backlog until the next one is there */
        expect_said("\"started\"", 1 + round);
    }
    CU_ASSERT_EQUAL(said("ended with signal 9"), 3);
    CU_ASSERT_EQUAL(said("is started again in"), 3);
    kill(supervisor.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    ctl_end(&ctl);
}

static bool are_others(void *context)
{
    const pid_t *before = context;
    pid_t now[WORKERS_MAX];
    return children(now) == 2 && now[0] != before[0] && now[0] != before[1] && now[1] != before[0] &&
           now[1] != before[1];
}

/* A connection of its own each time. */
static bool is_answered_and_replaced(void *context)
{
    CU_ASSERT_TRUE(answers());
    return said("all workers are replaced") > 0 && are_others(context);
}

static void test_replace(void)
{
    pid_t before[WORKERS_MAX];
    begin();
    supervise_service("2");
    expect_said("\"started\"", 2);
    CU_ASSERT_EQUAL(children(before), 2);
    kill(supervisor.pid, SIGHUP);
    CU_ASSERT_TRUE(process_until(is_answered_and_replaced, before, PATIENCE_MS));
    CU_ASSERT_EQUAL(said("\"stopped\""), 2);
    CU_ASSERT_EQUAL(said("ended with"), 0);
    kill(supervisor.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    ctl_end(&ctl);
}

/* A new one that cannot start: the old ones stay. */
static void test_replace_fails(void)
{
    pid_t before[WORKERS_MAX], after[WORKERS_MAX];
    char path[512];
    begin();
    supervise_service("2");
    expect_said("\"started\"", 2);
    CU_ASSERT_EQUAL(children(before), 2);
    ctl_file(&ctl, "tandem.conf", "pool = { threads = 0; };\n", 0644, path, sizeof path);
    kill(supervisor.pid, SIGHUP);
    expect_said("the workers stay as they are", 1);
    CU_ASSERT_EQUAL(children(after), 2);
    CU_ASSERT_EQUAL(memcmp(before, after, 2 * sizeof before[0]), 0);
    CU_ASSERT_TRUE(answers());
    kill(supervisor.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    ctl_end(&ctl);
}

static bool are_gone(void *context)
{
    const pid_t *pids = context;
    return kill(pids[0], 0) < 0 && kill(pids[1], 0) < 0;
}

static void test_supervisor_killed(void)
{
    pid_t pids[WORKERS_MAX];
    begin();
    supervise_service("2");
    expect_said("\"started\"", 2);
    CU_ASSERT_EQUAL(children(pids), 2);
    kill(supervisor.pid, SIGKILL);
    exit_status();
    expect_said("\"stopped\"", 2);       /* in an orderly way */
    CU_ASSERT_TRUE(process_until(are_gone, pids, PATIENCE_MS));
    ctl_end(&ctl);
}

/* ---- programs that are no service ---- */

static void test_bad_program(void)
{
    begin();
    supervise(NULL, (const char *const[]){"/no/such/program", NULL});
    CU_ASSERT_EQUAL(exit_status(), 1);
    expect_said("cannot run /no/such/program: No such file or directory", 1);
    supervise(NULL, (const char *const[]){"/bin/sh", "-c", "exit 7", NULL});
    CU_ASSERT_EQUAL(exit_status(), 1);
    expect_said("ended with status 7", 1);
    ctl_end(&ctl);
}

static void test_never_ready(void)
{
    const char *const arguments[] = {"--ready-timeout-ms", "100", NULL};
    begin();
    supervise(arguments, (const char *const[]){"/bin/sleep", "1000", NULL});
    CU_ASSERT_EQUAL(exit_status(), 1);
    expect_said("did not get ready in time", 1);
    ctl_end(&ctl);
}

static void test_deaf(void)
{
    const char *const arguments[] = {"--stop-timeout-ms", "100", NULL};
    begin();
    supervise(arguments, (const char *const[]){"/bin/sh", "-c", "trap '' TERM; echo deaf >&2; sleep 1000 & wait; wait",
                                               NULL});
    expect_said("deaf", 1);
    kill(supervisor.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 1);
    expect_said("ended with signal 9", 1);
    ctl_end(&ctl);
}

static void test_socket_taken(void)
{
    char ctl_path[512], program[512];
    begin();
    supervise_service("1");
    expect_said("\"started\"", 1);
    ctl_built("tandemctl", ctl_path, sizeof ctl_path);
    ctl_built("tandem-user", program, sizeof program);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--listen", address, "--", program), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "already in use"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--", program), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "no address to listen on"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--listen", address), 2);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--listen", address, "--"), 2);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--workers", "0", "--", program), 2);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--socket-mode", "0680", "--", program), 2);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "--socket-mode", "01777", "--", program), 2);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "supervise", "stray", "--", program), 2);
    kill(supervisor.pid, SIGTERM);
    CU_ASSERT_EQUAL(exit_status(), 0);
    ctl_end(&ctl);
}

static const struct suite_case cases[] = {
    {"workers are kept behind one socket, and end with SIGTERM", test_keeps_and_ends},
    {"SIGINT ends it too", test_interrupt},
    {"a worker that was killed is started again, and connections wait", test_crash},
    {"SIGHUP replaces the workers one by one, and all are answered", test_replace},
    {"workers stay when what is to replace them cannot start", test_replace_fails},
    {"workers end in order when the supervisor is killed", test_supervisor_killed},
    {"a program that cannot be run, or ends at once, is a fault", test_bad_program},
    {"a program that never gets ready is a fault", test_never_ready},
    {"a worker that does not end is killed", test_deaf},
    {"a socket that is taken, or none, is a fault", test_socket_taken},
};

int main(void)
{
    return suite_main("supervise", cases, sizeof cases / sizeof cases[0]);
}
