#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/auth_private.h"
#include "app/call_trace.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "conf/secret_file.h"

enum { TOKEN_MAX = 512 };

static const char *const result_names[RESULTS] = {
    [RESULT_FRESH] = "fresh", [RESULT_UNKNOWN] = "unknown", [RESULT_STALE] = "stale",
    [RESULT_ASKED] = "asked", [RESULT_JOINED] = "joined",   [RESULT_REFUSED] = "refused",
};

enum err auth_new(const struct auth_opts *opts, struct auth **ret)
{
    const struct auth_cache_opts cache_opts = {opts->cache_entries, opts->unknown_entries, opts->marks,
                                               opts->remote};
    struct auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return err_because(ERR_MEMORY, "no memory for authentication");
    auth->client = opts->client;
    auth->token_file = strdup(opts->token_file);
    for (int i = 0; i < RESULTS; i++)
        auth->results[i] = metric_series(METRIC_AUTH_LOOKUPS, result_names[i]);
    enum err err = auth->token_file ? ERR_NONE : err_because(ERR_MEMORY, "no memory for authentication");
    if (!err)
        err = auth_cache_new(&cache_opts, &auth->cache);
    if (!err)
        err = flights_new(opts->flights_max, opts->waiters_max, &auth->flights);
    if (!err)
        err = auth_watch_start(auth, opts->bus, &auth->watch);
    if (err)
        auth_free(auth);
    else
        *ret = auth;
    return err;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    auth_watch_stop(auth->watch);
    flights_free(auth->flights);
    auth_cache_free(auth->cache);
    free(auth->token_file);
    free(auth);
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

static enum err read_response(const struct client_response *response, struct identity *identity)
{
    struct arena arena;
    if (response->status == 401 || response->status == 403)
        return err_because(ERR_UNAVAILABLE, "the user service does not take the token in user.token_file (%d):"
                           " tandemctl token create makes another", response->status);
    if (response->status != 200)
        return err_because(ERR_UNAVAILABLE, "the user service answered an introspection with %d", response->status);
    arena_init(&arena, 64 * 1024);
    enum err err = read_answer(buf_text(&response->body), &arena, identity);
    arena_fini(&arena);
    return err;
}

static bool is_understood(const struct client_response *response)
{
    struct identity identity;
    return response->status != 200 || read_response(response, &identity) != ERR_UNAVAILABLE;
}

/* What is asked, and on whose behalf. */
struct question {
    const char *own;                  /* this service's token */
    struct text token;
    struct text request_id, traceparent;
    unsigned timeout_ms;
    int64_t deadline_ns;
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
        .deadline_ns = question->deadline_ns,
        .repeatable = true,
        .accepts = is_understood,
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
    err = read_response(&response, identity);
    buf_fini(&response.body);
    return err;
}

enum err auth_question(struct auth *auth, const struct call *call, struct identity *ret)
{
    struct text token = secret_reveal(auth_bearer(&call->exchange->request));
    struct identity identity = {.role = 0};
    char own[TOKEN_MAX];
    if (token.length > TOKEN_MAX)
        return err_because(ERR_UNAUTHENTICATED, "the token is too long");
    if (atomic_load_explicit(&call->exchange->abandoned, memory_order_relaxed))
        return err_because(ERR_DEADLINE, "the client has given up");
    enum err err = own_token(auth, own);
    if (!err)
        err = introspect(auth, &(struct question){.own = own, .token = token, .request_id = call->request_id,
                                                  .traceparent = call_trace_here(call),
                                                  .deadline_ns = call->deadline_ns,
                                                  .timeout_ms = (unsigned)call_setting(call, OPTION_USER_TIMEOUT_MS)},
                         &identity);
    if (!err)
        *ret = identity;
    if (!err || err == ERR_UNAUTHENTICATED || (err == ERR_DEADLINE && clock_now_ns() >= call->deadline_ns))
        return err;
    return err_because(ERR_UNAVAILABLE, "%s", err_cause());
}

enum err auth_check(struct auth *auth, struct text request_id, unsigned timeout_ms)
{
    struct identity identity = {.role = 0};
    char own[TOKEN_MAX];
    enum err err = own_token(auth, own);
    if (err)
        return err;
    const struct question question = {.own = own, .token = text_of(own), .request_id = request_id,
                                      .timeout_ms = timeout_ms,
                                      .deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS};
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
