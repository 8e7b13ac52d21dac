/*
 * Whatever the order in which they come: events, repeats, cancellations, expiries, answers of the gateway, crashes.
 *
 *     SAGA_MORE=N   each that may happen at all may happen N times more (make check: 0; 1 takes minutes)
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/saga.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

/* Repeats, cancellations, expiries, nudges, unknowns, takeovers, discards, healings. */
static const struct saga_opts sound[] = {
    {"an order", 1, 2, 5, {2, 1, 1, 1, 2, 1, 0, 0}, SAGA_NO_FAULT, false},
    {"an order that is short of stock", 1, 9, 5, {2, 2, 1, 2, 1, 0, 0, 0}, SAGA_NO_FAULT, false},
    {"two orders for the last piece", 2, 1, 1, {1, 1, 1, 0, 1, 0, 0, 0}, SAGA_NO_FAULT, false},
    {"an order of which an event is discarded", 1, 2, 5, {1, 1, 1, 0, 1, 1, 1, 4}, SAGA_NO_FAULT, false},
};

static const struct {
    struct saga_opts opts;
    const char *found;
} planted[] = {
    {{"a charge that lost the race is not given back", 1, 2, 5, {0, 1, 0, 0, 1, 0, 0, 0}, SAGA_NO_REFUND, false},
     "is charged, not paid, and not refunded"},
    {{"the same, where the reservation expires", 1, 2, 5, {0, 0, 1, 0, 1, 0, 0, 0}, SAGA_NO_REFUND, false},
     "is charged, not paid, and not refunded"},
    {{"an expiry cancels what is paid", 1, 2, 5, {0, 0, 1, 0, 0, 0, 0, 0}, SAGA_EXPIRY_CANCELS_PAID, false},
     "is sold, and it is not paid"},
    {{"a declined payment is ignored", 1, 2, 5, {0, 0, 0, 0, 0, 0, 0, 0}, SAGA_DECLINED_IS_IGNORED, false},
     "is open"},
    {{"an approval revives what is cancelled", 1, 2, 5, {0, 1, 0, 0, 1, 0, 0, 0}, SAGA_APPROVAL_REVIVES, false},
     "its stock"},
    {{"an expiry is not answered by what was cancelled", 1, 2, 5, {0, 1, 0, 0, 0, 0, 1, 4},
      SAGA_EXPIRY_IS_NOT_ANSWERED, false},
     "has stock held"},
    {{"inventory decides by itself", 1, 2, 5, {0, 0, 1, 0, 0, 0, 0, 0}, SAGA_NO_FAULT, true},
     "is paid, and its stock is given back"},
};

static unsigned more(void)
{
    const char *given = getenv("SAGA_MORE");
    return given ? (unsigned)strtoul(given, NULL, 10) : 0;
}

static void explore(const struct saga_opts *opts, struct saga_report *ret)
{
    int64_t begun_ns = clock_now_ns();
    CU_ASSERT_EQUAL_FATAL(metric_open("order", NULL), ERR_NONE);
    saga_explore(opts, ret);
    metric_close();
    printf("# %s: %" PRIu64 " interleavings, %" PRIu64 " states, %" PRIu64 " steps in %.1f s\n", opts->name,
           ret->interleavings, ret->states, ret->steps, (double)(clock_now_ns() - begun_ns) / NS_PER_S);
    fflush(stdout);
}

static void test_all_ways(void)
{
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++) {
        struct saga_opts opts = sound[i];
        struct saga_report report;
        for (size_t j = 0; j < SAGA_BUDGETS; j++)
            opts.budget[j] = (uint8_t)(opts.budget[j] + (opts.budget[j] > 0 ? more() : 0));
        explore(&opts, &report);
        if (report.violation[0])
            printf("# %s\n", report.violation);
        CU_ASSERT_STRING_EQUAL(report.violation, "");
        CU_ASSERT(report.interleavings > 1000);
    }
}

static void test_planted_faults(void)
{
    for (size_t i = 0; i < sizeof planted / sizeof planted[0]; i++) {
        struct saga_report report;
        explore(&planted[i].opts, &report);
        printf("#   found: %s\n", report.violation);
        CU_ASSERT_PTR_NOT_NULL(strstr(report.violation, planted[i].found));
    }
}

static const struct suite_case cases[] = {
    {"whatever comes in whatever order, all ends final, charged once at most, and with its stock", test_all_ways},
    {"a rule that is left out or wrong is found", test_planted_faults},
};

int main(void)
{
    return suite_main("saga", cases, sizeof cases / sizeof cases[0]);
}
