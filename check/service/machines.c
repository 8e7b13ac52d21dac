#include "config.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/system_accounts.h"
#include "check/harness/template.h"
#include "check/service/apart.h"
#include "check/service/machines.h"

enum { PATH_SIZE = 320, ARGUMENTS_MAX = 64, OUTPUT_MAX = 32768, EDGE = MACHINES_MAX };
enum { READY_MS = 30000, STOP_MS = 20000 };

static struct {
    char *folder, *source, *build;
    const char *edge;
    const char *const *settings;
    unsigned count, ports[MACHINES_MAX + 1], service_ports[SYSTEM_SERVICES];
    int apart;                             /* the machine that is in a namespace of its own; -1: none */
    char url[64];
    struct process services[MACHINES_MAX][SYSTEM_SERVICES], fronts[MACHINES_MAX + 1], renderer;
    struct system_accounts accounts;
} world = {.apart = -1};

/* A path below the folder; a few at a time are valid. */
static const char *path_of(const char *format, ...)
{
    static char paths[8][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % 8];
    va_list values;
    int length = snprintf(path, PATH_SIZE, "%s/", world.folder);
    va_start(values, format);
    vsnprintf(path + length, PATH_SIZE - (size_t)length, format, values);
    va_end(values);
    return path;
}

const char *machines_url(void) { return world.url; }
const char *machines_admin(void) { return world.accounts.admin; }
const char *machines_customer(void) { return world.accounts.customer; }

/* ---- services ---- */

static bool is_apart(unsigned machine)
{
    return (int)machine == world.apart;
}

void machines_set_apart(unsigned machine)
{
    world.apart = (int)machine;
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        world.service_ports[i] = process_free_port();
}

static const char *host_of(unsigned machine)
{
    if (world.apart < 0 || machine == EDGE)
        return "127.0.0.1";
    return is_apart(machine) ? apart_address_there() : apart_address_here();
}

/* As server.listen has it: a socket's path, or of the machine that is apart an address and a port. */
static const char *listen_of(unsigned machine, enum system_service service)
{
    static char address[PATH_SIZE + 8];
    if (is_apart(machine))
        snprintf(address, sizeof address, "%s:%u", apart_address_there(), world.service_ports[service]);
    else
        snprintf(address, sizeof address, "unix:%s", path_of("m%u/run/%s.sock", machine, system_service_name(service)));
    return address;
}

struct arguments {
    const char *list[ARGUMENTS_MAX];
    unsigned count;
};

static void begin_arguments(struct arguments *arguments, unsigned machine)
{
    arguments->count = is_apart(machine) ? apart_prefix(arguments->list, ARGUMENTS_MAX) : 0;
}

static void add(struct arguments *arguments, const char *const *words)
{
    for (; *words && arguments->count + 1 < ARGUMENTS_MAX; words++)
        arguments->list[arguments->count++] = *words;
    arguments->list[arguments->count] = NULL;
}

#define ADD(arguments, ...) add(arguments, (const char *const[]){__VA_ARGS__, NULL})

static void add_settings(struct arguments *arguments)
{
    for (const char *const *setting = world.settings; *setting; setting++)
        ADD(arguments, "--set", *setting);
}

static bool says_ready(void *context)
{
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof command, "exec %s/tandemctl get %s /readyz", world.build, (const char *)context);
    const char *const argv[] = {"sh", "-c", command, NULL};
    return process_run(argv, path_of("ready.log")) == ERR_NONE;
}

enum err machines_service_start(unsigned machine, enum system_service service)
{
    struct arguments arguments;
    char program[PATH_SIZE], listen[2 * PATH_SIZE], advertise[2 * PATH_SIZE], address[PATH_SIZE];
    const char *name = system_service_name(service);
    snprintf(address, sizeof address, "%s", listen_of(machine, service));
    snprintf(program, sizeof program, "%s/tandem-%s", world.build, name);
    snprintf(listen, sizeof listen, "server.listen=%s", address);
    snprintf(advertise, sizeof advertise, "discovery.advertise=http://%s:%u%s%s", host_of(machine),
             world.ports[machine], is_apart(machine) ? "" : " fcgi:",
             is_apart(machine) ? "" : address + strlen("unix:"));
    begin_arguments(&arguments, machine);
    ADD(&arguments, program, "--config", path_of("tandem.conf"), "--set", listen, "--set", advertise);
    add_settings(&arguments);
    enum err err = process_start(arguments.list, path_of("m%u/log/%s.log", machine, name), SIGKILL,
                                 &world.services[machine][service]);
    if (!err && !process_until(says_ready, address, READY_MS))
        err = err_because(ERR_DEADLINE, "%s of machine %u is not ready", name, machine);
    return err;
}

