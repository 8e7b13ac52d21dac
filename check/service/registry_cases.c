#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/service/registry_cases.h"
#include "telemetry/metric.h"

enum { INSTANCES = 4, TTL_MS = 2000, EMPTY_AFTER_MS = 800, SEEN_MS = 15000, GONE_MS = 30000, IDS_SIZE = 256 };
enum { PROMPT_MS = 1000, STEADY_MS = 500 };

/* Who is found, and who is to be: of each a process, as it were. */
static struct discovery *finder, *owners[INSTANCES];
static struct discovery_watch *watch;
static struct instance put_list[INSTANCES];
static char service[DISCOVERY_NAME_SIZE];
static atomic_uint told_away, told_back;
static _Atomic enum discovery_health own_health;

static void told(void *context, const char *watched, enum err err)
{
    (void)context;
    if (watched)
        atomic_fetch_add(err ? &told_away : &told_back, 1);
}

static enum discovery_health health(void *context, char *note, size_t note_size)
{
    (void)context;
    snprintf(note, note_size, "as the test says");
    return own_health;
}

static char remember_path[256];
static atomic_uint told_remembered, told_not_remembered;

static void remembered(void *context, const char *watched, size_t count, int64_t age_s, enum err err)
{
    (void)context;
    (void)watched;
    (void)age_s;
    if (err)
        told_not_remembered++;
    else
        told_remembered += (unsigned)count;
}

static enum err open_with(void (*where)(struct discovery_opts *opts), struct discovery **ret)
{
    struct discovery_opts opts = {
        .ttl_ms = TTL_MS, .timeout_ms = 1000, .refresh_ms = 1000, .retry_first_ms = 20, .retry_max_ms = 200,
        .empty_after_ms = EMPTY_AFTER_MS, .critical_after_ms = 60000, .health = health, .told = told,
        .remember_path = remember_path, .remember_max_s = 60, .remembered = remembered,
    };
    where(&opts);
    return discovery_open(&opts, ret);
}

static struct discovery *open_one(void)
{
    struct discovery *discovery = NULL;
    CU_ASSERT_EQUAL_FATAL(open_with(cases_server->opts, &discovery), ERR_NONE);
    return discovery;
}

/* Each case has a service of its own. */
static void begin(void)
{
    static unsigned number;
    snprintf(service, sizeof service, "case-%u", ++number);
    told_away = told_back = 0;
    own_health = DISCOVERY_PASSING;
    finder = open_one();
    memset(put_list, 0, sizeof put_list);
}

static void follow(void)
{
    CU_ASSERT_EQUAL_FATAL(discovery_watch(finder, service, NULL, NULL, &watch), ERR_NONE);
    CU_ASSERT(discovery_wait(watch, SEEN_MS));
}

static void end(void)
{
    for (size_t i = 0; i < INSTANCES; i++) {
        discovery_close(owners[i]);
        owners[i] = NULL;
    }
    discovery_close(finder);
}

/* The instance at port 8001 + at, and so on. */
static struct instance make(size_t at)
{
    struct instance instance = {.port = 8001 + (unsigned)at, .weight = 10 * ((unsigned)at + 1)};
    snprintf(instance.id, sizeof instance.id, "i%zu", at);
    snprintf(instance.scheme, sizeof instance.scheme, "http");
    snprintf(instance.address, sizeof instance.address, "127.0.0.%zu", at + 1);
    snprintf(instance.version, sizeof instance.version, "1.%zu", at);
    snprintf(instance.zone, sizeof instance.zone, "z%zu", at);
    return instance;
}

static bool registers(void)
{
    return cases_server->abilities & REGISTRY_REGISTERS;
}

static void put_all(void)
{
    struct instance list[INSTANCES];
    size_t count = 0;
    for (size_t i = 0; i < INSTANCES; i++)
        if (put_list[i].port)
            list[count++] = put_list[i];
    CU_ASSERT_EQUAL(cases_server->put(finder, service, list, count), ERR_NONE);
}

static void come(size_t at)
{
    put_list[at] = make(at);
    if (!registers()) {
        put_all();
        return;
    }
    owners[at] = open_one();
    CU_ASSERT_EQUAL(discovery_register(owners[at], service, &put_list[at], 1), ERR_NONE);
}

