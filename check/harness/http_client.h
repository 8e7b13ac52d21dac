/*
 * An HTTP client for tests, over libcurl: one kept connection, answers with headers and JSON at hand.
 *
 *     struct http_answer *answer = http_send(client, "POST", "/v1/users", "{\"email\":\"%s\"}", email);
 *     CU_ASSERT_EQUAL(answer->status, 201);
 *     CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/email"), email);
 *
 * A request that gets no answer has status 0 and says why in body. Answers live as long as their client. One thread a
 * client.
 */
#ifndef TANDEM_CHECK_HARNESS_HTTP_CLIENT_H
#define TANDEM_CHECK_HARNESS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct http_client;
struct json_object;

struct http_answer {
    int status;                    /* 0: none came */
    char *headers;                 /* every line as it came */
    char *body;                    /* zero-terminated */
    size_t body_bytes;
    int64_t took_ns;
    struct json_object *json;      /* of the body; NULL when it is none */
    struct http_answer *next;      /* the client's */
};

/** base_url is copied: "http://127.0.0.1:8080". Never NULL. */
struct http_client *http_client_new(const char *base_url);
void http_client_free(struct http_client *client);

/** The bearer token of every request from now on; NULL for none. Copied. */
void http_client_token(struct http_client *client, const char *token);

/** A header field of the next request only, "If-Match: \"1\"". */
void http_with(struct http_client *client, const char *format, ...) printf_like(2, 3);

/** Without a body. path is sent as it is. Never NULL. */
struct http_answer *http_get(struct http_client *client, const char *path);
struct http_answer *http_send_nothing(struct http_client *client, const char *method, const char *path);

/** With a JSON body. */
struct http_answer *http_send(struct http_client *client, const char *method, const char *path, const char *format, ...)
    printf_like(4, 5);

/** With any body; Content-Type only when given by http_with(). */
struct http_answer *http_send_bytes(struct http_client *client, const char *method, const char *path, const void *body,
                                    size_t length);

/** A header field's value, "" when it did not come. Valid until the next call of this function. */
const char *http_answer_header(const struct http_answer *answer, const char *name);

/* By JSON pointer: "" and INT64_MIN for what is not there or of another type, -1 for the length of no array. */
const char *http_json_text(const struct http_answer *answer, const char *pointer);
int64_t http_json_integer(const struct http_answer *answer, const char *pointer);
int http_json_length(const struct http_answer *answer, const char *pointer);
bool http_json_has(const struct http_answer *answer, const char *pointer);

#endif