enum err machines_service_stop(unsigned machine, enum system_service service)
{
    return process_stop(&world.services[machine][service], SIGTERM, STOP_MS);
}

void machines_service_kill(unsigned machine, enum system_service service)
{
    process_kill(&world.services[machine][service]);
}

unsigned long machines_answered(unsigned machine, enum system_service service)
{
    FILE *file = fopen(path_of("m%u/log/%s.log", machine, system_service_name(service)), "r");
    char line[4096];
    unsigned long count = 0;
    while (file && fgets(line, sizeof line, file))
        count += strstr(line, "\"msg\":\"request\"") != NULL && !strstr(line, "/readyz");
    if (file)
        fclose(file);
    return count;
}

const char *machines_folder(void)
{
    return world.folder;
}

bool machines_log_has(unsigned machine, enum system_service service, const char *what)
{
    FILE *file = fopen(path_of("m%u/log/%s.log", machine, system_service_name(service)), "r");
    char line[4096];
    bool has = false;
    while (file && !has && fgets(line, sizeof line, file))
        has = strstr(line, what) != NULL;
    if (file)
        fclose(file);
    return has;
}

const char *machines_endpoints(unsigned machine, enum system_service service)
{
    static char out[OUTPUT_MAX];
    struct arguments arguments;
    char command[4 * PATH_SIZE], path[PATH_SIZE];
    snprintf(path, sizeof path, "%s", path_of("endpoints.txt"));
    snprintf(command, sizeof command, "exec %s/tandemctl endpoints --socket m%u=%s > %s", world.build, machine,
             listen_of(machine, service), path);
    begin_arguments(&arguments, machine);
    ADD(&arguments, "sh", "-c", command);
    out[0] = '\0';
    FILE *file = process_run(arguments.list, path_of("endpoints.log")) == ERR_NONE ? fopen(path, "r") : NULL;
    size_t length = file ? fread(out, 1, sizeof out - 1, file) : 0;
    out[length] = '\0';
    if (file)
        fclose(file);
    return out;
}

/* ---- web servers ---- */

static enum err make_folders(const char *name)
{
    static const char *const folders[] = {"", "/run", "/log", "/tmp", "/conf"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (mkdir(path_of("%s%s", name, folders[i]), 0700) < 0)
            return err_because(ERR_IO, "no folder for %s", name);
    return ERR_NONE;
}

/* Of the machine that is apart, whose services are at no sockets: once, from the settings. */
static enum err write_upstreams(const char *out)
{
    char program[PATH_SIZE], endpoints[2 * PATH_SIZE] = "discovery.endpoints=";
    size_t length = strlen(endpoints);
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        length += (size_t)snprintf(endpoints + length, sizeof endpoints - length, " %s=fcgi://%s",
                                   system_service_name(i), listen_of((unsigned)world.apart, i));
    snprintf(program, sizeof program, "%s/tandemctl", world.build);
    const char *const argv[] = {program, "front", "render", "nginx", "--out", out, "--set", endpoints, NULL};
    return process_run(argv, path_of("render.log"));
}

/* run: where the sockets are that its upstream lists begin with. */
static enum err start_front(unsigned at, const char *kind, const char *name, const char *run)
{
    char port[8], state[PATH_SIZE], conf[PATH_SIZE], source[2 * PATH_SIZE], log[PATH_SIZE];
    bool is_nginx = strcmp(kind, "nginx") == 0;
    world.ports[at] = process_free_port();
    snprintf(port, sizeof port, "%u", world.ports[at]);
    snprintf(state, sizeof state, "%s", path_of("%s", name));
    snprintf(conf, sizeof conf, "%s", path_of("%s/conf", name));
    snprintf(source, sizeof source, "%s/etc/%s", world.source, kind);
    snprintf(log, sizeof log, "%s", path_of("%s/log/nginx.log", name));
    const struct template_value values[] = {
        {"ADDRESS", host_of(at)}, {"PORT", port}, {"URL", "http://127.0.0.1"}, {"STATE", state}, {"RUN", run},
        {"CONF", conf}, {"WWW", conf}, {"WORKERS", "2"}, {"FILES_MAX", "16384"}, {"CONNECTIONS_MAX", "8000"},
        {"BODY_MAX_BYTES", "1048576"}, {"BODY_MAX_KIB", "1024"}, {"USER", geteuid() == 0 ? "user root;" : ""},
        {"ACCESS_LOG", is_nginx ? "off" : ""}, {NULL, NULL},
    };
    enum err err = template_folder(source, conf, values);
    struct arguments arguments;
    begin_arguments(&arguments, at);
    if (is_nginx)
        ADD(&arguments, "nginx", "-e", log, "-c", path_of("%s/conf/nginx.conf", name));
    else
        ADD(&arguments, "lighttpd", "-D", "-f", path_of("%s/conf/lighttpd.conf", name));
    if (!err && is_apart(at))
        err = write_upstreams(path_of("%s/conf/tandem-upstreams.conf", name));
    return err ? err : process_start(arguments.list, path_of("%s/log/front.log", name), SIGTERM, &world.fronts[at]);
}

static enum err start_renderer(void)
{
    struct arguments arguments = {.count = 0};
    char program[PATH_SIZE];
    snprintf(program, sizeof program, "%s/tandemctl", world.build);
    ADD(&arguments, program, "front", "render", world.edge, "--watch", "--out",
        path_of("edge/conf/tandem-upstreams.conf"), "--pid-file", path_of("edge/run/%s.pid", world.edge));
    add_settings(&arguments);
    return process_start(arguments.list, path_of("edge/log/render.log"), SIGTERM, &world.renderer);
}

/* ---- the whole ---- */

enum err machines_add(unsigned machine)
{
    char name[16];
    snprintf(name, sizeof name, "m%u", machine);
    enum err err = make_folders(name);
    if (!err)
        err = start_front(machine, "nginx", name, path_of("%s/run", name));
    for (enum system_service i = 0; i < SYSTEM_SERVICES && !err; i++)
        err = machines_service_start(machine, i);
    return err;
}

static enum err write_settings(void)
{
    FILE *file = fopen(path_of("tandem.conf"), "w");
    if (!file)
        return err_because(ERR_IO, "no settings");
    fprintf(file, "bus = { url = \"embedded:%s/bus.db\"; };\n", world.folder);
    fprintf(file, "user = { token_file = \"%s/service.token\"; };\n", world.folder);
    fprintf(file, "password = { memory_kib = 64; passes = 1; };\nsession = { source_attempts_per_minute = 0; };\n");
    fprintf(file, "service = {\n");
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        fprintf(file, "  %s = { db = { path = \"%s/%s.db\"; }; };\n", system_service_name(i), world.folder,
                system_service_name(i));
    fprintf(file, "};\n");
    return fclose(file) == 0 ? ERR_NONE : err_because(ERR_IO, "no settings");
}

static bool edge_answers(void *context)
{
    struct http_client *client = context;
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        char path[64];
        snprintf(path, sizeof path, "/%s/readyz", system_service_name(i));
        if (http_get(client, path)->status != 200)
            return false;
    }
    return true;
}

