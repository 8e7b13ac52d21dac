#include "config.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "check/harness/suite.h"

static void test_nothing_at_first(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    CU_ASSERT_PTR_NULL(arena.blocks);
    CU_ASSERT_EQUAL(arena.total_bytes, 0);
    arena_reset(&arena);
    arena_fini(&arena);
}

static void test_alignment(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (size_t size = 0; size < 3000; size += 7) {
        char *at = arena_alloc(&arena, size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        CU_ASSERT_EQUAL((uintptr_t)at % alignof(max_align_t), 0);
        memset(at, 0x5a, size);
    }
    arena_fini(&arena);
}

static void test_no_overlap(void)
{
    enum { COUNT = 500 };
    struct arena arena;
    unsigned char *at[COUNT];

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT; i++) {
        at[i] = arena_alloc(&arena, i + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at[i]);
        memset(at[i], (int)(i % 251), i + 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        CU_ASSERT_EQUAL(at[i][0], i % 251);
        CU_ASSERT_EQUAL(at[i][i], i % 251);
    }
    arena_fini(&arena);
}

static void test_ceiling(void)
{
    static const size_t ceilings[] = {0, 1, 16, 32, 100, 4095, 4096, 4097, 100000};

    for (size_t i = 0; i < sizeof ceilings / sizeof ceilings[0]; i++) {
        struct arena arena;
        size_t given = 0;
        arena_init(&arena, ceilings[i]);
        while (arena_alloc(&arena, 48)) {
            given += 48;
            CU_ASSERT_FATAL(given <= ceilings[i]);
        }
        CU_ASSERT(arena.total_bytes <= ceilings[i]);
        /* What is lost to headers and ends of blocks is little. */
        CU_ASSERT(given + 64 + ceilings[i] / 20 >= ceilings[i]);
        CU_ASSERT_PTR_NULL(arena_alloc(&arena, 48));
        arena_fini(&arena);
    }
}

static void test_one_large(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    CU_ASSERT_PTR_NULL(arena_alloc(&arena, 1 << 20));
    CU_ASSERT_PTR_NULL(arena_alloc(&arena, SIZE_MAX));
    CU_ASSERT_PTR_NULL(arena_alloc(&arena, SIZE_MAX - 8));
    CU_ASSERT_PTR_NULL(arena_alloc(&arena, SIZE_MAX - 40));
    char *at = arena_alloc(&arena, (1 << 20) - 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    memset(at, 1, (1 << 20) - 64);
    arena_fini(&arena);
}

static void test_calloc(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    memset(arena_alloc(&arena, 1000), 0xff, 1000);
    arena_reset(&arena);
    unsigned char *at = arena_calloc(&arena, 10, 100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    for (size_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(at[i], 0);
    CU_ASSERT_PTR_NULL(arena_calloc(&arena, SIZE_MAX / 2, 3));
    CU_ASSERT_PTR_NOT_NULL(arena_calloc(&arena, 0, 100));
    arena_fini(&arena);
}

static void test_reset(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    void *first = arena_alloc(&arena, 10);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_PTR_NOT_NULL(arena_alloc(&arena, 3000));
    arena_reset(&arena);
    CU_ASSERT_EQUAL(arena.total_bytes, 4096);
    CU_ASSERT_PTR_EQUAL(arena_alloc(&arena, 10), first);
    arena_fini(&arena);
    CU_ASSERT_EQUAL(arena.total_bytes, 0);
    CU_ASSERT_EQUAL(arena.max_bytes, 1 << 20);
    CU_ASSERT_PTR_NOT_NULL(arena_alloc(&arena, 10));
    arena_fini(&arena);
}

static void test_strings(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    CU_ASSERT_STRING_EQUAL(arena_string(&arena, TEXT("abc")), "abc");
    CU_ASSERT_STRING_EQUAL(arena_string(&arena, TEXT_NONE), "");
    struct text copy, absent;
    CU_ASSERT(arena_keep(&arena, TEXT(""), &copy) && copy.at && copy.length == 0);
    CU_ASSERT(arena_keep(&arena, TEXT_NONE, &absent) && !absent.at);
    CU_ASSERT_FALSE(arena_keep(&arena, (struct text){"", SIZE_MAX}, &absent));
    copy = arena_text(&arena, TEXT("x\0y"));
    CU_ASSERT(text_equal(copy, TEXT("x\0y")));
    CU_ASSERT_EQUAL(copy.at[3], '\0');
    CU_ASSERT_STRING_EQUAL(arena_printf(&arena, "%d of %s", 3, "four"), "3 of four");
    CU_ASSERT_STRING_EQUAL(arena_printf(&arena, "%s", ""), "");
    char *wide = arena_printf(&arena, "%09999d", 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(wide);
    CU_ASSERT_EQUAL(strlen(wide), 9999);
    arena_fini(&arena);

    arena_init(&arena, 64);
    CU_ASSERT_PTR_NULL(arena_printf(&arena, "%0100d", 1));
    CU_ASSERT_PTR_NULL(arena_text(&arena, (struct text){"", SIZE_MAX}).at);
    arena_fini(&arena);
}

static const struct suite_case cases[] = {
    {"nothing is taken from the heap before it is needed", test_nothing_at_first},
    {"every allocation is aligned for any type", test_alignment},
    {"allocations do not overlap", test_no_overlap},
    {"the ceiling holds, and little below it is lost", test_ceiling},
    {"one allocation may take nearly all, and none too much", test_one_large},
    {"zeroed memory is zeroed also when used again", test_calloc},
    {"a reset keeps the first block, an end none", test_reset},
    {"copies and formatted strings are terminated", test_strings},
};

int main(void)
{
    return suite_main("arena", cases, sizeof cases / sizeof cases[0]);
}
