#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/process.h"
#include "check/harness/rabbitmq.h"

#define SERVER "/usr/lib/rabbitmq/bin/rabbitmq-server"
#define CONTROL "/usr/lib/rabbitmq/bin/rabbitmqctl"
#define SERVER_USER "rabbitmq"

enum {
    PATH_SIZE = 256, VALUE_SIZE = 320, VARIABLES_MAX = 24, ARGUMENTS_MAX = 48, CONTROL_ARGUMENTS_MAX = 7,
    START_TIMEOUT_MS = 120000, END_TIMEOUT_MS = 60000,
};

static struct {
    char *folder;
    struct process epmd, nodes[RABBITMQ_NODES_MAX];
    unsigned count, epmd_port, tls_port;
    unsigned ports[RABBITMQ_NODES_MAX], distribution_ports[RABBITMQ_NODES_MAX];
} rabbitmq;

const char *rabbitmq_lacks(void)
{
    if (access(SERVER, X_OK) != 0)
        return "RabbitMQ is not installed (Debian: rabbitmq-server)";
    if (geteuid() == 0 && !getpwnam(SERVER_USER))
        return "there is no user rabbitmq to run RabbitMQ as";
    return NULL;
}

const char *rabbitmq_path(const char *name)
{
    static char path[PATH_SIZE];
    if (!rabbitmq.folder)
        rabbitmq.folder = process_folder();
    snprintf(path, sizeof path, "%s/%s", rabbitmq.folder ? rabbitmq.folder : "/nonexistent", name);
    return path;
}

unsigned rabbitmq_port(unsigned node)
{
    return rabbitmq.ports[node];
}

unsigned rabbitmq_tls_port(void)
{
    return rabbitmq.tls_port;
}

/* ---- how it is run: as whom, and with which variables ---- */

struct command {
    const char *argv[ARGUMENTS_MAX];
    size_t count;
    char values[VARIABLES_MAX][VALUE_SIZE];
    size_t value_count;
};

static void add(struct command *command, const char *argument)
{
    command->argv[command->count++] = argument;
    command->argv[command->count] = NULL;
}

static void set(struct command *command, const char *name, const char *value)
{
    char *out = command->values[command->value_count++];
    snprintf(out, VALUE_SIZE, "%s=%s", name, value);
    add(command, out);
}

static void set_number(struct command *command, const char *name, unsigned value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    set(command, name, text);
}

static void set_path(struct command *command, const char *name, const char *format, unsigned node)
{
    char file[32];
    snprintf(file, sizeof file, format, node);
    set(command, name, rabbitmq_path(file));
}

/* The signal is for when the test ends first; who changes the user has to ask for it again. */
static void begin_command(struct command *command)
{
    *command = (struct command){.count = 0};
    if (geteuid() == 0) {
        static const char *const as_server[] = {"setpriv", "--reuid=" SERVER_USER, "--regid=" SERVER_USER,
                                                "--clear-groups", "--pdeathsig", "KILL"};
        for (size_t i = 0; i < sizeof as_server / sizeof as_server[0]; i++)
            add(command, as_server[i]);
    }
    add(command, "env");
    set(command, "HOME", rabbitmq.folder);
    set_number(command, "ERL_EPMD_PORT", rabbitmq.epmd_port);
    set(command, "ERL_EPMD_ADDRESS", "127.0.0.1");
}

