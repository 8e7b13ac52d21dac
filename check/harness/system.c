#include "config.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "check/harness/process.h"
#include "check/harness/rabbitmq.h"
#include "check/harness/system.h"
#include "check/harness/system_accounts.h"
#include "check/harness/template.h"

enum { PATH_SIZE = 256, ARGUMENTS_MAX = 64, READY_MS = 15000, READY_SLOW_MS = 120000, STOP_MS = 15000,
       WORKERS_MAX = 16 };

struct system {
    struct system_opts opts;
    char *folder;
    char url[64], source[PATH_SIZE], build[PATH_SIZE];
    unsigned port;
    struct postgres *postgres;
    struct process services[SYSTEM_SERVICES], front;
    struct system_accounts accounts;
};

static const char *const service_names[] = {"user", "inventory", "order"};

struct postgres *system_postgres(const struct system *system)
{
    return system->postgres;
}

const char *system_service_name(enum system_service service)
{
    return service_names[service];
}

bool system_is_slow(void)
{
    const char *valgrind = getenv("TANDEM_VALGRIND");
#ifdef WITH_SANITIZERS
    return true;
#endif
    return valgrind && *valgrind;
}

static unsigned patience_ms(void)
{
    return system_is_slow() ? READY_SLOW_MS : READY_MS;
}

/* ---- where things are ---- */

static const char *path_in(const struct system *system, const char *format, const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    int length = snprintf(path, PATH_SIZE, "%s/", system->folder);
    snprintf(path + length, (size_t)(PATH_SIZE - length), format, name);
    return path;
}

const char *system_url(const struct system *system) { return system->url; }
unsigned system_port(const struct system *system) { return system->port; }
const char *system_folder(const struct system *system) { return system->folder; }
const char *system_admin(const struct system *system) { return system->accounts.admin; }
const char *system_customer(const struct system *system) { return system->accounts.customer; }
const char *system_customer_id(const struct system *system) { return system->accounts.customer_id; }
const char *system_service_token(const struct system *system) { return system->accounts.service; }

const char *system_socket(const struct system *system, enum system_service service)
{
    return path_in(system, "run/%s.sock", service_names[service]);
}

const char *system_database(const struct system *system, enum system_service service)
{
    return path_in(system, "%s.db", service_names[service]);
}

struct http_client *system_client(const struct system *system)
{
    return http_client_new(system->url);
}

/* ---- the front ---- */

static enum err make_front_files(struct system *system)
{
    const char *front = system->opts.front;
    char port[8], conf[PATH_SIZE], run[PATH_SIZE], source[PATH_SIZE + 32], access_log[PATH_SIZE + 16];
    snprintf(port, sizeof port, "%u", system->port);
    snprintf(conf, sizeof conf, "%s", path_in(system, "%s", "front"));
    snprintf(run, sizeof run, "%s", path_in(system, "%s", "run"));
    bool is_nginx = strcmp(front, "nginx") == 0;
    if (system->opts.access_log)
        snprintf(access_log, sizeof access_log, "%s%s", path_in(system, "log/%s", "access.log"),
                 is_nginx ? " tandem" : "");
    else
        snprintf(access_log, sizeof access_log, "%s", is_nginx ? "off" : "");
    const struct template_value values[] = {
        {"ADDRESS", "127.0.0.1"}, {"PORT", port}, {"URL", system->url}, {"STATE", system->folder},
        {"RUN", run}, {"CONF", conf}, {"WWW", conf}, {"WORKERS", "2"}, {"FILES_MAX", "16384"},
        {"CONNECTIONS_MAX", "8000"}, {"BODY_MAX_BYTES", "1048576"}, {"BODY_MAX_KIB", "1024"},
        {"USER", geteuid() == 0 ? "user root;" : ""}, {"ACCESS_LOG", access_log},
        {NULL, NULL},
    };
    snprintf(source, sizeof source, "%s/etc/%s", system->source, front);
    enum err err = template_folder(source, conf, values);
    if (err)
        return err;
    snprintf(source, sizeof source, "%s/etc/www", system->source);
    return template_folder(source, conf, values);
}

static enum err start_front(struct system *system)
{
    char conf[PATH_SIZE], log[PATH_SIZE];
    snprintf(log, sizeof log, "%s", path_in(system, "log/%s.log", system->opts.front));
    snprintf(conf, sizeof conf, "%s", path_in(system, "front/%s.conf", system->opts.front));
    const char *const nginx[] = {"nginx", "-e", log, "-c", conf, NULL};
    const char *const lighttpd[] = {"lighttpd", "-D", "-f", conf, NULL};
    bool is_nginx = strcmp(system->opts.front, "nginx") == 0;
    return process_start(is_nginx ? nginx : lighttpd, path_in(system, "log/%s.log", "front"), SIGTERM, &system->front);
}

