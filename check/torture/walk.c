/*
 * The walk: a service is killed at each named fault point (base/fault.h) and at each of the first commits in turn, and
 * fails, loses answers and is slow at each point, while customers go on. After each step everything must be final, in
 * time, and the auditor must find nothing. What is armed goes through fault.points, as an operator would do it.
 *
 *     COMMITS=N   kills at the n-th commit for n to N, before it and after it, in order and in inventory
 *     VISITS=N    kills at each named point when it is reached for the n-th time, n to N
 *     SEED=S      repeats what the customers do
 *     EXPIRE=1    reservations expire meanwhile
 *
 * Not walked here is migrate-before-commit, which a system that runs does not reach (test_migrate).
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/torture/trial.h"

enum {
    COMMITS = 6, VISITS = 1,
    STEPS = 2,                   /* of each customer, before it is looked again whether it has happened */
    HAPPENS_MS = 20000, AGAIN_NS = 10 * NS_PER_MS,
    FRESH_EVERY = 50,            /* commits: another system then, since audits grow with what there is */
    TELL_EVERY = 25,
    ARMED_MS = 10000, PATH_SIZE = 300, PLAN_SIZE = 128,
};

/* Tokens are asked about often, so that the services call each other. */
static const char *const settings[] = {"payment.retry_first_ms=30", "events.retry_first_ms=20", "auth.cache_ttl_s=1",
                                       "log.level=info", "log.repeat_burst=0", NULL};

/* Which service reaches which points under this load. */
static const struct place {
    enum system_service service;
    enum fault_point point;
} places[] = {
    {SYSTEM_USER, FAULT_REQUEST}, {SYSTEM_USER, FAULT_LOG_WRITE},
    {SYSTEM_ORDER, FAULT_REQUEST}, {SYSTEM_ORDER, FAULT_DB_READ}, {SYSTEM_ORDER, FAULT_BEFORE_COMMIT},
    {SYSTEM_ORDER, FAULT_AFTER_COMMIT}, {SYSTEM_ORDER, FAULT_AFTER_COMMIT_BEFORE_ANSWER},
    {SYSTEM_ORDER, FAULT_RELAY_BEFORE_PUBLISH}, {SYSTEM_ORDER, FAULT_RELAY_AFTER_PUBLISH},
    {SYSTEM_ORDER, FAULT_RELAY_BEFORE_MARK}, {SYSTEM_ORDER, FAULT_CONSUMER_BEFORE_FETCH},
    {SYSTEM_ORDER, FAULT_INBOX_AFTER_RECEIVE}, {SYSTEM_ORDER, FAULT_EVENT_HANDLER},
    {SYSTEM_ORDER, FAULT_CONSUMER_AFTER_COMMIT_BEFORE_ACK}, {SYSTEM_ORDER, FAULT_BEFORE_CHARGE},
    {SYSTEM_ORDER, FAULT_AFTER_CHARGE_BEFORE_COMMIT}, {SYSTEM_ORDER, FAULT_CLIENT_CALL},
    {SYSTEM_ORDER, FAULT_CLIENT_ANSWER}, {SYSTEM_ORDER, FAULT_LOG_WRITE},
    {SYSTEM_INVENTORY, FAULT_REQUEST}, {SYSTEM_INVENTORY, FAULT_BEFORE_COMMIT},
    {SYSTEM_INVENTORY, FAULT_AFTER_COMMIT}, {SYSTEM_INVENTORY, FAULT_AFTER_COMMIT_BEFORE_ANSWER},
    {SYSTEM_INVENTORY, FAULT_RELAY_BEFORE_PUBLISH}, {SYSTEM_INVENTORY, FAULT_RELAY_AFTER_PUBLISH},
    {SYSTEM_INVENTORY, FAULT_RELAY_BEFORE_MARK}, {SYSTEM_INVENTORY, FAULT_CONSUMER_BEFORE_FETCH},
    {SYSTEM_INVENTORY, FAULT_INBOX_AFTER_RECEIVE}, {SYSTEM_INVENTORY, FAULT_EVENT_HANDLER},
    {SYSTEM_INVENTORY, FAULT_CONSUMER_AFTER_COMMIT_BEFORE_ACK}, {SYSTEM_INVENTORY, FAULT_CLIENT_CALL},
    {SYSTEM_INVENTORY, FAULT_CLIENT_ANSWER}, {SYSTEM_INVENTORY, FAULT_LOG_WRITE},
};
enum { PLACES = sizeof places / sizeof places[0] };

