/* What is known of tokens, on a clock of the test's own; and questions that many have at once. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/auth_cache.h"
#include "base/clock.h"
#include "cache/flights.h"
#include "check/harness/suite.h"

enum { ENTRIES = 64, MADE_UP = 100000, MANY = 1000, THREADS = 8, ROUNDS = 500 };

static const struct auth_lifetimes lifetimes = {10 * NS_PER_S, 60 * NS_PER_S, 2 * NS_PER_S};

static struct marks *marks;
static struct auth_cache *cache;
static int64_t now_ns;

static void begin(unsigned entries)
{
    now_ns = 1000 * NS_PER_S;
    CU_ASSERT_EQUAL_FATAL(marks_open(NULL, &marks), ERR_NONE);
    const struct auth_cache_opts opts = {.entries = entries, .unknown_entries = ENTRIES, .marks = marks};
    CU_ASSERT_EQUAL_FATAL(auth_cache_new(&opts, &cache), ERR_NONE);
}

static void end(void)
{
    auth_cache_free(cache);
    marks_close(marks);
}

static struct identity identity_of(const char *token)
{
    struct identity identity = {.role = ROLE_CUSTOMER, .expires_us = clock_wall_us() + 3600 * US_PER_S};
    digest_hex(text_of(token), identity.token_digest);
    id_new(identity.user_id);
    return identity;
}

static enum auth_known known(const struct identity *identity)
{
    struct identity found = {.role = 0};
    enum auth_known result = auth_cache_recall(cache, identity->token_digest, &lifetimes, now_ns, &found);
    if (result == AUTH_FRESH || result == AUTH_STALE)
        CU_ASSERT_STRING_EQUAL(found.user_id, identity->user_id);
    return result;
}

static bool remember(const struct identity *identity)
{
    return auth_cache_remember(cache, identity, cache_mark(), now_ns);
}

static void test_ages(void)
{
    struct identity identity = identity_of("a");
    begin(ENTRIES);
    CU_ASSERT_EQUAL(known(&identity), AUTH_NOTHING);
    CU_ASSERT(remember(&identity));
    CU_ASSERT_EQUAL(known(&identity), AUTH_FRESH);
    now_ns += 8 * NS_PER_S - 1;
    CU_ASSERT_EQUAL(known(&identity), AUTH_FRESH);
    now_ns += 2 * NS_PER_S + 1;
    CU_ASSERT_EQUAL(known(&identity), AUTH_STALE);
    now_ns += 60 * NS_PER_S - 1;
    CU_ASSERT_EQUAL(known(&identity), AUTH_STALE);
    now_ns += 1;
    CU_ASSERT_EQUAL(known(&identity), AUTH_NOTHING);
    end();
}

static void test_own_end(void)
{
    struct identity identity = identity_of("a");
    begin(ENTRIES);
    identity.expires_us = clock_wall_us() + 5 * US_PER_S;
    CU_ASSERT(remember(&identity));
    CU_ASSERT_EQUAL(known(&identity), AUTH_FRESH);
    now_ns += 5 * NS_PER_S;
    CU_ASSERT_EQUAL(known(&identity), AUTH_NOTHING);
    identity.expires_us = clock_wall_us() - 1;
    CU_ASSERT(remember(&identity));
    CU_ASSERT_EQUAL(known(&identity), AUTH_NOTHING);
    end();
}

static void test_jitter(void)
{
    struct identity identities[MANY];
    unsigned fresh = 0;
    char token[16];
    begin(16 * MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(token, sizeof token, "t%d", i);
        identities[i] = identity_of(token);
        CU_ASSERT(remember(&identities[i]));
    }
    now_ns += 8 * NS_PER_S - 1;
    for (int i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(known(&identities[i]), AUTH_FRESH);
    now_ns += NS_PER_S;   /* in the middle of the fifth that is left to chance */
    for (int i = 0; i < MANY; i++)
        fresh += known(&identities[i]) == AUTH_FRESH;
    CU_ASSERT(fresh > MANY / 3 && fresh < MANY * 2 / 3);
    now_ns += NS_PER_S + 1;
    for (int i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(known(&identities[i]), AUTH_STALE);
    end();
}

