/* Calls to a user service that answers slowly, wrongly, or not at all; it is played by this program. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "check/harness/fake_service.h"
#include "check/harness/process.h"
#include "check/service/crowd.h"
#include "check/service/variants.h"

enum {
    TIMEOUT_MS = 1000, OPEN_MS = 300, FAILURES = 5, SLOW_MS = 300, CROWD = 64, REPEATS = 20, FAULT_MS = 1500,
    RETURN_MS = 2000, SOURCE_TRIES = 5, TOKEN_TEXT = 64,
    HASHES_WAITING = 2,
};

#define USER_ID "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"

enum mode { WELL, SLOW, BROKEN, CUT, HANG, GARBAGE, INCOMPLETE };

static struct {
    atomic_int mode;
    atomic_uint questions;
    atomic_long left_ms;              /* what the latest question said of its caller's time; -1: nothing */
} user = {.left_ms = -1};

/* ---- the user service ---- */

static long deadline_of(const char *request)
{
    const char *field = strstr(request, "\r\nX-Request-Timeout-Ms: ");
    return field ? strtol(field + strlen("\r\nX-Request-Timeout-Ms: "), NULL, 10) : -1;
}

static enum fake_end answer(const char *request, struct buf *out, void *context)
{
    static const char known[] = "{\"active\":true,\"user_id\":\"" USER_ID "\",\"role\":\"customer\","
                                "\"expires_at\":\"2099-01-01T00:00:00Z\"}";
    (void)context;
    if (!strstr(request, "/v1/sessions/introspect")) {
        fake_service_say(out, 200, "", "pong\n");
        return FAKE_KEEP;
    }
    atomic_fetch_add(&user.questions, 1);
    atomic_store(&user.left_ms, deadline_of(request));
    const char *body = strstr(request, "\"good-") ? known : "{\"active\":false}";
    switch (atomic_load(&user.mode)) {
    case SLOW:
        poll(NULL, 0, SLOW_MS);
        break;
    case BROKEN:
        fake_service_say(out, 500, "", "{}");
        return FAKE_KEEP;
    case CUT:
        return FAKE_CLOSE;
    case HANG:
        return FAKE_HANG;
    case GARBAGE:
        body = "<html>good morning</html>";
        break;
    case INCOMPLETE:
        body = "{\"active\":true}";
        break;
    }
    fake_service_say(out, 200, "", body);
    return FAKE_KEEP;
}

/* ---- asking order ---- */

static void new_token(const char *kind, char out[static TOKEN_TEXT])
{
    static unsigned count;
    snprintf(out, TOKEN_TEXT, "%s-%u", kind, ++count);
}

static struct http_answer *orders(struct http_client *client, const char *token)
{
    http_client_token(client, token);
    return http_get(client, "/v1/orders");
}

static bool is_well(void *context)
{
    char token[TOKEN_TEXT];
    new_token("good", token);
    return orders(context, token)->status == 200;
}

/* The breaker may still be open from before. */
static void make_well(void)
{
    atomic_store(&user.mode, WELL);
    CU_ASSERT(process_until(is_well, variant_anonymous(), RETURN_MS));
    atomic_store(&user.questions, 0);
}

/* ---- one question ---- */

struct counted {
    const char *token;
    unsigned good;
};

static void make_request(unsigned number, struct crowd_request *request, void *context)
{
    const struct counted *counted = context;
    (void)number;
    request->token = counted->token;
    snprintf(request->path, sizeof request->path, "/v1/orders");
}

static void answered(unsigned number, int status, const char *body, void *context)
{
    struct counted *counted = context;
    (void)number;
    (void)body;
    counted->good += status == 200;
}

static void test_one_question(void)
{
    char token[TOKEN_TEXT];
    struct counted counted = {.token = token};
    struct crowd crowd = {.url = system_url(variant_system()), .clients = CROWD, .requests = CROWD,
                          .context = &counted, .make = make_request, .answered = answered};
    make_well();
    atomic_store(&user.mode, SLOW);
    new_token("good", token);
    CU_ASSERT_EQUAL(crowd_run(&crowd), 0);
    CU_ASSERT_EQUAL(counted.good, CROWD);
    CU_ASSERT_EQUAL(user.questions, 1);
}

static void test_made_up(void)
{
    char token[TOKEN_TEXT];
    struct http_client *client = variant_anonymous();
    make_well();
    new_token("made-up", token);
    for (int i = 0; i < REPEATS; i++)
        EXPECT_PROBLEM(orders(client, token), 401, "unauthenticated");
    CU_ASSERT_EQUAL(user.questions, 1);
}

/* ---- faults ---- */

