#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/notify.h"
#include "apps/ctl/supervise.h"
#include "base/clock.h"
#include "events/backoff.h"

enum {
    RETRY_FIRST_MS = 100, RETRY_MAX_MS = 30000,
    HEALTHY_MS = 10000,          /* a worker that stayed ready so long was a good start */
    LINE_MAX_BYTES = 1024,
    TICK_MS = 20,                /* deadlines are kept to within this, while there are any */
};

/* A place has one worker, and while that is replaced, the next one too. */
struct place {
    struct worker worker, next;
    unsigned failures;           /* in a row */
    int64_t restart_ns;          /* when it is to be started again; 0: it runs */
};

struct supervisor {
    const struct supervise_opts *opts;
    struct place places[SUPERVISE_WORKERS_MAX];
    int signal_fd, notify_fd;
    char notify_name[NOTIFY_NAME_SIZE];
    sigset_t inherited;
    bool stopping, all_were_ready, one_was_ready, failed;
    unsigned replacing;          /* the place whose worker is being replaced; opts->workers: none is */
    bool replace_again;          /* SIGHUP came meanwhile, or before all were ready */
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In one write, since the workers say things there too. */
static void say(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    dprintf(STDERR_FILENO, "tandemctl supervise: %s\n", line);
}

static void tell(const char *state)
{
    if (notify(state))
        say("%s", err_cause());
}

/* ---- starting, and starting again ---- */

static void end_all(struct supervisor *supervisor)
{
    if (!supervisor->stopping)
        tell(NOTIFY_STOPPING);
    supervisor->stopping = true;
    for (unsigned i = 0; i < supervisor->opts->workers; i++) {
        worker_stop(&supervisor->places[i].worker);
        worker_stop(&supervisor->places[i].next);
        supervisor->places[i].restart_ns = 0;
    }
}

static void fail(struct supervisor *supervisor)
{
    supervisor->failed = true;
    end_all(supervisor);
}

static void restart_later(struct supervisor *supervisor, struct place *place)
{
    unsigned pause_ms = backoff_ms(++place->failures, RETRY_FIRST_MS, RETRY_MAX_MS);
    place->restart_ns = clock_now_ns() + pause_ms * NS_PER_MS;
    say("worker %u is started again in %u ms", (unsigned)(place - supervisor->places) + 1, pause_ms);
}

static void start(struct supervisor *supervisor, struct place *place)
{
    place->restart_ns = 0;
    if (worker_start(&place->worker, supervisor->opts, supervisor->notify_name) == ERR_NONE)
        return;
    say("%s", err_cause());
    if (supervisor->one_was_ready)
        restart_later(supervisor, place);
    else
        fail(supervisor);
}

/* ---- replacing one by one ---- */

static void replace_as_asked(struct supervisor *supervisor);

/* The next one of this place, or the first one of the next place; what cannot be replaced stays as it is. */
static void replace_from(struct supervisor *supervisor, unsigned from)
{
    supervisor->replacing = from;
    if (from < supervisor->opts->workers) {
        struct place *place = &supervisor->places[from];
        if (place->worker.state == WORKER_NONE) {
            start(supervisor, place);
            place->next = (struct worker){.state = WORKER_NONE};
        } else if (worker_start(&place->next, supervisor->opts, supervisor->notify_name)) {
            say("%s; the workers stay as they are", err_cause());
            supervisor->replacing = supervisor->opts->workers;
        }
        return;
    }
    say("all workers are replaced");
    replace_as_asked(supervisor);
}

static void replace_as_asked(struct supervisor *supervisor)
{
    if (!supervisor->replace_again)
        return;
    supervisor->replace_again = false;
    replace_from(supervisor, 0);
}

static bool is_replacing(const struct supervisor *supervisor)
{
    return supervisor->replacing < supervisor->opts->workers;
}

static void replace_all(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    if (is_replacing(supervisor) || !supervisor->all_were_ready)
        supervisor->replace_again = true;
    else
        replace_from(supervisor, 0);
}

/* The new one does not get ready: the old one stays, and the others too. */
static void give_up_replacing(struct supervisor *supervisor, const char *why)
{
    say("the new worker %u %s; the workers stay as they are", supervisor->replacing + 1, why);
    supervisor->replacing = supervisor->opts->workers;
    supervisor->replace_again = false;
}

/* ---- what happens to workers ---- */

static bool all_are_ready(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->opts->workers; i++)
        if (supervisor->places[i].worker.state != WORKER_READY)
            return false;
    return true;
}