static void go(size_t at)
{
    put_list[at].port = 0;
    if (!registers()) {
        put_all();
        return;
    }
    if (discovery_deregister(owners[at], SEEN_MS) != ERR_NONE)
        printf("# not withdrawn: %s\n", err_cause());
    CU_ASSERT_EQUAL(discovery_deregister(owners[at], SEEN_MS), ERR_NONE);
    discovery_close(owners[at]);
    owners[at] = NULL;
}

/* The last numbers of their addresses, in order, as "124". */
static const char *seen_by(struct discovery_watch *by)
{
    static char out[IDS_SIZE];
    struct instances *instances = discovery_take(by);
    char *at = out;
    for (size_t number = 1; number <= INSTANCES; number++)
        for (size_t i = 0; instances && i < instances->count; i++)
            if (instances->list[i].port == 8000 + number)
                *at++ = (char)('0' + number);
    *at = '\0';
    instances_unref(instances);
    return out;
}

struct expectation {
    struct discovery_watch *by;
    const char *expected;
};

static bool is_seen(void *context)
{
    const struct expectation *expectation = context;
    return strcmp(seen_by(expectation->by), expectation->expected) == 0;
}

static void see_by(struct discovery_watch *by, const char *expected, unsigned within_ms)
{
    struct expectation expectation = {by, expected};
    int64_t begun_ns = clock_now_ns();
    if (!process_until(is_seen, &expectation, within_ms)) {
        struct discovery_state state;
        discovery_state(by, &state);
        printf("# \"%s\" is seen, not \"%s\"; %s\n", seen_by(by), expected, state.cause);
    }
    CU_ASSERT_STRING_EQUAL(seen_by(by), expected);
    if (getenv("VERBOSE"))
        printf("# \"%s\" after %lld ms\n", expected, (long long)((clock_now_ns() - begun_ns) / NS_PER_MS));
}

static void see(const char *expected)
{
    see_by(watch, expected, SEEN_MS);
}

static bool is_other(void *context)
{
    return !is_seen(context);
}

/* It is so, and stays so. */
static void see_still(const char *expected, unsigned for_ms)
{
    struct expectation expectation = {watch, expected};
    CU_ASSERT(!process_until(is_other, &expectation, for_ms));
    CU_ASSERT_STRING_EQUAL(seen_by(watch), expected);
}

/* ---- to find ---- */

void registry_case_found(void)
{
    begin();
    follow();
    see("");
    come(0);
    come(1);
    see("12");
    struct discovery_watch *other = NULL;
    CU_ASSERT_EQUAL_FATAL(discovery_watch(finder, "nobody", NULL, NULL, &other), ERR_NONE);
    CU_ASSERT(discovery_wait(other, SEEN_MS));
    see_by(other, "", 0);
    end();
}

void registry_case_notes(void)
{
    begin();
    come(2);
    follow();
    see("3");
    struct instances *instances = discovery_take(watch);
    struct instance expected = make(2);
    CU_ASSERT(instances && instances->count == 1 && instance_equal(&instances->list[0], &expected));
    instances_unref(instances);
    end();
}

void registry_case_changes(void)
{
    begin();
    follow();
    come(0);
    see("1");
    come(1);
    see("12");
    come(2);
    go(0);
    see("23");
    come(0);
    see("123");
    struct discovery_state state;
    discovery_state(watch, &state);
    CU_ASSERT(state.is_known);
    CU_ASSERT_EQUAL(state.err, ERR_NONE);
    CU_ASSERT_EQUAL(state.refused, 0);
    end();
}

void registry_case_same(void)
{
    enum { FOLLOWERS = 3 };
    struct discovery_watch *followers[FOLLOWERS];
    begin();
    for (size_t i = 0; i < FOLLOWERS; i++)
        CU_ASSERT_EQUAL_FATAL(discovery_watch(finder, service, NULL, NULL, &followers[i]), ERR_NONE);
    come(0);
    come(3);
    for (size_t i = 0; i < FOLLOWERS; i++)
        see_by(followers[i], "14", SEEN_MS);
    go(0);
    for (size_t i = 0; i < FOLLOWERS; i++)
        see_by(followers[i], "4", SEEN_MS);
    discovery_unwatch(followers[1]);
    come(1);
    see_by(followers[0], "24", SEEN_MS);
    see_by(followers[2], "24", SEEN_MS);
    end();
}

void registry_case_ends(void)
{
    begin();
    come(0);
    follow();
    see("1");
    int64_t begun_ns = clock_now_ns();
    discovery_unwatch(watch);
    CU_ASSERT(clock_now_ns() - begun_ns < PROMPT_MS * NS_PER_MS);
    end();
}