static void test_unknown(void)
{
    struct identity good = identity_of("good"), other = identity_of("other");
    char digest[TOKEN_DIGEST_SIZE], token[16];
    begin(ENTRIES);
    CU_ASSERT(remember(&good));
    auth_cache_remember_unknown(cache, other.token_digest, now_ns);
    CU_ASSERT_EQUAL(known(&other), AUTH_UNKNOWN);
    now_ns += 2 * NS_PER_S;
    CU_ASSERT_EQUAL(known(&other), AUTH_NOTHING);
    for (int i = 0; i < MADE_UP; i++) {
        snprintf(token, sizeof token, "%d", i);
        auth_cache_remember_unknown(cache, digest_hex(text_of(token), digest), now_ns);
    }
    CU_ASSERT_EQUAL(known(&good), AUTH_FRESH);
    auth_cache_remember_unknown(cache, good.token_digest, now_ns);   /* it has ended */
    CU_ASSERT_EQUAL(known(&good), AUTH_UNKNOWN);
    CU_ASSERT(remember(&other));   /* and who was unknown a moment ago is known now */
    CU_ASSERT_EQUAL(known(&other), AUTH_FRESH);
    end();
}

static void test_revoked(void)
{
    struct identity one = identity_of("one"), two = identity_of("two"), other = identity_of("other");
    begin(MANY);
    memcpy(two.user_id, one.user_id, sizeof two.user_id);
    CU_ASSERT(remember(&one) && remember(&two) && remember(&other));
    auth_cache_revoke_token(cache, text_of(one.token_digest));
    CU_ASSERT_EQUAL(known(&one), AUTH_NOTHING);
    CU_ASSERT_EQUAL(known(&two), AUTH_FRESH);
    CU_ASSERT(remember(&one));
    auth_cache_revoke_user(cache, text_of(one.user_id));
    CU_ASSERT_EQUAL(known(&one), AUTH_NOTHING);
    CU_ASSERT_EQUAL(known(&two), AUTH_NOTHING);
    CU_ASSERT_EQUAL(known(&other), AUTH_FRESH);
    auth_cache_revoke_user(cache, TEXT("of no id's length"));
    auth_cache_revoke_token(cache, TEXT("nor a digest's"));
    CU_ASSERT_EQUAL(known(&other), AUTH_FRESH);
    end();
}

static void test_revoked_meanwhile(void)
{
    struct identity identity = identity_of("a"), other = identity_of("other");
    begin(ENTRIES);
    int64_t mark = cache_mark();
    auth_cache_revoke_token(cache, text_of(other.token_digest));
    CU_ASSERT(auth_cache_remember(cache, &identity, mark, now_ns));
    auth_cache_revoke_token(cache, text_of(identity.token_digest));
    CU_ASSERT_FALSE(auth_cache_remember(cache, &identity, mark, now_ns));
    CU_ASSERT_EQUAL(known(&identity), AUTH_NOTHING);
    mark = cache_mark();
    auth_cache_revoke_user(cache, text_of(identity.user_id));
    CU_ASSERT_FALSE(auth_cache_remember(cache, &identity, mark, now_ns));
    mark = cache_mark();
    for (int i = 0; i < MANY; i++)   /* however many they are, it is known whom they were about */
        auth_cache_revoke_user(cache, text_of(other.user_id));
    CU_ASSERT(auth_cache_remember(cache, &identity, mark, now_ns));
    end();
}

/* ---- flights ---- */

static struct flights *flights;

static unsigned length(struct flight_guest *guest)
{
    unsigned count = 0;
    for (; guest; guest = guest->next)
        count++;
    return count;
}

static void test_flight(void)
{
    struct flight_guest guests[4] = {{.deadline_ns = 40}, {.deadline_ns = 30}, {.deadline_ns = 20},
                                     {.deadline_ns = 50}};
    bool leads, is_earliest;
    CU_ASSERT_EQUAL_FATAL(flights_new(2, 2, &flights), ERR_NONE);
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("a"), &guests[0], &leads, &is_earliest), ERR_NONE);
    CU_ASSERT(leads && !is_earliest);
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("a"), &guests[1], &leads, &is_earliest), ERR_NONE);
    CU_ASSERT(!leads && is_earliest);
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("b"), &guests[2], &leads, &is_earliest), ERR_NONE);
    CU_ASSERT(leads);
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("c"), &guests[3], &leads, &is_earliest), ERR_BUSY);
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("a"), &guests[3], &leads, &is_earliest), ERR_NONE);
    CU_ASSERT(!leads && !is_earliest);
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("b"), &(struct flight_guest){.deadline_ns = 1}, &leads, &is_earliest),
                    ERR_BUSY);
    struct flight_guest *parked = flights_land(flights, TEXT("a"));
    CU_ASSERT_PTR_EQUAL(parked, &guests[1]);
    CU_ASSERT_EQUAL(length(parked), 2);
    CU_ASSERT_PTR_NULL(flights_land(flights, TEXT("b")));
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("a"), &guests[0], &leads, &is_earliest), ERR_NONE);
    CU_ASSERT(leads);
    CU_ASSERT_PTR_NULL(flights_land(flights, TEXT("a")));
    flights_free(flights);
}

