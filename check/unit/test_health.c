/* The health of a service, as its program tells it while it lacks one thing or another. */
#include "config.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"

enum { ARGUMENTS_MAX = 64, PATIENCE_MS = 60000, BURST = 8, PROBES = 50 };

static char *folder;
static char config[256], log_path[256], address[256];
static struct process service;
static struct fcgi_reply reply;

/* Starts the service, with further settings up to a NULL. */
static void begin(const char *name, const char *const *settings)
{
    const char *build = getenv("TANDEM_BUILDDIR");
    char program[512];
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(program, sizeof program, "%s/tandem-%s", build ? build : ".", name);
    snprintf(config, sizeof config, "%s/tandem.conf", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    snprintf(address, sizeof address, "unix:%s/service.sock", folder);
    FILE *file = fopen(config, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "server = { listen = \"%s\"; };\ndb = { path = \"%s/service.db\"; };\n", address, folder);
    fprintf(file, "bus = { url = \"embedded:%s/bus.db\"; };\n", folder);
    fprintf(file, "user = { token_file = \"%s/token\"; };\n", folder);
    CU_ASSERT_EQUAL(fclose(file), 0);

    const char *argv[ARGUMENTS_MAX] = {program, "--config", config};
    size_t count = 3;
    for (; settings && *settings; settings++) {
        argv[count++] = "--set";
        argv[count++] = *settings;
    }
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log_path, SIGKILL, &service), ERR_NONE);
}

#define BEGIN(name, ...) begin(name, (const char *const[]){__VA_ARGS__, NULL})

static void end(void)
{
    CU_ASSERT_EQUAL(process_stop(&service, SIGTERM, PATIENCE_MS), ERR_NONE);
    fcgi_reply_fini(&reply);
    process_remove(folder);
    free(folder);
}

/* The status of an answer, which stays in `reply` until the next. */
static int get(const char *path)
{
    fcgi_reply_fini(&reply);
    return fcgi_client_get(address, path, &reply) ? reply.status : 0;
}

static bool says(const char *what)
{
    bool found = reply.body.at && memmem(reply.body.at, reply.body.length, what, strlen(what));
    if (!found)
        printf("# no %s in: %.*s\n", what, TEXT_ARGS(reply.body));
    return found;
}

struct wish {
    const char *path;
    int status;
};

static bool has_status(void *context)
{
    const struct wish *wish = context;
    return get(wish->path) == wish->status;
}

static bool becomes(const char *path, int status)
{
    struct wish wish = {path, status};
    return process_until(has_status, &wish, PATIENCE_MS);
}

/* ---- what is told ---- */

static void test_told(void)
{
    BEGIN("user", "health.cache_ms=0");
    CU_ASSERT_TRUE(becomes("/healthz", 200));
    CU_ASSERT_TRUE(says("{\"name\":\"process\",\"status\":\"ok\",\"duration_ms\":"));
    CU_ASSERT_TRUE(says("{\"name\":\"lanes\",\"status\":\"ok\",\"duration_ms\":"));
    CU_ASSERT_TRUE(says("{\"name\":\"database\",\"status\":\"ok\",\"duration_ms\":"));
    CU_ASSERT_TRUE(says("{\"name\":\"disk\",\"status\":\"ok\",\"duration_ms\":"));
    CU_ASSERT_TRUE(says("{\"name\":\"bus\",\"status\":\"ok\",\"duration_ms\":"));
    CU_ASSERT_TRUE(says(",\"time\":\"20"));
    CU_ASSERT_TRUE(says("],\"status\":\"ok\"}"));
    CU_ASSERT_TRUE(text_equal(fcgi_reply_header(&reply, "Cache-Control"), TEXT("no-store")));
    CU_ASSERT_EQUAL(get("/readyz"), 200);
    CU_ASSERT_TRUE(says("{\"name\":\"accepting\",\"status\":\"ok\""));
    CU_ASSERT_TRUE(says("{\"name\":\"settings\",\"status\":\"ok\""));
    CU_ASSERT_TRUE(says("{\"name\":\"database\",\"status\":\"ok\""));
    end();
}

