#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "check/harness/suite.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

struct accepted {
    struct text json;
    size_t members;
};

struct refused {
    struct text json;
    size_t byte;          /* where the fault is */
    const char *reason;   /* a part of it */
};

/* Each row is named in the failure's place, since the line would be the same for all. */
static void expect(bool holds, struct text json, const char *what)
{
    char line[200];

    if (!holds) {
        snprintf(line, sizeof line, "%s: %.*s (%s)", what, (int)(json.length < 60 ? json.length : 60), json.at,
                 err_cause());
        CU_assertImplementation(CU_FALSE, __LINE__, line, __FILE__, "", CU_FALSE);
    }
}

static void expect_accepted(const struct accepted *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct json_document *document = NULL;
        size_t members = 9999;
        enum err err = json_check(rows[i].json, &members);
        expect(err == ERR_NONE && members == rows[i].members, rows[i].json, "checked");
        err = json_parse(rows[i].json, &document);
        expect(err == ERR_NONE && document, rows[i].json, "parsed");
        json_free(document);
    }
}

static void expect_refused(const struct refused *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct json_document *document = NULL;
        size_t members = 9999;
        char byte[32];
        snprintf(byte, sizeof byte, "byte %zu:", rows[i].byte);
        enum err err = json_check(rows[i].json, &members);
        expect(err == ERR_MALFORMED && members == 9999, rows[i].json, "refused by the check");
        expect(strstr(err_cause(), byte), rows[i].json, byte);
        expect(strstr(err_cause(), rows[i].reason), rows[i].json, rows[i].reason);
        err = json_parse(rows[i].json, &document);
        expect(err == ERR_MALFORMED && !document, rows[i].json, "refused by the parser");
    }
}

static void test_values(void)
{
    static const struct accepted rows[] = {
        {TEXT("{}"), 0},
        {TEXT("[]"), 0},
        {TEXT("null"), 0},
        {TEXT(" \t\r\n null \t\r\n"), 0},
        {TEXT("true"), 0},
        {TEXT("false "), 0},
        {TEXT("\"\""), 0},
        {TEXT("\"a\""), 0},
        {TEXT("[null,true,false,1,\"\",{},[]]"), 0},
        {TEXT("{\"a\":1}"), 1},
        {TEXT(" { \"a\" : 1 , \"b\" : { \"a\" : [ { \"a\" : null } ] } } "), 4},
        {TEXT("{\"\":1}"), 1},
        {TEXT("{\"a\":null,\"A\":null}"), 2},
    };

    expect_accepted(rows, COUNT(rows));
}

static void test_values_refused(void)
{
    static const struct refused rows[] = {
        {TEXT(""), 0, "a value"},
        {TEXT("  "), 2, "a value"},
        {TEXT("nul"), 0, "a value"},
        {TEXT("nulll"), 4, "follows"},
        {TEXT("True"), 0, "a value"},
        {TEXT("NULL"), 0, "a value"},
        {TEXT("NaN"), 0, "a value"},
        {TEXT("Infinity"), 0, "a value"},
        {TEXT("undefined"), 0, "a value"},
        {TEXT("'a'"), 0, "a value"},
        {TEXT("{} {}"), 3, "follows"},
        {TEXT("1 2"), 2, "follows"},
        {TEXT("null\0"), 4, "follows"},
        {TEXT("\0"), 0, "a value"},
        {TEXT("\xef\xbb\xbf{}"), 0, "a value"},
        {TEXT("// c\n1"), 0, "a value"},
        {TEXT("/* c */ 1"), 0, "a value"},
        {TEXT("1 // c"), 2, "follows"},
        {TEXT("\x0b" "1"), 0, "a value"},
        {TEXT("\xc2\xa0" "1"), 0, "a value"},
        {TEXT("[1 /* c */]"), 3, "a comma or ]"},
    };

    expect_refused(rows, COUNT(rows));
}

