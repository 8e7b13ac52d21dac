#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/ctl/supervise.h"
#include "base/clock.h"

/* In the new process: what it inherits, and no more. A terminal's Ctrl-C is for the supervisor, so it has a group of
 * its own. */
static void become(const struct supervise_opts *opts, const char *notify_name, pid_t supervisor)
{
    static const char *const not_for_it[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC",
                                             "WATCHDOG_PID"};
    sigset_t none;
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != supervisor || dup2(opts->listen_fd, STDIN_FILENO) < 0)
        return;
    for (size_t i = 0; i < sizeof not_for_it / sizeof not_for_it[0]; i++)
        unsetenv(not_for_it[i]);
    if (setenv("NOTIFY_SOCKET", notify_name, 1))
        return;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(opts->program[0], opts->program);
}

/* The pipe closes with a successful exec(), or brings its error. */
static int error_of_exec(int pipe)
{
    int error = 0;
    ssize_t got;
    do
        got = read(pipe, &error, sizeof error);
    while (got < 0 && errno == EINTR);
    return got == sizeof error ? error : 0;
}

enum err worker_start(struct worker *worker, const struct supervise_opts *opts, const char *notify_name)
{
    int ends[2];
    pid_t supervisor = getpid();
    if (pipe2(ends, O_CLOEXEC))
        return err_because(ERR_IO, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        become(opts, notify_name, supervisor);
        int error = errno;
        _exit(write(ends[1], &error, sizeof error) == sizeof error ? 127 : 126);
    }
    int error = pid < 0 ? errno : 0;
    close(ends[1]);
    if (pid > 0)
        error = error_of_exec(ends[0]);
    close(ends[0]);
    if (pid > 0 && error)
        waitpid(pid, NULL, 0);
    if (error)
        return err_because(ERR_IO, "%s %s: %s", pid < 0 ? "fork for" : "cannot run", opts->program[0], strerror(error));
    *worker = (struct worker){.state = WORKER_STARTING, .pid = pid, .since_ns = clock_now_ns()};
    return ERR_NONE;
}

void worker_stop(struct worker *worker)
{
    if (worker->state == WORKER_NONE)
        return;
    kill(worker->pid, SIGTERM);
    if (worker->state != WORKER_STOPPING)
        worker->since_ns = clock_now_ns();
    worker->state = WORKER_STOPPING;
}

void worker_kill_when_late(struct worker *worker, unsigned timeout_ms)
{
    bool late = worker->state == WORKER_STOPPING && clock_now_ns() - worker->since_ns > timeout_ms * NS_PER_MS;
    if (!late || worker->killed)
        return;
    worker->killed = true;
    kill(-worker->pid, SIGKILL);   /* with all that it started */
}
