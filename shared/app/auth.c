#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/auth.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "conf/secret_file.h"

enum { TOKEN_MAX = 512, WAYS = 4 };

/*
 * The cache is a table of sets of WAYS entries. A token's digest is uniformly random, so its first bytes are its set;
 * within a set, the entry that was asked for first makes room. Bounded by construction, and no list to keep.
 */
struct remembered {
    struct identity identity;
    int64_t asked_ns;              /* 0: none */
    int64_t until_ns;              /* the token's own end */
};

struct auth {
    struct client *client;
    char *token_file;
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

enum err auth_recall(struct auth *auth, const struct settings *settings, const char *token_digest,
                     struct identity *ret)
{
    int64_t now_ns = clock_now_ns();
    int64_t oldest_ns = now_ns - settings_int(settings, OPTION_AUTH_CACHE_TTL_S) * NS_PER_S;
    enum err err = ERR_AGAIN;
    pthread_mutex_lock(&auth->lock);
    struct remembered *set = set_of(auth, token_digest);
    for (int i = 0; i < WAYS; i++) {
        if (set[i].until_ns > now_ns && set[i].asked_ns > oldest_ns &&
            strcmp(set[i].identity.token_digest, token_digest) == 0) {
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
        if (set[i].asked_ns < place->asked_ns)
            place = &set[i];
    }
    place->identity = *identity;
    place->asked_ns = clock_now_ns();
    place->until_ns = place->asked_ns + left_ns;
    pthread_mutex_unlock(&auth->lock);
}

/* Read at each use, so that a renewed token needs no restart. */
static enum err own_token(const struct auth *auth, char out[static TOKEN_MAX])
{
    struct buf content;
    buf_init(&content, 2 * TOKEN_MAX);
    enum err err = secret_file_read(auth->token_file, &content);
    struct text token = buf_text(&content);
    while (token.length > 0 && strchr("\r\n", token.at[token.length - 1]))
        token.length--;
    if (err)
        err = err_because(ERR_UNAVAILABLE, "user.token_file: %s", err_cause());
    else if (token.length == 0 || token.length >= TOKEN_MAX || !text_is_visible_ascii(token))
        err = err_because(ERR_UNAVAILABLE, "user.token_file %s does not hold a token", auth->token_file);
    else
        snprintf(out, TOKEN_MAX, "%.*s", TEXT_ARGS(token));
    if (content.data)
        sodium_memzero(content.data, content.capacity);
    buf_fini(&content);
    return err;
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

/* What is asked, and on whose behalf. */
struct question {
    const char *own;                  /* this service's token */
    struct text token;
    struct text request_id, traceparent;
    unsigned timeout_ms;
};

static enum err ask(struct auth *auth, const struct question *question, struct client_response *ret)
{
    char authorization[TOKEN_MAX + sizeof "Bearer "];
    snprintf(authorization, sizeof authorization, "Bearer %s", question->own);
    struct http_param headers[] = {
        {TEXT("Authorization"), text_of(authorization)},
        {TEXT("Content-Type"), TEXT("application/json")},
        {TEXT("X-Request-Id"), question->request_id},
        {TEXT("traceparent"), question->traceparent},
    };
    size_t header_count = sizeof headers / sizeof headers[0];
    struct buf body;
    struct json_writer writer;
    buf_init(&body, TOKEN_MAX * 6 + 32);
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    json_member_text(&writer, "token", question->token);
    json_object_end(&writer);
    struct client_request request = {
        .method = HTTP_POST,
        .path = "/v1/sessions/introspect",
        .headers = headers,
        .header_count = question->traceparent.at ? header_count : header_count - 1,
        .body = buf_text(&body),
        .timeout_ms = question->timeout_ms,
    };
    enum err err = buf_check(&body);
    if (!err)
        err = client_call(auth->client, &request, ret);
    buf_fini(&body);
    return err;
}

static enum err introspect(struct auth *auth, const struct question *question, struct identity *identity)
{
    struct client_response response;
    enum err err = ask(auth, question, &response);
    if (err)
        return err;
    if (response.status == 200) {
        struct arena arena;
        arena_init(&arena, 64 * 1024);
        err = read_answer(buf_text(&response.body), &arena, identity);
        arena_fini(&arena);
    } else if (response.status == 401 || response.status == 403) {
        err = err_because(ERR_UNAVAILABLE, "the user service does not take the token in %s (%d): tandemctl token create"
                          " makes another", auth->token_file, response.status);
    } else {
        err = err_because(ERR_UNAVAILABLE, "the user service answered an introspection with %d", response.status);
    }
    buf_fini(&response.body);
    return err;
}

enum err auth_introspect(struct auth *auth, const struct call *call, struct identity *ret)
{
    struct text token = secret_reveal(auth_bearer(&call->exchange->request));
    struct identity identity = {.role = 0};
    char own[TOKEN_MAX];
    if (token.length > TOKEN_MAX)
        return err_because(ERR_UNAUTHENTICATED, "the token is too long");
    enum err err = own_token(auth, own);
    if (err)
        return err;
    const struct question question = {.own = own, .token = token, .request_id = call->request_id,
                                      .traceparent = call->traceparent,
                                      .timeout_ms = (unsigned)call_setting(call, OPTION_USER_TIMEOUT_MS)};
    err = introspect(auth, &question, &identity);
    if (err)
        return err;
    digest_hex(token, identity.token_digest);
    remember(auth, &identity);
    *ret = identity;
    return ERR_NONE;
}

enum err auth_check(struct auth *auth, struct text request_id, unsigned timeout_ms)
{
    struct identity identity = {.role = 0};
    char own[TOKEN_MAX];
    enum err err = own_token(auth, own);
    if (err)
        return err;
    const struct question question = {.own = own, .token = text_of(own), .request_id = request_id,
                                      .timeout_ms = timeout_ms};
    return introspect(auth, &question, &identity);
}

struct secret auth_bearer(const struct http_request *request)
{
    struct text value = http_header(request, "Authorization");
    if (!value.at || !text_starts_nocase(value, TEXT("Bearer ")))
        return SECRET_NONE;
    struct text token = text_trim((struct text){value.at + strlen("Bearer "), value.length - strlen("Bearer ")});
    return token.length > 0 && text_is_visible_ascii(token) ? secret_of(token) : SECRET_NONE;
}
