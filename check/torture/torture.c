/*
 * Torture: any process of the system is killed at any moment while customers order, cancel, change stock, and repeat
 * what was not answered. After each round everything must be final, in time, and the auditor must find nothing.
 *
 *     ROUNDS=N    rounds (make check: 30; make torture: 1000)
 *     SEED=S      repeats the decisions of a run: what customers do, what is killed, and when
 *     FRONT=NAME  nginx or lighttpd; TRANSPORT=NAME native or libfcgi
 *     WORKERS=N   processes of each service
 *     ENGINES=LIST  postgresql, rabbitmq or both with a comma between them, which are killed too; NODES=N of RabbitMQ
 *     GATEWAY=N   rounds with a payment gateway that goes wrong as well (make check: 6; make torture: a tenth)
 *     EXPIRE=N    rounds in which reservations expire meanwhile (make check: 4; make torture: a tenth)
 *
 * Further rounds follow where chance did not bring about in these what they are for.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/rabbitmq.h"
#include "check/harness/suite.h"
#include "check/torture/trial.h"

enum {
    ROUNDS = 30, EXPIRING_ROUNDS = 4, GATEWAY_ROUNDS = 6, STEPS = 6,
    STORM_PERCENT = 20,          /* of what is asked of that gateway */
    KILLS_MAX = 3,               /* of a round */
    WORKERS_MAX = 16,
    LATER_MAX_US = 5000,         /* after the moment that was chosen */
    TELL_EVERY = 50,
    FURTHER = 10,                /* times as many rounds as were asked for, at most */
};

static const char *const settings[] = {"payment.retry_first_ms=30", "events.retry_first_ms=20", "log.level=warning",
                                       NULL};

static struct trial trial;

/* ---- killing ---- */

static enum system_service any_service(void)
{
    return (enum system_service)chance_below(&trial.chance, SYSTEM_SERVICES);
}

static void kill_workers(enum system_service service)
{
    pid_t pids[WORKERS_MAX];
    size_t count = system_workers(trial.system, service, pids, WORKERS_MAX);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
}

/* Whoever supervises would wait longer from time to time; an operator asks for all to be started at once. */
static void kill_worker(void)
{
    enum system_service service = any_service();
    kill_workers(service);
    system_service_signal(trial.system, service, SIGHUP);
}

static void kill_supervisor(void)
{
    system_service_killed(trial.system, any_service());
}

static void kill_both(void)
{
    enum system_service service = any_service();
    kill_workers(service);
    system_service_killed(trial.system, service);
}

static void kill_front(void)
{
    system_front_killed(trial.system);
}

static void kill_front_worker(void)
{
    if (!system_front_worker_killed(trial.system))
        kill_front();
}

static void kill_services(void)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        kill_workers(i);
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        system_service_killed(trial.system, i);
}

static void kill_all(void)
{
    kill_services();
    kill_front();
}

static void kill_database(void)
{
    postgres_killed(system_postgres(trial.system));
}

static void kill_broker(void)
{
    rabbitmq_kill_node(chance_below(&trial.chance, trial.opts.rabbitmq));
}

static bool has_database(void)
{
    return trial.opts.postgresql;
}

static bool has_broker(void)
{
    return trial.opts.rabbitmq > 0;
}

static struct {
    const char *name;
    void (*kill)(void);
    bool (*is_there)(void);      /* NULL: always */
    unsigned weight, killed;
} victims[] = {
    {"services", kill_worker, NULL, 8, 0},
    {"supervisors", kill_supervisor, NULL, 2, 0},
    {"services with their supervisors", kill_both, NULL, 4, 0},
    {"web servers", kill_front, NULL, 2, 0},
    {"workers of web servers", kill_front_worker, NULL, 1, 0},
    {"all services at once", kill_services, NULL, 2, 0},
    {"everything at once", kill_all, NULL, 2, 0},
    {"databases", kill_database, has_database, 4, 0},
    {"brokers", kill_broker, has_broker, 4, 0},
};
enum { VICTIMS = sizeof victims / sizeof victims[0] };

static unsigned weight_of(size_t victim)
{
    return !victims[victim].is_there || victims[victim].is_there() ? victims[victim].weight : 0;
}

static void kill_one(void)
{
    unsigned weights = 0, at = 0;
    for (size_t i = 0; i < VICTIMS; i++)
        weights += weight_of(i);
    unsigned weight = chance_below(&trial.chance, weights);
    while (weight >= weight_of(at))
        weight -= weight_of(at++);
    victims[at].kill();
    victims[at].killed++;
}

/* Engines first, without which no service becomes ready. */
static enum err revive(void)
{
    enum err err = has_database() ? postgres_up(system_postgres(trial.system)) : ERR_NONE;
    if (!err && has_broker())
        err = rabbitmq_start_again();
    return err ? err : system_revive(trial.system);
}

/* ---- a round ---- */

static bool has_come(void *context)
{
    const unsigned *done = context;
    return customers_done(trial.customers) >= *done;
}

