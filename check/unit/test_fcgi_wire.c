/* The FastCGI records of net/fcgi_wire and net/fcgi_stdout against the bytes of the specification. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "check/harness/suite.h"
#include "net/fcgi_stdout.h"
#include "net/fcgi_wire.h"

static bool bytes_are(const void *bytes, const char *expected, size_t length)
{
    return !memcmp(bytes, expected, length);
}

static void test_header(void)
{
    static const unsigned char bytes[8] = {1, 5, 0x12, 0x34, 0xfe, 0xdc, 7, 99};
    unsigned char again[8];
    struct fcgi_wire_header header;
    fcgi_wire_header_decode(bytes, &header);
    CU_ASSERT_EQUAL(header.version, 1);
    CU_ASSERT_EQUAL(header.type, FCGI_WIRE_STDIN);
    CU_ASSERT_EQUAL(header.request_id, 0x1234);
    CU_ASSERT_EQUAL(header.content_length, 0xfedc);
    CU_ASSERT_EQUAL(header.padding_length, 7);
    fcgi_wire_header_encode(&header, again);
    CU_ASSERT_TRUE(bytes_are(again, "\1\5\x12\x34\xfe\xdc\7\0", 8));
}

static void test_begin(void)
{
    static const unsigned char bytes[8] = {0x01, 0x02, 1, 9, 9, 9, 9, 9};
    struct fcgi_wire_begin begin;
    fcgi_wire_begin_decode(bytes, &begin);
    CU_ASSERT_EQUAL(begin.role, 0x0102);
    CU_ASSERT_EQUAL(begin.flags, FCGI_WIRE_KEEP_CONN);
}

static void test_end(void)
{
    unsigned char out[FCGI_WIRE_RECORD_SIZE];
    fcgi_wire_end_request(0x0203, 0x01020304, FCGI_WIRE_UNKNOWN_ROLE, out);
    CU_ASSERT_TRUE(bytes_are(out, "\1\3\2\3\0\10\0\0\1\2\3\4\3\0\0\0", sizeof out));
    fcgi_wire_unknown_type(200, out);
    CU_ASSERT_TRUE(bytes_are(out, "\1\13\0\0\0\10\0\0\310\0\0\0\0\0\0\0", sizeof out));
}

static void test_pair_lengths(void)
{
    static const size_t lengths[] = {0, 1, 127, 128, 255, 256, 65536};
    enum { COUNT = sizeof lengths / sizeof lengths[0] };
    static char bytes[200000];
    memset(bytes, 'n', sizeof bytes);
    for (size_t i = 0; i < COUNT * COUNT; i++) {
        size_t name_length = lengths[i / COUNT], value_length = lengths[i % COUNT], offset = 0;
        unsigned char header[FCGI_WIRE_PAIR_HEADER_MAX];
        struct text name, value;
        size_t size = fcgi_wire_pair_header(name_length, value_length, header);
        CU_ASSERT_EQUAL(size, (name_length < 128 ? 1u : 4u) + (value_length < 128 ? 1u : 4u));
        memcpy(bytes, header, size);
        struct text stream = {bytes, size + name_length + value_length};
        CU_ASSERT_EQUAL(fcgi_wire_pair_next(stream, &offset, &name, &value), ERR_NONE);
        CU_ASSERT_EQUAL(name.length, name_length);
        CU_ASSERT_EQUAL(value.length, value_length);
        CU_ASSERT_PTR_EQUAL(value.at, bytes + size + name_length);
        CU_ASSERT_EQUAL(offset, stream.length);
        CU_ASSERT_EQUAL(fcgi_wire_pair_next(stream, &offset, &name, &value), ERR_NOT_FOUND);
        memset(bytes, 'n', size);
    }
}

/* A stream that grows byte by byte: nothing comes before it is whole, and all comes then. */
static void test_pair_growing(void)
{
    static const char stream[] = "\2\1abc\0\0\200\0\0\3\1xyz!";
    enum { LENGTH = sizeof stream - 1 };
    static const size_t ends[] = {5, 7, LENGTH};
    size_t offset = 0, found = 0;
    struct text name = TEXT("untouched"), value = TEXT("untouched");
    for (size_t length = 0; length <= LENGTH; length++) {
        size_t before = offset;
        enum err err = fcgi_wire_pair_next((struct text){stream, length}, &offset, &name, &value);
        if (err == ERR_NONE) {
            CU_ASSERT_EQUAL(offset, ends[found]);
            found++;
        } else {
            CU_ASSERT_EQUAL(err, length == before ? ERR_NOT_FOUND : ERR_AGAIN);
            CU_ASSERT_EQUAL(offset, before);
        }
    }
    CU_ASSERT_EQUAL(found, 3);
    CU_ASSERT_TRUE(text_equal(name, TEXT("xyz")));
    CU_ASSERT_TRUE(text_equal(value, TEXT("!")));
}

