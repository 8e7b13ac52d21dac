/* dnsmasq, with the records of a test: SRV for what is put, A for the names that those have. Its lifetimes are 1 s. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/registry_server.h"

enum { PATH_SIZE = 256, RECORDS_SIZE = 16384, READY_MS = 10000, PROGRAM_MS = 500 };

static struct process server;
static char *folder;
static char address[64], records[RECORDS_SIZE];
static unsigned port;

static const char *lacks(void)
{
    return access("/usr/sbin/dnsmasq", X_OK) < 0 ? "dnsmasq is not installed (Debian: dnsmasq-base)" : NULL;
}

static enum err write_configuration(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return err_because(ERR_IO, "no configuration of dnsmasq");
    fprintf(file, "port=%u\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\n", port);
    fprintf(file, "keep-in-foreground\nlocal-ttl=1\nlocal=/test/\npid-file=%s/pid\nlog-facility=-\n%s", folder,
            records);
    if (geteuid() == 0)
        fprintf(file, "user=root\ngroup=root\n");
    return fclose(file) == 0 ? ERR_NONE : err_because(ERR_IO, "no configuration of dnsmasq");
}

/* It answers, if only that there is nothing. */
static bool answers(void *context)
{
    struct discovery_opts opts = {.driver = "dns", .servers = address, .domain = "test", .timeout_ms = PROGRAM_MS,
                                  .refresh_ms = 60000, .retry_first_ms = 1000, .retry_max_ms = 1000};
    struct discovery *discovery;
    struct discovery_watch *watch;
    struct discovery_state state = {.is_known = false};
    (void)context;
    if (discovery_open(&opts, &discovery))
        return false;
    if (discovery_watch(discovery, "ready", NULL, NULL, &watch) == ERR_NONE && discovery_wait(watch, READY_MS))
        discovery_state(watch, &state);
    discovery_close(discovery);
    return state.is_known;
}

static enum err start_again(bool forgetful)
{
    char configuration[PATH_SIZE], log[PATH_SIZE];
    if (forgetful)
        records[0] = '\0';
    snprintf(configuration, sizeof configuration, "%s/dnsmasq.conf", folder);
    snprintf(log, sizeof log, "%s/dnsmasq.log", folder);
    enum err err = write_configuration(configuration);
    char option[PATH_SIZE + 16];
    snprintf(option, sizeof option, "--conf-file=%s", configuration);
    const char *const argv[] = {"dnsmasq", option, NULL};
    if (!err)
        err = process_start(argv, log, SIGKILL, &server);
    if (!err && !process_until(answers, NULL, READY_MS))
        err = err_because(ERR_DEADLINE, "dnsmasq does not answer");
    return err;
}

static void kill_it(void)
{
    process_kill(&server);
}

static enum err start(void)
{
    folder = process_folder();
    if (!folder)
        return err_because(ERR_IO, "no temporary folder");
    port = process_free_port();
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    return start_again(true);
}

static void stop(void)
{
    kill_it();
    if (folder)
        process_remove(folder);
    free(folder);
    folder = NULL;
}

static void opts(struct discovery_opts *opts)
{
    opts->driver = "dns";
    opts->servers = address;
    opts->domain = "test";
}

/* dnsmasq reads its records at its start only. */
static enum err put(struct discovery *discovery, const char *service, const struct instance *list, size_t count)
{
    int length = 0;
    (void)discovery;
    records[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        length += snprintf(records + length, sizeof records - (size_t)length,
                           "srv-host=_%s._tcp.%s.test,%s.%s.test,%u,0,%u\naddress=/%s.%s.test/%s\n", list[i].scheme,
                           service, list[i].id, service, list[i].port, list[i].weight, list[i].id, service,
                           list[i].address);
    }
    if (!server.pid)
        return ERR_NONE;   /* it is away, and will have them when it is back */
    kill_it();
    return start_again(false);
}

const struct registry_server registry_server_dns = {
    .name = "dns",
    .abilities = REGISTRY_AWAY | REGISTRY_DOUBTED,
    .lacks = lacks,
    .start = start,
    .stop = stop,
    .opts = opts,
    .put = put,
    .kill = kill_it,
    .start_again = start_again,
};
