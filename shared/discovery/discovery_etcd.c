/* etcd: a record an instance, kept by a lease; whoever follows reads them all, and watches from that revision on. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/secret_file.h"
#include "discovery/discovery_private.h"
#include "discovery/etcd_json.h"
#include "discovery/registry.h"

enum { KEY_SIZE = 512, TOKEN_MAX_SIZE = 1024 };
enum { BODY_MAX_BYTES = 16384, RECORD_MAX_BYTES = 4096, SECRET_MAX_BYTES = 4096 };
enum { OK = 200, BAD_REQUEST = 400, UNAUTHORIZED = 401, NOT_FOUND = 404 };

/* One thread's: a follower, or a registrar. */
struct etcd {
    const struct discovery_opts *opts;
    struct registry *registry;
    struct waiter *waiter;
    char token[TOKEN_MAX_SIZE];        /* of who has signed in; "": nobody has */
    char key[KEY_SIZE];                /* follower: PREFIX/NAME/; registrar: of the record */
    int64_t revision;                  /* follower: that was read; 0: none */
    struct instance instance;          /* registrar */
    int64_t lease;                     /* registrar: 0: none */
    bool is_put;
};

/* ---- questions ---- */

static enum err write_credentials(const struct etcd *etcd, struct buf *body)
{
    struct buf password;
    struct json_writer writer;
    buf_init(&password, SECRET_MAX_BYTES);
    enum err err = secret_file_read(etcd->opts->secret_file, &password);
    struct text line = buf_text(&password);
    line = line.at ? text_split(&line, '\n') : TEXT("");
    json_writer_init(&writer, body);
    json_object_begin(&writer);
    json_member_string(&writer, "name", etcd->opts->user);
    json_member_text(&writer, "password", line);
    json_object_end(&writer);
    if (password.data)
        explicit_bzero(password.data, password.capacity);
    buf_fini(&password);
    return err ? err : buf_check(body);
}

static enum err sign_in(struct etcd *etcd, bool is_last_will)
{
    struct registry_answer answer;
    struct buf body;
    buf_init(&body, BODY_MAX_BYTES);
    enum err err = write_credentials(etcd, &body);
    if (!err) {
        const struct registry_request request = {
            .method = "POST", .path = "/v3/auth/authenticate", .body = buf_text(&body), .is_last_will = is_last_will};
        err = registry_ask(etcd->registry, &request, &answer);
    }
    if (body.data)
        explicit_bzero(body.data, body.capacity);
    buf_fini(&body);
    if (err)
        return err;
    err = answer.status == OK ? etcd_read_token(buf_text(&answer.body), etcd->token, sizeof etcd->token)
                              : err_because(ERR_UNAVAILABLE, "etcd does not let \"%s\" in: %d", etcd->opts->user,
                                            answer.status);
    buf_fini(&answer.body);
    return err;
}

/* A token does not last, and no server but the one that gave it may know it. */
static enum err ask(struct etcd *etcd, struct registry_request request, struct registry_answer *ret)
{
    bool signs_in = *etcd->opts->user != '\0';
    for (int i = 0;; i++) {
        enum err err = signs_in && !*etcd->token ? sign_in(etcd, request.is_last_will) : ERR_NONE;
        request.method = "POST";
        request.secret_header = "Authorization";
        request.secret = secret_of(text_of(etcd->token));
        if (!err)
            err = registry_ask(etcd->registry, &request, ret);
        if (err)
            return err;
        bool is_unknown = ret->status == UNAUTHORIZED || (signs_in && ret->status == BAD_REQUEST);
        if (!is_unknown || i > 0)
            return ERR_NONE;
        buf_fini(&ret->body);
        etcd->token[0] = '\0';
        if (!signs_in)
            return err_because(ERR_UNAVAILABLE, "etcd wants somebody to sign in: discovery.user");
    }
}

/* One whose answer is to be 200; else it is an error that quotes it. */
static enum err ask_well(struct etcd *etcd, struct registry_request request, struct registry_answer *ret)
{
    struct registry_answer answer;
    enum err err = ask(etcd, request, &answer);
    if (err || answer.status == OK) {
        if (!err)
            *ret = answer;
        return err;
    }
    err = err_because(answer.status == NOT_FOUND ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "etcd: %s: %d %.200s",
                      request.path, answer.status, buf_string(&answer.body));
    buf_fini(&answer.body);
    return err;
}

/* ---- life ---- */

