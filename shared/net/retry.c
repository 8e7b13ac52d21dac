#include "config.h"

#include "base/clock.h"
#include "base/id.h"
#include "net/retry.h"

#define ONE_RETRY INT64_C(1000000000)

void retry_budget_init(struct retry_budget *budget, const struct retry_budget_opts *opts, int64_t now_ns)
{
    unsigned burst = opts->per_s > RETRY_BURST ? opts->per_s : RETRY_BURST;
    *budget = (struct retry_budget){.opts = *opts, .at_ns = now_ns};
    budget->saved = budget->saved_max = opts->percent || opts->per_s ? burst * ONE_RETRY : 0;
    pthread_mutex_init(&budget->lock, NULL);
}

void retry_budget_fini(struct retry_budget *budget)
{
    pthread_mutex_destroy(&budget->lock);
}

/* With the lock. A nanosecond pays in per_s billionths; what would overflow is more than can be saved. */
static void pass_time(struct retry_budget *budget, int64_t now_ns)
{
    int64_t passed_ns = now_ns - budget->at_ns;
    if (passed_ns <= 0)
        return;
    if (passed_ns > RETRY_BURST * NS_PER_S)
        passed_ns = RETRY_BURST * NS_PER_S;
    budget->at_ns = now_ns;
    budget->saved += passed_ns * budget->opts.per_s;
    if (budget->saved > budget->saved_max)
        budget->saved = budget->saved_max;
}

void retry_budget_pay_in(struct retry_budget *budget, int64_t now_ns)
{
    pthread_mutex_lock(&budget->lock);
    pass_time(budget, now_ns);
    budget->saved += budget->opts.percent * (ONE_RETRY / 100);
    if (budget->saved > budget->saved_max)
        budget->saved = budget->saved_max;
    pthread_mutex_unlock(&budget->lock);
}

bool retry_budget_take(struct retry_budget *budget, int64_t now_ns)
{
    pthread_mutex_lock(&budget->lock);
    pass_time(budget, now_ns);
    bool is_there = budget->saved >= ONE_RETRY;
    if (is_there)
        budget->saved -= ONE_RETRY;
    pthread_mutex_unlock(&budget->lock);
    return is_there;
}

unsigned retry_pause_ms(unsigned failed, unsigned first_ms, unsigned max_ms)
{
    unsigned ceiling_ms = first_ms < max_ms ? first_ms : max_ms;
    for (unsigned i = 1; i < failed && ceiling_ms < max_ms; i++)
        ceiling_ms = ceiling_ms > max_ms / 2 ? max_ms : 2 * ceiling_ms;
    return random_below(ceiling_ms + 1);
}
