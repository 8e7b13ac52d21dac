/* tandemctl front render: the web server's upstream lists, from discovery, once or whenever they change. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/discovery_settings.h"
#include "app/notify.h"
#include "apps/ctl/commands.h"
#include "apps/ctl/front_render.h"
#include "base/clock.h"
#include "conf/option.h"
#include "conf/settings.h"

enum { SERVICES_MAX = 16, CONTENT_MAX_BYTES = 1024 * 1024, WAIT_MS = 10000, WAIT_MAX_MS = 3600000, SETTLE_MS = 100 };

struct front {
    enum front_kind kind;
    const char *out, *pid_file;
    struct discovery *discovery;
    struct discovery_watch *watches[SERVICES_MAX];
    const char *names[SERVICES_MAX];
    size_t count;
    bool owes_reload;              /* the file has changed, and the web server could not be told */
};

/* ---- the web server ---- */

static enum err read_pid(const char *path, pid_t *ret)
{
    FILE *file = fopen(path, "r");
    long pid = 0;
    if (!file)
        return err_because(ERR_IO, "%s: %s", path, strerror(errno));
    bool is_read = fscanf(file, "%ld", &pid) == 1 && pid > 1;
    fclose(file);
    if (!is_read)
        return err_because(ERR_INVALID, "%s has no process id", path);
    *ret = (pid_t)pid;
    return ERR_NONE;
}

/* Both begin anew with new processes, and let the old ones end what they have under way. */
static enum err have_it_reload(const struct front *front)
{
    static const int signals[FRONT_KINDS] = {[FRONT_NGINX] = SIGHUP, [FRONT_LIGHTTPD] = SIGUSR1};
    pid_t pid = 0;
    if (!front->pid_file)
        return ERR_NONE;
    enum err err = read_pid(front->pid_file, &pid);
    if (err)
        return err;
    return kill(pid, signals[front->kind]) == 0
               ? ERR_NONE
               : err_because(ERR_UNAVAILABLE, "%s, process %d: %s", front_name(front->kind), (int)pid, strerror(errno));
}

/* ---- rendering ---- */

/* Nothing is written while it is not known of every service where it is: what is there is then better. */
static enum err take_all(const struct front *front, struct front_service *services)
{
    for (size_t i = 0; i < front->count; i++) {
        services[i] = (struct front_service){front->names[i], discovery_take(front->watches[i])};
        if (!services[i].instances) {
            struct discovery_state state;
            discovery_state(front->watches[i], &state);
            return err_because(ERR_UNAVAILABLE, "nothing is known of %s yet%s%s", front->names[i],
                               state.err ? ": " : "", state.cause);
        }
    }
    return ERR_NONE;
}

static enum err put_out(struct front *front, struct text content)
{
    bool has_changed = false;
    if (!front->out) {
        fwrite(content.at, 1, content.length, stdout);
        return ERR_NONE;
    }
    enum err err = front_write(front->out, content, &has_changed);
    front->owes_reload = front->owes_reload || has_changed;
    if (!err && front->owes_reload)
        err = have_it_reload(front);
    front->owes_reload = front->owes_reload && err;
    if (!err && has_changed)
        fprintf(stderr, "tandemctl: %s is written\n", front->out);
    return err;
}

static enum err render(struct front *front)
{
    struct front_service services[SERVICES_MAX] = {{.name = NULL}};
    struct buf content;
    buf_init(&content, CONTENT_MAX_BYTES);
    enum err err = take_all(front, services);
    if (!err) {
        front_render(front->kind, services, front->count, &content);
        err = buf_check(&content);
    }
    if (!err)
        err = put_out(front, buf_text(&content));
    for (size_t i = 0; i < front->count; i++)
        instances_unref(services[i].instances);
    buf_fini(&content);
    return err;
}

/* ---- watching: changes wake the main thread by a signal that it waits for ---- */

static pthread_t main_thread;

static void changed(void *context, struct instances *instances)
{
    (void)context;
    (void)instances;
    pthread_kill(main_thread, SIGUSR2);
}

/* What comes together is written together. One that could not be written is tried again. */
static int follow(struct front *front, const sigset_t *signals)
{
    const struct timespec settle = {.tv_nsec = SETTLE_MS * NS_PER_MS}, again = {.tv_sec = 1};
    enum err err = render(front);
    if (notify(NOTIFY_READY))
        fprintf(stderr, "tandemctl: the supervisor cannot be told: %s\n", err_cause());
    for (;;) {
        int got = err ? sigtimedwait(signals, NULL, &again) : sigwaitinfo(signals, NULL);
        if (got == SIGTERM || got == SIGINT)
            return EXIT_SUCCESS;
        if (got == SIGUSR2)
            nanosleep(&settle, NULL);
        enum err before = err;
        err = render(front);
        if (err && !before)
            fprintf(stderr, "tandemctl: %s\n", err_cause());
    }
}

/* ---- the command ---- */

static void block_signals(sigset_t *set)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR2, SIGHUP};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(set, signals[i]);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    main_thread = pthread_self();
}

static bool read_kind(const struct invocation *invocation, enum front_kind *ret)
{
    const char *name = invocation->operands[0];
    for (enum front_kind i = 0; i < FRONT_KINDS; i++)
        if (strcmp(name, front_name(i)) == 0) {
            *ret = i;
            return true;
        }
    invocation_usage(invocation->command, "the front is nginx or lighttpd, not %s", name);
    return false;
}

static enum err watch_all(struct front *front)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; option_services[i] && i < SERVICES_MAX && !err; i++) {
        front->names[i] = option_services[i];
        err = discovery_watch(front->discovery, option_services[i], changed, NULL, &front->watches[i]);
        front->count += !err;
    }
    return err;
}

static int run(const struct invocation *invocation, struct front *front, unsigned wait_ms, const sigset_t *signals)
{
    if (watch_all(front))
        return invocation_failure("front render: %s", err_cause());
    for (size_t i = 0; i < front->count; i++)
        discovery_wait(front->watches[i], wait_ms);
    if (invocation_value(invocation, "watch"))
        return follow(front, signals);
    return render(front) ? invocation_failure("front render: %s", err_cause()) : EXIT_SUCCESS;
}

int command_front_render(const struct invocation *invocation)
{
    struct front front = {
        .out = invocation_value(invocation, "out"),
        .pid_file = invocation_value(invocation, "pid-file"),
    };
    long wait_ms;
    sigset_t signals;
    if (!read_kind(invocation, &front.kind) ||
        !invocation_number(invocation, "timeout-ms", 1, WAIT_MAX_MS, WAIT_MS, &wait_ms))
        return EXIT_USAGE;
    if (invocation_value(invocation, "watch") && !front.out)
        return invocation_usage(invocation->command, "--watch needs --out FILE");
    struct settings *settings = load_settings(invocation, NULL);
    if (!settings)
        return EXIT_FAILURE;
    block_signals(&signals);
    const struct discovery_opts opts = discovery_settings_opts(settings);
    int status = discovery_open(&opts, &front.discovery) ? invocation_failure("front render: %s", err_cause())
                                                         : run(invocation, &front, (unsigned)wait_ms, &signals);
    discovery_close(front.discovery);
    settings_unref(settings);
    return status;
}
