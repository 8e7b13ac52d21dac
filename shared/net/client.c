#include "config.h"

#include <assert.h>
#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "net/client.h"
#include "net/client_guard.h"
#include "net/client_trace.h"

enum { URL_MAX_BYTES = 8192, HEADER_MAX_BYTES = 16384 };

/* Handles that are not in a call; each keeps its connections. There are as many as there ever were calls at once. */
struct idle {
    CURL *easy;
    struct idle *next;
};

struct client {
    bool has_instances;
    long connect_timeout_ms;
    size_t response_max_bytes;
    bool passes_deadline;
    struct client_guard guard;
    pthread_mutex_t lock;      /* guards the list */
    struct idle *idle;         /* the latest used first: its connection is the likeliest to be alive */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode library_state;

static void init_library(void)
{
    library_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_http_url(const char *url)
{
    struct text text = text_of(url);

    return (text_starts_nocase(text, TEXT("http://")) && text.length > strlen("http://"))
        || (text_starts_nocase(text, TEXT("https://")) && text.length > strlen("https://"));
}

enum err client_check_url(const char *url)
{
    if (!is_http_url(url) || !text_is_visible_ascii(text_of(url)))
        return err_because(ERR_CONFIG, "\"%s\" is no http or https URL", url);
    return ERR_NONE;
}

enum err client_new(const struct client_opts *opts, struct client **ret)
{
    enum err fault = opts->has_instances ? ERR_NONE : client_check_url(opts->base_url ? opts->base_url : "");
    if (fault)
        return fault;
    pthread_once(&once, init_library);
    if (library_state)
        return err_because(ERR_MEMORY, "libcurl: %s", curl_easy_strerror(library_state));

    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return err_because(ERR_MEMORY, "no memory for a client");
    enum err err = client_guard_init(&client->guard, opts);
    if (err) {
        free(client);
        return err;
    }
    client->has_instances = opts->has_instances;
    client->connect_timeout_ms = (long)opts->connect_timeout_ms;
    client->response_max_bytes = opts->response_max_bytes;
    client->passes_deadline = opts->passes_deadline;
    pthread_mutex_init(&client->lock, NULL);
    *ret = client;
    return ERR_NONE;
}

static void idle_free(struct idle *idle)
{
    if (!idle)
        return;
    curl_easy_cleanup(idle->easy);
    free(idle);
}

void client_free(struct client *client)
{
    if (!client)
        return;
    while (client->idle) {
        struct idle *first = client->idle;

        client->idle = first->next;
        idle_free(first);
    }
    client_guard_fini(&client->guard);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static struct idle *take(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    struct idle *first = client->idle;
    if (first)
        client->idle = first->next;
    pthread_mutex_unlock(&client->lock);
    if (first)
        return first;

    struct idle *idle = calloc(1, sizeof *idle);
    if (idle && !(idle->easy = curl_easy_init())) {
        free(idle);
        return NULL;
    }
    return idle;
}

static void give_back(struct client *client, struct idle *idle)
{
    curl_easy_reset(idle->easy);   /* forgets every option and secret, keeps the connections */
    pthread_mutex_lock(&client->lock);
    idle->next = client->idle;
    client->idle = idle;
    pthread_mutex_unlock(&client->lock);
}

/* ---- one try ---- */

struct call {
    const struct client *client;
    const struct client_request *request;
    const char *base_url;
    struct client_trace trace;
    unsigned timeout_ms;           /* of this try */
    CURL *easy;
    CURLcode refused;              /* the first option that was not taken */
    struct curl_slist *headers;
    struct buf url, body;
    bool overflow;
    char cause[CURL_ERROR_SIZE];
};

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t length = size * count;

    if (length > call->body.max_bytes - call->body.length) {
        call->overflow = true;
        return 0;
    }
    buf_add(&call->body, bytes, length);
    return buf_check(&call->body) ? 0 : length;
}

/* Sticky: the calls read like a list, and the first refusal is kept. */
#define SET(call, option, value)                                                       \
    do {                                                                               \
        CURLcode code = curl_easy_setopt((call)->easy, option, value);                 \
        (call)->refused = (call)->refused ? (call)->refused : code;                    \
    } while (0)

static enum err add_header(struct call *call, struct text name, struct text value)
{
    struct buf line;

    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return err_because(ERR_INVALID, "the header %.*s has a control character", TEXT_ARGS(name));
    buf_init(&line, HEADER_MAX_BYTES);
    buf_add_text(&line, name);
    buf_add_string(&line, value.length ? ": " : ";");   /* libcurl's spelling of an empty value */
    buf_add_text(&line, value);
    const char *string = buf_string(&line);
    struct curl_slist *longer = buf_check(&line) ? NULL : curl_slist_append(call->headers, string);
    buf_fini(&line);
    if (!longer)
        return err_because(ERR_MEMORY, "no room for the header %.*s", TEXT_ARGS(name));
    call->headers = longer;
    return ERR_NONE;
}

static enum err add_deadline(struct call *call)
{
    char left[16];

    snprintf(left, sizeof left, "%u", call->timeout_ms);
    return add_header(call, TEXT(CLIENT_DEADLINE_HEADER), text_of(left));
}

static enum err add_headers(struct call *call)
{
    const struct client_request *request = call->request;
    bool has_type = false;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < request->header_count && !err; i++) {
        has_type = has_type || text_equal_nocase(request->headers[i].name, TEXT("Content-Type"));
        if (client_trace_replaces(&call->trace, request->headers[i].name))
            continue;
        err = add_header(call, request->headers[i].name, request->headers[i].value);
    }
    if (!err && request->body.at && !has_type)
        err = add_header(call, TEXT("Content-Type"), TEXT("application/json"));
    if (!err && call->client->passes_deadline)
        err = add_deadline(call);
    struct http_param traced[CLIENT_TRACE_HEADERS];
    size_t traced_count = client_trace_headers(&call->trace, traced);
    for (size_t i = 0; i < traced_count && !err; i++)
        err = add_header(call, traced[i].name, traced[i].value);
    if (err)
        return err;
    /* Waiting for "100 Continue" would cost a second with servers that do not know it. */
    struct curl_slist *longer = curl_slist_append(call->headers, "Expect:");
    if (!longer)
        return err_because(ERR_MEMORY, "no memory for headers");
    call->headers = longer;
    SET(call, CURLOPT_HTTPHEADER, call->headers);
    return ERR_NONE;
}

static void set_limits(struct call *call)
{
    SET(call, CURLOPT_NOSIGNAL, 1L);
    SET(call, CURLOPT_FOLLOWLOCATION, 0L);
    SET(call, CURLOPT_PROXY, "");   /* where calls go is said by the settings, not by the environment */
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(call, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(call, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(call, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    SET(call, CURLOPT_CONNECTTIMEOUT_MS, call->client->connect_timeout_ms);
    SET(call, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->client->response_max_bytes);
    SET(call, CURLOPT_ERRORBUFFER, call->cause);
    SET(call, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
    SET(call, CURLOPT_WRITEFUNCTION, receive);
    SET(call, CURLOPT_WRITEDATA, call);
}

static void set_method(struct call *call)
{
    const struct client_request *request = call->request;

    if (request->method == HTTP_HEAD) {
        SET(call, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body.at || request->method == HTTP_POST) {
        SET(call, CURLOPT_POST, 1L);
        SET(call, CURLOPT_POSTFIELDS, request->body.at ? request->body.at : "");
        SET(call, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    }
    SET(call, CURLOPT_CUSTOMREQUEST, http_method_name(request->method));
}

static enum err prepare(struct call *call)
{
    enum err err;

    buf_add_string(&call->url, call->base_url);
    buf_add_string(&call->url, call->request->path);
    const char *url = buf_string(&call->url);
    if ((err = buf_check(&call->url)))
        return err_because(err, "the path is too long");
    SET(call, CURLOPT_URL, url);
    set_limits(call);
    set_method(call);
    if ((err = add_headers(call)))
        return err;
    return call->refused ? err_because(ERR_MEMORY, "libcurl: %s", curl_easy_strerror(call->refused)) : ERR_NONE;
}

/* What libcurl's codes are here; any other means that the other side could not be reached. */
static const struct {
    CURLcode code;
    enum err err;
} outcomes[] = {
    {CURLE_OUT_OF_MEMORY, ERR_MEMORY},
    {CURLE_FILESIZE_EXCEEDED, ERR_TOO_LARGE},
    {CURLE_OPERATION_TIMEDOUT, ERR_DEADLINE},
    {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_PROTOCOL},   /* "HTTP/0.9", that is no status line at all */
    {CURLE_PARTIAL_FILE, ERR_PROTOCOL},
    {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL},
    {CURLE_HTTP2, ERR_PROTOCOL},
    {CURLE_HTTP2_STREAM, ERR_PROTOCOL},
    {CURLE_URL_MALFORMAT, ERR_INVALID},
};

static enum err outcome_of(const struct call *call, CURLcode code, int64_t elapsed_ns)
{
    const char *cause = call->cause[0] ? call->cause : curl_easy_strerror(code);
    enum err err = ERR_UNAVAILABLE;

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (outcomes[i].code == code)
            err = outcomes[i].err;
    if (code == CURLE_WRITE_ERROR)
        err = call->overflow ? ERR_TOO_LARGE : ERR_MEMORY;
    /* Out of time before its time: it was the connection that took too long. */
    if (err == ERR_DEADLINE && elapsed_ns < (call->timeout_ms - INT64_C(1)) * NS_PER_MS)
        err = ERR_UNAVAILABLE;
    return err_because(err, "%s %s%s: %s", http_method_name(call->request->method), call->base_url,
                       call->request->path, cause);
}

static enum err perform(struct call *call, struct client_response *ret)
{
    int64_t started_ns = clock_now_ns();
    long status = 0;
    curl_off_t retry_after_s = 0;
    enum err err = fault_at(FAULT_CLIENT_CALL);

    if (err)
        return err;
    CURLcode code = curl_easy_perform(call->easy);
    if (code)
        return outcome_of(call, code, clock_now_ns() - started_ns);
    if ((err = fault_at(FAULT_CLIENT_ANSWER)) != ERR_NONE)
        return err;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    ret->status = (int)status;
    ret->body = call->body;
    ret->retry_after_s = retry_after_s <= 0 ? 0 : retry_after_s < INT_MAX ? (unsigned)retry_after_s : INT_MAX;
    return ERR_NONE;
}

static enum err try_once(struct client *client, const struct client_request *request,
                         const struct client_course *course, struct client_response *ret)
{
    struct call call = {
        .client = client,
        .request = request,
        .base_url = course->choice.url,
        .timeout_ms = course->try_ms,
    };
    enum err err;

    struct idle *idle = take(client);
    if (!idle)
        return err_because(ERR_MEMORY, "no memory for a call");
    call.easy = idle->easy;
    buf_init(&call.url, URL_MAX_BYTES);
    buf_init(&call.body, client->response_max_bytes);
    client_trace_begin(&call.trace, call.base_url, request);
    if (!(err = prepare(&call)))
        err = perform(&call, ret);
    if (!err && request->accepts && !request->accepts(ret))
        err = err_because(ERR_PROTOCOL, "%s %s%s: the answer is not understood", http_method_name(request->method),
                          call.base_url, request->path);
    client_trace_end(&call.trace, err, err ? 0 : ret->status);
    if (err)
        buf_fini(&call.body);
    give_back(client, idle);
    curl_slist_free_all(call.headers);
    buf_fini(&call.url);
    return err;
}

/* ---- one call: tries, within its deadline ---- */

enum err client_call(struct client *client, const struct client_request *request, struct client_response *ret)
{
    struct client_guard *guard = &client->guard;
    struct client_course course;
    struct client_response answer;
    enum err err;
    bool again;

    assert(request->method < HTTP_OTHER && request->path);
    client_course_begin(guard, request, &course);
    do {
        answer = (struct client_response){.status = 0};
        err = client_course_admit(guard, &course);
        if (err) {
            err = err_because(err, "%s %s%s: %s", http_method_name(request->method), guard->name, request->path,
                              err_cause());
            break;
        }
        err = try_once(client, request, &course, &answer);
        again = client_course_again(guard, &course, err, answer.status, answer.retry_after_s);
        if (again && !err)
            buf_fini(&answer.body);
    } while (again);
    client_course_end(guard, &course, err, answer.status);
    if (!err)
        *ret = answer;
    return err;
}

/* ---- its instances ---- */

enum err client_update(struct client *client, const struct instances *instances)
{
    struct instance *list = calloc(instances->count + 1, sizeof list[0]);
    struct instances *called = NULL;
    size_t count = 0;
    assert(client->has_instances);
    for (size_t i = 0; list && i < instances->count; i++)
        if (instance_is_http(&instances->list[i]))
            list[count++] = instances->list[i];
    enum err err = list ? instances_new(list, count, &called) : ERR_MEMORY;
    if (!err)
        err = balancer_update(client->guard.balancer, called, clock_now_ns());
    instances_unref(called);
    free(list);
    return err;
}

void client_measure(struct client *client)
{
    client_guard_measure(&client->guard);
}

size_t client_view(struct client *client, struct balancer_view *ret_views, size_t max)
{
    return balancer_view(client->guard.balancer, clock_now_ns(), ret_views, max);
}

int64_t client_wait_ns(struct client *client)
{
    return balancer_wait_ns(client->guard.balancer, clock_now_ns());
}

enum breaker_state client_breaker(struct client *client)
{
    return balancer_state(client->guard.balancer);
}
