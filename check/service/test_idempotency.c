/*
 * One idempotency key, given many times at once.
 *
 *     ROUNDS=N   keys, each of which a hundred requests have (make check: 20; make check-idempotency: 1000)
 *
 * WORKERS, of the compiler, is how many processes each service has.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/crowd.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { ROUNDS = 20, CROWD = 100, DELAY_MS = 1500, SHORT_MS = 300, PATH_SIZE = 300, TEXT_SIZE = 2048 };

static const char *const settings[] = {"log.level=warning", NULL};

/* ---- a hundred at once, one order ---- */

/* What of an answer has to be the same in all of a round. */
struct answer {
    char location[160], etag[32], type[64], body[TEXT_SIZE];
    int status;
    bool replayed;
};

struct round {
    const char *token;
    char sku[STEP_ID_SIZE], key[STEP_ID_SIZE];
    struct answer answers[CROWD];
};

static void make(unsigned number, struct crowd_request *request, void *context)
{
    const struct round *round = context;
    (void)number;
    request->method = "POST";
    request->token = round->token;
    snprintf(request->path, sizeof request->path, "/v1/orders");
    snprintf(request->key, sizeof request->key, "%s", round->key);
    snprintf(request->body, sizeof request->body, "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", round->sku);
}

static void keep_header(unsigned number, const char *name, const char *value, void *context)
{
    struct answer *answer = &((struct round *)context)->answers[number];
    if (strcasecmp(name, "Location") == 0)
        snprintf(answer->location, sizeof answer->location, "%s", value);
    else if (strcasecmp(name, "ETag") == 0)
        snprintf(answer->etag, sizeof answer->etag, "%s", value);
    else if (strcasecmp(name, "Content-Type") == 0)
        snprintf(answer->type, sizeof answer->type, "%s", value);
    else if (strcasecmp(name, "Idempotency-Replayed") == 0)
        answer->replayed = strcmp(value, "true") == 0;
}

static void keep_body(unsigned number, int status, const char *body, void *context)
{
    struct answer *answer = &((struct round *)context)->answers[number];
    answer->status = status;
    snprintf(answer->body, sizeof answer->body, "%s", body);
}

static bool is_same(const struct answer *left, const struct answer *right)
{
    return left->status == right->status && strcmp(left->location, right->location) == 0 &&
           strcmp(left->etag, right->etag) == 0 && strcmp(left->type, right->type) == 0 &&
           strcmp(left->body, right->body) == 0;
}

/* False when an answer differs, or not all but one are replays. */
static bool go_round(struct round *round)
{
    struct crowd crowd = {.url = system_url(variant_system()), .clients = CROWD, .requests = CROWD, .context = round,
                          .make = make, .answered = keep_body, .header = keep_header};
    const struct answer *first = &round->answers[0];
    unsigned replayed = 0;
    memset(round->answers, 0, sizeof round->answers);
    snprintf(round->key, sizeof round->key, "round-%u", step_number());
    CU_ASSERT_EQUAL(crowd_run(&crowd), 0);
    for (unsigned i = 0; i < CROWD; i++) {
        replayed += round->answers[i].replayed;
        if (!is_same(first, &round->answers[i])) {
            printf("# %d %s, and %d %s\n", first->status, first->body, round->answers[i].status,
                   round->answers[i].body);
            return false;
        }
    }
    return first->status == 201 && first->location[0] && first->etag[0] && replayed == CROWD - 1;
}

static int64_t orders_placed(void)
{
    static const char sample[] = "\ntandem_order_transitions_total{status=\"placed\"} ";
    struct http_answer *answer = http_get(variant_anonymous(), "/order/metrics");
    const char *found = strstr(answer->body, sample);
    return found ? strtoll(found + strlen(sample), NULL, 10) : 0;
}

static void test_one_order_a_round(void)
{
    static struct round round;
    const char *given = getenv("ROUNDS");
    unsigned rounds = given ? (unsigned)strtoul(given, NULL, 10) : ROUNDS, good = 0;
    round.token = system_customer(variant_system());
    step_item(rounds, round.sku);
    int64_t placed = orders_placed(), begun_ns = clock_now_ns();
    while (good < rounds && go_round(&round))
        good++;
    printf("# %s, %d processes: %u rounds of %d requests with one key, in %.1f s\n", variant_now()->name, WORKERS, good,
           CROWD, (double)(clock_now_ns() - begun_ns) / NS_PER_S);
    CU_ASSERT_EQUAL(good, rounds);
    CU_ASSERT_EQUAL(orders_placed() - placed, rounds);
    step_await_stock(round.sku, 0, 0);
}

/* ---- keys that will not do ---- */

static struct http_answer *order(struct http_client *client, const char *sku, const char *key)
{
    if (key)
        http_with(client, "Idempotency-Key: %s", key);
    return http_send(client, "POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", sku);
}

