/* How often one may try, on a clock of the test's own. */
#include "config.h"

#include <stdio.h>

#include "apps/user/attempts.h"
#include "base/clock.h"
#include "check/harness/suite.h"

enum { PER_MINUTE = 6, ENTRIES = 64, MANY = 100000 };

static struct attempts *attempts;
static int64_t now_ns;

static void begin(unsigned entries)
{
    now_ns = 1000 * NS_PER_S;
    CU_ASSERT_EQUAL_FATAL(attempts_new(entries, &attempts), ERR_NONE);
}

static int64_t take(enum attempts_of of, const char *whose)
{
    return attempts_take(attempts, of, text_of(whose), PER_MINUTE, now_ns);
}

static unsigned take_all(enum attempts_of of, const char *whose)
{
    unsigned taken = 0;
    while (taken < MANY && take(of, whose) == 0)
        taken++;
    return taken;
}

static void test_limit(void)
{
    begin(ENTRIES);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_ACCOUNT, "a"), PER_MINUTE);
    CU_ASSERT_EQUAL(take(ATTEMPTS_OF_ACCOUNT, "a"), 10 * NS_PER_S);
    now_ns += 10 * NS_PER_S - 1;
    CU_ASSERT_EQUAL(take(ATTEMPTS_OF_ACCOUNT, "a"), 1);   /* who was refused has not lost anything */
    now_ns += 1;
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_ACCOUNT, "a"), 1);
    now_ns += 600 * NS_PER_S;
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_ACCOUNT, "a"), PER_MINUTE);
    attempts_free(attempts);
}

static void test_apart(void)
{
    begin(ENTRIES);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_ACCOUNT, "a"), PER_MINUTE);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_ACCOUNT, "b"), PER_MINUTE);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_SOURCE, "a"), PER_MINUTE);
    CU_ASSERT_EQUAL(attempts_take(attempts, ATTEMPTS_OF_ACCOUNT, TEXT("a"), 0, now_ns), 0);   /* no limit */
    attempts_free(attempts);
}

static void test_given_back(void)
{
    begin(ENTRIES);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_SOURCE, "a"), PER_MINUTE);
    attempts_give_back(attempts, ATTEMPTS_OF_SOURCE, TEXT("a"), PER_MINUTE);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_SOURCE, "a"), 1);
    attempts_forget(attempts, ATTEMPTS_OF_SOURCE, TEXT("a"));
    attempts_give_back(attempts, ATTEMPTS_OF_SOURCE, TEXT("a"), PER_MINUTE);   /* more than was taken is nothing */
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_SOURCE, "a"), PER_MINUTE);
    attempts_free(attempts);
}

/* Crowding a place gives room to those who have tried least: a bucket that is being emptied stays. */
static void test_crowded(void)
{
    char whose[32];
    begin(ENTRIES);
    CU_ASSERT_EQUAL(take_all(ATTEMPTS_OF_ACCOUNT, "victim"), PER_MINUTE);
    for (int i = 0; i < MANY; i++) {
        snprintf(whose, sizeof whose, "made-up-%d", i);
        CU_ASSERT_EQUAL(take(ATTEMPTS_OF_ACCOUNT, whose), 0);
    }
    CU_ASSERT(take(ATTEMPTS_OF_ACCOUNT, "victim") > 0);
    attempts_free(attempts);
}

static void test_sources(void)
{
    static const struct {
        const char *address, *source;
    } rows[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:db8:1:2::9", "2001:db8:1:2::"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"", ""},
        {"unix:", "unix:"},
        {"no address", "no address"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[ATTEMPTS_SOURCE_SIZE];
        CU_ASSERT(text_equal_string(attempts_source(text_of(rows[i].address), out), rows[i].source));
    }
}

static const struct suite_case cases[] = {
    {"a minute's tries may come at once, and come back evenly", test_limit},
    {"accounts and sources are counted apart", test_apart},
    {"a try is given back, and a bucket filled, but never over", test_given_back},
    {"who is held back stays so however many others try", test_crowded},
    {"a source is an address, or the network of one", test_sources},
};

int main(void)
{
    return suite_main("user_attempts", cases, sizeof cases / sizeof cases[0]);
}