static void test_structure_refused(void)
{
    static const struct refused rows[] = {
        {TEXT("{"), 1, "a key"},
        {TEXT("}"), 0, "a value"},
        {TEXT("["), 1, "a value"},
        {TEXT("]"), 0, "a value"},
        {TEXT("[1"), 2, "a comma or ]"},
        {TEXT("[1,"), 3, "a value"},
        {TEXT("[1,]"), 3, "a value"},
        {TEXT("[,1]"), 1, "a value"},
        {TEXT("[1,,2]"), 3, "a value"},
        {TEXT("[1 2]"), 3, "a comma or ]"},
        {TEXT("[1}"), 2, "a comma or ]"},
        {TEXT("{\"a\":1]"), 6, "a comma or }"},
        {TEXT("{\"a\"}"), 4, "a colon"},
        {TEXT("{\"a\" 1}"), 5, "a colon"},
        {TEXT("{\"a\":}"), 5, "a value"},
        {TEXT("{\"a\":1,}"), 7, "a key"},
        {TEXT("{,}"), 1, "a key"},
        {TEXT("{a:1}"), 1, "a key"},
        {TEXT("{'a':1}"), 1, "a key"},
        {TEXT("{1:1}"), 1, "a key"},
        {TEXT("{null:1}"), 1, "a key"},
        {TEXT("{\"a\":1 \"b\":2}"), 7, "a comma or }"},
        {TEXT("{\"a\":1}}"), 7, "follows"},
        {TEXT("[[]"), 3, "a comma or ]"},
        {TEXT("{\"a\"=1}"), 4, "a colon"},
        {TEXT("{\"a\":1;}"), 6, "a comma or }"},
    };

    expect_refused(rows, COUNT(rows));
}

static void test_numbers(void)
{
    static const struct accepted rows[] = {
        {TEXT("0"), 0},
        {TEXT("-0"), 0},
        {TEXT("-1"), 0},
        {TEXT("10"), 0},
        {TEXT("9223372036854775807"), 0},
        {TEXT("-9223372036854775808"), 0},
        {TEXT("0.0"), 0},
        {TEXT("-0.5"), 0},
        {TEXT("1.50"), 0},
        {TEXT("0.00000000000000000000000000000000000001"), 0},
        {TEXT("1e0"), 0},
        {TEXT("1E+2"), 0},
        {TEXT("1e-2"), 0},
        {TEXT("1e007"), 0},
        {TEXT("0e999999999999999999999"), 0},
        {TEXT("0.000e400"), 0},
        {TEXT("1e308"), 0},
        {TEXT("1.7976931348623157e308"), 0},
        {TEXT("1.79769313486231570814e308"), 0},
        {TEXT("-1.7976931348623157e308"), 0},
        {TEXT("0.00017976931348623157e312"), 0},
        {TEXT("17976931348623157e292"), 0},
        {TEXT("1e-400"), 0},
        {TEXT("1e-99999999999999999999"), 0},
        {TEXT("9223372036854775808.0"), 0},
        {TEXT("123456789012345678901234567890.5"), 0},
        {TEXT("[1,2.5,-3e1]"), 0},
    };

    expect_accepted(rows, COUNT(rows));
}

static void test_numbers_refused(void)
{
    static const struct refused rows[] = {
        {TEXT("-"), 1, "a digit"},
        {TEXT("+1"), 0, "a value"},
        {TEXT("01"), 1, "leading zero"},
        {TEXT("-01"), 2, "leading zero"},
        {TEXT("00"), 1, "leading zero"},
        {TEXT("1."), 2, "a digit"},
        {TEXT(".5"), 0, "a value"},
        {TEXT("-.5"), 1, "a digit"},
        {TEXT("1.e5"), 2, "a digit"},
        {TEXT("1e"), 2, "a digit"},
        {TEXT("1e+"), 3, "a digit"},
        {TEXT("1e1.5"), 3, "follows"},
        {TEXT("1.2.3"), 3, "follows"},
        {TEXT("1a"), 1, "follows"},
        {TEXT("[1a]"), 2, "a comma or ]"},
        {TEXT("0x10"), 1, "follows"},
        {TEXT("1_000"), 1, "follows"},
        {TEXT("1,5"), 1, "follows"},
        {TEXT("--1"), 1, "a digit"},
        {TEXT("-Infinity"), 1, "a digit"},
        {TEXT("-NaN"), 1, "a digit"},
        {TEXT("9223372036854775808"), 0, "64 bits"},
        {TEXT("-9223372036854775809"), 0, "64 bits"},
        {TEXT("[18446744073709551615]"), 1, "64 bits"},
        {TEXT("99999999999999999999999999"), 0, "64 bits"},
        {TEXT("1e309"), 0, "too large"},
        {TEXT("[-1e309]"), 1, "too large"},
        {TEXT("1.797693134862315709e308"), 0, "too large"},
        {TEXT("1.8e308"), 0, "too large"},
        {TEXT("0.0000018e314"), 0, "too large"},
        {TEXT("180000000000e297"), 0, "too large"},
        {TEXT("1e99999999999999999999999999"), 0, "too large"},
        {TEXT("0.1e310"), 0, "too large"},
    };

    expect_refused(rows, COUNT(rows));
}