/* ---- to be found ---- */

void registry_case_lives(void)
{
    begin();
    come(0);
    follow();
    see("1");
    see_still("1", 2 * TTL_MS);
    CU_ASSERT(discovery_is_registered(owners[0]));
    end();
}

/* ---- an instance in a process of its own: this program once more ---- */

#define OWNER_AT "REGISTRY_OWNER_AT"
#define OWNER_SERVICE "REGISTRY_OWNER_SERVICE"
#define OWNER_DRIVER "REGISTRY_OWNER_DRIVER"
#define OWNER_SERVERS "REGISTRY_OWNER_SERVERS"
#define OWNER_AUTHORITY "REGISTRY_OWNER_AUTHORITY"
#define OWNER_CERTIFICATE "REGISTRY_OWNER_CERTIFICATE"
#define OWNER_KEY "REGISTRY_OWNER_KEY"

static void owner_opts(struct discovery_opts *opts)
{
    opts->driver = getenv(OWNER_DRIVER);
    opts->servers = getenv(OWNER_SERVERS);
    opts->prefix = "/services";
    opts->ca_file = getenv(OWNER_AUTHORITY);
    opts->certificate_file = getenv(OWNER_CERTIFICATE);
    opts->key_file = getenv(OWNER_KEY);
}

void registry_owner_main(void)
{
    struct discovery *discovery;
    if (!getenv(OWNER_AT))
        return;
    struct instance instance = make(strtoul(getenv(OWNER_AT), NULL, 10));
    if (open_with(owner_opts, &discovery) || discovery_register(discovery, getenv(OWNER_SERVICE), &instance, 1))
        exit(EXIT_FAILURE);
    for (;;)
        pause();
}

static struct process register_elsewhere(size_t at)
{
    static const char *const argv[] = {"/proc/self/exe", NULL};
    struct discovery_opts opts = {.driver = NULL};
    struct process process = {.pid = 0};
    char number[8];
    snprintf(number, sizeof number, "%zu", at);
    cases_server->opts(&opts);
    setenv(OWNER_AT, number, 1);
    setenv(OWNER_SERVICE, service, 1);
    setenv(OWNER_DRIVER, opts.driver, 1);
    setenv(OWNER_SERVERS, opts.servers, 1);
    setenv(OWNER_AUTHORITY, opts.ca_file ? opts.ca_file : "", 1);
    setenv(OWNER_CERTIFICATE, opts.certificate_file ? opts.certificate_file : "", 1);
    setenv(OWNER_KEY, opts.key_file ? opts.key_file : "", 1);
    CU_ASSERT_EQUAL(process_start(argv, "/dev/null", SIGKILL, &process), ERR_NONE);
    unsetenv(OWNER_AT);
    return process;
}

void registry_case_killed(void)
{
    begin();
    struct process other = register_elsewhere(1);
    come(0);
    follow();
    see("12");
    process_kill(&other);
    see_by(watch, "1", GONE_MS);
    end();
}

void registry_case_critical(void)
{
    begin();
    come(0);
    struct process other = register_elsewhere(1);   /* whose health is its own */
    follow();
    see("12");
    own_health = DISCOVERY_WARNING;
    discovery_tell_health(owners[0]);
    see_still("12", STEADY_MS);
    own_health = DISCOVERY_CRITICAL;
    discovery_tell_health(owners[0]);
    see("2");
    own_health = DISCOVERY_PASSING;
    discovery_tell_health(owners[0]);
    see("12");
    process_kill(&other);
    end();
}

void registry_case_empty(void)
{
    begin();
    come(0);
    follow();
    see("1");
    go(0);
    see_still("1", EMPTY_AFTER_MS / 2);
    see("");
    end();
}

/* ---- the registry away ---- */

static bool is_told_away(void *context)
{
    (void)context;
    return told_away > 0;
}

static int64_t counted(enum metric metric)
{
    return metric_value(metric_series(metric, service));
}

static bool is_told_back(void *context)
{
    (void)context;
    return told_back > 0;
}

