#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "app/discovery_settings.h"
#include "app/fault_settings.h"
#include "app/log_settings.h"
#include "app/metrics.h"
#include "app/reload.h"
#include "app/service.h"
#include "app/trace_settings.h"
#include "base/clock.h"
#include "conf/current.h"
#include "conf/debounce.h"
#include "conf/option.h"
#include "conf/watch.h"
#include "state/thread.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_CONF

enum { FAULTS_MAX_BYTES = 64 * 1024, FAULT_SIZE = 400, NAMES_MAX_BYTES = 1024, ARENA_MAX = 1024 * 1024 };

struct reload {
    struct service *service;
    struct watch *watch;          /* NULL: only when asked */
    int wake_fd;
    atomic_bool asked, stopping;
    pthread_t thread;
    struct metric_series reloads, failures, last_success;
    pthread_mutex_t lock;
    char fault[FAULT_SIZE];       /* the first of the latest reload; "" when it was well */
};

static void set_fault(struct reload *reload, struct text fault)
{
    pthread_mutex_lock(&reload->lock);
    snprintf(reload->fault, sizeof reload->fault, "%.*s", TEXT_ARGS(fault));
    pthread_mutex_unlock(&reload->lock);
    metric_set(reload->last_success, fault.length == 0);
}

enum err reload_state(struct reload *reload)
{
    pthread_mutex_lock(&reload->lock);
    enum err err = *reload->fault ? err_because(ERR_CONFIG, "%s", reload->fault) : ERR_NONE;
    pthread_mutex_unlock(&reload->lock);
    return err;
}

/* ---- watching ---- */

/* Before each reading, so that no change falls between the two. */
static void watch_files(struct reload *reload)
{
    const struct settings_opts *opts = reload->service->settings_opts;
    bool is_signed = *settings_text(reload->service->settings, OPTION_CONF_PUBLIC_KEY_FILE) != '\0';
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct sources *sources = reload->watch ? arena_calloc(&arena, 1, sizeof *sources) : NULL;
    if (sources && sources_find(opts->file, opts->environment, &arena, sources) == ERR_NONE) {
        enum err err = watch_sources(reload->watch, sources, is_signed);
        if (err)
            log_event(LOG_WARNING, "not all settings files are watched", LOG_ERR(err));
    }
    arena_fini(&arena);
}

/* ---- reading ---- */

/* The paths of the options for which that holds. */
static struct text names_of(const struct settings *settings, struct buf *names,
                            bool (*is_one)(const struct settings *settings, enum option_id option))
{
    buf_reset(names, NAMES_MAX_BYTES);
    for (size_t i = 0; i < option_count; i++) {
        if (is_one(settings, (enum option_id)i))
            buf_addf(names, "%s%s", names->length ? ", " : "", option_table[i].path);
    }
    return buf_text(names);
}

static void log_changes(const struct settings *settings)
{
    struct buf names;
    buf_init(&names, NAMES_MAX_BYTES);
    if (names_of(settings, &names, settings_changed).length > 0)
        log_event(LOG_INFO, "settings that changed", LOG_TEXT("options", buf_text(&names)));
    if (names_of(settings, &names, settings_awaits_restart).length > 0)
        log_event(LOG_WARNING, "settings that changed, but need a restart to take effect",
                  LOG_TEXT("options", buf_text(&names)));
    buf_fini(&names);
}

static bool differs(const struct settings *settings)
{
    for (size_t i = 0; i < option_count; i++) {
        if (settings_changed(settings, (enum option_id)i) || settings_awaits_restart(settings, (enum option_id)i))
            return true;
    }
    return false;
}

static void take_effect(struct service *service, const struct settings *settings)
{
    log_settings_apply(settings);
    fault_settings_apply(settings);
    metrics_reload(settings);
    trace_settings_apply(settings);
    discovery_settings_apply(service, settings);
    if (service->definition->reload)
        service->definition->reload(service, settings);
}

static void succeed(struct reload *reload, struct settings *settings)
{
    current_put(&reload->service->current, settings_ref(settings));
    take_effect(reload->service, settings);
    set_fault(reload, TEXT(""));
    log_event(LOG_INFO, "settings reloaded", LOG_STRING("digest", settings_digest(settings)));
    log_changes(settings);
}

