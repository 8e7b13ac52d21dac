/*
 * Torture: any process of the system is killed at any moment while customers order, cancel, change stock, and repeat
 * what was not answered. After each round everything must be final, in time, and the auditor must find nothing.
 *
 *     ROUNDS=N    rounds (make check: 30; make torture: 1000)
 *     SEED=S      repeats the decisions of a run: what customers do, what is killed, and when
 *     FRONT=NAME  nginx or lighttpd
 *     WORKERS=N   processes of each service
 */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/harness/system.h"
#include "check/torture/audit.h"
#include "check/torture/chance.h"
#include "check/torture/customers.h"

enum {
    ROUNDS = 30, CUSTOMERS = 6, STEPS = 6,
    KILLS_MAX = 3,               /* of a round */
    FINAL_MS = 10000,            /* in which everything is to be final */
    PATIENCE_MS = 60000, WORKERS_MAX = 16,
    LATER_MAX_US = 5000,        /* after the moment that was chosen */
    TELL_EVERY = 50,
};

static const char *const settings[] = {"payment.retry_first_ms=30", "events.retry_first_ms=20", "log.level=warning",
                                       NULL};

static struct {
    struct system *system;
    struct customers *customers;
    struct journal *journal;
    struct chance chance;
    struct audit_report report;
    unsigned kills[8];
    long slowest_ms;
    char journal_path[256];
} run;

