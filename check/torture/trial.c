#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/torture/trial.h"

enum { FINAL_MS = 10000 };

const char *trial_text(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

unsigned trial_number(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value && *value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

const char *const trial_expiring[] = {
    "stock.reservation_ttl_s=1", "order.stuck_after_s=1", "payment.retry_first_ms=1500", "events.retry_first_ms=20",
    "auth.cache_ttl_s=1", "log.level=info", "log.repeat_burst=0", NULL,
};

const char *const *trial_settings(const char *const *usual)
{
    return trial_number("EXPIRE", 0) ? trial_expiring : usual;
}

uint64_t trial_seed(void)
{
    const char *given = trial_text("SEED", NULL);
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_us();
    printf("# SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

bool trial_fail(const char *format, ...)
{
    char said[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(said, sizeof said, format, values);
    va_end(values);
    CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_FALSE);
    return false;
}

bool trial_begin(struct trial *trial, const struct system_opts *opts, uint64_t seed)
{
    if (system_start(opts, &trial->system)) {
        trial->system = NULL;
        return trial_fail("%s", err_cause());
    }
    snprintf(trial->journal_path, sizeof trial->journal_path, "%s/journal", system_folder(trial->system));
    if (journal_open(trial->journal_path, &trial->journal))
        return trial_fail("%s", err_cause());
    struct customers_opts customers = {.system = trial->system, .journal = trial->journal, .count = TRIAL_CUSTOMERS,
                                       .seed = seed, .patience_ms = TRIAL_PATIENCE_MS,
                                       .methods = trial->gateway ? trial->gateway->methods : NULL};
    if (trial->gateway && !trial_gateway_show(trial->gateway, system_folder(trial->system)))
        return trial_fail("the gateway's ledger cannot be shown to the auditor");
    if (customers_start(&customers, &trial->customers))
        return trial_fail("%s", err_cause());
    trial->chance = chance_of(seed, TRIAL_CUSTOMERS);
    return true;
}

void trial_end(struct trial *trial)
{
    customers_stop(trial->customers);
    journal_close(trial->journal);
    if (system_stop(trial->system))
        trial_fail("%s", err_cause());
}

static bool are_idle(void *context)
{
    return customers_are_idle(context);
}

bool trial_run_out(struct trial *trial)
{
    const char *first;
    if (!process_until(are_idle, trial->customers, 2 * TRIAL_PATIENCE_MS))
        return trial_fail("the customers do not come to an end");
    if (customers_failed(trial->customers, &first) > 0)
        return trial_fail("%s", first);
    return true;
}

bool trial_audit_restored(struct trial *trial, unsigned mark, const char *what)
{
    audit_run(system_folder(trial->system), trial->journal_path, FINAL_MS, mark, &trial->report);
    if (trial->report.settled_ms > trial->slowest_ms)
        trial->slowest_ms = trial->report.settled_ms;
    if (trial->report.status == 0)
        return true;
    audit_print(&trial->report);
    return trial_fail("after %s the auditor ended with status %d", what, trial->report.status);
}

bool trial_audit(struct trial *trial, const char *what)
{
    return trial_audit_restored(trial, 0, what);
}
