#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/auth.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"

enum { TOKEN_MAX = 512, WAYS = 4 };

/*
 * The cache is a table of sets of WAYS entries. A token's digest is uniformly random, so its first bytes are its set;
 * within a set, the entry that ends first makes room. Bounded by construction, and no list to keep.
 */
struct remembered {
    struct identity identity;
    int64_t until_ns;
};

struct auth {
    struct client *client;
    char *token_file;
    unsigned timeout_ms;
    int64_t ttl_ns;
    pthread_mutex_t lock;
    size_t sets;
    struct remembered entries[];
};

enum err auth_new(const struct auth_opts *opts, struct auth **ret)
{
    size_t sets = opts->cache_entries / WAYS + 1;
    struct auth *auth = calloc(1, sizeof *auth + sets * WAYS * sizeof auth->entries[0]);
    char *token_file = strdup(opts->token_file);
    if (!auth || !token_file) {
        free(auth);
        free(token_file);
        return err_because(ERR_MEMORY, "no memory for the token cache");
    }
    auth->client = opts->client;
    auth->token_file = token_file;
    auth->timeout_ms = opts->timeout_ms;
    auth->ttl_ns = opts->cache_ttl_s * NS_PER_S;
    auth->sets = sets;
    pthread_mutex_init(&auth->lock, NULL);
    *ret = auth;
    return ERR_NONE;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    pthread_mutex_destroy(&auth->lock);
    free(auth->token_file);
    free(auth);
}

static struct remembered *set_of(struct auth *auth, const char *token_digest)
{
    char head[9];
    memcpy(head, token_digest, sizeof head - 1);
    head[sizeof head - 1] = '\0';
    return &auth->entries[strtoul(head, NULL, 16) % auth->sets * WAYS];
}

enum err auth_recall(struct auth *auth, const char *token_digest, struct identity *ret)
{
    int64_t now = clock_now_ns();
    enum err err = ERR_AGAIN;
    pthread_mutex_lock(&auth->lock);
    struct remembered *set = set_of(auth, token_digest);
    for (int i = 0; i < WAYS; i++) {
        if (set[i].until_ns > now && strcmp(set[i].identity.token_digest, token_digest) == 0) {
            *ret = set[i].identity;
            err = ERR_NONE;
            break;
        }
    }
    pthread_mutex_unlock(&auth->lock);
    return err;
}

static void remember(struct auth *auth, const struct identity *identity)
{
    int64_t left_ns = (identity->expires_us - clock_wall_us()) * (NS_PER_S / US_PER_S);
    if (left_ns <= 0)
        return;
    pthread_mutex_lock(&auth->lock);
    struct remembered *set = set_of(auth, identity->token_digest);
    struct remembered *place = set;
    for (int i = 0; i < WAYS; i++) {
        if (strcmp(set[i].identity.token_digest, identity->token_digest) == 0) {
            place = &set[i];
            break;
        }
        if (set[i].until_ns < place->until_ns)
            place = &set[i];
    }
    place->identity = *identity;
    place->until_ns = clock_now_ns() + (left_ns < auth->ttl_ns ? left_ns : auth->ttl_ns);
    pthread_mutex_unlock(&auth->lock);
}

