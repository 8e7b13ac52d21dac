#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"

enum { ASK_EVERY_MS = 2, RUN_TIMEOUT_MS = 120000, LOG_TAIL = 400, PORT_FIRST = 10000, PORTS = 20000 };

/* ---- programs ---- */

/* Web servers are in sbin, where an ordinary user does not look. */
static void look_in_sbin_too(void)
{
    char path[4096];
    const char *given = getenv("PATH");
    int length = snprintf(path, sizeof path, "%s:/usr/sbin:/sbin", given ? given : "/usr/bin:/bin");
    if (length < (int)sizeof path)
        setenv("PATH", path, 1);
}

static void become(const char *const *argv, const char *log, int end_signal, pid_t parent)
{
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0)
        _exit(126);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, end_signal);
    if (getppid() != parent)
        _exit(126);
    look_in_sbin_too();
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

enum err process_start(const char *const *argv, const char *log, int end_signal, struct process *ret)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return err_because(ERR_IO, "fork for %s: %s", argv[0], strerror(errno));
    if (pid == 0)
        become(argv, log, end_signal, parent);
    setpgid(pid, pid);   /* here too, so that it holds from now on, whoever is first */
    ret->pid = pid;
    snprintf(ret->log, sizeof ret->log, "%s", log);
    return ERR_NONE;
}

bool process_runs(struct process *process, int *ret_status)
{
    int status = 0;
    if (process->pid == 0)
        return false;
    if (waitpid(process->pid, &status, WNOHANG) == 0)
        return true;
    process->pid = 0;
    if (ret_status)
        *ret_status = status;
    return false;
}

static const char *log_tail(const char *log, char out[static LOG_TAIL])
{
    int fd = open(log, O_RDONLY);
    ssize_t length = 0;
    if (fd >= 0) {
        off_t size = lseek(fd, 0, SEEK_END);
        lseek(fd, size > LOG_TAIL - 1 ? size - (LOG_TAIL - 1) : 0, SEEK_SET);
        length = read(fd, out, LOG_TAIL - 1);
        close(fd);
    }
    out[length > 0 ? length : 0] = '\0';
    return out;
}

struct ending {
    struct process *process;
    int status;
};

static bool has_ended(void *context)
{
    struct ending *ending = context;
    return !process_runs(ending->process, &ending->status);
}

static enum err judge(const struct process *process, int status)
{
    char tail[LOG_TAIL];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ERR_NONE;
    return err_because(ERR_INTERNAL, "ended with %s %d; %s ends: %s", WIFEXITED(status) ? "status" : "signal",
                       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), process->log,
                       log_tail(process->log, tail));
}

void process_kill(struct process *process)
{
    if (process->pid == 0)
        return;
    kill(-process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    process->pid = 0;
}

enum err process_stop(struct process *process, int signal, unsigned timeout_ms)
{
    struct ending ending = {.process = process};
    if (process->pid == 0)
        return ERR_NONE;
    kill(process->pid, signal);
    if (process_until(has_ended, &ending, timeout_ms))
        return judge(process, ending.status);
    char tail[LOG_TAIL];
    process_kill(process);
    return err_because(ERR_DEADLINE, "did not end within %u ms of signal %d; %s ends: %s", timeout_ms, signal,
                       process->log, log_tail(process->log, tail));
}

enum err process_run(const char *const *argv, const char *log)
{
    struct process process = {0};
    struct ending ending = {.process = &process};
    enum err err = process_start(argv, log, SIGKILL, &process);
    if (err)
        return err;
    if (process_until(has_ended, &ending, RUN_TIMEOUT_MS))
        return judge(&process, ending.status);
    process_kill(&process);
    return err_because(ERR_DEADLINE, "%s did not end within %d ms", argv[0], RUN_TIMEOUT_MS);
}

bool process_until(bool (*holds)(void *context), void *context, unsigned timeout_ms)
{
    int64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    while (!holds(context)) {
        if (clock_now_ns() > deadline_ns)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = ASK_EVERY_MS * NS_PER_MS}, NULL);
    }
    return true;
}

/* ---- ports and folders ---- */

static bool port_is_free(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((in_port_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    bool is_free = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                   bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

/* Below the ports that the kernel gives to outgoing connections, of which other tests make thousands; beginning
 * elsewhere in each process, so that tests at the same time do not meet. */
unsigned process_free_port(void)
{
    static unsigned turn;
    for (unsigned tries = 0; tries < PORTS; tries++) {
        unsigned port = PORT_FIRST + ((unsigned)getpid() * 211 + turn++) % PORTS;
        if (port_is_free(port))
            return port;
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

void process_remove(const char *folder)
{
    if (!getenv("TANDEM_KEEP"))
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Waits for the end of the test, which closes the other end of the pipe; programs that the test had running are then
 * being ended by the kernel, so it sweeps until nothing comes back. */
static void guard(const char *folder, int alive)
{
    char none;
    setpgid(0, 0);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    while (read(alive, &none, 1) < 0 && errno == EINTR)
        continue;
    for (int sweep = 0; sweep < 500; sweep++) {
        process_remove(folder);
        if (access(folder, F_OK) != 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    _exit(0);
}

char *process_folder(void)
{
    const char *parent = getenv("TMPDIR");
    char path[128];
    int alive[2];
    snprintf(path, sizeof path, "%s/tandem-XXXXXX", parent && strlen(parent) < 60 ? parent : "/tmp");
    if (!mkdtemp(path) || pipe2(alive, O_CLOEXEC) < 0)
        return NULL;
    pid_t pid = fork();
    if (pid == 0) {
        close(alive[1]);
        guard(path, alive[0]);
    }
    close(alive[0]);   /* the other end stays open until this process is gone */
    return pid > 0 ? strdup(path) : NULL;
}
