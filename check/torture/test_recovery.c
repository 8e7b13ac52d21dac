/*
 * Recovery: a backup that was taken under load restores to a consistent system, and a disk that is full costs nothing
 * but changes meanwhile. The auditor says so.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/torture/trial.h"

enum {
    BACKUPS = 3, STEPS = 80, MORE_STEPS = 60,
    REFUSED = 30,                /* answers that say that there is no room */
    FULL_BYTES = 32768,          /* no file may grow past this */
    PATH_SIZE = 300, PATIENCE_MS = 60000,
};

static const char *const settings[] = {"payment.retry_first_ms=30", "events.retry_first_ms=20", "log.level=warning",
                                       NULL};

static struct trial trial;

static bool begin(void)
{
    struct system_opts opts = {.front = "nginx", .transport = "native", .settings = settings};
    trial = (struct trial){.system = NULL};
    return trial_begin(&trial, &opts, trial_seed());
}

/* ---- backup ---- */

static const char *path_in(const char *name, unsigned number)
{
    static char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s-%u", system_folder(trial.system), name, number);
    return path;
}

static bool run_db(const char *command, const char *option, const char *folder, const char *more)
{
    const char *build = trial_text("TANDEM_BUILDDIR", ".");
    char program[PATH_SIZE], config[PATH_SIZE], log[PATH_SIZE];
    snprintf(program, sizeof program, "%s/tandemctl", build);
    snprintf(config, sizeof config, "%s/tandem.conf", system_folder(trial.system));
    snprintf(log, sizeof log, "%s/log/ctl.log", system_folder(trial.system));
    const char *const argv[] = {program, "db", command, "--config", config, option, folder, more, NULL};
    return process_run(argv, log) == ERR_NONE;
}

struct progress {
    unsigned done;
};

static bool has_come(void *context)
{
    const struct progress *progress = context;
    return customers_done(trial.customers) >= progress->done;
}

/* Begun when so much was done, so that there are some at different times; the customers go on meanwhile. */
static bool back_up_under_load(void)
{
    customers_begin(trial.customers, STEPS);
    for (unsigned i = 1; i <= BACKUPS; i++) {
        struct progress progress = {TRIAL_CUSTOMERS * STEPS * i / (2 * BACKUPS)};
        if (!process_until(has_come, &progress, PATIENCE_MS))
            return trial_fail("the customers do not get on");
        journal_mark(trial.journal);
        CU_ASSERT_FALSE(customers_are_idle(trial.customers));
        if (!run_db("backup", "--to", path_in("backup", i), NULL))
            return trial_fail("%s", err_cause());
    }
    return trial_run_out(&trial) && trial_audit(&trial, "backups");
}

static bool restore_and_audit(unsigned number)
{
    char what[32];
    snprintf(what, sizeof what, "restoring backup %u", number);
    for (int i = SYSTEM_SERVICES - 1; i >= 0; i--)
        if (system_service_down(trial.system, (enum system_service)i))
            return trial_fail("%s", err_cause());
    if (!run_db("restore", "--from", path_in("backup", number), "--force"))
        return trial_fail("%s", err_cause());
    if (system_revive(trial.system))
        return trial_fail("%s", err_cause());
    return trial_audit_restored(&trial, number, what);
}

static void test_backup(void)
{
    bool going = begin() && back_up_under_load();
    long all = audit_figure(&trial.report, "orders"), latest = 0;
    if (going)
        CU_ASSERT_FALSE(run_db("restore", "--from", path_in("backup", 1), "--force"));   /* the services run */
    for (unsigned i = 1; i <= BACKUPS && going; i++) {
        going = restore_and_audit(i);
        long orders = audit_figure(&trial.report, "orders");
        printf("# backup %u of %d: %ld of %ld orders\n", i, BACKUPS, orders, all);
        CU_ASSERT(orders > latest && (orders < all || i > 1));
        latest = orders;
    }
    trial_end(&trial);
}

/* ---- a full disk ---- */

/* The soft limit, so that it can be lifted again. */
static bool limit_files(rlim_t bytes)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        struct rlimit limit;
        pid_t pid = system_service_pid(trial.system, i);
        if (prlimit(pid, RLIMIT_FSIZE, NULL, &limit) != 0)
            return trial_fail("no limits of process %ld", (long)pid);
        limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
        if (prlimit(pid, RLIMIT_FSIZE, &limit, NULL) != 0)
            return trial_fail("process %ld cannot be limited", (long)pid);
    }
    return true;
}

static bool is_refused(void *context)
{
    (void)context;
    return customers_refused(trial.customers) >= REFUSED;
}

static void expect_reading(void)
{
    static const char *const asked[] = {"/v1/orders?limit=5", "/v1/items", "/v1/items/sku-1", "/v1/users?limit=5"};
    struct http_client *client = system_client(trial.system);
    http_client_token(client, system_admin(trial.system));
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct http_answer *answer = http_get(client, asked[i]);
        if (answer->status != 200)
            trial_fail("%s is answered %d: %.200s", asked[i], answer->status, answer->body);
    }
    http_with(client, "Idempotency-Key: no-room");
    struct http_answer *answer = http_send(client, "POST", "/v1/items/sku-1/stock", "{\"delta\":1,\"reason\":\"x\"}");
    if (answer->status != 507 && answer->status != 503)
        trial_fail("a change is answered %d: %.200s", answer->status, answer->body);
    http_client_free(client);
}

static void test_full_disk(void)
{
    bool going = begin();
    if (going) {
        customers_begin(trial.customers, STEPS);
        going = trial_run_out(&trial) && trial_audit(&trial, "the first load") && limit_files(FULL_BYTES);
    }
    if (going) {
        customers_begin(trial.customers, MORE_STEPS);
        if (!process_until(is_refused, NULL, PATIENCE_MS))
            going = trial_fail("nothing is refused though there is no room");
        expect_reading();
        CU_ASSERT_FALSE(customers_are_idle(trial.customers));
        going = limit_files(RLIM_INFINITY) && going;
    }
    if (going && trial_run_out(&trial))
        trial_audit(&trial, "a full disk");
    printf("# %u changes were refused, %ld orders are there\n", going ? customers_refused(trial.customers) : 0,
           audit_figure(&trial.report, "orders"));
    trial_end(&trial);
}

static const struct suite_case cases[] = {
    {"a backup taken under load restores to a consistent system", test_backup},
    {"a full disk loses nothing, is read from, and is recovered from unaided", test_full_disk},
};

int main(void)
{
    return suite_main("recovery", cases, sizeof cases / sizeof cases[0]);
}
