/* Numbers as decimal digits, against what the C library writes. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "check/harness/suite.h"

enum { SIZE = 64, GUARD = '#' };

/* What is written between two guards. */
static const char *written(char out[static SIZE], char *(*write)(char *out, int64_t value), int64_t value)
{
    memset(out, GUARD, SIZE);
    char *end = write(out + 1, value);
    CU_ASSERT(out[0] == GUARD && out[1 + DECIMAL_MAX_BYTES] == GUARD && end - out <= 1 + DECIMAL_MAX_BYTES);
    *end = '\0';
    return out + 1;
}

static void check_integer(int64_t value)
{
    char out[SIZE], expected[SIZE];
    snprintf(expected, sizeof expected, "%" PRId64, value);
    CU_ASSERT_STRING_EQUAL(written(out, decimal_write, value), expected);
}

/* Around each power of ten, where a digit more is needed. */
static void test_integers(void)
{
    for (int64_t power = 1; ; power *= 10) {
        for (int64_t value = power - 2; value <= power + 2; value++) {
            check_integer(value);
            check_integer(-value);
        }
        if (power > INT64_MAX / 10)
            break;
    }
    check_integer(INT64_MAX);
    check_integer(INT64_MIN);
}

static void check_milliseconds(int64_t us)
{
    char out[SIZE], expected[SIZE];
    uint64_t magnitude = us < 0 ? -(uint64_t)us : (uint64_t)us;
    int length = snprintf(expected, sizeof expected, "%s%" PRIu64 ".%03" PRIu64, us < 0 ? "-" : "", magnitude / 1000,
                          magnitude % 1000);
    while (expected[length - 1] == '0')
        expected[--length] = '\0';
    if (expected[length - 1] == '.')
        expected[--length] = '\0';
    for (int64_t ns = us * 1000, rest = 0; rest < 1000; rest += 999) {
        int64_t value = us < 0 ? ns - rest : ns + rest;
        CU_ASSERT_STRING_EQUAL(written(out, decimal_write_milliseconds, value), expected);
    }
}

static void test_milliseconds(void)
{
    for (int64_t us = 0; us < 2100; us++)
        check_milliseconds(us);
    for (int64_t power = 1; power <= INT64_MAX / 10000; power *= 10)
        for (int64_t us = power - 1; us <= power + 1; us++) {
            check_milliseconds(us);
            if (us > 0)
                check_milliseconds(-us);
        }
}

static void test_milliseconds_at_the_ends(void)
{
    static const struct {
        int64_t ns;
        const char *expected;
    } rows[] = {
        {INT64_MAX, "9223372036854.775"}, {INT64_MIN, "-9223372036854.775"}, {-1, "0"}, {-999, "0"}, {-1000, "-0.001"},
    };
    char out[SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_STRING_EQUAL(written(out, decimal_write_milliseconds, rows[i].ns), rows[i].expected);
}

static void test_pairs(void)
{
    for (uint32_t value = 0; value < 100; value++) {
        char out[3] = "", expected[8];
        snprintf(expected, sizeof expected, "%02u", (unsigned)value);
        CU_ASSERT(decimal_pair(out, value) == out + 2);
        CU_ASSERT_STRING_EQUAL(out, expected);
    }
}

static const struct suite_case cases[] = {
    {"whole numbers of every length", test_integers},
    {"milliseconds lose their zeros and what is below a microsecond", test_milliseconds},
    {"milliseconds of the longest times, and of nearly none", test_milliseconds_at_the_ends},
    {"two digits", test_pairs},
};

int main(void)
{
    return suite_main("decimal", cases, sizeof cases / sizeof cases[0]);
}
