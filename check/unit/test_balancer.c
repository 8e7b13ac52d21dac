/* Which instance is called, with a clock and a chance of the test's own. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "net/balancer.h"

enum { FAILURES = 3, OPEN_MS = 1000, OPEN_MAX_MS = 8000, SLOW_START_MS = 2000 };
enum { SEED = 42, ROUNDS = 3000, MEMBERS_MAX = 8 };

static struct balancer *balancer;
static int64_t now_ns;
static uint32_t seed;

/* The same numbers on every machine: a linear congruential generator (Numerical Recipes). */
static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

static void begin_in_zone(const char *zone)
{
    const struct balancer_opts opts = {
        .zone = zone,
        .slow_start_ms = SLOW_START_MS,
        .breaker = {.failures_max = FAILURES, .open_ms = OPEN_MS, .probes_max = 1, .open_max_ms = OPEN_MAX_MS},
        .random = chance,
    };
    now_ns = 100 * NS_PER_S;
    seed = SEED;
    CU_ASSERT_EQUAL_FATAL(balancer_new(&opts, &balancer), ERR_NONE);
}

static void end(void)
{
    balancer_free(balancer);
}

/* "a b c": ids; an instance may have notes, "a;zone=x". */
static void these(const char *ids)
{
    struct instance list[MEMBERS_MAX];
    struct instances *instances = NULL;
    struct text rest = text_of(ids);
    size_t count = 0;
    while (rest.at && *ids) {
        char text[128];
        struct text notes = text_split(&rest, ' '), id = text_split(&notes, ';');
        snprintf(text, sizeof text, "http://%.*s:80;id=%.*s%s%.*s", TEXT_ARGS(id), TEXT_ARGS(id), notes.at ? ";" : "",
                 TEXT_ARGS(notes));
        CU_ASSERT_EQUAL_FATAL(instance_read(text_of(text), &list[count++]), ERR_NONE);
    }
    CU_ASSERT_EQUAL_FATAL(instances_new(list, count, &instances), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(balancer_update(balancer, instances, now_ns), ERR_NONE);
    instances_unref(instances);
}

/* The instance's letter; '-' when there is none. */
static char choose_but(const struct balancer_member *failed, bool may_repeat, struct balancer_choice *ret)
{
    return balancer_choose(balancer, now_ns, may_repeat, failed, ret) ? ret->url[strlen("http://")] : '-';
}

static char choose(struct balancer_choice *ret)
{
    return choose_but(NULL, true, ret);
}

static void report(const struct balancer_choice *choice, enum breaker_outcome outcome, unsigned took_ms)
{
    balancer_report(balancer, choice, outcome, choice->begun_ns + took_ms * NS_PER_MS);
}

static char call(enum breaker_outcome outcome)
{
    struct balancer_choice choice;
    char who = choose(&choice);
    if (who != '-')
        report(&choice, outcome, 1);
    return who;
}

/* How often each letter is chosen by calls that all take the same time. */
static void count_calls(unsigned calls, unsigned ret_counts[static 128])
{
    memset(ret_counts, 0, 128 * sizeof ret_counts[0]);
    for (unsigned i = 0; i < calls; i++) {
        ret_counts[(int)call(BREAKER_SUCCESS)]++;
        now_ns += NS_PER_MS;
    }
}

static const struct balancer_view *view_of(char who)
{
    static struct balancer_view views[MEMBERS_MAX];
    size_t count = balancer_view(balancer, now_ns, views, MEMBERS_MAX);
    for (size_t i = 0; i < count; i++)
        if (views[i].instance.id[0] == who)
            return &views[i];
    return NULL;
}

/* Puts it out, whoever else there is. */
static void put_out(char who)
{
    unsigned left = FAILURES;
    for (int i = 0; i < ROUNDS && left > 0; i++) {
        struct balancer_choice choice;
        char chosen = choose(&choice);
        report(&choice, chosen == who ? BREAKER_FAILURE : BREAKER_SUCCESS, 1);
        left -= chosen == who;
        now_ns += NS_PER_MS;
    }
    CU_ASSERT_EQUAL(left, 0);
    CU_ASSERT_EQUAL(view_of(who)->state, BREAKER_OPEN);
}

static bool there_are(unsigned in, unsigned on_probation, unsigned out)
{
    unsigned counts[BREAKER_STATES] = {0};
    balancer_count(balancer, counts);
    return counts[BREAKER_CLOSED] == in && counts[BREAKER_HALF_OPEN] == on_probation && counts[BREAKER_OPEN] == out;
}

static void test_even(void)
{
    unsigned counts[128];
    begin_in_zone(NULL);
    these("a b c");
    count_calls(ROUNDS, counts);
    for (char who = 'a'; who <= 'c'; who++)
        CU_ASSERT(counts[(int)who] > ROUNDS / 4 && counts[(int)who] < ROUNDS / 2);
    end();
}

static void test_nobody(void)
{
    struct balancer_choice choice;
    begin_in_zone(NULL);
    CU_ASSERT_EQUAL(choose(&choice), '-');
    CU_ASSERT(balancer_wait_ns(balancer, now_ns) > 0);
    CU_ASSERT_EQUAL(balancer_state(balancer), BREAKER_OPEN);
    these("a");
    CU_ASSERT_EQUAL(balancer_wait_ns(balancer, now_ns), 0);
    CU_ASSERT_EQUAL(call(BREAKER_SUCCESS), 'a');
    these("");
    CU_ASSERT_EQUAL(choose(&choice), '-');
    end();
}

static void test_outstanding(void)
{
    struct balancer_choice busy[6], choice;
    begin_in_zone(NULL);
    these("a b");
    call(BREAKER_SUCCESS);
    call(BREAKER_SUCCESS);
    for (int i = 0; i < 6; i++)
        choose(&busy[i]);
    CU_ASSERT_EQUAL(view_of('a')->outstanding, 3);
    CU_ASSERT_EQUAL(view_of('b')->outstanding, 3);
    char freed = busy[0].url[strlen("http://")];
    report(&busy[0], BREAKER_SUCCESS, 1);
    CU_ASSERT_EQUAL(choose(&choice), freed);
    report(&choice, BREAKER_UNTOLD, 1);
    for (int i = 1; i < 6; i++)
        report(&busy[i], BREAKER_UNTOLD, 1);
    end();
}

static void test_latency(void)
{
    unsigned fast = 0, slow = 0;
    begin_in_zone(NULL);
    these("a b");
    for (int i = 0; i < ROUNDS; i++) {
        struct balancer_choice choice;
        char who = choose(&choice);
        unsigned took_ms = who == 'a' ? 2 : 40;
        report(&choice, BREAKER_SUCCESS, took_ms);
        now_ns += took_ms * NS_PER_MS;
        *(who == 'a' ? &fast : &slow) += 1;
    }
    CU_ASSERT(fast > 50 * slow);
    CU_ASSERT(slow > 0);   /* what is known of it fades, so that it is tried again */
    end();
}

static void test_weight(void)
{
    struct balancer_choice taken[40];
    unsigned counts[128] = {0};
    begin_in_zone(NULL);
    these("a;weight=300 b");
    for (int i = 0; i < 40; i++)
        counts[(int)choose(&taken[i])]++;
    CU_ASSERT(counts['a'] >= 29 && counts['a'] <= 31);
    for (int i = 0; i < 40; i++)
        report(&taken[i], BREAKER_UNTOLD, 1);
    end();
}

static void test_ejection(void)
{
    unsigned counts[128];
    begin_in_zone(NULL);
    these("a b");
    CU_ASSERT(there_are(2, 0, 0));
    put_out('a');
    CU_ASSERT(there_are(1, 0, 1));
    CU_ASSERT_EQUAL(view_of('a')->failures, 0);
    count_calls(100, counts);
    CU_ASSERT_EQUAL(counts['b'], 100);
    CU_ASSERT_EQUAL(balancer_wait_ns(balancer, now_ns), 0);
    CU_ASSERT_EQUAL(balancer_state(balancer), BREAKER_CLOSED);
    put_out('b');
    struct balancer_choice choice;
    CU_ASSERT_EQUAL(choose(&choice), '-');
    CU_ASSERT(balancer_wait_ns(balancer, now_ns) > 0);
    CU_ASSERT(balancer_wait_ns(balancer, now_ns) <= OPEN_MS * NS_PER_MS * 3 / 2);
    end();
}

static void test_probation(void)
{
    struct balancer_choice probe, other;
    begin_in_zone(NULL);
    these("a b");
    put_out('a');
    now_ns += OPEN_MS * NS_PER_MS * 3 / 2;
    CU_ASSERT_EQUAL(choose_but(NULL, false, &other), 'b');   /* what must not be sent twice is no probe */
    report(&other, BREAKER_SUCCESS, 1);
    CU_ASSERT_EQUAL(choose(&probe), 'a');
    CU_ASSERT_EQUAL(choose(&other), 'b');                    /* one at once */
    report(&other, BREAKER_SUCCESS, 1);
    report(&probe, BREAKER_FAILURE, 1);
    CU_ASSERT_EQUAL(view_of('a')->state, BREAKER_OPEN);
    CU_ASSERT(view_of('a')->wait_ns >= 2 * OPEN_MS * NS_PER_MS);   /* twice as long */
    now_ns += 3 * OPEN_MS * NS_PER_MS;
    CU_ASSERT_EQUAL(choose(&probe), 'a');
    report(&probe, BREAKER_SUCCESS, 1);
    CU_ASSERT_EQUAL(view_of('a')->state, BREAKER_CLOSED);
    put_out('a');
    CU_ASSERT(view_of('a')->wait_ns <= OPEN_MS * NS_PER_MS * 3 / 2);   /* begins anew */
    end();
}

static void test_out_is_bounded(void)
{
    begin_in_zone(NULL);
    these("a b");
    put_out('a');
    for (int i = 0; i < 10; i++) {
        struct balancer_choice probe;
        now_ns += view_of('a')->wait_ns;
        CU_ASSERT_EQUAL_FATAL(choose(&probe), 'a');
        report(&probe, BREAKER_FAILURE, 0);
    }
    CU_ASSERT(view_of('a')->wait_ns >= OPEN_MAX_MS * NS_PER_MS);
    CU_ASSERT(view_of('a')->wait_ns <= OPEN_MAX_MS * NS_PER_MS * 3 / 2);
    end();
}

static void test_elsewhere(void)
{
    struct balancer_choice first, second;
    begin_in_zone("x");
    these("a;zone=x b;zone=y");
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(choose(&first), 'a');
        CU_ASSERT(balancer_has_other(balancer, first.member, now_ns));
        report(&first, BREAKER_UNTOLD, 1);
        CU_ASSERT_EQUAL(choose_but(first.member, true, &second), 'b');
        report(&second, BREAKER_UNTOLD, 1);
    }
    these("a;zone=x");
    CU_ASSERT_EQUAL(choose(&first), 'a');
    CU_ASSERT(!balancer_has_other(balancer, first.member, now_ns));
    report(&first, BREAKER_UNTOLD, 1);
    CU_ASSERT_EQUAL(choose_but(first.member, true, &second), 'a');   /* there is no other */
    report(&second, BREAKER_UNTOLD, 1);
    end();
}

