/*
 * consul: its HTTP API (Consul 1.x, /v1), at the local agent. A service with a TTL check that this process keeps
 * passing, warning or critical; found by blocking queries on /v1/health/service, those that are not critical.
 */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_write.h"
#include "conf/secret_file.h"
#include "discovery/discovery_private.h"
#include "discovery/registry.h"

enum { PATH_SIZE = 512, BODY_MAX_BYTES = 16384, ARENA_MAX_BYTES = 16 * 1024 * 1024, SECRET_MAX_BYTES = 4096 };
enum { OK = 200, WAIT_MARGIN = 16 };   /* a server waits up to a sixteenth longer than it was told to */

/* One thread's: a follower, or a registrar. */
struct consul {
    const struct discovery_opts *opts;
    struct registry *registry;
    char service[DISCOVERY_NAME_SIZE];
    int64_t index;                     /* follower: that was read; 0: none */
    struct instance instance;          /* registrar */
    bool is_registered;
};

/* ---- questions ---- */

static enum err ask_with(struct consul *consul, struct registry_request *request, struct text secret,
                         struct registry_answer *ret)
{
    request->secret_header = "X-Consul-Token";
    request->secret = secret_of(secret);
    return registry_ask(consul->registry, request, ret);
}

/* Any status below 500. The token is read at each use, so that it can be renewed. */
static enum err ask(struct consul *consul, struct registry_request request, struct registry_answer *ret)
{
    struct buf secret;
    if (!*consul->opts->secret_file)
        return ask_with(consul, &request, TEXT_NONE, ret);
    buf_init(&secret, SECRET_MAX_BYTES);
    enum err err = secret_file_read(consul->opts->secret_file, &secret);
    if (!err) {
        struct text rest = buf_text(&secret);
        err = ask_with(consul, &request, text_trim(text_split(&rest, '\n')), ret);
    }
    if (secret.data)
        explicit_bzero(secret.data, secret.capacity);
    buf_fini(&secret);
    return err;
}

static enum err ask_well(struct consul *consul, struct registry_request request, struct registry_answer *ret)
{
    struct registry_answer answer;
    enum err err = ask(consul, request, &answer);
    if (err || answer.status == OK) {
        if (!err)
            *ret = answer;
        return err;
    }
    err = err_because(answer.status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "consul: %s: %d %.200s", request.path,
                      answer.status, buf_string(&answer.body));
    buf_fini(&answer.body);
    return err;
}

/* ---- life ---- */

static enum err consul_open(const struct discovery_opts *opts, void **ret)
{
    enum err err = registry_check_servers(opts->servers);
    if (!err)
        *ret = (void *)(uintptr_t)opts;
    return err;
}

static void consul_close(void *state)
{
    (void)state;
}

static void consul_free(void *context)
{
    struct consul *consul = context;
    registry_free(consul->registry);
    free(consul);
}

static enum err follower_new(void *state, const char *service, struct waiter *waiter, void **ret)
{
    struct consul *consul = calloc(1, sizeof *consul);
    if (!consul)
        return err_because(ERR_MEMORY, "no memory to ask consul");
    consul->opts = state;
    snprintf(consul->service, sizeof consul->service, "%s", service);
    enum err err = registry_new(state, waiter, &consul->registry);
    if (err)
        free(consul);
    else
        *ret = consul;
    return err;
}

/* ---- to find ---- */

struct meta {
    struct text scheme, version, zone;
};

struct weights {
    int64_t passing;
};

struct entry_service {
    struct text id, address;
    int64_t port;
    struct meta meta;
    struct weights weights;
};

struct entry_node {
    struct text address;
};

struct entry_check {
    struct text status;
};

struct entry {
    struct entry_node node;
    struct entry_service service;
    struct json_array checks;
};

struct entries {
    struct json_array list;
};

