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

enum { NAME_SIZE = 128, VARIANTS_MAX = 4 };

/* A variant with its suite; why it is missing, if it is. */
struct running_variant {
    const struct suite_variant *variant;
    CU_pSuite suite;
    const char *missing;
};

/* CUnit's own registry is one per process, and so is this. */
static unsigned tests_done;
static const char *skipped_because;   /* of the running case; NULL when it is not skipped */
static struct running_variant variants[VARIANTS_MAX];
static size_t variant_count;
static const struct running_variant *current;

static void end_variant(void)
{
    if (current && !current->missing && current->variant->end)
        current->variant->end();
    current = NULL;
}

static void begin_variant(const CU_pSuite suite)
{
    if (current && current->suite == suite)
        return;
    end_variant();
    for (size_t i = 0; i < variant_count; i++)
        if (variants[i].suite == suite)
            current = &variants[i];
    if (current && !current->missing && current->variant->begin)
        current->variant->begin();
}

static void begin_case(const CU_pTest test, const CU_pSuite suite)
{
    (void)test;
    skipped_because = NULL;
    begin_variant(suite);
}

static void skip_case(void)
{
    suite_skip(current->missing);
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

static bool is_wanted(const char *variant, const struct suite_case *suite_case)
{
    const char *only = getenv("TANDEM_ONLY");
    char name[2 * NAME_SIZE];

    snprintf(name, sizeof name, "%s: %s", variant, suite_case->name);
    return !only || strstr(name, only);
}

static unsigned add_cases(CU_pSuite suite, const struct running_variant *running, const struct suite_case *cases,
                          size_t count)
{
    unsigned added = 0;

    for (size_t i = 0; i < count; i++) {
        assert(!strchr(cases[i].name, '#'));   /* it would start a TAP directive */
        if (is_wanted(running->variant->name, &cases[i])) {
            CU_pTest test = CU_add_test(suite, cases[i].name, running->missing ? skip_case : cases[i].run);
            assert(test);
            added++;
        }
    }
    return added;
}

static unsigned add_variant(const char *suite_name, const struct suite_variant *variant,
                            const struct suite_case *cases, size_t count)
{
    char name[NAME_SIZE];

    assert(variant_count < VARIANTS_MAX);
    snprintf(name, sizeof name, "%s%s%s", suite_name, *variant->name ? ": " : "", variant->name);
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    assert(suite);
    struct running_variant *running = &variants[variant_count++];
    *running = (struct running_variant){variant, suite, variant->missing ? variant->missing() : NULL};
    return add_cases(suite, running, cases, count);
}

static int run_all(unsigned added)
{
    printf("1..%u\n", added);
    fflush(stdout);
    CU_set_test_start_handler(begin_case);
    CU_set_test_complete_handler(tell_case);
    CU_ErrorCode error = CU_run_all_tests();
    end_variant();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return error == CUE_SUCCESS && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int suite_main_on(const char *suite_name, const struct suite_variant *wanted, size_t wanted_count,
                  const struct suite_case *cases, size_t count)
{
    CU_ErrorCode error = CU_initialize_registry();
    assert(error == CUE_SUCCESS);
    unsigned added = 0;

    for (size_t i = 0; i < wanted_count; i++)
        added += add_variant(suite_name, &wanted[i], cases, count);
    if (added > 0)
        return run_all(added);
    puts("1..0 # SKIP no case has the text of TANDEM_ONLY");
    CU_cleanup_registry();
    return EXIT_SUCCESS;
}

int suite_main(const char *suite_name, const struct suite_case *cases, size_t count)
{
    static const struct suite_variant only = {.name = ""};

    return suite_main_on(suite_name, &only, 1, cases, count);
}