/* ---- the services ---- */

struct arguments {
    const char *list[ARGUMENTS_MAX];
    size_t count;
};

static void add(struct arguments *arguments, const char *argument)
{
    assert(arguments->count + 1 < ARGUMENTS_MAX);
    arguments->list[arguments->count++] = argument;
}

static void add_all(struct arguments *arguments, const char *const *list)
{
    for (; list && *list; list++)
        add(arguments, *list);
}

static void add_settings(struct arguments *arguments, const char *const *settings)
{
    for (; settings && *settings; settings++) {
        add(arguments, "--set");
        add(arguments, *settings);
    }
}

static enum err start_service(struct system *system, enum system_service service)
{
    static const char *const valgrind[] = {
        "/usr/bin/env", "valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,possible",
        "--error-exitcode=99", "--fair-sched=try", NULL};
    static const char *const common[] = {"password.memory_kib=64", "password.passes=1",
                                         "session.source_attempts_per_minute=0", NULL};
    static const char *const patient[] = {"server.request_timeout_ms=120000", "user.timeout_ms=60000",
                                          "health.local_timeout_ms=60000", "health.needs_timeout_ms=60000", NULL};
    struct arguments arguments = {0};
    char program[PATH_SIZE + 32], supervisor[PATH_SIZE + 32], address[PATH_SIZE], workers[16], log[PATH_SIZE];
    const char *name = service_names[service];
    unlink(system_socket(system, service));
    snprintf(supervisor, sizeof supervisor, "%s/tandemctl", system->build);
    snprintf(address, sizeof address, "unix:%s", system_socket(system, service));
    snprintf(workers, sizeof workers, "%u", system->opts.workers);
    snprintf(program, sizeof program, "%s/tandem-%s", system->build, name);
    snprintf(log, sizeof log, "%s", path_in(system, "log/%s.log", name));
    const char *const spawn[] = {"spawn-fcgi", "-n", "-s", system_socket(system, service), "-M", "0660",
                                 "-b", "4096", "--", NULL};
    const char *const supervise[] = {supervisor, "supervise", "--listen", address, "--workers", workers, "--", NULL};
    add_all(&arguments, system->opts.workers ? supervise : spawn);
    if (getenv("TANDEM_VALGRIND"))
        add_all(&arguments, valgrind);
    add(&arguments, program);
    add(&arguments, "--config");
    add(&arguments, path_in(system, "%s", "tandem.conf"));
    add_settings(&arguments, common);
    if (system_is_slow())
        add_settings(&arguments, patient);
    add_settings(&arguments, system->opts.settings);
    arguments.list[arguments.count] = NULL;
    return process_start(arguments.list, log, SIGKILL, &system->services[service]);
}

static void write_bus(const struct system *system, FILE *file)
{
    if (!system->opts.rabbitmq) {
        fprintf(file, "bus = { url = \"embedded:%s/bus.db\"; };\n", system->folder);
        return;
    }
    fprintf(file, "bus = { url = \"amqp://guest@");
    for (unsigned i = 0; i < system->opts.rabbitmq; i++)
        fprintf(file, "%s127.0.0.1:%u", i ? "," : "", rabbitmq_port(i));
    fprintf(file, "/\"; password_file = \"%s/broker.password\"; };\n", system->folder);
}

static enum err write_settings(const struct system *system)
{
    char url[POSTGRES_URL_SIZE];
    FILE *file = fopen(path_in(system, "%s", "tandem.conf"), "w");
    if (!file)
        return err_because(ERR_IO, "the settings cannot be written");
    fprintf(file, "server = { transport = \"%s\"; };\n", system->opts.transport);
    write_bus(system, file);
    if (system->postgres)
        fprintf(file, "db = { url = \"%s\"; };\n", postgres_url(system->postgres, "tandem_{service}", url));
    fprintf(file, "user = { url = \"%s\"; token_file = \"%s/service.token\"; };\n", system->url, system->folder);
    fprintf(file, "service = {\n");
    for (int i = 0; i < SYSTEM_SERVICES; i++)
        fprintf(file, "  %s = { db = { path = \"%s/%s.db\"; }; };\n", service_names[i], system->folder,
                service_names[i]);
    fprintf(file, "};\n");
    return fclose(file) == 0 ? ERR_NONE : err_because(ERR_IO, "the settings cannot be written");
}

/* ---- waiting ---- */

struct question {
    struct system *system;
    struct http_client *client;
    char path[64];
    int status;
};