static void test_pair_huge(void)
{
    static const char stream[] = "\377\377\377\377\377\377\377\377";
    struct text name, value;
    size_t offset = 0;
    CU_ASSERT_EQUAL(fcgi_wire_pair_next((struct text){stream, 8}, &offset, &name, &value), ERR_AGAIN);
    CU_ASSERT_EQUAL(offset, 0);
}

static void test_values(void)
{
    static const struct fcgi_wire_values values = {.max_conns = UINT32_MAX, .max_reqs = 1, .mpxs_conns = false};
    static const char query[] = "\17\0FCGI_MPXS_CONNS\16\3FCGI_MAX_CONNSabc\15\0FCGI_MAX_REQS\16\0FCGI_MAX_CONNS\1\0X";
    static const char expected[] = "\1\12\0\0\0\74\0\0\16\12FCGI_MAX_CONNS4294967295\15\1FCGI_MAX_REQS1"
                                   "\17\1FCGI_MPXS_CONNS0";
    unsigned char out[FCGI_WIRE_VALUES_RESULT_MAX];
    size_t size = 0;
    CU_ASSERT_EQUAL(fcgi_wire_values_result((struct text){query, sizeof query - 1}, &values, out, &size), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(size, sizeof expected - 1);
    CU_ASSERT_TRUE(bytes_are(out, expected, size));
}

static void test_values_edges(void)
{
    static const struct fcgi_wire_values values = {.max_conns = 1};
    unsigned char out[FCGI_WIRE_VALUES_RESULT_MAX];
    size_t size = 77;
    CU_ASSERT_EQUAL(fcgi_wire_values_result(TEXT("\5\5cut"), &values, out, &size), ERR_MALFORMED);
    CU_ASSERT_EQUAL(size, 77);
    CU_ASSERT_EQUAL(fcgi_wire_values_result(TEXT(""), &values, out, &size), ERR_NONE);
    CU_ASSERT_EQUAL(size, FCGI_WIRE_HEADER_SIZE);
}

/* Everything from an offset on, put together from batches that are each used up by a piece. */
static void collect(const struct fcgi_stdout *response, size_t offset, struct buf *out)
{
    size_t total = fcgi_stdout_size(response);
    while (offset < total) {
        struct fcgi_stdout_batch batch;
        size_t size = 0;
        fcgi_stdout_batch(response, offset, &batch);
        CU_ASSERT_TRUE_FATAL(batch.count > 0 && batch.count <= FCGI_STDOUT_VECTORS);
        for (unsigned i = 0; i < batch.count; i++) {
            CU_ASSERT_TRUE(batch.vectors[i].iov_len > 0);
            buf_add(out, batch.vectors[i].iov_base, batch.vectors[i].iov_len);
            size += batch.vectors[i].iov_len;
        }
        CU_ASSERT_EQUAL(size, batch.size);
        offset += size;
    }
    CU_ASSERT_EQUAL(offset, total);
}

/* Reads the records back: their content must be head and payload, then the end of the stream, then END_REQUEST. */
static void check_records(struct text wire, const struct fcgi_stdout *response)
{
    size_t head = response->head.length, content = 0;
    struct fcgi_wire_header header;
    for (;;) {
        CU_ASSERT_TRUE_FATAL(wire.length >= FCGI_WIRE_HEADER_SIZE);
        fcgi_wire_header_decode((const unsigned char *)wire.at, &header);
        CU_ASSERT_EQUAL_FATAL(header.type, FCGI_WIRE_STDOUT);
        CU_ASSERT_EQUAL(header.request_id, response->request_id);
        wire.at += FCGI_WIRE_HEADER_SIZE;
        wire.length -= FCGI_WIRE_HEADER_SIZE;
        if (!header.content_length)
            break;
        for (size_t i = 0; i < header.content_length; i++, content++) {
            char expected = content < head ? response->head.at[content] : response->payload.at[content - head];
            if (wire.at[i] != expected)
                CU_FAIL_FATAL("a byte is not in its place");
        }
        wire.at += header.content_length;
        wire.length -= header.content_length;
    }
    CU_ASSERT_EQUAL(content, head + response->payload.length);
    CU_ASSERT_EQUAL(wire.length, FCGI_WIRE_RECORD_SIZE);
    CU_ASSERT_EQUAL(wire.at[1], FCGI_WIRE_END_REQUEST);
}

static struct text noise(size_t length)
{
    char *bytes = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    return (struct text){bytes, length};
}

static void test_stdout_sizes(void)
{
    enum { MAX = FCGI_STDOUT_RECORD_MAX };
    static const size_t sizes[][2] = {{0, 0},       {1, 0},       {0, 1},       {200, 5},           {200, MAX - 200},
                                      {200, MAX},   {MAX, 1},     {MAX + 1, 0}, {200, 3 * MAX - 200}, {10, 40 * MAX},
                                      {2 * MAX, 7}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fcgi_stdout response = {.request_id = 258, .head = noise(sizes[i][0]), .payload = noise(sizes[i][1])};
        struct buf wire;
        buf_init(&wire, 16 * 1024 * 1024);
        collect(&response, 0, &wire);
        CU_ASSERT_EQUAL(wire.length, fcgi_stdout_size(&response));
        check_records(buf_text(&wire), &response);
        buf_fini(&wire);
        free((char *)response.head.at);
        free((char *)response.payload.at);
    }
}

/* Wherever a send stopped, the rest is the same bytes. */
static void test_stdout_offsets(void)
{
    struct fcgi_stdout response = {.request_id = 1, .head = noise(300)};
    response.payload = noise(2 * FCGI_STDOUT_RECORD_MAX + 9);
    struct buf whole, rest;
    buf_init(&whole, 1024 * 1024);
    buf_init(&rest, 1024 * 1024);
    collect(&response, 0, &whole);
    for (size_t offset = 0; offset < whole.length; offset += offset < 400 || offset > whole.length - 100 ? 1 : 997) {
        buf_reset(&rest, rest.max_bytes);
        collect(&response, offset, &rest);
        CU_ASSERT_TRUE(text_equal(buf_text(&rest), (struct text){whole.data + offset, whole.length - offset}));
    }
    buf_fini(&rest);
    buf_fini(&whole);
    free((char *)response.head.at);
    free((char *)response.payload.at);
}

static const struct suite_case cases[] = {
    {"a record header is read and written", test_header},
    {"the body of BEGIN_REQUEST is read", test_begin},
    {"END_REQUEST and UNKNOWN_TYPE are written", test_end},
    {"pairs of any length are read back", test_pair_lengths},
    {"a pair comes when it is whole, and not before", test_pair_growing},
    {"a pair of the greatest length that can be said is waited for", test_pair_huge},
    {"GET_VALUES_RESULT answers what is known, once, in order", test_values},
    {"GET_VALUES_RESULT of nothing, and of a query that is cut", test_values_edges},
    {"a response of any size is the right records", test_stdout_sizes},
    {"a response goes on from any byte", test_stdout_offsets},
};

int main(void)
{
    return suite_main("fcgi_wire", cases, sizeof cases / sizeof cases[0]);
}
