/* What of the remote part of a cache needs no Redis: slots, addresses, and what a value looks like there. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cache/remote.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "telemetry/metric.h"
#if HAVE_REDIS
#include "cache/redis_slot.h"
#include "cache/remote_private.h"
#endif

enum { PATIENCE_MS = 10000 };

static enum err open_at(const char *url)
{
    struct cache_remote *remote;
    const struct cache_remote_opts opts = {.url = url, .user = "", .password_file = "", .timeout_ms = 10,
                                           .connections_max = 1, .claim_ms = 10, .queue_max = 1};
    enum err err = cache_remote_open(&opts, &remote);
    if (!err)
        cache_remote_close(remote);
    return err;
}

#if HAVE_REDIS

static void test_slot(void)
{
    CU_ASSERT_EQUAL(redis_slot(TEXT("123456789")), 0x31c3);   /* as in the specification */
    CU_ASSERT_EQUAL(redis_slot(TEXT("")), 0);
    CU_ASSERT_EQUAL(redis_slot(TEXT("{user1000}.following")), redis_slot(TEXT("user1000")));
    CU_ASSERT_EQUAL(redis_slot(TEXT("{user1000}.followers")), redis_slot(TEXT("{user1000}.following")));
    CU_ASSERT_NOT_EQUAL(redis_slot(TEXT("foo{}{bar}")), redis_slot(TEXT("bar")));   /* the first tag is empty */
    CU_ASSERT_EQUAL(redis_slot(TEXT("foo{{bar}}zap")), redis_slot(TEXT("{bar")));
    CU_ASSERT_EQUAL(redis_slot(TEXT("foo{bar}{zap}")), redis_slot(TEXT("bar")));
    CU_ASSERT_NOT_EQUAL(redis_slot(TEXT("foo{bar")), redis_slot(TEXT("bar")));
}

static void test_addresses(void)
{
    static const char *const good[] = {"redis://localhost", "redis://127.0.0.1:7000,127.0.0.1:7001",
                                       "redis://[::1]:7000", "redis+unix:/run/redis.sock"};
    static const char *const bad[] = {"", "localhost:6379", "redis://", "redis://a:0", "redis://a:65536", "redis://a:b",
                                      "redis://a,,b", "redis+unix:"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_EQUAL(open_at(good[i]), ERR_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(open_at(bad[i]), ERR_CONFIG);
}

/* With OpenSSL its URL is as good as another; check/service/test_redis_tls.c has the rest. */
static void test_tls(void)
{
#if HAVE_OPENSSL
    CU_ASSERT_EQUAL(open_at("rediss://localhost"), ERR_NONE);
    CU_ASSERT_EQUAL(cache_remote_check("rediss://localhost"), ERR_NONE);
    CU_ASSERT_EQUAL(cache_remote_check("rediss://"), ERR_CONFIG);
#else
    CU_ASSERT_EQUAL(open_at("rediss://localhost"), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "libssl-dev"));
    CU_ASSERT_EQUAL(cache_remote_check("rediss://localhost"), ERR_CONFIG);
#endif
    CU_ASSERT_EQUAL(cache_remote_check("redis://localhost"), ERR_NONE);
    CU_ASSERT_EQUAL(cache_remote_check("rediss+unix:/run/redis.sock"), ERR_CONFIG);
}

static void test_stored(void)
{
    const struct stored stored = {.version = 0xfedc, .began_us = 1, .until_us = 2, .cost_us = 3, .group = TEXT("gr"),
                                  .value = TEXT("a value\n")};
    struct stored read;
    char bytes[STORED_HEAD_MAX + 16];
    size_t length = stored_head(&stored, bytes);
    memcpy(bytes + length, "gra value\n", 10);
    length += 10;
    CU_ASSERT_FATAL(stored_read((struct text){bytes, length}, &read));
    CU_ASSERT_EQUAL(read.version, 0xfedc);
    CU_ASSERT_EQUAL(read.began_us + 10 * read.until_us + 100 * read.cost_us, 321);
    CU_ASSERT(text_equal_string(read.group, "gr") && text_equal_string(read.value, "a value\n"));
    CU_ASSERT_EQUAL(memcmp(bytes + 2, "000000000000fedc", 16), 0);   /* where the script compares versions */
}

static void test_not_stored(void)
{
    static const char *const others[] = {
        "", "1", "1 \n", "2 000000000000fedc 1 2 3 0\n", "1 00000000000fedc 1 2 3 0\n", "1 000000000000FEDC 1 2 3 0\n",
        "1 000000000000fedc 1 2 0\n", "1 000000000000fedc a 2 3 0\n", "1 000000000000fedc 1 2 3 3\nab",
        "1 000000000000fedc 1 2 3 -1\nab", "1 000000000000fedc 1 2 3 0"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct stored read;
        CU_ASSERT_FALSE(stored_read(text_of(others[i]), &read));
    }
}

static bool is_away(void *context)
{
    (void)context;
    return metric_value(metric_series(METRIC_CACHE_REMOTE_AWAY)) == 1;
}

/* With nobody there, of eight that are to be told two fit the queue, and two may be in the sender's hands. */
static void test_queue(void)
{
    struct cache_remote *remote;
    const struct cache_remote_opts opts = {.url = "redis+unix:/nonexistent/redis.sock", .user = "", .password_file = "",
                                           .timeout_ms = 10, .connections_max = 1, .claim_ms = 10, .queue_max = 2,
                                           .breaker_failures = 1, .breaker_open_ms = 10000};
    const struct metric_series lost = metric_series(METRIC_CACHE_REMOTE_LOST);
    int64_t before = metric_value(lost);
    CU_ASSERT_EQUAL_FATAL(cache_remote_open(&opts, &remote), ERR_NONE);
    for (int i = 0; i < 8; i++)
        cache_remote_invalidate(remote, "name", TEXT("key"));
    CU_ASSERT(process_until(is_away, NULL, PATIENCE_MS));
    cache_remote_close(remote);
    CU_ASSERT(metric_value(lost) - before >= 4);
}

static const struct suite_case cases[] = {
    {"a key's slot is by its tag when it has one", test_slot},
    {"an address that cannot be used is told", test_addresses},
    {"TLS is there, or it is said what is missing", test_tls},
    {"a value is read as it was written", test_stored},
    {"what is not a value is not read as one", test_not_stored},
    {"invalidations that find no room are counted as lost", test_queue},
};

#else

static void test_absent(void)
{
    CU_ASSERT_EQUAL(open_at("redis://localhost"), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "--with-redis"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "libhiredis-dev"));
}

static const struct suite_case cases[] = {
    {"a build without it says what is missing", test_absent},
};

#endif

int main(void)
{
    return suite_main("redis", cases, sizeof cases / sizeof cases[0]);
}