static void test_slow_start(void)
{
    unsigned counts[128];
    begin_in_zone(NULL);
    these("a b");
    count_calls(100, counts);
    CU_ASSERT_EQUAL(view_of('a')->share_percent, 100);   /* the first are no newcomers */
    these("a b c");
    CU_ASSERT_EQUAL(view_of('c')->share_percent, 10);
    unsigned previous = 0;
    for (int i = 0; i < 4; i++) {
        count_calls(SLOW_START_MS / 4, counts);
        CU_ASSERT(counts['c'] > previous);
        previous = counts['c'];
        printf("# %d ms after it came: %u of %d\n", (i + 1) * SLOW_START_MS / 4, counts['c'], SLOW_START_MS / 4);
    }
    CU_ASSERT_EQUAL(view_of('c')->share_percent, 100);
    count_calls(ROUNDS, counts);
    CU_ASSERT(counts['c'] > ROUNDS / 4 && counts['c'] < ROUNDS / 2);
    these("d");
    CU_ASSERT_EQUAL(call(BREAKER_SUCCESS), 'd');   /* only newcomers */
    end();
}

static void test_zone(void)
{
    unsigned counts[128];
    begin_in_zone("x");
    these("a;zone=x b;zone=x c;zone=y");
    count_calls(ROUNDS, counts);
    CU_ASSERT_EQUAL(counts['c'], 0);
    put_out('a');
    CU_ASSERT(view_of('b')->is_preferred);
    count_calls(100, counts);
    CU_ASSERT_EQUAL(counts['c'], 0);              /* half of the zone is well */
    put_out('b');
    CU_ASSERT(!view_of('b')->is_preferred);
    count_calls(100, counts);
    CU_ASSERT_EQUAL(counts['c'], 100);
    end();
}