static void test_malformed(void)
{
    char sku[STEP_ID_SIZE], longest[256], too_long[257], quoted[260];
    struct http_client *client = variant_new_customer();
    step_item(2, sku);
    memset(longest, 'k', sizeof longest);
    memset(too_long, 'k', sizeof too_long);
    longest[255] = too_long[256] = '\0';
    snprintf(quoted, sizeof quoted, "\"%s\"", longest);
    EXPECT_PROBLEM(order(client, sku, NULL), 400, "idempotency-key-missing");
    EXPECT_PROBLEM(order(client, sku, "two words"), 400, "idempotency-key-malformed");
    EXPECT_PROBLEM(order(client, sku, "\"\""), 400, "idempotency-key-malformed");
    EXPECT_PROBLEM(order(client, sku, "k\xc3\xa4se"), 400, "idempotency-key-malformed");
    EXPECT_PROBLEM(order(client, sku, too_long), 400, "idempotency-key-malformed");
    http_with(client, "Idempotency-Key: one-of-two");
    EXPECT_PROBLEM(order(client, sku, "the-other"), 400, "idempotency-key-malformed");
    struct http_answer *bare = order(client, sku, longest), *again = order(client, sku, quoted);
    EXPECT_STATUS(bare, 201);
    EXPECT_STATUS(again, 201);
    CU_ASSERT_STRING_EQUAL(http_json_text(bare, "/id"), http_json_text(again, "/id"));
    CU_ASSERT_STRING_EQUAL(http_answer_header(again, "Idempotency-Replayed"), "true");
    CU_ASSERT_STRING_EQUAL(http_answer_header(bare, "Idempotency-Replayed"), "");
}

/* What failed was not stored: the same key has its effect once what was wrong is right. */
static void test_failure_is_not_stored(void)
{
    char sku[STEP_ID_SIZE], path[PATH_SIZE], key[STEP_ID_SIZE];
    struct http_client *admin = variant_admin();
    step_item(1, sku);
    snprintf(path, sizeof path, "/v1/items/%s/stock", sku);
    snprintf(key, sizeof key, "later-%u", step_number());
    http_with(admin, "Idempotency-Key: %s", key);
    EXPECT_PROBLEM(http_send(admin, "POST", path, "{\"delta\":-2,\"reason\":\"sold elsewhere\"}"), 409,
                   "insufficient-stock");
    http_with(admin, "Idempotency-Key: %s-delivery", key);
    EXPECT_STATUS(http_send(admin, "POST", path, "{\"delta\":1,\"reason\":\"delivery\"}"), 200);
    http_with(admin, "Idempotency-Key: %s", key);
    EXPECT_STATUS(http_send(admin, "POST", path, "{\"delta\":-2,\"reason\":\"sold elsewhere\"}"), 200);
    step_await_stock(sku, 0, 0);
}

/* ---- the first is still under way ---- */

/* Which faults inventory's processes have armed, by a file that they read while they run. */
static void arm(const char *plan)
{
    char path[PATH_SIZE], written[PATH_SIZE + 4];
    snprintf(path, sizeof path, "%s/conf.d/fault.conf", system_folder(variant_system()));
    snprintf(written, sizeof written, "%s~", path);
    FILE *file = fopen(written, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "service = { inventory = { fault = { points = \"%s\"; }; }; };\n", plan);
    CU_ASSERT_EQUAL(fclose(file), 0);
    CU_ASSERT_EQUAL(rename(written, path), 0);
}

static bool has_read(void *before)
{
    struct http_client *client = system_client(variant_system());
    struct http_answer *answer = http_get(client, "/inventory/version");
    bool has = answer->status == 200 && strcmp(http_json_text(answer, "/settings/digest"), before) != 0;
    http_client_free(client);
    return has;
}

static void arm_and_wait(const char *plan)
{
    char before[128];
    snprintf(before, sizeof before, "%s",
             http_json_text(http_get(variant_anonymous(), "/inventory/version"), "/settings/digest"));
    arm(plan);
    CU_ASSERT_TRUE_FATAL(process_until(has_read, before, 10000));
}

struct mover {
    char path[PATH_SIZE], key[STEP_ID_SIZE];
    int status;
    int64_t took_ns;
    char retry_after[16], type[64];
};

static void *move(void *context)
{
    struct mover *mover = context;
    struct http_client *client = system_client(variant_system());
    http_client_token(client, system_admin(variant_system()));
    http_get(client, "/v1/orders");   /* who is asking is known from here on */
    http_with(client, "Idempotency-Key: %s", mover->key);
    http_with(client, "X-Request-Timeout-Ms: %d", SHORT_MS);
    struct http_answer *answer = http_send(client, "POST", mover->path, "{\"delta\":1,\"reason\":\"delivery\"}");
    mover->status = answer->status;
    mover->took_ns = answer->took_ns;
    snprintf(mover->retry_after, sizeof mover->retry_after, "%s", http_answer_header(answer, "Retry-After"));
    snprintf(mover->type, sizeof mover->type, "%s", http_json_text(answer, "/type"));
    http_client_free(client);
    return NULL;
}

