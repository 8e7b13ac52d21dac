#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "check/harness/suite.h"

static void arm(const char *plan)
{
    CU_ASSERT_EQUAL_FATAL(fault_arm(text_of("")), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(fault_arm(text_of(plan)), ERR_NONE);
}

/* Reaches a point so often; returns at which of the times it failed, a bit each, the first the lowest. */
static unsigned reach(enum fault_point point, unsigned times)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < times; i++)
        failed |= (fault_at(point) != ERR_NONE) << i;
    return failed;
}

/* ---- plans ---- */

static void test_off(void)
{
    CU_ASSERT_FALSE(atomic_load(&fault_armed));
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 0);
    arm("db-read error");
    CU_ASSERT_TRUE(atomic_load(&fault_armed));
    arm("   ");
    CU_ASSERT_FALSE(atomic_load(&fault_armed));
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 0);
}

static void test_refused(void)
{
    static const char *const plans[][2] = {
        {"nowhere kill", "before-commit"},                  /* says what there is */
        {"db-read", "say what is to happen"},
        {"db-read explode", "none of what db-read can be: delay=MS, kill, error"},
        {"db-read drop", "delay=MS, kill, error"},
        {"after-commit error", "delay=MS, kill"},
        {"after-commit-before-answer error", "drop"},
        {"db-read delay", "from 1 to 600000"},
        {"db-read delay=0", "from 1 to 600000"},
        {"db-read delay=600001", "from 1 to 600000"},
        {"db-read kill=1", "none of what"},
        {"db-read error nth=0", "nth=0"},
        {"db-read error nth=x", "nth=x"},
        {"db-read error count=-1", "count=-1"},
        {"db-read error sometimes", "none of nth=N, count=N and probability=P"},
        {"db-read error probability=0", "0.000001 to 1"},
        {"db-read error probability=1.1", "0.000001 to 1"},
        {"db-read error probability=0.0000001", "0.000001 to 1"},
        {"db-read error probability=-0.5", "0.000001 to 1"},
        {"db-read error probability=0.-5", "0.000001 to 1"},
        {"db-read error probability=1.", "0.000001 to 1"},
        {"db-read error, ", "there is no point \"\""},
        {", db-read error", "there is no point \"\""},
    };
    arm("db-read error");
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        CU_ASSERT_EQUAL(fault_check(text_of(plans[i][0])), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), plans[i][1]));
        CU_ASSERT_EQUAL(fault_arm(text_of(plans[i][0])), ERR_CONFIG);
    }
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 2), 3);   /* the old one stays */
}

static void test_limits(void)
{
    char plan[4096] = "", longest[1100];
    for (int i = 0; i < FAULT_RULES_MAX; i++)
        snprintf(plan + strlen(plan), sizeof plan - strlen(plan), "%sdb-read kill nth=9", i ? "," : "");
    CU_ASSERT_EQUAL(fault_check(text_of(plan)), ERR_NONE);
    snprintf(plan + strlen(plan), sizeof plan - strlen(plan), ",db-read kill");
    CU_ASSERT_EQUAL(fault_check(text_of(plan)), ERR_CONFIG);
    memset(longest, ' ', sizeof longest);
    CU_ASSERT_EQUAL(fault_check((struct text){longest, 1000}), ERR_NONE);
    CU_ASSERT_EQUAL(fault_check((struct text){longest, 1001}), ERR_CONFIG);
}

static void test_every_point(void)
{
    static const enum fault_action actions[] = {FAULT_DELAY, FAULT_KILL, FAULT_ERROR, FAULT_DROP};
    char plan[128];
    for (size_t i = 0; i < FAULT_POINTS; i++) {
        CU_ASSERT(*fault_table[i].help != '\0');
        for (size_t j = 0; j < sizeof actions / sizeof actions[0]; j++) {
            const char *name = fault_action_name(actions[j]);
            bool allowed = fault_table[i].actions & actions[j];
            snprintf(plan, sizeof plan, "  %s   %s%s nth=2 ", fault_table[i].name, name,
                     actions[j] == FAULT_DELAY ? "=1" : "");
            CU_ASSERT_EQUAL(fault_check(text_of(plan)), allowed ? ERR_NONE : ERR_CONFIG);
        }
        bool fails = fault_table[i].actions & (FAULT_ERROR | FAULT_DROP);
        CU_ASSERT_EQUAL(fault_table[i].err != ERR_NONE, fails);
    }
}