static void test_changes(void)
{
    struct balancer_choice under_way;
    begin_in_zone(NULL);
    these("a b");
    put_out('a');
    these("a b;weight=50 c");
    CU_ASSERT_EQUAL(view_of('a')->state, BREAKER_OPEN);   /* what is known of it stays */
    CU_ASSERT_EQUAL(view_of('b')->instance.weight, 50);
    choose(&under_way);
    these("");
    report(&under_way, BREAKER_SUCCESS, 5);               /* of one that has gone meanwhile */
    these("a");
    CU_ASSERT_EQUAL(view_of('a')->state, BREAKER_CLOSED);
    end();
}

static void test_fixed(void)
{
    const struct breaker_opts breaker = {.failures_max = 1, .open_ms = OPEN_MS, .probes_max = 1};
    struct balancer_choice choice;
    now_ns = 0;
    CU_ASSERT_EQUAL_FATAL(balancer_new_fixed("http://a/b", &breaker, &balancer), ERR_NONE);
    CU_ASSERT(balancer_choose(balancer, now_ns, true, NULL, &choice));
    CU_ASSERT_STRING_EQUAL(choice.url, "http://a/b");
    CU_ASSERT(!balancer_has_other(balancer, choice.member, now_ns));
    CU_ASSERT(there_are(1, 0, 0));
    report(&choice, BREAKER_FAILURE, 0);
    CU_ASSERT(there_are(0, 0, 1));
    CU_ASSERT(!balancer_choose(balancer, now_ns, true, choice.member, &choice));
    CU_ASSERT(balancer_wait_ns(balancer, now_ns) > 0);
    CU_ASSERT_EQUAL(balancer_state(balancer), BREAKER_OPEN);
    end();
}

static const struct suite_case cases[] = {
    {"calls are spread evenly over instances that are alike", test_even},
    {"without an instance nobody is called, and one that comes is", test_nobody},
    {"of two the one with fewer calls under way is called", test_outstanding},
    {"of two the faster one is called, and the slower one is tried again some time", test_latency},
    {"one with more weight has more calls under way", test_weight},
    {"one that fails again and again is out, and when all are nobody is called", test_ejection},
    {"one that was out is on probation: one call that may be sent twice, and each failure doubles its time",
     test_probation},
    {"the time that one is out has a bound", test_out_is_bounded},
    {"the next try goes to another instance, if need be in another zone", test_elsewhere},
    {"a newcomer gets its part little by little", test_slow_start},
    {"the own zone is preferred while half of it is well", test_zone},
    {"what is known of instances stays while they do", test_changes},
    {"a fixed one has one URL and its breaker", test_fixed},
};

int main(void)
{
    return suite_main("balancer", cases, sizeof cases / sizeof cases[0]);
}
