#include "config.h"

#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "discovery/etcd_json.h"

enum { ARENA_MAX_BYTES = 8 * 1024 * 1024, RECORD_MAX_BYTES = 4096, BYTES_MAX = 8192 };

#define FIELD(struct_name, member, kind, name_, ...)                                                                  \
    {.name = (name_), .type = (kind), .offset = offsetof(struct struct_name, member), ##__VA_ARGS__}

/* ---- out ---- */

void etcd_write_bytes(struct json_writer *writer, const char *key, struct text bytes)
{
    char out[sodium_base64_ENCODED_LEN(BYTES_MAX, sodium_base64_VARIANT_ORIGINAL)];
    size_t length = bytes.length < BYTES_MAX ? bytes.length : BYTES_MAX;
    sodium_bin2base64(out, sizeof out, (const unsigned char *)bytes.at, length, sodium_base64_VARIANT_ORIGINAL);
    json_member_string(writer, key, out);
}

void etcd_write_record(const struct instance *instance, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_string(&writer, "scheme", instance->scheme);
    json_member_string(&writer, "address", instance->address);
    json_member_integer(&writer, "port", instance->port);
    json_member_integer(&writer, "weight", instance->weight);
    json_member_string(&writer, "version", instance->version);
    json_member_string(&writer, "zone", instance->zone);
    json_object_end(&writer);
}

/* ---- in ---- */

static enum err read_into(struct text body, const struct json_field *fields, struct arena *arena, void *out)
{
    struct json_document *document;
    struct json_faults faults;
    enum err err = json_parse(body, &document);
    if (err)
        return err == ERR_MEMORY ? err : err_because(ERR_PROTOCOL, "etcd's answer is no JSON: %s", err_cause());
    err = json_read_lenient(document, fields, arena, out, &faults);
    json_free(document);
    if (err == ERR_INVALID)
        return err_because(ERR_PROTOCOL, "etcd's answer is not understood: %.*s %s",
                           TEXT_ARGS(faults.list[0].pointer), faults.list[0].reason);
    return err;
}

struct record {
    struct text scheme, address, version, zone;
    int64_t port, weight;
};

static const struct json_field record_fields[] = {
    FIELD(record, scheme, JSON_TEXT, "scheme"),   FIELD(record, address, JSON_TEXT, "address"),
    FIELD(record, version, JSON_TEXT, "version"), FIELD(record, zone, JSON_TEXT, "zone"),
    FIELD(record, port, JSON_INTEGER, "port"),    FIELD(record, weight, JSON_INTEGER, "weight"),
    {.name = NULL},
};

static bool put(struct text text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", TEXT_ARGS(text));
    return text.length < size;
}

static bool to_instance(const struct record *record, struct text key, struct instance *ret)
{
    struct text id = key;
    while (id.at && text_find(id, '/') >= 0)
        text_split(&id, '/');
    *ret = (struct instance){.port = 0};
    bool fits = put(id, ret->id, sizeof ret->id) && put(record->scheme, ret->scheme, sizeof ret->scheme) &&
                put(record->address, ret->address, sizeof ret->address) &&
                put(record->version, ret->version, sizeof ret->version) &&
                put(record->zone, ret->zone, sizeof ret->zone);
    ret->port = record->port >= 0 && record->port <= 65535 ? (unsigned)record->port : 0;
    ret->weight = record->weight >= 0 && record->weight <= INSTANCE_WEIGHT_MAX ? (unsigned)record->weight : 0;
    return fits;
}

static bool decode(struct text base64, char *out, size_t size, struct text *ret)
{
    size_t length;
    if (!base64.at || sodium_base642bin((unsigned char *)out, size, base64.at, base64.length, NULL, &length, NULL,
                                        sodium_base64_VARIANT_ORIGINAL))
        return false;
    *ret = (struct text){out, length};
    return true;
}

struct pair {
    struct text key, value;
};

struct header {
    struct text revision;
};

struct range {
    struct header header;
    struct json_array pairs;
};

static const struct json_field pair_fields[] = {
    FIELD(pair, key, JSON_TEXT, "key"), FIELD(pair, value, JSON_TEXT, "value"), {.name = NULL}};
static const struct json_field header_fields[] = {
    FIELD(header, revision, JSON_TEXT, "revision", .required = true), {.name = NULL}};
static const struct json_field range_fields[] = {
    FIELD(range, header, JSON_OBJECT, "header", .required = true, .fields = header_fields),
    FIELD(range, pairs, JSON_ARRAY, "kvs", .fields = pair_fields, .element_size = sizeof(struct pair)),
    {.name = NULL},
};

/* One that is not understood is no reason to do without the others. */
static void add_pair(const struct pair *pair, struct arena *arena, struct discovery_found *found)
{
    char key_bytes[BYTES_MAX], value_bytes[RECORD_MAX_BYTES];
    struct text key, value;
    struct record record = {.weight = INSTANCE_WEIGHT};
    struct instance instance;
    if (!decode(pair->key, key_bytes, sizeof key_bytes, &key) ||
        !decode(pair->value, value_bytes, sizeof value_bytes, &value) ||
        read_into(value, record_fields, arena, &record) != ERR_NONE || !to_instance(&record, key, &instance)) {
        found->refused++;
        return;
    }
    discovery_found_add(found, &instance);
}

enum err etcd_read_range(struct text body, struct discovery_found *found, int64_t *ret_revision)
{
    struct range range = {.header = {.revision = TEXT_NONE}};
    struct arena arena;
    int64_t revision = 0;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = read_into(body, range_fields, &arena, &range);
    if (!err && text_to_int(range.header.revision, &revision))
        err = err_because(ERR_PROTOCOL, "etcd's answer has no revision");
    const struct pair *pairs = range.pairs.elements;
    for (size_t i = 0; i < range.pairs.count && !err; i++)
        add_pair(&pairs[i], &arena, found);
    arena_fini(&arena);
    if (!err)
        *ret_revision = revision;
    return err;
}

/* {"result": {"created": true}} says nothing; events, a cancellation (compact_revision) and an error do. */
struct watch_result {
    bool created, canceled;
    struct json_array events;
};

struct watch_line {
    struct watch_result result;
};

static const struct json_field event_fields[] = {{.name = NULL}};
static const struct json_field result_fields[] = {
    FIELD(watch_result, created, JSON_BOOLEAN, "created"),
    FIELD(watch_result, canceled, JSON_BOOLEAN, "canceled"),
    FIELD(watch_result, events, JSON_ARRAY, "events", .fields = event_fields, .element_size = 1),
    {.name = NULL},
};
static const struct json_field line_fields[] = {
    FIELD(watch_line, result, JSON_OBJECT, "result", .required = true, .fields = result_fields), {.name = NULL}};

bool etcd_line_tells(struct text line)
{
    struct watch_line read = {.result = {.created = false}};
    struct arena arena;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = read_into(line, line_fields, &arena, &read);
    arena_fini(&arena);
    return err || read.result.canceled || read.result.events.count > 0;
}

struct lease {
    struct text id, ttl;
};

struct lease_answer {
    struct text id, ttl;
    struct lease result;
};

static const struct json_field lease_fields[] = {
    FIELD(lease, id, JSON_TEXT, "ID"), FIELD(lease, ttl, JSON_TEXT, "TTL"), {.name = NULL}};
static const struct json_field lease_answer_fields[] = {
    FIELD(lease_answer, id, JSON_TEXT, "ID"), FIELD(lease_answer, ttl, JSON_TEXT, "TTL"),
    FIELD(lease_answer, result, JSON_OBJECT, "result", .fields = lease_fields), {.name = NULL}};

enum err etcd_read_lease(struct text body, int64_t *ret_id)
{
    struct lease_answer answer = {.id = TEXT_NONE};
    struct arena arena;
    int64_t id = 0, ttl = 0;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = read_into(body, lease_answer_fields, &arena, &answer);
    struct text id_text = answer.id.at ? answer.id : answer.result.id;
    struct text ttl_text = answer.ttl.at ? answer.ttl : answer.result.ttl;
    if (!err && text_to_int(id_text, &id))
        err = err_because(ERR_PROTOCOL, "etcd's answer has no lease");
    if (!err && (text_to_int(ttl_text, &ttl) || ttl <= 0))
        err = err_because(ERR_NOT_FOUND, "the lease is over");
    arena_fini(&arena);
    if (!err)
        *ret_id = id;
    return err;
}

struct token_answer {
    struct text token;
};

static const struct json_field token_fields[] = {
    FIELD(token_answer, token, JSON_TEXT, "token", .required = true), {.name = NULL}};

enum err etcd_read_token(struct text body, char *out, size_t size)
{
    struct token_answer answer = {.token = TEXT_NONE};
    struct arena arena;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = read_into(body, token_fields, &arena, &answer);
    if (!err && answer.token.length >= size)
        err = err_because(ERR_PROTOCOL, "etcd's token is too long");
    if (!err)
        snprintf(out, size, "%.*s", TEXT_ARGS(answer.token));
    arena_fini(&arena);
    return err;
}
