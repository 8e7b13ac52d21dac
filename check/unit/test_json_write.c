#include "config.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_write.h"
#include "check/harness/suite.h"

struct page {
    struct buf buf;
    struct json_writer writer;
};

static struct json_writer *page_init(struct page *page, size_t max_bytes)
{
    buf_init(&page->buf, max_bytes);
    json_writer_init(&page->writer, &page->buf);
    return &page->writer;
}

/* Ends the page; true when it is this, and JSON. */
static bool page_is(struct page *page, const char *expected)
{
    size_t members;
    bool is = text_equal_string(buf_text(&page->buf), expected) && page->writer.depth == 0 &&
              json_check(buf_text(&page->buf), &members) == ERR_NONE;

    buf_fini(&page->buf);
    return is;
}

static void test_structure(void)
{
    struct page page;
    struct json_writer *writer = page_init(&page, 1000);

    json_object_begin(writer);
    json_member_string(writer, "a", "b");
    json_key(writer, "list");
    json_array_begin(writer);
    json_integer(writer, 1);
    json_array_begin(writer);
    json_array_end(writer);
    json_object_begin(writer);
    json_object_end(writer);
    json_null(writer);
    json_array_end(writer);
    json_member_boolean(writer, "yes", true);
    json_member_boolean(writer, "no", false);
    json_member_integer(writer, "n", -7);
    json_member_text(writer, "t", TEXT("x"));
    json_member_time(writer, "at", 0);
    json_key(writer, "ms");
    json_milliseconds(writer, 1250000);
    json_key(writer, "raw");
    json_raw(writer, TEXT("[true]"));
    json_object_end(writer);
    CU_ASSERT(page_is(&page, "{\"a\":\"b\",\"list\":[1,[],{},null],\"yes\":true,\"no\":false,\"n\":-7,\"t\":\"x\","
                             "\"at\":\"1970-01-01T00:00:00.000000Z\",\"ms\":1.25,\"raw\":[true]}"));
}

static void test_scalars_alone(void)
{
    struct page page;

    json_integer(page_init(&page, 100), INT64_MIN);
    CU_ASSERT(page_is(&page, "-9223372036854775808"));
    json_integer(page_init(&page, 100), INT64_MAX);
    CU_ASSERT(page_is(&page, "9223372036854775807"));
    json_string(page_init(&page, 100), "");
    CU_ASSERT(page_is(&page, "\"\""));
}

static void test_absent_is_null(void)
{
    struct page page;

    json_text(page_init(&page, 100), TEXT_NONE);
    CU_ASSERT(page_is(&page, "null"));
    json_string(page_init(&page, 100), NULL);
    CU_ASSERT(page_is(&page, "null"));
}

static void test_escapes(void)
{
    static const struct {
        struct text value;
        const char *json;
    } rows[] = {
        {TEXT("plain"), "\"plain\""},
        {TEXT("\"\\/"), "\"\\\"\\\\/\""},
        {TEXT("\n\r\t\b\f"), "\"\\n\\r\\t\\b\\f\""},
        {TEXT("a\0b\x1f\x7f"), "\"a\\u0000b\\u001f\x7f\""},
        {TEXT("\xc3\xa4\xf0\x9f\x92\xb6"), "\"\xc3\xa4\xf0\x9f\x92\xb6\""},
        {TEXT("a\xff"
              "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct page page;
        json_text(page_init(&page, 100), rows[i].value);
        CU_ASSERT(text_equal_string(buf_text(&page.buf), rows[i].json));
        buf_fini(&page.buf);
    }
}

static void test_keys_are_escaped(void)
{
    struct page page;
    struct json_writer *writer = page_init(&page, 100);

    json_object_begin(writer);
    json_member_integer(writer, "a\"b", 1);
    json_object_end(writer);
    CU_ASSERT(page_is(&page, "{\"a\\\"b\":1}"));
}

static void test_every_byte_reads_back(void)
{
    struct page page;
    size_t members;

    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        json_text(page_init(&page, 100), (struct text){&byte, 1});
        /* Zero is written so that nothing is lost; the reading side does not take it. */
        CU_ASSERT_EQUAL(json_check(buf_text(&page.buf), &members), c == 0 ? ERR_MALFORMED : ERR_NONE);
        buf_fini(&page.buf);
    }
}

static void test_numbers(void)
{
    static const struct {
        double value;
        const char *json;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e21, "1e+21"},
        {-2.5, "-2.5"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {HUGE_VAL, "null"},
        {-HUGE_VAL, "null"},
    };
    struct page page;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_number(page_init(&page, 100), rows[i].value);
        CU_ASSERT(page_is(&page, rows[i].json));
    }
    json_number(page_init(&page, 100), nan(""));
    CU_ASSERT(page_is(&page, "null"));
}