static int64_t retry_after(const struct http_answer *answer)
{
    int64_t wait_s = -1;
    CU_ASSERT_EQUAL(text_to_int(text_of(http_answer_header(answer, "Retry-After")), &wait_s), ERR_NONE);
    return wait_s;
}

static void expect_unavailable(struct http_answer *answer)
{
    EXPECT_PROBLEM(answer, 503, "unavailable");
    CU_ASSERT(retry_after(answer) >= 1);
}

/* For longer than auth.cache_ttl_s, so that what is known has to be asked for again, in vain. */
static void test_fault(enum mode mode)
{
    char known[TOKEN_TEXT], token[TOKEN_TEXT];
    struct http_client *client = variant_anonymous();
    unsigned requests = 0;
    make_well();
    new_token("good", known);
    EXPECT_STATUS(orders(client, known), 200);
    atomic_store(&user.mode, mode);
    atomic_store(&user.questions, 0);
    int64_t begun_ns = clock_now_ns();
    for (; clock_now_ns() - begun_ns < FAULT_MS * NS_PER_MS || user.questions == 0; requests += 2) {
        EXPECT_STATUS(orders(client, known), 200);
        new_token("good", token);
        expect_unavailable(orders(client, token));
    }
    double took_s = (double)(clock_now_ns() - begun_ns) / NS_PER_S;
    printf("# %s: %u requests in %.1f s had %u questions asked\n", variant_now()->name, requests, took_s,
           user.questions);
    /* Until it opens each is asked, and asked again; then it is probed after each OPEN_MS. */
    CU_ASSERT(user.questions <= 3 * FAILURES + (unsigned)(took_s * 1000 / OPEN_MS) + 3);
    atomic_store(&user.mode, WELL);
    int64_t back_ns = clock_now_ns();
    CU_ASSERT(process_until(is_well, client, RETURN_MS));
    printf("# well again after %.0f ms\n", (double)(clock_now_ns() - back_ns) / NS_PER_MS);
    EXPECT_STATUS(orders(client, known), 200);
}

static void test_broken(void) { test_fault(BROKEN); }
static void test_cut(void) { test_fault(CUT); }
static void test_hang(void) { test_fault(HANG); }
static void test_garbage(void) { test_fault(GARBAGE); }
static void test_incomplete(void) { test_fault(INCOMPLETE); }

/* ---- deadlines ---- */

struct asking {
    char token[TOKEN_TEXT];
    int status;
    unsigned timeout_ms;              /* 0: says nothing of it */
    pthread_t thread;
};

static void *ask(void *context)
{
    struct asking *asking = context;
    struct http_client *client = system_client(variant_system());
    if (asking->timeout_ms)
        http_with(client, "X-Request-Timeout-Ms: %u", asking->timeout_ms);
    asking->status = orders(client, asking->token)->status;
    http_client_free(client);
    return NULL;
}

static bool is_asked(void *context)
{
    (void)context;
    return user.questions > 0;
}

static void start_asking(struct asking *asking, unsigned timeout_ms)
{
    new_token("good", asking->token);
    asking->timeout_ms = timeout_ms;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&asking->thread, NULL, ask, asking), 0);
    CU_ASSERT(process_until(is_asked, NULL, RETURN_MS));
}

static void test_deadline(void)
{
    char token[TOKEN_TEXT];
    struct http_client *client = variant_anonymous();
    make_well();
    atomic_store(&user.mode, HANG);
    new_token("good", token);
    http_with(client, "X-Request-Timeout-Ms: 250");
    struct http_answer *given_up = orders(client, token);
    EXPECT_PROBLEM(given_up, 504, "deadline");
    CU_ASSERT(given_up->took_ns >= 200 * NS_PER_MS && given_up->took_ns < 750 * NS_PER_MS);
    CU_ASSERT(user.left_ms > 0 && user.left_ms <= 250);
    http_with(client, "X-Request-Timeout-Ms: 0");
    EXPECT_PROBLEM(http_get(client, "/order/ping"), 504, "deadline");
    http_with(client, "X-Request-Timeout-Ms: soon");   /* says nothing */
    EXPECT_STATUS(http_get(client, "/order/ping"), 200);
}

/* Who asked first has less time than who joined. */
static void test_leader_gives_up(void)
{
    struct asking leader;
    make_well();
    atomic_store(&user.mode, SLOW);
    start_asking(&leader, SLOW_MS / 3);
    EXPECT_STATUS(orders(variant_anonymous(), leader.token), 200);
    pthread_join(leader.thread, NULL);
    CU_ASSERT_EQUAL(leader.status, 504);
    CU_ASSERT_EQUAL(user.questions, 2);
}

