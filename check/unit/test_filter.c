/* Which keys there are, on a source of the test's own that can be held up while it is listed. */
#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "cache/filter.h"
#include "check/harness/suite.h"
#include "check/unit/filter_fixture.h"

enum { KEYS_MAX = 20000, PROBES = 200000, SMALL = 100, MADE_UP = 1u << 30 };

/* ---- what is in it ---- */

/* For each number of keys that a block has by chance, the share of the bits of a word that are set, to the eighth. */
static double rate_in_theory(double keys)
{
    double load = keys / (KEYS_MAX * FILTER_KEY_BITS / 512.0), chance = exp(-load), rate = 0;
    for (int i = 0; i < 512; i++) {
        rate += chance * pow(1 - pow(63.0 / 64, i), 8);
        chance *= load / (i + 1);
    }
    return rate;
}

static void check_rate(unsigned keys)
{
    unsigned taken = 0, lost = 0;
    fixture_begin(KEYS_MAX, keys);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_REBUILT);
    for (unsigned i = 0; i < keys; i++)
        lost += fixture_lacks(i);
    for (unsigned i = 0; i < PROBES; i++)
        taken += !fixture_lacks(MADE_UP + i);
    double rate = (double)taken / PROBES, theory = rate_in_theory(keys);
    printf("# of %u absent keys %.4f%% were taken for some of %u that there are; theory says %.4f%%\n", PROBES,
           100 * rate, keys, 100 * theory);
    CU_ASSERT_EQUAL(lost, 0);
    /* Six deviations of chance, of probes and, since that is in which blocks the keys are, of the filter itself. */
    CU_ASSERT(fabs(rate - theory) < 6 * sqrt(theory / PROBES) + 0.1 * theory);
    CU_ASSERT(rate < 0.0025);
    fixture_end();
}

static void test_rate(void)
{
    check_rate(KEYS_MAX);
    check_rate(KEYS_MAX / 2);
    check_rate(KEYS_MAX / 8);
}

static void test_stats(void)
{
    struct filter_stats stats;
    fixture_begin(KEYS_MAX, KEYS_MAX / 2);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    for (unsigned i = 0; i < KEYS_MAX / 2; i++)
        fixture_add(fixture.filter, i);                    /* again, which counts once */
    filter_stats(fixture.filter, &stats);
    CU_ASSERT(stats.keys > KEYS_MAX / 2 * 0.99 && stats.keys <= KEYS_MAX / 2);
    CU_ASSERT_EQUAL(stats.keys_max, KEYS_MAX);
    CU_ASSERT(stats.bytes < KEYS_MAX * 4 + 1024);
    fixture_end();
}

/* ---- how long it answers ---- */

static void test_ages(void)
{
    const int64_t lifetime_ns = 1000 * NS_PER_S;
    char storage[FILTER_SOURCE_KEY_SIZE];
    struct text key = filter_source_key(storage, MADE_UP);
    fixture_begin(KEYS_MAX, SMALL);
    CU_ASSERT_FALSE(filter_lacks(fixture.filter, key, lifetime_ns, clock_now_ns()));
    CU_ASSERT_EQUAL(fixture.wanted, 1);
    fixture_refresh(fixture.filter, lifetime_ns, 0);
    int64_t now_ns = clock_now_ns();
    CU_ASSERT_TRUE(filter_lacks(fixture.filter, key, lifetime_ns, now_ns));
    CU_ASSERT_FALSE(filter_lacks(fixture.filter, key, 0, now_ns));
    CU_ASSERT_EQUAL(fixture.wanted, 1);
    now_ns += lifetime_ns / 2;
    CU_ASSERT_TRUE(filter_lacks(fixture.filter, key, lifetime_ns, now_ns));
    CU_ASSERT_TRUE(filter_lacks(fixture.filter, key, lifetime_ns, now_ns + NS_PER_MS));
    CU_ASSERT_EQUAL(fixture.wanted, 2);               /* once, though two have found it late */
    now_ns += lifetime_ns / 2;
    CU_ASSERT_FALSE(filter_lacks(fixture.filter, key, lifetime_ns, now_ns));
    CU_ASSERT_EQUAL(fixture.wanted, 3);
    fixture_end();
}