/* The value of a metric that has no labels; -1 without it. */
static double metric(const char *name)
{
    char line[128];
    CU_ASSERT_EQUAL(get("/metrics"), 200);
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = reply.body.at ? memmem(reply.body.at, reply.body.length, line, strlen(line)) : NULL;
    return at ? strtod(at + strlen(line), NULL) : -1;
}

static void test_cache(void)
{
    BEGIN("user", "health.cache_ms=60000");
    CU_ASSERT_TRUE(becomes("/healthz", 200));
    double before = metric("tandem_db_jobs_total");
    CU_ASSERT(before >= 1);
    for (int i = 0; i < PROBES; i++)
        CU_ASSERT_EQUAL(get("/healthz"), 200);
    CU_ASSERT_EQUAL(metric("tandem_db_jobs_total"), before);
    end();
}

/* ---- what it holds ---- */

static void limit_files(rlim_t most)
{
    struct rlimit limit;
    CU_ASSERT_EQUAL(prlimit(service.pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    CU_ASSERT_EQUAL(prlimit(service.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* Reads go on, so only a change tells. */
static void test_writing_fails(void)
{
    BEGIN("user", "health.cache_ms=0");
    CU_ASSERT_TRUE(becomes("/healthz", 200));
    limit_files(0);
    CU_ASSERT_TRUE(becomes("/healthz", 503));
    CU_ASSERT_TRUE(says("{\"name\":\"database\",\"status\":\"failed\""));
    CU_ASSERT_TRUE(says("\"cause\":"));
    CU_ASSERT_EQUAL(get("/readyz"), 503);
    CU_ASSERT_EQUAL(get("/ping"), 200);
    limit_files(RLIM_INFINITY);
    CU_ASSERT_TRUE(becomes("/healthz", 200));
    CU_ASSERT_TRUE(becomes("/readyz", 200));
    end();
}

static void test_disk(void)
{
    BEGIN("user", "health.disk_free_min_bytes=1099511627776");
    CU_ASSERT_TRUE(becomes("/healthz", 503));
    CU_ASSERT_TRUE(says("{\"name\":\"disk\",\"status\":\"failed\""));
    CU_ASSERT_TRUE(says("bytes are free for the database, and health.disk_free_min_bytes is 1099511627776"));
    CU_ASSERT_TRUE(says("{\"name\":\"database\",\"status\":\"ok\""));
    CU_ASSERT_TRUE(says("],\"status\":\"failed\"}"));
    CU_ASSERT_EQUAL(get("/ping"), 200);
    end();
}

/* ---- what it needs ---- */

static void write_token(void)
{
    char path[300];
    mode_t before = umask(077);
    snprintf(path, sizeof path, "%s/token", folder);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("not-much-of-a-token\n", file);
    CU_ASSERT_EQUAL(fclose(file), 0);
    umask(before);
}

static void test_needed_away(void)
{
    BEGIN("inventory", "health.cache_ms=0", "user.url=http://127.0.0.1:1");
    write_token();
    CU_ASSERT_TRUE(becomes("/readyz", 200));
    CU_ASSERT_TRUE(says("{\"name\":\"user-service\",\"status\":\"degraded\""));
    CU_ASSERT_TRUE(says("{\"name\":\"lag\",\"status\":\"ok\""));
    CU_ASSERT_TRUE(says("],\"status\":\"degraded\"}"));
    CU_ASSERT_EQUAL(get("/healthz"), 200);
    CU_ASSERT_TRUE(says("],\"status\":\"ok\"}"));
    end();
}

static void test_needed_hard(void)
{
    BEGIN("inventory", "health.cache_ms=0", "user.url=http://127.0.0.1:1", "health.needs_hard=on");
    write_token();
    CU_ASSERT_TRUE(becomes("/readyz", 503));
    CU_ASSERT_TRUE(says("{\"name\":\"user-service\",\"status\":\"failed\""));
    CU_ASSERT_TRUE(says("{\"name\":\"lag\",\"status\":\"ok\""));
    CU_ASSERT_EQUAL(get("/healthz"), 200);
    end();
}

static void test_no_token(void)
{
    BEGIN("inventory", "user.url=http://127.0.0.1:1");
    CU_ASSERT_TRUE(becomes("/readyz", 200));
    CU_ASSERT_TRUE(says("{\"name\":\"user-service\",\"status\":\"degraded\""));
    CU_ASSERT_TRUE(says("user.token_file: "));
    end();
}

/* It takes the call, and never answers: the check's own time is what ends it. */
static void test_needed_hangs(void)
{
    struct sockaddr_in deaf = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof deaf;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(bind(fd, (struct sockaddr *)&deaf, size) == 0 && listen(fd, 100) == 0);
    getsockname(fd, (struct sockaddr *)&deaf, &size);
    snprintf(url, sizeof url, "user.url=http://127.0.0.1:%u", ntohs(deaf.sin_port));
    BEGIN("inventory", "health.cache_ms=0", url, "user.timeout_ms=3000", "health.needs_timeout_ms=200");
    write_token();
    CU_ASSERT_TRUE(becomes("/healthz", 200));
    CU_ASSERT_EQUAL(get("/readyz"), 200);
    CU_ASSERT_TRUE(says("{\"name\":\"user-service\",\"status\":\"degraded\""));
    CU_ASSERT_TRUE(says("timed out after 200 ms"));
    CU_ASSERT_EQUAL(get("/healthz"), 200);   /* nobody waits for it */
    CU_ASSERT_TRUE(says("],\"status\":\"ok\"}"));
    end();
    close(fd);
}

/* ---- while it is busy ---- */

static void send_registration(struct fcgi_client *client, int number)
{
    char body[128], key[32];
    const struct fcgi_client_param params[] = {
        {"CONTENT_TYPE", "application/json"}, {"HTTP_IDEMPOTENCY_KEY", key}, {NULL, NULL}};
    struct buf request;
    snprintf(body, sizeof body, "{\"email\":\"slow-%d@example.org\",\"name\":\"Slow\",\"password\":\"%s\"}", number,
             "correct horse battery");
    snprintf(key, sizeof key, "slow-%d", number);
    CU_ASSERT_FATAL(fcgi_client_open(client, address));
    buf_init(&request, sizeof body + 4096);
    fcgi_put_request(&request, 1, false, "POST", "/v1/users", params, text_of(body));
    CU_ASSERT(fcgi_client_send(client, buf_text(&request), FCGI_CLIENT_WHOLE));
    buf_fini(&request);
}

/* One worker, and more passwords than it gets done: probes are answered before the last of them. */
static void test_burst(void)
{
    struct fcgi_client clients[BURST];
    BEGIN("user", "health.cache_ms=0", "pool.threads=1", "password.passes=100", "password.memory_kib=8192");
    CU_ASSERT_TRUE(becomes("/healthz", 200));
    for (int i = 0; i < BURST; i++)
        send_registration(&clients[i], i);
    CU_ASSERT_EQUAL(get("/healthz"), 200);
    CU_ASSERT_EQUAL(get("/readyz"), 200);
    struct fcgi_record record;
    struct fcgi_client *last = &clients[BURST - 1];
    CU_ASSERT_EQUAL(recv(last->fd, &(char){0}, 1, MSG_DONTWAIT | MSG_PEEK), -1);   /* still at it */
    CU_ASSERT_TRUE(fcgi_client_record(&clients[0], &record));
    for (int i = 0; i < BURST; i++)
        fcgi_client_close(&clients[i]);
    end();
}

static const struct suite_case cases[] = {
    {"each check is told with its state, its time and how long it took", test_told},
    {"probes do not load the system", test_cache},
    {"a database that cannot be written makes it unhealthy, until it can", test_writing_fails},
    {"too little disk space makes it unhealthy", test_disk},
    {"a needed service that is away makes it degraded", test_needed_away},
    {"a needed service that is away makes it unready when the settings say so", test_needed_hard},
    {"a token that is missing makes it degraded", test_no_token},
    {"a needed service that never answers is told as such in time", test_needed_hangs},
    {"a burst of passwords does not starve probes", test_burst},
};

int main(void)
{
    return suite_main("health", cases, sizeof cases / sizeof cases[0]);
}