/* Who joined has less time than who asked. */
static void test_guest_gives_up(void)
{
    struct asking leader;
    struct http_client *client = variant_anonymous();
    make_well();
    atomic_store(&user.mode, HANG);
    start_asking(&leader, 0);
    http_with(client, "X-Request-Timeout-Ms: 200");
    struct http_answer *guest = orders(client, leader.token);
    EXPECT_PROBLEM(guest, 504, "deadline");
    CU_ASSERT(guest->took_ns < 700 * NS_PER_MS);
    pthread_join(leader.thread, NULL);
    CU_ASSERT_EQUAL(leader.status, 503);
    CU_ASSERT_EQUAL(user.questions, 1);
}

/* ---- the real user service: more to hash than it has workers for ---- */

struct registrations {
    unsigned made, refused, other;
};

static void make_registration(unsigned number, struct crowd_request *request, void *context)
{
    static unsigned count;
    (void)number;
    (void)context;
    request->method = "POST";
    snprintf(request->path, sizeof request->path, "/v1/users");
    snprintf(request->key, sizeof request->key, "crowd-%u", count + 1);
    snprintf(request->body, sizeof request->body, "{\"email\":\"crowd-%u@example.org\",\"name\":\"One of many\","
             "\"password\":\"a good password\"}", ++count);
}

static void registered(unsigned number, int status, const char *body, void *context)
{
    struct registrations *registrations = context;
    (void)number;
    (void)body;
    if (status == 201)
        registrations->made++;
    else if (status == 503)
        registrations->refused++;
    else
        registrations->other++;
}

static void test_hashing(void)
{
    struct registrations registrations = {.made = 0};
    struct crowd crowd = {.url = system_url(variant_system()), .clients = CROWD, .requests = CROWD,
                          .context = &registrations, .make = make_registration, .answered = registered};
    CU_ASSERT_EQUAL(crowd_run(&crowd), 0);
    printf("# %s: of %d registrations at once %u were made and %u told to come back\n", variant_now()->name, CROWD,
           registrations.made, registrations.refused);
    CU_ASSERT(registrations.made >= HASHES_WAITING);
    CU_ASSERT(registrations.refused > 0);
    CU_ASSERT_EQUAL(registrations.other, 0);
}

/* ---- signing in there: the last case, since nobody can for a while after ---- */

static void test_source_limit(void)
{
    struct http_client *client = variant_anonymous();
    struct http_answer *tried = NULL;
    for (int i = 0; i <= SOURCE_TRIES; i++) {
        tried = http_send(client, "POST", "/v1/sessions",
                          "{\"email\":\"nobody-%d@example.org\",\"password\":\"x\"}", i);
        if (i < SOURCE_TRIES)
            EXPECT_PROBLEM(tried, 401, "sign-in-failed");
    }
    EXPECT_PROBLEM(tried, 429, "too-many-attempts");
    int64_t wait_s = retry_after(tried);
    CU_ASSERT(wait_s >= 1 && wait_s <= 60 / SOURCE_TRIES);
}

static const struct suite_case cases[] = {
    {"a crowd with one new token has it asked about once", test_one_question},
    {"a made-up token is asked about once", test_made_up},
    {"an answer of 500 keeps known tokens working, and others get 503", test_broken},
    {"a cut-off answer does so too", test_cut},
    {"no answer does so too", test_hang},
    {"an answer that is no JSON does so too", test_garbage},
    {"an answer that does not say whose the token is does so too", test_incomplete},
    {"a caller's deadline is taken over and passed on", test_deadline},
    {"who asked first and gives up fails nobody else", test_leader_gives_up},
    {"who waits for another's answer gives up at its own deadline", test_guest_gives_up},
    {"so many hashes are made at once and so many wait; more come back later", test_hashing},
    {"one address may try to sign in so often", test_source_limit},
};

int main(void)
{
    char url[128], timeout[64], open[64], source[64], waiting[64];
    struct fake_service *fake = fake_service_start(answer, NULL);
    snprintf(url, sizeof url, "user.url=%s", fake_service_url(fake));
    snprintf(timeout, sizeof timeout, "user.timeout_ms=%d", TIMEOUT_MS);
    snprintf(open, sizeof open, "client.breaker_open_ms=%d", OPEN_MS);
    snprintf(source, sizeof source, "session.source_attempts_per_minute=%d", SOURCE_TRIES);
    snprintf(waiting, sizeof waiting, "password.queue_max=%d", HASHES_WAITING);
    const char *const settings[] = {url, timeout, open, source, "auth.cache_ttl_s=1", "log.level=warning",
                                    "password.concurrency=1", waiting, "password.memory_kib=8192", NULL};
    int status = variants_main("user_faults", cases, sizeof cases / sizeof cases[0], settings);
    fake_service_stop(fake);
    return status;
}