static void test_idle(void)
{
    fixture_begin(KEYS_MAX, SMALL);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 0, 0), FILTER_IDLE);
    CU_ASSERT_EQUAL(fixture.source.pages, 0);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_REBUILT);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_IDLE);
    CU_ASSERT_EQUAL(fixture.source.pages, 1);
    fixture_end();
}

/* Made elsewhere: on another machine, or by one who was killed between commit and filter_add(). */
static void test_made_elsewhere(void)
{
    fixture_begin(KEYS_MAX, SMALL);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    filter_source_add(&fixture.source, clock_wall_us(), SMALL);
    filter_source_add(&fixture.source, clock_wall_us() - FILTER_OVERLAP_US / 2, SMALL + 1);   /* committed late */
    filter_source_add(&fixture.source, INT64_MAX, SMALL + 2);
    CU_ASSERT_TRUE(fixture_lacks(SMALL));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_REFRESHED);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_FALSE(fixture_lacks(SMALL + i));
    /* Later than that: with the next listing of all. */
    filter_source_add(&fixture.source, clock_wall_us() - 3 * FILTER_OVERLAP_US, SMALL + 3);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_REFRESHED);
    CU_ASSERT_TRUE(fixture_lacks(SMALL + 3));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_REBUILT);
    CU_ASSERT_FALSE(fixture_lacks(SMALL + 3));
    fixture_end();
}

static void test_only_new(void)
{
    fixture_begin(KEYS_MAX, KEYS_MAX);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    CU_ASSERT_EQUAL(fixture.source.pages, KEYS_MAX / FILTER_PAGE_MAX + 1);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_REFRESHED);
    CU_ASSERT_EQUAL(fixture.source.pages, KEYS_MAX / FILTER_PAGE_MAX + 2);
    fixture_end();
}

static void test_deleted(void)
{
    fixture_begin(KEYS_MAX, SMALL);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    filter_source_remove(&fixture.source, 7);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_REFRESHED);
    CU_ASSERT_FALSE(fixture_lacks(7));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_REBUILT);
    CU_ASSERT_TRUE(fixture_lacks(7));
    fixture_end();
}

/* ---- made while it is listed ---- */

struct refreshing {
    pthread_t thread;
    struct filter *filter;
    int64_t rebuild_ns;
    enum filter_outcome outcome;
};

static void *refresh_beside(void *context)
{
    struct refreshing *refreshing = context;
    refreshing->outcome = fixture_refresh(refreshing->filter, 1, refreshing->rebuild_ns);
    return NULL;
}

/* Until the source has read a page, and holds it. */
static void start_held(struct refreshing *refreshing, int64_t rebuild_ns)
{
    *refreshing = (struct refreshing){.filter = fixture.filter, .rebuild_ns = rebuild_ns};
    filter_source_pause(&fixture.source);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&refreshing->thread, NULL, refresh_beside, refreshing), 0);
    CU_ASSERT_TRUE_FATAL(filter_source_holds(&fixture.source));
}

static void end_held(struct refreshing *refreshing, enum filter_outcome outcome)
{
    filter_source_go_on(&fixture.source);
    pthread_join(refreshing->thread, NULL);
    CU_ASSERT_EQUAL(refreshing->outcome, outcome);
}

static void check_made_meanwhile(int64_t rebuild_ns, enum filter_outcome outcome)
{
    struct refreshing refreshing;
    fixture_begin(KEYS_MAX, 2 * FILTER_PAGE_MAX);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    start_held(&refreshing, rebuild_ns);
    fixture_make(MADE_UP);                                     /* told from here on */
    filter_source_add(&fixture.source, 1, MADE_UP + 1);        /* where the listing has passed already */
    fixture_add(fixture.filter, MADE_UP + 1);
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP + 1));
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP + 2));                /* the one that was answers meanwhile */
    end_held(&refreshing, outcome);
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP + 1));
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP + 2));
    fixture_end();
}

static void test_made_meanwhile(void)
{
    check_made_meanwhile(0, FILTER_REFRESHED);
    check_made_meanwhile(1, FILTER_REBUILT);
}