static void begin_node(struct command *command, unsigned node)
{
    char name[48];
    snprintf(name, sizeof name, "tandem%u@localhost", node);
    begin_command(command);
    set(command, "RABBITMQ_NODENAME", name);
    set_number(command, "RABBITMQ_NODE_PORT", rabbitmq.ports[node]);
    set_number(command, "RABBITMQ_DIST_PORT", rabbitmq.distribution_ports[node]);
    set_path(command, "RABBITMQ_MNESIA_BASE", "data%u", node);
    set_path(command, "RABBITMQ_LOG_BASE", "log%u", node);
    set_path(command, "RABBITMQ_CONFIG_FILE", "node%u", node);
    set_path(command, "RABBITMQ_ADVANCED_CONFIG_FILE", "advanced%u", node);
    set_path(command, "RABBITMQ_ENABLED_PLUGINS_FILE", "plugins", node);
    set_path(command, "RABBITMQ_PID_FILE", "pid%u", node);
    set_path(command, "RABBITMQ_GENERATED_CONFIG_DIR", "generated%u", node);
    set(command, "RABBITMQ_CONF_ENV_FILE", "/dev/null");
    set(command, "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
        "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}");
    set(command, "RABBITMQ_CTL_ERL_ARGS", "+S 1:1 +sbwt none");
    set(command, "RUNNING_UNDER_SYSTEMD", "1");   /* so that the shell becomes the broker, which signals then reach */
}

static enum err write_file(const char *name, const char *content, mode_t mode)
{
    int fd = open(rabbitmq_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    bool is_written = fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content);
    const struct passwd *user = geteuid() == 0 ? getpwnam(SERVER_USER) : NULL;
    if (is_written && user)
        is_written = fchown(fd, user->pw_uid, user->pw_gid) == 0;
    if (fd >= 0)
        close(fd);
    return is_written ? ERR_NONE : err_because(ERR_IO, "write %s: %s", rabbitmq_path(name), strerror(errno));
}

static enum err configure(unsigned node)
{
    char name[32], text[2048];
    int length = snprintf(text, sizeof text,
                          "listeners.tcp.1 = 127.0.0.1:%u\nloopback_users = none\nlog.file.level = warning\n"
                          "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 1GB\n"
                          "cluster_formation.randomized_startup_delay_range.min = 0\n"
                          "cluster_formation.randomized_startup_delay_range.max = 1\n", rabbitmq.ports[node]);
    if (rabbitmq.tls_port)
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "listeners.ssl.1 = 127.0.0.1:%u\nssl_options.cacertfile = %s/ca.pem\n"
                           "ssl_options.certfile = %s/server.pem\nssl_options.keyfile = %s/server.key\n",
                           rabbitmq.tls_port, rabbitmq.folder, rabbitmq.folder, rabbitmq.folder);
    if (rabbitmq.count > 1) {
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "cluster_formation.peer_discovery_backend = classic_config\n"
                           "cluster_partition_handling = pause_minority\n");
        for (unsigned i = 0; i < rabbitmq.count; i++)
            length += snprintf(text + length, sizeof text - (size_t)length,
                               "cluster_formation.classic_config.nodes.%u = tandem%u@localhost\n", i + 1, i);
    }
    snprintf(name, sizeof name, "node%u.conf", node);
    return write_file(name, text, 0600);
}

/* ---- starting ---- */

static bool takes_connections(void *context)
{
    const unsigned *port = context;
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)*port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool does = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return does;
}

struct starting {
    struct process *process;
    unsigned port;
};

static bool has_started_or_ended(void *context)
{
    struct starting *starting = context;
    return takes_connections(&starting->port) || !process_runs(starting->process, NULL);
}

static enum err await(struct process *process, unsigned port, const char *what)
{
    struct starting starting = {process, port};
    if (process_until(has_started_or_ended, &starting, START_TIMEOUT_MS) && process->pid)
        return ERR_NONE;
    return err_because(ERR_DEADLINE, "%s does not start; see %s", what, process->log);
}

static enum err start_epmd(void)
{
    struct command command;
    char port[16];
    snprintf(port, sizeof port, "%u", rabbitmq.epmd_port);
    begin_command(&command);
    add(&command, "epmd");
    add(&command, "-port");
    add(&command, port);
    enum err err = process_start(command.argv, rabbitmq_path("epmd.log"), SIGKILL, &rabbitmq.epmd);
    return err ? err : await(&rabbitmq.epmd, rabbitmq.epmd_port, "epmd");
}

