#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/rabbitmq.h"
#include "check/harness/suite.h"
#include "check/torture/trial.h"

/* A broker that was killed takes its time to be there again. */
enum { FINAL_MS = 10000, FINAL_BROKER_MS = 30000, PATH_SIZE = 512, SETTINGS_MAX = 32 };

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

static bool is_asked_for(const char *engine)
{
    const char *found = strstr(trial_text("ENGINES", ""), engine);
    return found && (found[strlen(engine)] == ',' || found[strlen(engine)] == '\0');
}

void trial_engines(struct system_opts *opts)
{
    opts->postgresql = is_asked_for("postgresql");
    opts->rabbitmq = is_asked_for("rabbitmq") ? trial_number("NODES", 1) : 0;
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

/* The settings, and that what goes through a broker is kept for the witness as well. */
static const char *const *with_witness(const char *const *settings)
{
    static const char *all[SETTINGS_MAX];
    size_t count = 0;
    while (settings && settings[count] && count < SETTINGS_MAX - 2) {
        all[count] = settings[count];
        count++;
    }
    all[count] = "bus.groups=order, inventory, " WITNESS_GROUP;
    all[count + 1] = NULL;
    return all;
}

static enum err start_witness(struct trial *trial)
{
    char url[PATH_SIZE] = "", password_file[PATH_SIZE], path[PATH_SIZE];
    size_t length = (size_t)snprintf(url, sizeof url, "amqp://guest@");
    for (unsigned i = 0; i < trial->opts.rabbitmq; i++)
        length += (size_t)snprintf(url + length, sizeof url - length, "%s127.0.0.1:%u", i ? "," : "", rabbitmq_port(i));
    snprintf(url + length, sizeof url - length, "/");
    snprintf(password_file, sizeof password_file, "%s/broker.password", system_folder(trial->system));
    snprintf(path, sizeof path, "%s/bus.db", system_folder(trial->system));
    return witness_start(url, password_file, path, &trial->witness);
}

bool trial_begin(struct trial *trial, const struct system_opts *opts, uint64_t seed)
{
    trial->opts = *opts;
    if (opts->rabbitmq)
        trial->opts.settings = with_witness(opts->settings);
    if (system_start(&trial->opts, &trial->system)) {
        trial->system = NULL;
        return trial_fail("%s", err_cause());
    }
    if (opts->rabbitmq && start_witness(trial))
        return trial_fail("%s", err_cause());
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
    witness_stop(trial->witness);
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

/* What a broker still holds is seen nowhere until it arrives: what is broken then may come to hold. */
static void audit_until(const struct audit_subject *subject, unsigned wait_ms, unsigned mark,
                        struct audit_report *report)
{
    int64_t until_ns = clock_now_ns() + wait_ms * NS_PER_MS;
    do {
        audit_run(subject, wait_ms, mark, report);
    } while (wait_ms > FINAL_MS && report->status == 1 && clock_now_ns() < until_ns);
}

bool trial_audit_restored(struct trial *trial, unsigned mark, const char *what)
{
    char conninfo[PATH_SIZE];
    const struct postgres *postgres = system_postgres(trial->system);
    struct audit_subject subject = {.folder = system_folder(trial->system), .journal = trial->journal_path,
                                    .postgresql = postgres ? conninfo : NULL};
    if (postgres)
        snprintf(conninfo, sizeof conninfo, "host=%s user=tandem", postgres_folder(postgres));
    audit_until(&subject, trial->opts.rabbitmq ? FINAL_BROKER_MS : FINAL_MS, mark, &trial->report);
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
