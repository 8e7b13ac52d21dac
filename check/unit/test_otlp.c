/* OTLP's encoders, read back by protoc and json-c: by the public schema, and by nothing that knows what wrote it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "check/harness/otlp_decode.h"
#include "check/harness/suite.h"
#include "check/unit/spans.h"
#include "telemetry/otlp_encoding.h"

enum { OUT_MAX_BYTES = 16 * 1024 * 1024, CEILING_MAX_BYTES = 4096, MANY = 3000 };

static const char PROTOBUF[] = "application/x-protobuf", JSON[] = "application/json";

static struct json_object *write_and_read(const char *type, const struct otlp_resource *resource,
                                          const struct span *spans, size_t count)
{
    struct buf out;
    buf_init(&out, OUT_MAX_BYTES);
    if (type == PROTOBUF)
        otlp_write_protobuf(resource, spans, count, &out);
    else
        otlp_write_json(resource, spans, count, &out);
    CU_ASSERT_EQUAL_FATAL(buf_check(&out), ERR_NONE);
    struct json_object *request = otlp_decode(type, buf_text(&out));
    if (!request)
        printf("# %s\n", err_cause());
    CU_ASSERT_PTR_NOT_NULL_FATAL(request);
    buf_fini(&out);
    return request;
}

/* Both ways give the same, which becomes received. */
static void read_both(const struct otlp_resource *resource, const struct span *spans, size_t count,
                      struct received *ret)
{
    struct json_object *one = write_and_read(PROTOBUF, resource, spans, count);
    struct json_object *other = write_and_read(JSON, resource, spans, count);
    if (!json_object_equal(one, other))
        printf("# protobuf: %.2000s\n# json: %.2000s\n", json_object_to_json_string(one),
               json_object_to_json_string(other));
    CU_ASSERT(json_object_equal(one, other));
    json_object_put(other);
    *ret = (struct received){.count = 0};
    CU_ASSERT_FATAL(received_add(ret, one));
    CU_ASSERT_EQUAL_FATAL(ret->count, count);
}

static void test_every_field(void)
{
    struct span given = spans_full(0x0102);
    struct received received;
    if (!otlp_can_decode_protobuf())
        return;
    read_both(&spans_resource, &given, 1, &received);
    const struct received_span *span = &received.spans[0];
    CU_ASSERT_STRING_EQUAL(span->trace_id, "0af76500000000000000000000000102");
    CU_ASSERT_STRING_EQUAL(span->span_id, "b7ad000000000102");
    CU_ASSERT_STRING_EQUAL(span->parent_id, "ff00000000000001");
    CU_ASSERT_STRING_EQUAL(span->service, "tandem-order");
    CU_ASSERT_STRING_EQUAL(span->name, "GET /v1/orders/{id}");
    CU_ASSERT_STRING_EQUAL(span->trace_state, "vendor=1,other=2");
    CU_ASSERT_EQUAL(span->kind, 2);
    CU_ASSERT_EQUAL(span->status, 2);
    CU_ASSERT_STRING_EQUAL(span->status_message, "the database failed");
    CU_ASSERT_EQUAL(span->flags, 0x301);
    CU_ASSERT_EQUAL(span->start_ns, INT64_C(1764144000000000258));
    CU_ASSERT_EQUAL(span->end_ns, INT64_C(1764144001000000258));
    CU_ASSERT_EQUAL(json_object_array_length(span->attributes), 11);
    CU_ASSERT_STRING_EQUAL(received_text(span, "http.request.method"), "GET");
    CU_ASSERT_STRING_EQUAL(received_text(span, "utf8"), "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa2 \"\\\n\x01");
    CU_ASSERT_EQUAL(received_integer(span, "zero"), 0);
    CU_ASSERT_EQUAL(received_integer(span, "least"), INT64_MIN);
    CU_ASSERT_EQUAL(received_integer(span, "most"), INT64_MAX);
    CU_ASSERT_EQUAL(received_integer(span, "http.response.status_code"), 500);
    CU_ASSERT(received_boolean(span, "true"));
    CU_ASSERT_FALSE(received_boolean(span, "false"));
    received_fini(&received);
}