static const struct process *ended_part(struct system *system)
{
    for (int i = 0; i < SYSTEM_SERVICES; i++)
        if (!process_runs(&system->services[i], NULL))
            return &system->services[i];
    return process_runs(&system->front, NULL) ? NULL : &system->front;
}

static bool answered(void *context)
{
    struct question *question = context;
    question->status = http_get(question->client, question->path)->status;
    return question->status == 200 || ended_part(question->system);
}

static bool answers(struct system *system, const char *path)
{
    struct question question = {.system = system, .client = system_client(system)};
    snprintf(question.path, sizeof question.path, "%s", path);
    bool in_time = process_until(answered, &question, patience_ms());
    http_client_free(question.client);
    return in_time && question.status == 200;
}

static bool service_answers(struct system *system, enum system_service service, const char *endpoint)
{
    char path[64];
    snprintf(path, sizeof path, "/%s/%s", service_names[service], endpoint);
    return answers(system, path);
}

bool system_ready(struct system *system, enum system_service service)
{
    return service_answers(system, service, "readyz");
}

/* The cause with what the logs end with, since the folder is gone when somebody reads it. */
static enum err not_ready(struct system *system, const char *what)
{
    char command[PATH_SIZE * 2];
    const char *const tail[] = {"sh", "-c", command, NULL};
    snprintf(command, sizeof command, "tail -n 5 %s/log/*.log >&2", system->folder);
    struct process process = {0};
    int status;
    if (process_start(tail, "/dev/stderr", SIGKILL, &process) == ERR_NONE)
        while (process_runs(&process, &status))
            continue;
    return err_because(ERR_DEADLINE, "%s did not become ready", what);
}

static enum err wait_for_all(struct system *system, const char *endpoint)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        if (!service_answers(system, i, endpoint))
            return not_ready(system, service_names[i]);
    return ERR_NONE;
}

/* ---- the whole ---- */

static const char *folder_of(const char *variable)
{
    const char *folder = getenv(variable);
    return folder && *folder ? folder : ".";
}

static enum err make_folders(struct system *system)
{
    static const char *const folders[] = {"run", "log", "tmp", "front"};
    system->folder = process_folder();
    if (!system->folder)
        return err_because(ERR_IO, "no temporary folder");
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (mkdir(path_in(system, "%s", folders[i]), 0700) < 0)
            return err_because(ERR_IO, "no folder %s", folders[i]);
    return ERR_NONE;
}

static bool is_on_postgres(const struct system_opts *opts)
{
    const char *database = getenv("TANDEM_DATABASE");
    return opts->postgresql || (database && strcmp(database, "postgresql") == 0);
}

static enum err start_postgres(struct system *system)
{
    char database[32];
    enum err err = postgres_start(true, &system->postgres);
    for (int i = 0; i < SYSTEM_SERVICES && !err; i++) {
        snprintf(database, sizeof database, "tandem_%s", service_names[i]);
        err = postgres_create(system->postgres, database);
    }
    return err;
}