static void begin_moves(struct mover *movers, size_t count, const char *sku)
{
    char key[STEP_ID_SIZE];
    snprintf(key, sizeof key, "under-way-%u", step_number());
    for (size_t i = 0; i < count; i++) {
        movers[i] = (struct mover){.status = 0};
        snprintf(movers[i].path, sizeof movers[i].path, "/v1/items/%s/stock", sku);
        snprintf(movers[i].key, sizeof movers[i].key, "%s", key);
    }
}

/* Of two at once the one that comes first is slow at its end, and the other will not wait so long. */
static void test_under_way(void)
{
    char sku[STEP_ID_SIZE];
    struct mover movers[2];
    pthread_t threads[2];
    step_item(1, sku);
    arm_and_wait("after-commit-before-answer delay=1500");
    begin_moves(movers, 2, sku);
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, move, &movers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    const struct mover *first = &movers[movers[0].status != 200], *second = &movers[movers[0].status == 200];
    CU_ASSERT_EQUAL(first->status, 200);
    CU_ASSERT_EQUAL(second->status, 409);
    CU_ASSERT_STRING_EQUAL(second->type, "/problems/idempotency-key-under-way");
    CU_ASSERT_STRING_EQUAL(second->retry_after, "1");
    CU_ASSERT(first->took_ns >= DELAY_MS * NS_PER_MS);
    CU_ASSERT(second->took_ns >= SHORT_MS * NS_PER_MS);
    CU_ASSERT(second->took_ns < first->took_ns);
    arm_and_wait("");
    move(&movers[0]);
    CU_ASSERT_EQUAL(movers[0].status, 200);
    step_await_stock(sku, 2, 0);
}

/* One that can wait gets the answer of the first. */
static void test_waits(void)
{
    char sku[STEP_ID_SIZE];
    struct mover slow;
    pthread_t thread;
    struct http_client *client = variant_admin();
    step_item(1, sku);
    arm_and_wait("after-commit-before-answer delay=1500 count=1");
    begin_moves(&slow, 1, sku);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, move, &slow), 0);
    http_with(client, "Idempotency-Key: %s", slow.key);
    struct http_answer *answer = http_send(client, "POST", slow.path, "{\"delta\":1,\"reason\":\"delivery\"}");
    pthread_join(thread, NULL);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT(slow.status == 200 || slow.status == 409);   /* whoever came first */
    CU_ASSERT_EQUAL(http_json_integer(answer, "/stock/on_hand"), 2);
    arm_and_wait("");
    step_await_stock(sku, 2, 0);
}

static bool is_refusing(void *context)
{
    struct http_client *client = system_client(variant_system());
    bool is = http_get(client, "/inventory/version")->status == 503;
    (void)context;
    http_client_free(client);
    return is;
}

static struct http_answer *deliver(const struct mover *mover)
{
    struct http_client *client = variant_admin();
    http_with(client, "Idempotency-Key: %s", mover->key);
    return http_send(client, "POST", mover->path, "{\"delta\":1,\"reason\":\"delivery\"}");
}

static void expect_after_503(const struct mover *mover, const char *replayed)
{
    struct http_answer *answer = deliver(mover);
    EXPECT_STATUS(answer, 503);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Retry-After"), "1");
    arm_and_wait("");
    answer = deliver(mover);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Idempotency-Replayed"), replayed);
}

/* 503 may mean that nothing was done, or that all was: the same key finds out. */
static void test_after_503(void)
{
    char sku[STEP_ID_SIZE];
    struct mover mover;
    step_item(1, sku);
    begin_moves(&mover, 1, sku);
    arm("request error");
    CU_ASSERT_TRUE_FATAL(process_until(is_refusing, NULL, 10000));
    expect_after_503(&mover, "");
    begin_moves(&mover, 1, sku);
    arm_and_wait("after-commit-before-answer drop");
    expect_after_503(&mover, "true");
    step_await_stock(sku, 3, 0);
}

static void test_folder(void)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/conf.d", system_folder(variant_system()));
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
}

/* The last four are about one process: which of several has a request is not known. */
static const struct suite_case cases[] = {
    {"of a hundred posts with one key there is one order, and a hundred same answers", test_one_order_a_round},
    {"a key that is missing, malformed or too long is refused, quoted it is the same", test_malformed},
    {"what failed is not stored", test_failure_is_not_stored},
    {"faults can be armed", test_folder},
    {"who cannot wait for the first is told to come back", test_under_way},
    {"who can wait gets the answer of the first", test_waits},
    {"after a 503 the same key may be used again", test_after_503},
};
enum { CASES = sizeof cases / sizeof cases[0], CASES_OF_SEVERAL = 3 };

int main(void)
{
    return variants_main_supervised(WORKERS > 1 ? "idempotency_scaled" : "idempotency", cases,
                                    WORKERS > 1 ? CASES_OF_SEVERAL : CASES, settings, WORKERS);
}
