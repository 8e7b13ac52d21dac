#include "config.h"

#include "base/clock.h"
#include "check/unit/spans.h"

static const struct span_attribute more[] = {
    {.key = "deployment.environment.name", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT("test")},
};

const struct otlp_resource spans_resource = {
    .service_name = "tandem-order",
    .service_version = "1.2.3",
    .service_instance_id = "host:42",
    .attributes = more,
    .attribute_count = 1,
};

/* The number, highest byte first. */
static void put_number(unsigned number, unsigned char *end)
{
    for (; number > 0; number >>= 8)
        *--end = (unsigned char)number;
}

struct span spans_plain(unsigned number)
{
    struct span span = {
        .trace_id = {0x0a, 0xf7, 0x65},
        .span_id = {0xb7, 0xad},
        .flags = 1,
        .kind = SPAN_SERVER,
        .name = TEXT("GET /v1/orders/{id}"),
        .start_ns = SPANS_START * NS_PER_S + number,
        .end_ns = (SPANS_START + 1) * NS_PER_S + number,
    };
    put_number(number, span.trace_id + TRACE_ID_BYTES);
    put_number(number, span.span_id + SPAN_ID_BYTES);
    return span;
}

struct span spans_full(unsigned number)
{
    struct span span = spans_plain(number);
    const struct span_attribute attributes[] = {
        {.key = "http.request.method", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT("GET")},
        {.key = "empty", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT("")},
        {.key = "absent", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT_NONE},
        {.key = "utf8", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa2 \"\\\n\x01")},
        {.key = "nul", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT("a\0b")},
        {.key = "zero", .type = SPAN_ATTRIBUTE_INTEGER, .integer = 0},
        {.key = "least", .type = SPAN_ATTRIBUTE_INTEGER, .integer = INT64_MIN},
        {.key = "most", .type = SPAN_ATTRIBUTE_INTEGER, .integer = INT64_MAX},
        {.key = "http.response.status_code", .type = SPAN_ATTRIBUTE_INTEGER, .integer = 500},
        {.key = "true", .type = SPAN_ATTRIBUTE_BOOLEAN, .boolean = true},
        {.key = "false", .type = SPAN_ATTRIBUTE_BOOLEAN, .boolean = false},
    };
    span.parent_id[0] = 0xff;
    span.parent_id[SPAN_ID_BYTES - 1] = 1;
    span.parent_is_remote = true;
    span.status = SPAN_ERROR;
    span.status_message = TEXT("the database failed");
    span.trace_state = TEXT("vendor=1,other=2");
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        span.attributes[span.attribute_count++] = attributes[i];
    return span;
}