static enum err etcd_open(const struct discovery_opts *opts, void **ret)
{
    enum err err = registry_check_servers(opts->servers);
    if (err)
        return err;
    if (*opts->user && !*opts->secret_file)
        return err_because(ERR_CONFIG, "discovery.user needs discovery.secret_file, with the password");
    if (opts->prefix[0] != '/' || !text_is_visible_ascii(text_of(opts->prefix)))
        return err_because(ERR_CONFIG, "discovery.prefix is \"%s\", and has to begin with a slash", opts->prefix);
    *ret = (void *)(uintptr_t)opts;
    return ERR_NONE;
}

static void etcd_close(void *state)
{
    (void)state;
}

static void etcd_free(void *context)
{
    struct etcd *etcd = context;
    registry_free(etcd->registry);
    explicit_bzero(etcd->token, sizeof etcd->token);
    free(etcd);
}

static enum err etcd_new(const struct discovery_opts *opts, struct waiter *waiter, struct etcd **ret)
{
    struct etcd *etcd = calloc(1, sizeof *etcd);
    if (!etcd)
        return err_because(ERR_MEMORY, "no memory to ask etcd");
    etcd->opts = opts;
    etcd->waiter = waiter;
    enum err err = registry_new(opts, waiter, &etcd->registry);
    if (err)
        free(etcd);
    else
        *ret = etcd;
    return err;
}

/* ---- to find ---- */

static enum err follower_new(void *state, const char *service, struct waiter *waiter, void **ret)
{
    const struct discovery_opts *opts = state;
    struct etcd *etcd;
    enum err err = etcd_new(opts, waiter, &etcd);
    if (err)
        return err;
    snprintf(etcd->key, sizeof etcd->key, "%s/%s/", opts->prefix, service);
    *ret = etcd;
    return ERR_NONE;
}

/* All keys that begin with this one, which ends with a slash: up to where the character after the slash would be. */
static void write_keys(const struct etcd *etcd, struct json_writer *writer)
{
    char end[KEY_SIZE];
    size_t length = strlen(etcd->key);
    memcpy(end, etcd->key, length + 1);
    end[length - 1]++;
    etcd_write_bytes(writer, "key", text_of(etcd->key));
    etcd_write_bytes(writer, "range_end", text_of(end));
}

static enum err read_all(struct etcd *etcd, struct discovery_found *found)
{
    struct registry_answer answer;
    struct json_writer writer;
    struct buf body;
    buf_init(&body, BODY_MAX_BYTES);
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    write_keys(etcd, &writer);
    json_object_end(&writer);
    enum err err = buf_check(&body);
    if (!err)
        err = ask_well(etcd, (struct registry_request){.path = "/v3/kv/range", .body = buf_text(&body)}, &answer);
    buf_fini(&body);
    if (err)
        return err;
    err = etcd_read_range(buf_text(&answer.body), found, &etcd->revision);
    buf_fini(&answer.body);
    return err;
}

static bool wait_on(void *context, struct text line)
{
    (void)context;
    return !etcd_line_tells(line);
}

/* From the revision after the one that was read, so that nothing falls between. A revision that was compacted away ends
 * the watch, and then all is read again, as it is in any case after refresh_ms. */
static enum err wait_for_change(struct etcd *etcd)
{
    struct registry_answer answer;
    struct json_writer writer;
    struct buf body;
    char from[24];
    buf_init(&body, BODY_MAX_BYTES);
    snprintf(from, sizeof from, "%" PRId64, etcd->revision + 1);
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    json_key(&writer, "create_request");
    json_object_begin(&writer);
    write_keys(etcd, &writer);
    json_member_string(&writer, "start_revision", from);
    json_object_end(&writer);
    json_object_end(&writer);
    const struct registry_request request = {
        .path = "/v3/watch",
        .body = buf_text(&body),
        .timeout_ms = etcd->opts->refresh_ms,
        .first_byte_ms = etcd->opts->timeout_ms,
        .line = wait_on,
    };
    enum err err = buf_check(&body);
    if (!err)
        err = ask_well(etcd, request, &answer);
    buf_fini(&body);
    if (!err)
        buf_fini(&answer.body);
    return err;
}

static enum err follow(void *context, struct discovery_found *found)
{
    struct etcd *etcd = context;
    enum err err = etcd->revision ? wait_for_change(etcd) : ERR_NONE;
    if (!err)
        err = read_all(etcd, found);
    if (err)
        etcd->revision = 0;
    return err;
}

