#include "config.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "telemetry/log_repeat.h"

enum { MESSAGES = 32, COUNT_BITS = 32 };   /* messages of one module and level: those of a folder's source files */

struct counter {
    _Atomic(const char *) message;         /* by its address; NULL: free. Never changes again */
    atomic_uint_fast64_t window;           /* the second, and in its low bits the lines of that second */
    atomic_uint_fast64_t held;
};

static struct counter counters[LOG_MODULES][LOG_LEVELS][MESSAGES];
static atomic_uint burst;
static atomic_bool waits;

void log_repeat_set(unsigned each_second)
{
    atomic_store_explicit(&burst, each_second, memory_order_relaxed);
}

/* NULL when there is no room for it. */
static struct counter *counter_of(const struct log_what *what)
{
    struct counter *row = counters[what->module][what->level];
    size_t start = ((uintptr_t)what->message >> 3) % MESSAGES;

    for (size_t i = 0; i < MESSAGES; i++) {
        struct counter *counter = &row[(start + i) % MESSAGES];
        const char *known = atomic_load_explicit(&counter->message, memory_order_acquire);
        if (!known && atomic_compare_exchange_strong(&counter->message, &known, what->message))
            return counter;
        if (known == what->message)
            return counter;
    }
    return NULL;
}

static uint64_t second_of(uint64_t window)
{
    return window >> COUNT_BITS;
}

/* Counts one more line; how many there were in this second with it. */
static uint32_t count(struct counter *counter, int64_t now_ns)
{
    uint64_t second = (uint64_t)(now_ns / NS_PER_S), after;
    uint_fast64_t before = atomic_load_explicit(&counter->window, memory_order_relaxed);

    do
        after = second_of(before) == second ? before + 1 : (second << COUNT_BITS) + 1;
    while (!atomic_compare_exchange_weak(&counter->window, &before, after));
    return (uint32_t)after;
}

bool log_repeat_admits(const struct log_what *what, int64_t now_ns, bool *ret_first)
{
    unsigned most = atomic_load_explicit(&burst, memory_order_relaxed);
    struct counter *counter = most > 0 ? counter_of(what) : NULL;

    if (!counter || count(counter, now_ns) <= most)
        return true;
    atomic_fetch_add(&counter->held, 1);
    *ret_first = !atomic_exchange(&waits, true);
    return false;
}

bool log_repeat_waits(void)
{
    return atomic_load(&waits);
}

/* Said before looking, so that what is held back meanwhile is waited for again. */
bool log_repeat_take(int64_t now_ns, bool at_end, struct log_what *ret, uint64_t *ret_count)
{
    struct counter *all = &counters[0][0][0];

    if (!atomic_exchange(&waits, false))
        return false;
    for (size_t i = 0; i < sizeof counters / sizeof *all; i++) {
        if (atomic_load(&all[i].held) == 0)
            continue;
        atomic_store(&waits, true);
        if (!at_end && second_of(atomic_load(&all[i].window)) >= (uint64_t)(now_ns / NS_PER_S))
            continue;
        *ret_count = atomic_exchange(&all[i].held, 0);
        *ret = (struct log_what){.module = (enum log_module)(i / MESSAGES / LOG_LEVELS),
                                 .level = (enum log_level)(i / MESSAGES % LOG_LEVELS),
                                 .message = atomic_load(&all[i].message)};
        return true;
    }
    return false;
}
