#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json_pointer.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "check/harness/otlp_decode.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/harness/text_format.h"

enum { PATH_SIZE = 512, PRINTED_MAX_BYTES = 64 * 1024 * 1024, READ_BYTES = 65536 };

extern char **environ;

/* ---- protoc ---- */

/* Its exit status; -1 when it could not be run. */
static int run_protoc(char *const *argv, const char *in, const char *out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

bool otlp_can_decode_protobuf(void)
{
    char *argv[] = {(char[]){"protoc"}, (char[]){"--version"}, NULL};
    if (run_protoc(argv, "/dev/null", "/dev/null") == 0)
        return true;
    suite_skip("protoc is not installed (Debian: protobuf-compiler)");
    return false;
}

static bool write_file(const char *path, struct text content)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    size_t written = content.length > 0 ? fwrite(content.at, 1, content.length, file) : 0;
    return fclose(file) == 0 && written == content.length;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    size_t got = file ? 1 : 0;
    while (got > 0) {
        char *room = buf_reserve(out, READ_BYTES);
        got = room ? fread(room, 1, READ_BYTES, file) : 0;
        buf_commit(out, got);
    }
    if (file)
        fclose(file);
}

static struct json_object *decode_in(const char *folder, struct text body)
{
    const char *srcdir = getenv("TANDEM_SRCDIR");
    char in[PATH_SIZE], out[PATH_SIZE], include[PATH_SIZE];
    struct json_object *request = NULL;
    struct buf printed;
    snprintf(in, sizeof in, "%s/request", folder);
    snprintf(out, sizeof out, "%s/printed", folder);
    snprintf(include, sizeof include, "-I%s/check/harness", srcdir ? srcdir : "..");
    char *argv[] = {(char[]){"protoc"}, include, (char[]){"--decode=otlp.ExportTraceServiceRequest"},
                    (char[]){"otlp.proto"}, NULL};
    buf_init(&printed, PRINTED_MAX_BYTES);
    int status = write_file(in, body) ? run_protoc(argv, in, out) : -1;
    read_file(out, &printed);
    if (status == 0)
        request = text_format_read(buf_string(&printed));
    else
        err_because(ERR_PROTOCOL, "protoc: %.200s", buf_string(&printed));
    buf_fini(&printed);
    return request;
}

static struct json_object *decode_protobuf(struct text body)
{
    char *folder = process_folder();
    if (!folder)
        return NULL;
    struct json_object *request = decode_in(folder, body);
    process_remove(folder);
    free(folder);
    return request;
}

/* ---- JSON ---- */

static struct json_object *decode_json(struct text body)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *request = json_tokener_parse_ex(tokener, body.at ? body.at : "", (int)body.length);
    if (!request || json_tokener_get_parse_end(tokener) != body.length) {
        err_because(ERR_PROTOCOL, "a request that is not JSON");
        json_object_put(request);
        request = NULL;
    }
    json_tokener_free(tokener);
    return request;
}

struct json_object *otlp_decode(const char *content_type, struct text body)
{
    if (strcmp(content_type, "application/x-protobuf") == 0)
        return decode_protobuf(body);
    if (strcmp(content_type, "application/json") == 0)
        return decode_json(body);
    err_because(ERR_MEDIA_TYPE, "\"%s\" is no type of OTLP", content_type);
    return NULL;
}

/* ---- spans ---- */

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static const char *string(struct json_object *object, const char *key)
{
    struct json_object *value = member(object, key);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

/* 64-bit integers are strings in OTLP's JSON; smaller ones are numbers. */
static int64_t integer(struct json_object *object, const char *key, int64_t otherwise)
{
    struct json_object *value = member(object, key);
    int64_t read;
    if (json_object_is_type(value, json_type_int))
        return json_object_get_int64(value);
    if (json_object_is_type(value, json_type_string) && text_to_int(text_of(json_object_get_string(value)), &read) == 0)
        return read;
    return otherwise;
}

static size_t length_of(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static struct json_object *value_of(struct json_object *attributes, const char *key)
{
    for (size_t i = 0; i < length_of(attributes); i++) {
        struct json_object *attribute = json_object_array_get_idx(attributes, i);
        if (strcmp(string(attribute, "key"), key) == 0)
            return member(attribute, "value");
    }
    return NULL;
}

const char *received_text(const struct received_span *span, const char *key)
{
    return string(value_of(span->attributes, key), "stringValue");
}

int64_t received_integer(const struct received_span *span, const char *key)
{
    return integer(value_of(span->attributes, key), "intValue", INT64_MIN);
}

bool received_boolean(const struct received_span *span, const char *key)
{
    return json_object_get_boolean(member(value_of(span->attributes, key), "boolValue"));
}

static bool copy_id(struct json_object *span, const char *key, bool required, char *out, size_t size)
{
    const char *id = string(span, key);
    if ((*id || required) && (strlen(id) != size - 1 || strspn(id, "0123456789abcdefABCDEF") != size - 1)) {
        err_because(ERR_PROTOCOL, "%s is \"%s\"", key, id);
        return false;
    }
    snprintf(out, size, "%s", id);
    return true;
}

static bool add_span(struct received *received, struct json_object *span, const char *service)
{
    struct received_span read = {
        .service = service, .name = string(span, "name"), .trace_state = string(span, "traceState"),
        .status_message = string(member(span, "status"), "message"),
        .kind = integer(span, "kind", 0), .status = integer(member(span, "status"), "code", 0),
        .flags = integer(span, "flags", 0), .start_ns = integer(span, "startTimeUnixNano", 0),
        .end_ns = integer(span, "endTimeUnixNano", 0), .attributes = member(span, "attributes"),
    };
    if (!copy_id(span, "traceId", true, read.trace_id, sizeof read.trace_id)
        || !copy_id(span, "spanId", true, read.span_id, sizeof read.span_id)
        || !copy_id(span, "parentSpanId", false, read.parent_id, sizeof read.parent_id))
        return false;
    struct received_span *longer = realloc(received->spans, (received->count + 1) * sizeof read);
    if (!longer)
        return false;
    received->spans = longer;
    received->spans[received->count++] = read;
    return true;
}

static bool add_resource_spans(struct received *received, struct json_object *resource_spans)
{
    struct json_object *attributes = member(member(resource_spans, "resource"), "attributes");
    const char *service = string(value_of(attributes, "service.name"), "stringValue");
    struct json_object *scopes = member(resource_spans, "scopeSpans");
    for (size_t i = 0; i < length_of(scopes); i++) {
        struct json_object *spans = member(json_object_array_get_idx(scopes, i), "spans");
        for (size_t j = 0; j < length_of(spans); j++) {
            if (!add_span(received, json_object_array_get_idx(spans, j), service))
                return false;
        }
    }
    return true;
}

bool received_add(struct received *received, struct json_object *request)
{
    struct json_object *all = member(request, "resourceSpans");
    struct json_object **longer = realloc(received->requests, (received->request_count + 1) * sizeof request);
    if (!longer)
        return false;
    received->requests = longer;
    received->requests[received->request_count++] = request;
    for (size_t i = 0; i < length_of(all); i++) {
        if (!add_resource_spans(received, json_object_array_get_idx(all, i)))
            return false;
    }
    return true;
}

void received_fini(struct received *received)
{
    for (size_t i = 0; i < received->request_count; i++)
        json_object_put(received->requests[i]);
    free(received->requests);
    free(received->spans);
    *received = (struct received){.count = 0};
}
