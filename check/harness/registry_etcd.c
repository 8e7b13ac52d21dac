/*
 * etcd, as it comes with Debian: one server, one that speaks TLS and wants a certificate, or a cluster of three.
 * REGISTRY_ADDRESS: where it listens (127.0.0.1).
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/authority.h"
#include "check/harness/process.h"
#include "check/harness/registry_server.h"

enum { NODES_MAX = 3, PATH_SIZE = 256, TEXT_SIZE = 512, READY_MS = 60000, STOP_MS = 10000 };

static struct node {
    struct process process;
    unsigned client_port, peer_port;
} nodes[NODES_MAX];

static size_t node_count;
static char *folder;
static char servers[TEXT_SIZE], cluster[TEXT_SIZE], secret[PATH_SIZE];
static struct authority authority;
static struct certificate certificate;
static bool is_locked, has_tls;

static const char *lacks(void)
{
    if (access("/usr/bin/etcd", X_OK) < 0 || access("/usr/bin/etcdctl", X_OK) < 0)
        return "etcd is not installed (Debian: etcd-server, etcd-client)";
    return NULL;
}

static const char *host(void)
{
    const char *given = getenv("REGISTRY_ADDRESS");
    return given ? given : "127.0.0.1";
}

static enum err start_node(size_t at)
{
    struct node *node = &nodes[at];
    char name[16], data[PATH_SIZE], log[PATH_SIZE], client[64], peer[64];
    snprintf(name, sizeof name, "n%zu", at);
    snprintf(data, sizeof data, "%s/%s", folder, name);
    snprintf(log, sizeof log, "%s/%s.log", folder, name);
    snprintf(client, sizeof client, "%s://%s:%u", has_tls ? "https" : "http", host(), node->client_port);
    snprintf(peer, sizeof peer, "http://127.0.0.1:%u", node->peer_port);
    const char *const argv[] = {
        "etcd", "--name", name, "--data-dir", data, "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
        "--initial-cluster-state", "new", "--heartbeat-interval", "50", "--election-timeout", "500",
        has_tls ? "--client-cert-auth" : NULL, "--trusted-ca-file", authority.certificate, "--cert-file",
        certificate.file, "--key-file", certificate.key, NULL};
    return process_start(argv, log, SIGKILL, &node->process);
}

/* etcdctl, with the API that its version 3 has; its output goes to a file. */
static enum err ctl_to(const char *output, const char *const *arguments)
{
    char command[6 * TEXT_SIZE];
    int length = snprintf(command, sizeof command, "ETCDCTL_API=3 exec etcdctl ");
    if (has_tls)
        length += snprintf(command + length, sizeof command - (size_t)length, "--cacert %s --cert %s --key %s ",
                           authority.certificate, certificate.file, certificate.key);
    length += snprintf(command + length, sizeof command - (size_t)length, "--endpoints=");
    for (const char *at = servers; *at; at++)
        length += snprintf(command + length, sizeof command - (size_t)length, "%c", *at == ' ' ? ',' : *at);
    for (; *arguments; arguments++)
        length += snprintf(command + length, sizeof command - (size_t)length, " %s", *arguments);
    snprintf(command + length, sizeof command - (size_t)length, " > %s", output);
    const char *const argv[] = {"sh", "-c", command, NULL};
    char log[PATH_SIZE];
    snprintf(log, sizeof log, "%s/ctl.log", folder);
    return process_run(argv, log);
}

static enum err ctl(const char *first, const char *second, const char *third, const char *fourth)
{
    const char *const arguments[] = {first, second, third, fourth, NULL};
    return ctl_to("/dev/null", arguments);
}

static bool is_healthy(void *context)
{
    (void)context;
    return ctl("endpoint", "health", NULL, NULL) == ERR_NONE;
}

static enum err wait_until_ready(void)
{
    return process_until(is_healthy, NULL, READY_MS) ? ERR_NONE
                                                     : err_because(ERR_DEADLINE, "etcd is not ready: %s", err_cause());
}

static enum err start_nodes(void)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < node_count && !err; i++)
        if (!nodes[i].process.pid)
            err = start_node(i);
    return err ? err : wait_until_ready();
}

static enum err start_with(size_t count)
{
    node_count = count;
    is_locked = false;
    int servers_length = 0, cluster_length = 0;
    for (size_t i = 0; i < count; i++) {
        nodes[i].client_port = process_free_port();
        nodes[i].peer_port = process_free_port();
        servers_length += snprintf(servers + servers_length, sizeof servers - (size_t)servers_length,
                                   "%s%s://%s:%u", i ? " " : "", has_tls ? "https" : "http", host(),
                                   nodes[i].client_port);
        cluster_length += snprintf(cluster + cluster_length, sizeof cluster - (size_t)cluster_length,
                                   "%sn%zu=http://127.0.0.1:%u", i ? "," : "", i, nodes[i].peer_port);
    }
    return start_nodes();
}

static enum err make_folder(void)
{
    folder = process_folder();
    return folder ? ERR_NONE : err_because(ERR_IO, "no temporary folder");
}

static enum err start_one(void)
{
    enum err err = make_folder();
    return err ? err : start_with(1);
}

static enum err start_three(void)
{
    enum err err = make_folder();
    return err ? err : start_with(NODES_MAX);
}

