#include "config.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "discovery/registry.h"

enum { SERVERS_MAX = 16, ANSWER_MAX_BYTES = 4 * 1024 * 1024, LINE_MAX_BYTES = 1024 * 1024, URL_MAX_BYTES = 4096 };
enum { POLL_MAX_MS = 1000, KEEPALIVE_S = 10, SERVER_ERRORS = 500 };

struct registry {
    const struct discovery_opts *opts;
    struct waiter *waiter;
    CURLM *multi;
    CURL *easy;
    struct text servers[SERVERS_MAX];
    size_t server_count, current;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- servers ---- */

static struct text next_server(struct text *rest)
{
    struct text server = TEXT_NONE;
    while (rest->at && server.length == 0)
        server = text_split(rest, ' ');
    return server.length > 0 ? server : TEXT_NONE;
}

enum err registry_check_servers(const char *servers)
{
    struct text rest = text_of(servers), server;
    size_t count = 0;
    while ((server = next_server(&rest)).at) {
        if (!text_starts(server, TEXT("http://")) && !text_starts(server, TEXT("https://")))
            return err_because(ERR_CONFIG, "discovery.servers: \"%.*s\" is no http or https URL", TEXT_ARGS(server));
        if (++count > SERVERS_MAX)
            return err_because(ERR_CONFIG, "discovery.servers: there are more than %d", SERVERS_MAX);
    }
    return count ? ERR_NONE : err_because(ERR_CONFIG, "discovery.servers says none");
}

enum err registry_new(const struct discovery_opts *opts, struct waiter *waiter, struct registry **ret)
{
    struct text rest = text_of(opts->servers), server;
    pthread_once(&once, init_library);
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return err_because(ERR_MEMORY, "no memory to ask a registry");
    registry->opts = opts;
    registry->waiter = waiter;
    while ((server = next_server(&rest)).at && registry->server_count < SERVERS_MAX)
        registry->servers[registry->server_count++] = server;
    registry->multi = curl_multi_init();
    registry->easy = curl_easy_init();
    if (!registry->multi || !registry->easy) {
        registry_free(registry);
        return err_because(ERR_MEMORY, "no memory to ask a registry");
    }
    *ret = registry;
    return ERR_NONE;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    curl_easy_cleanup(registry->easy);
    curl_multi_cleanup(registry->multi);
    free(registry);
}

void registry_turn(struct registry *registry)
{
    registry->current = (registry->current + 1) % registry->server_count;
}

/* ---- one question to one server ---- */

struct question {
    struct registry *registry;
    const struct registry_request *request;
    struct curl_slist *headers;
    struct buf url, body;              /* body: the whole, or the line that comes */
    int64_t begun_ns, index;
    bool has_begun, has_enough, is_too_large;
    char cause[CURL_ERROR_SIZE];
};

static bool is_long(const struct question *question)
{
    long status = 0;
    curl_easy_getinfo(question->registry->easy, CURLINFO_RESPONSE_CODE, &status);
    return question->request->line && status == 200;
}

/* Whole lines are told; what is left is the beginning of one. */
static void tell_lines(struct question *question)
{
    struct text rest = buf_text(&question->body);
    ptrdiff_t end;
    size_t told = 0;
    while (!question->has_enough && (end = text_find(rest, '\n')) >= 0) {
        struct text line = {rest.at, (size_t)end};
        if (line.length > 0 && !question->request->line(question->request->context, line))
            question->has_enough = true;
        told += (size_t)end + 1;
        rest = (struct text){rest.at + end + 1, rest.length - (size_t)end - 1};
    }
    buf_consume(&question->body, told);
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct question *question = context;
    size_t length = size * count;
    question->has_begun = true;
    buf_add(&question->body, bytes, length);
    if (buf_check(&question->body)) {
        question->is_too_large = true;
        return 0;
    }
    if (is_long(question))
        tell_lines(question);
    return question->has_enough ? 0 : length;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    struct question *question = context;
    struct text value = {bytes, size * count}, name = text_split(&value, ':');
    if (value.at && text_equal_nocase(name, TEXT("X-Consul-Index"))) {
        while (value.length > 0 && (value.at[value.length - 1] == '\r' || value.at[value.length - 1] == '\n'))
            value.length--;
        if (text_to_int(text_trim(value), &question->index))
            question->index = 0;
    }
    return size * count;
}

static bool add_header(struct question *question, const char *line)
{
    struct curl_slist *longer = line ? curl_slist_append(question->headers, line) : NULL;
    question->headers = longer ? longer : question->headers;
    return longer;
}

/* The line is erased again, and libcurl's copy goes with the question. */
static bool add_secret(struct question *question)
{
    struct text value = secret_reveal(question->request->secret);
    struct buf line;
    if (!question->request->secret_header || value.length == 0)
        return true;
    buf_init(&line, URL_MAX_BYTES);
    buf_addf(&line, "%s: %.*s", question->request->secret_header, TEXT_ARGS(value));
    bool added = buf_check(&line) == ERR_NONE && add_header(question, buf_string(&line));
    if (line.data)
        explicit_bzero(line.data, line.capacity);
    buf_fini(&line);
    return added;
}

static void set_tls(CURL *easy, const struct discovery_opts *opts)
{
    if (*opts->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, opts->ca_file);
    if (*opts->certificate_file)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, opts->certificate_file);
    if (*opts->key_file)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, opts->key_file);
}