/* What is absent is not there at all, rather than there and empty. */
static void test_absent(void)
{
    struct span given = spans_plain(1);
    struct received received;
    if (!otlp_can_decode_protobuf())
        return;
    read_both(&spans_resource, &given, 1, &received);
    CU_ASSERT_STRING_EQUAL(received.spans[0].parent_id, "");
    CU_ASSERT_EQUAL(received.spans[0].flags, 0x101);
    CU_ASSERT_EQUAL(received.spans[0].status, 0);
    const char *all = json_object_to_json_string_ext(received.requests[0], JSON_C_TO_STRING_PLAIN);
    static const char *const absent[] = {"parentSpanId", "traceState", "\"status\"", "message", "dropped", "null",
                                         "events", "links", "\"attributes\":[]"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        CU_ASSERT_PTR_NULL(strstr(all, absent[i]));
    received_fini(&received);
}

static void test_envelope(void)
{
    struct span given = spans_plain(1);
    struct received received;
    if (!otlp_can_decode_protobuf())
        return;
    read_both(&spans_resource, &given, 1, &received);
    const char *all = json_object_to_json_string_ext(received.requests[0], JSON_C_TO_STRING_PLAIN);
    static const char *const there[] = {
        "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"tandem-order\"}}",
        "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"1.2.3\"}}",
        "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"host:42\"}}",
        "{\"key\":\"deployment.environment.name\",\"value\":{\"stringValue\":\"test\"}}",
        "\"scope\":{\"name\":\"tandem\",\"version\":\"" PACKAGE_VERSION "\"}",
    };
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(all, there[i]));
    received_fini(&received);
}

/* A receiver refuses a whole request for one text that is not UTF-8. */
static void test_not_utf8(void)
{
    struct span given = spans_plain(1);
    struct received received;
    given.name = TEXT("a\xff" "b\xc3");
    given.attributes[given.attribute_count++] =
        (struct span_attribute){.key = "k", .type = SPAN_ATTRIBUTE_TEXT, .text = TEXT("\xed\xa0\x80")};
    if (!otlp_can_decode_protobuf())
        return;
    read_both(&spans_resource, &given, 1, &received);
    CU_ASSERT_STRING_EQUAL(received.spans[0].name, "a\xef\xbf\xbd" "b\xef\xbf\xbd");
    CU_ASSERT_STRING_EQUAL(received_text(&received.spans[0], "k"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    received_fini(&received);
}

static void test_kinds(void)
{
    struct span given[15];
    struct received received;
    size_t count = 0;
    for (int kind = SPAN_INTERNAL; kind <= SPAN_CONSUMER; kind++) {
        for (int status = SPAN_UNSET; status <= SPAN_ERROR; status++) {
            given[count] = spans_plain((unsigned)count + 1);
            given[count].kind = (enum span_kind)kind;
            given[count].status = (enum span_status)status;
            given[count++].flags = (uint8_t)(status == SPAN_OK ? 0xff : 0);
        }
    }
    if (!otlp_can_decode_protobuf())
        return;
    read_both(&spans_resource, given, count, &received);
    for (size_t i = 0; i < received.count; i++) {
        CU_ASSERT_EQUAL(received.spans[i].kind, (int64_t)(i / 3) + 1);
        CU_ASSERT_EQUAL(received.spans[i].status, (int64_t)(i % 3));
        CU_ASSERT_EQUAL(received.spans[i].flags, i % 3 == 1 ? 0x1ff : 0x100);
    }
    received_fini(&received);
}

/* Lengths of one, two, three and four bytes, of texts and of what holds them. */
static void test_lengths(void)
{
    static const size_t lengths[] = {0, 1, 100, 126, 127, 128, 129, 16000, 16383, 16384, 16385, 2097151, 2097152};
    char *long_text = malloc(2097152);
    CU_ASSERT_PTR_NOT_NULL_FATAL(long_text);
    memset(long_text, 'x', 2097152);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] && otlp_can_decode_protobuf(); i++) {
        struct span given = spans_plain(1);
        struct received received;
        given.attributes[given.attribute_count++] = (struct span_attribute){
            .key = "k", .type = SPAN_ATTRIBUTE_TEXT, .text = {long_text, lengths[i]}};
        read_both(&spans_resource, &given, 1, &received);
        CU_ASSERT_EQUAL(strlen(received_text(&received.spans[0], "k")), lengths[i]);
        received_fini(&received);
    }
    free(long_text);
}

