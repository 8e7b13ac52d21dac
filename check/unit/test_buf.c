#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "check/harness/suite.h"

static bool holds(struct buf *buf, const char *expected)
{
    return text_equal_string(buf_text(buf), expected) && strcmp(buf_string(buf), expected) == 0;
}

static void test_additions(void)
{
    struct buf buf;

    buf_init(&buf, 1000);
    CU_ASSERT_PTR_NULL(buf.data);
    CU_ASSERT_PTR_NOT_NULL(buf_text(&buf).at);
    buf_add(&buf, "ab", 2);
    buf_add(&buf, NULL, 0);
    buf_add_char(&buf, 'c');
    buf_add_string(&buf, "de");
    buf_add_text(&buf, TEXT("f"));
    buf_add_text(&buf, TEXT_NONE);
    buf_addf(&buf, "-%d-%s", 7, "g");
    CU_ASSERT(holds(&buf, "abcdef-7-g"));
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_NONE);
    buf_fini(&buf);
    CU_ASSERT_PTR_NULL(buf.data);
    CU_ASSERT_EQUAL(buf.max_bytes, 1000);
}

static void test_integers(void)
{
    struct buf buf;

    buf_init(&buf, 1000);
    buf_add_int(&buf, 0);
    buf_add_char(&buf, ' ');
    buf_add_int(&buf, LLONG_MAX);
    buf_add_char(&buf, ' ');
    buf_add_int(&buf, LLONG_MIN);
    buf_add_char(&buf, ' ');
    buf_add_int(&buf, -10);
    CU_ASSERT(holds(&buf, "0 9223372036854775807 -9223372036854775808 -10"));
    buf_fini(&buf);
}

static void test_ceiling(void)
{
    struct buf buf;

    buf_init(&buf, 5);
    buf_add_string(&buf, "abcde");
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_NONE);
    CU_ASSERT(holds(&buf, "abcde"));
    buf_add(&buf, "", 0);
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_NONE);
    buf_add_char(&buf, 'f');
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_MEMORY);
    CU_ASSERT(text_equal(buf_text(&buf), TEXT("abcde")));
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "");
    buf_fini(&buf);
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_NONE);
}

static void test_sticky(void)
{
    struct buf buf;

    buf_init(&buf, 4);
    buf_add_string(&buf, "abc");
    buf_add_string(&buf, "de");
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_MEMORY);
    buf_add_char(&buf, 'x');
    buf_addf(&buf, "x");
    CU_ASSERT_PTR_NULL(buf_reserve(&buf, 1));
    CU_ASSERT(text_equal(buf_text(&buf), TEXT("abc")));
    buf_reset(&buf, 1000);
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_NONE);
    buf_add_string(&buf, "abcd");
    CU_ASSERT(holds(&buf, "abcd"));
    buf_fini(&buf);
}

static void test_format_ceiling(void)
{
    /* At every length around the ceiling, and around what the first allocation holds. */
    for (size_t max = 60; max < 70; max++) {
        for (int length = 60; length < 70; length++) {
            struct buf buf;
            buf_init(&buf, max);
            buf_addf(&buf, "%0*d", length, 1);
            CU_ASSERT_EQUAL(buf_check(&buf), (size_t)length <= max ? ERR_NONE : ERR_MEMORY);
            CU_ASSERT_EQUAL(buf.length, (size_t)length <= max ? (size_t)length : 0);
            buf_fini(&buf);
        }
    }
}

static void test_no_room_at_all(void)
{
    struct buf buf;

    buf_init(&buf, 0);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "");
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(buf_reserve(&buf, 0));
    buf_add_char(&buf, 'a');
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_MEMORY);
    buf_fini(&buf);
}

/* Memory of the caller's holds what there is room for, and nothing behind it is touched. */
static void test_borrowed(void)
{
    for (size_t size = 1; size < 40; size++) {
        char memory[64];
        struct buf buf;
        memset(memory, '#', sizeof memory);
        buf_borrow(&buf, memory, size);
        buf_add_int(&buf, -12345678);
        buf_add_string(&buf, " and ");
        buf_addf(&buf, "%s", "more");
        bool is_whole = size > strlen("-12345678 and more");
        CU_ASSERT_EQUAL(buf_check(&buf), is_whole ? ERR_NONE : ERR_MEMORY);
        CU_ASSERT(!is_whole || text_equal_string(buf_text(&buf), "-12345678 and more"));
        CU_ASSERT(buf.data == memory && buf.length < size && memory[size] == '#');
    }
}

