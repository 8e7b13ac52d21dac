#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/checks.h"
#include "base/clock.h"
#include "state/thread.h"

enum phase { IDLE, WANTED, RUNNING };

/* A row at work. Everything but thread and row is guarded by the lock. */
struct run {
    struct checks *checks;
    const struct check *row;
    pthread_t thread;
    pthread_cond_t wanted;
    enum phase phase;
    bool is_late;                  /* its time ran out, and that was told; what it says in the end is not */
    int64_t asked_ns, limit_ns;    /* of the run under way */
    int64_t known_ns;              /* monotonic, of the result; 0: none */
    struct check_result result;
};

struct checks {
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t news;           /* for the thread that tells: an answer, somebody who waits, or the end */
    pthread_t teller;
    bool closing, has_teller;
    struct check_wait *waiting;
    size_t count, started;         /* rows; those whose thread runs */
    struct run runs[];
};

/* ---- answers ---- */

static void answer(struct run *run, enum err err, const char *cause, int64_t now_ns)
{
    run->known_ns = now_ns;
    run->result.err = err;
    run->result.duration_ns = now_ns - run->asked_ns;
    run->result.checked_us = clock_wall_us();
    snprintf(run->result.cause, sizeof run->result.cause, "%s", err ? cause : "");
}

/* One that goes on beyond its time is told as such, anew each time, for as long as it does. */
static void note_lateness(struct run *run, int64_t now_ns)
{
    char cause[64];
    if (run->phase == IDLE || now_ns - run->asked_ns < run->limit_ns)
        return;
    snprintf(cause, sizeof cause, "timed out after %lld ms", (long long)(run->limit_ns / NS_PER_MS));
    run->is_late = true;
    answer(run, ERR_DEADLINE, cause, now_ns);
}

static bool is_known(const struct run *run, int64_t oldest_ns)
{
    return run->known_ns && run->known_ns >= oldest_ns;
}

static bool is_answered(const struct checks *checks, const struct check_wait *wait)
{
    bool answered = true;
    for (size_t i = 0; i < checks->count && answered; i++) {
        const struct run *run = &checks->runs[i];
        answered = run->row->scope > wait->scope || is_known(run, wait->oldest_ns);
    }
    return answered;
}

/* ---- a check's own thread ---- */

static void *run_main(void *argument)
{
    struct run *run = argument;
    struct checks *checks = run->checks;
    pthread_mutex_lock(&checks->lock);
    for (;;) {
        while (run->phase != WANTED && !checks->closing)
            pthread_cond_wait(&run->wanted, &checks->lock);
        if (checks->closing)
            break;
        run->phase = RUNNING;
        pthread_mutex_unlock(&checks->lock);
        err_clear();
        enum err err = run->row->run(checks->context);
        pthread_mutex_lock(&checks->lock);
        note_lateness(run, clock_now_ns());
        if (!run->is_late)
            answer(run, err, err_cause(), clock_now_ns());
        run->phase = IDLE;
        pthread_cond_signal(&checks->news);
    }
    pthread_mutex_unlock(&checks->lock);
    return NULL;
}

/* ---- the thread that tells ---- */

static struct check_wait *take_answered(struct checks *checks)
{
    struct check_wait *answered = NULL;
    int64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < checks->count; i++)
        note_lateness(&checks->runs[i], now_ns);
    for (struct check_wait **at = &checks->waiting; *at;) {
        struct check_wait *wait = *at;
        if (checks->closing || is_answered(checks, wait)) {
            *at = wait->next;
            wait->next = answered;
            answered = wait;
        } else {
            at = &wait->next;
        }
    }
    return answered;
}

static void tell(struct check_wait *waits)
{
    while (waits) {
        struct check_wait *next = waits->next;   /* the wait may be gone once it is done */
        waits->done(waits);
        waits = next;
    }
}

/* Until something is new, or the time of one that runs is up. */
static void rest(struct checks *checks)
{
    int64_t until_ns = INT64_MAX;
    for (size_t i = 0; i < checks->count; i++) {
        const struct run *run = &checks->runs[i];
        if (run->phase != IDLE && !run->is_late && run->asked_ns + run->limit_ns < until_ns)
            until_ns = run->asked_ns + run->limit_ns;
    }
    if (until_ns == INT64_MAX) {
        pthread_cond_wait(&checks->news, &checks->lock);
    } else {
        const struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
        pthread_cond_timedwait(&checks->news, &checks->lock, &until);
    }
}