static const char *given(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static unsigned number(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value && *value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

/* ---- killing ---- */

static enum system_service any_service(void)
{
    return (enum system_service)chance_below(&run.chance, SYSTEM_SERVICES);
}

static void kill_workers(enum system_service service)
{
    pid_t pids[WORKERS_MAX];
    size_t count = system_workers(run.system, service, pids, WORKERS_MAX);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
}

/* Whoever supervises would wait longer from time to time; an operator asks for all to be started at once. */
static void kill_worker(void)
{
    enum system_service service = any_service();
    kill_workers(service);
    system_service_signal(run.system, service, SIGHUP);
}

static void kill_supervisor(void)
{
    system_service_killed(run.system, any_service());
}

static void kill_both(void)
{
    enum system_service service = any_service();
    kill_workers(service);
    system_service_killed(run.system, service);
}

static void kill_front(void)
{
    system_front_killed(run.system);
}

static void kill_front_worker(void)
{
    if (!system_front_worker_killed(run.system))
        kill_front();
}

static void kill_services(void)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        kill_workers(i);
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        system_service_killed(run.system, i);
}

static void kill_all(void)
{
    kill_services();
    kill_front();
}

static const struct {
    const char *name;
    void (*kill)(void);
    unsigned weight;
} victims[] = {
    {"services", kill_worker, 8},
    {"supervisors", kill_supervisor, 2},
    {"services with their supervisors", kill_both, 4},
    {"web servers", kill_front, 2},
    {"workers of web servers", kill_front_worker, 1},
    {"all services at once", kill_services, 2},
    {"everything at once", kill_all, 2},
};
enum { VICTIMS = sizeof victims / sizeof victims[0], WEIGHTS = 21 };

static void kill_one(void)
{
    unsigned at = 0, weight = chance_below(&run.chance, WEIGHTS);
    while (weight >= victims[at].weight)
        weight -= victims[at++].weight;
    victims[at].kill();
    run.kills[at]++;
}

/* ---- a round ---- */

struct moment {
    unsigned done;
};

static bool has_come(void *context)
{
    const struct moment *moment = context;
    return customers_done(run.customers) >= moment->done;
}

static bool are_idle(void *context)
{
    (void)context;
    return customers_are_idle(run.customers);
}

/* After so many things were done, and a little later: also between two of them, and in what follows the last. */
static bool wait_for_moment(unsigned done, unsigned later_us)
{
    struct moment moment = {done};
    if (!process_until(has_come, &moment, 2 * PATIENCE_MS))
        return false;
    int64_t until_ns = clock_now_ns() + later_us * INT64_C(1000);
    while (clock_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return true;
}

static bool fail(const char *what)
{
    CU_assertImplementation(CU_FALSE, __LINE__, what, __FILE__, "", CU_FALSE);
    return false;
}

static bool audit(unsigned round)
{
    char what[128];
    audit_run(system_folder(run.system), run.journal_path, FINAL_MS, &run.report);
    if (run.report.settled_ms > run.slowest_ms)
        run.slowest_ms = run.report.settled_ms;
    if (run.report.status == 0)
        return true;
    audit_print(&run.report);
    snprintf(what, sizeof what, "the auditor ended with status %d after round %u", run.report.status, round);
    return fail(what);
}

static bool go_round(unsigned round)
{
    const char *first;
    unsigned before = customers_done(run.customers), kills = 1 + chance_below(&run.chance, KILLS_MAX);
    customers_begin(run.customers, STEPS);
    unsigned at = 0;
    for (unsigned i = 0; i < kills; i++) {
        at += chance_below(&run.chance, CUSTOMERS * STEPS / kills + 1);
        if (!wait_for_moment(before + at, chance_below(&run.chance, LATER_MAX_US)))
            return fail("the customers do not get on");
        kill_one();
        if (system_revive(run.system))
            return fail(err_cause());
    }
    if (!process_until(are_idle, NULL, 2 * PATIENCE_MS))
        return fail("the customers do not come to an end");
    if (customers_failed(run.customers, &first) > 0)
        return fail(first);
    return audit(round);
}

/* ---- the whole ---- */

static void tell(unsigned rounds, double took_s)
{
    unsigned kills = 0;
    for (size_t i = 0; i < VICTIMS; i++)
        kills += run.kills[i];
    printf("# %u rounds in %.1f s, %u kills: %ld orders (%ld paid, %ld cancelled, %ld rejected), %ld repeats, "
           "%ld unanswered, %ld charges, %ld refunds; final within %ld ms\n",
           rounds, took_s, kills, audit_figure(&run.report, "orders"), audit_figure(&run.report, "paid"),
           audit_figure(&run.report, "cancelled"), audit_figure(&run.report, "rejected"),
           audit_figure(&run.report, "repeats"), audit_figure(&run.report, "unanswered"),
           audit_figure(&run.report, "charges"), audit_figure(&run.report, "refunds"), run.slowest_ms);
    fflush(stdout);
}

static void tell_kills(void)
{
    for (size_t i = 0; i < VICTIMS; i++)
        printf("#   killed: %s, %u times\n", victims[i].name, run.kills[i]);
}

static bool begin(uint64_t seed)
{
    struct system_opts opts = {.front = given("FRONT", "nginx"), .transport = given("TRANSPORT", "native"),
                               .workers = number("WORKERS", 1), .settings = settings};
    if (system_start(&opts, &run.system))
        return fail(err_cause());
    snprintf(run.journal_path, sizeof run.journal_path, "%s/journal", system_folder(run.system));
    if (journal_open(run.journal_path, &run.journal))
        return fail(err_cause());
    struct customers_opts customers = {.system = run.system, .journal = run.journal, .count = CUSTOMERS, .seed = seed,
                                       .patience_ms = PATIENCE_MS};
    if (customers_start(&customers, &run.customers))
        return fail(err_cause());
    run.chance = chance_of(seed, CUSTOMERS);
    return true;
}

static void end(void)
{
    customers_stop(run.customers);
    journal_close(run.journal);
    if (system_stop(run.system))
        fail(err_cause());
}

static void test_torture(void)
{
    unsigned rounds = number("ROUNDS", ROUNDS), round = 0;
    const char *seed_given = getenv("SEED");
    uint64_t seed = seed_given && *seed_given ? strtoull(seed_given, NULL, 10) : (uint64_t)clock_wall_us();
    printf("# SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    bool going = begin(seed);
    int64_t begun_ns = clock_now_ns();
    while (going && round < rounds) {
        going = go_round(++round);
        if (round % TELL_EVERY == 0 && round < rounds)
            tell(round, (double)(clock_now_ns() - begun_ns) / NS_PER_S);
    }
    tell(round, (double)(clock_now_ns() - begun_ns) / NS_PER_S);
    tell_kills();
    end();
}

static const struct suite_case cases[] = {
    {"whatever is killed, nothing is lost and nothing happens twice", test_torture},
};

int main(void)
{
    return suite_main("torture", cases, sizeof cases / sizeof cases[0]);
}
