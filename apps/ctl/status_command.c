/* Whether the services are ready, as a table. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/probe.h"
#include "conf/option.h"

enum { TIMEOUT_MS = 6000, TIMEOUT_MAX_MS = 3600000 };

/* Asks one service and prints its row. */
static bool show(const char *name, int name_length, const char *address, unsigned timeout_ms)
{
    struct probe_answer answer;
    enum err err = probe_get(address, "/readyz", timeout_ms, &answer);
    if (err) {
        printf("%-12.*s %-12s %8s  %s  (%s)\n", name_length, name, "unreachable", "-", address, err_cause());
        return false;
    }
    bool ready = answer.status == 200;
    char took[32];
    snprintf(took, sizeof took, "%.1f ms", (double)answer.took_us / 1000);
    printf("%-12.*s %-12s %8s  %s", name_length, name, ready ? "ready" : "not ready", took, address);
    if (!ready)
        printf("  (%d)", answer.status);
    putchar('\n');
    buf_fini(&answer.body);
    return ready;
}

static void show_heading(void)
{
    printf("%-12s %-12s %8s  %s\n", "SERVICE", "STATE", "TOOK", "ADDRESS");
}

static int show_given(const struct invocation *invocation, unsigned timeout_ms)
{
    bool all = true;
    const char *socket;
    for (size_t i = 0; (socket = invocation_value_at(invocation, "socket", i)) != NULL; i++) {
        const char *equals = strchr(socket, '=');
        if (!equals || equals == socket)
            return invocation_usage(invocation->command, "--socket %s: say it as NAME=ADDRESS", socket);
    }
    show_heading();
    for (size_t i = 0; (socket = invocation_value_at(invocation, "socket", i)) != NULL; i++) {
        const char *equals = strchr(socket, '=');
        all = show(socket, (int)(equals - socket), equals + 1, timeout_ms) && all;
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Where a service that does not say server.listen is found: at the socket that systemd's units hold for it. */
static bool show_known(const char *service, const struct settings *settings, unsigned timeout_ms)
{
    char address[PROBE_ADDRESS_SIZE];
    probe_address(service, settings, address);
    return show(service, (int)strlen(service), address, timeout_ms);
}

static int show_all_known(const struct invocation *invocation, unsigned timeout_ms)
{
    bool all = true;
    for (size_t i = 0; option_services[i]; i++) {
        struct settings *settings = load_settings(invocation, option_services[i]);
        if (!settings)
            return EXIT_FAILURE;
        if (i == 0)
            show_heading();
        all = show_known(option_services[i], settings, timeout_ms) && all;
        settings_unref(settings);
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

int command_status(const struct invocation *invocation)
{
    long timeout_ms;
    if (!invocation_number(invocation, "timeout-ms", 1, TIMEOUT_MAX_MS, TIMEOUT_MS, &timeout_ms))
        return EXIT_USAGE;
    if (invocation_value(invocation, "socket"))
        return show_given(invocation, (unsigned)timeout_ms);
    return show_all_known(invocation, (unsigned)timeout_ms);
}