/* One certificate that both sides show. */
static enum err make_certificates(void)
{
    char names[TEXT_SIZE];
    snprintf(names, sizeof names, "IP:%s", host());
    enum err err = authority_make(folder, "tls", &authority);
    return err ? err : authority_sign(&authority, "registry", names, 2, &certificate);
}

static enum err start_tls(void)
{
    has_tls = true;
    enum err err = make_folder();
    if (!err)
        err = make_certificates();
    return err ? err : start_with(1);
}

static const char *lacks_tls(void)
{
    return authority_lacks() ? authority_lacks() : lacks();
}

static void kill_all(void)
{
    for (size_t i = 0; i < node_count; i++)
        process_kill(&nodes[i].process);
}

static void stop(void)
{
    kill_all();
    if (folder)
        process_remove(folder);
    free(folder);
    folder = NULL;
    node_count = 0;
}

static void opts(struct discovery_opts *opts)
{
    opts->driver = "etcd";
    opts->servers = servers;
    opts->prefix = "/services";
    if (has_tls) {
        opts->ca_file = authority.certificate;
        opts->certificate_file = certificate.file;
        opts->key_file = certificate.key;
    }
    if (is_locked) {
        opts->user = "root";
        opts->secret_file = secret;
    }
}

static enum err start_again(bool forgetful)
{
    char data[PATH_SIZE];
    for (size_t i = 0; i < node_count && forgetful; i++) {
        snprintf(data, sizeof data, "%s/n%zu", folder, i);
        process_remove(data);
    }
    return start_nodes();
}

/* Whose line of "endpoint status" has "true" where it says who leads. */
static enum err kill_leader(void)
{
    const char *const arguments[] = {"endpoint", "status", NULL};
    char path[PATH_SIZE], line[TEXT_SIZE], port[16];
    snprintf(path, sizeof path, "%s/status", folder);
    enum err err = ctl_to(path, arguments);
    FILE *file = err ? NULL : fopen(path, "r");
    size_t killed = 0;
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; i < node_count; i++) {
            snprintf(port, sizeof port, ":%u,", nodes[i].client_port);
            if (nodes[i].process.pid && strstr(line, port) && strstr(line, ", true,")) {
                process_kill(&nodes[i].process);
                killed++;
            }
        }
    if (file)
        fclose(file);
    return err ? err : killed == 1 ? ERR_NONE : err_because(ERR_INTERNAL, "%zu lead", killed);
}

/* The revision is known by the answer to a change: "revision" in JSON. */
static enum err compact(void)
{
    const char *const arguments[] = {"put", "/elsewhere", "x", "-w", "json", NULL};
    char path[PATH_SIZE], text[TEXT_SIZE] = "", revision[24];
    snprintf(path, sizeof path, "%s/put", folder);
    enum err err = ctl_to(path, arguments);
    FILE *file = err ? NULL : fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file))
        err = err_because(ERR_IO, "etcdctl has said nothing");
    if (file)
        fclose(file);
    const char *at = strstr(text, "\"revision\":");
    if (err || !at)
        return err ? err : err_because(ERR_PROTOCOL, "no revision in %s", text);
    snprintf(revision, sizeof revision, "%lld", atoll(at + strlen("\"revision\":")));
    return ctl("compact", revision, NULL, NULL);
}

static enum err lock(void)
{
    snprintf(secret, sizeof secret, "%s/secret", folder);
    FILE *file = fopen(secret, "w");
    if (!file || fchmod(fileno(file), 0600) < 0 || fputs("let-me-in\n", file) < 0 || fclose(file) != 0)
        return err_because(ERR_IO, "no file for a password");
    enum err err = ctl("user", "add", "root:let-me-in", NULL);
    if (!err)
        err = ctl("user", "grant-role", "root", "root");
    if (!err)
        err = ctl("auth", "enable", NULL, NULL);
    is_locked = !err;
    return err;
}

const struct registry_server registry_server_etcd = {
    .name = "etcd",
    .abilities = REGISTRY_REGISTERS | REGISTRY_AWAY | REGISTRY_NOTES | REGISTRY_COMPACTS | REGISTRY_SIGNS_IN |
                 REGISTRY_DOUBTED,
    .lacks = lacks,
    .start = start_one,
    .stop = stop,
    .opts = opts,
    .kill = kill_all,
    .start_again = start_again,
    .compact = compact,
    .lock = lock,
};

const struct registry_server registry_server_etcd_three = {
    .name = "etcd, three",
    .abilities = REGISTRY_REGISTERS | REGISTRY_AWAY | REGISTRY_NODES | REGISTRY_NOTES | REGISTRY_COMPACTS |
                 REGISTRY_DOUBTED,
    .lacks = lacks,
    .start = start_three,
    .stop = stop,
    .opts = opts,
    .kill = kill_all,
    .start_again = start_again,
    .kill_leader = kill_leader,
    .compact = compact,
};

const struct registry_server registry_server_etcd_tls = {
    .name = "etcd, TLS",
    .abilities = REGISTRY_REGISTERS | REGISTRY_AWAY | REGISTRY_NOTES | REGISTRY_COMPACTS | REGISTRY_DOUBTED,
    .lacks = lacks_tls,
    .start = start_tls,
    .stop = stop,
    .opts = opts,
    .kill = kill_all,
    .start_again = start_again,
    .compact = compact,
};