void registry_case_away(void)
{
    begin();
    come(0);
    come(1);
    follow();
    see("12");
    cases_server->kill();
    CU_ASSERT(process_until(is_told_away, NULL, SEEN_MS));
    int64_t answered_ns = counted(METRIC_DISCOVERY_ANSWERED);
    CU_ASSERT(answered_ns > 0);
    see_still("12", TTL_MS + STEADY_MS);
    CU_ASSERT_EQUAL(told_away, 1);
    CU_ASSERT_EQUAL(counted(METRIC_DISCOVERY_AWAY), 1);
    CU_ASSERT_EQUAL(counted(METRIC_DISCOVERY_ANSWERED), answered_ns);
    CU_ASSERT_EQUAL(cases_server->start_again(false), ERR_NONE);
    CU_ASSERT(process_until(is_told_back, NULL, SEEN_MS));
    see_still("12", STEADY_MS);
    CU_ASSERT_EQUAL(counted(METRIC_DISCOVERY_AWAY), 0);
    CU_ASSERT(counted(METRIC_DISCOVERY_ANSWERED) > answered_ns);
    come(2);
    see("123");
    CU_ASSERT_EQUAL(told_back, 1);
    end();
}

void registry_case_away_at_start(void)
{
    begin();
    cases_server->kill();
    follow();
    come(0);
    see_still("", STEADY_MS);
    struct discovery_state state;
    discovery_state(watch, &state);
    CU_ASSERT(!state.is_known);
    CU_ASSERT_NOT_EQUAL(state.err, ERR_NONE);
    CU_ASSERT_EQUAL(cases_server->start_again(false), ERR_NONE);
    see("1");
    end();
}

static void follow_anew(void)
{
    discovery_close(finder);
    finder = open_one();
    told_remembered = told_not_remembered = 0;
    CU_ASSERT_EQUAL_FATAL(discovery_watch(finder, service, NULL, NULL, &watch), ERR_NONE);
}

static bool is_known(void *context)
{
    struct discovery_state state;
    discovery_state(context, &state);
    return state.is_known && !state.is_remembered;
}

/* Known from the file until the registry is back; then what that says, and nothing of a file that is damaged. */
void registry_case_remembered(void)
{
    char file[512];
    struct discovery_state state;
    char *folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(remember_path, sizeof remember_path, "%s/own.db-instances", folder);
    begin();
    come(0);
    come(1);
    follow();
    see("12");
    cases_server->kill();
    follow_anew();
    see("12");
    CU_ASSERT_EQUAL(told_remembered, 2);
    discovery_state(watch, &state);
    CU_ASSERT(state.is_remembered && !state.is_known);
    snprintf(file, sizeof file, "%s-%s", remember_path, service);
    CU_ASSERT_EQUAL(truncate(file, 30), 0);
    follow_anew();
    CU_ASSERT(discovery_wait(watch, SEEN_MS));
    see("");
    CU_ASSERT_EQUAL(told_not_remembered, 1);
    CU_ASSERT_EQUAL(cases_server->start_again(false), ERR_NONE);
    see("12");
    CU_ASSERT(process_until(is_known, watch, SEEN_MS));
    end();
    remember_path[0] = '\0';
    process_remove(folder);
    free(folder);
}

/* Nobody is missed: from the moment it is back to the moment all have told it of themselves. */
void registry_case_forgetful(void)
{
    begin();
    come(0);
    follow();
    see("1");
    cases_server->kill();
    CU_ASSERT_EQUAL(cases_server->start_again(true), ERR_NONE);
    see_still("1", 2 * TTL_MS);
    come(1);
    see("12");
    CU_ASSERT(discovery_is_registered(owners[0]));
    end();
}

void registry_case_compacted(void)
{
    begin();
    come(0);
    follow();
    see("1");
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(cases_server->compact(), ERR_NONE);
    come(1);
    see("12");
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(cases_server->compact(), ERR_NONE);
    go(0);
    see("2");
    end();
}

void registry_case_leader(void)
{
    begin();
    come(0);
    come(1);
    follow();
    see("12");
    CU_ASSERT_EQUAL(cases_server->kill_leader(), ERR_NONE);
    see_still("12", 2 * TTL_MS);
    come(2);
    see("123");
    go(0);
    see("23");
    CU_ASSERT_EQUAL(cases_server->start_again(false), ERR_NONE);
    end();
}

/* ---- who may ask ---- */

void registry_case_signs_in(void)
{
    begin();
    follow();
    come(0);
    see("1");
    CU_ASSERT_EQUAL_FATAL(cases_server->lock(), ERR_NONE);
    CU_ASSERT(process_until(is_told_away, NULL, SEEN_MS));   /* who has no name */
    end();
    begin();
    follow();
    come(0);
    come(1);
    see("12");
    see_still("12", TTL_MS + STEADY_MS);
    go(0);
    see("2");
    end();
}