static void *teller_main(void *argument)
{
    struct checks *checks = argument;
    pthread_mutex_lock(&checks->lock);
    for (;;) {
        struct check_wait *answered = take_answered(checks);
        if (answered) {
            pthread_mutex_unlock(&checks->lock);
            tell(answered);
            pthread_mutex_lock(&checks->lock);
        } else if (checks->closing) {
            break;
        } else {
            rest(checks);
        }
    }
    pthread_mutex_unlock(&checks->lock);
    return NULL;
}

/* ---- asking ---- */

static void want(struct run *run, const struct check_limits *limits, int64_t now_ns)
{
    run->phase = WANTED;
    run->is_late = false;
    run->asked_ns = now_ns;
    run->limit_ns = limits->timeout_ms[run->row->scope] * NS_PER_MS;
    pthread_cond_signal(&run->wanted);
}

bool checks_ask(struct checks *checks, const struct check_limits *limits, enum check_scope scope,
                struct check_wait *wait)
{
    pthread_mutex_lock(&checks->lock);
    int64_t now_ns = clock_now_ns();
    wait->scope = scope;
    wait->oldest_ns = now_ns - limits->cache_ms * NS_PER_MS;
    for (size_t i = 0; i < checks->count; i++) {
        struct run *run = &checks->runs[i];
        note_lateness(run, now_ns);
        if (run->row->scope <= scope && run->phase == IDLE && !is_known(run, wait->oldest_ns))
            want(run, limits, now_ns);
    }
    bool answered = is_answered(checks, wait);
    if (!answered) {
        wait->next = checks->waiting;
        checks->waiting = wait;
        pthread_cond_signal(&checks->news);
    }
    pthread_mutex_unlock(&checks->lock);
    return answered;
}

void checks_result(struct checks *checks, size_t row, struct check_result *ret)
{
    assert(row < checks->count);
    pthread_mutex_lock(&checks->lock);
    *ret = checks->runs[row].result;
    pthread_mutex_unlock(&checks->lock);
}

/* ---- start and end ---- */

static void make(struct checks *checks)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&checks->lock, NULL);
    pthread_cond_init(&checks->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < checks->count; i++)
        pthread_cond_init(&checks->runs[i].wanted, NULL);
}

enum err checks_open(const struct check *rows, size_t count, void *context, struct checks **ret)
{
    struct checks *checks = calloc(1, sizeof *checks + count * sizeof checks->runs[0]);
    if (!checks)
        return err_because(ERR_MEMORY, "no memory for health checks");
    checks->context = context;
    checks->count = count;
    make(checks);
    enum err err = thread_start(&checks->teller, "health", teller_main, checks);
    checks->has_teller = !err;
    for (size_t i = 0; i < count && !err; i++) {
        struct run *run = &checks->runs[i];
        run->checks = checks;
        run->row = &rows[i];
        run->result = (struct check_result){.err = ERR_AGAIN, .cause = "not checked yet"};
        err = thread_start(&run->thread, rows[i].name, run_main, run);
        checks->started += !err;
    }
    if (err)
        checks_close(checks);
    else
        *ret = checks;
    return err;
}

void checks_close(struct checks *checks)
{
    if (!checks)
        return;
    pthread_mutex_lock(&checks->lock);
    checks->closing = true;
    pthread_cond_signal(&checks->news);
    for (size_t i = 0; i < checks->started; i++)
        pthread_cond_signal(&checks->runs[i].wanted);
    pthread_mutex_unlock(&checks->lock);
    for (size_t i = 0; i < checks->started; i++)
        pthread_join(checks->runs[i].thread, NULL);
    if (checks->has_teller)
        pthread_join(checks->teller, NULL);
    for (size_t i = 0; i < checks->count; i++)
        pthread_cond_destroy(&checks->runs[i].wanted);
    pthread_cond_destroy(&checks->news);
    pthread_mutex_destroy(&checks->lock);
    free(checks);
}