static void write_sample(struct json_writer *writer)
{
    json_object_begin(writer);
    json_member_string(writer, "key", "a \"value\" \x01");
    json_key(writer, "list");
    json_array_begin(writer);
    json_number(writer, 1.5);
    json_boolean(writer, true);
    json_array_end(writer);
    json_object_end(writer);
}

/* Whether it stands in JSON as it was given, between quotes. */
static bool is_as_given(const char *given, size_t length)
{
    struct page page;
    size_t members;
    json_text(page_init(&page, 1000), (struct text){given, length});
    bool is_same = page.buf.length == length + 2 && memcmp(page.buf.data + 1, given, length) == 0;
    CU_ASSERT(memchr(given, 0, length) || json_check(buf_text(&page.buf), &members) == ERR_NONE);
    buf_fini(&page.buf);
    return is_same;
}

/* Plain bytes are looked at four, eight and sixteen at a time: each byte is seen wherever it stands among them. */
static void test_every_place(void)
{
    char given[40];

    for (size_t length = 1; length < sizeof given; length++)
        for (unsigned byte = 0; byte < 256; byte++)
            for (size_t at = 0; at < length; at++) {
                bool stands_for_itself = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                memset(given, 'x', length);
                given[at] = (char)byte;
                CU_ASSERT_EQUAL(is_as_given(given, length), stands_for_itself);
            }
}

/* Plain bytes that differ from those which are not by a bit, or by one. */
static void test_neighbours(void)
{
    static const char near[] = "\x20\x21\x23\x26\x2a\x32\x5b\x5d\x58\x54\x4c\x7c\x7f\x7e\x30";

    for (size_t length = 1; length < sizeof near; length++)
        CU_ASSERT(is_as_given(near, length) && is_as_given(near + sizeof near - 1 - length, length));
}

/* At every ceiling: the whole, or a failure that is asked of the buffer. */
static void test_ceiling(void)
{
    struct page page;

    write_sample(page_init(&page, 1000));
    size_t whole = page.buf.length;
    buf_fini(&page.buf);
    for (size_t max = 0; max < whole + 3; max++) {
        write_sample(page_init(&page, max));
        CU_ASSERT_EQUAL(buf_check(&page.buf), max < whole ? ERR_MEMORY : ERR_NONE);
        CU_ASSERT(page.buf.length <= max);
        buf_fini(&page.buf);
    }
}

static const struct suite_case cases[] = {
    {"commas and brackets come out right", test_structure},
    {"a scalar may stand alone", test_scalars_alone},
    {"an absent text is null", test_absent_is_null},
    {"strings are escaped, and broken UTF-8 replaced", test_escapes},
    {"keys are escaped too", test_keys_are_escaped},
    {"whatever byte a string has, the result is JSON", test_every_byte_reads_back},
    {"a byte that is escaped is seen wherever it stands", test_every_place},
    {"a byte that is nearly one that is escaped is not", test_neighbours},
    {"numbers are short, exact, and null when not finite", test_numbers},
    {"at every ceiling it fits whole or fails", test_ceiling},
};

int main(void)
{
    return suite_main("json_write", cases, sizeof cases / sizeof cases[0]);
}
