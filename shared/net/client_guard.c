#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "net/client_guard.h"

static const char *const outcome_names[CLIENT_OUTCOMES] = {
    [CLIENT_ANSWERED] = "answered",       [CLIENT_THROTTLED] = "throttled", [CLIENT_FAILED] = "failed",
    [CLIENT_UNREACHABLE] = "unreachable", [CLIENT_TIMEOUT] = "timeout",     [CLIENT_PROTOCOL] = "protocol",
    [CLIENT_REFUSED] = "refused",         [CLIENT_UNSENT] = "unsent",
};

/* As GET /endpoints calls them. */
static const char *const state_names[BREAKER_STATES] = {
    [BREAKER_CLOSED] = "in", [BREAKER_HALF_OPEN] = "probation", [BREAKER_OPEN] = "out",
};

/* What an error of a try says: of the call's outcome, of the target, and whether another try may do better. */
static const struct {
    enum err err;
    enum client_outcome outcome;
    enum breaker_outcome target;
    bool passing;
} errors[] = {
    {ERR_UNAVAILABLE, CLIENT_UNREACHABLE, BREAKER_FAILURE, true},
    {ERR_PROTOCOL, CLIENT_PROTOCOL, BREAKER_FAILURE, true},
    {ERR_TOO_LARGE, CLIENT_PROTOCOL, BREAKER_UNTOLD, false},
    {ERR_DEADLINE, CLIENT_TIMEOUT, BREAKER_FAILURE, false},
};

/* The answers that ask for another try. 500 is not among them: the same question would have the same answer. */
static const int passing_statuses[] = {429, 502, 503, 504};

enum { SERVER_ERRORS = 500, TOO_MANY = 429 };

static enum client_outcome outcome_of(const struct client_course *course, enum err err, int status)
{
    if (course->refused)
        return CLIENT_REFUSED;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].err == err)
            return errors[i].outcome;
    if (err)
        return CLIENT_UNSENT;
    return status >= SERVER_ERRORS ? CLIENT_FAILED : status == TOO_MANY ? CLIENT_THROTTLED : CLIENT_ANSWERED;
}

/* Who gave it less than half of the time that such a call has must not wonder that it was not enough. */
static enum breaker_outcome target_of(const struct client_course *course, enum err err, int status)
{
    if (err == ERR_DEADLINE && course->left_ms < course->timeout_ms / 2)
        return BREAKER_UNTOLD;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].err == err)
            return errors[i].target;
    if (err)
        return BREAKER_UNTOLD;
    return status >= SERVER_ERRORS ? BREAKER_FAILURE : BREAKER_SUCCESS;
}

static bool is_passing(enum err err, int status)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].err == err)
            return errors[i].passing;
    for (size_t i = 0; !err && i < sizeof passing_statuses / sizeof passing_statuses[0]; i++)
        if (passing_statuses[i] == status)
            return true;
    return false;
}

/* ---- life ---- */

static enum err make_balancer(const struct client_opts *opts, struct balancer **ret)
{
    const struct balancer_opts balancer = {
        .zone = opts->zone,
        .slow_start_ms = opts->slow_start_ms,
        .breaker = {opts->breaker_failures, opts->breaker_open_ms, opts->breaker_probes, opts->breaker_open_max_ms},
    };
    return opts->has_instances ? balancer_new(&balancer, ret)
                               : balancer_new_fixed(opts->base_url, &balancer.breaker, ret);
}

enum err client_guard_init(struct client_guard *guard, const struct client_opts *opts)
{
    const struct retry_budget_opts budget = {opts->retry_budget_percent, opts->retry_budget_per_s};
    char *url = opts->has_instances ? NULL : strdup(opts->base_url);
    struct balancer *balancer;
    if (!opts->has_instances && !url)
        return err_because(ERR_MEMORY, "no memory for a client");
    enum err err = make_balancer(opts, &balancer);
    if (err) {
        free(url);
        return err;
    }
    *guard = (struct client_guard){
        .balancer = balancer,
        .name = url ? url : opts->target ? opts->target : "",
        .url = url,
        .retries_max = opts->retries_max,
        .retry_first_ms = opts->retry_first_ms,
        .retry_max_ms = opts->retry_max_ms,
    };
    retry_budget_init(&guard->budget, &budget, clock_now_ns());
    if (!opts->target)
        return ERR_NONE;
    for (int i = 0; i < CLIENT_OUTCOMES; i++)
        guard->outcomes[i] = metric_series(METRIC_CLIENT_REQUESTS, opts->target, outcome_names[i]);
    guard->retries = metric_series(METRIC_CLIENT_RETRIES, opts->target);
    guard->state = metric_series(METRIC_BREAKER_STATE, opts->target);
    for (int i = 0; i < BREAKER_STATES; i++)
        guard->instances[i] = metric_series(METRIC_CLIENT_INSTANCES, opts->target, state_names[i]);
    return ERR_NONE;
}

