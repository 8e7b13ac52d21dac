/*
 * The DNS over IPv6 and IPv4: dnsmasq, asked at [::1], has SRV records whose hosts have A records, AAAA records or
 * both. All of their addresses are found, called by the client, and rendered for the web servers.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/fake_service.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "discovery/discovery.h"
#include "net/client.h"

enum { PATH_SIZE = 256, PATIENCE_MS = 20000, ONE_TRY_MS = 1000, PLAIN_PORT = 8085, SEEN_SIZE = 16384 };

static struct process server;
static char *folder;
static char address[64];
static struct fake_service *fake;
static unsigned asked;

static enum fake_end answer(const char *request, struct buf *out, void *context)
{
    (void)request;
    (void)context;
    asked++;
    fake_service_say(out, 200, "", "ok");
    return FAKE_KEEP;
}

static unsigned port_of(const char *url)
{
    return (unsigned)strtoul(strrchr(url, ':') + 1, NULL, 10);
}

static struct discovery_opts options(void)
{
    return (struct discovery_opts){
        .driver = "dns", .servers = address, .domain = "test", .port = PLAIN_PORT, .timeout_ms = ONE_TRY_MS,
        .refresh_ms = 60000, .retry_first_ms = 20, .retry_max_ms = 20};
}

/* What is known of a service: its URLs, by id, with spaces between. */
static bool look(const char *service, char out[static SEEN_SIZE])
{
    struct discovery_opts opts = options();
    struct discovery *discovery;
    struct discovery_watch *watch;
    char url[INSTANCE_URL_SIZE];
    out[0] = '\0';
    if (discovery_open(&opts, &discovery))
        return false;
    bool is_told = discovery_watch(discovery, service, NULL, NULL, &watch) == ERR_NONE &&
                   discovery_wait(watch, PATIENCE_MS);
    struct instances *instances = is_told ? discovery_take(watch) : NULL;
    for (size_t i = 0; instances && i < instances->count; i++)
        snprintf(out + strlen(out), SEEN_SIZE - strlen(out), "%s%s", i ? " " : "",
                 instance_url(&instances->list[i], url));
    bool is_known = instances != NULL;
    instances_unref(instances);
    discovery_close(discovery);
    return is_known;
}

static bool answers(void *context)
{
    char seen[SEEN_SIZE];
    (void)context;
    return look("both", seen);
}

static enum err start_dnsmasq(void)
{
    char path[PATH_SIZE], option[PATH_SIZE + 16], log[PATH_SIZE];
    unsigned port = process_free_port(), http_port = port_of(fake_service_url(fake));
    snprintf(address, sizeof address, "[::1]:%u", port);
    snprintf(path, sizeof path, "%s/dnsmasq.conf", folder);
    snprintf(log, sizeof log, "%s/dnsmasq.log", folder);
    snprintf(option, sizeof option, "--conf-file=%s", path);
    FILE *file = fopen(path, "w");
    if (!file)
        return err_because(ERR_IO, "no configuration of dnsmasq");
    fprintf(file, "port=%u\nlisten-address=::1\nbind-interfaces\nno-resolv\nno-hosts\nkeep-in-foreground\n", port);
    fprintf(file, "local-ttl=60\nlocal=/test/\npid-file=%s/pid\nlog-facility=-\n%s", folder,
            geteuid() == 0 ? "user=root\ngroup=root\n" : "");
    fprintf(file, "host-record=a.test,127.0.0.1,::1\nhost-record=six.test,::1\nhost-record=far.test,fd00::7\n");
    fprintf(file, "srv-host=_http._tcp.both.test,a.test,8081,0,10\n");
    fprintf(file, "srv-host=_http._tcp.six.test,six.test,%u,0,10\n", http_port);
    fprintf(file, "srv-host=_fcgi._tcp.user.test,far.test,9001,0,10\nsrv-host=_fcgi._tcp.user.test,a.test,9002,0,10\n");
    fprintf(file, "host-record=plain.test,10.0.0.7,fd00::8\n");
    if (fclose(file) != 0)
        return err_because(ERR_IO, "no configuration of dnsmasq");
    enum err err = process_start((const char *const[]){"dnsmasq", option, NULL}, log, SIGKILL, &server);
    if (!err && !process_until(answers, NULL, PATIENCE_MS))
        err = err_because(ERR_DEADLINE, "dnsmasq does not answer at %s", address);
    return err;
}

/* ---- cases ---- */

