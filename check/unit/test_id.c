#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/suite.h"

enum { THREADS = 4, IDS_EACH = 20000 };

static void test_form(void)
{
    for (int i = 0; i < 1000; i++) {
        char id[ID_SIZE];
        CU_ASSERT_PTR_EQUAL(id_new(id), id);
        CU_ASSERT_EQUAL_FATAL(strlen(id), ID_LENGTH);
        CU_ASSERT(id_is_valid(text_of(id)));
        CU_ASSERT_EQUAL(id[14], '7');
        CU_ASSERT_PTR_NOT_NULL(strchr("89ab", id[19]));
    }
}

static void test_time(void)
{
    char id[ID_SIZE], digits[13];
    int64_t before_ms = clock_wall_us() / 1000;

    id_new(id);
    int64_t after_ms = clock_wall_us() / 1000;
    memcpy(digits, id, 8);
    memcpy(digits + 8, id + 9, 4);
    digits[12] = '\0';
    int64_t ms = (int64_t)strtoull(digits, NULL, 16);
    CU_ASSERT(ms >= before_ms);
    /* A burst before this may have carried the counter into the milliseconds. */
    CU_ASSERT(ms <= after_ms + 10);
}

static void test_rises(void)
{
    char last[ID_SIZE], id[ID_SIZE];

    id_new(last);
    for (int i = 0; i < 100000; i++) {
        id_new(id);
        CU_ASSERT_FATAL(strcmp(last, id) < 0);
        memcpy(last, id, sizeof last);
    }
}

static void *make_ids(void *out)
{
    char(*ids)[ID_SIZE] = out;

    for (int i = 0; i < IDS_EACH; i++)
        id_new(ids[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Equal ids would be no wonder only if time and counter were equal, so those are what is compared. */
static void test_threads(void)
{
    static char ids[THREADS * IDS_EACH][ID_SIZE];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, make_ids, ids[i * IDS_EACH]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        for (int j = 1; j < IDS_EACH; j++)
            CU_ASSERT_FATAL(strcmp(ids[i * IDS_EACH + j - 1], ids[i * IDS_EACH + j]) < 0);
    }
    qsort(ids, THREADS * IDS_EACH, sizeof ids[0], compare);
    for (int i = 1; i < THREADS * IDS_EACH; i++)
        CU_ASSERT_FATAL(strncmp(ids[i - 1], ids[i], 18) < 0);
}

static void test_valid(void)
{
    static const char *const refused[] = {
        "",
        "0198b1c2-7d3e-7abc-8def-0123456789a",
        "0198b1c2-7d3e-7abc-8def-0123456789abc",
        "0198B1C2-7d3e-7abc-8def-0123456789ab",
        "0198b1c27d3e-7abc-8def-0123456789ab-",
        "0198b1c2-7d3e-7abc-8def_0123456789ab",
        "0198b1g2-7d3e-7abc-8def-0123456789ab",
        "{198b1c2-7d3e-7abc-8def-0123456789a}",
        "0198b1c2-7d3e-7abc-8def-0123456789a ",
    };

    CU_ASSERT(id_is_valid(TEXT("0198b1c2-7d3e-7abc-8def-0123456789ab")));
    CU_ASSERT(id_is_valid(TEXT("00000000-0000-0000-0000-000000000000")));
    CU_ASSERT_FALSE(id_is_valid(TEXT_NONE));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        CU_ASSERT_FALSE(id_is_valid(text_of(refused[i])));
}

static void test_token(void)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char last[TOKEN_SIZE] = "";

    for (int i = 0; i < 1000; i++) {
        char token[TOKEN_SIZE];
        CU_ASSERT_PTR_EQUAL(token_new(token), token);
        CU_ASSERT_EQUAL(strlen(token), TOKEN_SIZE - 1);
        CU_ASSERT_EQUAL(strspn(token, alphabet), TOKEN_SIZE - 1);
        CU_ASSERT_STRING_NOT_EQUAL(token, last);
        memcpy(last, token, sizeof last);
    }
}

/* Vectors of FIPS 180-4. */
static void test_digest(void)
{
    static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    char out[TOKEN_DIGEST_SIZE];

    CU_ASSERT_STRING_EQUAL(digest_hex(TEXT("abc"), out), of_abc);
    CU_ASSERT_STRING_EQUAL(digest_hex(TEXT(""), out), of_nothing);
    CU_ASSERT_STRING_EQUAL(digest_hex(TEXT_NONE, out), of_nothing);
}

static void test_random_bytes(void)
{
    /* Above what the kernel gives in one call without interruption. */
    static unsigned char bytes[100000];
    size_t counts[256] = {0};

    random_bytes(bytes, 0);
    CU_ASSERT_EQUAL(bytes[0], 0);
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        counts[bytes[i]]++;
    for (size_t i = 0; i < 256; i++) {
        /* 390 expected, deviation 20: nine deviations to either side. */
        CU_ASSERT(counts[i] > 210 && counts[i] < 570);
    }
}

static void test_random_below(void)
{
    size_t counts[3] = {0};

    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(random_below(1), 0);
        CU_ASSERT(random_below(UINT32_MAX) < UINT32_MAX);
        CU_ASSERT(random_below(UINT32_C(0x80000001)) <= UINT32_C(0x80000000));
    }
    for (int i = 0; i < 30000; i++) {
        uint32_t value = random_below(3);
        CU_ASSERT_FATAL(value < 3);
        counts[value]++;
    }
    for (int i = 0; i < 3; i++)
        CU_ASSERT(counts[i] > 9200 && counts[i] < 10800);
}

static void test_first_of_a_time(void)
{
    char before[ID_SIZE], made[ID_SIZE], after[ID_SIZE];
    int64_t now_us = clock_wall_us();
    id_first_of(now_us, before);
    id_new(made);
    id_first_of(clock_wall_us() + 60 * US_PER_S, after);
    CU_ASSERT_TRUE(strcmp(before, made) < 0);
    CU_ASSERT_TRUE(strcmp(made, after) < 0);
    CU_ASSERT_TRUE(id_is_valid(text_of(before)));
    CU_ASSERT_STRING_EQUAL(id_first_of(1645557742000000, made), "017f22e2-79b0-7000-8000-000000000000");
    CU_ASSERT_STRING_EQUAL(id_first_of(-1, made), "00000000-0000-7000-8000-000000000000");
}

static const struct suite_case cases[] = {
    {"the first id of a time lies between those made before and after", test_first_of_a_time},
    {"an id is a UUID of version 7", test_form},
    {"an id begins with the time in milliseconds", test_time},
    {"ids rise, also within a millisecond", test_rises},
    {"ids rise in each thread and no two threads share a tick", test_threads},
    {"only canonical lower-case UUIDs are valid", test_valid},
    {"a token is 43 characters of base64url, never twice the same", test_token},
    {"the digest is SHA-256", test_digest},
    {"random bytes fill the whole and are even", test_random_bytes},
    {"a random number stays below, and is even", test_random_below},
};

int main(void)
{
    return suite_main("id", cases, sizeof cases / sizeof cases[0]);
}