static void test_many(void)
{
    struct span *given = malloc(MANY * sizeof *given);
    struct received received;
    CU_ASSERT_PTR_NOT_NULL_FATAL(given);
    for (unsigned i = 0; i < MANY; i++)
        given[i] = i % 2 ? spans_full(i + 1) : spans_plain(i + 1);
    if (otlp_can_decode_protobuf()) {
        read_both(&spans_resource, given, MANY, &received);
        for (size_t i = 0; i < MANY; i++)
            CU_ASSERT_EQUAL(received.spans[i].start_ns, SPANS_START * NS_PER_S + (int64_t)i + 1);
        received_fini(&received);
    }
    free(given);
}

static void test_empty(void)
{
    struct received received;
    if (!otlp_can_decode_protobuf())
        return;
    struct json_object *one = write_and_read(PROTOBUF, &spans_resource, NULL, 0);
    received = (struct received){.count = 0};
    CU_ASSERT(received_add(&received, one));
    CU_ASSERT_EQUAL(received.count, 0);
    received_fini(&received);
    json_object_put(write_and_read(JSON, &spans_resource, NULL, 0));
}

/* What does not fit is told by the buffer, whose earlier content stays: at every ceiling up to the one that does. */
static void hold_ceiling(void (*write)(const struct otlp_resource *, const struct span *, size_t, struct buf *))
{
    struct span given = spans_full(1);
    bool failed = true;
    size_t max = 3;
    for (; failed && max < CEILING_MAX_BYTES; max++) {
        struct buf out;
        buf_init(&out, max);
        buf_add_string(&out, "abc");
        write(&spans_resource, &given, 1, &out);
        failed = out.failed;
        CU_ASSERT(out.length <= max);
        CU_ASSERT_EQUAL(memcmp(out.data, "abc", 3), 0);
        CU_ASSERT(failed || out.length == max);
        buf_fini(&out);
    }
    CU_ASSERT(max < CEILING_MAX_BYTES);
}

static void test_ceiling(void)
{
    hold_ceiling(otlp_write_protobuf);
    hold_ceiling(otlp_write_json);
}

/* After what is in the buffer already. */
static void test_appends(void)
{
    struct span given = spans_plain(1);
    struct buf alone, after;
    buf_init(&alone, OUT_MAX_BYTES);
    buf_init(&after, OUT_MAX_BYTES);
    buf_add_string(&after, "before");
    otlp_write_protobuf(&spans_resource, &given, 1, &alone);
    otlp_write_protobuf(&spans_resource, &given, 1, &after);
    CU_ASSERT_EQUAL(after.length, alone.length + 6);
    CU_ASSERT_EQUAL(memcmp(after.data, "before", 6), 0);
    CU_ASSERT_EQUAL(memcmp(after.data + 6, alone.data, alone.length), 0);
    buf_fini(&alone);
    buf_fini(&after);
}

/* ---- what receivers answer ---- */