static struct trial trial;
static unsigned kills, failures;

/* ---- arming ---- */

static void conf_path(char out[static PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/conf.d/fault.conf", system_folder(trial.system));
}

static bool write_plan(enum system_service service, const char *plan)
{
    char path[PATH_SIZE], written[PATH_SIZE + 4];
    conf_path(path);
    snprintf(written, sizeof written, "%s~", path);
    FILE *file = fopen(written, "we");
    if (!file)
        return trial_fail("%s cannot be written", written);
    fprintf(file, "service = { %s = { fault = { points = \"%s\"; }; }; };\n", system_service_name(service), plan);
    bool done = fclose(file) == 0 && rename(written, path) == 0;
    return done || trial_fail("%s cannot be written", path);
}

struct reading {
    enum system_service service;
    struct http_client *client;
    char path[32], before[80];
};

static bool is_down(enum system_service service)
{
    pid_t pid = system_service_pid(trial.system, service);
    siginfo_t info = {.si_pid = 0};
    return pid == 0 || (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid);
}

/* It runs with other settings than before; or what was armed has struck already. */
static bool has_read(void *context)
{
    struct reading *reading = context;
    struct http_answer *answer = http_get(reading->client, reading->path);
    if (answer->status != 200)
        return is_down(reading->service);
    return strcmp(http_json_text(answer, "/settings/digest"), reading->before) != 0;
}

static bool take_effect(enum system_service service, bool (*change)(enum system_service service, const char *plan),
                        const char *plan)
{
    struct reading reading = {.service = service, .client = system_client(trial.system)};
    snprintf(reading.path, sizeof reading.path, "/%s/version", system_service_name(service));
    snprintf(reading.before, sizeof reading.before, "%s",
             http_json_text(http_get(reading.client, reading.path), "/settings/digest"));
    bool done = change(service, plan);
    system_service_signal(trial.system, service, SIGHUP);
    if (done && !process_until(has_read, &reading, ARMED_MS))
        done = trial_fail("%s does not read its settings again: %s", system_service_name(service), plan);
    http_client_free(reading.client);
    return done;
}

static bool remove_plan(enum system_service service, const char *plan)
{
    char path[PATH_SIZE];
    (void)service, (void)plan;
    conf_path(path);
    return unlink(path) == 0 || trial_fail("%s cannot be removed", path);
}

/* ---- a step ---- */

/* How often it has happened, as the service counts it; -1 when it does not say. */
static long struck(const struct place *place)
{
    char path[32], wanted[96];
    struct http_client *client = system_client(trial.system);
    snprintf(path, sizeof path, "/%s/metrics", system_service_name(place->service));
    snprintf(wanted, sizeof wanted, "tandem_faults_total{point=\"%s\"} ", fault_table[place->point].name);
    struct http_answer *answer = http_get(client, path);
    const char *found = answer->status == 200 ? strstr(answer->body, wanted) : NULL;
    long count = found ? strtol(found + strlen(wanted), NULL, 10) : answer->status == 200 ? 0 : -1;
    http_client_free(client);
    return count;
}

static bool revive(const struct place *place)
{
    kills++;
    if (!remove_plan(place->service, ""))
        return false;
    return system_revive(trial.system) == ERR_NONE || trial_fail("%s", err_cause());
}

struct pass {
    const struct place *place;
    long struck;                 /* before */
    bool died;
};

/* What was killed is started again at once, without what killed it: the customers wait for it. */
static bool is_over(void *context)
{
    struct pass *pass = context;
    if (!pass->died && is_down(pass->place->service)) {
        pass->died = true;
        revive(pass->place);
    }
    return customers_are_idle(trial.customers);
}

static bool is_counted(enum fault_point point)
{
    return point == FAULT_BEFORE_COMMIT || point == FAULT_AFTER_COMMIT;
}

/* Some more of the load, until it has happened; with pauses, since some points are reached in time only. */
static bool load_until(struct pass *pass, bool kill)
{
    const struct timespec pause = {.tv_nsec = AGAIN_NS};
    bool happened = false;
    int64_t until_ns = clock_now_ns() + HAPPENS_MS * NS_PER_MS;
    while (!happened && clock_now_ns() < until_ns) {
        customers_begin(trial.customers, STEPS);
        if (!process_until(is_over, pass, 2 * TRIAL_PATIENCE_MS) || !trial_run_out(&trial))
            return trial_fail("the customers do not come to an end");
        happened = kill ? pass->died : struck(pass->place) > pass->struck;
        if (!happened && !is_counted(pass->place->point))
            nanosleep(&pause, NULL);
    }
    return happened;
}

static bool step(const struct place *place, enum fault_action action, const char *details)
{
    char plan[PLAN_SIZE], what[PLAN_SIZE + 32];
    struct pass pass = {.place = place, .struck = struck(place)};
    snprintf(plan, sizeof plan, "%s %s%s", fault_table[place->point].name, fault_action_name(action), details);
    snprintf(what, sizeof what, "%s in %s", plan, system_service_name(place->service));
    if (!take_effect(place->service, write_plan, plan))
        return false;
    if (!load_until(&pass, action == FAULT_KILL))
        return trial_fail("%s did not happen", what);
    failures += action != FAULT_KILL;
    if (action != FAULT_KILL && !take_effect(place->service, remove_plan, ""))
        return false;
    return trial_audit(&trial, what);
}

/* ---- the cases ---- */

static bool running;

static void begin(uint64_t seed)
{
    struct system_opts opts = {.front = trial_text("FRONT", "nginx"), .transport = trial_text("TRANSPORT", "native"),
                               .settings = trial_settings(settings)};
    char path[PATH_SIZE];
    trial = (struct trial){.system = NULL, .slowest_ms = trial.slowest_ms};
    running = trial_begin(&trial, &opts, seed);
    if (!running)
        return;
    snprintf(path, sizeof path, "%s/conf.d", system_folder(trial.system));
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
}

static void test_begin(void)
{
    begin(trial_seed());
}

static void test_killed(void)
{
    unsigned visits = trial_number("VISITS", VISITS);
    char details[32];
    for (size_t i = 0; i < PLACES; i++) {
        for (unsigned n = 1; n <= visits && running; n++) {
            snprintf(details, sizeof details, " nth=%u", n);
            running = step(&places[i], FAULT_KILL, details);
        }
    }
    CU_ASSERT_TRUE(running);
}

static void test_failing(void)
{
    static const struct {
        enum fault_action action;
        const char *details;
    } rows[] = {{FAULT_ERROR, " count=2"}, {FAULT_DROP, " count=2"}, {FAULT_DELAY, "=15 count=3"}};
    for (size_t i = 0; i < PLACES; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof rows[0] && running; j++)
            if (fault_table[places[i].point].actions & rows[j].action)
                running = step(&places[i], rows[j].action, rows[j].details);
    }
    CU_ASSERT_TRUE(running);
}