/* ---- to be found ---- */

static enum err registrar_new(void *state, const char *service, const struct instance *instance,
                              struct waiter *waiter, void **ret)
{
    const struct discovery_opts *opts = state;
    struct etcd *etcd;
    if (strchr(instance->id, '/'))
        return err_because(ERR_INVALID, "the id \"%s\" has a slash", instance->id);
    enum err err = etcd_new(opts, waiter, &etcd);
    if (err)
        return err;
    etcd->instance = *instance;
    snprintf(etcd->key, sizeof etcd->key, "%s/%s/%s", opts->prefix, service, instance->id);
    *ret = etcd;
    return ERR_NONE;
}

static enum err ask_lease(struct etcd *etcd, const char *path, const char *body, int64_t *ret_id)
{
    struct registry_answer answer;
    enum err err = ask_well(etcd, (struct registry_request){.path = path, .body = text_of(body)}, &answer);
    if (err)
        return err;
    err = etcd_read_lease(buf_text(&answer.body), ret_id);
    buf_fini(&answer.body);
    return err;
}

static enum err grant(struct etcd *etcd)
{
    char body[64];
    snprintf(body, sizeof body, "{\"TTL\":%u}", (etcd->opts->ttl_ms + 999) / 1000);
    etcd->is_put = false;
    return ask_lease(etcd, "/v3/lease/grant", body, &etcd->lease);
}

static enum err keep_alive(struct etcd *etcd)
{
    char body[64];
    int64_t id;
    snprintf(body, sizeof body, "{\"ID\":\"%" PRId64 "\"}", etcd->lease);
    return ask_lease(etcd, "/v3/lease/keepalive", body, &id);
}

static enum err put_record(struct etcd *etcd)
{
    struct registry_answer answer;
    struct json_writer writer;
    struct buf body, record;
    char lease[24];
    buf_init(&body, BODY_MAX_BYTES);
    buf_init(&record, RECORD_MAX_BYTES);
    etcd_write_record(&etcd->instance, &record);
    snprintf(lease, sizeof lease, "%" PRId64, etcd->lease);
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    etcd_write_bytes(&writer, "key", text_of(etcd->key));
    etcd_write_bytes(&writer, "value", buf_text(&record));
    json_member_string(&writer, "lease", lease);
    json_object_end(&writer);
    enum err err = buf_check(&record);
    if (!err)
        err = buf_check(&body);
    if (!err)
        err = ask_well(etcd, (struct registry_request){.path = "/v3/kv/put", .body = buf_text(&body)}, &answer);
    buf_fini(&record);
    buf_fini(&body);
    if (err)
        return err;
    buf_fini(&answer.body);
    etcd->is_put = true;
    return ERR_NONE;
}

static enum err withdraw(void *context, unsigned timeout_ms)
{
    struct etcd *etcd = context;
    struct registry_answer answer;
    char body[64];
    if (!etcd->lease)
        return ERR_NONE;
    snprintf(body, sizeof body, "{\"ID\":\"%" PRId64 "\"}", etcd->lease);
    const struct registry_request request = {
        .path = "/v3/lease/revoke", .body = text_of(body), .timeout_ms = timeout_ms, .is_last_will = true};
    enum err err = ask_well(etcd, request, &answer);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!err)
        buf_fini(&answer.body);
    etcd->lease = 0;
    etcd->is_put = false;
    return ERR_NONE;
}

/* A record has no health: one that is critical has no record. */
static enum err announce(void *context, enum discovery_health health, const char *note)
{
    struct etcd *etcd = context;
    enum err err = ERR_NONE;
    (void)note;
    if (health == DISCOVERY_CRITICAL)
        return withdraw(etcd, etcd->opts->timeout_ms);
    if (etcd->lease) {
        err = keep_alive(etcd);
        if (err == ERR_NOT_FOUND) {   /* it was away for too long, or etcd has forgotten */
            etcd->lease = 0;
            err = ERR_NONE;
        }
    }
    if (!err && !etcd->lease)
        err = grant(etcd);
    if (!err && !etcd->is_put)
        err = put_record(etcd);
    return err;
}

const struct discovery_driver discovery_etcd = {
    .name = "etcd",
    .open = etcd_open,
    .close = etcd_close,
    .follower_new = follower_new,
    .follow = follow,
    .follower_free = etcd_free,
    .registrar_new = registrar_new,
    .announce = announce,
    .withdraw = withdraw,
    .registrar_free = etcd_free,
};
