#include "config.h"

#include <string.h>

#include "apps/ctl/trace_read.h"
#include "base/clock.h"
#include "base/json.h"

enum { STATUS_ERROR = 2 };   /* of OTLP */

static enum err not_understood(const char *what, enum err err)
{
    return err == ERR_MEMORY ? err : err_because(ERR_PROTOCOL, "the answer is no %s", what);
}

static enum err read_body(struct text body, const struct json_field *fields, struct arena *arena, void *out)
{
    struct json_document *document;
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(body, &document);
    if (err)
        return err;
    err = json_read_lenient(document, fields, arena, out, &faults);
    json_free(document);
    return err;
}

/* ---- a list ---- */

struct row {
    struct text trace_id, root, start, end, status;
    int64_t spans;
};

struct list {
    struct json_array traces;
};

#define TEXT_FIELD(in, member_name, json_name, is_needed) \
    {.name = json_name, .type = JSON_TEXT, .required = is_needed, .offset = offsetof(struct in, member_name)}

static const struct json_field row_fields[] = {
    TEXT_FIELD(row, trace_id, "trace_id", true),
    TEXT_FIELD(row, root, "root", true),
    TEXT_FIELD(row, start, "start", true),
    TEXT_FIELD(row, end, "end", true),
    TEXT_FIELD(row, status, "status", true),
    {.name = "spans", .type = JSON_INTEGER, .required = true, .offset = offsetof(struct row, spans)},
    {.name = NULL},
};

static const struct json_field list_fields[] = {
    {.name = "traces", .type = JSON_ARRAY, .required = true, .fields = row_fields, .element_size = sizeof(struct row),
     .offset = offsetof(struct list, traces)},
    {.name = NULL},
};

enum err trace_read_list(struct text body, struct text service, struct arena *arena, struct listed_trace **ret,
                         size_t *ret_count)
{
    struct list list = {.traces = {NULL, 0}};
    enum err err = read_body(body, list_fields, arena, &list);
    if (err)
        return not_understood("list of traces", err);
    const struct row *rows = list.traces.elements;
    struct listed_trace *traces = arena_calloc(arena, list.traces.count + 1, sizeof *traces);
    if (!traces)
        return err_because(ERR_MEMORY, "no memory for a list of traces");
    for (size_t i = 0; i < list.traces.count; i++) {
        traces[i] = (struct listed_trace){.id = rows[i].trace_id, .root = rows[i].root, .services = service,
                                          .spans = rows[i].spans,
                                          .is_error = text_equal_string(rows[i].status, "error")};
        if (clock_parse_rfc3339(rows[i].start, &traces[i].start_us) != ERR_NONE ||
            clock_parse_rfc3339(rows[i].end, &traces[i].end_us) != ERR_NONE)
            return not_understood("list of traces", ERR_MALFORMED);
    }
    *ret = traces;
    *ret_count = list.traces.count;
    return ERR_NONE;
}

/* ---- spans ---- */

struct value {
    struct text string, integer;
};

struct attribute {
    struct text key;
    struct value value;
};

struct status {
    int64_t code;
    struct text message;
};

struct span {
    struct text name, id, parent, start, end;
    struct status status;
    struct json_array attributes;
};

struct scope {
    struct json_array spans;
};

struct resource {
    struct json_array scopes;
};

struct request {
    struct json_array resources;
};

static const struct json_field value_fields[] = {
    TEXT_FIELD(value, string, "stringValue", false),
    TEXT_FIELD(value, integer, "intValue", false),
    {.name = NULL},
};

static const struct json_field attribute_fields[] = {
    TEXT_FIELD(attribute, key, "key", true),
    {.name = "value", .type = JSON_OBJECT, .fields = value_fields, .offset = offsetof(struct attribute, value)},
    {.name = NULL},
};

static const struct json_field status_fields[] = {
    {.name = "code", .type = JSON_INTEGER, .offset = offsetof(struct status, code)},
    TEXT_FIELD(status, message, "message", false),
    {.name = NULL},
};

