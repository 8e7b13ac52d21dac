#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void test_monotonic(void)
{
    int64_t last = clock_now_ns();

    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_now_ns();
        CU_ASSERT_FATAL(now >= last);
        last = now;
    }
}

static void test_wall(void)
{
    /* From the day this was written to the year 2200: seconds or nanoseconds taken for microseconds fall outside. */
    CU_ASSERT(clock_wall_us() > INT64_C(1750000000) * US_PER_S);
    CU_ASSERT(clock_wall_us() < INT64_C(7258118400) * US_PER_S);
}

/* What is reckoned from the monotonic clock is what the other says, to a hundredth of a second. */
static void test_wall_at(void)
{
    for (int i = 0; i < 10000; i++) {
        int64_t before = clock_wall_us(), told = clock_wall_us_at(clock_now_ns()), after = clock_wall_us();
        CU_ASSERT_FATAL(told > before - US_PER_S / 100 && told < after + US_PER_S / 100);
    }
}

static void test_cpu(void)
{
    int64_t before = clock_cpu_ns();
    volatile unsigned work = 0;

    CU_ASSERT(before > 0);
    while (clock_cpu_ns() == before)
        work++;
    CU_ASSERT(clock_cpu_ns() > before);
}

static const struct {
    int64_t wall_us;
    const char *text;
} both_ways[] = {
    {0, "1970-01-01T00:00:00.000000Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},
    {1, "1970-01-01T00:00:00.000001Z"},
    {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
    {INT64_C(1709251199999999), "2024-02-29T23:59:59.999999Z"},
    {INT64_C(1709251200000000), "2024-03-01T00:00:00.000000Z"},
    {INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z"},
    {INT64_C(4107542399000000), "2100-02-28T23:59:59.000000Z"},
    {INT64_C(1795453509123456), "2026-11-23T17:05:09.123456Z"},
    {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
    {INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z"},
    {INT64_C(-62162121600000000), "0000-02-29T00:00:00.000000Z"},
    {INT64_C(-62135596800000000), "0001-01-01T00:00:00.000000Z"},
};

static void test_write(void)
{
    for (size_t i = 0; i < COUNT(both_ways); i++) {
        char out[CLOCK_RFC3339_SIZE];
        CU_ASSERT_PTR_EQUAL(clock_rfc3339(both_ways[i].wall_us, out), out);
        CU_ASSERT_STRING_EQUAL(out, both_ways[i].text);
        CU_ASSERT_EQUAL(strlen(out) + 1, CLOCK_RFC3339_SIZE);
    }
}

static void test_write_outside(void)
{
    char out[CLOCK_RFC3339_SIZE];

    CU_ASSERT_STRING_EQUAL(clock_rfc3339(INT64_MAX, out), "9999-12-31T23:59:59.999999Z");
    CU_ASSERT_STRING_EQUAL(clock_rfc3339(INT64_MIN, out), "0000-01-01T00:00:00.000000Z");
}

static void test_read(void)
{
    for (size_t i = 0; i < COUNT(both_ways); i++) {
        int64_t wall_us = 42;
        CU_ASSERT_EQUAL(clock_parse_rfc3339(text_of(both_ways[i].text), &wall_us), ERR_NONE);
        CU_ASSERT_EQUAL(wall_us, both_ways[i].wall_us);
    }
}

static void test_round_trip(void)
{
    /* A step of 97 days and some, so that every month, leap day and century passes by. */
    const int64_t step = INT64_C(97) * 86400 * US_PER_S + 12345678901;

    for (int64_t wall_us = INT64_C(-62167219200000000); wall_us < INT64_C(253402300800000000); wall_us += step) {
        char out[CLOCK_RFC3339_SIZE];
        int64_t again = 42;
        CU_ASSERT_EQUAL_FATAL(clock_parse_rfc3339(text_of(clock_rfc3339(wall_us, out)), &again), ERR_NONE);
        CU_ASSERT_EQUAL_FATAL(again, wall_us);
    }
}

static void test_read_forms(void)
{
    static const struct {
        const char *text;
        int64_t wall_us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T01:30:00+01:30", 0},
        {"1969-12-31T16:00:00-08:00", 0},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.123456789Z", 123456},
        {"1970-01-01T00:00:00.000000999Z", 0},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"2017-01-01T00:59:60.25+01:00", INT64_C(1483228800250000)},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t wall_us = 42;
        CU_ASSERT_EQUAL(clock_parse_rfc3339(text_of(rows[i].text), &wall_us), ERR_NONE);
        CU_ASSERT_EQUAL(wall_us, rows[i].wall_us);
    }
}

static void test_read_refuses(void)
{
    static const char *const rows[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T17:05:09",
        "2026-11-23T17:05Z",
        "2026-11-23 17:05:09Z",
        "2026-00-23T17:05:09Z",
        "2026-13-23T17:05:09Z",
        "2026-11-00T17:05:09Z",
        "2026-11-31T17:05:09Z",
        "2026-02-29T17:05:09Z",
        "1900-02-29T17:05:09Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T17:60:09Z",
        "2026-11-23T17:05:61Z",
        "2026-11-23T17:05:60Z",
        "2026-11-23T17:05:09.Z",
        "2026-11-23T17:05:09.1234567890Z",
        "2026-11-23T17:05:09+1:00",
        "2026-11-23T17:05:09+0100",
        "2026-11-23T17:05:09+24:00",
        "2026-11-23T17:05:09+01:60",
        "2026-11-23T17:05:09Zx",
        " 2026-11-23T17:05:09Z",
        "2026-11-23T17:05:09Z ",
        "-026-11-23T17:05:09Z",
        "12026-11-23T17:05:09Z",
        "2026-11-23T17:05:09,5Z",
        "2026/11/23T17:05:09Z",
        "2026-1-23T17:05:09Z",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t wall_us = 42;
        CU_ASSERT_EQUAL(clock_parse_rfc3339(text_of(rows[i]), &wall_us), ERR_MALFORMED);
        CU_ASSERT_EQUAL(wall_us, 42);
    }
    int64_t wall_us;
    CU_ASSERT_EQUAL(clock_parse_rfc3339(TEXT_NONE, &wall_us), ERR_MALFORMED);
    CU_ASSERT_EQUAL(clock_parse_rfc3339(TEXT("2026-11-23T17:05:09Z\0"), &wall_us), ERR_MALFORMED);
}

static const struct suite_case cases[] = {
    {"the monotonic clock never goes back", test_monotonic},
    {"wall time is in microseconds", test_wall},
    {"wall time of a monotonic moment", test_wall_at},
    {"processor time passes with work", test_cpu},
    {"times are written, from the year 0000 to 9999", test_write},
    {"a time outside these years shows as the nearest inside", test_write_outside},
    {"what was written is read again", test_read},
    {"writing and reading agree through all the years", test_round_trip},
    {"offsets, decimals, small letters and leap seconds are read", test_read_forms},
    {"what is not RFC 3339 is refused", test_read_refuses},
};

int main(void)
{
    return suite_main("clock", cases, COUNT(cases));
}