static void test_responses(void)
{
    static const struct {
        bool json;
        struct text body;
        enum err err;
        int64_t rejected;
        const char *message;
    } rows[] = {
        {false, TEXT(""), ERR_NONE, 0, ""},
        {false, TEXT("\x0a\x00"), ERR_NONE, 0, ""},
        {false, TEXT("\x0a\x02\x08\x05"), ERR_NONE, 5, ""},
        {false, TEXT("\x0a\x06\x08\x81\x01\x12\x01x"), ERR_NONE, 129, "x"},
        {false, TEXT("\x0a\x03\x12\x01x\x10\x07"), ERR_NONE, 0, "x"},
        {false, TEXT("\x0a\x06\x08\x05"), ERR_PROTOCOL, 0, ""},
        {false, TEXT("<html></html>"), ERR_PROTOCOL, 0, ""},
        {false, TEXT("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), ERR_PROTOCOL, 0, ""},
        {true, TEXT(""), ERR_NONE, 0, ""},
        {true, TEXT("{}"), ERR_NONE, 0, ""},
        {true, TEXT("{\"partialSuccess\":{}}"), ERR_NONE, 0, ""},
        {true, TEXT("{\"partialSuccess\":{\"rejectedSpans\":\"5\",\"errorMessage\":\"x\"}}"), ERR_NONE, 5, "x"},
        {true, TEXT("{\"partialSuccess\":{\"rejectedSpans\":5},\"new\":[1]}"), ERR_NONE, 5, ""},
        {true, TEXT("{\"partialSuccess\":{\"rejectedSpans\":\"five\"}}"), ERR_PROTOCOL, 0, ""},
        {true, TEXT("{\"partialSuccess\":7}"), ERR_PROTOCOL, 0, ""},
        {true, TEXT("<html></html>"), ERR_PROTOCOL, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct otlp_response response = {.rejected_spans = 0};
        enum err err = (rows[i].json ? &otlp_json : &otlp_protobuf)->read_response(rows[i].body, &response);
        if (err != rows[i].err || response.rejected_spans != rows[i].rejected)
            printf("# row %zu: %s, %lld\n", i, err_name(err), (long long)response.rejected_spans);
        CU_ASSERT_EQUAL(err, rows[i].err);
        CU_ASSERT_EQUAL(response.rejected_spans, rows[i].rejected);
        CU_ASSERT_STRING_EQUAL(response.message, rows[i].message);
    }
}

static void test_statuses(void)
{
    struct otlp_response response = {.rejected_spans = 0};
    char long_message[OTLP_MESSAGE_SIZE * 2 + 3] = "\x12\x8f\x03";
    CU_ASSERT_EQUAL(otlp_protobuf.read_status(TEXT("\x08\x03\x12\x03" "bad"), &response), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(response.message, "bad");
    CU_ASSERT_EQUAL(otlp_json.read_status(TEXT("{\"code\":3,\"message\":\"worse\"}"), &response), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(response.message, "worse");
    CU_ASSERT_EQUAL(otlp_json.read_status(TEXT("<p>no</p>"), &response), ERR_PROTOCOL);
    CU_ASSERT_STRING_EQUAL(response.message, "worse");
    memset(long_message + 3, 'x', 399);
    CU_ASSERT_EQUAL(otlp_protobuf.read_status((struct text){long_message, 402}, &response), ERR_NONE);
    CU_ASSERT_EQUAL(strlen(response.message), OTLP_MESSAGE_SIZE - 1);
}

static const struct suite_case cases[] = {
    {"every field of a span comes through, in both encodings alike", test_every_field},
    {"what is absent is left out", test_absent},
    {"the resource and the scope say who made the spans", test_envelope},
    {"what is not UTF-8 is mended", test_not_utf8},
    {"kinds, statuses and flags are those of the schema", test_kinds},
    {"lengths of any width are right", test_lengths},
    {"thousands of spans come through in order", test_many},
    {"no spans are a request, too", test_empty},
    {"a buffer's ceiling holds", test_ceiling},
    {"a request is added to what is there", test_appends},
    {"a receiver's answer is read, and what is none is told", test_responses},
    {"a receiver's failure is read", test_statuses},
};

int main(void)
{
    return suite_main("otlp", cases, sizeof cases / sizeof cases[0]);
}