#define FIELD(struct_name, member, kind, name_, ...)                                                                  \
    {.name = (name_), .type = (kind), .offset = offsetof(struct struct_name, member), ##__VA_ARGS__}

static const struct json_field meta_fields[] = {
    FIELD(meta, scheme, JSON_TEXT, "scheme"), FIELD(meta, version, JSON_TEXT, "version"),
    FIELD(meta, zone, JSON_TEXT, "zone"), {.name = NULL}};
static const struct json_field weights_fields[] = {
    FIELD(weights, passing, JSON_INTEGER, "Passing"), {.name = NULL}};
static const struct json_field service_fields[] = {
    FIELD(entry_service, id, JSON_TEXT, "ID"), FIELD(entry_service, address, JSON_TEXT, "Address"),
    FIELD(entry_service, port, JSON_INTEGER, "Port"),
    FIELD(entry_service, meta, JSON_OBJECT, "Meta", .fields = meta_fields),
    FIELD(entry_service, weights, JSON_OBJECT, "Weights", .fields = weights_fields), {.name = NULL}};
static const struct json_field node_fields[] = {FIELD(entry_node, address, JSON_TEXT, "Address"), {.name = NULL}};
static const struct json_field check_fields[] = {FIELD(entry_check, status, JSON_TEXT, "Status"), {.name = NULL}};
static const struct json_field entry_fields[] = {
    FIELD(entry, node, JSON_OBJECT, "Node", .fields = node_fields),
    FIELD(entry, service, JSON_OBJECT, "Service", .required = true, .fields = service_fields),
    FIELD(entry, checks, JSON_ARRAY, "Checks", .fields = check_fields, .element_size = sizeof(struct entry_check)),
    {.name = NULL}};
static const struct json_field entries_fields[] = {
    FIELD(entries, list, JSON_ARRAY, "entries", .required = true, .fields = entry_fields,
          .element_size = sizeof(struct entry)),
    {.name = NULL}};

static bool is_critical(const struct entry *entry)
{
    const struct entry_check *checks = entry->checks.elements;
    for (size_t i = 0; i < entry->checks.count; i++)
        if (!text_equal_string(checks[i].status, "passing") && !text_equal_string(checks[i].status, "warning"))
            return true;
    return false;
}

static bool put(struct text text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", TEXT_ARGS(text));
    return text.length < size;
}

/* A service without an address of its own is at its node's; one that somebody else registered, without meta, is of
 * http. */
static void add_entry(const struct entry *entry, struct discovery_found *found)
{
    const struct entry_service *service = &entry->service;
    struct instance instance = {.weight = INSTANCE_WEIGHT};
    struct text address = service->address.length ? service->address : entry->node.address;
    struct text scheme = service->meta.scheme.length ? service->meta.scheme : TEXT("http");
    bool fits = put(service->id, instance.id, sizeof instance.id) &&
                put(address, instance.address, sizeof instance.address) &&
                put(scheme, instance.scheme, sizeof instance.scheme) &&
                put(service->meta.version, instance.version, sizeof instance.version) &&
                put(service->meta.zone, instance.zone, sizeof instance.zone) && service->port >= 0 &&
                service->port <= UINT16_MAX;
    instance.port = fits ? (unsigned)service->port : 0;
    if (service->weights.passing >= 1 && service->weights.passing <= INSTANCE_WEIGHT_MAX)
        instance.weight = (unsigned)service->weights.passing;
    discovery_found_add(found, &instance);
}

/* The answer is an array, and what reads JSON reads objects. */
static enum err read_entries(struct text body, struct discovery_found *found)
{
    struct entries entries = {.list = {.count = 0}};
    struct json_document *document = NULL;
    struct json_faults faults;
    struct arena arena;
    struct buf object;
    buf_init(&object, body.length + 32);
    buf_add_string(&object, "{\"entries\":");
    buf_add_text(&object, body);
    buf_add_string(&object, "}");
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = buf_check(&object);
    if (!err)
        err = json_parse(buf_text(&object), &document);
    if (!err)
        err = json_read_lenient(document, entries_fields, &arena, &entries, &faults);
    if (err && err != ERR_MEMORY)
        err = err_because(ERR_PROTOCOL, "consul's answer is not understood");
    const struct entry *list = entries.list.elements;
    for (size_t i = 0; i < entries.list.count && !err; i++)
        if (!is_critical(&list[i]))
            add_entry(&list[i], found);
    json_free(document);
    arena_fini(&arena);
    buf_fini(&object);
    return err;
}

/* The index is only good for asking what is newer: one that goes backwards (a server that was restored) means that all
 * begins anew, and one below 1 is none. */
static int64_t next_index(int64_t before, int64_t now)
{
    return now < before || now < 1 ? 0 : now;
}

static enum err follow(void *context, struct discovery_found *found)
{
    struct consul *consul = context;
    struct registry_answer answer;
    char path[PATH_SIZE];
    unsigned wait_ms = consul->opts->refresh_ms;
    snprintf(path, sizeof path, "/v1/health/service/%s?index=%" PRId64 "&wait=%ums", consul->service, consul->index,
             wait_ms);
    const struct registry_request request = {
        .method = "GET",
        .path = path,
        .timeout_ms = wait_ms + wait_ms / WAIT_MARGIN + consul->opts->timeout_ms,
        .first_byte_ms = consul->index ? 0 : consul->opts->timeout_ms,
    };
    enum err err = ask_well(consul, request, &answer);
    if (!err) {
        err = read_entries(buf_text(&answer.body), found);
        consul->index = err ? 0 : next_index(consul->index, answer.index);
        buf_fini(&answer.body);
    }
    if (err)
        consul->index = 0;
    return err;
}

/* ---- to be found ---- */

static enum err registrar_new(void *state, const char *service, const struct instance *instance,
                              struct waiter *waiter, void **ret)
{
    void *consul;
    if (strpbrk(instance->id, "/?%&#"))
        return err_because(ERR_INVALID, "the id \"%s\" cannot be in a path", instance->id);
    enum err err = follower_new(state, service, waiter, &consul);
    if (err)
        return err;
    ((struct consul *)consul)->instance = *instance;
    *ret = consul;
    return ERR_NONE;
}

static void write_check(const struct consul *consul, struct json_writer *writer)
{
    char text[32];
    json_object_begin(writer);
    snprintf(text, sizeof text, "%ums", consul->opts->ttl_ms);
    json_member_string(writer, "TTL", text);
    snprintf(text, sizeof text, "%ums", consul->opts->critical_after_ms);
    json_member_string(writer, "DeregisterCriticalServiceAfter", text);
    json_member_string(writer, "Status", "critical");   /* until the first sign of life */
    json_object_end(writer);
}

static void write_service(const struct consul *consul, struct json_writer *writer)
{
    const struct instance *instance = &consul->instance;
    json_object_begin(writer);
    json_member_string(writer, "ID", instance->id);
    json_member_string(writer, "Name", consul->service);
    json_member_string(writer, "Address", instance->address);
    json_member_integer(writer, "Port", instance->port);
    json_key(writer, "Tags");
    json_array_begin(writer);
    json_string(writer, instance->scheme);
    json_array_end(writer);
    json_key(writer, "Meta");
    json_object_begin(writer);
    json_member_string(writer, "scheme", instance->scheme);
    json_member_string(writer, "version", instance->version);
    json_member_string(writer, "zone", instance->zone);
    json_object_end(writer);
    json_key(writer, "Weights");
    json_object_begin(writer);
    json_member_integer(writer, "Passing", instance->weight);
    json_member_integer(writer, "Warning", instance->weight);
    json_object_end(writer);
    json_key(writer, "Check");
    write_check(consul, writer);
    json_object_end(writer);
}

static enum err put_well(struct consul *consul, const char *path, struct text body, unsigned timeout_ms)
{
    struct registry_answer answer;
    const struct registry_request request = {
        .method = "PUT", .path = path, .body = body, .timeout_ms = timeout_ms, .is_last_will = timeout_ms > 0};
    enum err err = ask_well(consul, request, &answer);
    if (!err)
        buf_fini(&answer.body);
    return err;
}

static enum err register_service(struct consul *consul)
{
    struct json_writer writer;
    struct buf body;
    buf_init(&body, BODY_MAX_BYTES);
    json_writer_init(&writer, &body);
    write_service(consul, &writer);
    enum err err = buf_check(&body);
    if (!err)
        err = put_well(consul, "/v1/agent/service/register?replace-existing-checks=true", buf_text(&body), 0);
    buf_fini(&body);
    consul->is_registered = !err;
    return err;
}

static enum err tell_health(struct consul *consul, enum discovery_health health, const char *note)
{
    static const char *const statuses[] = {
        [DISCOVERY_PASSING] = "passing", [DISCOVERY_WARNING] = "warning", [DISCOVERY_CRITICAL] = "critical"};
    char path[PATH_SIZE];
    struct json_writer writer;
    struct buf body;
    buf_init(&body, BODY_MAX_BYTES);
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    json_member_string(&writer, "Status", statuses[health]);
    json_member_string(&writer, "Output", note);
    json_object_end(&writer);
    snprintf(path, sizeof path, "/v1/agent/check/update/service:%s", consul->instance.id);
    enum err err = buf_check(&body);
    if (!err)
        err = put_well(consul, path, buf_text(&body), 0);
    buf_fini(&body);
    return err;
}

/* A check that the agent does not know, since it has lost its memory, is answered 404, or 500 by older ones. */
static enum err announce(void *context, enum discovery_health health, const char *note)
{
    struct consul *consul = context;
    enum err err = consul->is_registered ? tell_health(consul, health, note) : ERR_NOT_FOUND;
    if (err == ERR_NONE || err == ERR_CLOSED)
        return err;
    err = register_service(consul);
    return err ? err : tell_health(consul, health, note);
}

static enum err withdraw(void *context, unsigned timeout_ms)
{
    struct consul *consul = context;
    char path[PATH_SIZE];
    if (!consul->is_registered)
        return ERR_NONE;
    snprintf(path, sizeof path, "/v1/agent/service/deregister/%s", consul->instance.id);
    enum err err = put_well(consul, path, TEXT_NONE, timeout_ms);
    if (err && err != ERR_NOT_FOUND)
        return err;
    consul->is_registered = false;
    return ERR_NONE;
}

const struct discovery_driver discovery_consul = {
    .name = "consul",
    .open = consul_open,
    .close = consul_close,
    .follower_new = follower_new,
    .follow = follow,
    .follower_free = consul_free,
    .registrar_new = registrar_new,
    .announce = announce,
    .withdraw = withdraw,
    .registrar_free = consul_free,
};
