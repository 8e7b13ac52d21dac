/* The circuit breaker, on a clock of the test's own. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "net/breaker.h"

enum { FAILURES = 3, OPEN_MS = 100, ROUNDS = 200, THREADS = 4, TURNS = 5000 };

static struct breaker breaker;
static int64_t now_ns;

static void begin(unsigned probes)
{
    const struct breaker_opts opts = {.failures_max = FAILURES, .open_ms = OPEN_MS, .probes_max = probes};
    now_ns = 1000 * NS_PER_S;
    breaker_init(&breaker, &opts);
}

static bool call(enum breaker_outcome outcome)
{
    struct breaker_pass pass;
    if (!breaker_admit(&breaker, now_ns, &pass))
        return false;
    breaker_report(&breaker, pass, outcome, now_ns);
    return true;
}

static void fail_often(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        CU_ASSERT(call(BREAKER_FAILURE));
}

static void test_opens(void)
{
    begin(1);
    fail_often(FAILURES - 1);
    CU_ASSERT(call(BREAKER_SUCCESS));   /* not in a row any more */
    fail_often(FAILURES - 1);
    CU_ASSERT(call(BREAKER_UNTOLD));
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_CLOSED);
    CU_ASSERT_EQUAL(breaker_wait_ns(&breaker, now_ns), 0);
    fail_often(1);
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_OPEN);
    CU_ASSERT_FALSE(call(BREAKER_SUCCESS));
    breaker_fini(&breaker);
}

static void test_open_time(void)
{
    int64_t least_ns = INT64_MAX, most_ns = 0;
    for (int i = 0; i < ROUNDS; i++) {
        begin(1);
        fail_often(FAILURES);
        int64_t wait_ns = breaker_wait_ns(&breaker, now_ns);
        least_ns = wait_ns < least_ns ? wait_ns : least_ns;
        most_ns = wait_ns > most_ns ? wait_ns : most_ns;
        now_ns += wait_ns - 1;
        CU_ASSERT_FALSE(call(BREAKER_SUCCESS));
        now_ns += 1;
        CU_ASSERT_EQUAL(breaker_wait_ns(&breaker, now_ns), 0);
        CU_ASSERT(call(BREAKER_SUCCESS));
        breaker_fini(&breaker);
    }
    CU_ASSERT(least_ns >= OPEN_MS * NS_PER_MS);
    CU_ASSERT(most_ns <= OPEN_MS * NS_PER_MS * 3 / 2);
    CU_ASSERT(most_ns - least_ns >= OPEN_MS * NS_PER_MS / 5);   /* 200 of them do not all come together */
}

static void test_probes(void)
{
    struct breaker_pass first, second, third;
    begin(2);
    fail_often(FAILURES);
    now_ns += NS_PER_S;
    CU_ASSERT(breaker_admit(&breaker, now_ns, &first));
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_HALF_OPEN);
    CU_ASSERT(breaker_admit(&breaker, now_ns, &second));
    CU_ASSERT_FALSE(breaker_admit(&breaker, now_ns, &third));
    CU_ASSERT_EQUAL(breaker_wait_ns(&breaker, now_ns), OPEN_MS * NS_PER_MS);
    breaker_report(&breaker, first, BREAKER_UNTOLD, now_ns);   /* its place is free again */
    CU_ASSERT(breaker_admit(&breaker, now_ns, &third));
    breaker_report(&breaker, third, BREAKER_FAILURE, now_ns);
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_OPEN);
    breaker_report(&breaker, second, BREAKER_SUCCESS, now_ns);   /* too late to say anything */
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_OPEN);
    now_ns += NS_PER_S;
    CU_ASSERT(call(BREAKER_SUCCESS));
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_CLOSED);
    fail_often(FAILURES - 1);
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_CLOSED);
    breaker_fini(&breaker);
}

static void test_late_reports(void)
{
    struct breaker_pass slow[FAILURES];
    begin(1);
    for (int i = 0; i < FAILURES; i++)
        CU_ASSERT(breaker_admit(&breaker, now_ns, &slow[i]));
    fail_often(FAILURES);
    now_ns += NS_PER_S;
    CU_ASSERT(call(BREAKER_SUCCESS));
    for (int i = 0; i < FAILURES; i++)
        breaker_report(&breaker, slow[i], BREAKER_FAILURE, now_ns);
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_CLOSED);
    breaker_fini(&breaker);
}

static void test_never(void)
{
    const struct breaker_opts opts = {.failures_max = 0};
    breaker_init(&breaker, &opts);
    fail_often(1000);
    CU_ASSERT_EQUAL(breaker_state(&breaker), BREAKER_CLOSED);
    breaker_fini(&breaker);
}

/* Never more probes at once than allowed, whoever comes when. */
static atomic_int under_way, most;

static void *probe_often(void *context)
{
    (void)context;
    for (int i = 0; i < TURNS; i++) {
        struct breaker_pass pass;
        if (!breaker_admit(&breaker, now_ns + 10 * NS_PER_S, &pass))
            continue;
        int now = atomic_fetch_add(&under_way, 1) + 1, before = atomic_load(&most);
        while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
            continue;
        atomic_fetch_sub(&under_way, 1);
        breaker_report(&breaker, pass, BREAKER_UNTOLD, now_ns);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    begin(2);
    fail_often(FAILURES);
    atomic_store(&most, 0);
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, probe_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT(most >= 1 && most <= 2);
    breaker_fini(&breaker);
}

static const struct suite_case cases[] = {
    {"it opens after failures in a row, and only then", test_opens},
    {"it stays open for its time and up to half of it more, by chance", test_open_time},
    {"half open it lets through so many probes at once, and follows them", test_probes},
    {"what was let through before it opened tells nothing after", test_late_reports},
    {"without a number of failures it never opens", test_never},
    {"threads never have more probes under way than allowed", test_threads},
};

int main(void)
{
    return suite_main("breaker", cases, sizeof cases / sizeof cases[0]);
}