static void tell(void)
{
    const struct audit_report *report = &trial.report;
    printf("# %u kills, %u other faults: %ld orders (%ld paid, %ld cancelled, %ld rejected), %ld repeats, %ld charges, "
           "%ld refunds; final within %ld ms\n", kills, failures, audit_figure(report, "orders"),
           audit_figure(report, "paid"), audit_figure(report, "cancelled"), audit_figure(report, "rejected"),
           audit_figure(report, "repeats"), audit_figure(report, "charges"), audit_figure(report, "refunds"),
           trial.slowest_ms);
    fflush(stdout);
}

static void test_commits(void)
{
    static const struct place commits[] = {
        {SYSTEM_ORDER, FAULT_BEFORE_COMMIT}, {SYSTEM_ORDER, FAULT_AFTER_COMMIT},
        {SYSTEM_INVENTORY, FAULT_BEFORE_COMMIT}, {SYSTEM_INVENTORY, FAULT_AFTER_COMMIT},
    };
    unsigned most = trial_number("COMMITS", COMMITS);
    char details[32];
    for (unsigned n = 1; n <= most && running; n++) {
        if (n % FRESH_EVERY == 0) {
            trial_end(&trial);
            begin(chance_next(&trial.chance));
        }
        snprintf(details, sizeof details, " nth=%u", n);
        for (size_t i = 0; i < sizeof commits / sizeof commits[0] && running; i++)
            running = step(&commits[i], FAULT_KILL, details);
        if (n % TELL_EVERY == 0)
            tell();
    }
    CU_ASSERT_TRUE(running);
}

static void test_end(void)
{
    tell();
    trial_end(&trial);
}

static const struct suite_case cases[] = {
    {"the system starts", test_begin},
    {"a service killed at any named point loses nothing and does nothing twice", test_killed},
    {"a service that fails, is deaf or slow at any named point does neither", test_failing},
    {"a service killed at any of the first commits does neither", test_commits},
    {"every service ends with status 0", test_end},
};

int main(void)
{
    return suite_main("walk", cases, sizeof cases / sizeof cases[0]);
}
