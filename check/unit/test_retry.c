/* The budget for retries and the pauses before them, on a clock of the test's own. */
#include "config.h"

#include "base/clock.h"
#include "check/harness/suite.h"
#include "net/retry.h"

enum { DRAWS = 2000, MANY = 100000 };

static struct retry_budget budget;
static int64_t now_ns;

static void begin(unsigned percent, unsigned per_s)
{
    const struct retry_budget_opts opts = {percent, per_s};
    now_ns = 1000 * NS_PER_S;
    retry_budget_init(&budget, &opts, now_ns);
}

/* How many of so many may be taken at once. */
static unsigned take_all(unsigned tries)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < tries; i++)
        taken += retry_budget_take(&budget, now_ns);
    return taken;
}

static void test_percent(void)
{
    unsigned taken = 0;
    begin(20, 0);
    for (int i = 0; i < 1000; i++) {
        retry_budget_pay_in(&budget, now_ns);
        taken += retry_budget_take(&budget, now_ns);
    }
    CU_ASSERT(taken >= 200 && taken <= 200 + RETRY_BURST);
    now_ns += 1000 * NS_PER_S;
    CU_ASSERT(take_all(100) <= 1);   /* time pays nothing in */
    retry_budget_fini(&budget);
}

static void test_per_second(void)
{
    begin(0, 10);
    CU_ASSERT_EQUAL(take_all(100), RETRY_BURST);
    now_ns += NS_PER_S / 2;
    CU_ASSERT_EQUAL(take_all(100), 5);
    for (int i = 0; i < 100; i++)
        retry_budget_pay_in(&budget, now_ns);
    CU_ASSERT_EQUAL(take_all(100), 0);
    retry_budget_fini(&budget);
}

static void test_ceiling(void)
{
    begin(100, 50);
    CU_ASSERT_EQUAL(take_all(MANY), 50);
    for (int i = 0; i < MANY; i++)
        retry_budget_pay_in(&budget, now_ns);
    CU_ASSERT_EQUAL(take_all(MANY), 50);
    now_ns += INT64_C(365) * 86400 * NS_PER_S;
    CU_ASSERT_EQUAL(take_all(MANY), 50);
    now_ns -= NS_PER_S;   /* of another thread, that asked a little earlier */
    CU_ASSERT_EQUAL(take_all(MANY), 0);
    retry_budget_fini(&budget);
}

static void test_none(void)
{
    begin(0, 0);
    retry_budget_pay_in(&budget, now_ns);
    now_ns += 1000 * NS_PER_S;
    CU_ASSERT_FALSE(retry_budget_take(&budget, now_ns));
    retry_budget_fini(&budget);
}

static void test_pauses(void)
{
    static const struct {
        unsigned failed, first_ms, max_ms, ceiling_ms;
    } rows[] = {
        {1, 100, 1000, 100}, {2, 100, 1000, 200}, {4, 100, 1000, 800}, {5, 100, 1000, 1000}, {99, 100, 1000, 1000},
        {1, 500, 100, 100}, {60, 1, 4000000000, 4000000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned least = UINT32_MAX, most = 0;
        for (int draw = 0; draw < DRAWS; draw++) {
            unsigned pause_ms = retry_pause_ms(rows[i].failed, rows[i].first_ms, rows[i].max_ms);
            least = pause_ms < least ? pause_ms : least;
            most = pause_ms > most ? pause_ms : most;
        }
        CU_ASSERT(most <= rows[i].ceiling_ms);
        CU_ASSERT(least <= rows[i].ceiling_ms / 10);       /* the whole of it is left to chance */
        CU_ASSERT(most >= rows[i].ceiling_ms / 10 * 9);
    }
}

static const struct suite_case cases[] = {
    {"requests pay in their percentage", test_percent},
    {"seconds pay in their number", test_per_second},
    {"what is saved up has a ceiling", test_ceiling},
    {"without a budget nothing is tried again", test_none},
    {"pauses are anything up to a ceiling that doubles", test_pauses},
};

int main(void)
{
    return suite_main("retry", cases, sizeof cases / sizeof cases[0]);
}
