#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "check/harness/suite.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void test_absent_and_empty(void)
{
    CU_ASSERT_PTR_NULL(text_of(NULL).at);
    CU_ASSERT_PTR_NOT_NULL(text_of("").at);
    CU_ASSERT(text_equal(TEXT_NONE, TEXT_NONE));
    CU_ASSERT(text_equal(TEXT(""), text_of("")));
    CU_ASSERT_FALSE(text_equal(TEXT_NONE, TEXT("")));
    CU_ASSERT_FALSE(text_equal_nocase(TEXT(""), TEXT_NONE));
    CU_ASSERT(text_equal_string(TEXT_NONE, NULL));
    CU_ASSERT_FALSE(text_equal_string(TEXT_NONE, ""));
    CU_ASSERT_EQUAL(text_find(TEXT_NONE, 'x'), -1);
    CU_ASSERT(text_is_utf8(TEXT_NONE));
    CU_ASSERT_EQUAL(text_trim(TEXT_NONE).length, 0);
}

static void test_equal(void)
{
    CU_ASSERT(text_equal(TEXT("a\0b"), TEXT("a\0b")));
    CU_ASSERT_FALSE(text_equal(TEXT("a\0b"), TEXT("a\0c")));
    CU_ASSERT_FALSE(text_equal(TEXT("ab"), TEXT("abc")));
    CU_ASSERT_FALSE(text_equal(TEXT("Ab"), TEXT("ab")));
    CU_ASSERT(text_equal_nocase(TEXT("Content-TYPE"), TEXT("content-type")));
    CU_ASSERT_FALSE(text_equal_nocase(TEXT("@["), TEXT("`{")));
    CU_ASSERT_FALSE(text_equal_nocase(TEXT("\xc3\x84"), TEXT("\xc3\xa4")));
}

static void test_starts(void)
{
    CU_ASSERT(text_starts(TEXT("/v1/users"), TEXT("/v1")));
    CU_ASSERT(text_starts(TEXT("/v1"), TEXT("/v1")));
    CU_ASSERT(text_starts(TEXT_NONE, TEXT("")));
    CU_ASSERT_FALSE(text_starts(TEXT("/v"), TEXT("/v1")));
    CU_ASSERT_FALSE(text_starts(TEXT("Bearer x"), TEXT("bearer ")));
    CU_ASSERT(text_starts_nocase(TEXT("Bearer x"), TEXT("bearer ")));
    CU_ASSERT_FALSE(text_starts_nocase(TEXT("Bear"), TEXT("bearer ")));
}

static void test_split(void)
{
    struct text rest = TEXT("a,,b,");

    CU_ASSERT(text_equal(text_split(&rest, ','), TEXT("a")));
    CU_ASSERT(text_equal(text_split(&rest, ','), TEXT("")));
    CU_ASSERT(text_equal(text_split(&rest, ','), TEXT("b")));
    CU_ASSERT(text_equal(rest, TEXT("")));
    CU_ASSERT(text_equal(text_split(&rest, ','), TEXT("")));
    CU_ASSERT_PTR_NULL(rest.at);
    CU_ASSERT_PTR_NULL(text_split(&rest, ',').at);
}

static void test_trim(void)
{
    CU_ASSERT(text_equal(text_trim(TEXT(" \t a b\t ")), TEXT("a b")));
    CU_ASSERT(text_equal(text_trim(TEXT("a")), TEXT("a")));
    CU_ASSERT_EQUAL(text_trim(TEXT(" \t ")).length, 0);
    CU_ASSERT_EQUAL(text_trim(TEXT("\r\n")).length, 2);
}

static void test_to_int(void)
{
    static const struct {
        const char *text;
        int64_t value;
    } accepted[] = {
        {"0", 0},
        {"-0", 0},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775807", -INT64_MAX},
    };
    static const char *const refused[] = {
        "", "-", "+1", " 1", "1 ", "1.0", "1e3", "--1", "0x10", "abc", "9223372036854775808", "-9223372036854775809",
        "92233720368547758070", "99999999999999999999999999999",
    };

    for (size_t i = 0; i < COUNT(accepted); i++) {
        int64_t value = 42;
        CU_ASSERT_EQUAL(text_to_int(text_of(accepted[i].text), &value), ERR_NONE);
        CU_ASSERT_EQUAL(value, accepted[i].value);
    }
    for (size_t i = 0; i < COUNT(refused); i++) {
        int64_t value = 42;
        CU_ASSERT_EQUAL(text_to_int(text_of(refused[i]), &value), ERR_MALFORMED);
        CU_ASSERT_EQUAL(value, 42);
    }
    int64_t value = 42;
    CU_ASSERT_EQUAL(text_to_int(TEXT_NONE, &value), ERR_MALFORMED);
    CU_ASSERT_EQUAL(text_to_int(TEXT("1\0"), &value), ERR_MALFORMED);
}

static void test_to_mode(void)
{
    static const struct {
        const char *text;
        int64_t mode;
    } accepted[] = {{"0660", 0660}, {"00", 0}, {"0", 0}, {"432", 432}, {"0777", 0777}, {"000640", 0640}, {"660", 660}};
    static const char *const refused[] = {"", "0680", "0o660", "0x1b0", "06 60", "rw-rw----",
                                          "0777777777777777777777777"};
    int64_t mode = -7;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        CU_ASSERT_EQUAL(text_to_mode(text_of(accepted[i].text), &mode), ERR_NONE);
        CU_ASSERT_EQUAL(mode, accepted[i].mode);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        mode = -7;
        CU_ASSERT_EQUAL(text_to_mode(text_of(refused[i]), &mode), ERR_MALFORMED);
        CU_ASSERT_EQUAL(mode, -7);
    }
}

