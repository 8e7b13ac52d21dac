#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/service/apart.h"

enum { COMMAND_SIZE = 1024, NAME_SIZE = 32, PATH_SIZE = 256, NETWORKS = 250, READY_MS = 5000 };

static struct process holder;          /* keeps the namespace; it ends with the holder, and the line with it */
static char device[NAME_SIZE], here[NAME_SIZE], there[NAME_SIZE], pid[NAME_SIZE], log_path[PATH_SIZE];

static enum err run(const char *command)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    return process_run(argv, log_path);
}

/* The holder is in a namespace of its own once it has become sleep. */
static bool has_moved(void *context)
{
    char command[COMMAND_SIZE];
    (void)context;
    snprintf(command, sizeof command, "[ \"$(readlink /proc/self/ns/net)\" != \"$(readlink /proc/%s/ns/net)\" ]", pid);
    return run(command) == ERR_NONE;
}

static enum err join(void)
{
    char command[COMMAND_SIZE];
    snprintf(command, sizeof command,
             "set -e; ip link add %s type veth peer name line netns %s; ip addr add %s/24 dev %s; ip link set %s up; "
             "nsenter -t %s -n sh -c 'ip addr add %s/24 dev line; ip link set line up; ip link set lo up'",
             device, pid, here, device, device, pid, there);
    return run(command);
}

enum err apart_start(const char *log)
{
    const char *const argv[] = {"unshare", "-n", "--", "sleep", "infinity", NULL};
    unsigned number = (unsigned)getpid();
    snprintf(log_path, sizeof log_path, "%s", log);
    if (geteuid() != 0)
        return err_because(ERR_FORBIDDEN, "a network namespace can only be made by root here");
    enum err err = process_start(argv, log, SIGKILL, &holder);
    if (err)
        return err;
    snprintf(pid, sizeof pid, "%d", (int)holder.pid);
    snprintf(device, sizeof device, "tdm%u", number % 1000000);
    snprintf(here, sizeof here, "10.213.%u.1", number % NETWORKS);
    snprintf(there, sizeof there, "10.213.%u.2", number % NETWORKS);
    err = process_until(has_moved, NULL, READY_MS) ? join() : err_because(ERR_IO, "no network namespace can be made");
    if (err)
        apart_stop();
    return err;
}

void apart_stop(void)
{
    process_kill(&holder);
}

const char *apart_address_here(void) { return here; }
const char *apart_address_there(void) { return there; }

unsigned apart_prefix(const char **words, unsigned max)
{
    const char *const all[] = {"nsenter", "-t", pid, "-n", "--"};
    unsigned count = 0;
    while (count < sizeof all / sizeof all[0] && count < max) {
        words[count] = all[count];
        count++;
    }
    return count;
}

/* At the other end: with this one down its route would be gone, and another might lead somewhere else. */
enum err apart_cut(bool cut)
{
    char command[COMMAND_SIZE];
    snprintf(command, sizeof command, "nsenter -t %s -n ip link set line %s", pid, cut ? "down" : "up");
    return run(command);
}
