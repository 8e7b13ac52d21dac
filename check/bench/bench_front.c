#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "check/bench/bench_front.h"
#include "check/harness/http_client.h"

enum { PATH_SIZE = 256, READY_MS = 5000, STOP_MS = 5000 };

static const char configuration[] =
    "%s\n"
    "daemon off;\n"
    "pid %s/yardstick.pid;\n"
    "worker_processes 2;\n"
    "events { worker_connections 4096; }\n"
    "http {\n"
    "    access_log off;\n"
    "    keepalive_requests 100000000;\n"
    "    server {\n"
    "        listen 127.0.0.1:%u backlog=4096;\n"
    "        location / { default_type text/plain; return 200 \"pong\\n\"; }\n"
    "    }\n"
    "}\n";

static bool answers(void *context)
{
    return http_get(context, "/")->status == 200;
}

enum err bench_front_start(const char *folder, struct bench_front *ret)
{
    char conf[PATH_SIZE], log[PATH_SIZE];
    unsigned port = process_free_port();
    snprintf(conf, sizeof conf, "%s/yardstick.conf", folder);
    snprintf(log, sizeof log, "%s/yardstick.log", folder);
    FILE *file = fopen(conf, "we");
    if (!file)
        return err_because(ERR_IO, "%s cannot be written", conf);
    fprintf(file, configuration, geteuid() == 0 ? "user root;" : "", folder, port);
    fclose(file);
    const char *const nginx[] = {"nginx", "-e", log, "-c", conf, NULL};
    snprintf(ret->url, sizeof ret->url, "http://127.0.0.1:%u", port);
    enum err err = process_start(nginx, log, SIGTERM, &ret->process);
    if (err)
        return err;
    struct http_client *client = http_client_new(ret->url);
    if (!process_until(answers, client, READY_MS))
        err = err_because(ERR_DEADLINE, "nginx does not answer");
    http_client_free(client);
    return err;
}

void bench_front_stop(struct bench_front *front)
{
    if (process_stop(&front->process, SIGTERM, STOP_MS))
        fprintf(stderr, "%s\n", err_cause());
}
