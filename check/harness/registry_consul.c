/*
 * Consul's HTTP API as far as discovery uses it: a stand-in, since there is no package of it here. Written from its
 * public documentation (HTTP API: Agent Service, Agent Check, Health; Blocking Queries), and no proof of what a real
 * agent does; TANDEM_TEST_CONSUL=HOST:PORT has the suite run on one (test_registry_consul_real).
 *
 * One index for everything, which rises with each change. A service that is registered is critical until its check is
 * updated, and when that was longer ago than its TTL. DeregisterCriticalServiceAfter is checked for, and not done: its
 * least is a minute.
 */
#include "config.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "check/harness/fake_service.h"
#include "check/harness/process.h"
#include "check/harness/registry_server.h"

enum { SERVICES_MAX = 64, TEXT_SIZE = 256, STATUS_SIZE = 16, LOOK_MS = 10, ARENA_BYTES = 256 * 1024 };

static struct service {
    bool is_there;
    char id[TEXT_SIZE], name[TEXT_SIZE], address[TEXT_SIZE], scheme[TEXT_SIZE], version[TEXT_SIZE], zone[TEXT_SIZE];
    char status[STATUS_SIZE];
    int64_t port, weight, ttl_ms, signed_ns;
} services[SERVICES_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* of all */
static int64_t now_index = 1;
static bool is_over, is_locked;
static struct fake_service *fake;
static unsigned port;
static char url[TEXT_SIZE], *folder, secret[TEXT_SIZE];

#define TOKEN "a-token-of-the-test"

/* ---- what it knows, with the lock ---- */

static struct service *find(const char *id)
{
    for (size_t i = 0; i < SERVICES_MAX; i++)
        if (services[i].is_there && strcmp(services[i].id, id) == 0)
            return &services[i];
    return NULL;
}

static struct service *find_room(const char *id)
{
    struct service *service = find(id);
    for (size_t i = 0; i < SERVICES_MAX && !service; i++)
        if (!services[i].is_there)
            service = &services[i];
    return service;
}

static void set_status(struct service *service, const char *status)
{
    now_index += strcmp(service->status, status) != 0;
    snprintf(service->status, sizeof service->status, "%s", status);
}

static void expire(void)
{
    int64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < SERVICES_MAX; i++)
        if (services[i].is_there && now_ns - services[i].signed_ns > services[i].ttl_ms * NS_PER_MS)
            set_status(&services[i], "critical");
}

/* ---- PUT ---- */

struct given_meta {
    struct text scheme, version, zone;
};

struct given_weights {
    int64_t passing, warning;
};

struct given_check {
    struct text ttl, after, status;
};

struct given {
    struct text id, name, address, status;
    int64_t port;
    struct given_meta meta;
    struct given_weights weights;
    struct given_check check;
};

