/* Of two threads that each write and then look, at least one sees what the other wrote. */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "base/fence.h"
#include "check/harness/suite.h"

enum { ROUNDS = 20000, SPINS = 1000, CACHE_LINE = 64 };

/* The round that each wrote last, on a cache line of its own, so that a write takes its time to be seen. */
static struct {
    _Alignas(CACHE_LINE) atomic_int often;
    _Alignas(CACHE_LINE) atomic_int seldom;
    _Alignas(CACHE_LINE) atomic_int begun, done;
    bool saw_seldom;
} shared;

static void wait_for(atomic_int *what, int round)
{
    for (unsigned spins = 1; atomic_load(what) < round; spins++)
        if (spins % SPINS == 0)
            sched_yield();
}

static void *often(void *context)
{
    (void)context;
    for (int round = 1; round <= ROUNDS; round++) {
        wait_for(&shared.begun, round);
        atomic_store_explicit(&shared.often, round, memory_order_relaxed);
        fence_light();
        shared.saw_seldom = atomic_load_explicit(&shared.seldom, memory_order_relaxed) == round;
        atomic_store(&shared.done, round);
    }
    return NULL;
}

static void meet(void)
{
    pthread_t thread;
    int overlooked = 0;
    atomic_store(&shared.begun, 0);
    atomic_store(&shared.done, 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, often, NULL), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store(&shared.begun, round);
        atomic_store_explicit(&shared.seldom, round, memory_order_relaxed);
        fence_heavy();
        bool saw_often = atomic_load_explicit(&shared.often, memory_order_relaxed) == round;
        wait_for(&shared.done, round);
        overlooked += !saw_often && !shared.saw_seldom;
    }
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(overlooked, 0);
}

static void test_without_kernel(void)
{
    CU_ASSERT_FALSE(fence_is_lopsided);
    meet();
}

static void test_with_kernel(void)
{
    fence_init();
    fence_init();
    if (!fence_is_lopsided)
        printf("# membarrier(2) is not to be had here; both halves are fences\n");
    meet();
}

static const struct suite_case cases[] = {
    {"nobody overlooks the other, with a fence in each half", test_without_kernel},
    {"nobody overlooks the other, with the kernel's help", test_with_kernel},
};

int main(void)
{
    return suite_main("fence", cases, sizeof cases / sizeof cases[0]);
}
