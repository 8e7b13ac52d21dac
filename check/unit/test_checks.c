/* Checks that are slow, fail or hang, and those who wait for them. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "app/checks.h"
#include "base/clock.h"
#include "check/harness/suite.h"

enum { ASKERS = 16, PATIENCE_S = 20, LIMIT_MS = 100, LONG_MS = 60000 };
enum { WELL, BROKEN, HANGING, AFAR, ROWS };

/* What hangs waits for the gate. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open;
static atomic_uint runs[ROWS];

static void set_gate(bool open)
{
    pthread_mutex_lock(&lock);
    is_open = open;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static enum err run_well(void *context)
{
    atomic_fetch_add(&runs[WELL], 1);
    return context == runs ? ERR_NONE : err_because(ERR_INTERNAL, "another context");
}

static enum err run_broken(void *context)
{
    (void)context;
    atomic_fetch_add(&runs[BROKEN], 1);
    return err_because(ERR_IO, "the wheel is broken");
}

static enum err run_hanging(void *context)
{
    (void)context;
    atomic_fetch_add(&runs[HANGING], 1);
    pthread_mutex_lock(&lock);
    while (!is_open)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return ERR_NONE;
}

static enum err run_afar(void *context)
{
    (void)context;
    atomic_fetch_add(&runs[AFAR], 1);
    return ERR_NONE;
}

static const struct check rows[ROWS] = {
    [WELL] = {"well", CHECK_LOCAL, run_well},
    [BROKEN] = {"broken", CHECK_LOCAL, run_broken},
    [HANGING] = {"hanging", CHECK_LOCAL, run_hanging},
    [AFAR] = {"afar", CHECK_NEEDS, run_afar},
};

static struct checks *checks;
static struct check_limits limits;

static void begin(unsigned cache_ms, unsigned timeout_ms)
{
    limits = (struct check_limits){.cache_ms = cache_ms, .timeout_ms = {timeout_ms, timeout_ms}};
    for (int i = 0; i < ROWS; i++)
        atomic_store(&runs[i], 0);
    set_gate(true);
    checks = NULL;
    CU_ASSERT_EQUAL_FATAL(checks_open(rows, ROWS, runs, &checks), ERR_NONE);
}

static void end(void)
{
    set_gate(true);
    checks_close(checks);
}

/* ---- somebody who waits ---- */

struct asker {
    struct check_wait wait;
    bool done;
};

static void on_done(struct check_wait *wait)
{
    pthread_mutex_lock(&lock);
    ((struct asker *)wait)->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void ask(struct asker *asker, enum check_scope scope)
{
    *asker = (struct asker){.wait.done = on_done};
    if (checks_ask(checks, &limits, scope, &asker->wait))
        on_done(&asker->wait);
}

static bool is_told(struct asker *asker)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&lock);
    while (!asker->done && !error)
        error = pthread_cond_timedwait(&changed, &lock, &until);
    bool done = asker->done;
    pthread_mutex_unlock(&lock);
    return done;
}

static void ask_and_wait(enum check_scope scope)
{
    struct asker asker;
    ask(&asker, scope);
    CU_ASSERT_TRUE_FATAL(is_told(&asker));
}

static struct check_result result_of(size_t row)
{
    struct check_result result;
    checks_result(checks, row, &result);
    return result;
}

/* ---- the cases ---- */