#define FIELD(struct_name, member, kind, name_, ...)                                                                  \
    {.name = (name_), .type = (kind), .required = true, .offset = offsetof(struct struct_name, member), ##__VA_ARGS__}

static const struct json_field meta_fields[] = {
    FIELD(given_meta, scheme, JSON_TEXT, "scheme"), FIELD(given_meta, version, JSON_TEXT, "version"),
    FIELD(given_meta, zone, JSON_TEXT, "zone"), {.name = NULL}};
static const struct json_field weights_fields[] = {
    FIELD(given_weights, passing, JSON_INTEGER, "Passing"), FIELD(given_weights, warning, JSON_INTEGER, "Warning"),
    {.name = NULL}};
static const struct json_field check_fields[] = {
    FIELD(given_check, ttl, JSON_TEXT, "TTL"), FIELD(given_check, after, JSON_TEXT, "DeregisterCriticalServiceAfter"),
    FIELD(given_check, status, JSON_TEXT, "Status"), {.name = NULL}};
static const struct json_field service_fields[] = {
    FIELD(given, id, JSON_TEXT, "ID"), FIELD(given, name, JSON_TEXT, "Name"),
    FIELD(given, address, JSON_TEXT, "Address"), FIELD(given, port, JSON_INTEGER, "Port"),
    FIELD(given, meta, JSON_OBJECT, "Meta", .fields = meta_fields),
    FIELD(given, weights, JSON_OBJECT, "Weights", .fields = weights_fields),
    FIELD(given, check, JSON_OBJECT, "Check", .fields = check_fields), {.name = NULL}};
static const struct json_field update_fields[] = {FIELD(given, status, JSON_TEXT, "Status"), {.name = NULL}};

static bool read_body(const char *request, const struct json_field *fields, struct arena *arena, struct given *ret)
{
    const char *body = strstr(request, "\r\n\r\n") + 4;
    struct json_document *document;
    struct json_faults faults;
    if (json_parse(text_of(body), &document))
        return false;
    enum err err = json_read_lenient(document, fields, arena, ret, &faults);
    json_free(document);
    return !err;
}

static int register_service(const char *request, struct arena *arena)
{
    struct given given = {.port = 0};
    char id[TEXT_SIZE];
    if (!read_body(request, service_fields, arena, &given) || !strstr(given.check.ttl.at, "ms") ||
        atoll(given.check.after.at) < 60000)
        return 400;
    snprintf(id, sizeof id, "%.*s", TEXT_ARGS(given.id));
    struct service *service = find_room(id);
    if (!service)
        return 500;
    *service = (struct service){
        .is_there = true, .port = given.port, .weight = given.weights.passing, .ttl_ms = atoll(given.check.ttl.at),
        .signed_ns = clock_now_ns()};
    snprintf(service->id, TEXT_SIZE, "%s", id);
    snprintf(service->name, TEXT_SIZE, "%.*s", TEXT_ARGS(given.name));
    snprintf(service->address, TEXT_SIZE, "%.*s", TEXT_ARGS(given.address));
    snprintf(service->scheme, TEXT_SIZE, "%.*s", TEXT_ARGS(given.meta.scheme));
    snprintf(service->version, TEXT_SIZE, "%.*s", TEXT_ARGS(given.meta.version));
    snprintf(service->zone, TEXT_SIZE, "%.*s", TEXT_ARGS(given.meta.zone));
    snprintf(service->status, STATUS_SIZE, "%.*s", TEXT_ARGS(given.check.status));
    now_index++;
    return 200;
}

static int update(const char *id, const char *request, struct arena *arena)
{
    struct service *service = find(id);
    struct given given = {.port = 0};
    char status[STATUS_SIZE];
    if (!service)
        return 404;
    if (!read_body(request, update_fields, arena, &given))
        return 400;
    snprintf(status, sizeof status, "%.*s", TEXT_ARGS(given.status));
    service->signed_ns = clock_now_ns();
    set_status(service, status);
    return 200;
}

static int deregister(const char *id)
{
    struct service *service = find(id);
    if (!service)
        return 404;
    service->is_there = false;
    now_index++;
    return 200;
}

static int put(const char *request, const char *path)
{
    static const char checks[] = "/v1/agent/check/update/service:", gone[] = "/v1/agent/service/deregister/";
    struct arena arena;
    int status = 404;
    arena_init(&arena, ARENA_BYTES);
    if (strncmp(path, "/v1/agent/service/register", strlen("/v1/agent/service/register")) == 0)
        status = register_service(request, &arena);
    else if (strncmp(path, checks, strlen(checks)) == 0)
        status = update(path + strlen(checks), request, &arena);
    else if (strncmp(path, gone, strlen(gone)) == 0)
        status = deregister(path + strlen(gone));
    arena_fini(&arena);
    return status;
}

/* ---- GET ---- */

static void write_service(const struct service *service, struct json_writer *writer)
{
    json_object_begin(writer);
    json_key(writer, "Node");
    json_raw(writer, TEXT("{\"Node\":\"stand-in\",\"Address\":\"127.0.0.1\"}"));
    json_key(writer, "Service");
    json_object_begin(writer);
    json_member_string(writer, "ID", service->id);
    json_member_string(writer, "Service", service->name);
    json_member_string(writer, "Address", service->address);
    json_member_integer(writer, "Port", service->port);
    json_key(writer, "Meta");
    json_object_begin(writer);
    json_member_string(writer, "scheme", service->scheme);
    json_member_string(writer, "version", service->version);
    json_member_string(writer, "zone", service->zone);
    json_object_end(writer);
    json_key(writer, "Weights");
    json_object_begin(writer);
    json_member_integer(writer, "Passing", service->weight);
    json_member_integer(writer, "Warning", service->weight);
    json_object_end(writer);
    json_object_end(writer);
    json_key(writer, "Checks");
    json_array_begin(writer);
    json_object_begin(writer);
    json_member_string(writer, "Status", service->status);
    json_object_end(writer);
    json_array_end(writer);
    json_object_end(writer);
}

static void write_services(const char *name, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_array_begin(&writer);
    for (size_t i = 0; i < SERVICES_MAX; i++)
        if (services[i].is_there && strcmp(services[i].name, name) == 0)
            write_service(&services[i], &writer);
    json_array_end(&writer);
}

/* Until there is something newer than the asker knows, or its time is up. */
static void await_change(int64_t index, int64_t wait_ms)
{
    int64_t until_ns = clock_now_ns() + wait_ms * NS_PER_MS;
    const struct timespec step = {.tv_nsec = LOOK_MS * NS_PER_MS};
    for (;;) {
        expire();
        if (is_over || index <= 0 || now_index > index || clock_now_ns() >= until_ns)
            return;
        pthread_mutex_unlock(&lock);
        nanosleep(&step, NULL);
        pthread_mutex_lock(&lock);
    }
}

static int get(char *path, struct buf *out, int64_t *ret_index)
{
    static const char health[] = "/v1/health/service/";
    char *query = strchr(path, '?');
    if (strncmp(path, health, strlen(health)) != 0)
        return 404;
    const char *index = query ? strstr(query, "index=") : NULL, *wait = query ? strstr(query, "wait=") : NULL;
    await_change(index ? atoll(index + strlen("index=")) : 0, wait ? atoll(wait + strlen("wait=")) : 0);
    if (query)
        *query = '\0';
    write_services(path + strlen(health), out);
    *ret_index = now_index;
    return 200;
}

static enum fake_end answer(const char *request, struct buf *out, void *context)
{
    char path[2 * TEXT_SIZE], token[FAKE_HEADER_SIZE], headers[TEXT_SIZE];
    struct buf body;
    int64_t index = 0;
    int status;
    (void)context;
    const char *at = strchr(request, ' ') + 1;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(at, " "), at);
    buf_init(&body, 256 * 1024);
    pthread_mutex_lock(&lock);
    if (is_locked && strcmp(fake_service_header(request, "X-Consul-Token", token), TOKEN) != 0)
        status = 403;
    else
        status = strncmp(request, "PUT", 3) == 0 ? put(request, path) : get(path, &body, &index);
    pthread_mutex_unlock(&lock);
    snprintf(headers, sizeof headers, "X-Consul-Index: %lld\r\n", (long long)index);
    fake_service_say(out, status, headers, buf_string(&body));
    buf_fini(&body);
    return FAKE_KEEP;
}

