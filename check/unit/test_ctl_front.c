/* tandemctl front render: what it writes of whom, and when it tells the web server. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"

enum { PATH_SIZE = 512 };

static struct ctl ctl;

#define ENDPOINTS "discovery.endpoints="
#define RENDER(kind, endpoints, ...)                                                                                  \
    CTL_BARE(&ctl, "front", "render", kind, "--set", ENDPOINTS endpoints, ##__VA_ARGS__)
#define SAYS(text) CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, text))
#define SAYS_NOT(text) CU_ASSERT_PTR_NULL(strstr(ctl.out, text))
#define COMPLAINS(text) CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, text))

static void test_nginx(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(RENDER("nginx", "user=fcgi://10.0.0.1:9001;weight=50 user=fcgi://[fd00::1]:9001 "
                                    "user=http://10.0.0.1:8080 order=fcgi:/run/order.sock"), 0);
    SAYS("upstream tandem_user {\n    server 10.0.0.1:9001 weight=50 max_fails=1 fail_timeout=1s;\n"
         "    server [fd00::1]:9001 weight=100 max_fails=1 fail_timeout=1s;\n    keepalive 1024;");
    SAYS("upstream tandem_order {\n    server unix:/run/order.sock weight=100 max_fails=0;\n");
    SAYS("upstream tandem_inventory {\n    server 127.0.0.1:1 down;\n");
    SAYS_NOT("8080");
    ctl_end(&ctl);
}

static void test_lighttpd(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(RENDER("lighttpd", "user=fcgi://10.0.0.1:9001 user=fcgi://[fd00::1]:9002 "
                                       "order=fcgi:/run/order.sock"), 0);
    SAYS("(\"host\" => \"fd00::1\", \"port\" => 9002");
    SAYS("\"/v1/users\" => (\n        (\"host\" => \"10.0.0.1\", \"port\" => 9001,");
    SAYS("\"/v1/payments\" => (\n        (\"socket\" => \"/run/order.sock\",");
    SAYS("\"/v1/items\" => (\n        (\"host\" => \"127.0.0.1\", \"port\" => 1,");
    ctl_end(&ctl);
}

static void test_one_place(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(RENDER("nginx", "user=fcgi:/run/u.sock;id=a user=fcgi:/run/u.sock;id=b;weight=50"), 0);
    SAYS("{\n    server unix:/run/u.sock weight=150 max_fails=0;\n    keepalive");
    ctl_end(&ctl);
}

/* A child that ends by the first SIGHUP stands for nginx. */
static void test_told(void)
{
    char out[PATH_SIZE], pid_file[PATH_SIZE], pid_text[32];
    int status = 0;
    ctl_begin(&ctl);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGHUP, SIG_DFL);
        alarm(60);
        for (;;)
            pause();
    }
    snprintf(pid_text, sizeof pid_text, "%d\n", (int)pid);
    snprintf(out, sizeof out, "%s/upstreams.conf", ctl.folder);
    ctl_file(&ctl, "front.pid", pid_text, 0600, pid_file, sizeof pid_file);
    CU_ASSERT_EQUAL(RENDER("nginx", "user=fcgi:/run/u.sock", "--out", out, "--pid-file", pid_file), 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
    CU_ASSERT_EQUAL(RENDER("nginx", "user=fcgi:/run/u.sock", "--out", out, "--pid-file", pid_file), 0);   /* the same */
    CU_ASSERT_EQUAL(RENDER("nginx", "user=fcgi:/run/v.sock", "--out", out, "--pid-file", pid_file), 1);
    COMPLAINS("No such process");
    ctl_end(&ctl);
}

static void test_refused(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(RENDER("apache", ""), 2);
    CU_ASSERT_EQUAL(RENDER("nginx", "", "--watch"), 2);
    CU_ASSERT_EQUAL(RENDER("nginx", "user=nowhere"), 1);
    COMPLAINS("nowhere");
    CU_ASSERT_EQUAL(RENDER("nginx", "", "--out", "/nowhere/at/all"), 1);
    COMPLAINS("/nowhere/at/all");
    CU_ASSERT_EQUAL(RENDER("nginx", "", "--set", "discovery.driver=etcd"), 1);
    COMPLAINS("discovery.servers says none");
    CU_ASSERT_EQUAL(RENDER("nginx", "", "--set", "discovery.driver=etcd", "--set",
                           "discovery.servers=http://127.0.0.1:1", "--timeout-ms", "3000"), 1);
    COMPLAINS("nothing is known of user yet");
    ctl_end(&ctl);
}

static const struct suite_case cases[] = {
    {"nginx gets an upstream block a service", test_nginx},
    {"lighttpd gets the hosts of every path", test_lighttpd},
    {"a place that several instances have is named once", test_one_place},
    {"the web server is told when the file has changed, and only then", test_told},
    {"what cannot be done is said, and nothing is written", test_refused},
};

int main(void)
{
    return suite_main("ctl_front", cases, sizeof cases / sizeof cases[0]);
}