static void test_strings(void)
{
    static const struct accepted rows[] = {
        {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), 0},
        {TEXT("\"\\u0001\\u00e4\\uFFFF\\uffff\""), 0},
        {TEXT("\"\\ud83d\\udcb6\""), 0},
        {TEXT("\"\\uD800\\uDC00\\uDBFF\\uDFFF\""), 0},
        {TEXT("\"\\u0022\""), 0},
        {TEXT("\"\x7f\xc3\xa4\xf0\x9f\x92\xb6\""), 0},
        {TEXT("\"// not a comment\""), 0},
        {TEXT("{\"\\u00e4\":1,\"a/b~c\":2}"), 2},
        {TEXT("\"\\\\u0000\""), 0},
    };

    expect_accepted(rows, COUNT(rows));
}

static void test_strings_refused(void)
{
    static const struct refused rows[] = {
        {TEXT("\""), 1, "no end"},
        {TEXT("\"abc"), 4, "no end"},
        {TEXT("\"abc\\\""), 6, "no end"},
        {TEXT("\"abc\\"), 4, "unknown escape"},
        {TEXT("\"\\a\""), 1, "unknown escape"},
        {TEXT("\"\\'\""), 1, "unknown escape"},
        {TEXT("\"\\x41\""), 1, "unknown escape"},
        {TEXT("\"\\U0041\""), 1, "unknown escape"},
        {TEXT("\"\\\n\""), 1, "unknown escape"},
        {TEXT("\"\n\""), 1, "control"},
        {TEXT("\"a\tb\""), 2, "control"},
        {TEXT("\"a\0b\""), 2, "control"},
        {TEXT("\"\x1f\""), 1, "control"},
        {TEXT("\"\\u\""), 1, "four"},
        {TEXT("\"\\u12\""), 1, "four"},
        {TEXT("\"\\u123g\""), 1, "four"},
        {TEXT("\"\\u+123\""), 1, "four"},
        {TEXT("\"\\u 123\""), 1, "four"},
        {TEXT("\"\\u123"), 1, "four"},
        {TEXT("\"\\u0000\""), 1, "NUL"},
        {TEXT("\"a\\u0000b\""), 2, "NUL"},
        {TEXT("{\"a\\u0000\":1}"), 3, "NUL"},
        {TEXT("\"\\ud800\""), 1, "surrogate"},
        {TEXT("\"\\udc00\""), 1, "surrogate"},
        {TEXT("\"\\udfff\\ud800\""), 1, "surrogate"},
        {TEXT("\"\\ud800\\ud800\""), 1, "surrogate"},
        {TEXT("\"\\ud800\\n\""), 1, "surrogate"},
        {TEXT("\"\\ud800x\""), 1, "surrogate"},
        {TEXT("\"\\ud800\\u0041\""), 1, "surrogate"},
        {TEXT("\"\\ud800\\udc0\""), 1, "surrogate"},
        {TEXT("\"\\ud83d\\udcb6\\udcb6\""), 13, "surrogate"},
        {TEXT("{\"\\udead\":1}"), 2, "surrogate"},
        {TEXT("\"\x80\""), 1, "UTF-8"},
        {TEXT("\"a\xff\""), 2, "UTF-8"},
        {TEXT("\"\xc0\x80\""), 1, "UTF-8"},
        {TEXT("\"\xed\xa0\x80\""), 1, "UTF-8"},
        {TEXT("\"\xf4\x90\x80\x80\""), 1, "UTF-8"},
        {TEXT("\"\xc3\""), 1, "UTF-8"},
        {TEXT("\"\xe2\x82"), 1, "UTF-8"},
        {TEXT("{\"\xff\":1}"), 2, "UTF-8"},
    };

    expect_refused(rows, COUNT(rows));
}

static void test_duplicates(void)
{
    static const struct text rows[] = {
        TEXT("{\"a\":1,\"a\":2}"),
        TEXT("{\"a\":1,\"b\":2,\"a\":1}"),
        TEXT("{\"a\":null,\"a\":null}"),
        TEXT("[{\"x\":{\"a\":[],\"a\":{}}}]"),
        TEXT("{\"a\":1,\"\\u0061\":2}"),
        TEXT("{\"\":1,\"\":2}"),
        TEXT("{\"a\":{\"b\":1,\"c\":2},\"a\":1}"),
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_document *document = NULL;
        enum err err = json_parse(rows[i], &document);
        expect(err == ERR_MALFORMED && !document && strstr(err_cause(), "duplicate key"), rows[i], "duplicate");
    }
}

/* depth brackets of both kinds in turn, and a value inside. */
static struct text nested(struct buf *buf, size_t depth)
{
    buf_reset(buf, 0);
    for (size_t i = 0; i < depth; i++) {
        buf_add_string(buf, i % 2 ? "{\"a\":" : "[");
    }
    buf_add_char(buf, '1');
    for (size_t i = depth; i > 0; i--) {
        buf_add_char(buf, (i - 1) % 2 ? '}' : ']');
    }
    CU_ASSERT_EQUAL(buf_check(buf), ERR_NONE);
    return buf_text(buf);
}

