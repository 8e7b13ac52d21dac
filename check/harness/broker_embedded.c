/* The embedded bus has no process: a broker of it is a folder. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "check/harness/broker.h"
#include "check/harness/process.h"

enum { URL_SIZE = 256, MAX_BYTES = 1024 * 1024 * 1024, RETENTION_S = 3600, BUSY_TIMEOUT_MS = 10000 };

static char *folder;

static const char *lacks(void)
{
    return NULL;
}

static enum err start(void)
{
    folder = process_folder();
    return folder ? ERR_NONE : err_because(ERR_IO, "no temporary folder can be made");
}

static void stop(void)
{
    if (folder)
        process_remove(folder);
    free(folder);
    folder = NULL;
}

static struct bus_opts opts(const char *world)
{
    static _Thread_local char url[URL_SIZE];
    snprintf(url, sizeof url, "embedded:%s/%s.db", folder, world);
    return (struct bus_opts){.url = url, .retention_s = RETENTION_S, .max_bytes = MAX_BYTES,
                             .busy_timeout_ms = BUSY_TIMEOUT_MS};
}

const struct broker broker_embedded = {
    .name = "embedded",
    .abilities = BROKER_BROWSES | BROKER_KEEPS,
    .lacks = lacks,
    .start = start,
    .stop = stop,
    .opts = opts,
};
