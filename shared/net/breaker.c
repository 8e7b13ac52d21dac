#include "config.h"

#include "base/clock.h"
#include "base/id.h"
#include "net/breaker.h"

void breaker_init(struct breaker *breaker, const struct breaker_opts *opts)
{
    *breaker = (struct breaker){.opts = *opts, .state = BREAKER_CLOSED};
    if (breaker->opts.probes_max == 0)
        breaker->opts.probes_max = 1;
    pthread_mutex_init(&breaker->lock, NULL);
}

void breaker_fini(struct breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
}

/* ---- with the lock ---- */

static void change(struct breaker *breaker, enum breaker_state state)
{
    breaker->state = state;
    breaker->failures = breaker->probes = 0;
    breaker->generation++;
}

/* At most as long as it may be, however often it was doubled. */
static unsigned open_ms_of(const struct breaker *breaker)
{
    unsigned open_ms = breaker->opts.open_ms, max_ms = breaker->opts.open_max_ms;
    for (unsigned i = 1; i < breaker->openings && open_ms < max_ms; i++)
        open_ms = open_ms > max_ms / 2 ? max_ms : open_ms * 2;
    return open_ms;
}

static void open_up(struct breaker *breaker, int64_t now_ns)
{
    breaker->openings++;
    unsigned open_ms = open_ms_of(breaker);
    change(breaker, BREAKER_OPEN);
    breaker->until_ns = now_ns + (open_ms + random_below(open_ms / 2 + 1)) * NS_PER_MS;
}

static void fail(struct breaker *breaker, int64_t now_ns)
{
    unsigned max = breaker->opts.failures_max;
    breaker->failures++;
    if (breaker->state == BREAKER_HALF_OPEN || (max && breaker->failures >= max))
        open_up(breaker, now_ns);
}

static void succeed(struct breaker *breaker)
{
    breaker->failures = 0;
    if (breaker->state == BREAKER_HALF_OPEN) {
        change(breaker, BREAKER_CLOSED);
        breaker->openings = 0;
    }
}

/* ---- from outside ---- */

bool breaker_admit(struct breaker *breaker, int64_t now_ns, struct breaker_pass *ret)
{
    pthread_mutex_lock(&breaker->lock);
    if (breaker->state == BREAKER_OPEN && now_ns >= breaker->until_ns)
        change(breaker, BREAKER_HALF_OPEN);
    bool is_probe = breaker->state == BREAKER_HALF_OPEN;
    bool admitted = breaker->state == BREAKER_CLOSED || (is_probe && breaker->probes < breaker->opts.probes_max);
    breaker->probes += admitted && is_probe;
    *ret = (struct breaker_pass){breaker->generation};
    pthread_mutex_unlock(&breaker->lock);
    return admitted;
}

void breaker_report(struct breaker *breaker, struct breaker_pass pass, enum breaker_outcome outcome, int64_t now_ns)
{
    pthread_mutex_lock(&breaker->lock);
    if (pass.generation == breaker->generation) {
        if (breaker->state == BREAKER_HALF_OPEN)
            breaker->probes--;
        if (outcome == BREAKER_FAILURE)
            fail(breaker, now_ns);
        else if (outcome == BREAKER_SUCCESS)
            succeed(breaker);
    }
    pthread_mutex_unlock(&breaker->lock);
}

int64_t breaker_wait_ns(struct breaker *breaker, int64_t now_ns)
{
    int64_t wait_ns = 0;
    pthread_mutex_lock(&breaker->lock);
    if (breaker->state == BREAKER_OPEN && now_ns < breaker->until_ns)
        wait_ns = breaker->until_ns - now_ns;
    else if (breaker->state == BREAKER_HALF_OPEN && breaker->probes >= breaker->opts.probes_max)
        wait_ns = breaker->opts.open_ms * NS_PER_MS;   /* as long as it takes should that probe fail */
    pthread_mutex_unlock(&breaker->lock);
    return wait_ns;
}

enum breaker_state breaker_state(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    enum breaker_state state = breaker->state;
    pthread_mutex_unlock(&breaker->lock);
    return state;
}

unsigned breaker_failures(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    unsigned failures = breaker->failures;
    pthread_mutex_unlock(&breaker->lock);
    return failures;
}
