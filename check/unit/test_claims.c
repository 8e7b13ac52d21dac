#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/claims.h"
#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"

enum { THREADS = 4, ROUNDS = 2000, KEYS = 3 };

static struct claims *claims;
static atomic_uint parked, overdue_count;
static struct claim *_Atomic overdue_last;

static void parking(struct claim *claim)
{
    (void)claim;
    atomic_fetch_add(&parked, 1);
}

static void overdue(struct claim *claim)
{
    atomic_store(&overdue_last, claim);
    atomic_fetch_add(&overdue_count, 1);
}

static void begin(void)
{
    atomic_store(&parked, 0);
    atomic_store(&overdue_count, 0);
    CU_ASSERT_EQUAL_FATAL(claims_start(overdue, &claims), ERR_NONE);
}

static struct claim claim_to(const char *name, int64_t wait_ms)
{
    struct claim claim = {.deadline_ns = clock_now_ns() + wait_ms * NS_PER_MS};
    digest_hex(text_of(name), claim.lookup);
    return claim;
}

static void test_in_order(void)
{
    begin();
    struct claim first = claim_to("a", 60000), second = claim_to("a", 60000), third = claim_to("a", 60000);
    struct claim other = claim_to("b", 60000);
    CU_ASSERT_TRUE(claims_take(claims, &first, parking));
    CU_ASSERT_FALSE(claims_take(claims, &second, parking));
    CU_ASSERT_FALSE(claims_take(claims, &third, parking));
    CU_ASSERT_TRUE(claims_take(claims, &other, parking));
    CU_ASSERT_EQUAL(parked, 2);
    CU_ASSERT_TRUE(first.held && !second.held && !third.held && other.held);
    CU_ASSERT_PTR_NULL(claims_release(claims, &other));
    CU_ASSERT_PTR_EQUAL(claims_release(claims, &first), &second);
    CU_ASSERT_PTR_EQUAL(second.next, &third);
    CU_ASSERT_PTR_NULL(third.next);
    CU_ASSERT_TRUE(claims_take(claims, &second, parking));
    CU_ASSERT_PTR_NULL(claims_release(claims, &second));
    CU_ASSERT_EQUAL(overdue_count, 0);
    claims_stop(claims);
}

static bool is_overdue(void *wanted)
{
    return atomic_load(&overdue_count) == *(unsigned *)wanted;
}

/* Whoever waits longest for its turn is not who is overdue first. */
static void test_overdue(void)
{
    unsigned one = 1;
    begin();
    struct claim first = claim_to("a", 60000), patient = claim_to("a", 60000), hasty = claim_to("a", 20);
    CU_ASSERT_TRUE(claims_take(claims, &first, parking));
    CU_ASSERT_FALSE(claims_take(claims, &patient, parking));
    CU_ASSERT_FALSE(claims_take(claims, &hasty, parking));
    CU_ASSERT_TRUE(scratch_eventually(is_overdue, &one));
    CU_ASSERT_PTR_EQUAL(atomic_load(&overdue_last), &hasty);
    CU_ASSERT(clock_now_ns() >= hasty.deadline_ns);
    CU_ASSERT_PTR_EQUAL(claims_release(claims, &first), &patient);
    CU_ASSERT_PTR_NULL(patient.next);
    claims_stop(claims);
}

/* ---- many at once: of each key one at a time is held, and all go on in the end ---- */

static atomic_uint holding[KEYS], gone_on;
static atomic_bool two_at_once;

struct job {
    struct claim claim;
    unsigned key;
};

static void go_on(struct job *job)
{
    atomic_fetch_add(&gone_on, 1);
    free(job);
}

static void *work(void *context)
{
    (void)context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct job *job = calloc(1, sizeof *job);
        char name[16];
        job->key = i % KEYS;
        snprintf(name, sizeof name, "key %u", job->key);
        job->claim = claim_to(name, 60000);
        if (!claims_take(claims, &job->claim, parking))
            continue;
        if (atomic_fetch_add(&holding[job->key], 1) > 0)
            atomic_store(&two_at_once, true);
        atomic_fetch_sub(&holding[job->key], 1);
        struct claim *waiting = claims_release(claims, &job->claim);
        go_on(job);
        while (waiting) {
            struct job *next = (struct job *)waiting;
            waiting = waiting->next;
            go_on(next);
        }
    }
    return NULL;
}

static void test_many(void)
{
    pthread_t threads[THREADS];
    begin();
    for (size_t i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_FALSE(atomic_load(&two_at_once));
    CU_ASSERT_EQUAL(atomic_load(&gone_on), THREADS * ROUNDS);
    CU_ASSERT_EQUAL(atomic_load(&overdue_count), 0);
    claims_stop(claims);
}

static const struct suite_case cases[] = {
    {"who comes while a key is under way goes on after it, in order", test_in_order},
    {"who cannot wait so long is told, and nobody else", test_overdue},
    {"one at a time has a key, and nobody is forgotten", test_many},
};

int main(void)
{
    return suite_main("claims", cases, sizeof cases / sizeof cases[0]);
}