static void fail(struct reload *reload, enum err err, struct text faults)
{
    struct text first = faults.length > 0 ? faults : text_of(err_cause());
    metric_add(reload->failures, 1);
    set_fault(reload, text_split(&first, '\n'));
    log_event(LOG_ERROR, "settings not reloaded; the old ones stay", LOG_ERR(err));
    while (faults.length > 0)
        log_event(LOG_ERROR, "a fault in the settings", LOG_TEXT("fault", text_split(&faults, '\n')));
}

/* At the start there is mostly nothing to tell: what was read a moment ago is still there. */
static void read_again(struct reload *reload, bool at_start)
{
    struct settings *running = current_take(&reload->service->current), *settings = NULL;
    struct settings_opts opts = *reload->service->settings_opts;
    struct buf faults;
    opts.running = running;
    buf_init(&faults, FAULTS_MAX_BYTES);
    watch_files(reload);
    enum err err = settings_load(&opts, &faults, &settings);
    if (err || !at_start || differs(settings)) {
        metric_add(reload->reloads, 1);
        if (err)
            fail(reload, err, buf_text(&faults));
        else
            succeed(reload, settings);
    }
    settings_unref(settings);
    buf_fini(&faults);
    settings_unref(running);
}

/* ---- the thread ---- */

static void drain_wake(struct reload *reload)
{
    uint64_t count;
    while (read(reload->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}

static void *run(void *context)
{
    struct reload *reload = context;
    struct debounce debounce = {.first_ns = 0};
    read_again(reload, true);
    while (!atomic_load(&reload->stopping)) {
        struct pollfd fds[] = {
            {.fd = reload->wake_fd, .events = POLLIN},
            {.fd = reload->watch ? watch_fd(reload->watch) : -1, .events = POLLIN},
        };
        poll(fds, sizeof fds / sizeof fds[0], debounce_left_ms(&debounce, clock_now_ns()));
        if (fds[0].revents)
            drain_wake(reload);
        if (fds[1].revents && watch_changed(reload->watch))
            debounce_note(&debounce, clock_now_ns());
        if (atomic_exchange(&reload->asked, false) || debounce_left_ms(&debounce, clock_now_ns()) == 0) {
            debounce_clear(&debounce);
            read_again(reload, false);
        }
    }
    return NULL;
}

static void wake(struct reload *reload)
{
    const uint64_t one = 1;
    while (write(reload->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void reload_ask(struct reload *reload)
{
    if (!reload)
        return;
    atomic_store(&reload->asked, true);
    wake(reload);
}

/* ---- start and stop ---- */

static void reload_free(struct reload *reload)
{
    fault_settings_count_end();
    watch_close(reload->watch);
    close(reload->wake_fd);
    pthread_mutex_destroy(&reload->lock);
    free(reload);
}

enum err reload_start(struct service *service)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (!reload)
        return err_because(ERR_MEMORY, "no memory to reload settings");
    reload->service = service;
    reload->reloads = metric_series(METRIC_CONFIG_RELOADS);
    reload->failures = metric_series(METRIC_CONFIG_RELOAD_FAILURES);
    reload->last_success = metric_series(METRIC_CONFIG_LAST_RELOAD);
    metric_set(reload->last_success, 1);
    pthread_mutex_init(&reload->lock, NULL);
    if (service->settings_opts->file && watch_open(&reload->watch) != ERR_NONE)
        log_event(LOG_WARNING, "settings are not watched; SIGHUP reloads them", LOG_ERR(ERR_IO));
    reload->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err err = reload->wake_fd < 0 ? err_because(ERR_IO, "eventfd: %s", strerror(errno)) : ERR_NONE;
    if (!err)
        err = fault_settings_count();
    if (!err)
        err = thread_start(&reload->thread, "settings", run, reload);
    if (err)
        reload_free(reload);
    else
        service->reload = reload;
    return err;
}

void reload_stop(struct service *service)
{
    struct reload *reload = service->reload;
    service->reload = NULL;
    atomic_store(&reload->stopping, true);
    wake(reload);
    pthread_join(reload->thread, NULL);
    reload_free(reload);
}
