/*
 * The user service goes away in the middle of everything: who is known goes on ordering, who is not is told to come
 * back, nothing piles up, and all is well soon after it has returned. AWAY_S=60 in the environment (make check-away)
 * for longer.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

/* KNOWN_MAX_MS is a bound for a machine that does other things as well; the figures that count are printed. */
enum { AWAY_S = 3, AWAY_MAX_S = 86400, CUSTOMERS = 8, RETURN_MS = 2000, KNOWN_MAX_MS = 2500, STRANGERS = 4 };

static const char *const settings[] = {"log.level=warning", "auth.cache_ttl_s=1", NULL};

static unsigned away_s(void)
{
    const char *given = getenv("AWAY_S");
    unsigned long number = given ? strtoul(given, NULL, 10) : 0;
    return number == 0 ? AWAY_S : number > AWAY_MAX_S ? AWAY_MAX_S : (unsigned)number;
}

struct outage {
    char sku[STEP_ID_SIZE];
    struct http_client *known[CUSTOMERS], *strangers[STRANGERS];
    unsigned orders, refused;
    int64_t worst_order_ns, worst_refusal_ns;
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Those whose token order knows, and one whose token it has never seen. */
static void begin(struct outage *outage)
{
    step_item(1000000, outage->sku);
    for (int i = 0; i < CUSTOMERS; i++) {
        outage->known[i] = variant_new_customer();
        EXPECT_STATUS(step_order(outage->known[i], outage->sku, 1, NULL), 201);
    }
    for (int i = 0; i < STRANGERS; i++)
        outage->strangers[i] = variant_new_customer();
}

static void ask_both(struct outage *outage, unsigned number)
{
    struct http_answer *order = step_order(outage->known[number % CUSTOMERS], outage->sku, 1, NULL);
    EXPECT_STATUS(order, 201);
    outage->worst_order_ns = larger(outage->worst_order_ns, order->took_ns);
    outage->orders++;
    struct http_answer *refusal = http_get(outage->strangers[number % STRANGERS], "/v1/orders");
    EXPECT_PROBLEM(refusal, 503, "unavailable");
    int64_t wait_s;
    CU_ASSERT(text_to_int(text_of(http_answer_header(refusal, "Retry-After")), &wait_s) == ERR_NONE && wait_s >= 1);
    outage->worst_refusal_ns = larger(outage->worst_refusal_ns, refusal->took_ns);
    outage->refused++;
}

/* A metric without labels, or with just these. */
static long metric(const char *name)
{
    const char *line = http_get(variant_anonymous(), "/order/metrics")->body;
    size_t length = strlen(name);
    for (; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtol(line + length, NULL, 10);
        if (!*line)
            break;
    }
    return -1;
}

/* Nothing waits, and but for who asks nobody is there; the latest answer leaves a moment before its request is over. */
static bool is_quiet(void *context)
{
    (void)context;
    return metric("tandem_pool_queued") == 0 && metric("http_requests_in_flight") == 1;
}

static bool all_is_well(void *context)
{
    struct outage *outage = context;
    for (int i = 0; i < STRANGERS; i++)
        if (http_get(outage->strangers[i], "/v1/orders")->status != 200)
            return false;
    return true;
}

static bool user_answers(void *context)
{
    return http_get(context, "/user/ping")->status == 200;
}

static void test_away(void)
{
    struct outage outage = {.orders = 0};
    struct http_client *client = variant_anonymous();
    begin(&outage);
    CU_ASSERT_EQUAL(system_service_down(variant_system(), SYSTEM_USER), ERR_NONE);
    int64_t until_ns = clock_now_ns() + away_s() * NS_PER_S;
    for (unsigned number = 0; clock_now_ns() < until_ns; number++)
        ask_both(&outage, number);
    CU_ASSERT(process_until(is_quiet, NULL, RETURN_MS));
    CU_ASSERT(metric("tandem_breaker_state{target=\"user\"}") > 0);
    CU_ASSERT_EQUAL(system_service_up(variant_system(), SYSTEM_USER), ERR_NONE);
    CU_ASSERT(process_until(user_answers, client, RETURN_MS));
    int64_t back_ns = clock_now_ns();
    CU_ASSERT(process_until(all_is_well, &outage, RETURN_MS));
    int64_t took_ns = clock_now_ns() - back_ns;
    EXPECT_STATUS(step_order(outage.strangers[0], outage.sku, 1, NULL), 201);
    CU_ASSERT_EQUAL(metric("tandem_breaker_state{target=\"user\"}"), 0);
    printf("# %s: away for %u s: %u orders, the slowest %.0f ms; %u refused, the slowest %.0f ms; well after %.0f ms\n",
           variant_now()->name, away_s(), outage.orders, (double)outage.worst_order_ns / NS_PER_MS, outage.refused,
           (double)outage.worst_refusal_ns / NS_PER_MS, (double)took_ns / NS_PER_MS);
    CU_ASSERT(outage.orders > 10);
    CU_ASSERT(outage.worst_order_ns < KNOWN_MAX_MS * NS_PER_MS || system_is_slow());
    CU_ASSERT(outage.worst_refusal_ns < KNOWN_MAX_MS * NS_PER_MS || system_is_slow());
}

static const struct suite_case cases[] = {
    {"known tokens go on ordering, unknown ones come back later, and all is well after", test_away},
};

int main(void)
{
    return variants_main("user_away", cases, sizeof cases / sizeof cases[0], settings);
}
