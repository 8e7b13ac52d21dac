/* Settings that a service cannot start with are refused before it tries: by --check-config, by tandemctl conf check and
 * by the start itself, in the same words, with their place. A reload refuses them by the same rules
 * (check/service/test_settings.sh). */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"

enum { SAID_MAX = 64 * 1024, PATIENCE_MS = 60000, PATH_SIZE = 256 };

static char *folder;
static char config[PATH_SIZE], fragment[PATH_SIZE], log_path[PATH_SIZE];
static char said[SAID_MAX];

static void write_file(const char *path, const char *content, mode_t mode)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    CU_ASSERT_EQUAL(fclose(file), 0);
    CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

/* Settings that all services can start with; what a case is about is in a file of its own. */
static void begin(void)
{
    char settings[4 * PATH_SIZE], path[PATH_SIZE];
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(config, sizeof config, "%s/tandem.conf", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    snprintf(path, sizeof path, "%s/conf.d", folder);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    snprintf(fragment, sizeof fragment, "%s/conf.d/10.conf", folder);
    snprintf(settings, sizeof settings, "bus = { url = \"embedded:%s/bus.db\"; };\ndb = { path = \"%s/own.db\"; };\n",
             folder, folder);
    write_file(config, settings, 0600);
}

static void end(void)
{
    process_remove(folder);
    free(folder);
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

/* The exit status; -1 when there is none. */
static int run(const char *const *argv)
{
    struct ending ending = {.status = -1};
    remove(log_path);
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, &ending.process), ERR_NONE);
    bool ended = process_until(has_ended, &ending, PATIENCE_MS);
    process_kill(&ending.process);
    FILE *file = fopen(log_path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return ended && WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : -1;
}

static const char *built(const char *name, const char *service, char out[static PATH_SIZE])
{
    const char *build = getenv("TANDEM_BUILDDIR");
    snprintf(out, PATH_SIZE, "%s/%s%s", build ? build : ".", name, service);
    return out;
}

static int check_config(const char *service)
{
    char program[PATH_SIZE];
    return run((const char *const[]){built("tandem-", service, program), "--config", config, "--check-config", NULL});
}

static int start(const char *service)
{
    char program[PATH_SIZE];
    return run((const char *const[]){built("tandem-", service, program), "--config", config, NULL});
}

static int conf_check(void)
{
    char program[PATH_SIZE];
    return run((const char *const[]){built("tandemctl", "", program), "conf", "check", "--config", config, NULL});
}

static size_t lines_of(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* ---- what is refused ---- */

struct refusal {
    const char *service;
    const char *settings;      /* of conf.d/10.conf */
    const char *told;          /* after that file's name */
};

static const struct refusal refusals[] = {
    {"user", "server = { listen = \"foo\"; };",
     ":1: server.listen: \"foo\" is not unix:/PATH, ADDRESS:PORT or [ADDRESS]:PORT\n"},
    {"user", "server = { listen = \"localhost:9001\"; };", ":1: server.listen: \"localhost:9001\" is not unix:/PATH"},
    {"user", "server = { listen = \"127.0.0.1:66666\"; };", ":1: server.listen: \"127.0.0.1:66666\" is not"},
    {"user", "server = { listen = \"unix:\"; };", ":1: server.listen: unix:: the path is empty or longer than"},
    {"user", "\n\nbus = { url = \"foo\"; };", ":3: bus.url: no bus has the URL \"foo\"\n"},
    {"user", "bus = { url = \"embedded:\"; };", ":1: bus.url: the bus's URL lacks a path"},
    {"user", "db = { url = \"foo\"; };", ":1: db.url is postgresql://"},
    {"user", "db = { path = \"\"; };", ":1: db.path: a database needs a path\n"},
    {"user", "db = { path = \"/\"; };", ":1: db.path: / is not a regular file\n"},
    {"order", "user = { url = \"foo\"; };", ":1: user.url: \"foo\" is no http or https URL\n"},
    {"inventory", "user = { url = \"ftp://x\"; };", ":1: user.url: \"ftp://x\" is no http or https URL\n"},
    {"user", "discovery = { endpoints = \"user\"; };", ":1: discovery.endpoints: \"user\" is not NAME=URL\n"},
    {"user", "discovery = { endpoints = \"user=http://x\"; };", ":1: discovery.endpoints: \"x\" is no ADDRESS:PORT\n"},
    {"user", "discovery = { endpoints = \"user=ftp://x:1\"; };", ":1: discovery.endpoints: \"ftp\" is none of"},
    {"user", "discovery = { driver = \"etcd\"; };", ":1: discovery.servers says none\n"},
    {"user", "discovery = { driver = \"consul\"; servers = \"foo\"; };",
     ":1: discovery.servers: \"foo\" is no http or https URL\n"},
    {"user", "discovery = { driver = \"etcd\";\nservers = \"http://127.0.0.1:2379\";\nuser = \"tandem\"; };",
     ":3: discovery.user needs discovery.secret_file"},
    {"user", "discovery = { driver = \"etcd\"; servers = \"http://127.0.0.1:2379\";\nprefix = \"services\"; };",
     ":2: discovery.prefix is \"services\""},
    {"user", "discovery = { driver = \"dns\"; };", ":1: discovery.domain says nothing; dns needs it\n"},
    {"user", "discovery = { driver = \"dns\"; domain = \"shop\";\nservers = \"nowhere\"; };",
     ":2: discovery.servers: \"nowhere\" is no ADDRESS:PORT or [ADDRESS]:PORT of a DNS server\n"},
    {"user", "discovery = { driver = \"dns\"; domain = \"shop\";\nservers = \"[::1\"; };",
     ":2: discovery.servers: \"[::1\" is no"},
    {"user", "discovery = { driver = \"dns\"; domain = \"shop\";\nservers = \"[::1]:0\"; };",
     ":2: discovery.servers: \"[::1]:0\" is no"},
    {"user", "discovery = { advertise = \"http://nowhere\"; };",
     ":1: discovery.advertise: \"nowhere\" is no ADDRESS:PORT\n"},
    {"user", "discovery = { driver = \"etcd\"; servers = \"https://127.0.0.1:2379\";\n"
             "ca_file = \"/nonexistent/ca\"; };",
     ":2: discovery.ca_file: /nonexistent/ca: No such file or directory\n"},
    {"user", "discovery = { driver = \"etcd\"; servers = \"https://127.0.0.1:2379\";\n"
             "certificate_file = \"/dev/null\"; };",
     ":2: discovery.certificate_file is set, which needs discovery.key_file\n"},
    {"user", "log = { sink = \"file\"; };", ":1: log.file has to say where, since log.sink is \"file\"\n"},
    {"user", "log = { sink = \"syslog\";\nsyslog_socket = \"\"; };",
     ":2: log.syslog_socket has to say where, since log.sink is \"syslog\"\n"},
    {"user", "trace = { resource_attributes = \"foo\"; };", ":1: trace.resource_attributes"},
    {"user", "trace = { otlp_endpoint = \"http://127.0.0.1:4318\";\notlp_headers_file = \"/nonexistent/headers\"; };",
     ":2: trace.otlp_headers_file: open /nonexistent/headers: No such file or directory\n"},
    {"order", "payment = { driver = \"stripe\"; };",
     ":1: payment.driver is stripe, which needs payment.stripe_key_file\n"},
    {"order", "payment = { driver = \"stripe\";\nstripe_key_file = \"/nonexistent/key\"; };",
     ":2: payment.stripe_key_file: open /nonexistent/key: No such file or directory\n"},
    {"order", "payment = { driver = \"stripe\";\nstripe_url = \"http://example.org\"; };",
     ":2: payment.stripe_url: \"http://example.org\" is neither https nor http of this machine\n"},
#ifdef HAVE_POSTGRESQL
    {"user", "db = { url = \"postgresql://[::1/tandem\"; };", ":1: db.url: this is not a URL of PostgreSQL"},
    {"user", "db = { url = \"postgresql:///tandem\";\nread_url = \"postgresql://[::1/tandem\"; };",
     ":2: db.read_url: this is not a URL of PostgreSQL"},
    {"user", "db = { url = \"postgresql:///tandem\";\npassword_file = \"/nonexistent/password\"; };",
     ":2: db.password_file: /nonexistent/password: No such file or directory\n"},
    {"order", "db = { url = \"postgresql:///tandem\"; path = \"\"; };", ":1: payment.sandbox_file is not set"},
#else
    {"user", "db = { url = \"postgresql:///tandem\"; };", ":1: db.url: this program was built without PostgreSQL"},
#endif
#ifdef HAVE_RABBITMQ
    {"user", "bus = { url = \"amqp:foo\"; };", ":1: bus.url: write amqp://"},
    {"user", "bus = { url = \"amqp://host:port\"; };", ":1: bus.url: \"host:port\" is not a host, or host:port\n"},
    {"user", "bus = { url = \"amqp://me:secret@host\"; };", ":1: bus.url: a password has no place there"},
    {"user", "bus = { url = \"amqp://host\";\nprefix = \"\"; };", ":2: bus.prefix must not be empty\n"},
    {"user", "bus = { url = \"amqp://host\";\npassword_file = \"/nonexistent/password\"; };",
     ":2: bus.password_file: /nonexistent/password: No such file or directory\n"},
    {"user", "bus = { url = \"amqps://host\";\ntls_ca_file = \"/nonexistent/ca\"; };",
     ":2: bus.tls_ca_file: /nonexistent/ca: No such file or directory\n"},
    {"user", "bus = { url = \"amqps://host\";\ntls_cert_file = \"/dev/null\"; };",
     ":2: bus.tls_cert_file is set, which needs bus.tls_key_file\n"},
    {"user", "bus = { url = \"amqps://host\"; tls_cert_file = \"/dev/null\";\ntls_key_file = \"/nonexistent/key\"; };",
     ":2: bus.tls_key_file: /nonexistent/key: No such file or directory\n"},
#else
    {"user", "bus = { url = \"amqp://host\"; };", ":1: bus.url: a bus of \"amqp:\" is not built into this program"},
#endif
#ifdef HAVE_KAFKA
    {"user", "bus = { url = \"kafka://host\"; };", ":1: bus.url: the bus's URL is to be \"kafka:host:9092"},
    {"user", "bus = { url = \"kafka:host:9092\";\nprefix = \"a b\"; };", ":2: bus.prefix is to be of letters"},
    {"user", "bus = { url = \"kafka:host:9092\";\nkafka_properties_file = \"/nonexistent/properties\"; };",
     ":2: bus.kafka_properties_file: open /nonexistent/properties: No such file or directory\n"},
#endif
#ifdef HAVE_REDIS
    {"user", "cache = { driver = \"redis\";\nredis_url = \"foo\"; };", ":2: cache.redis_url is not redis://HOST:PORT"},
    {"user", "cache = { driver = \"redis\";\nredis_url = \"redis://host:port\"; };",
     ":2: cache.redis_url: \"host:port\" is no HOST:PORT\n"},
#ifdef HAVE_OPENSSL
    {"user", "cache = { driver = \"redis\"; redis_url = \"rediss://host\";\nredis_ca_file = \"/nonexistent/ca\"; };",
     ":2: cache.redis_ca_file: /nonexistent/ca: No such file or directory\n"},
    {"user", "cache = { driver = \"redis\"; redis_url = \"rediss://host\";\nredis_certificate_file = \"/dev/null\"; };",
     ":2: cache.redis_certificate_file is set, which needs cache.redis_key_file\n"},
#else
    {"user", "cache = { driver = \"redis\";\nredis_url = \"rediss://host\"; };", ":2: cache.redis_url asks for TLS"},
#endif
#else
    {"user", "cache = { driver = \"redis\"; };", ":1: cache.driver is redis, and this build has no Redis"},
#endif
};

static bool is_told(const struct refusal *refusal, const char *by, int status)
{
    const char *at = strstr(said, fragment);
    const char *told = at ? at + strlen(fragment) : "";
    bool is_told = status == 1 && strncmp(told, refusal->told, strlen(refusal->told)) == 0;
    if (!is_told)
        printf("# %s: by %s: %d, %s\n", refusal->settings, by, status, said);
    return is_told;
}

static void test_refused(void)
{
    begin();
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *refusal = &refusals[i];
        write_file(fragment, refusal->settings, 0600);
        CU_ASSERT(is_told(refusal, "--check-config", check_config(refusal->service)));
        CU_ASSERT_EQUAL(lines_of(said), 1);
        CU_ASSERT(is_told(refusal, "the start", start(refusal->service)));
        CU_ASSERT_EQUAL(lines_of(said), 1);
        CU_ASSERT(is_told(refusal, "conf check", conf_check()));
    }
    end();
}

static void test_all_are_told(void)
{
    begin();
    write_file(fragment, "server = { listen = \"foo\"; };\nlog = { sink = \"file\"; };", 0600);
    CU_ASSERT_EQUAL(check_config("user"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "10.conf:1: server.listen: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "10.conf:2: log.file "));
    end();
}

/* ---- what is not ---- */

static void test_taken(void)
{
    /* What is not used, and what the start could do with. */
    static const char *const taken[] = {
        "server = { listen = \"\"; };",
        "server = { listen = \"[::1]:9001\"; };",
        "bus = { tls_ca_file = \"/nonexistent/ca\"; tls_cert_file = \"/nonexistent/certificate\"; };",
        "db = { password_file = \"/nonexistent/password\"; };",
        "discovery = { ca_file = \"/nonexistent/ca\"; servers = \"foo\"; };",
        "discovery = { endpoints = \"user=http://[::1]:8080;weight=50 order=http://10.0.0.7:80\"; };",
        "discovery = { driver = \"dns\"; domain = \"shop\"; endpoints = \"foo\"; };",
        "discovery = { driver = \"dns\"; domain = \"shop\"; servers = \"[::1]:53\"; };",
        "discovery = { driver = \"dns\"; domain = \"shop\"; servers = \"::1\"; };",
        "discovery = { driver = \"dns\"; domain = \"shop\"; servers = \"127.0.0.1\"; };",
        "discovery = { endpoints = \"user=http://10.0.0.7:80\"; }; user = { url = \"foo\"; };",
        "payment = { stripe_key_file = \"/nonexistent/key\"; };",
        "cache = { redis_url = \"foo\"; };",
        "log = { file = \"/nonexistent/log\"; };",
        "trace = { otlp_headers_file = \"/nonexistent/headers\"; };",
    };
    begin();
    CU_ASSERT_EQUAL(conf_check(), 0);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        write_file(fragment, taken[i], 0600);
        int status = conf_check();
        CU_ASSERT_EQUAL(status, 0);
        if (status)
            printf("# %s: %s\n", taken[i], said);
    }
    end();
}

/* Where the settings are written the machine's files are not. */
static void test_elsewhere(void)
{
    static const char *const fine[] = {
        "payment = { driver = \"stripe\"; stripe_key_file = \"/nonexistent/key\"; "
        "webhook_secret_file = \"/nonexistent/secrets\"; };",
        "discovery = { driver = \"etcd\"; servers = \"https://127.0.0.1:2379\"; ca_file = \"/nonexistent/ca\"; };",
        "trace = { otlp_endpoint = \"http://127.0.0.1:4318\"; otlp_headers_file = \"/nonexistent/headers\"; };",
    };
    char program[PATH_SIZE];
    const char *const argv[] = {built("tandemctl", "", program), "conf", "check", "--elsewhere", "--config", config,
                                NULL};
    begin();
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        write_file(fragment, fine[i], 0600);
        CU_ASSERT_EQUAL(conf_check(), 1);
        CU_ASSERT_EQUAL(run(argv), 0);
    }
    write_file(fragment, "payment = { driver = \"stripe\"; };", 0600);
    CU_ASSERT_EQUAL(run(argv), 1);
    end();
}

/* Commands that open nothing of it go on. */
static void test_other_commands(void)
{
    char program[PATH_SIZE];
    begin();
    write_file(fragment, "server = { listen = \"foo\"; };", 0600);
    CU_ASSERT_EQUAL(run((const char *const[]){built("tandemctl", "", program), "conf", "digest", "--service", "user",
                                             "--config", config, NULL}), 0);
    end();
}

static const struct suite_case cases[] = {
    {"what cannot start is refused, by whoever is asked, with its place", test_refused},
    {"everything is told at once", test_all_are_told},
    {"what is not used, or can start, is not refused", test_taken},
    {"away from the machine that the settings are for, its files are not looked for", test_elsewhere},
    {"a command that needs none of it works", test_other_commands},
};

int main(void)
{
    return suite_main("service rules", cases, sizeof cases / sizeof cases[0]);
}
