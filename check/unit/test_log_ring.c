/* The ring between a thread that logs and the writer: whole lines in their order, and no more memory than is in use. */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "check/harness/suite.h"
#include "telemetry/log_ring.h"

enum { RING_BYTES = 256 * 1024, START_BYTES = 32 * 1024, LINE_SIZE = 600, MANY = 200000 };

static struct log_ring *ring;

static void open_ring(size_t size)
{
    ring = log_ring_new(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
}

static void close_ring(void)
{
    log_ring_unref(ring);
    log_ring_unref(ring);
}

/* Lines of different lengths, told apart by their number. */
static struct text line_of(int number, char out[static LINE_SIZE])
{
    int length = snprintf(out, LINE_SIZE, "%d:%0*d", number, 1 + number * 37 % 500, 0);
    return (struct text){out, (size_t)length};
}

/* In both ways; in the one it may take less room than was asked for, and when there is none in one piece, the other is
 * tried. */
static bool put(int number)
{
    char line[LINE_SIZE];
    struct text text = line_of(number, line);
    char *room = number % 3 ? log_ring_room(ring, LINE_SIZE) : NULL;
    if (!room)
        return log_ring_put(ring, number, (unsigned)number % 7, text);
    memcpy(room, text.at, text.length);
    log_ring_commit(ring, number, (unsigned)number % 7, text.length);
    return true;
}

/* Takes the next line, and says whether it is the one of this number. */
static bool take(int number)
{
    char expected[LINE_SIZE], got[LINE_SIZE];
    struct text line = line_of(number, expected);
    int64_t order_ns;
    if (!log_ring_peek(ring, &order_ns) || order_ns != number)
        return false;
    unsigned level;
    struct text taken = log_ring_take(ring, got, &level);
    bool is_it = level == (unsigned)number % 7 && text_equal(taken, line);
    log_ring_give_back(ring);
    return is_it;
}

static void test_seldom(void)
{
    char *highest = NULL;
    open_ring(RING_BYTES);
    memset(ring->data, 0x7e, RING_BYTES);
    for (int i = 0; i < 10000; i++) {
        CU_ASSERT_TRUE_FATAL(put(i));
        CU_ASSERT_FALSE(log_ring_half_full(ring));
        CU_ASSERT_TRUE_FATAL(take(i));
        CU_ASSERT_TRUE(log_ring_is_empty(ring));
    }
    for (size_t i = 0; i < RING_BYTES; i++)
        if (ring->data[i] != 0x7e)
            highest = ring->data + i;
    CU_ASSERT_TRUE(highest && highest - ring->data < START_BYTES);
    close_ring();
}

/* All of its room is there after it has begun again, and no more. */
static void test_full(void)
{
    open_ring(RING_BYTES);
    int number = 0, oldest = 0;
    for (; number < 60; number++, oldest++)
        CU_ASSERT_TRUE_FATAL(put(number) && take(number));
    size_t used = 0;
    char line[LINE_SIZE];
    while (put(number))
        used += 16 + (line_of(number++, line).length + 15) / 16 * 16;
    CU_ASSERT_TRUE(used <= RING_BYTES && used > RING_BYTES - LINE_SIZE);
    CU_ASSERT_TRUE(log_ring_half_full(ring));
    for (; oldest < number; oldest++)
        CU_ASSERT_TRUE_FATAL(take(oldest));
    CU_ASSERT_TRUE(log_ring_is_empty(ring));
    close_ring();
}

static void test_too_long(void)
{
    static char line[4096];
    open_ring(1024);
    memset(line, 'x', sizeof line);
    CU_ASSERT_FALSE(log_ring_put(ring, 0, 0, (struct text){line, sizeof line}));
    CU_ASSERT_FALSE(log_ring_put(ring, 0, 0, (struct text){line, 1024}));
    CU_ASSERT_TRUE(log_ring_put(ring, 0, 0, (struct text){line, 1008}));
    CU_ASSERT_TRUE(log_ring_half_full(ring));
    close_ring();
}

static void *put_many(void *context)
{
    (void)context;
    for (int i = 0; i < MANY; i++)
        while (!put(i))
            sched_yield();
    return NULL;
}

static void test_both(void)
{
    pthread_t thread;
    int64_t order_ns;
    bool in_order = true;
    open_ring(START_BYTES * 2);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, put_many, NULL), 0);
    for (int i = 0; i < MANY && in_order; i++) {
        while (!log_ring_peek(ring, &order_ns))
            sched_yield();
        in_order = take(i);
    }
    CU_ASSERT_TRUE_FATAL(in_order);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(log_ring_is_empty(ring));
    close_ring();
}

static const struct suite_case cases[] = {
    {"a thread that logs little stays at the start of its ring", test_seldom},
    {"a ring that has begun again has all of its room", test_full},
    {"a line that is longer than the ring is refused", test_too_long},
    {"lines that are put while others are taken come whole and in order", test_both},
};

int main(void)
{
    return suite_main("log_ring", cases, sizeof cases / sizeof cases[0]);
}