void client_guard_fini(struct client_guard *guard)
{
    retry_budget_fini(&guard->budget);
    balancer_free(guard->balancer);
    free(guard->url);
}

void client_guard_measure(struct client_guard *guard)
{
    unsigned counts[BREAKER_STATES] = {0};
    balancer_count(guard->balancer, counts);
    for (int i = 0; i < BREAKER_STATES; i++)
        metric_set(guard->instances[i], counts[i]);
}

/* ---- a call's course ---- */

/* A method that may be sent twice with the effect of once: RFC 9110, 9.2.2. */
static bool is_idempotent(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_PUT || method == HTTP_DELETE ||
           method == HTTP_OPTIONS;
}

void client_course_begin(struct client_guard *guard, const struct client_request *request,
                         struct client_course *ret)
{
    int64_t now_ns = clock_now_ns();
    struct client_course course = {
        .end_ns = now_ns + request->timeout_ms * NS_PER_MS,
        .timeout_ms = request->timeout_ms,
        .may_repeat = is_idempotent(request->method) || request->repeatable,
    };
    if (request->deadline_ns && request->deadline_ns < course.end_ns)
        course.end_ns = request->deadline_ns;
    retry_budget_pay_in(&guard->budget, now_ns);
    *ret = course;
}

static void show_state(struct client_guard *guard)
{
    metric_set(guard->state, (int64_t)balancer_state(guard->balancer));
}

/* A try that may be made elsewhere leaves time for that. */
static unsigned time_for_try(struct client_guard *guard, const struct client_course *course, int64_t now_ns)
{
    bool shares = course->may_repeat && course->tries == 0 && guard->retries_max > 0 &&
                  balancer_has_other(guard->balancer, course->choice.member, now_ns);
    return shares ? (course->left_ms + 1) / 2 : course->left_ms;
}

enum err client_course_admit(struct client_guard *guard, struct client_course *course)
{
    int64_t now_ns = clock_now_ns();
    int64_t left_ms = (course->end_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    if (left_ms <= 0)
        return err_because(ERR_DEADLINE, "no time is left for a call");
    course->refused = !balancer_choose(guard->balancer, now_ns, course->may_repeat, course->failed, &course->choice);
    if (course->refused)
        return err_because(ERR_UNAVAILABLE, balancer_is_empty(guard->balancer)
                                                ? "no instance of it is known"
                                                : "it has failed too often; it is asked again in a moment");
    show_state(guard);
    course->left_ms = (unsigned)left_ms;
    course->try_ms = time_for_try(guard, course, now_ns);
    course->tries++;
    return ERR_NONE;
}

/* The first retry goes elsewhere, if there is elsewhere, and then there is nothing to wait for. Whom it was told that
 * it asks too much does not ask others. */
static int64_t pause_before_retry_ns(struct client_guard *guard, const struct client_course *course, int status,
                                     unsigned retry_after_s)
{
    bool elsewhere = course->tries == 1 && status != TOO_MANY &&
                     balancer_has_other(guard->balancer, course->failed, clock_now_ns());
    if (elsewhere)
        return 0;
    int64_t pause_ns = retry_pause_ms(course->tries, guard->retry_first_ms, guard->retry_max_ms) * NS_PER_MS;
    return pause_ns + retry_after_s * NS_PER_S;   /* a little later than told, since so are all others */
}

/* How long to wait before another try; false when there is none. */
static bool plan(struct client_guard *guard, const struct client_course *course, int status, unsigned retry_after_s,
                 int64_t *ret_pause_ns)
{
    if (course->tries > guard->retries_max || !course->may_repeat)
        return false;
    int64_t pause_ns = pause_before_retry_ns(guard, course, status, retry_after_s), now_ns = clock_now_ns();
    if (now_ns + pause_ns + NS_PER_MS >= course->end_ns || balancer_wait_ns(guard->balancer, now_ns + pause_ns) > 0)
        return false;
    *ret_pause_ns = pause_ns;
    return retry_budget_take(&guard->budget, now_ns);
}

static void wait_for(int64_t pause_ns)
{
    struct timespec left = {.tv_sec = pause_ns / NS_PER_S, .tv_nsec = pause_ns % NS_PER_S};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

bool client_course_again(struct client_guard *guard, struct client_course *course, enum err err, int status,
                         unsigned retry_after_s)
{
    int64_t pause_ns;
    bool was_cut_short = err == ERR_DEADLINE && course->try_ms < course->left_ms;
    balancer_report(guard->balancer, &course->choice, target_of(course, err, status), clock_now_ns());
    show_state(guard);
    course->failed = course->choice.member;
    if (!(is_passing(err, status) || was_cut_short) || !plan(guard, course, status, retry_after_s, &pause_ns))
        return false;
    metric_add(guard->retries, 1);
    if (pause_ns > 0)
        wait_for(pause_ns);
    return true;
}

void client_course_end(struct client_guard *guard, const struct client_course *course, enum err err, int status)
{
    metric_add(guard->outcomes[outcome_of(course, err, status)], 1);
}