static void test_results(void)
{
    begin(LONG_MS, LONG_MS);
    CU_ASSERT_EQUAL(result_of(WELL).err, ERR_AGAIN);
    int64_t before_us = clock_wall_us();
    ask_and_wait(CHECK_LOCAL);
    CU_ASSERT_EQUAL(result_of(WELL).err, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(result_of(WELL).cause, "");
    CU_ASSERT_EQUAL(result_of(BROKEN).err, ERR_IO);
    CU_ASSERT_STRING_EQUAL(result_of(BROKEN).cause, "the wheel is broken");
    CU_ASSERT(result_of(WELL).checked_us >= before_us && result_of(WELL).checked_us <= clock_wall_us());
    CU_ASSERT_EQUAL(result_of(AFAR).err, ERR_AGAIN);   /* it was not asked for */
    ask_and_wait(CHECK_NEEDS);
    CU_ASSERT_EQUAL(result_of(AFAR).err, ERR_NONE);
    end();
}

static void test_cache(void)
{
    struct asker asker = {.wait.done = on_done};
    begin(LONG_MS, LONG_MS);
    ask_and_wait(CHECK_LOCAL);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_TRUE(checks_ask(checks, &limits, CHECK_LOCAL, &asker.wait));
    CU_ASSERT_EQUAL(atomic_load(&runs[WELL]), 1);
    limits.cache_ms = 0;
    ask_and_wait(CHECK_LOCAL);
    CU_ASSERT_EQUAL(atomic_load(&runs[WELL]), 2);
    end();
}

/* Those who ask while a check runs wait for that one. */
static void test_single_flight(void)
{
    struct asker askers[ASKERS];
    begin(0, LONG_MS);
    set_gate(false);
    for (int i = 0; i < ASKERS; i++)
        ask(&askers[i], CHECK_LOCAL);
    set_gate(true);
    for (int i = 0; i < ASKERS; i++)
        CU_ASSERT_TRUE(is_told(&askers[i]));
    CU_ASSERT_EQUAL(atomic_load(&runs[HANGING]), 1);
    CU_ASSERT_EQUAL(result_of(HANGING).err, ERR_NONE);
    end();
}

static void test_hanging(void)
{
    begin(0, LIMIT_MS);
    set_gate(false);
    int64_t from_ns = clock_now_ns();
    ask_and_wait(CHECK_LOCAL);
    CU_ASSERT(clock_now_ns() - from_ns >= LIMIT_MS * NS_PER_MS);
    CU_ASSERT_EQUAL(result_of(HANGING).err, ERR_DEADLINE);
    CU_ASSERT_STRING_EQUAL(result_of(HANGING).cause, "timed out after 100 ms");
    CU_ASSERT(result_of(HANGING).duration_ns >= LIMIT_MS * NS_PER_MS);
    CU_ASSERT_EQUAL(result_of(WELL).err, ERR_NONE);

    unsigned before = atomic_load(&runs[WELL]);   /* the others go on, and it is not started twice */
    ask_and_wait(CHECK_NEEDS);
    CU_ASSERT_EQUAL(atomic_load(&runs[WELL]), before + 1);
    CU_ASSERT_EQUAL(atomic_load(&runs[HANGING]), 1);
    CU_ASSERT_EQUAL(result_of(HANGING).err, ERR_DEADLINE);
    CU_ASSERT_EQUAL(result_of(AFAR).err, ERR_NONE);
    end();
}

/* What a check says after its time is not told; it is made again. */
static void test_recovers(void)
{
    begin(0, LIMIT_MS);
    set_gate(false);
    ask_and_wait(CHECK_LOCAL);
    CU_ASSERT_EQUAL(result_of(HANGING).err, ERR_DEADLINE);
    set_gate(true);
    int64_t until_ns = clock_now_ns() + PATIENCE_S * NS_PER_S;
    while (result_of(HANGING).err && clock_now_ns() < until_ns)
        ask_and_wait(CHECK_LOCAL);
    CU_ASSERT_EQUAL(result_of(HANGING).err, ERR_NONE);
    CU_ASSERT(atomic_load(&runs[HANGING]) >= 2);
    end();
}

static void *open_gate(void *argument)
{
    (void)argument;
    set_gate(true);
    return NULL;
}

static void test_close(void)
{
    struct asker asker;
    pthread_t opener;
    begin(0, LONG_MS);
    set_gate(false);
    ask(&asker, CHECK_NEEDS);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&opener, NULL, open_gate, NULL), 0);
    checks_close(checks);
    pthread_join(opener, NULL);
    CU_ASSERT_TRUE(asker.done);
    checks_close(NULL);
}

/* From many threads, with answers that are always too old. */
static void *ask_often(void *argument)
{
    (void)argument;
    for (int i = 0; i < 200; i++)
        ask_and_wait(i % 2 ? CHECK_LOCAL : CHECK_NEEDS);
    return NULL;
}

static void test_crowd(void)
{
    pthread_t threads[ASKERS];
    begin(0, LONG_MS);
    for (int i = 0; i < ASKERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT(atomic_load(&runs[WELL]) <= ASKERS * 200);
    CU_ASSERT_EQUAL(result_of(WELL).err, ERR_NONE);
    end();
}

static const struct suite_case cases[] = {
    {"each check says how it went, when, and why not", test_results},
    {"what was found is told again for its time", test_cache},
    {"those who ask together share one run", test_single_flight},
    {"a check that hangs is told to, and holds up no other", test_hanging},
    {"a check that hung is made again once it came back", test_recovers},
    {"who waits at the end is told", test_close},
    {"many may ask at once", test_crowd},
};

int main(void)
{
    return suite_main("checks", cases, sizeof cases / sizeof cases[0]);
}