static const struct json_field span_fields[] = {
    TEXT_FIELD(span, name, "name", false),
    TEXT_FIELD(span, id, "spanId", true),
    TEXT_FIELD(span, parent, "parentSpanId", false),
    TEXT_FIELD(span, start, "startTimeUnixNano", true),
    TEXT_FIELD(span, end, "endTimeUnixNano", true),
    {.name = "status", .type = JSON_OBJECT, .fields = status_fields, .offset = offsetof(struct span, status)},
    {.name = "attributes", .type = JSON_ARRAY, .fields = attribute_fields, .element_size = sizeof(struct attribute),
     .offset = offsetof(struct span, attributes)},
    {.name = NULL},
};

static const struct json_field scope_fields[] = {
    {.name = "spans", .type = JSON_ARRAY, .fields = span_fields, .element_size = sizeof(struct span),
     .offset = offsetof(struct scope, spans)},
    {.name = NULL},
};

static const struct json_field resource_fields[] = {
    {.name = "scopeSpans", .type = JSON_ARRAY, .fields = scope_fields, .element_size = sizeof(struct scope),
     .offset = offsetof(struct resource, scopes)},
    {.name = NULL},
};

static const struct json_field request_fields[] = {
    {.name = "resourceSpans", .type = JSON_ARRAY, .required = true, .fields = resource_fields,
     .element_size = sizeof(struct resource), .offset = offsetof(struct request, resources)},
    {.name = NULL},
};

static const struct {
    const char *key;
    size_t offset;
} noted[] = {
    {"http.response.status_code", offsetof(struct traced_notes, status_code)},
    {"tandem.db.batch_size", offsetof(struct traced_notes, batch_size)},
    {"tandem.payment.outcome", offsetof(struct traced_notes, outcome)},
    {"tandem.attempts", offsetof(struct traced_notes, attempts)},
    {"tandem.queue_us", offsetof(struct traced_notes, queue_us)},
    {"error.type", offsetof(struct traced_notes, error_type)},
    {"url.template", offsetof(struct traced_notes, template)},
};

static void note(const struct attribute *attribute, struct traced_notes *notes)
{
    for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++)
        if (text_equal_string(attribute->key, noted[i].key))
            *(struct text *)((char *)notes + noted[i].offset) =
                attribute->value.string.at ? attribute->value.string : attribute->value.integer;
}

static bool take(const struct span *from, struct text service, struct traced_span *to)
{
    const struct attribute *attributes = from->attributes.elements;
    *to = (struct traced_span){
        .service = service,
        .name = from->name.at ? from->name : TEXT(""),
        .id = from->id,
        .parent = from->parent,
        .is_error = from->status.code == STATUS_ERROR,
        .message = from->status.message,
    };
    for (size_t i = 0; i < from->attributes.count; i++)
        note(&attributes[i], &to->notes);
    return text_to_int(from->start, &to->start_ns) == ERR_NONE && text_to_int(from->end, &to->end_ns) == ERR_NONE &&
           to->end_ns >= to->start_ns;
}

static size_t count_spans(const struct request *request)
{
    size_t count = 0;
    const struct resource *resources = request->resources.elements;
    for (size_t i = 0; i < request->resources.count; i++) {
        const struct scope *scopes = resources[i].scopes.elements;
        for (size_t j = 0; j < resources[i].scopes.count; j++)
            count += scopes[j].spans.count;
    }
    return count;
}

static bool take_all(const struct request *request, struct text service, struct traced_span *out)
{
    const struct resource *resources = request->resources.elements;
    for (size_t i = 0; i < request->resources.count; i++) {
        const struct scope *scopes = resources[i].scopes.elements;
        for (size_t j = 0; j < resources[i].scopes.count; j++) {
            const struct span *spans = scopes[j].spans.elements;
            for (size_t k = 0; k < scopes[j].spans.count; k++)
                if (!take(&spans[k], service, out++))
                    return false;
        }
    }
    return true;
}

enum err trace_read_spans(struct text body, struct text service, struct arena *arena, struct traced_span **ret,
                          size_t *ret_count)
{
    struct request request = {.resources = {NULL, 0}};
    enum err err = read_body(body, request_fields, arena, &request);
    if (err)
        return not_understood("trace in OTLP", err);
    size_t count = count_spans(&request);
    struct traced_span *spans = arena_calloc(arena, count + 1, sizeof *spans);
    if (!spans)
        return err_because(ERR_MEMORY, "no memory for the spans of a trace");
    if (!take_all(&request, service, spans))
        return not_understood("trace in OTLP", ERR_MALFORMED);
    *ret = spans;
    *ret_count = count;
    return ERR_NONE;
}