static void test_found(void)
{
    char seen[SEEN_SIZE];
    CU_ASSERT(look("both", seen));
    CU_ASSERT_STRING_EQUAL(seen, "http://127.0.0.1:8081 http://[::1]:8081");
    CU_ASSERT(look("user", seen));
    CU_ASSERT_STRING_EQUAL(seen, "fcgi://127.0.0.1:9002 fcgi://[::1]:9002 fcgi://[fd00::7]:9001");
    CU_ASSERT(look("plain", seen));
    CU_ASSERT_STRING_EQUAL(seen, "http://10.0.0.7:8085 http://[fd00::8]:8085");
}

static void changed(void *context, struct instances *instances)
{
    CU_ASSERT_EQUAL(client_update(context, instances), ERR_NONE);
}

static void test_called(void)
{
    const struct client_opts client_opts = {
        .has_instances = true, .target = "test", .connect_timeout_ms = 1000, .response_max_bytes = 4096};
    const struct client_request request = {.method = HTTP_GET, .path = "/", .timeout_ms = PATIENCE_MS};
    struct discovery_opts opts = options();
    struct client_response response;
    struct discovery *discovery;
    struct discovery_watch *watch;
    struct client *client;
    CU_ASSERT_EQUAL_FATAL(client_new(&client_opts, &client), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(discovery_open(&opts, &discovery), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(discovery_watch(discovery, "six", changed, client, &watch), ERR_NONE);
    CU_ASSERT(discovery_wait(watch, PATIENCE_MS));
    CU_ASSERT_EQUAL_FATAL(client_call(client, &request, &response), ERR_NONE);
    CU_ASSERT_EQUAL(response.status, 200);
    CU_ASSERT_EQUAL(asked, 1);
    buf_fini(&response.body);
    discovery_close(discovery);
    client_free(client);
}

static void render(const char *kind, char out[static SEEN_SIZE])
{
    const char *build = getenv("TANDEM_BUILDDIR");
    char program[PATH_SIZE], servers[PATH_SIZE], path[PATH_SIZE], log[PATH_SIZE];
    snprintf(program, sizeof program, "%s/tandemctl", build ? build : ".");
    snprintf(servers, sizeof servers, "discovery.servers=%s", address);
    snprintf(path, sizeof path, "%s/%s.conf", folder, kind);
    snprintf(log, sizeof log, "%s/render.log", folder);
    const char *const argv[] = {program, "front", "render", kind, "--out", path, "--set", "discovery.driver=dns",
                                "--set", servers, "--set", "discovery.domain=test", NULL};
    CU_ASSERT_EQUAL_FATAL(process_run(argv, log), ERR_NONE);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    out[fread(out, 1, SEEN_SIZE - 1, file)] = '\0';
    fclose(file);
}

static void test_rendered(void)
{
    char out[SEEN_SIZE];
    render("nginx", out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "    server 127.0.0.1:9002 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "    server [::1]:9002 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "    server [fd00::7]:9001 "));
    render("lighttpd", out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "(\"host\" => \"::1\", \"port\" => 9002"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "(\"host\" => \"fd00::7\", \"port\" => 9001"));
}

static const struct suite_case cases[] = {
    {"the A and AAAA records of a host are all instances", test_found},
    {"the client calls one that has an IPv6 address", test_called},
    {"the web servers are given IPv6 addresses as each writes them", test_rendered},
};

/* ---- the world ---- */

static const char *why;

static void test_missing(void)
{
    suite_skip(why);
}

int main(void)
{
    static const struct suite_case missing[] = {{"there is a DNS server to run it on, and IPv6", test_missing}};
    int status = EXIT_FAILURE;
    fake = fake_service_start_v6(answer, NULL);
    if (access("/usr/sbin/dnsmasq", X_OK) < 0)
        why = "dnsmasq is not installed (Debian: dnsmasq-base)";
    else if (!fake)
        why = "this machine has no IPv6";
    if (why)
        return suite_main("dns_addresses", missing, 1);
    folder = process_folder();
    enum err err = folder ? start_dnsmasq() : err_because(ERR_IO, "no temporary folder");
    if (err)
        printf("Bail out! %s\n", err_cause());
    else
        status = suite_main("dns_addresses", cases, sizeof cases / sizeof cases[0]);
    process_kill(&server);
    if (folder)
        process_remove(folder);
    free(folder);
    fake_service_stop(fake);
    return status;
}