static void test_overdue(void)
{
    struct flight_guest guests[4] = {{.deadline_ns = 100}, {.deadline_ns = 40}, {.deadline_ns = 20},
                                     {.deadline_ns = 30}};
    bool leads, is_earliest;
    int64_t next_ns = -1;
    CU_ASSERT_EQUAL_FATAL(flights_new(2, 10, &flights), ERR_NONE);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(flights_board(flights, TEXT("a"), &guests[i], &leads, &is_earliest), ERR_NONE);
        CU_ASSERT_EQUAL(is_earliest, i == 1 || i == 2);
    }
    CU_ASSERT_PTR_NULL(flights_overdue(flights, 19, &next_ns));
    CU_ASSERT_EQUAL(next_ns, 20);
    struct flight_guest *overdue = flights_overdue(flights, 30, &next_ns);
    CU_ASSERT_PTR_EQUAL(overdue, &guests[2]);
    CU_ASSERT_EQUAL(length(overdue), 2);
    CU_ASSERT_EQUAL(next_ns, 40);
    struct flight_guest late = {.deadline_ns = 35};   /* one may still board behind those who were taken out */
    CU_ASSERT_EQUAL(flights_board(flights, TEXT("a"), &late, &leads, &is_earliest), ERR_NONE);
    CU_ASSERT(!leads && is_earliest);
    struct flight_guest *parked = flights_land(flights, TEXT("a"));
    CU_ASSERT_PTR_EQUAL(parked, &guests[1]);
    CU_ASSERT_EQUAL(length(parked), 2);
    CU_ASSERT_PTR_NULL(flights_overdue(flights, 1000, &next_ns));
    CU_ASSERT_EQUAL(next_ns, 0);
    flights_free(flights);
}

/* Everybody who boards is told of once: by leading, with a landing, or as overdue. */
static atomic_uint led, landed;

static void *board_often(void *context)
{
    struct flight_guest *guests = context;
    for (int i = 0; i < ROUNDS; i++) {
        bool leads, is_earliest;
        guests[i].deadline_ns = INT64_MAX;
        if (flights_board(flights, i % 2 ? TEXT("a") : TEXT("b"), &guests[i], &leads, &is_earliest) != ERR_NONE)
            abort();
        if (!leads)
            continue;
        atomic_fetch_add(&led, 1);
        atomic_fetch_add(&landed, length(flights_land(flights, i % 2 ? TEXT("a") : TEXT("b"))));
    }
    return NULL;
}

static void test_threads(void)
{
    static struct flight_guest guests[THREADS][ROUNDS];
    pthread_t threads[THREADS];
    CU_ASSERT_EQUAL_FATAL(flights_new(2, THREADS * ROUNDS, &flights), ERR_NONE);
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, board_often, guests[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(led + landed, THREADS * ROUNDS);
    flights_free(flights);
}

static const struct suite_case cases[] = {
    {"what is known is fresh, then stale, then gone", test_ages},
    {"nothing is known past a token's own end", test_own_end},
    {"lifetimes are spread over a fifth", test_jitter},
    {"made-up tokens are refused for a while, and displace no good one", test_unknown},
    {"what is revoked is forgotten, by token or by user", test_revoked},
    {"an answer from before a revocation is not remembered", test_revoked_meanwhile},
    {"the first asks, the others wait, and both have a limit", test_flight},
    {"who waits past its deadline is found", test_overdue},
    {"threads that board at once are all told of, once", test_threads},
};

int main(void)
{
    return suite_main("auth_cache", cases, sizeof cases / sizeof cases[0]);
}