/* ---- as a registry of a test ---- */

static const char *lacks(void)
{
    return NULL;
}

static enum err start_again(bool forgetful)
{
    if (forgetful) {
        memset(services, 0, sizeof services);
        now_index = 1;
    }
    is_over = false;
    fake = fake_service_start_at(port, answer, NULL);
    return ERR_NONE;
}

static enum err start(void)
{
    folder = process_folder();
    if (!folder)
        return err_because(ERR_IO, "no temporary folder");
    port = process_free_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    return start_again(true);
}

static void kill_it(void)
{
    if (!fake)
        return;
    pthread_mutex_lock(&lock);
    is_over = true;
    pthread_mutex_unlock(&lock);
    fake_service_stop(fake);
    fake = NULL;
}

static void stop(void)
{
    kill_it();
    if (folder)
        process_remove(folder);
    free(folder);
    folder = NULL;
}

static void opts(struct discovery_opts *opts)
{
    opts->driver = "consul";
    opts->servers = url;
    if (is_locked)
        opts->secret_file = secret;
}

static enum err require_token(void)
{
    snprintf(secret, sizeof secret, "%s/token", folder);
    FILE *file = fopen(secret, "w");
    if (!file || fchmod(fileno(file), 0600) < 0 || fputs(TOKEN "\n", file) < 0 || fclose(file) != 0)
        return err_because(ERR_IO, "no file for a token");
    pthread_mutex_lock(&lock);
    is_locked = true;
    pthread_mutex_unlock(&lock);
    return ERR_NONE;
}

const struct registry_server registry_server_consul = {
    .name = "consul (stand-in)",
    .abilities = REGISTRY_REGISTERS | REGISTRY_AWAY | REGISTRY_NOTES | REGISTRY_SIGNS_IN | REGISTRY_DOUBTED,
    .lacks = lacks,
    .start = start,
    .stop = stop,
    .opts = opts,
    .kill = kill_it,
    .start_again = start_again,
    .lock = require_token,
};

/* ---- a real one, which is somebody else's ---- */

static const char *lacks_real(void)
{
    return getenv("TANDEM_TEST_CONSUL") ? NULL : "TANDEM_TEST_CONSUL does not say where a Consul agent is";
}

static enum err start_real(void)
{
    snprintf(url, sizeof url, "http://%s", getenv("TANDEM_TEST_CONSUL"));
    return ERR_NONE;
}

static void leave_real(void)
{
}

const struct registry_server registry_server_consul_real = {
    .name = "consul",
    .abilities = REGISTRY_REGISTERS | REGISTRY_NOTES | REGISTRY_DOUBTED,
    .lacks = lacks_real,
    .start = start_real,
    .stop = leave_real,
    .opts = opts,
};