static enum err await_edge(void)
{
    struct http_client *client = http_client_new(world.url);
    bool answers = process_until(edge_answers, client, READY_MS);
    http_client_free(client);
    return answers ? ERR_NONE : err_because(ERR_DEADLINE, "the edge does not answer");
}

static enum err bring_up(void)
{
    if (mkdir(path_of("log"), 0700) < 0)   /* of what makes the accounts */
        return err_because(ERR_IO, "no folder for logs");
    enum err err = write_settings();
    for (unsigned i = 0; i < world.count && !err; i++)
        err = machines_add(i);
    if (!err)
        err = make_folders("edge");
    if (!err)
        err = start_front(EDGE, world.edge, "edge", path_of("m0/run"));
    snprintf(world.url, sizeof world.url, "http://127.0.0.1:%u", world.ports[EDGE]);
    if (!err)
        err = await_edge();
    if (!err)
        err = start_renderer();
    if (!err)
        err = system_accounts_make(&world.accounts, world.build, world.folder, world.url);
    return err ? err : await_edge();
}

static char *folder_of(const char *variable)
{
    const char *folder = getenv(variable);
    return strdup(folder && *folder ? folder : ".");
}

enum err machines_start(const char *edge, unsigned count, const char *const *settings)
{
    world.edge = edge;
    world.folder = process_folder();
    if (!world.folder)
        return err_because(ERR_IO, "no temporary folder");
    world.source = folder_of("TANDEM_SRCDIR");
    world.build = folder_of("TANDEM_BUILDDIR");
    world.settings = settings;
    world.count = count;
    return bring_up();
}

enum err machines_stop(void)
{
    enum err err = process_stop(&world.renderer, SIGTERM, STOP_MS), one;
    for (unsigned m = 0; m < MACHINES_MAX; m++)
        for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
            if ((one = process_stop(&world.services[m][i], SIGTERM, STOP_MS)) != ERR_NONE)
                err = one;
    for (unsigned m = 0; m <= MACHINES_MAX; m++)
        if (process_stop(&world.fronts[m], SIGTERM, STOP_MS) != ERR_NONE)
            printf("# a web server: %s\n", err_cause());
    system_accounts_free(&world.accounts);
    if (!getenv("TANDEM_KEEP"))
        process_remove(world.folder);
    free(world.folder);
    free(world.source);
    free(world.build);
    return err;
}