static void became_ready(struct supervisor *supervisor, struct place *place, struct worker *worker)
{
    unsigned number = (unsigned)(place - supervisor->places);
    if (worker->state != WORKER_STARTING)
        return;
    worker->state = WORKER_READY;
    worker->since_ns = clock_now_ns();
    supervisor->one_was_ready = true;
    if (worker == &place->next)
        worker_stop(&place->worker);
    else if (supervisor->replacing == number)
        replace_from(supervisor, number + 1);
    if (!supervisor->all_were_ready && all_are_ready(supervisor)) {
        supervisor->all_were_ready = true;
        tell(NOTIFY_READY);
        replace_as_asked(supervisor);
    }
}

static void hear(struct supervisor *supervisor)
{
    pid_t from;
    bool ready;
    while (notify_take(supervisor->notify_fd, &from, &ready)) {
        for (unsigned i = 0; ready && i < supervisor->opts->workers; i++) {
            struct place *place = &supervisor->places[i];
            if (place->next.state != WORKER_NONE && place->next.pid == from)
                became_ready(supervisor, place, &place->next);
            else if (place->worker.state != WORKER_NONE && place->worker.pid == from)
                became_ready(supervisor, place, &place->worker);
        }
    }
}

static void say_end(const struct supervisor *supervisor, const struct place *place, pid_t pid, int status)
{
    say("worker %u, process %ld, ended with %s %d", (unsigned)(place - supervisor->places) + 1, (long)pid,
        WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* With status 0, or by the very signal that asked it to end: one that has just been started takes none yet. */
static bool is_orderly(bool asked, int status)
{
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           (asked && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* The place's own worker is gone: its successor takes the place, or it is started again. */
static void worker_ended(struct supervisor *supervisor, struct place *place, struct worker ended, int status)
{
    unsigned number = (unsigned)(place - supervisor->places);
    bool asked = ended.state == WORKER_STOPPING, orderly = is_orderly(asked, status);
    place->worker = place->next;
    place->next = (struct worker){.state = WORKER_NONE};
    if (!asked || !orderly)
        say_end(supervisor, place, ended.pid, status);
    if (supervisor->stopping) {
        supervisor->failed |= !orderly;
        return;
    }
    bool was_healthy = ended.state == WORKER_READY && clock_now_ns() - ended.since_ns >= HEALTHY_MS * NS_PER_MS;
    if (was_healthy || place->worker.state == WORKER_READY)
        place->failures = 0;
    if (place->worker.state == WORKER_READY && supervisor->replacing == number)
        replace_from(supervisor, number + 1);
    else if (place->worker.state == WORKER_NONE && supervisor->one_was_ready)
        restart_later(supervisor, place);
    else if (!supervisor->one_was_ready)
        fail(supervisor);
}

static void next_ended(struct supervisor *supervisor, struct place *place, int status)
{
    say_end(supervisor, place, place->next.pid, status);
    place->next = (struct worker){.state = WORKER_NONE};
    if (supervisor->stopping)
        return;
    give_up_replacing(supervisor, "has ended");
}

static void reap(struct supervisor *supervisor)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < supervisor->opts->workers; i++) {
            struct place *place = &supervisor->places[i];
            if (place->worker.state != WORKER_NONE && place->worker.pid == pid)
                worker_ended(supervisor, place, place->worker, status);
            else if (place->next.state != WORKER_NONE && place->next.pid == pid)
                next_ended(supervisor, place, status);
        }
    }
}

/* ---- deadlines ---- */

static bool is_late(const struct supervisor *supervisor, const struct worker *worker)
{
    return worker->state == WORKER_STARTING &&
           clock_now_ns() - worker->since_ns > supervisor->opts->ready_timeout_ms * NS_PER_MS;
}

static void look_after(struct supervisor *supervisor, struct place *place)
{
    if (place->restart_ns && clock_now_ns() >= place->restart_ns)
        start(supervisor, place);
    if (is_late(supervisor, &place->worker)) {
        say("worker %u did not get ready in time", (unsigned)(place - supervisor->places) + 1);
        worker_stop(&place->worker);
    }
    if (is_late(supervisor, &place->next))
        worker_stop(&place->next);
    worker_kill_when_late(&place->worker, supervisor->opts->stop_timeout_ms);
    worker_kill_when_late(&place->next, supervisor->opts->stop_timeout_ms);
}

/* Whether any deadline runs: a worker that is not simply there. */
static bool is_restless(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->opts->workers; i++) {
        const struct place *place = &supervisor->places[i];
        if (place->worker.state != WORKER_READY || place->next.state != WORKER_NONE)
            return true;
    }
    return false;
}

