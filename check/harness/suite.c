#include "config.h"

#include <CUnit/TestRun.h>
#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"

enum { TRIES = 5 };

/* CUnit's own registry is one per process, and so is this. */
static unsigned tests_done;
static const char *skipped_because;   /* of the running case; NULL when it is not skipped */

static void forget_skip(const CU_pTest test, const CU_pSuite suite)
{
    (void)test;
    (void)suite;
    skipped_because = NULL;
}

static void tell_case(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failures)
{
    printf("%s %u - %s: %s", failures ? "not ok" : "ok", ++tests_done, suite->pName, test->pName);
    if (skipped_because && !failures)
        printf(" # SKIP %s", skipped_because);
    putchar('\n');
    for (CU_pFailureRecord failure = failures; failure; failure = failure->pNext)
        printf("# %s:%u: %s\n", failure->strFileName, failure->uiLineNumber, failure->strCondition);
    fflush(stdout);
}

void suite_skip(const char *why)
{
    const char *require = getenv("TANDEM_REQUIRE");

    if (require && *require) {
        CU_assertImplementation(CU_FALSE, __LINE__, why, __FILE__, __func__, CU_FALSE);
        return;
    }
    skipped_because = why;
}

bool suite_has_terminals(void)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool has = terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0 && ptsname(terminal) &&
               access(ptsname(terminal), R_OK | W_OK) == 0;
    if (terminal >= 0)
        close(terminal);
    if (!has)
        skipped_because = "no terminal can be made here: /dev/pts is not mounted";
    return has;
}

bool suite_is_prompt(int64_t (*take_ns)(void), unsigned limit_ms)
{
    for (int i = 0; i < TRIES; i++) {
        int64_t took_ns = take_ns();
        if (took_ns <= limit_ms * NS_PER_MS)
            return true;
        printf("# took %lld ms\n", (long long)(took_ns / NS_PER_MS));
    }
    return false;
}

static bool is_wanted(const struct suite_case *suite_case)
{
    const char *only = getenv("TANDEM_ONLY");

    return !only || strstr(suite_case->name, only);
}

static unsigned add_cases(CU_pSuite suite, const struct suite_case *cases, size_t count)
{
    unsigned added = 0;

    for (size_t i = 0; i < count; i++) {
        assert(!strchr(cases[i].name, '#'));   /* it would start a TAP directive */
        if (is_wanted(&cases[i])) {
            CU_pTest test = CU_add_test(suite, cases[i].name, cases[i].run);
            assert(test);
            added++;
        }
    }
    return added;
}

int suite_main(const char *suite_name, const struct suite_case *cases, size_t count)
{
    CU_ErrorCode error = CU_initialize_registry();
    assert(error == CUE_SUCCESS);
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    assert(suite);

    unsigned added = add_cases(suite, cases, count);
    if (added == 0) {
        puts("1..0 # SKIP no case has the text of TANDEM_ONLY");
        CU_cleanup_registry();
        return EXIT_SUCCESS;
    }
    printf("1..%u\n", added);
    fflush(stdout);

    CU_set_test_start_handler(forget_skip);
    CU_set_test_complete_handler(tell_case);
    error = CU_run_all_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return error == CUE_SUCCESS && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
