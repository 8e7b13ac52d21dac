/* tandemctl supervise: its command line. */
#include "config.h"

#include "apps/ctl/commands.h"
#include "apps/ctl/supervise.h"
#include "net/listen.h"

enum { SOCKET_MODE = 0660, TIMEOUT_MAX_MS = 3600000, READY_MS = 30000, STOP_MS = 30000 };

int command_supervise(const struct invocation *invocation)
{
    long workers, mode, ready_ms, stop_ms;
    if (!invocation_number(invocation, "workers", 1, SUPERVISE_WORKERS_MAX, 1, &workers) ||
        !invocation_mode(invocation, "socket-mode", SOCKET_MODE, &mode) ||
        !invocation_number(invocation, "ready-timeout-ms", 1, TIMEOUT_MAX_MS, READY_MS, &ready_ms) ||
        !invocation_number(invocation, "stop-timeout-ms", 1, TIMEOUT_MAX_MS, STOP_MS, &stop_ms))
        return EXIT_USAGE;
    struct listen_opts listen_opts = {
        .address = invocation_value(invocation, "listen"),
        .socket_mode = (unsigned)mode,
    };
    struct listener listener = {.fd = -1};
    if (listener_open(&listen_opts, &listener))
        return invocation_failure("supervise: %s", err_cause());
    struct supervise_opts opts = {
        .program = invocation->program,
        .listen_fd = listener.fd,
        .workers = (unsigned)workers,
        .ready_timeout_ms = (unsigned)ready_ms,
        .stop_timeout_ms = (unsigned)stop_ms,
    };
    int status = supervise(&opts);
    listener_close(&listener);
    return status;
}