/* After so many things were done, and a little later: also between two of them, and in what follows the last. */
static bool wait_for_moment(unsigned done, unsigned later_us)
{
    if (!process_until(has_come, &done, 2 * TRIAL_PATIENCE_MS))
        return trial_fail("the customers do not get on");
    int64_t until_ns = clock_now_ns() + later_us * INT64_C(1000);
    while (clock_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return true;
}

/* The gateway behaves again when all has been done: what is open then has to come to its end. */
static void storm(unsigned percent)
{
    if (trial.gateway)
        fake_gateway_storm(trial.gateway->fake, percent, chance_below(&trial.chance, UINT32_MAX));
}

static bool go_round(unsigned round)
{
    char what[32];
    unsigned before = customers_done(trial.customers), kills = 1 + chance_below(&trial.chance, KILLS_MAX), at = 0;
    storm(STORM_PERCENT);
    customers_begin(trial.customers, STEPS);
    for (unsigned i = 0; i < kills; i++) {
        at += chance_below(&trial.chance, TRIAL_CUSTOMERS * STEPS / kills + 1);
        if (!wait_for_moment(before + at, chance_below(&trial.chance, LATER_MAX_US)))
            return false;
        kill_one();
        if (revive())
            return trial_fail("round %u: %s", round, err_cause());
    }
    snprintf(what, sizeof what, "round %u", round);
    bool done = trial_run_out(&trial);
    storm(0);
    return done && trial_audit(&trial, what);
}

/* ---- the whole ---- */

static void tell(unsigned rounds, int64_t begun_ns)
{
    const struct audit_report *report = &trial.report;
    unsigned kills = 0;
    for (size_t i = 0; i < VICTIMS; i++)
        kills += victims[i].killed;
    printf("# %u rounds in %.1f s, %u kills: %ld orders (%ld paid, %ld cancelled, %ld rejected), %ld repeats, "
           "%ld unanswered, %ld charges, %ld refunds; %ld expired, %ld of them charged and refunded, %ld nudges; "
           "final within %ld ms\n",
           rounds, (double)(clock_now_ns() - begun_ns) / NS_PER_S, kills, audit_figure(report, "orders"),
           audit_figure(report, "paid"), audit_figure(report, "cancelled"), audit_figure(report, "rejected"),
           audit_figure(report, "repeats"), audit_figure(report, "unanswered"), audit_figure(report, "charges"),
           audit_figure(report, "refunds"), audit_figure(report, "expired"), audit_figure(report, "expired_refunds"),
           audit_figure(report, "nudges"), trial.slowest_ms);
    fflush(stdout);
}

/* Chance may keep the first rounds from what is to be tried: then further ones follow. */
static bool is_enough(unsigned round, unsigned rounds, const char *tried)
{
    return round >= rounds && (round >= FURTHER * rounds || audit_figure(&trial.report, tried) > 0);
}

/* At least so many rounds; `tried` is the figure that is to be above zero in the end. */
static void torture(const char *const *chosen, const struct trial_gateway *gateway, unsigned rounds, const char *tried)
{
    struct system_opts opts = {.front = trial_text("FRONT", "nginx"), .transport = trial_text("TRANSPORT", "native"),
                               .workers = trial_number("WORKERS", 1), .settings = chosen};
    unsigned round = 0;
    trial_engines(&opts);
    trial = (struct trial){.gateway = gateway};
    bool going = trial_begin(&trial, &opts, trial_seed());
    int64_t begun_ns = clock_now_ns();
    for (size_t i = 0; i < VICTIMS; i++)
        victims[i].killed = 0;
    while (going && !is_enough(round, rounds, tried)) {
        going = go_round(++round);
        if (round % TELL_EVERY == 0 && round < rounds)
            tell(round, begun_ns);
    }
    tell(round, begun_ns);
    for (size_t i = 0; i < VICTIMS; i++)
        printf("#   killed: %s, %u times\n", victims[i].name, victims[i].killed);
    if (going && rounds > 0)
        CU_ASSERT(audit_figure(&trial.report, tried) > 0);
}

static void test_torture(void)
{
    torture(settings, NULL, trial_number("ROUNDS", ROUNDS), "orders");
    trial_end(&trial);
}

static void test_expiring(void)
{
    unsigned rounds = trial_number("EXPIRE", EXPIRING_ROUNDS);
    if (rounds == 0)
        return;
    torture(trial_expiring, NULL, rounds, "expired");
    trial_end(&trial);
}

static void test_gateway(void)
{
    unsigned rounds = trial_number("GATEWAY", GATEWAY_ROUNDS);
    struct trial_gateway gateway;
    if (rounds == 0)
        return;
    if (!trial_gateway_start(&gateway)) {
        trial_fail("the gateway cannot be started");
        return;
    }
    torture(gateway.settings, &gateway, rounds, "charges");
    CU_ASSERT_EQUAL(fake_gateway_misread(gateway.fake), 0);
    trial_end(&trial);
    trial_gateway_stop(&gateway);
}

static const struct suite_case cases[] = {
    {"whatever is killed, nothing is lost and nothing happens twice", test_torture},
    {"nor when the payment gateway goes wrong as well", test_gateway},
    {"nor while reservations expire, and payments cross that", test_expiring},
};

int main(void)
{
    return suite_main("torture", cases, sizeof cases / sizeof cases[0]);
}