static void test_depth(void)
{
    struct json_document *document = NULL;
    struct buf buf;

    buf_init(&buf, 10000000);
    CU_ASSERT_EQUAL(json_parse(nested(&buf, JSON_MAX_DEPTH), &document), ERR_NONE);
    json_free(document);
    CU_ASSERT_EQUAL(json_parse(nested(&buf, JSON_MAX_DEPTH + 1), &document), ERR_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "too deeply"));
    CU_ASSERT_EQUAL(json_parse(nested(&buf, 1000000), &document), ERR_MALFORMED);
    buf_fini(&buf);
}

/* An array of so many, of which the first `lists` are arrays themselves. */
static struct text broad(struct buf *buf, size_t elements, size_t lists)
{
    buf_reset(buf, 0);
    buf_add_char(buf, '[');
    for (size_t i = 0; i < elements; i++)
        buf_add_string(buf, i + 1 == elements ? "0]" : i < lists ? "[]," : "0,");
    CU_ASSERT_EQUAL(buf_check(buf), ERR_NONE);
    return buf_text(buf);
}

static void test_breadth(void)
{
    struct json_document *document = NULL;
    struct buf buf;

    buf_init(&buf, 10000000);
    CU_ASSERT_EQUAL(json_parse(broad(&buf, JSON_MAX_VALUES - 1, JSON_MAX_LISTS - 1), &document), ERR_NONE);
    json_free(document);
    CU_ASSERT_EQUAL(json_parse(broad(&buf, JSON_MAX_VALUES, 0), &document), ERR_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "too many values"));
    CU_ASSERT_EQUAL(json_parse(broad(&buf, JSON_MAX_VALUES - 1, JSON_MAX_LISTS), &document), ERR_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "too many objects and arrays"));
    buf_fini(&buf);
}

static void test_many_members(void)
{
    struct json_document *document = NULL;
    struct buf buf;
    size_t members = 0;

    buf_init(&buf, 10000000);
    buf_add_char(&buf, '{');
    for (int i = 0; i < 10000; i++) {
        buf_addf(&buf, "%s\"%d\":[%d]", i ? "," : "", i, i);
    }
    buf_add_char(&buf, '}');
    CU_ASSERT_EQUAL(json_check(buf_text(&buf), &members), ERR_NONE);
    CU_ASSERT_EQUAL(members, 10000);
    CU_ASSERT_EQUAL(json_parse(buf_text(&buf), &document), ERR_NONE);
    json_free(document);
    buf_fini(&buf);
}

/* Every beginning of a document is refused, and its last byte is never read beyond. */
static void test_prefixes(void)
{
    const struct text whole = TEXT("{\"a\":[1.5e3,-0,\"\\ud83d\\udcb6\xc3\xa4\",true],\"b\":{\"c\":null}}");
    struct json_document *document = NULL;

    for (size_t length = 0; length < whole.length; length++) {
        char *copy = strndup(whole.at, length);
        enum err err = json_parse((struct text){copy, length}, &document);
        expect(err == ERR_MALFORMED, (struct text){copy, length}, "a beginning");
        free(copy);
    }
    CU_ASSERT_EQUAL(json_parse(whole, &document), ERR_NONE);
    json_free(document);
}

static void test_nothing(void)
{
    struct json_document *document = NULL;
    size_t members;

    json_free(NULL);
    CU_ASSERT_EQUAL(json_check(TEXT_NONE, &members), ERR_MALFORMED);
    CU_ASSERT_EQUAL(json_parse(TEXT_NONE, &document), ERR_MALFORMED);
    CU_ASSERT_EQUAL(json_parse((struct text){"1", (size_t)1 << 31}, &document), ERR_MEMORY);
    CU_ASSERT_PTR_NULL(document);
}

static const struct suite_case cases[] = {
    {"every kind of value is accepted, and members are counted", test_values},
    {"other words, comments and what follows a value are refused", test_values_refused},
    {"broken brackets, commas and keys are refused", test_structure_refused},
    {"numbers are accepted to the ends of their range", test_numbers},
    {"numbers in other forms or out of range are refused", test_numbers_refused},
    {"strings with every escape are accepted", test_strings},
    {"raw controls, bad escapes, NUL, surrogates and bad UTF-8 are refused", test_strings_refused},
    {"a key given twice is refused, however it is written", test_duplicates},
    {"the depth has a ceiling", test_depth},
    {"the breadth has a ceiling, for what it takes in memory", test_breadth},
    {"ten thousand members are no burden", test_many_members},
    {"every beginning of a document is refused", test_prefixes},
    {"no text, and too long a text, are refused", test_nothing},
};

int main(void)
{
    return suite_main("json", cases, COUNT(cases));
}