static void test_distrusted(void)
{
    struct refreshing refreshing;
    fixture_begin(KEYS_MAX, SMALL);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    filter_distrust(fixture.filter);
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_REBUILT);
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    for (int rebuild = 0; rebuild < 2; rebuild++) {    /* whichever it is in the middle of */
        start_held(&refreshing, rebuild);
        filter_distrust(fixture.filter);
        end_held(&refreshing, rebuild ? FILTER_REBUILT : FILTER_REFRESHED);
        CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
        CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_REBUILT);
        CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    }
    fixture_end();
}

static void test_one_refreshes(void)
{
    struct refreshing refreshing;
    fixture_begin(KEYS_MAX, SMALL);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    start_held(&refreshing, 1);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_IDLE);
    end_held(&refreshing, FILTER_REBUILT);
    fixture_end();
}

/* The half that answers is kept up to date by the one who makes the other one, between pages. */
static void test_kept_up(void)
{
    struct refreshing refreshing;
    fixture_begin(KEYS_MAX, 3 * FILTER_PAGE_MAX);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    unsigned pages = fixture.source.pages;
    start_held(&refreshing, 1);
    end_held(&refreshing, FILTER_REBUILT);             /* four pages of all, and after each one of what is new */
    CU_ASSERT(fixture.source.pages - pages >= 8);
    fixture_end();
}

/* ---- failures ---- */

static void test_failing(void)
{
    const atomic_bool given_up = true;
    struct filter_refresh refresh = {
        .list = filter_source_list, .context = &fixture.source, .absent_ns = 1, .rebuild_ns = 1};
    fixture_begin(KEYS_MAX, SMALL);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    fixture.source.err = ERR_UNAVAILABLE;
    CU_ASSERT_EQUAL(filter_refresh(fixture.filter, &refresh, NULL), ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));                    /* as of when it was complete */
    CU_ASSERT_FALSE(fixture_lacks(1));
    fixture.source.err = ERR_NONE;
    refresh.given_up = &given_up;
    CU_ASSERT_EQUAL(filter_refresh(fixture.filter, &refresh, NULL), ERR_CLOSED);
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_REBUILT);
    CU_ASSERT_FALSE(fixture_lacks(1));
    fixture_end();
}

static void test_full(void)
{
    struct filter_stats stats;
    fixture_begin(SMALL, SMALL);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_REBUILT);
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    for (unsigned i = 0; i < SMALL; i++)
        fixture_make(SMALL + i);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_FULL);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_STAYED_FULL);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_STAYED_FULL);   /* it looked, and said so before */
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    CU_ASSERT_FALSE(fixture_lacks(2 * SMALL - 1));
    filter_stats(fixture.filter, &stats);
    CU_ASSERT(stats.keys > stats.keys_max);
    for (unsigned i = 0; i < SMALL; i++)
        filter_source_remove(&fixture.source, SMALL + i);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_REBUILT);
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    CU_ASSERT_FALSE(fixture_lacks(1));
    fixture_end();
}

/* Far more than there is room for are not listed to their end. */
static void test_far_too_many(void)
{
    fixture_begin(SMALL, KEYS_MAX);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_FULL);
    CU_ASSERT_EQUAL(fixture.source.pages, 1);
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    fixture_end();
}

static const struct suite_case cases[] = {
    {"no key that is there is lacking, and as few others as theory says are taken for one", test_rate},
    {"it tells how many keys are in it", test_stats},
    {"it answers as long as absences are remembered, and is wanted anew at half of that", test_ages},
    {"it is not listed while it is up to date, nor where absences are not remembered", test_idle},
    {"what was made elsewhere, or not added for a crash, is found by the next listing", test_made_elsewhere},
    {"only what is new is listed", test_only_new},
    {"what is deleted is lacking once all is listed anew", test_deleted},
    {"what is made while a listing is held up is never lacking", test_made_meanwhile},
    {"what is distrusted answers nobody before all is listed anew", test_distrusted},
    {"one refreshes at a time", test_one_refreshes},
    {"what answers is kept up to date while all is listed anew", test_kept_up},
    {"a listing that fails changes nothing", test_failing},
    {"with too many keys it says so once and answers nobody, until there are fewer", test_full},
    {"far too many keys are not listed to their end", test_far_too_many},
};

int main(void)
{
    return suite_main("filter", cases, sizeof cases / sizeof cases[0]);
}