static enum err start_node(unsigned node)
{
    struct command command;
    char log[32];
    snprintf(log, sizeof log, "node%u.log", node);
    begin_node(&command, node);
    add(&command, SERVER);
    return process_start(command.argv, rabbitmq_path(log), SIGKILL, &rabbitmq.nodes[node]);
}

static enum err prepare(unsigned nodes, bool with_tls)
{
    char cookie[ID_SIZE];
    rabbitmq_path("");
    if (!rabbitmq.folder)
        return err_because(ERR_IO, "no temporary folder can be made");
    const struct passwd *user = geteuid() == 0 ? getpwnam(SERVER_USER) : NULL;
    if (user && chown(rabbitmq.folder, user->pw_uid, user->pw_gid) != 0)
        return err_because(ERR_IO, "chown %s: %s", rabbitmq.folder, strerror(errno));
    rabbitmq.count = nodes;
    rabbitmq.epmd_port = process_free_port();
    rabbitmq.tls_port = with_tls ? process_free_port() : 0;
    enum err err = write_file(".erlang.cookie", id_new(cookie), 0400);
    if (!err)
        err = write_file("plugins", "[].\n", 0600);
    for (unsigned i = 0; i < nodes; i++) {
        rabbitmq.ports[i] = process_free_port();
        rabbitmq.distribution_ports[i] = process_free_port();
    }
    for (unsigned i = 0; !err && i < nodes; i++)
        err = configure(i);
    return err;
}

/* The first by itself, so that the others have somebody to join. */
enum err rabbitmq_start(unsigned nodes, bool with_tls)
{
    enum err err = prepare(nodes, with_tls);
    if (!err)
        err = start_epmd();
    if (!err)
        err = start_node(0);
    if (!err)
        err = await(&rabbitmq.nodes[0], rabbitmq.ports[0], "RabbitMQ");
    if (!err && nodes > 1)
        err = rabbitmq_start_again();
    if (err || nodes == 1)
        return err;
    char count[16];
    snprintf(count, sizeof count, "%u", nodes);
    return rabbitmq_control((const char *const[]){"await_online_nodes", count, NULL});
}

enum err rabbitmq_start_again(void)
{
    enum err err = ERR_NONE;
    for (unsigned i = 0; !err && i < rabbitmq.count; i++)
        if (!process_runs(&rabbitmq.nodes[i], NULL))
            err = start_node(i);
    for (unsigned i = 0; !err && i < rabbitmq.count; i++)
        err = await(&rabbitmq.nodes[i], rabbitmq.ports[i], "RabbitMQ");
    return err;
}

/* ---- ending ---- */

/* The processes that it has started end with it: they read from it. */
void rabbitmq_kill_node(unsigned node)
{
    process_kill(&rabbitmq.nodes[node]);
}

enum err rabbitmq_end_node(unsigned node)
{
    return process_stop(&rabbitmq.nodes[node], SIGTERM, END_TIMEOUT_MS);
}

void rabbitmq_stop(void)
{
    for (unsigned i = 0; i < rabbitmq.count; i++)
        rabbitmq_kill_node(i);
    process_kill(&rabbitmq.epmd);
    if (rabbitmq.folder)
        process_remove(rabbitmq.folder);
    free(rabbitmq.folder);
    rabbitmq.folder = NULL;
    rabbitmq.count = 0;
}

enum err rabbitmq_control(const char *const *argv)
{
    struct command command;
    unsigned node = 0;
    while (node + 1 < rabbitmq.count && !process_runs(&rabbitmq.nodes[node], NULL))
        node++;
    begin_node(&command, node);
    add(&command, CONTROL);
    for (size_t i = 0; argv[i] && i < CONTROL_ARGUMENTS_MAX; i++)
        add(&command, argv[i]);
    return process_run(command.argv, rabbitmq_path("control.log"));
}
