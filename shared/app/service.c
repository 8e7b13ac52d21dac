#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/arguments.h"
#include "app/discovery_settings.h"
#include "app/fault_settings.h"
#include "app/idempotency.h"
#include "app/log_settings.h"
#include "app/metrics.h"
#include "app/notify.h"
#include "app/part.h"
#include "app/reload.h"
#include "app/service.h"
#include "base/clock.h"
#include "conf/settings.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_APP

enum { MEASURE_INTERVAL_S = 1, SWEEP_INTERVAL_S = 60, LOG_CLOSE_MS = 1000, DRAIN_STEP_NS = 2 * NS_PER_MS };

/* What an arena of the heap keeps at its end rather than give it back to the kernel, to ask for it again, page by page,
 * in the next transaction; and from where on a piece of memory has a mapping of its own. */
enum { HEAP_KEPT_BYTES = 512 * 1024, HEAP_MAPPED_BYTES = 512 * 1024 };

/* Whoever starts this may have closed descriptors 0, 1 or 2. What is opened next would take their places, and the log
 * would be written to a socket or into a file. */
static void hold_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static void keep_heap(void)
{
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    mallopt(M_MMAP_THRESHOLD, HEAP_MAPPED_BYTES);
}

/* ---- signals: the main thread's, everywhere else blocked ---- */

/* Those that ask for something that other daemons do, and would end this one, are taken and do nothing. A peer that is
 * gone, and a file that may grow no further, are told by the call that meets them. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

struct sweep {
    unsigned retention_s;
    bool more;
};

static enum err sweep_some(struct db_connection *connection, void *context)
{
    struct sweep *sweep = context;
    return idempotency_sweep(connection, sweep->retention_s, &sweep->more);
}

/* Small steps, so that requests come in between. */
static void sweep_idempotency_keys(struct service *service)
{
    struct settings *settings = current_take(&service->current);
    struct sweep sweep = {
        .retention_s = (unsigned)settings_int(settings, OPTION_IDEMPOTENCY_RETENTION_S),
        .more = true,
    };
    settings_unref(settings);
    while (sweep.more) {
        enum err err = db_write(service->db, sweep_some, &sweep);
        if (err) {
            log_event(LOG_WARNING, "old idempotency keys could not be swept", LOG_ERR(err));
            return;
        }
    }
}

/* Until SIGTERM or SIGINT. */
static void wait_and_keep_house(struct service *service, const sigset_t *signals)
{
    const struct timespec interval = {.tv_sec = MEASURE_INTERVAL_S};
    int64_t sweep_ns = clock_now_ns() + SWEEP_INTERVAL_S * NS_PER_S;
    for (;;) {
        int got = sigtimedwait(signals, NULL, &interval);
        if (got == SIGTERM || got == SIGINT)
            return;
        if (got == SIGUSR1)
            log_reopen();
        if (got == SIGHUP)
            reload_ask(service->reload);
        if (got < 0 && errno == EAGAIN)
            metrics_measure(service);
        if (clock_now_ns() >= sweep_ns) {
            sweep_idempotency_keys(service);
            sweep_ns = clock_now_ns() + SWEEP_INTERVAL_S * NS_PER_S;
        }
    }
}

/* ---- the end: nothing new, what is under way is finished ---- */

static void tell(const char *state)
{
    if (notify(state))
        log_event(LOG_WARNING, "the supervisor cannot be told", LOG_STRING("cause", err_cause()));
}

static bool is_busy(const struct service *service)
{
    return server_busy(service->server) > 0 || atomic_load(&service->in_flight) > 0;
}

/* Until the time is up, or nothing is under way (unless even then). False when a second SIGTERM hurries. */
static bool linger(const struct service *service, const sigset_t *signals, int64_t until_ns, bool even_idle)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
    while (clock_now_ns() < until_ns && (even_idle || is_busy(service))) {
        if (sigtimedwait(signals, NULL, &step) == SIGTERM)
            return false;
    }
    return true;
}

static int64_t ns_from_now(const struct service *service, enum option_id option)
{
    return clock_now_ns() + settings_int(service->settings, option) * NS_PER_MS;
}

/* First nobody is sent here any more. Then not ready, while whoever asks is still answered: those who choose between
 * processes need time to notice. Then nothing new. Slow peers are cut off in the end, handlers never: what they wait
 * for has limits of its own, and the parts they use are still there. */
static void drain(struct service *service, const sigset_t *signals)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
    discovery_settings_withdraw(service);
    atomic_store(&service->draining, true);
    tell(NOTIFY_STOPPING);
    server_retire(service->server);
    bool patient = linger(service, signals, ns_from_now(service, OPTION_SERVER_DRAIN_DELAY_MS), true);
    server_drain(service->server);
    if (patient)
        linger(service, signals, ns_from_now(service, OPTION_SERVER_DRAIN_TIMEOUT_MS), false);
    if (is_busy(service))
        log_event(LOG_WARNING, "connections were cut off", LOG_INT("connections", server_busy(service->server)));
    atomic_store(&service->closed, true);
    while (atomic_load(&service->in_flight) > 0)
        nanosleep(&step, NULL);
}

static int run(struct service *service, const sigset_t *signals)
{
    size_t started;
    int64_t begun_ns = clock_now_ns();
    fault_settings_apply(service->settings);
    enum err err = parts_start(service_parts, service_part_count, service, &started);
    if (err) {
        log_event(LOG_CRITICAL, "cannot start", LOG_STRING("part", service_parts[started].name), LOG_ERR(err));
    } else {
        log_event(LOG_INFO, "started", LOG_STRING("version", PACKAGE_VERSION), LOG_INT("pid", getpid()),
                  LOG_INT("startup_us", (clock_now_ns() - begun_ns) / 1000));
        metrics_tell(service);
        tell(NOTIFY_READY);
        discovery_settings_register(service);
        wait_and_keep_house(service, signals);
        log_event(LOG_INFO, "stopping");
        drain(service, signals);
    }
    parts_stop(service_parts, started, service);
    if (!err)
        log_event(LOG_INFO, "stopped");
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int service_main(const struct service_definition *definition, int argc, char **argv)
{
    struct arguments arguments;
    struct service service = {.definition = definition, .settings_opts = &arguments.settings_opts};
    struct settings *settings = NULL;
    int status = EXIT_SUCCESS;
    sigset_t signals;
    keep_heap();
    hold_standard_descriptors();
    block_signals(&signals);
    if (sodium_init() < 0) {
        fprintf(stderr, "%s: libsodium cannot be initialised\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (!arguments_read(definition, argc, argv, &arguments, &settings, &status))
        return status;
    service.settings = settings;
    current_init(&service.current, settings);
    status = log_settings_open(definition->name, settings) == ERR_NONE ? run(&service, &signals) : EXIT_FAILURE;
    log_close(LOG_CLOSE_MS);
    current_fini(&service.current);
    settings_unref(settings);
    return status;
}
