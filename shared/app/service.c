#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/arguments.h"
#include "app/idempotency.h"
#include "app/notify.h"
#include "app/part.h"
#include "app/service.h"
#include "base/clock.h"
#include "conf/settings.h"
#include "telemetry/log.h"

enum { SWEEP_INTERVAL_S = 60, LOG_CLOSE_MS = 1000, DRAIN_STEP_NS = 2 * NS_PER_MS };

/* ---- signals: the main thread's, everywhere else blocked ---- */

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
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
    struct sweep sweep = {
        .retention_s = (unsigned)settings_int(service->settings, "idempotency.retention_s"),
        .more = true,
    };
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
    const struct timespec interval = {.tv_sec = SWEEP_INTERVAL_S};
    for (;;) {
        int got = sigtimedwait(signals, NULL, &interval);
        if (got == SIGTERM || got == SIGINT)
            return;
        if (got < 0 && errno == EAGAIN)
            sweep_idempotency_keys(service);
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

static int64_t ns_from_now(const struct service *service, const char *setting)
{
    return clock_now_ns() + settings_int(service->settings, setting) * NS_PER_MS;
}

/* First not ready, while whoever asks is still answered: those who choose between processes need time to notice. Then
 * nothing new. Slow peers are cut off in the end, handlers never: what they wait for has limits of its own, and the
 * parts they use are still there. */
static void drain(struct service *service, const sigset_t *signals)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
    atomic_store(&service->draining, true);
    tell(NOTIFY_STOPPING);
    server_retire(service->server);
    bool patient = linger(service, signals, ns_from_now(service, "server.drain_delay_ms"), true);
    server_drain(service->server);
    if (patient)
        linger(service, signals, ns_from_now(service, "server.drain_timeout_ms"), false);
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
    enum err err = parts_start(service_parts, service_part_count, service, &started);
    if (err) {
        log_event(LOG_CRITICAL, "cannot start", LOG_STRING("part", service_parts[started].name), LOG_ERR(err));
    } else {
        log_event(LOG_INFO, "started", LOG_STRING("version", PACKAGE_VERSION), LOG_INT("pid", getpid()),
                  LOG_INT("startup_us", (clock_now_ns() - begun_ns) / 1000));
        tell(NOTIFY_READY);
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
    struct service service = {.definition = definition};
    struct settings *settings = NULL;
    int status = EXIT_SUCCESS;
    sigset_t signals;
    if (sodium_init() < 0) {
        fprintf(stderr, "%s: libsodium cannot be initialised\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (!arguments_read(definition, argc, argv, &settings, &status))
        return status;
    block_signals(&signals);
    service.settings = settings;
    status = arguments_open_log(definition, settings) == ERR_NONE ? run(&service, &signals) : EXIT_FAILURE;
    log_close(LOG_CLOSE_MS);
    settings_unref(settings);
    return status;
}
