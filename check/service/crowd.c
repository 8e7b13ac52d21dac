#include "config.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "check/service/crowd.h"

enum { BODY_MAX = 1024 * 1024, TIMEOUT_MS = 60000 };

struct client {
    const struct crowd *crowd;
    CURL *curl;
    struct curl_slist *headers;
    struct crowd_request request;
    struct buf body;
    unsigned number;
};

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *buf = context;
    buf_add(buf, bytes, size * count);
    return buf->failed ? 0 : size * count;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    const struct client *client = context;
    char line[1024];
    snprintf(line, sizeof line, "%.*s", (int)(size * count), bytes);
    line[strcspn(line, "\r\n")] = '\0';
    char *value = strchr(line, ':');
    if (value) {
        *value++ = '\0';
        client->crowd->header(client->number, line, value + strspn(value, " "), client->crowd->context);
    }
    return size * count;
}

static void add_header(struct client *client, const char *format, const char *value)
{
    char line[512];
    snprintf(line, sizeof line, format, value);
    client->headers = curl_slist_append(client->headers, line);
}

static void send_next(const struct crowd *crowd, struct client *client, CURLM *multi, unsigned number)
{
    struct crowd_request *request = &client->request;
    char url[512];
    memset(request, 0, sizeof *request);
    request->method = "GET";
    client->number = number;
    crowd->make(number, request, crowd->context);
    snprintf(url, sizeof url, "%s%s", crowd->url, request->path);
    buf_reset(&client->body, BODY_MAX);
    curl_slist_free_all(client->headers);
    client->headers = NULL;
    if (request->token)
        add_header(client, "Authorization: Bearer %s", request->token);
    if (*request->key)
        add_header(client, "Idempotency-Key: %s", request->key);
    if (*request->body)
        add_header(client, "Content-Type: %s", "application/json");
    curl_easy_reset(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_PRIVATE, client);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &client->body);
    if (crowd->header) {
        curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, client);
    }
    if (*request->body)
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, request->body);
    curl_multi_add_handle(multi, client->curl);
}

static bool finish(const struct crowd *crowd, CURLM *multi, const CURLMsg *message, struct client **ret)
{
    long status = 0;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)ret);
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    if (message->data.result != CURLE_OK)
        status = 0;
    curl_multi_remove_handle(multi, message->easy_handle);
    crowd->answered((*ret)->number, (int)status, buf_string(&(*ret)->body), crowd->context);
    return status != 0;
}

unsigned crowd_run(const struct crowd *crowd)
{
    struct client *clients = calloc(crowd->clients, sizeof *clients);
    CURLM *multi = curl_multi_init();
    unsigned sent = 0, done = 0, unanswered = 0;
    int running, left;
    assert(clients && multi);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)crowd->clients);
    for (unsigned i = 0; i < crowd->clients; i++) {
        clients[i].crowd = crowd;
        clients[i].curl = curl_easy_init();
        buf_init(&clients[i].body, BODY_MAX);
        if (sent < crowd->requests)
            send_next(crowd, &clients[i], multi, sent++);
    }
    while (done < crowd->requests) {
        struct client *client;
        curl_multi_perform(multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)); done++) {
            if (!finish(crowd, multi, message, &client))
                unanswered++;
            if (sent < crowd->requests)
                send_next(crowd, client, multi, sent++);
        }
        if (done < crowd->requests)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    for (unsigned i = 0; i < crowd->clients; i++) {
        curl_easy_cleanup(clients[i].curl);
        curl_slist_free_all(clients[i].headers);
        buf_fini(&clients[i].body);
    }
    curl_multi_cleanup(multi);
    free(clients);
    return unanswered;
}