static enum err start_rabbitmq(struct system *system)
{
    int fd = open(path_in(system, "%s", "broker.password"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, "guest", 5) == 5;
    if (fd >= 0)
        close(fd);
    return written ? rabbitmq_start(system->opts.rabbitmq, false) : err_because(ERR_IO, "a password cannot be written");
}

static enum err bring_up(struct system *system)
{
    enum err err = make_folders(system);
    if (!err && is_on_postgres(&system->opts))
        err = start_postgres(system);
    if (!err && system->opts.rabbitmq)
        err = start_rabbitmq(system);
    if (!err)
        err = write_settings(system);
    if (!err)
        err = make_front_files(system);
    for (enum system_service i = 0; i < SYSTEM_SERVICES && !err; i++)
        err = start_service(system, i);
    if (!err)
        err = start_front(system);
    if (!err)
        err = wait_for_all(system, "ping");
    if (!err)
        err = system_accounts_make(&system->accounts, system->build, system->folder, system->url);
    if (!err)
        err = wait_for_all(system, "readyz");
    return err;
}

enum err system_start(const struct system_opts *opts, struct system **ret)
{
    struct system *system = calloc(1, sizeof *system);
    assert(system);
    system->opts = *opts;
    system->port = process_free_port();
    snprintf(system->url, sizeof system->url, "http://127.0.0.1:%u", system->port);
    snprintf(system->source, sizeof system->source, "%s", folder_of("TANDEM_SRCDIR"));
    snprintf(system->build, sizeof system->build, "%s", folder_of("TANDEM_BUILDDIR"));
    enum err err = bring_up(system);
    if (!err) {
        *ret = system;
        return ERR_NONE;
    }
    char cause[256];
    snprintf(cause, sizeof cause, "%s", err_cause());
    if (system_stop(system))
        fprintf(stderr, "# while stopping: %s\n", err_cause());
    return err_because(err, "%s", cause);
}

static unsigned stop_ms(void)
{
    return system_is_slow() ? 4 * STOP_MS : STOP_MS;
}

enum err system_service_down(struct system *system, enum system_service service)
{
    return process_stop(&system->services[service], SIGTERM, stop_ms());
}

static size_t children_of(long pid, pid_t *ret_pids, size_t max)
{
    char path[64], line[1024] = "";
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    FILE *file = fopen(path, "re");
    size_t count = 0;
    if (!file)
        return 0;
    if (fgets(line, sizeof line, file)) {
        char *rest = line;
        for (long child; count < max && (child = strtol(rest, &rest, 10)) > 0;)
            ret_pids[count++] = (pid_t)child;
    }
    fclose(file);
    return count;
}

size_t system_workers(const struct system *system, enum system_service service, pid_t *ret_pids, size_t max)
{
    return children_of(system->services[service].pid, ret_pids, max);
}

struct restart {
    const struct system *system;
    enum system_service service;
    pid_t before[WORKERS_MAX];
    size_t count;
};

/* As many as before, and none of those. */
static bool is_replaced(void *context)
{
    const struct restart *restart = context;
    pid_t now[WORKERS_MAX];
    size_t count = system_workers(restart->system, restart->service, now, WORKERS_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < restart->count; j++)
            if (now[i] == restart->before[j])
                return false;
    return count == restart->count;
}

bool system_restart(struct system *system, enum system_service service)
{
    struct restart restart = {.system = system, .service = service};
    restart.count = system_workers(system, service, restart.before, WORKERS_MAX);
    kill(system->services[service].pid, SIGHUP);
    return process_until(is_replaced, &restart, patience_ms());
}

void system_service_killed(struct system *system, enum system_service service)
{
    process_kill(&system->services[service]);
}

pid_t system_service_pid(const struct system *system, enum system_service service)
{
    return system->services[service].pid;
}

void system_service_signal(const struct system *system, enum system_service service, int signal)
{
    kill(system->services[service].pid, signal);
}

enum err system_service_up(struct system *system, enum system_service service)
{
    enum err err = start_service(system, service);
    if (!err && !system_ready(system, service))
        err = not_ready(system, service_names[service]);
    return err;
}

/* After the requests under way. */
static enum err stop_front(struct system *system)
{
    bool is_nginx = strcmp(system->opts.front, "nginx") == 0;
    return process_stop(&system->front, is_nginx ? SIGQUIT : SIGINT, stop_ms());
}

void system_front_killed(struct system *system)
{
    process_kill(&system->front);
}

bool system_front_worker_killed(const struct system *system)
{
    pid_t pids[WORKERS_MAX];
    return children_of(system->front.pid, pids, WORKERS_MAX) > 0 && kill(pids[0], SIGKILL) == 0;
}

enum err system_revive(struct system *system)
{
    enum err err = ERR_NONE;
    if (!process_runs(&system->front, NULL))
        err = start_front(system);
    for (enum system_service i = 0; i < SYSTEM_SERVICES && !err; i++)
        if (!process_runs(&system->services[i], NULL))
            err = start_service(system, i);
    return err ? err : wait_for_all(system, "readyz");
}

enum err system_front_again(struct system *system)
{
    enum err err = stop_front(system);
    if (!err)
        err = start_front(system);
    if (!err && !answers(system, "/"))
        err = not_ready(system, "the front");
    return err;
}

enum err system_stop(struct system *system)
{
    enum err err = ERR_NONE, latest;
    if (!system)
        return ERR_NONE;
    if (stop_front(system))
        fprintf(stderr, "# the front: %s\n", err_cause());
    for (int i = SYSTEM_SERVICES - 1; i >= 0; i--) {
        latest = process_stop(&system->services[i], SIGTERM, stop_ms());
        if (latest)
            fprintf(stderr, "# %s: %s\n", service_names[i], err_cause());
        err = err ? err : latest;
    }
    postgres_stop(system->postgres);
    if (system->opts.rabbitmq)
        rabbitmq_stop();
    if (system->folder)
        process_remove(system->folder);
    system_accounts_free(&system->accounts);
    free(system->folder);
    free(system);
    return err;
}

char *system_new_customer(struct system *system, char **ret_id)
{
    static unsigned count;
    char email[64];
    snprintf(email, sizeof email, "customer-%u@example.org", ++count);
    return system_accounts_customer(system->url, email, ret_id);
}
