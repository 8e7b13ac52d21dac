#include "config.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "net/problem.h"

enum { TYPE_SIZE = 64 };

#define ELLIPSIS "\xe2\x80\xa6"

static void write_bounded(struct json_writer *writer, const char *key, struct text value)
{
    char cut[PROBLEM_TEXT_MAX + 1];
    if (value.length > PROBLEM_TEXT_MAX) {
        struct text begin = text_begin(value, PROBLEM_TEXT_MAX - strlen(ELLIPSIS));
        snprintf(cut, sizeof cut, "%.*s" ELLIPSIS, TEXT_ARGS(begin));
        value = text_of(cut);
    }
    json_member_text(writer, key, value);
}

/* ERR_NOT_FOUND becomes /problems/not-found. */
static const char *type_of(enum err err, char out[static TYPE_SIZE])
{
    const char *name = err_name(err) + strlen("ERR_");
    size_t length = (size_t)snprintf(out, TYPE_SIZE, "/problems/");

    for (; *name && length < TYPE_SIZE - 1; name++)
        out[length++] = *name == '_' ? '-' : (char)tolower((unsigned char)*name);
    out[length] = '\0';
    return out;
}

static int status_of(const struct problem *problem)
{
    if (problem->status)
        return problem->status;
    return problem->err ? err_status(problem->err) : 500;
}

/* A type of the handler's own has its words for a title: /problems/email-taken is "email taken". */
static void write_title(struct json_writer *writer, const struct problem *problem, int status)
{
    const char *words = problem->type ? strrchr(problem->type, '/') : NULL;
    if (!words) {
        json_member_string(writer, "title", problem->err ? err_text(problem->err) : http_reason(status));
        return;
    }
    char title[TYPE_SIZE];
    snprintf(title, sizeof title, "%s", words + 1);
    for (char *c = title; *c; c++)
        *c = *c == '-' ? ' ' : *c;
    json_member_string(writer, "title", title);
}

static void write_faults(struct json_writer *writer, const struct json_faults *faults)
{
    if (!faults || faults->count == 0)
        return;
    json_key(writer, "errors");
    json_array_begin(writer);
    for (size_t i = 0; i < faults->count; i++) {
        json_object_begin(writer);
        write_bounded(writer, "pointer", faults->list[i].pointer);
        json_member_string(writer, "reason", faults->list[i].reason);
        json_object_end(writer);
    }
    json_array_end(writer);
}

static void write_member(struct json_writer *writer, const char *key, struct text value)
{
    if (value.at)
        write_bounded(writer, key, value);
}

static void write_document(const struct problem *problem, int status, const struct http_request *request,
                           struct buf *body)
{
    struct json_writer writer;
    char type[TYPE_SIZE];
    const char *own_type = problem->err ? type_of(problem->err, type) : "about:blank";

    json_writer_init(&writer, body);
    json_object_begin(&writer);
    json_member_string(&writer, "type", problem->type ? problem->type : own_type);
    write_title(&writer, problem, status);
    json_member_integer(&writer, "status", status);
    write_member(&writer, "detail", problem->detail);
    write_member(&writer, "instance", request->path);
    write_member(&writer, "request_id", problem->request_id);
    write_faults(&writer, problem->faults);
    json_object_end(&writer);
}

/* Literal values need no copy, so that these cannot fail. */
static void add_literal(struct http_response *response, struct text name, struct text value)
{
    assert(response->header_count < HTTP_MAX_RESPONSE_HEADERS);
    response->headers[response->header_count++] = (struct http_param){name, value};
}

static void add_retry_after(unsigned retry_after_s, struct http_request *request, struct http_response *response)
{
    char *value = arena_printf(&request->arena, "%u", retry_after_s);

    if (value)   /* without memory the client goes by its own pace */
        add_literal(response, TEXT("Retry-After"), text_of(value));
}

void problem_respond(const struct problem *problem, struct http_request *request, struct http_response *response)
{
    http_response_reset(response);
    response->status = status_of(problem);
    if (response->status == 401)   /* RFC 9110, 11.6.1 */
        add_literal(response, TEXT("WWW-Authenticate"), TEXT("Bearer"));
    if (problem->retry_after_s > 0)
        add_retry_after(problem->retry_after_s, request, response);
    write_document(problem, response->status, request, &response->body);
    if (buf_check(&response->body))
        buf_reset(&response->body, 0);
    else
        add_literal(response, TEXT("Content-Type"), TEXT("application/problem+json"));
}