/* Read at each use, so that a renewed token needs no restart. */
static enum err own_token(const struct auth *auth, char out[static TOKEN_MAX])
{
    int fd = open(auth->token_file, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, out, TOKEN_MAX - 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return err_because(ERR_UNAVAILABLE, "user.token_file %s: %s", auth->token_file, strerror(error));
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\r'))
        length--;
    out[length] = '\0';
    if (length == 0 || !text_is_visible_ascii(text_of(out)))
        return err_because(ERR_UNAVAILABLE, "user.token_file %s does not hold a token", auth->token_file);
    return ERR_NONE;
}

struct introspection {
    bool active;
    struct text user_id, role, expires_at;
};

static const struct json_field introspection_fields[] = {
    {.name = "active", .type = JSON_BOOLEAN, .required = true, .offset = offsetof(struct introspection, active)},
    {.name = "user_id", .type = JSON_TEXT, .max = ID_LENGTH, .offset = offsetof(struct introspection, user_id)},
    {.name = "role", .type = JSON_TEXT, .max = 32, .offset = offsetof(struct introspection, role)},
    {.name = "expires_at", .type = JSON_TEXT, .max = 64, .offset = offsetof(struct introspection, expires_at)},
    {.name = NULL},
};

static enum err read_answer(struct text body, struct arena *arena, struct identity *identity)
{
    struct json_document *document = NULL;
    struct introspection answer = {.active = false};
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(body, &document);
    if (!err)
        err = json_read_lenient(document, introspection_fields, arena, &answer, &faults);
    json_free(document);
    if (err == ERR_MEMORY)
        return err;
    if (!err && !answer.active)
        return err_because(ERR_UNAUTHENTICATED, "the token is not active");
    if (err || !id_is_valid(answer.user_id) || !role_of(answer.role) ||
        clock_parse_rfc3339(answer.expires_at, &identity->expires_us) != ERR_NONE)
        return err_because(ERR_UNAVAILABLE, "the user service's answer to an introspection is not understood");
    memcpy(identity->user_id, answer.user_id.at, ID_LENGTH);
    identity->user_id[ID_LENGTH] = '\0';
    identity->role = role_of(answer.role);
    return ERR_NONE;
}

static enum err ask(struct auth *auth, const struct call *call, struct text token, struct client_response *ret)
{
    char own[TOKEN_MAX], authorization[TOKEN_MAX + sizeof "Bearer "];
    enum err err = own_token(auth, own);
    if (err)
        return err;
    snprintf(authorization, sizeof authorization, "Bearer %s", own);
    struct http_param headers[] = {
        {TEXT("Authorization"), text_of(authorization)},
        {TEXT("Content-Type"), TEXT("application/json")},
        {TEXT("X-Request-Id"), call->request_id},
        {TEXT("traceparent"), call->traceparent},
    };
    size_t header_count = sizeof headers / sizeof headers[0];
    struct buf body;
    struct json_writer writer;
    buf_init(&body, TOKEN_MAX * 6 + 32);
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    json_member_text(&writer, "token", token);
    json_object_end(&writer);
    struct client_request request = {
        .method = HTTP_POST,
        .path = "/v1/sessions/introspect",
        .headers = headers,
        .header_count = call->traceparent.at ? header_count : header_count - 1,
        .body = buf_text(&body),
        .timeout_ms = auth->timeout_ms,
    };
    err = buf_check(&body);
    if (!err)
        err = client_call(auth->client, &request, ret);
    buf_fini(&body);
    return err;
}

enum err auth_introspect(struct auth *auth, const struct call *call, struct identity *ret)
{
    struct text token = secret_reveal(auth_bearer(&call->exchange->request));
    struct identity identity = {.role = 0};
    struct client_response response;
    if (token.length > TOKEN_MAX)
        return err_because(ERR_UNAUTHENTICATED, "the token is too long");
    enum err err = ask(auth, call, token, &response);
    if (err)
        return err;
    if (response.status == 200) {
        struct arena arena;
        arena_init(&arena, 64 * 1024);
        err = read_answer(buf_text(&response.body), &arena, &identity);
        arena_fini(&arena);
    } else {
        err = err_because(ERR_UNAVAILABLE, "the user service answered an introspection with %d", response.status);
    }
    buf_fini(&response.body);
    if (err)
        return err;
    digest_hex(token, identity.token_digest);
    remember(auth, &identity);
    *ret = identity;
    return ERR_NONE;
}

struct secret auth_bearer(const struct http_request *request)
{
    struct text value = http_header(request, "Authorization");
    if (!value.at || !text_starts_nocase(value, TEXT("Bearer ")))
        return SECRET_NONE;
    struct text token = text_trim((struct text){value.at + strlen("Bearer "), value.length - strlen("Bearer ")});
    return token.length > 0 && text_is_visible_ascii(token) ? secret_of(token) : SECRET_NONE;
}