static void test_utf8_accepts(void)
{
    static const struct {
        const char *text;
        size_t count;
    } rows[] = {
        {"", 0},
        {"abc", 3},
        {"\x7f", 1},
        {"\xc2\x80", 1},
        {"\xdf\xbf", 1},
        {"\xe0\xa0\x80", 1},
        {"\xed\x9f\xbf", 1},
        {"\xee\x80\x80", 1},
        {"\xef\xbf\xbf", 1},
        {"\xf0\x90\x80\x80", 1},
        {"\xf4\x8f\xbf\xbf", 1},
        {"na\xc3\xafve \xf0\x9f\x92\xb6", 7},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CU_ASSERT(text_is_utf8(text_of(rows[i].text)));
        CU_ASSERT_EQUAL(text_utf8_count(text_of(rows[i].text)), rows[i].count);
    }
}

static void test_utf8_refuses(void)
{
    static const char *const rows[] = {
        "\x80",                 /* a continuation first */
        "\xbf",
        "\xc0\x80",             /* overlong */
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",         /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",     /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc2",                 /* cut short */
        "\xe1\x80",
        "\xf1\x80\x80",
        "\xc2z",
        "\xe1\x80z",
        "\xf1\x80\x80z",
        "good then \xe2\x28\xa1",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CU_ASSERT_FALSE(text_is_utf8(text_of(rows[i])));
    }
}

static void test_utf8_stays_inside(void)
{
    const char bytes[] = "\xf0\x9f\x92\xb6";

    for (size_t length = 1; length < 4; length++) {
        CU_ASSERT_FALSE(text_is_utf8((struct text){bytes, length}));
    }
    CU_ASSERT(text_is_utf8((struct text){bytes, 4}));
}

static void test_visible_ascii(void)
{
    CU_ASSERT(text_is_visible_ascii(TEXT("!azAZ09~")));
    CU_ASSERT(text_is_visible_ascii(TEXT("")));
    CU_ASSERT_FALSE(text_is_visible_ascii(TEXT("a b")));
    CU_ASSERT_FALSE(text_is_visible_ascii(TEXT("a\x7f")));
    CU_ASSERT_FALSE(text_is_visible_ascii(TEXT("\xc3\xa4")));
    CU_ASSERT_FALSE(text_is_visible_ascii(TEXT("a\0")));
}

static void test_percent_accepts(void)
{
    static const struct {
        const char *text;
        bool plus_is_space;
        const char *decoded;
    } rows[] = {
        {"", false, ""},
        {"a%20b", false, "a b"},
        {"a+b", false, "a+b"},
        {"a+b", true, "a b"},
        {"a%2Bb", true, "a+b"},
        {"%C3%a4", false, "\xc3\xa4"},
        {"%2525", false, "%25"},
        {"%2e%2E/", false, "../"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[64];
        size_t length = 99;
        CU_ASSERT_EQUAL(text_percent_decode(text_of(rows[i].text), rows[i].plus_is_space, out, &length), ERR_NONE);
        CU_ASSERT(text_equal_string((struct text){out, length}, rows[i].decoded));
    }
}

static void test_percent_refuses(void)
{
    static const char *const rows[] = {"%", "%2", "a%", "a%4", "%zz", "%4g", "%-1", "% 1",
                                       "%00", "a%00b", "%ff", "%c3", "%c0%80"};

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[64];
        size_t length = 99;
        CU_ASSERT_EQUAL(text_percent_decode(text_of(rows[i]), false, out, &length), ERR_MALFORMED);
        CU_ASSERT_EQUAL(length, 99);
    }
    char out[64];
    size_t length;
    CU_ASSERT_EQUAL(text_percent_decode(TEXT("a\0b"), false, out, &length), ERR_MALFORMED);
}

static void test_percent_in_place(void)
{
    char bytes[] = "%41%42c";
    size_t length;

    CU_ASSERT_EQUAL(text_percent_decode(text_of(bytes), false, bytes, &length), ERR_NONE);
    CU_ASSERT(text_equal((struct text){bytes, length}, TEXT("ABc")));
}

static const struct suite_case cases[] = {
    {"absent and empty differ", test_absent_and_empty},
    {"equality is of bytes, and without case of ASCII letters only", test_equal},
    {"a prefix is found, with and without case", test_starts},
    {"splitting gives empty parts, then absence", test_split},
    {"trimming takes spaces and tabs only", test_trim},
    {"an integer is read up to the ends of 64 bits", test_to_int},
    {"permission bits are octal with a zero before them", test_to_mode},
    {"well-formed UTF-8 is accepted and counted", test_utf8_accepts},
    {"overlong, surrogate, too high and cut UTF-8 is refused", test_utf8_refuses},
    {"a code point cut by the view's end is refused", test_utf8_stays_inside},
    {"visible ASCII excludes space, DEL, NUL and more than seven bits", test_visible_ascii},
    {"percent-encoding is decoded once", test_percent_accepts},
    {"broken escapes, NUL and bad UTF-8 in percent-encoding are refused", test_percent_refuses},
    {"percent-encoding may be decoded in place", test_percent_in_place},
};

int main(void)
{
    return suite_main("text", cases, COUNT(cases));
}