static bool any_runs(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->opts->workers; i++)
        if (supervisor->places[i].worker.state != WORKER_NONE || supervisor->places[i].next.state != WORKER_NONE)
            return true;
    return false;
}

/* ---- signals ---- */

static void pass_on(const struct supervisor *supervisor, int signal)
{
    for (unsigned i = 0; i < supervisor->opts->workers; i++) {
        const struct place *place = &supervisor->places[i];
        if (place->worker.state != WORKER_NONE)
            kill(place->worker.pid, signal);
        if (place->next.state != WORKER_NONE)
            kill(place->next.pid, signal);
    }
}

static void take_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo got;
    while (read(supervisor->signal_fd, &got, sizeof got) == sizeof got) {
        if (got.ssi_signo == SIGTERM || got.ssi_signo == SIGINT)
            end_all(supervisor);
        else if (got.ssi_signo == SIGHUP)
            replace_all(supervisor);
        else if (got.ssi_signo == SIGUSR1)
            pass_on(supervisor, SIGUSR1);
    }
    reap(supervisor);
}

static enum err open_signals(struct supervisor *supervisor)
{
    static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        sigaddset(&set, taken[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    supervisor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return supervisor->signal_fd >= 0 ? ERR_NONE : err_because(ERR_IO, "signalfd: %s", strerror(errno));
}

/* ---- the whole ---- */

static void run(struct supervisor *supervisor)
{
    struct pollfd watched[] = {
        {.fd = supervisor->signal_fd, .events = POLLIN},
        {.fd = supervisor->notify_fd, .events = POLLIN},
    };
    for (unsigned i = 0; i < supervisor->opts->workers && !supervisor->failed; i++)
        start(supervisor, &supervisor->places[i]);
    while (!supervisor->stopping || any_runs(supervisor)) {
        poll(watched, 2, is_restless(supervisor) ? TICK_MS : -1);
        hear(supervisor);
        take_signals(supervisor);
        for (unsigned i = 0; i < supervisor->opts->workers; i++)
            look_after(supervisor, &supervisor->places[i]);
    }
}

int supervise(const struct supervise_opts *opts)
{
    struct supervisor supervisor = {.opts = opts, .signal_fd = -1, .notify_fd = -1, .replacing = opts->workers};
    enum err err = open_signals(&supervisor);
    if (!err)
        err = notify_open(&supervisor.notify_fd, supervisor.notify_name);
    if (err)
        say("%s", err_cause());
    else
        run(&supervisor);
    if (supervisor.signal_fd >= 0)
        close(supervisor.signal_fd);
    if (supervisor.notify_fd >= 0)
        close(supervisor.notify_fd);
    return err || supervisor.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