static void test_growth(void)
{
    struct buf buf;
    char expected[10001];

    buf_init(&buf, 10000);
    for (size_t i = 0; i < 10000; i++) {
        expected[i] = (char)('a' + i % 26);
        buf_add_char(&buf, expected[i]);
    }
    expected[10000] = '\0';
    CU_ASSERT(holds(&buf, expected));
    CU_ASSERT(buf.capacity <= 10001);
    buf_add_char(&buf, 'x');
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_MEMORY);
    buf_fini(&buf);
}

static void test_huge_length(void)
{
    struct buf buf;

    buf_init(&buf, 100);
    buf_add_char(&buf, 'a');
    CU_ASSERT_PTR_NULL(buf_reserve(&buf, SIZE_MAX));
    CU_ASSERT_EQUAL(buf_check(&buf), ERR_MEMORY);
    CU_ASSERT_EQUAL(buf.length, 1);
    buf_fini(&buf);
}

static void test_reserve(void)
{
    struct buf buf;

    buf_init(&buf, 100);
    char *room = buf_reserve(&buf, 100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    CU_ASSERT_EQUAL(buf.length, 0);
    memset(room, 'x', 100);
    buf_commit(&buf, 3);
    CU_ASSERT(holds(&buf, "xxx"));
    room = buf_reserve(&buf, 97);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    memset(room, 'y', 97);
    buf_commit(&buf, 97);
    CU_ASSERT_EQUAL(buf.length, 100);
    CU_ASSERT_EQUAL(strlen(buf_string(&buf)), 100);
    CU_ASSERT_PTR_NULL(buf_reserve(&buf, 1));
    buf_fini(&buf);
}

static void test_consume(void)
{
    struct buf buf;

    buf_init(&buf, 6);
    buf_consume(&buf, 0);
    buf_add_string(&buf, "abcdef");
    buf_consume(&buf, 2);
    CU_ASSERT(holds(&buf, "cdef"));
    buf_add_string(&buf, "gh");
    CU_ASSERT(holds(&buf, "cdefgh"));
    buf_consume(&buf, 6);
    CU_ASSERT(holds(&buf, ""));
    buf_fini(&buf);
}

static void test_reset_keeps(void)
{
    struct buf buf;

    buf_init(&buf, 100000);
    buf_add_string(&buf, "small");
    size_t capacity = buf.capacity;
    buf_reset(&buf, 4096);
    CU_ASSERT_EQUAL(buf.capacity, capacity);
    CU_ASSERT_EQUAL(buf.length, 0);
    CU_ASSERT_PTR_NOT_NULL(buf_reserve(&buf, 50000));
    buf_reset(&buf, 4096);
    CU_ASSERT_EQUAL(buf.capacity, 0);
    CU_ASSERT_EQUAL(buf.max_bytes, 100000);
    buf_fini(&buf);
}

static void test_milliseconds(void)
{
    static const struct {
        int64_t ns;
        const char *told;
    } rows[] = {
        {0, "0"}, {999, "0"}, {1000, "0.001"}, {10000, "0.01"}, {250000, "0.25"}, {1000000, "1"}, {1250999, "1.25"},
        {-1000, "-0.001"}, {-1500000, "-1.5"}, {INT64_MAX, "9223372036854.775"}, {INT64_MIN, "-9223372036854.775"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf buf;
        buf_init(&buf, 64);
        buf_add_milliseconds(&buf, rows[i].ns);
        CU_ASSERT_STRING_EQUAL(buf_string(&buf), rows[i].told);
        buf_fini(&buf);
    }
}

static const struct suite_case cases[] = {
    {"additions of every kind follow each other", test_additions},
    {"integers are written up to both ends", test_integers},
    {"nanoseconds are written as milliseconds", test_milliseconds},
    {"the ceiling holds to the byte", test_ceiling},
    {"a failure sticks until the reset", test_sticky},
    {"a formatted addition fits to the byte or not at all", test_format_ceiling},
    {"a buffer without room is empty, and fails when added to", test_no_room_at_all},
    {"borrowed memory is filled and never left", test_borrowed},
    {"it grows byte by byte up to the ceiling", test_growth},
    {"a length near the largest does not wrap around", test_huge_length},
    {"reserved room counts only once committed", test_reserve},
    {"consuming drops from the front", test_consume},
    {"a reset keeps small memory and gives large memory back", test_reset_keeps},
};

int main(void)
{
    return suite_main("buf", cases, sizeof cases / sizeof cases[0]);
}