static enum err prepare(struct question *question, struct text server)
{
    const struct registry_request *request = question->request;
    struct registry *registry = question->registry;
    CURL *easy = registry->easy;
    unsigned timeout_ms = request->timeout_ms ? request->timeout_ms : registry->opts->timeout_ms;
    buf_addf(&question->url, "%.*s%s", TEXT_ARGS(server), request->path);
    if (buf_check(&question->url) || !add_header(question, "Content-Type: application/json") ||
        !add_header(question, "Expect:") || !add_secret(question))
        return err_because(ERR_MEMORY, "no memory to ask %s", request->path);
    curl_easy_setopt(easy, CURLOPT_URL, buf_string(&question->url));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)registry->opts->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, question->cause);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, question);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, question);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, question->headers);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->body.at || strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body.at ? request->body.at : "");
    }
    set_tls(easy, registry->opts);
    return ERR_NONE;
}

static bool is_too_slow(const struct question *question)
{
    unsigned first_byte_ms = question->request->first_byte_ms;
    return first_byte_ms && !question->has_begun &&
           clock_now_ns() - question->begun_ns > first_byte_ms * NS_PER_MS;
}

/* Until it is over, one way or another. */
static enum err drive(struct question *question, CURLcode *ret_code)
{
    struct registry *registry = question->registry;
    int running = 1, left;
    for (;;) {
        struct curl_waitfd woken = {.fd = registry->waiter->fd, .events = CURL_WAIT_POLLIN};
        if (curl_multi_perform(registry->multi, &running))
            return err_because(ERR_MEMORY, "libcurl fails");
        if (!running)
            break;
        if (waiter_is_stopped(registry->waiter) && !question->request->is_last_will)
            return ERR_CLOSED;
        if (is_too_slow(question))
            return err_because(ERR_DEADLINE, "nothing has come");
        bool hears = !question->request->is_last_will;
        unsigned first_byte_ms = question->request->first_byte_ms;
        int poll_ms = first_byte_ms && first_byte_ms < POLL_MAX_MS ? (int)first_byte_ms : POLL_MAX_MS;
        curl_multi_poll(registry->multi, hears ? &woken : NULL, hears, poll_ms, NULL);
        if (woken.revents && !waiter_is_stopped(registry->waiter))
            waiter_clear(registry->waiter);
    }
    const struct CURLMsg *message = curl_multi_info_read(registry->multi, &left);
    *ret_code = message ? message->data.result : CURLE_RECV_ERROR;
    return ERR_NONE;
}

static enum err judge(struct question *question, CURLcode code, struct registry_answer *ret)
{
    const char *cause = question->cause[0] ? question->cause : curl_easy_strerror(code);
    long status = 0;
    curl_easy_getinfo(question->registry->easy, CURLINFO_RESPONSE_CODE, &status);
    bool is_over = question->has_enough || (is_long(question) && code == CURLE_OPERATION_TIMEDOUT);
    if (question->is_too_large)
        return err_because(ERR_TOO_LARGE, "%s: the answer is too large", buf_string(&question->url));
    if (code && !is_over)
        return err_because(code == CURLE_OPERATION_TIMEDOUT ? ERR_DEADLINE : ERR_UNAVAILABLE, "%s: %s",
                           buf_string(&question->url), cause);
    if (status >= SERVER_ERRORS)
        return err_because(ERR_UNAVAILABLE, "%s: %ld %.*s", buf_string(&question->url), status,
                           (int)(question->body.length < 200 ? question->body.length : 200),
                           buf_string(&question->body));
    *ret = (struct registry_answer){(int)status, question->body, question->index};
    return ERR_NONE;
}

static enum err ask_one(struct registry *registry, const struct registry_request *request,
                        struct registry_answer *ret)
{
    struct question question = {.registry = registry, .request = request, .begun_ns = clock_now_ns()};
    CURLcode code = CURLE_OK;
    buf_init(&question.url, URL_MAX_BYTES);
    buf_init(&question.body, request->line ? LINE_MAX_BYTES : ANSWER_MAX_BYTES);
    enum err err = prepare(&question, registry->servers[registry->current]);
    if (!err && curl_multi_add_handle(registry->multi, registry->easy))
        err = err_because(ERR_MEMORY, "libcurl fails");
    if (!err) {
        err = drive(&question, &code);
        if (!err)
            err = judge(&question, code, ret);
        else if (err == ERR_DEADLINE)
            err = err_because(err, "%s: no answer within %u ms", buf_string(&question.url), request->first_byte_ms);
        curl_multi_remove_handle(registry->multi, registry->easy);
    }
    if (err)
        buf_fini(&question.body);
    curl_easy_reset(registry->easy);
    curl_slist_free_all(question.headers);
    buf_fini(&question.url);
    return err;
}

enum err registry_ask(struct registry *registry, const struct registry_request *request, struct registry_answer *ret)
{
    enum err err = ERR_UNAVAILABLE;
    for (size_t i = 0; i < registry->server_count; i++) {
        err = ask_one(registry, request, ret);
        if (err != ERR_UNAVAILABLE && err != ERR_DEADLINE)
            break;
        registry_turn(registry);
    }
    return err;
}
