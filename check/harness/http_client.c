#include "config.h"

#include <assert.h>
#include <curl/curl.h>
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "check/harness/http_client.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, REQUEST_MAX = 8 * 1024 * 1024, TIMEOUT_MS = 60000 };

struct http_client {
    CURL *curl;
    char *base_url, *authorization;
    struct curl_slist *headers;        /* of the next request */
    struct http_answer *answers;
};

struct http_client *http_client_new(const char *base_url)
{
    struct http_client *client = calloc(1, sizeof *client);
    assert(client);
    client->curl = curl_easy_init();
    client->base_url = strdup(base_url);
    assert(client->curl && client->base_url);
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    for (struct http_answer *answer = client->answers, *next; answer; answer = next) {
        next = answer->next;
        free(answer->headers);
        free(answer->body);
        json_object_put(answer->json);
        free(answer);
    }
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    free(client->base_url);
    free(client->authorization);
    free(client);
}

static char *format_string(const char *format, va_list values)
{
    char *string = NULL;
    int length = vasprintf(&string, format, values);
    assert(length >= 0);
    return string;
}

void http_client_token(struct http_client *client, const char *token)
{
    free(client->authorization);
    client->authorization = NULL;
    if (!token)
        return;
    int length = asprintf(&client->authorization, "Authorization: Bearer %s", token);
    assert(length > 0);
}

void http_with(struct http_client *client, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *line = format_string(format, values);
    va_end(values);
    client->headers = curl_slist_append(client->headers, line);
    assert(client->headers);
    free(line);
}

/* ---- one request ---- */

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *buf = context;
    buf_add(buf, bytes, size * count);
    return buf->failed ? 0 : size * count;
}

static char *copy_out(struct buf *buf)
{
    char *copy = malloc(buf->length + 1);
    assert(copy);
    if (buf->length)
        memcpy(copy, buf->data, buf->length);
    copy[buf->length] = '\0';
    return copy;
}

static void prepare(struct http_client *client, const char *method, const char *url)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (client->authorization)
        http_with(client, "%s", client->authorization);
    http_with(client, "Expect:");   /* no waiting for a 100 */
}

static struct http_answer *perform(struct http_client *client, const char *method, const char *path)
{
    struct http_answer *answer = calloc(1, sizeof *answer);
    char *url;
    struct buf headers, body;
    int length = asprintf(&url, "%s%s", client->base_url, path);
    assert(answer && length > 0);
    buf_init(&headers, ANSWER_MAX);
    buf_init(&body, ANSWER_MAX);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, &headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &body);

    int64_t started_ns = clock_now_ns();
    CURLcode code = curl_easy_perform(client->curl);
    answer->took_ns = clock_now_ns() - started_ns;
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        buf_reset(&body, 0);
        buf_addf(&body, "%s %s: %s", method, url, curl_easy_strerror(code));
        status = 0;
    }
    answer->status = (int)status;
    answer->headers = copy_out(&headers);
    answer->body = copy_out(&body);
    answer->body_bytes = body.length;
    answer->json = json_tokener_parse(answer->body);
    answer->next = client->answers;
    client->answers = answer;
    buf_fini(&headers);
    buf_fini(&body);
    free(url);
    curl_slist_free_all(client->headers);
    client->headers = NULL;
    return answer;
}

struct http_answer *http_send_nothing(struct http_client *client, const char *method, const char *path)
{
    bool has_length = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    if (has_length)
        return http_send_bytes(client, method, path, "", 0);   /* lighttpd wants to be told that there is nothing */
    prepare(client, method, client->base_url);
    return perform(client, method, path);
}

struct http_answer *http_get(struct http_client *client, const char *path)
{
    return http_send_nothing(client, "GET", path);
}

struct http_answer *http_send_bytes(struct http_client *client, const char *method, const char *path, const void *body,
                                    size_t length)
{
    bool typed = false;
    for (struct curl_slist *line = client->headers; line; line = line->next)
        typed |= strncasecmp(line->data, "Content-Type:", strlen("Content-Type:")) == 0;
    if (!typed)
        http_with(client, "Content-Type:");   /* not libcurl's own */
    prepare(client, method, client->base_url);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body);
    return perform(client, method, path);
}

struct http_answer *http_send(struct http_client *client, const char *method, const char *path, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *body = format_string(format, values);
    va_end(values);
    http_with(client, "Content-Type: application/json");
    struct http_answer *answer = http_send_bytes(client, method, path, body, strlen(body));
    free(body);
    return answer;
}

/* ---- reading answers ---- */

const char *http_answer_header(const struct http_answer *answer, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    for (const char *line = answer->headers; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " \t");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r\n"), line);
        return value;
    }
    return "";
}

static struct json_object *find(const struct http_answer *answer, const char *pointer)
{
    struct json_object *found = NULL;
    if (!answer->json || json_pointer_get(answer->json, pointer, &found) != 0)
        return NULL;
    return found;
}

const char *http_json_text(const struct http_answer *answer, const char *pointer)
{
    struct json_object *found = find(answer, pointer);
    return json_object_is_type(found, json_type_string) ? json_object_get_string(found) : "";
}

int64_t http_json_integer(const struct http_answer *answer, const char *pointer)
{
    struct json_object *found = find(answer, pointer);
    return json_object_is_type(found, json_type_int) ? json_object_get_int64(found) : INT64_MIN;
}

int http_json_length(const struct http_answer *answer, const char *pointer)
{
    struct json_object *found = find(answer, pointer);
    return json_object_is_type(found, json_type_array) ? (int)json_object_array_length(found) : -1;
}

bool http_json_has(const struct http_answer *answer, const char *pointer)
{
    struct json_object *found = NULL;
    return answer->json && json_pointer_get(answer->json, pointer, &found) == 0;
}