/* ---- when ---- */

static void test_when(void)
{
    arm("db-read error");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 4), 0xf);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "db-read"));
    arm("db-read error nth=3");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 1 << 2);
    arm("db-read error nth=3 count=2");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 3 << 2);
    arm("db-read error count=2");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 3);
    arm("db-read error nth=2, db-read error nth=5, request error nth=1");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 1 << 1 | 1 << 4);
    CU_ASSERT_EQUAL(reach(FAULT_REQUEST, 8), 1);
    CU_ASSERT_EQUAL(reach(FAULT_BEFORE_CHARGE, 8), 0);
}

static void test_probability(void)
{
    enum { TIMES = 20000 };
    unsigned failed = 0;
    arm("db-read error probability=0.25");
    for (unsigned i = 0; i < TIMES; i++)
        failed += reach(FAULT_DB_READ, 1);
    CU_ASSERT(failed > TIMES / 5 && failed < TIMES * 3 / 10);   /* far beyond ten standard deviations */
    arm("db-read error probability=1");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 8), 0xff);
    arm("db-read error probability=0.999999 count=3");
    CU_ASSERT_EQUAL(__builtin_popcount(reach(FAULT_DB_READ, 16)), 3);
}

static void test_same_plan(void)
{
    arm("db-read error nth=3");
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 2), 0);
    CU_ASSERT_EQUAL(fault_arm(text_of("db-read error nth=3")), ERR_NONE);
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 1), 1);
    CU_ASSERT_EQUAL(fault_arm(text_of("db-read error nth=2")), ERR_NONE);
    CU_ASSERT_EQUAL(reach(FAULT_DB_READ, 4), 1 << 1);
}

/* ---- what ---- */

static void test_what(void)
{
    uint64_t before = fault_count(FAULT_AFTER_COMMIT_BEFORE_ANSWER);
    arm("after-commit-before-answer drop count=1, db-read delay=30 count=1, before-commit error");
    CU_ASSERT_EQUAL(fault_at(FAULT_AFTER_COMMIT_BEFORE_ANSWER), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(fault_count(FAULT_AFTER_COMMIT_BEFORE_ANSWER), before + 1);
    CU_ASSERT_EQUAL(fault_at(FAULT_AFTER_COMMIT_BEFORE_ANSWER), ERR_NONE);
    CU_ASSERT_EQUAL(fault_count(FAULT_AFTER_COMMIT_BEFORE_ANSWER), before + 1);
    CU_ASSERT_EQUAL(fault_at(FAULT_BEFORE_COMMIT), ERR_STORAGE);
    int64_t begun_ns = clock_now_ns();
    CU_ASSERT_EQUAL(fault_at(FAULT_DB_READ), ERR_NONE);
    CU_ASSERT(clock_now_ns() - begun_ns >= 30 * NS_PER_MS);
}

static void test_kill(void)
{
    int status = 0;
    arm("after-commit kill nth=3");
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        fault_pass(FAULT_AFTER_COMMIT);
        fault_pass(FAULT_AFTER_COMMIT);
        if (fault_count(FAULT_AFTER_COMMIT) > 0)
            _exit(1);
        fault_pass(FAULT_AFTER_COMMIT);
        _exit(2);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static const struct suite_case cases[] = {
    {"nothing happens where nothing is armed", test_off},
    {"what is no plan is refused, with what there is instead", test_refused},
    {"a plan has its limits", test_limits},
    {"every point takes what its row says", test_every_point},
    {"a fault happens at the time it is asked for", test_when},
    {"a fault happens by chance", test_probability},
    {"the same plan again goes on counting", test_same_plan},
    {"a fault delays, fails, or loses the answer", test_what},
    {"a fault ends the process", test_kill},
};

int main(void)
{
    return suite_main("fault", cases, sizeof cases / sizeof cases[0]);
}
